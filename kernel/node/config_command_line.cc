#include <fmt/format.h>

#include <unistd.h>
#include <boost/program_options.hpp>
#include <climits>
#include <cstring>
#include <sstream>

#include "node/config.h"

namespace chronik {
namespace {

namespace po = boost::program_options;

po::options_description own_options() {
  po::options_description options("Options");
  options.add_options()("config", po::value<std::string>()->value_name("FILE"),
                        "the config file; see configs/reference.conf for its keys")(
      "check-config", "check the config, plugins' options included, and touch nothing")(
      "print-config", "print the config in force, each value with where it comes from")(
      "config-reference", "print every key of the kernel and of the plugins")(
      "version", "print the version")("help", "print this text");
  return options;
}

std::string executable_directory() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size <= 0) return ".";
  const std::string whole(path, static_cast<size_t>(size));
  return whole.substr(0, whole.rfind('/'));
}

}  // namespace

std::string command_line_help() {
  std::ostringstream text;
  text << "Usage: chronikd --config FILE [--section.key=value ...]\n\n"
       << own_options()
       << "\nEach key of the config file is also a flag (--node.data_dir=/srv/chronik) and an\n"
          "environment variable (CHRONIK_NODE_DATA_DIR). A flag wins over the environment, which\n"
          "wins over the file.\n";
  return text.str();
}

Result<CommandLine> parse_command_line(int argc, const char* const* argv,
                                       const char* const* environment) {
  namespace style = po::command_line_style;
  CommandLine line;
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  try {
    const po::options_description own = own_options();
    const auto parsed =
        po::command_line_parser(arguments)
            .options(own)
            .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next)
            .allow_unregistered()
            .run();
    using Action = CommandLine::Action;
    static constexpr std::pair<const char*, Action> kActions[] = {
        {"check-config", Action::kCheckConfig},
        {"print-config", Action::kPrintConfig},
        {"config-reference", Action::kReference},
        {"version", Action::kVersion},
        {"help", Action::kHelp}};
    for (const auto& option : parsed.options) {
      if (option.unregistered || option.position_key >= 0) {
        line.sources.arguments.insert(line.sources.arguments.end(), option.original_tokens.begin(),
                                      option.original_tokens.end());
        continue;
      }
      if (option.string_key == "config") {
        if (!line.sources.file.empty())
          return Status(Code::kInvalidArgument, "command line: --config is given twice");
        line.sources.file = option.value.front();
        if (line.sources.file.empty())
          return Status(Code::kInvalidArgument, "command line: expected --config FILE");
        continue;
      }
      for (const auto& [name, action] : kActions) {
        if (option.string_key == name) line.action = action;
      }
    }
  } catch (const po::error& e) {
    return Status(Code::kInvalidArgument, fmt::format("command line: {}", e.what()));
  }
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string entry = *environment;
    const size_t equals = entry.find('=');
    if (equals != std::string::npos && entry.starts_with("CHRONIK_"))
      line.sources.environment.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  line.sources.executable_directory = executable_directory();
  return line;
}

}  // namespace chronik
