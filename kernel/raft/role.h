// What a replica remembers in each role, and only in that role.
//
// A role's state is born and dies with the role: whatever a leader knew of its followers, a new
// leader learns anew (thesis figure 3.1, "volatile state on leaders").
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "raft/pending_reads.h"
#include "raft/progress.h"
#include "raft/size_ledger.h"
#include "raft/types.h"

namespace chronik::raft {

// Answers to a candidate; the first one of each replica counts.
class Votes {
 public:
  void record(ReplicaId from, bool granted) {
    if (!of(from)) votes_.push_back({from, granted});
  }
  std::optional<bool> of(ReplicaId id) const {
    for (const auto& [replica, granted] : votes_)
      if (replica == id) return granted;
    return std::nullopt;
  }

 private:
  std::vector<std::pair<ReplicaId, bool>> votes_;
};

// Until when a leader may answer reads by itself. A quorum that answered a heartbeat won't elect
// another leader for an election timeout from when it arrived, which is later than when it was
// sent.
class Lease {
 public:
  void heartbeat_sent(uint64_t round, int64_t now_ns) {
    if (sent_.size() == kRounds) sent_.erase(sent_.begin());
    sent_.push_back({round, now_ns});
  }
  void confirmed(uint64_t round) {
    while (!sent_.empty() && sent_.front().first <= round) {
      start_ns_ = sent_.front().second;
      sent_.erase(sent_.begin());
    }
  }
  bool valid(int64_t now_ns, int64_t duration_ns) const {
    return start_ns_ && now_ns >= *start_ns_ && now_ns - *start_ns_ < duration_ns;
  }
  // Void from now on, also for answers that are still under way.
  void clear() {
    start_ns_.reset();
    sent_.clear();
  }

 private:
  static constexpr size_t kRounds = 16;  // unanswered heartbeats remembered
  std::optional<int64_t> start_ns_;
  std::vector<std::pair<uint64_t, int64_t>> sent_;
};

struct Follower {
  ReplicaId leader;  // kNobody while unknown
};

struct PreCandidate {
  Votes votes;
};

struct Candidate {
  Votes votes;
};

struct Leader {
  explicit Leader(ProgressMap map) : members(std::move(map)) {}

  ProgressMap members;
  uint32_t heartbeat_elapsed = 0;  // ticks
  ReplicaId transferee;            // of the leadership transfer in progress
  // A TimeoutNow left in this term. It may arrive at any time and start an election that ignores
  // leases, so this term has none any more (I14).
  bool timeout_now_sent = false;
  // No conf change may be appended before everything up to here is applied.
  Index pending_conf_change;
  SizeLedger uncommitted;  // payloads accepted and not applied
  PendingReads reads;
  Lease lease;
};

using RoleState = std::variant<Follower, PreCandidate, Candidate, Leader>;

}  // namespace chronik::raft
