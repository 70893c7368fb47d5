// The log storage in plain C, built outside the tree: its contract, step by step and against
// the model of the conformance kit.
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/buffer.h"
#include "check/log_model.h"
#include "chronik/host/log_storage.hpp"
#include "loaded_component.h"

namespace chronik {
namespace {

struct Entry {
  uint64_t index;
  uint64_t term;
  std::string payload;
  uint64_t key = 0;
  int64_t time_ms = 0;
  bool operator==(const Entry&) const = default;
};

// Builds a batch and keeps what it points to.
class Batch {
 public:
  Batch& create(uint64_t group) { return add(CHRONIK_LOG_CREATE, group); }
  Batch& append(uint64_t group, uint64_t index, uint64_t term, const std::vector<Entry>& entries) {
    add(CHRONIK_LOG_APPEND, group, index, term);
    auto& raw = entries_.emplace_back();
    for (const Entry& entry : entries) {
      Buffer buffer = Buffer::copy_of(entry.payload);
      chronik_entry e{};
      e.struct_size = sizeof e;
      e.index = entry.index;
      e.term = entry.term;
      e.key = entry.key;
      e.time_ms = entry.time_ms;
      if (!entry.payload.empty()) {
        e.payload = {buffer.data(), buffer.size()};
        e.owner = buffer.get();
      }
      raw.push_back(e);
      buffers_.push_back(std::move(buffer));
    }
    operations_.back().entries = raw.data();
    operations_.back().entry_count = static_cast<uint32_t>(raw.size());
    operations_.back().entry_stride = sizeof(chronik_entry);
    return *this;
  }
  // One entry, whose payload the caller keeps.
  Batch& append_raw(uint64_t group, uint64_t index, uint64_t term, const chronik_entry& entry) {
    add(CHRONIK_LOG_APPEND, group, index, term);
    operations_.back().entries = entries_.emplace_back(1, entry).data();
    operations_.back().entry_count = 1;
    operations_.back().entry_stride = sizeof entry;
    return *this;
  }
  Batch& truncate(uint64_t group, uint64_t index) {
    return add(CHRONIK_LOG_TRUNCATE_SUFFIX, group, index);
  }
  Batch& hard_state(uint64_t group, uint64_t term, uint64_t vote, uint64_t commit) {
    add(CHRONIK_LOG_HARD_STATE, group, 0, term);
    operations_.back().vote = vote;
    operations_.back().commit = commit;
    return *this;
  }
  Batch& compact(uint64_t group, uint64_t index, uint64_t term, const std::string& meta) {
    return with_meta(CHRONIK_LOG_COMPACT_PREFIX, group, index, term, meta);
  }
  Batch& meta(uint64_t group, const std::string& meta) {
    return with_meta(CHRONIK_LOG_GROUP_META, group, 0, 0, meta);
  }
  Batch& reset(uint64_t group, uint64_t index, uint64_t term, const std::string& meta) {
    return with_meta(CHRONIK_LOG_RESET, group, index, term, meta);
  }
  Batch& remove(uint64_t group) { return add(CHRONIK_LOG_DELETE, group); }

  chronik_log_batch raw() const {
    return {sizeof(chronik_log_batch), static_cast<uint32_t>(operations_.size()),
            sizeof(chronik_log_operation), 0, operations_.data()};
  }

 private:
  Batch& add(uint32_t kind, uint64_t group, uint64_t index = 0, uint64_t term = 0) {
    chronik_log_operation operation{};
    operation.struct_size = sizeof operation;
    operation.kind = kind;
    operation.group = group;
    operation.index = index;
    operation.term = term;
    operations_.push_back(operation);
    return *this;
  }
  Batch& with_meta(uint32_t kind, uint64_t group, uint64_t index, uint64_t term,
                   const std::string& meta) {
    add(kind, group, index, term);
    operations_.back().meta = sdk::slice(metas_.emplace_back(meta));
    return *this;
  }

  std::vector<chronik_log_operation> operations_;
  std::deque<std::vector<chronik_entry>> entries_;
  std::deque<std::string> metas_;
  std::vector<Buffer> buffers_;
};

struct ReadOutcome {
  int32_t status = CHRONIK_OK;
  std::vector<Entry> entries;
  bool operator==(const ReadOutcome&) const = default;
};

struct GroupState {
  uint64_t start_index, start_term, last_index, last_term, term, vote, commit;
  std::string meta;
  bool operator==(const GroupState&) const = default;
};

class Log {
 public:
  explicit Log(const std::map<std::string, std::string>& options = {})
      : loaded_(CHRONIK_KIND_LOG_STORAGE, "ram_log", options) {
    environment_.struct_size = sizeof environment_;
    environment_.context = this;
    environment_.on_complete = [](void* context, const chronik_log_completion* completions,
                                  uint32_t count) noexcept {
      auto* self = static_cast<Log*>(context);
      std::lock_guard lock(self->mutex_);
      for (uint32_t i = 0; i < count; ++i) self->completed_.push_back(completions[i].token);
      self->changed_.notify_all();
    };
    environment_.on_read = [](void* context, chronik_log_read_result* result) noexcept {
      auto* self = static_cast<Log*>(context);
      std::lock_guard lock(self->mutex_);
      self->results_[result->token] = result;
      self->changed_.notify_all();
    };
    environment_.on_space = [](void*, uint32_t) noexcept {};
    REQUIRE(host::LogStorage::create(*loaded_.component, loaded_.host->abi(), environment_,
                                     *loaded_.config->config(), log_)
                .ok());
    REQUIRE(log_->start().ok());
  }
  ~Log() { stop(); }

  void stop() {
    if (log_ == nullptr) return;
    loaded_.host->begin_stop();
    log_->stop_and_wait();
    loaded_.host->drain();
    log_.reset();
  }
  host::LogStorage& storage() { return *log_; }

  // "" or the refusal.
  std::string submit(const Batch& batch) {
    const chronik_log_batch raw = batch.raw();
    const sdk::Status status = log_->submit(raw, next_token_);
    if (!status.ok()) {
      CHECK(status.code() == CHRONIK_E_INVALID_ARGUMENT);
      return status.message();
    }
    submitted_.push_back(next_token_++);
    return "";
  }
  // Waits for all completions; they come in order here, because there is one queue.
  void settle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return completed_.size() == submitted_.size(); });
    CHECK(completed_ == submitted_);
  }
  chronik_log_read_result* read_raw(uint64_t group, uint32_t from_kind, uint64_t from,
                                    uint64_t end_index, uint64_t max_bytes) {
    chronik_log_read request{sizeof request, from_kind, group,       from,
                             end_index,      max_bytes, next_read_++};
    if (log_->read(request).code() == CHRONIK_E_NOT_FOUND) return nullptr;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return results_.contains(request.token); });
    return results_[request.token];
  }
  std::optional<ReadOutcome> read(uint64_t group, uint32_t from_kind, uint64_t from,
                                  uint64_t end_index = UINT64_MAX,
                                  uint64_t max_bytes = UINT64_MAX) {
    chronik_log_read_result* result = read_raw(group, from_kind, from, end_index, max_bytes);
    if (result == nullptr) return std::nullopt;
    ReadOutcome outcome{result->status, entries_of(*result)};
    result->release(result);
    return outcome;
  }
  static std::vector<Entry> entries_of(const chronik_log_read_result& result) {
    std::vector<Entry> entries;
    for (const chronik_entry& e :
         sdk::Array<chronik_entry>(result.entries, result.entry_count, result.entry_stride)) {
      entries.push_back({e.index, e.term, std::string(sdk::view(e.payload)), e.key, e.time_ms});
    }
    return entries;
  }
  std::optional<GroupState> group(uint64_t id, std::vector<chronik_term_run>* runs = nullptr) {
    std::optional<GroupState> state;
    const sdk::Status status = log_->group(id, [&](const chronik_log_group& g) {
      state =
          GroupState{g.start_index, g.start_term, g.last_index,  g.last_term,
                     g.hard_term,   g.hard_vote,  g.hard_commit, std::string(sdk::view(g.meta))};
      if (runs != nullptr) runs->assign(g.term_runs, g.term_runs + g.term_run_count);
    });
    CHECK((status.ok() || status.code() == CHRONIK_E_NOT_FOUND));
    return state;
  }

 private:
  LoadedComponent loaded_;
  chronik_log_storage_environment environment_{};
  std::unique_ptr<host::LogStorage> log_;
  uint64_t next_token_ = 1;
  uint64_t next_read_ = 1;
  std::vector<uint64_t> submitted_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<uint64_t> completed_;                       // guarded by mutex_
  std::map<uint64_t, chronik_log_read_result*> results_;  // guarded by mutex_
};

std::vector<Entry> entries(uint64_t first, uint64_t count, uint64_t term) {
  std::vector<Entry> made;
  for (uint64_t i = first; i < first + count; ++i) {
    made.push_back({i, term, "entry " + std::to_string(i) + "/" + std::to_string(term), i * 10,
                    static_cast<int64_t>(1000 + i)});
  }
  return made;
}

}  // namespace

TEST_CASE("a group is made, written, read back and removed") {
  Log log;
  CHECK(log.storage().is_volatile());
  CHECK_FALSE(log.group(7).has_value());
  CHECK_FALSE(log.read(7, CHRONIK_LOG_FROM_INDEX, 1).has_value());
  const std::vector<Entry> first = entries(1, 3, 1);
  CHECK(log.submit(Batch().create(7).append(7, 0, 0, first).hard_state(7, 1, 5, 2).meta(7, "m")) ==
        "");
  CHECK(log.group(7) == GroupState{0, 0, 3, 1, 1, 5, 2, "m"});
  CHECK(log.read(7, CHRONIK_LOG_FROM_INDEX, 1) == ReadOutcome{CHRONIK_OK, first});
  CHECK(log.read(7, CHRONIK_LOG_FROM_INDEX, 2, 3)->entries == entries(2, 1, 1));
  CHECK(log.read(7, CHRONIK_LOG_FROM_INDEX, 4)->entries.empty());
  CHECK(log.read(7, CHRONIK_LOG_FROM_INDEX, 1, 9, 0)->entries.size() == 1);  // at least one
  CHECK(log.read(7, CHRONIK_LOG_FROM_INDEX, 1, 9, 18)->entries.size() == 2);
  CHECK(log.read(7, CHRONIK_LOG_FROM_INDEX, 0)->status == CHRONIK_E_OUT_OF_RANGE);
  log.settle();
  CHECK(log.submit(Batch().remove(7)) == "");
  CHECK_FALSE(log.group(7).has_value());
  log.settle();
}

TEST_CASE("a batch that doesn't fit is refused as a whole") {
  Log log;
  REQUIRE(log.submit(Batch().create(1).append(1, 0, 0, entries(1, 5, 1))) == "");
  REQUIRE(log.submit(Batch().hard_state(1, 1, 0, 3)) == "");
  const auto before = log.group(1);
  const auto refuses = [&](const Batch& batch, const std::string& why) {
    CHECK(log.submit(batch) == why);
    CHECK(log.group(1) == before);
    CHECK_FALSE(log.group(2).has_value());
  };
  refuses(Batch().create(2).create(1), "group 1 exists already");
  refuses(Batch().create(2).append(3, 0, 0, entries(1, 1, 1)), "there is no group 3");
  refuses(Batch().meta(1, "new").append(1, 6, 1, entries(7, 1, 1)),
          "group 1: entries can't follow (6, 1): the log ends at 5");
  refuses(Batch().append(1, 5, 2, entries(6, 1, 2)),
          "group 1: entries can't follow (5, 2): the log ends at 5");
  refuses(Batch().append(1, 5, 1, entries(7, 1, 1)), "group 1: a gap before entry 7");
  refuses(Batch().hard_state(1, 1, 0, 2), "group 1: the commit can't go back from 3 to 2");
  refuses(Batch().truncate(1, 3), "group 1: can't remove entry 3: compacted or committed");
  refuses(Batch().compact(1, 4, 9, ""), "group 1: can't compact to (4, 9): not in the log");
  refuses(Batch().compact(1, 6, 1, ""), "group 1: can't compact to (6, 1): not in the log");
  log.settle();
}

TEST_CASE("a suffix is replaced in one batch, and term runs follow") {
  Log log;
  REQUIRE(log.submit(Batch().create(1).append(1, 0, 0, entries(1, 3, 1))) == "");
  REQUIRE(log.submit(Batch().append(1, 3, 1, entries(4, 3, 2))) == "");
  REQUIRE(log.submit(Batch().truncate(1, 5).append(1, 4, 2, entries(5, 2, 3))) == "");
  std::vector<chronik_term_run> runs;
  CHECK(log.group(1, &runs) == GroupState{0, 0, 6, 3, 0, 0, 0, ""});
  REQUIRE(runs.size() == 3);
  CHECK((runs[1].first_index == 4 && runs[1].term == 2));
  CHECK((runs[2].first_index == 5 && runs[2].term == 3));
  REQUIRE(log.submit(Batch().compact(1, 4, 2, "at 4")) == "");
  CHECK(log.group(1, &runs) == GroupState{4, 2, 6, 3, 0, 0, 0, "at 4"});
  REQUIRE(runs.size() == 1);
  CHECK((runs[0].first_index == 5 && runs[0].term == 3));
  CHECK(log.read(1, CHRONIK_LOG_FROM_INDEX, 4)->status == CHRONIK_E_OUT_OF_RANGE);
  CHECK(log.read(1, CHRONIK_LOG_FROM_INDEX, 5)->entries == entries(5, 2, 3));
  REQUIRE(log.submit(Batch().append(1, 6, 3, entries(7, 3, 3)).compact(1, 7, 3, "at 7")) == "");
  CHECK(log.group(1, &runs) == GroupState{7, 3, 9, 3, 0, 0, 0, "at 7"});
  REQUIRE(runs.size() == 1);
  CHECK((runs[0].first_index == 8 && runs[0].term == 3));  // the run was cut
  REQUIRE(log.submit(Batch().reset(1, 100, 9, "far").append(1, 100, 9, entries(101, 1, 9))) == "");
  CHECK(log.group(1) == GroupState{100, 9, 101, 9, 0, 0, 0, "far"});
  log.settle();
}

TEST_CASE("reads begin at a key or a time") {
  Log log;
  // keys 0 5 5 9, times 100 300 200 400
  REQUIRE(
      log.submit(Batch().create(1).append(
          1, 0, 0,
          {{1, 1, "a", 0, 100}, {2, 1, "b", 5, 300}, {3, 1, "c", 5, 200}, {4, 1, "d", 9, 400}})) ==
      "");
  const auto first = [&](uint32_t kind, uint64_t from) -> uint64_t {
    const auto outcome = log.read(1, kind, from);
    CHECK(outcome->status == CHRONIK_OK);
    return outcome->entries.empty() ? 0 : outcome->entries[0].index;
  };
  CHECK(first(CHRONIK_LOG_FROM_KEY, 0) == 1);
  CHECK(first(CHRONIK_LOG_FROM_KEY, 4) == 1);
  CHECK(first(CHRONIK_LOG_FROM_KEY, 5) == 2);
  CHECK(first(CHRONIK_LOG_FROM_KEY, 8) == 2);
  CHECK(first(CHRONIK_LOG_FROM_KEY, UINT64_MAX) == 4);
  CHECK(first(CHRONIK_LOG_FROM_TIME, 150) == 2);
  CHECK(first(CHRONIK_LOG_FROM_TIME, 400) == 4);
  CHECK(first(CHRONIK_LOG_FROM_TIME, 401) == 0);
  REQUIRE(log.submit(Batch().compact(1, 2, 1, "")) == "");
  CHECK(log.read(1, CHRONIK_LOG_FROM_KEY, 3)->status == CHRONIK_E_OUT_OF_RANGE);
  CHECK(first(CHRONIK_LOG_FROM_KEY, 5) == 3);
  log.settle();
}

TEST_CASE("a read result stays valid after its entries are gone, and after stop") {
  Log log;
  REQUIRE(log.submit(Batch().create(1).append(1, 0, 0, entries(1, 4, 1))) == "");
  chronik_log_read_result* result = log.read_raw(1, CHRONIK_LOG_FROM_INDEX, 1, 9, UINT64_MAX);
  REQUIRE(result != nullptr);
  REQUIRE(log.submit(Batch().remove(1)) == "");
  CHECK(Log::entries_of(*result) == entries(1, 4, 1));
  log.settle();
  log.stop();
  CHECK(Log::entries_of(*result) == entries(1, 4, 1));
  result->release(result);
}

namespace {

// A buffer of nobody's: counts its references, never frees.
struct CountedBuffer {
  chronik_buffer base{sizeof base, 0, bytes, sizeof bytes, retain, release};
  std::atomic<int> references{1};
  uint8_t bytes[4] = {'d', 'a', 't', 'a'};
  static void retain(chronik_buffer* self) noexcept {
    reinterpret_cast<CountedBuffer*>(self)->references.fetch_add(1);
  }
  static void release(chronik_buffer* self) noexcept {
    reinterpret_cast<CountedBuffer*>(self)->references.fetch_sub(1);
  }
};

}  // namespace

TEST_CASE("a payload's buffer is held as long as the entry is there, and not copied") {
  Log log;
  CountedBuffer buffer;
  const auto append = [&](uint64_t index) {
    chronik_entry entry{};
    entry.struct_size = sizeof entry;
    entry.index = index + 1;
    entry.term = 1;
    entry.payload = {buffer.bytes, sizeof buffer.bytes};
    entry.owner = &buffer.base;
    REQUIRE(log.submit(Batch().append_raw(1, index, index == 0 ? 0 : 1, entry)) == "");
  };
  REQUIRE(log.submit(Batch().create(1)) == "");
  append(0);
  CHECK(buffer.references == 2);
  REQUIRE(log.submit(Batch().truncate(1, 1)) == "");
  CHECK(buffer.references == 1);
  append(0);
  append(1);
  append(2);
  REQUIRE(log.submit(Batch().compact(1, 2, 1, "")) == "");
  CHECK(buffer.references == 2);
  chronik_log_read_result* result = log.read_raw(1, CHRONIK_LOG_FROM_INDEX, 3, 9, UINT64_MAX);
  REQUIRE((result != nullptr && result->entry_count == 1));
  CHECK(result->entries[0].payload.data == buffer.bytes);
  CHECK(buffer.references == 3);
  REQUIRE(log.submit(Batch().reset(1, 3, 1, "").append(1, 3, 1, {})) == "");
  CHECK(buffer.references == 2);
  result->release(result);
  CHECK(buffer.references == 1);
  append(3);
  REQUIRE(log.submit(Batch().remove(1)) == "");
  CHECK(buffer.references == 1);
  REQUIRE(log.submit(Batch().create(1)) == "");
  append(0);
  log.settle();
  log.stop();  // destroy() gives back the rest
  CHECK(buffer.references == 1);
}

TEST_CASE("all groups are visited, until a visit says stop") {
  Log log;
  for (uint64_t group = 1; group <= 3000; group += 7)
    REQUIRE(log.submit(Batch().create(group)) == "");
  size_t seen = 0;
  CHECK(log.storage().scan_groups([&](const chronik_log_group&) { ++seen; }).ok());
  CHECK(seen == 429);
  seen = 0;
  const sdk::Status status = log.storage().scan_groups(
      [&](const chronik_log_group&) { return ++seen == 5 ? CHRONIK_E_CANCELLED : CHRONIK_OK; });
  CHECK(status.code() == CHRONIK_E_CANCELLED);
  CHECK(seen == 5);
  CHECK(log.storage().recovery_report().empty());
  log.settle();
}

TEST_CASE("random batches leave what the contract's model says") {
  const uint64_t seed = GENERATE(1, 2, 3, 4, 5, 6, 7, 8);
  INFO("seed " << seed);
  const LoadedComponent loaded(CHRONIK_KIND_LOG_STORAGE, "ram_log");
  check::SimDisk disk;
  check::ModelTest test(*loaded.plugin, &disk,
                        {.seed = seed, .steps = 1000, .persistent = false, .power_cuts = false});
  CHECK_NOTHROW(test.run());
}

}  // namespace chronik
