#include "check/log_model.h"

#include <algorithm>
#include <stdexcept>

namespace chronik::check {

uint64_t ModelGroup::seek_key(uint64_t key) const {
  if (entries.empty()) return last_index() + 1;
  if (entries.front().key > key) return start_index != 0 ? 0 : 1;
  uint64_t greatest = 0;
  for (const Entry& entry : entries)
    if (entry.key <= key) greatest = entry.key;
  for (const Entry& entry : entries)
    if (entry.key == greatest) return entry.index;
  return 0;
}

uint64_t ModelGroup::seek_time(int64_t time_ms) const {
  for (const Entry& entry : entries)
    if (entry.time_ms >= time_ms) return entry.index;
  return last_index() + 1;
}

void apply_batch(const Batch& batch, ModelGroups* groups) {
  for (const Batch::Operation& operation : batch.operations()) {
    const chronik_log_operation& raw = operation.raw;
    if (raw.kind == CHRONIK_LOG_DELETE) {
      groups->erase(raw.group);
      continue;
    }
    ModelGroup& group = (*groups)[raw.group];
    switch (raw.kind) {
      case CHRONIK_LOG_APPEND:
        group.entries.insert(group.entries.end(), operation.entries.begin(),
                             operation.entries.end());
        break;
      case CHRONIK_LOG_TRUNCATE_SUFFIX:
        if (raw.index <= group.last_index())
          group.entries.resize(raw.index - group.start_index - 1);
        break;
      case CHRONIK_LOG_HARD_STATE:
        group.hard_term = raw.term;
        group.hard_vote = raw.vote;
        group.hard_commit = raw.commit;
        break;
      case CHRONIK_LOG_COMPACT_PREFIX:
        group.entries.erase(
            group.entries.begin(),
            group.entries.begin() + static_cast<long>(raw.index - group.start_index));
        group.start_index = raw.index;
        group.start_term = raw.term;
        group.meta = operation.meta;
        break;
      case CHRONIK_LOG_GROUP_META: group.meta = operation.meta; break;
      case CHRONIK_LOG_RESET:
        group.entries.clear();
        group.start_index = raw.index;
        group.start_term = raw.term;
        group.meta = operation.meta;
        break;
      default: break;
    }
  }
}

ModelTest::ModelTest(const chronik_plugin& plugin, SimDisk* disk, Settings settings)
    : plugin_(plugin), disk_(disk), settings_(std::move(settings)), random_(settings_.seed) {}
ModelTest::~ModelTest() = default;

void ModelTest::wrong(const std::string& what) const {
  throw std::runtime_error("seed " + std::to_string(settings_.seed) + ", step " +
                           std::to_string(step_) + ": " + what);
}

void ModelTest::run() {
  store_ = std::make_unique<LogStore>(plugin_, disk_, settings_.options, settings_.seed);
  if (store_->start() != CHRONIK_OK) wrong("start: " + store_->error());
  for (step_ = 0; step_ < settings_.steps; ++step_) step();
  compare();
  store_->close();
}

void ModelTest::step() {
  const uint64_t choice = below(100);
  if (choice < 60) {
    mutate();
  } else if (choice < 80) {
    check_read();
  } else if (choice < 85) {
    check_refusals();
  } else if (choice < 95) {
    for (uint64_t i = below(20); i > 0; --i) store_->host().step();
    take_completions();
  } else if (choice < 98) {
    compare();
  } else {
    reopen();
  }
}

void ModelTest::mutate() {
  Batch batch;
  ModelGroups scratch = model_;
  std::vector<uint64_t> touched;
  for (uint64_t i = 1 + below(3); i > 0; --i) {
    const uint64_t group = 1 + below(settings_.groups);
    for (uint64_t j = 1 + below(3); j > 0; --j) add_random(group, &batch, &scratch);
    touched.push_back(group);
  }
  if (batch.operations().empty()) return;
  const uint64_t token = next_token_++;
  const int32_t status = store_->submit(batch, token);
  if (status == CHRONIK_E_RESOURCE_EXHAUSTED) {
    store_->host().run();
    take_completions();
    if (!pending_.empty()) wrong("refused for what is in flight, which never completes");
    return;
  }
  if (status != CHRONIK_OK) wrong("submit: " + store_->error());
  Pending& pending = pending_[token];
  pending.lazy = batch.lazy();
  for (const uint64_t group : touched) {
    History& history = histories_[group];
    if (history.states.empty()) {
      const auto found = model_.find(group);
      history.states.push_back(found == model_.end() ? State{} : State{true, found->second});
    }
    const auto found = scratch.find(group);
    history.states.push_back(found == scratch.end() ? State{} : State{true, found->second});
    pending.reached[group] = history.states.size() - 1;
  }
  model_ = std::move(scratch);
}

void ModelTest::add_random(uint64_t id, Batch* batch, ModelGroups* scratch) {
  Batch one;
  const auto found = scratch->find(id);
  if (found == scratch->end()) {
    one.create(id);
  } else {
    const ModelGroup& group = found->second;
    const uint64_t first_final = std::max(group.hard_commit, group.start_index);
    const uint64_t choice = below(100);
    if (choice < 50) {
      std::vector<Entry> entries;
      uint64_t term = group.last_term() + (below(8) == 0 ? 1 : 0);
      uint64_t key = group.last_key();
      for (uint64_t i = 1 + below(4); i > 0; --i) {
        if (below(8) == 0) ++term;
        key += below(3);
        entries.push_back(
            {static_cast<uint32_t>(1 + below(3)), 0, term, key,
             static_cast<int64_t>(1000 + step_ + below(20)),
             std::string(below(settings_.payload_max), static_cast<char>(random_()))});
      }
      one.append(id, group.last_index(), group.last_term(), std::move(entries));
    } else if (choice < 58) {
      if (group.last_index() <= first_final) return;
      one.truncate(id, first_final + 1 + below(group.last_index() - first_final));
    } else if (choice < 80) {
      uint64_t commit = group.hard_commit;
      if (group.last_index() > commit) commit += below(group.last_index() - commit + 1);
      one.hard_state(id, group.hard_term + below(2), below(4), commit, below(2) == 0);
    } else if (choice < 88) {
      const uint64_t index = group.start_index + below(group.entries.size() + 1);
      one.compact(id, index, group.term_at(index), "compacted to " + std::to_string(index));
    } else if (choice < 96) {
      one.meta(id, std::string(below(200), 'm'), below(2) == 0);
    } else if (choice < 98) {
      const uint64_t index = std::max(group.last_index(), group.hard_commit) + below(5);
      one.reset(id, index, group.last_term() + 1, "snapshot");
    } else {
      one.remove(id);
    }
  }
  apply_batch(one, scratch);
  const Batch::Operation& made = one.operations().front();
  switch (made.raw.kind) {
    case CHRONIK_LOG_CREATE: batch->create(id); break;
    case CHRONIK_LOG_APPEND: batch->append(id, made.raw.index, made.raw.term, made.entries); break;
    case CHRONIK_LOG_TRUNCATE_SUFFIX: batch->truncate(id, made.raw.index); break;
    case CHRONIK_LOG_HARD_STATE:
      batch->hard_state(id, made.raw.term, made.raw.vote, made.raw.commit, made.raw.flags != 0);
      break;
    case CHRONIK_LOG_COMPACT_PREFIX:
      batch->compact(id, made.raw.index, made.raw.term, made.meta);
      break;
    case CHRONIK_LOG_GROUP_META: batch->meta(id, made.meta, made.raw.flags != 0); break;
    case CHRONIK_LOG_RESET: batch->reset(id, made.raw.index, made.raw.term, made.meta); break;
    default: batch->remove(id); break;
  }
}

// Batches that must be refused as a whole, whatever else they hold.
void ModelTest::check_refusals() {
  if (model_.empty()) return;
  auto at = model_.begin();
  std::advance(at, static_cast<long>(below(model_.size())));
  const auto& [id, group] = *at;
  Batch batch;
  batch.meta(id, "never seen");
  switch (below(7)) {
    case 0: batch.create(id); break;
    case 1: batch.append(id, group.last_index() + 1, group.last_term(), {Entry{}}); break;
    case 2: batch.append(id, group.last_index(), group.last_term() + 1, {Entry{}}); break;
    case 3: batch.truncate(id, group.hard_commit); break;
    case 4: batch.compact(id, group.last_index() + 1, group.last_term(), ""); break;
    case 5: batch.hard_state(settings_.groups + 7, 1, 1, 0); break;
    default:
      if (group.hard_commit == 0) return;
      batch.hard_state(id, group.hard_term, 0, group.hard_commit - 1);
  }
  if (store_->submit(batch, next_token_++) != CHRONIK_E_INVALID_ARGUMENT)
    wrong("a wrong batch was accepted");
}

void ModelTest::check_read() {
  const uint64_t id = 1 + below(settings_.groups);
  const auto found = model_.find(id);
  const uint32_t kind = 1 + static_cast<uint32_t>(below(3));
  if (found == model_.end()) {
    if (store_->read_once(id, kind, 1, 2, 1).status != CHRONIK_E_NOT_FOUND)
      wrong("a read of a missing group");
    return;
  }
  const ModelGroup& group = found->second;
  uint64_t from = group.start_index + below(group.entries.size() + 2);
  uint64_t begin = from;
  if (kind == CHRONIK_LOG_FROM_KEY) {
    from = group.last_key() - std::min(group.last_key(), below(40));
    begin = group.seek_key(from);
  } else if (kind == CHRONIK_LOG_FROM_TIME) {
    from = 1000 + step_ - std::min<uint64_t>(step_, below(60)) + below(20);
    begin = group.seek_time(static_cast<int64_t>(from));
  }
  const uint64_t end = begin + below(12);
  const ReadOutcome got = store_->read(id, kind, from, end, below(1000));
  const std::string what = "group " + std::to_string(id) + ", read by " + std::to_string(kind) +
                           " from " + std::to_string(from);
  if (begin <= group.start_index) {
    if (got.status != CHRONIK_E_OUT_OF_RANGE) wrong(what + ": expected OUT_OF_RANGE");
    return;
  }
  if (got.status != CHRONIK_OK) wrong(what + ": status " + std::to_string(got.status));
  std::vector<Entry> expected;
  for (uint64_t i = begin; i < end && i <= group.last_index(); ++i)
    expected.push_back(group.entries[i - group.start_index - 1]);
  if (got.entries != expected)
    wrong(what + ": " + std::to_string(got.entries.size()) + " entries from " +
          std::to_string(got.entries.empty() ? 0 : got.entries.front().index) + ", expected " +
          std::to_string(expected.size()) + " from " + std::to_string(begin));
}

void ModelTest::take_completions() {
  for (auto at = pending_.begin(); at != pending_.end();) {
    const auto done = store_->completions().find(at->first);
    if (done == store_->completions().end()) {
      ++at;
      continue;
    }
    if (done->second != CHRONIK_OK) wrong("a completion failed");
    if (!at->second.lazy)
      for (const auto& [group, place] : at->second.reached)
        histories_[group].floor = std::max(histories_[group].floor, place);
    at = pending_.erase(at);
  }
}

bool ModelTest::matches(uint64_t id, const State& state, std::string* why) {
  const auto view = store_->group(id);
  if (view.has_value() != state.exists) {
    *why = state.exists ? "it doesn't exist" : "it exists";
    return false;
  }
  if (!state.exists) return true;
  const ModelGroup& group = state.group;
  const auto differs = [&](const char* name, uint64_t is, uint64_t should) {
    if (is != should)
      *why =
          std::string(name) + " is " + std::to_string(is) + ", expected " + std::to_string(should);
    return is != should;
  };
  if (differs("start_index", view->start_index, group.start_index) ||
      differs("start_term", view->start_term, group.start_term) ||
      differs("last_index", view->last_index, group.last_index()) ||
      differs("last_term", view->last_term, group.last_term()) ||
      differs("last_key", view->last_key, group.last_key()) ||
      differs("hard_term", view->hard_term, group.hard_term) ||
      differs("hard_vote", view->hard_vote, group.hard_vote) ||
      differs("hard_commit", view->hard_commit, group.hard_commit) ||
      differs("meta size", view->meta.size(), group.meta.size()))
    return false;
  if (view->meta != group.meta || view->durable_index > view->last_index) {
    *why = "meta or durable_index";
    return false;
  }
  for (size_t i = 0; i < group.entries.size(); ++i) {
    uint64_t term = 0;
    for (const chronik_term_run& run : view->term_runs)
      if (run.first_index <= group.entries[i].index) term = run.term;
    if (differs("a term", term, group.entries[i].term)) return false;
  }
  const ReadOutcome all = store_->read_all(id);
  if (differs("read status", static_cast<uint64_t>(all.status), CHRONIK_OK)) return false;
  if (all.entries != group.entries) {
    *why = "the entries differ";
    return false;
  }
  return true;
}

void ModelTest::compare() {
  std::string why;
  for (uint64_t id = 1; id <= settings_.groups; ++id) {
    const auto found = model_.find(id);
    if (!matches(id, found == model_.end() ? State{} : State{true, found->second}, &why))
      wrong("group " + std::to_string(id) + ": " + why);
  }
  if (store_->groups().size() != model_.size()) wrong("scan_groups differs");
}

void ModelTest::reopen() {
  const uint64_t how = settings_.persistent && settings_.power_cuts ? below(3) : 0;
  if (how == 0) {
    store_->close();
    for (auto& [id, history] : histories_) history.floor = history.states.size() - 1;
  } else {
    disk_->crash_after(below(12));
    store_->host().run();
    for (auto at = pending_.begin(); at != pending_.end(); ++at) {
      const auto done = store_->completions().find(at->first);
      if (done == store_->completions().end() || done->second != CHRONIK_OK || at->second.lazy)
        continue;
      for (const auto& [group, place] : at->second.reached)
        histories_[group].floor = std::max(histories_[group].floor, place);
    }
    store_->crash();
  }
  pending_.clear();
  if (disk_ != nullptr) {
    if (how == 2) {
      disk_->power_cut();
    } else {
      disk_->kill();
    }
  }
  if (!settings_.persistent) {
    model_.clear();
    histories_.clear();
  }
  // The power may be cut again while the store recovers.
  for (uint64_t again = how == 2 ? below(3) : 0; again > 0; --again) {
    LogStore doomed(plugin_, disk_, settings_.options, settings_.seed);
    disk_->crash_after(below(60));
    const int32_t status = doomed.start();
    if (status != CHRONIK_OK && !disk_->crashed()) wrong("recovery: " + doomed.error());
    doomed.crash();
    disk_->power_cut();
  }
  store_ = std::make_unique<LogStore>(plugin_, disk_, settings_.options, settings_.seed + step_);
  if (store_->start() != CHRONIK_OK) wrong("start: " + store_->error());
  std::vector<uint64_t> groups;
  for (const auto& [id, history] : histories_) groups.push_back(id);
  for (const uint64_t id : groups) adopt(id);
  histories_.clear();
  compare();
}

// Finds which of the possible states a group came back in.
void ModelTest::adopt(uint64_t id) {
  const History& history = histories_[id];
  std::string why;
  std::string all;
  for (size_t i = history.states.size(); i-- > history.floor;) {
    if (!matches(id, history.states[i], &why)) {
      all += "\n  " + std::to_string(i) + ": " + why;
      continue;
    }
    if (history.states[i].exists) {
      model_[id] = history.states[i].group;
    } else {
      model_.erase(id);
    }
    return;
  }
  wrong("group " + std::to_string(id) + " came back in a state it never had, of " +
        std::to_string(history.states.size()) + " since the last start:" + all);
}

}  // namespace chronik::check
