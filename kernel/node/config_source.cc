#include "node/config_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>

#include "base/check.h"

namespace chronik {
namespace {

namespace po = boost::program_options;

constexpr char kBlanks[] = " \t\r";
// A config is a page; whoever names a log or a data file by mistake should hear so at once.
constexpr size_t kFileBytesMax = 1 << 20;

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::optional<std::string> read_whole(const std::string& path, std::vector<ConfigError>& errors) {
  const Origin origin{Origin::Source::kFile, 0, path};
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::string text;
  if (stream) {
    text.resize(kFileBytesMax + 1);
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(stream.gcount()));
  }
  if (!stream.is_open() || stream.bad() || (stream.fail() && !stream.eof())) {
    const int error = errno != 0 ? errno : EIO;
    errors.push_back(
        config_error(origin, "", fmt::format("can't read the config file: {}", strerror(error))));
    return std::nullopt;
  }
  if (text.size() > kFileBytesMax || text.find('\0') != std::string::npos) {
    errors.push_back(config_error(origin, "", "expected a config file, found something else"));
    return std::nullopt;
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  return text;
}

// What Program_options will see on each line. It reports no line numbers by itself.
struct LineIndex {
  std::vector<SectionHeader> headers;
  std::vector<std::pair<std::string, int>> keys;  // full key, line
};

LineIndex index_lines(const std::string& path, const std::string& text,
                      std::vector<ConfigError>& errors) {
  LineIndex index;
  std::map<std::string, int> seen;
  std::istringstream stream(text);
  std::string line;
  std::string prefix;
  for (int number = 1; std::getline(stream, line); ++number) {
    const Origin origin{Origin::Source::kFile, number, fmt::format("{}:{}", path, number)};
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    if (line.front() == '[' && line.back() == ']') {
      const std::string name = line.substr(1, line.size() - 2);
      if (name.empty() || name.front() == '.' || name.back() == '.' || trimmed(name) != name) {
        errors.push_back(
            config_error(origin, "", fmt::format("expected [section], found '{}'", line)));
        continue;
      }
      const auto [first, is_new] = seen.emplace(name, number);
      if (!is_new) {
        errors.push_back(config_error(
            origin, "", fmt::format("[{}] was opened before, in line {}", name, first->second)));
      }
      index.headers.push_back({name, origin});
      prefix = name + ".";
      continue;
    }
    const size_t equals = line.find('=');
    if (equals == std::string::npos || equals == 0) {
      errors.push_back(config_error(
          origin, "", fmt::format("expected 'key = value' or '[section]', found '{}'", line)));
      continue;
    }
    index.keys.emplace_back(prefix + trimmed(line.substr(0, equals)), number);
  }
  return index;
}

}  // namespace

bool is_instance_kind(std::string_view kind) {
  return kind == "log_storage" || kind == "frontend" || kind == "state_machine" ||
         kind == "transport" || kind == "snapshot_store";
}

std::pair<std::string, std::string> split_key(std::string_view full_key) {
  size_t dot = full_key.find('.');
  if (dot != std::string_view::npos && is_instance_kind(full_key.substr(0, dot)))
    dot = full_key.find('.', dot + 1);
  if (dot == std::string_view::npos) return {std::string(full_key), {}};
  return {std::string(full_key.substr(0, dot)), std::string(full_key.substr(dot + 1))};
}

ConfigFile read_config_file(const std::string& path, std::vector<ConfigError>& errors) {
  ConfigFile file;
  const std::optional<std::string> text = read_whole(path, errors);
  if (!text) return file;
  const size_t errors_before = errors.size();
  LineIndex index = index_lines(path, *text, errors);
  file.headers = std::move(index.headers);
  if (errors.size() != errors_before) return file;

  try {
    std::istringstream stream(*text);
    const po::options_description none;
    const auto parsed = po::parse_config_file(stream, none, /*allow_unregistered=*/true);
    CHRONIK_CHECK(parsed.options.size() == index.keys.size(),
                  "the line index and Program_options read the file differently");
    for (size_t i = 0; i < parsed.options.size(); ++i) {
      const auto& [key, number] = index.keys[i];
      CHRONIK_CHECK(parsed.options[i].string_key == key,
                    "the line index and Program_options read a line differently");
      Assignment assignment;
      std::tie(assignment.section, assignment.key) = split_key(key);
      assignment.text = parsed.options[i].value.empty() ? "" : parsed.options[i].value.front();
      assignment.origin = {Origin::Source::kFile, number, fmt::format("{}:{}", path, number)};
      file.assignments.push_back(std::move(assignment));
    }
  } catch (const po::error& e) {
    errors.push_back(config_error({Origin::Source::kFile, 0, path}, "", e.what()));
  }
  return file;
}

std::vector<Assignment> read_flags(const std::vector<std::string>& arguments,
                                   std::vector<ConfigError>& errors) {
  namespace style = po::command_line_style;
  std::vector<Assignment> flags;
  // Program_options leaves the value of `--key value` behind as a positional argument when it
  // doesn't know the key.
  std::optional<std::string> pending;
  const auto take = [&](const std::string& name, const std::string& text) {
    Assignment assignment;
    std::tie(assignment.section, assignment.key) = split_key(name);
    assignment.text = text;
    assignment.origin = {Origin::Source::kFlag, 0, "--" + name};
    flags.push_back(std::move(assignment));
  };
  const auto drop_pending = [&] {
    if (!pending) return;
    const Origin origin{Origin::Source::kFlag, 0, "--" + *pending};
    errors.push_back(config_error(origin, *pending,
                                  fmt::format("expected --{}=VALUE, found no value", *pending)));
    pending.reset();
  };
  try {
    const po::options_description none;
    const auto parsed = po::command_line_parser(arguments)
                            .options(none)
                            .style(style::allow_long | style::long_allow_adjacent)
                            .allow_unregistered()
                            .run();
    for (const auto& option : parsed.options) {
      if (option.position_key < 0) {
        drop_pending();
        if (!option.value.empty()) {
          take(option.string_key, option.value.front());
        } else if (option.original_tokens.front().find('=') != std::string::npos) {
          take(option.string_key, "");
        } else {
          pending = option.string_key;
        }
      } else if (pending) {
        take(*std::exchange(pending, std::nullopt), option.value.front());
      } else {
        errors.push_back(config_error(
            {Origin::Source::kFlag, 0, "command line"}, "",
            fmt::format("expected --section.key=value, found '{}'", option.value.front())));
      }
    }
  } catch (const po::error& e) {
    errors.push_back(config_error({Origin::Source::kFlag, 0, "command line"}, "", e.what()));
  }
  drop_pending();
  return flags;
}

ConfigError config_error(const Origin& origin, std::string_view key, std::string_view message) {
  // A flag is its own key.
  if (key.empty() || origin.where == "--" + std::string(key))
    return {origin, fmt::format("{}: {}", origin.where, message)};
  return {origin, fmt::format("{}: {}: {}", origin.where, key, message)};
}

Status to_status(std::vector<ConfigError> errors) {
  std::stable_sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.origin.source, a.origin.line) < std::pair(b.origin.source, b.origin.line);
  });
  std::string lines;
  for (const ConfigError& error : errors) {
    if (!lines.empty()) lines += '\n';
    lines += error.line;
  }
  return Status(Code::kInvalidArgument, std::move(lines));
}

}  // namespace chronik
