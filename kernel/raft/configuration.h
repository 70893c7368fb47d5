// Configuration: who belongs to a group, and ConfChangeV2: how that may change.
//
// A configuration is joint while `voters_outgoing` is not empty: then every decision needs a
// majority of `voters` and one of `voters_outgoing` (thesis 4.3). Learners receive the log and are
// counted nowhere. A voter that becomes a learner while the outgoing half still needs it waits in
// `learners_next` until the joint configuration is left.
//
// A configuration takes effect when its entry is applied, on each replica by itself; see
// docs/RAFT.md, "Membership".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/ids.h"
#include "base/status.h"

namespace chronik::raft {

// All four lists are sorted and free of duplicates.
struct Configuration {
  std::vector<ReplicaId> voters;
  std::vector<ReplicaId> voters_outgoing;
  std::vector<ReplicaId> learners;
  std::vector<ReplicaId> learners_next;
  bool auto_leave = false;  // the leader leaves the joint configuration by itself

  bool operator==(const Configuration&) const = default;

  bool joint() const { return !voters_outgoing.empty(); }
  bool is_voter(ReplicaId id) const;    // in either half
  bool is_learner(ReplicaId id) const;  // and not a voter
  bool contains(ReplicaId id) const;    // voter of either half, or learner
  // Sorts the lists and drops duplicates, for configurations written by hand.
  void normalize();

  // A small versioned byte string; equal configurations give equal bytes.
  std::string encode() const;
  static Result<Configuration> decode(std::string_view bytes);
};

enum class ConfChangeType : uint32_t {
  kAddVoter = 0,
  kRemove = 1,
  kUpdate = 2,  // changes nothing in the core; carries a context to the driver
  kAddLearner = 3,
};

struct ConfChangeStep {
  ConfChangeType type = ConfChangeType::kAddVoter;
  ReplicaId replica;
  bool operator==(const ConfChangeStep&) const = default;
};

enum class ConfChangeTransition : uint32_t {
  kAuto = 0,           // one step: simple change; several: joint, left automatically
  kJointImplicit = 1,  // joint, left automatically
  kJointExplicit = 2,  // joint, left by an empty ConfChangeV2
};

struct ConfChangeV2 {
  ConfChangeTransition transition = ConfChangeTransition::kAuto;
  std::vector<ConfChangeStep> steps;
  std::string context;  // the driver's; the core carries it only

  bool operator==(const ConfChangeV2&) const = default;

  // Asks to leave a joint configuration.
  bool leave_joint() const { return steps.empty() && transition == ConfChangeTransition::kAuto; }
  bool enter_joint() const { return transition != ConfChangeTransition::kAuto || steps.size() > 1; }
  bool auto_leave() const { return transition != ConfChangeTransition::kJointExplicit; }

  // An entry's payload. The empty change encodes to no bytes.
  std::string encode() const;
  static Result<ConfChangeV2> decode(std::string_view bytes);
};

}  // namespace chronik::raft
