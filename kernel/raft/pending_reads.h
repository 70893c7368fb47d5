// PendingReads: reads that wait until a quorum has confirmed that their leader still is one
// (thesis 6.4).
//
// Every read joins a numbered round of heartbeats; an answer to round r confirms all rounds up to
// r. Reads that come before the leader has committed an entry of its term wait outside of any
// round: only then is its commit index known to be current.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace chronik::raft {

struct PendingRead {
  ReplicaId origin;      // who asked, maybe the leader itself
  uint64_t context = 0;  // unique for its origin
  Index index;           // the leader's commit index when the read arrived
  uint64_t round = 0;
};

class PendingReads {
 public:
  bool empty() const { return early_.empty() && waiting_.empty(); }

  // Before the term's first commit.
  void postpone(PendingRead read) { early_.push_back(read); }
  std::vector<PendingRead> take_postponed() { return std::exchange(early_, {}); }

  // Starts a round; the caller sends its heartbeats.
  uint64_t start_round() { return ++round_; }
  uint64_t round() const { return round_; }
  void add(PendingRead read) {
    read.round = round_;
    waiting_.push_back(read);
  }
  // The round that waiting reads need confirmed; 0: none.
  uint64_t last_wanted() const { return waiting_.empty() ? 0 : waiting_.back().round; }

  void acknowledge(ReplicaId from, uint64_t round) {
    const auto at = std::find_if(acks_.begin(), acks_.end(),
                                 [&](const Ack& ack) { return ack.replica == from; });
    if (at == acks_.end()) {
      acks_.push_back({from, round});
    } else {
      at->round = std::max(at->round, round);
    }
  }
  // The highest round that `replica` has confirmed.
  uint64_t acknowledged(ReplicaId replica) const {
    for (const Ack& ack : acks_)
      if (ack.replica == replica) return ack.round;
    return 0;
  }
  // Moves out the reads of all rounds up to `round`, oldest first.
  std::vector<PendingRead> take_confirmed(uint64_t round) {
    const auto end = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const PendingRead& read) { return read.round > round; });
    std::vector<PendingRead> confirmed(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
    return confirmed;
  }
  // Everything that still waits, when the leadership ends.
  std::vector<PendingRead> take_all() {
    std::vector<PendingRead> all = take_postponed();
    all.insert(all.end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
    return all;
  }

 private:
  struct Ack {
    ReplicaId replica;
    uint64_t round;
  };
  std::vector<PendingRead> early_;
  std::vector<PendingRead> waiting_;  // by round
  std::vector<Ack> acks_;
  uint64_t round_ = 0;
};

}  // namespace chronik::raft
