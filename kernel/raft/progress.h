// Progress: what a leader knows about one member's log, and how it therefore sends to it.
//
//   kProbe      next is a guess. One append at a time, until one of them is answered.
//   kReplicate  the log matches up to next - 1 or will. Appends are pipelined within the window.
//   kSnapshot   the entries it needs are compacted away. Nothing is sent until the snapshot
//   arrived.
//
//   kProbe -> kReplicate      an append was accepted           become_replicate
//   kReplicate -> kProbe      one was refused or got lost      become_probe
//   any -> kSnapshot          next is compacted away           become_snapshot
//   kSnapshot -> kReplicate   match reached the leader's log   become_probe, become_replicate
//   kSnapshot -> kProbe       the snapshot failed              abort_snapshot
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "raft/configuration.h"
#include "raft/options.h"
#include "raft/size_ledger.h"

namespace chronik::raft {

enum class ProgressState : uint8_t { kProbe, kReplicate, kSnapshot };

struct InflightLimits {
  uint32_t messages = 0;
  uint64_t bytes = kNoLimit;
};

class Progress {
 public:
  Progress(ReplicaId replica, Index next, bool is_learner, InflightLimits limits)
      : learner(is_learner), replica_(replica), next_(next), limits_(limits) {}

  ReplicaId replica() const { return replica_; }
  ProgressState state() const { return state_; }
  Index match() const { return match_; }
  Index next() const { return next_; }
  Index pending_snapshot() const { return pending_snapshot_; }
  const SizeLedger& inflight() const { return inflight_; }
  bool inflight_full() const {
    return inflight_.count() >= limits_.messages || inflight_.bytes() >= limits_.bytes;
  }
  // Nothing may be sent now.
  bool paused() const { return state_ == ProgressState::kSnapshot || throttled_ || fetching; }

  void become_probe();
  void become_replicate();
  void become_snapshot(Index index);
  // The snapshot didn't get there: what comes after it can't be appended yet.
  void abort_snapshot();

  // It acknowledged everything up to `index`. Returns whether that is news.
  bool maybe_update(Index index);
  // It refused an append after `rejected` and suggests to try after `hint`. Returns whether that is
  // news and not a late or repeated message.
  bool maybe_decrease(Index rejected, Index hint);
  // Acknowledged messages leave the window.
  void free_inflight(Index index) { inflight_.release_to(index); }

  // An append with entries next .. next+count-1 was sent; or without any.
  void sent_entries(uint64_t count, uint64_t bytes);
  void sent_commit(Index commit) { sent_commit_ = commit; }
  // Whether sending it `commit` now could move its commit index.
  bool can_bump_commit(Index commit) const {
    return commit > sent_commit_ && sent_commit_ < next_ - 1;
  }

  // After a sign that the member is alive, or an append that has to be tried again later.
  void resume() { throttled_ = false; }
  void throttle() { throttled_ = true; }

  bool learner;
  bool active = false;    // heard from since the last quorum check
  bool fetching = false;  // waits for entries from the driver

 private:
  void reset(ProgressState state);

  ReplicaId replica_;
  ProgressState state_ = ProgressState::kProbe;
  bool throttled_ = false;
  // Invariant: match_ < next_; in kSnapshot, next_ == pending_snapshot_ + 1. (I11)
  Index match_;
  Index next_;
  Index pending_snapshot_;
  Index sent_commit_;  // the highest commit index sent that it can use
  InflightLimits limits_;
  SizeLedger inflight_;
};

// The leader's view of the whole group, sorted by replica.
class ProgressMap {
 public:
  // Everybody in `configuration`, with `next` as the first guess.
  ProgressMap(const Configuration& configuration, Index next, InflightLimits limits);

  // Null if it isn't a member. Invalidated by follow().
  Progress* find(ReplicaId id);
  const Progress* find(ReplicaId id) const;
  std::vector<Progress>::iterator begin() { return members_.begin(); }
  std::vector<Progress>::iterator end() { return members_.end(); }
  std::vector<Progress>::const_iterator begin() const { return members_.begin(); }
  std::vector<Progress>::const_iterator end() const { return members_.end(); }

  // Adopts a changed configuration: keeps what is known of members that stay, begins newcomers at
  // `next`, active, so that a quorum check doesn't fail before they had a chance to answer.
  void follow(const Configuration& configuration, Index next);

 private:
  std::vector<Progress> members_;
  InflightLimits limits_;
};

}  // namespace chronik::raft
