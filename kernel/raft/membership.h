// Membership changes as pure functions: a configuration and a change give the next configuration.
//
// Two kinds exist. A simple change alters at most one voter, so that the majorities before and
// after it overlap (thesis 4.1). Anything bigger goes through a joint configuration, in which both
// the old and the new majority have to agree (thesis 4.3), and out of it again.
#pragma once

#include <vector>

#include "base/status.h"
#include "raft/configuration.h"

namespace chronik::raft::membership {

// All errors are kInvalidArgument. A step that names replica 0 does nothing, and neither does
// removing somebody who isn't there or adding somebody who already is.
Result<Configuration> simple_change(const Configuration& now,
                                    const std::vector<ConfChangeStep>& steps);
Result<Configuration> enter_joint(const Configuration& now,
                                  const std::vector<ConfChangeStep>& steps, bool auto_leave);
Result<Configuration> leave_joint(const Configuration& now);

// Whichever of the three `change` asks for.
Result<Configuration> apply(const Configuration& now, const ConfChangeV2& change);

// OK if the lists of `configuration` don't contradict each other (invariant I10 in docs/RAFT.md).
Status check(const Configuration& configuration);

}  // namespace chronik::raft::membership
