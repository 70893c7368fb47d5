// raft_scenario FILE...: plays scenario files against the Raft core and prints each with the actual
// output in place of the expected one.
//
//   raft_scenario story.txt > story.new
//   raft_scenario --check *.txt     only says where files differ, free-text log lines set aside
//   raft_scenario --rewrite *.txt   puts the actual output into the files themselves
//
// Exit status: 0 if all files played as they expect, 1 if one didn't, 2 if one couldn't be read.
#include <cstring>
#include <fstream>
#include <iostream>

#include "raft_scenarios/scenario.h"

int main(int argc, char** argv) {
  using namespace chronik::raft::scenario;
  bool check = false, rewrite = false;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--check") == 0) {
      check = true;
    } else if (std::strcmp(argv[i], "--rewrite") == 0) {
      rewrite = true;
    } else {
      paths.emplace_back(argv[i]);
    }
  }
  if (paths.empty()) {
    std::cerr << "usage: raft_scenario [--check | --rewrite] FILE...\n";
    return 2;
  }
  int status = 0;
  for (const std::string& path : paths) {
    bool ok = false;
    const std::string text = read_file(path, &ok);
    if (!ok) {
      std::cerr << "raft_scenario: can't read " << path << "\n";
      return 2;
    }
    const Played played = play_scenario(text);
    if (!played.differences.empty()) status = 1;
    for (const Difference& difference : played.differences)
      std::cerr << describe(path, difference) << "\n";
    if (rewrite) {
      std::ofstream(path, std::ios::binary) << played.text;
    } else if (!check) {
      std::cout << played.text;
    }
  }
  return status;
}
