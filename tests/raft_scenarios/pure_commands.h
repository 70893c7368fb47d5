// The commands of etcd-io/raft's `quorum` and `confchange` files, which try pure functions:
// committed, vote; simple, enter-joint, leave-joint.
#pragma once

#include <string>

#include "raft/membership.h"
#include "raft/progress.h"
#include "raft_scenarios/scenario_file.h"

namespace chronik::raft::scenario {

// No state: every command brings its own configuration.
std::string run_quorum_command(const Command& command);
bool is_quorum_command(const std::string& name);

// One configuration, changed step by step.
class ConfChangeBoard {
 public:
  ConfChangeBoard();
  std::string run(const Command& command);
  static bool knows(const std::string& name);

 private:
  std::string change(const Command& command);

  Configuration configuration_;
  ProgressMap progress_;
  Index last_index_;  // counts commands, so that `next` tells when a member came
};

}  // namespace chronik::raft::scenario
