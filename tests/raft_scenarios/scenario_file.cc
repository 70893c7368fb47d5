#include "raft_scenarios/scenario_file.h"

#include <algorithm>
#include <array>

namespace chronik::raft::scenario {
namespace {

constexpr std::string_view kSeparator = "----";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// "a, b c, (d,e)" -> {"a", "b c", "(d,e)"}
std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> values(1);
  int depth = 0;
  bool after_comma = false;
  for (char c : list) {
    if (c == ',' && depth == 0) {
      values.emplace_back();
      after_comma = true;
      continue;
    }
    if (c == ' ' && after_comma) continue;
    after_comma = false;
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    values.back().push_back(c);
  }
  return values;
}

// Where the argument that starts at `text` ends: at a space outside of parentheses.
size_t argument_end(std::string_view text) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (text[i] == ' ' && depth <= 0) return i;
  }
  return text.size();
}

Argument parse_argument(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {std::string(text), {}};
  Argument argument{std::string(text.substr(0, equals)), {}};
  const std::string_view value = text.substr(equals + 1);
  if (value.size() >= 2 && value.front() == '(' && value.back() == ')') {
    argument.values = split_list(value.substr(1, value.size() - 2));
  } else {
    argument.values.emplace_back(value);
  }
  return argument;
}

void parse_directive(std::string_view line, Command* command) {
  std::vector<std::string_view> parts;
  for (line = trim(line); !line.empty(); line = trim(line)) {
    const size_t end = argument_end(line);
    parts.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  command->name = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) command->arguments.push_back(parse_argument(parts[i]));
}

// Walks over the lines of a file and copies to `out` what isn't output.
class Player {
 public:
  Player(std::string_view text, const std::function<std::string(const Command&)>& run)
      : lines_(split_lines(text)), run_(run) {}

  Played play() {
    while (at_ < lines_.size()) {
      const std::string_view line = trim(lines_[at_]);
      if (line.empty() || line.front() == '#') {
        copy_line();
      } else {
        play_command();
      }
    }
    return std::move(played_);
  }

 private:
  void copy_line() { played_.text += lines_[at_++] + "\n"; }

  void play_command() {
    Command command;
    command.line = static_cast<int>(at_) + 1;
    std::string directive;
    while (at_ < lines_.size()) {
      std::string_view part = trim(lines_[at_]);
      copy_line();
      const bool continues = !part.empty() && part.back() == '\\';
      if (continues) part = trim(part.substr(0, part.size() - 1));
      directive += std::string(directive.empty() ? "" : " ") + std::string(part);
      if (!continues) break;
    }
    parse_directive(directive, &command);
    if (command.name == "subtest") return;

    std::string input;
    while (at_ < lines_.size() && lines_[at_] != kSeparator) {
      input += lines_[at_] + "\n";
      copy_line();
    }
    command.input = trim(input);
    if (at_ < lines_.size()) ++at_;  // the separator is written with the output
    command.expected = read_expected();
    run(command);
  }

  std::string read_expected() {
    std::string expected;
    if (at_ < lines_.size() && lines_[at_] == kSeparator) {
      for (++at_; at_ < lines_.size(); ++at_) {
        if (lines_[at_] == kSeparator && at_ + 1 < lines_.size() && lines_[at_ + 1] == kSeparator) {
          at_ += 2;
          break;
        }
        expected += lines_[at_] + "\n";
      }
      return expected;
    }
    for (; at_ < lines_.size() && !trim(lines_[at_]).empty(); ++at_) expected += lines_[at_] + "\n";
    return expected;
  }

  void run(const Command& command) {
    std::string actual = run_(command);
    if (!actual.empty() && actual.back() != '\n') actual += '\n';
    ++played_.commands;
    if (!equal_but_for_log_lines(command.expected, actual))
      played_.differences.push_back({command.line, command.name, command.expected, actual});
    const bool has_empty_line =
        actual.find("\n\n") != std::string::npos || actual.starts_with("\n");
    const std::string separator = std::string(kSeparator) + "\n";
    if (has_empty_line) {
      played_.text += separator + separator + actual + separator + separator;
    } else {
      played_.text += separator + actual;
    }
  }

  const std::vector<std::string> lines_;
  const std::function<std::string(const Command&)>& run_;
  size_t at_ = 0;
  Played played_;
};

bool is_log_line(std::string_view line) {
  static constexpr std::array<std::string_view, 5> kLevels = {"DEBUG ", "INFO ", "WARN ", "ERROR ",
                                                              "FATAL "};
  line = trim(line);
  return std::any_of(kLevels.begin(), kLevels.end(),
                     [&](std::string_view level) { return line.starts_with(level); });
}

std::string without_log_lines(const std::string& output) {
  std::string kept;
  for (const std::string& line : split_lines(output))
    if (!is_log_line(line)) kept += line + "\n";
  return kept.empty() ? "ok\n" : kept;
}

}  // namespace

std::vector<std::string> Command::values_of(std::string_view key) const {
  std::vector<std::string> found;
  for (const Argument& argument : arguments)
    if (argument.key == key)
      found.insert(found.end(), argument.values.begin(), argument.values.end());
  return found;
}

std::vector<std::string> Command::words() const {
  std::vector<std::string> found;
  for (const Argument& argument : arguments)
    if (argument.values.empty()) found.push_back(argument.key);
  return found;
}

Played play(std::string_view text, const std::function<std::string(const Command&)>& run) {
  return Player(text, run).play();
}

bool equal_but_for_log_lines(const std::string& expected, const std::string& actual) {
  return without_log_lines(expected) == without_log_lines(actual);
}

}  // namespace chronik::raft::scenario
