#include "raft_scenarios/scenario.h"

#include <fstream>
#include <sstream>

#include "raft_scenarios/cluster.h"
#include "raft_scenarios/pure_commands.h"

namespace chronik::raft::scenario {

Played play_scenario(std::string_view text) {
  Cluster cluster;
  ConfChangeBoard board;
  return play(text, [&](const Command& command) {
    if (is_quorum_command(command.name)) return run_quorum_command(command);
    if (ConfChangeBoard::knows(command.name)) return board.run(command);
    return cluster.run(command);
  });
}

std::string read_file(const std::string& path, bool* ok) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  *ok = file.good() || (file.is_open() && !content.str().empty());
  return content.str();
}

std::string describe(const std::string& path, const Difference& difference) {
  return path + ":" + std::to_string(difference.line) + ": " + difference.command +
         "\n--- expected\n" + difference.expected + "--- actual\n" + difference.actual;
}

}  // namespace chronik::raft::scenario
