// Node: one replica in a scenario: a core, a storage in memory, and the queues of its storage
// threads.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "raft/raft.h"
#include "raft_scenarios/describe.h"

namespace chronik::raft::scenario {

// The append thread is done with a write, the apply thread with a range.
struct AppendDone {
  ReplicaId replica;
  PersistMark mark;
  std::optional<SnapshotMeta> snapshot;
};
struct ApplyDone {
  ReplicaId replica;
  std::vector<Entry> entries;
};
// Whatever can be under way to a node.
using Parcel = std::variant<Message, AppendDone, ApplyDone>;
Line line_of(const Parcel& parcel);

// The state machine's content is the concatenation of everything applied, and each entry leaves a
// snapshot behind.
struct Snapshot {
  SnapshotMeta meta;
  std::string content;
};

class Node {
 public:
  Node(Options options, Snapshot initial);

  ReplicaId id() const { return options_.id; }
  bool down() const { return raft_ == nullptr; }
  Raft* raft() { return raft_.get(); }
  const Options& options() const { return options_; }
  bool has_append_work() const { return !append_work_.empty(); }
  bool has_apply_work() const { return !apply_work_.empty(); }
  const Snapshot& last_snapshot() const { return history_.back(); }

  // Each appends what leaves the node to `network`, and returns what there is to print.
  std::string process_ready(std::vector<Parcel>* network);
  std::string process_append(std::vector<Parcel>* network);
  std::string process_apply(std::vector<Parcel>* network);
  // Hands over what arrived; returns what the core objects.
  Status receive(Parcel parcel);

  std::string compact(Index index);
  std::string describe_log() const;

  // ---- Faults ----------------------------------------------------------------------------------
  // Loses what isn't durable.
  void crash();
  void restart();
  // The storage forgets its last entries.
  void lose_tail(uint64_t count);
  // The storage forgets everything.
  void wipe();

 private:
  // One write in the append thread's queue.
  struct Write {
    std::optional<HardState> hard_state;
    std::vector<Entry> entries;
    std::optional<SnapshotMeta> snapshot;
    std::vector<Parcel> responses;
  };

  struct LongestTimeout : Random {
    uint64_t below(uint64_t bound) override { return bound - 1; }
  };

  std::string describe(const Ready& ready, const std::vector<Entry>& committed,
                       const std::vector<Line>& messages);
  Line line_of(const Write& write) const;
  Line apply_line(const std::vector<Entry>& entries) const;
  void persist(const Write& write);
  void apply(const std::vector<Entry>& entries);
  std::vector<Entry> resolve(CommittedRange range) const;
  void answer(const Fetch& fetch);
  Index last_index() const { return start_.index + entries_.size(); }
  const Entry& at(Index index) const { return entries_[index - start_.index - 1]; }

  Options options_;
  LongestTimeout random_;
  std::unique_ptr<Raft> raft_;
  HardState announced_;  // as of the last Ready, to see what changed

  // Durable.
  HardState hard_state_;
  EntryId start_;
  std::vector<Entry> entries_;
  std::vector<Snapshot> history_;

  std::deque<Write> append_work_;
  std::deque<std::vector<Entry>> apply_work_;
};

}  // namespace chronik::raft::scenario
