// ProposalQueue: the one-shot responders of a leader's proposals, in log order.
//
// Each proposal that the core took is kept under its (term, index) until its entry is applied or
// the leadership is lost. acks=leader is answered when the entry is durable here, acks=all when it
// was applied; acks=none was answered on admission and stays only for its bytes. A request that
// duplicates one still in flight follows that one's index.
//
// Never answers by index alone: an entry of another term at that index means that the proposal was
// replaced, and its request is told so (docs/ARCHITECTURE.md, "Outcomes").
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/ids.h"
#include "chronik/abi/frontend.h"
#include "raft/types.h"

namespace chronik {

class ProposalQueue {
 public:
  // Pre: id.index is above all pushed before. `request` is null if it was answered already.
  void push(raft::EntryId id, uint64_t bytes, uint64_t key, chronik_propose_request* request);
  // `request` is answered when the entry at `index` is. False if no proposal in the queue has it.
  bool follow(Index index, chronik_propose_request* request);

  // Entries up to `index` are durable here: answers acks=leader.
  void on_durable(Index index);
  // The entry was applied with `result`. Returns the bytes its proposal had been admitted with.
  uint64_t on_applied(raft::EntryId id, const chronik_result& result);
  // Leadership is lost or the replica goes: what isn't answered yet is in doubt. Returns all bytes.
  uint64_t abandon(const char* why);

  bool empty() const { return pending_.empty(); }

 private:
  struct Pending {
    raft::EntryId id;
    uint64_t bytes;
    uint64_t key;
    chronik_propose_request* request;
  };
  struct Follower {
    Index index;
    chronik_propose_request* request;
  };
  void answer_followers(Index index, const chronik_outcome& outcome);

  std::deque<Pending> pending_;      // Invariant: indexes increase
  size_t durable_count_ = 0;         // Invariant: pending_[0 .. durable_count_) are durable
  std::vector<Follower> followers_;  // few: only retries of batches still in flight
};

}  // namespace chronik
