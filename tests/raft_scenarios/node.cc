#include "raft_scenarios/node.h"

#include <algorithm>
#include <sstream>

namespace chronik::raft::scenario {

Line line_of(const Parcel& parcel) {
  if (const auto* message = std::get_if<Message>(&parcel)) return line_of(*message);
  Line line;
  if (const auto* append = std::get_if<AppendDone>(&parcel)) {
    line = {kAppendThread, append->replica, "MsgStorageAppendResp", append->mark.term};
    line.log = append->mark.last;
    line.snapshot = append->snapshot;
  } else if (const auto* apply = std::get_if<ApplyDone>(&parcel)) {
    line = {kApplyThread, apply->replica, "MsgStorageApplyResp"};
    line.entries = apply->entries;
  }
  return line;
}

Node::Node(Options options, Snapshot initial) : options_(options) {
  start_ = initial.meta.last;
  history_.push_back(std::move(initial));
  restart();
}

void Node::restart() {
  InitialState state;
  const SnapshotMeta& applied = history_.back().meta;
  state.hard_state = hard_state_;
  state.hard_state.commit = std::max(hard_state_.commit, applied.last.index);
  state.configuration = applied.configuration;
  state.start_index = start_.index;
  state.start_term = start_.term;
  state.last_index = last_index();
  for (const Entry& entry : entries_)
    if (state.terms.empty() || state.terms.back().term != entry.term)
      state.terms.push_back({entry.index, entry.term});
  state.applied = applied.last.index;
  raft_ = std::make_unique<Raft>(options_, std::move(state), random_);
  announced_ = raft_->hard_state();
  raft_->offer_snapshot(history_.back().meta);
}

// ---- Ready
// ---------------------------------------------------------------------------------------

std::string Node::process_ready(std::vector<Parcel>* network) {
  Ready ready = raft_->take_ready();
  const std::vector<Entry> committed = resolve(ready.committed);
  for (const Fetch& fetch : ready.fetches) answer(fetch);

  Write write{ready.hard_state, ready.entries, ready.snapshot, {}};
  std::vector<Line> lines;
  for (const Message& message : ready.messages) lines.push_back(scenario::line_of(message));
  if (options_.async_storage_writes) {
    for (const Message& message : ready.messages_after_persist) write.responses.push_back(message);
    if (ready.needs_persist() && (ready.mark.last.index != Index() || ready.snapshot))
      write.responses.push_back(AppendDone{id(), ready.mark, ready.snapshot});
    if (ready.needs_persist()) lines.push_back(line_of(write));
    if (!committed.empty()) lines.push_back(apply_line(committed));
  } else {
    for (const Message& message : ready.messages_after_persist)
      if (message.to != id()) lines.push_back(scenario::line_of(message));
  }
  const std::string described = describe(ready, committed, lines);

  for (const Message& message : ready.messages) network->push_back(message);
  if (options_.async_storage_writes) {
    if (ready.needs_persist()) append_work_.push_back(std::move(write));
    if (!committed.empty()) apply_work_.push_back(committed);
    return described;
  }
  persist(write);
  apply(committed);
  for (const Message& message : ready.messages_after_persist)
    if (message.to != id()) network->push_back(message);
  raft_->advance(std::move(ready));
  return described;
}

std::string Node::describe(const Ready& ready, const std::vector<Entry>& committed,
                           const std::vector<Line>& messages) {
  bool must_sync = !ready.entries.empty();
  std::ostringstream out;
  if (ready.soft_state) out << scenario::describe(*ready.soft_state) << "\n";
  if (ready.hard_state) {
    out << "HardState " << scenario::describe(*ready.hard_state) << "\n";
    must_sync |=
        ready.hard_state->term != announced_.term || ready.hard_state->vote != announced_.vote;
    announced_ = *ready.hard_state;
  }
  if (!ready.reads.empty()) {
    out << "ReadStates [";
    for (size_t i = 0; i < ready.reads.size(); ++i)
      out << (i ? " " : "") << "{" << ready.reads[i].index.value << " " << ready.reads[i].context
          << "}";
    out << "]\n";
  }
  if (!ready.failed_reads.empty()) {
    out << "FailedReads [";
    for (size_t i = 0; i < ready.failed_reads.size(); ++i)
      out << (i ? " " : "") << ready.failed_reads[i];
    out << "]\n";
  }
  if (!ready.entries.empty()) out << "Entries:\n" << scenario::describe(ready.entries);
  if (ready.snapshot) out << "Snapshot " << scenario::describe(*ready.snapshot) << "\n";
  if (!committed.empty()) out << "CommittedEntries:\n" << scenario::describe(committed);
  if (!messages.empty()) out << "Messages:\n";
  for (const Line& line : messages) out << scenario::describe(line) << "\n";
  if (out.str().empty()) return "<empty Ready>";
  return std::string("Ready MustSync=") + (must_sync ? "true" : "false") + ":\n" + out.str();
}

std::vector<Entry> Node::resolve(CommittedRange range) const {
  std::vector<Entry> entries;
  Index in_memory = raft_->copy_entries(range.lo, range.hi, &entries);
  std::vector<Entry> stored;
  for (Index i = range.lo; i < in_memory; ++i) stored.push_back(at(i));
  entries.insert(entries.begin(), stored.begin(), stored.end());
  return entries;
}

void Node::answer(const Fetch& fetch) {
  if (fetch.lo <= start_.index || fetch.hi > last_index() + 1) {
    raft_->on_fetched(fetch, Status(Code::kOutOfRange, "not in the log"));
    return;
  }
  const auto first = entries_.begin() + static_cast<long>(fetch.lo - start_.index - 1);
  const auto end = entries_.begin() + static_cast<long>(fetch.hi - start_.index - 1);
  raft_->on_fetched(fetch, std::vector<Entry>(first, end));
}

// ---- Storage threads
// -----------------------------------------------------------------------------

Line Node::line_of(const Write& write) const {
  Line line{id(), kAppendThread, "MsgStorageAppend"};
  if (write.hard_state) {
    line.term = write.hard_state->term;
    line.vote = write.hard_state->vote;
    line.commit = write.hard_state->commit;
  }
  line.entries = write.entries;
  line.snapshot = write.snapshot;
  for (const Parcel& response : write.responses)
    line.responses.push_back(scenario::line_of(response));
  return line;
}

Line Node::apply_line(const std::vector<Entry>& entries) const {
  Line line{id(), kApplyThread, "MsgStorageApply"};
  line.entries = entries;
  line.responses.push_back(scenario::line_of(Parcel(ApplyDone{id(), entries})));
  return line;
}

namespace {

std::string describe_work(Line line, const std::vector<Parcel>& responses) {
  line.responses.clear();
  std::string out = "Processing:\n" + describe(line) + "\nResponses:\n";
  for (const Parcel& response : responses) out += describe(line_of(response)) + "\n";
  return out;
}

}  // namespace

std::string Node::process_append(std::vector<Parcel>* network) {
  if (append_work_.empty()) return "no append work to perform";
  Write write = std::move(append_work_.front());
  append_work_.pop_front();
  persist(write);
  const std::string described = describe_work(line_of(write), write.responses);
  network->insert(network->end(), write.responses.begin(), write.responses.end());
  return described;
}

std::string Node::process_apply(std::vector<Parcel>* network) {
  if (apply_work_.empty()) return "no apply work to perform";
  const std::vector<Entry> entries = std::move(apply_work_.front());
  apply_work_.pop_front();
  const std::string described = describe_work(apply_line(entries), {ApplyDone{id(), entries}});
  apply(entries);
  network->push_back(ApplyDone{id(), entries});
  return described;
}

void Node::persist(const Write& write) {
  if (write.hard_state) hard_state_ = *write.hard_state;
  if (write.snapshot) {
    start_ = write.snapshot->last;
    entries_.clear();
    // The content stays what it was; its place is the snapshot's.
    history_.push_back({*write.snapshot, history_.back().content});
    raft_->offer_snapshot(history_.back().meta);
  }
  if (write.entries.empty()) return;
  entries_.resize(write.entries.front().index - start_.index - 1);
  entries_.insert(entries_.end(), write.entries.begin(), write.entries.end());
}

void Node::apply(const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    Snapshot next = history_.back();
    next.meta.last = entry.id();
    if (entry.type == EntryType::kNormal) {
      next.content += entry.payload.view();
    } else {
      const ConfChangeV2 change = ConfChangeV2::decode(entry.payload.view()).value();
      next.content += change.context;
      const auto configuration = raft_->apply_conf_change(change);
      if (configuration.ok()) next.meta.configuration = configuration.value();
    }
    history_.push_back(std::move(next));
    raft_->offer_snapshot(history_.back().meta);
  }
}

Status Node::receive(Parcel parcel) {
  if (auto* message = std::get_if<Message>(&parcel)) return raft_->step(std::move(*message));
  if (const auto* append = std::get_if<AppendDone>(&parcel)) raft_->on_persisted(append->mark);
  if (const auto* apply = std::get_if<ApplyDone>(&parcel))
    raft_->on_applied(apply->entries.back().index);
  return Status();
}

// ---- The log
// -------------------------------------------------------------------------------------

std::string Node::compact(Index index) {
  if (index <= start_.index) return "requested index is unavailable due to compaction";
  if (index > last_index()) return "compaction beyond the log's end";
  const Term term = at(index).term;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<long>(index - start_.index));
  start_ = {term, index};
  if (raft_) raft_->on_compacted(index, term);
  return describe_log();
}

std::string Node::describe_log() const {
  if (!entries_.empty()) return scenario::describe(entries_);
  return text("log is empty: first index=", start_.index + 1, ", last index=", start_.index);
}

// ---- Faults
// --------------------------------------------------------------------------------------

void Node::crash() {
  raft_.reset();
  append_work_.clear();
  apply_work_.clear();
}

void Node::lose_tail(uint64_t count) {
  entries_.resize(entries_.size() - std::min<uint64_t>(count, entries_.size()));
}

void Node::wipe() {
  hard_state_ = HardState();
  start_ = EntryId();
  entries_.clear();
  history_.assign(1, Snapshot());
}

}  // namespace chronik::raft::scenario
