// Plays scenario files of every kind: whole clusters, membership changes, quorum mathematics.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "raft_scenarios/scenario_file.h"

namespace chronik::raft::scenario {

// Plays `text` in an environment of its own.
Played play_scenario(std::string_view text);
// The content of the file, or nothing with *ok false.
std::string read_file(const std::string& path, bool* ok);
// What differs, for people.
std::string describe(const std::string& path, const Difference& difference);

}  // namespace chronik::raft::scenario
