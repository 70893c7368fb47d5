// MemoryReplica: one core with a driver that keeps everything in memory, for tests.
//
// It does what ready.h asks for, in order, and splits durable from volatile: `stored` survives a
// crash(), what was handed out for writing and not persisted doesn't.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "raft/membership.h"
#include "raft/raft.h"

namespace chronik::raft::test {

// Election timeouts that a test knows: always the shortest.
class NoRandom : public Random {
 public:
  uint64_t below(uint64_t) override { return 0; }
};

// A small, good generator (splitmix64), seeded.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) override { return next() % bound; }

 private:
  uint64_t state_;
};

inline std::vector<ReplicaId> ids(std::initializer_list<uint64_t> values) {
  std::vector<ReplicaId> out;
  for (uint64_t value : values) out.push_back(ReplicaId(value));
  return out;
}

inline Configuration voters(std::initializer_list<uint64_t> values) {
  Configuration configuration;
  configuration.voters = ids(values);
  return configuration;
}

// What a log storage keeps of one replica.
struct Stored {
  HardState hard_state;
  EntryId start;  // of the compacted part, with the configuration as of `applied`
  uint64_t start_key = 0;
  std::vector<Entry> entries;
  Index applied;
  Configuration configuration;
  std::vector<std::string> commands;  // payloads applied, in order

  Index last_index() const { return start.index + entries.size(); }
  const Entry& at(Index index) const { return entries[index - start.index - 1]; }

  void append(const std::vector<Entry>& more) {
    if (more.empty()) return;
    const uint64_t keep = more.front().index - start.index - 1;
    entries.resize(keep);
    entries.insert(entries.end(), more.begin(), more.end());
  }
  void compact(Index index) {
    const Entry last = at(index);
    entries.erase(entries.begin(), entries.begin() + static_cast<long>(index - start.index));
    start = last.id();
    start_key = last.key;
  }
  InitialState initial_state() const {
    InitialState s;
    s.hard_state = hard_state;
    s.configuration = configuration;
    s.start_index = start.index;
    s.start_term = start.term;
    s.last_index = last_index();
    s.last_key = start_key;
    for (const Entry& entry : entries) {
      if (s.terms.empty() || s.terms.back().term != entry.term)
        s.terms.push_back({entry.index, entry.term});
      s.last_key = entry.key;
      s.last_time_ms = entry.time_ms;
    }
    s.applied = applied;
    // The commit index is only a hint and may be older than what was applied.
    s.hard_state.commit = std::max(s.hard_state.commit, applied);
    return s;
  }
};

// A state machine's content, as a snapshot carries it.
inline std::string join(const std::vector<std::string>& commands) {
  std::string out;
  for (const std::string& command : commands) out += command + "\n";
  return out;
}
inline std::vector<std::string> split(std::string_view content) {
  std::vector<std::string> commands;
  for (size_t end; (end = content.find('\n')) != std::string_view::npos;) {
    commands.emplace_back(content.substr(0, end));
    content.remove_prefix(end + 1);
  }
  return commands;
}

class MemoryReplica {
 public:
  MemoryReplica(Options options, Stored initial, Random& random)
      : stored(std::move(initial)), options_(options), random_(random) {
    start();
  }

  Raft& raft() { return *raft_; }
  Raft* operator->() { return raft_.get(); }
  const Options& options() const { return options_; }
  Options& options() { return options_; }

  // Takes one Ready and queues its write; what may leave at once goes to `sent`.
  void take() {
    Ready ready = raft_->take_ready();
    for (Message& message : ready.messages) sent.push_back(std::move(message));
    for (const ReadState& read : ready.reads) reads.push_back(read);
    for (uint64_t context : ready.failed_reads) failed_reads.push_back(context);
    for (const Fetch& fetch : ready.fetches) answer(fetch);
    for (const SnapshotRequest& request : ready.snapshot_requests)
      snapshot_requests.push_back(request.peer);
    if (!ready.snapshot_requests.empty() && stored.applied > Index()) offer_snapshot();
    ready.messages.clear();
    writes.push_back(std::move(ready));
  }
  // Makes the oldest queued write durable, then does what had to wait for it.
  void persist() {
    Ready ready = std::move(writes.front());
    writes.pop_front();
    if (ready.snapshot) install(*ready.snapshot, ready.snapshot_data.view());
    stored.append(ready.entries);
    if (ready.hard_state) stored.hard_state = *ready.hard_state;
    const CommittedRange committed = ready.committed;
    if (ready.needs_persist()) {
      if (!hold_marks) raft_->on_persisted(ready.mark);
      marks.push_back(ready.mark);
    }
    for (Message& message : ready.messages_after_persist) {
      if (message.to == options_.id) {
        (void)raft_->step(std::move(message)).ok();
      } else {
        sent.push_back(std::move(message));
      }
    }
    if (!committed.empty()) apply(committed);
  }
  // Everything, until nothing is left to do here.
  void settle() {
    while (raft_->has_ready() || !writes.empty()) {
      if (raft_->has_ready()) take();
      if (!writes.empty()) persist();
    }
  }
  // Loses everything that isn't durable, and starts again.
  void crash() {
    writes.clear();
    marks.clear();
    sent.clear();
    start();
  }
  void compact(Index index) {
    const Term term = stored.at(index).term;
    stored.compact(index);
    raft_->on_compacted(index, term);
    offer_snapshot();
  }
  void offer_snapshot() {
    SnapshotMeta meta{{*raft_->term_of(stored.applied), stored.applied}, stored.configuration};
    meta.key = stored.start_key;
    if (stored.applied > stored.start.index) meta.key = stored.at(stored.applied).key;
    raft_->offer_snapshot(std::move(meta), Payload::copy_of(join(stored.commands)));
  }

  Stored stored;
  std::deque<Ready> writes;
  std::vector<Message> sent;
  std::vector<PersistMark> marks;
  std::vector<ReadState> reads;
  std::vector<uint64_t> failed_reads;
  std::vector<ReplicaId> snapshot_requests;
  bool hold_marks = false;  // the test calls on_persisted itself

 private:
  void start() {
    raft_ = std::make_unique<Raft>(options_, stored.initial_state(), random_);
    if (stored.applied > Index()) offer_snapshot();
  }

  void install(const SnapshotMeta& snapshot, std::string_view content) {
    stored.entries.clear();
    stored.commands = split(content);
    stored.start = snapshot.last;
    stored.start_key = snapshot.key;
    stored.applied = snapshot.last.index;
    stored.configuration = snapshot.configuration;
  }
  void apply(CommittedRange range) {
    for (Index i = range.lo; i < range.hi; ++i) {
      const Entry entry = stored.at(i);
      if (entry.type == EntryType::kNormal) {
        if (entry.payload.size > 0) stored.commands.emplace_back(entry.payload.view());
      } else {
        auto next = raft_->apply_conf_change(ConfChangeV2::decode(entry.payload.view()).value());
        if (next.ok()) stored.configuration = *next;
      }
      stored.applied = i;
    }
    raft_->on_applied(range.hi - 1);
  }
  void answer(const Fetch& fetch) {
    if (fetch.lo <= stored.start.index) {
      raft_->on_fetched(fetch, Status(Code::kOutOfRange, "compacted"));
      return;
    }
    std::vector<Entry> entries;
    uint64_t bytes = 0;
    for (Index i = fetch.lo; i < fetch.hi; ++i) {
      bytes += entry_bytes(stored.at(i));
      if (bytes > fetch.max_bytes && !entries.empty()) break;
      entries.push_back(stored.at(i));
    }
    raft_->on_fetched(fetch, std::move(entries));
  }

  Options options_;
  Random& random_;
  std::unique_ptr<Raft> raft_;
};

inline Proposal proposal(std::string_view payload, uint64_t key = 0) {
  return {key, 0, Payload::copy_of(payload)};
}

}  // namespace chronik::raft::test
