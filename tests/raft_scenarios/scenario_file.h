// ScenarioFile: a text of commands with the output that each is expected to have.
//
//   # A comment.
//   command arg key=value key=(a, b)
//   input, maybe over several lines
//   ----
//   expected output, up to the first empty line
//
// Output that contains empty lines stands between two pairs of `----` lines. The format is that of
// etcd-io/raft's published scenarios ("datadriven" files); docs/RAFT.md describes it in full.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace chronik::raft::scenario {

struct Argument {
  std::string key;
  std::vector<std::string> values;  // empty for a bare word
};

struct Command {
  int line = 0;  // where it starts, from 1
  std::string name;
  std::vector<Argument> arguments;
  std::string input;     // trimmed
  std::string expected;  // with a final newline unless empty

  // The values of all arguments called `key`.
  std::vector<std::string> values_of(std::string_view key) const;
  // Bare words.
  std::vector<std::string> words() const;
};

// One command's output that wasn't as expected.
struct Difference {
  int line = 0;
  std::string command;
  std::string expected;
  std::string actual;
};

struct Played {
  std::string text;  // the file with the actual output in place of the expected one
  std::vector<Difference> differences;
  int commands = 0;
};

// Runs `run` on every command of `text` in order.
Played play(std::string_view text, const std::function<std::string(const Command&)>& run);

// Whether two outputs say the same, free-text log lines ("INFO ...") set aside. Output that has
// nothing else in it counts as "ok".
bool equal_but_for_log_lines(const std::string& expected, const std::string& actual);

}  // namespace chronik::raft::scenario
