#include "verb.h"

#include <fmt/format.h>

#include <cstdlib>
#include <sstream>

#include "nearest.h"

namespace chronik::cli {
namespace {

constexpr unsigned kHelpColumns = 100;

std::string default_api() {
  const char* set = std::getenv("CHRONIK_API");
  return set != nullptr && *set != '\0' ? set : "127.0.0.1:7001";
}

std::vector<std::string> flag_names(const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) names.push_back("--" + option->long_name());
  return names;
}

std::string help(const Verb& verb, const po::options_description& own) {
  std::ostringstream text;
  text << "chronik " << verb.name << " " << verb.arguments << "\n\n" << verb.summary << "\n";
  if (!verb.details.empty()) text << "\n" << verb.details << "\n";
  if (!own.options().empty()) text << "\nOptions:\n" << own;
  text << "\nCommon options:\n" << common_options();
  if (!verb.examples.empty()) text << "\nExamples:\n" << verb.examples << "\n";
  return text.str();
}

// `--api :7001` and `--api host` are filled up.
std::string complete_address(std::string api) {
  if (api.rfind(':', 0) == 0) api = "127.0.0.1" + api;
  if (api.find(':') == std::string::npos) api += ":7001";
  return api;
}

}  // namespace

int Invocation::fail(int exit, const std::string& message) const {
  io.err("chronik: " + message + "\n");
  return exit;
}

po::options_description common_options() {
  po::options_description common(kHelpColumns);
  common.add_options()("api", po::value<std::string>()->value_name("HOST:PORT"),
                       "node to talk to; else $CHRONIK_API, else 127.0.0.1:7001")(
      "json", po::bool_switch(), "print JSON")("help,h", po::bool_switch(), "print this");
  return common;
}

int run_verb(const Verb& verb, const std::vector<std::string>& args, const Io& io) {
  po::options_description own(kHelpColumns);
  if (verb.options) verb.options(own);
  po::options_description positional;
  po::positional_options_description places;
  for (const std::string& name : verb.positional) {
    positional.add_options()(name.c_str(), po::value<std::string>());
    places.add(name.c_str(), 1);
  }
  po::options_description flags;
  flags.add(own).add(common_options());
  po::options_description all;
  all.add(flags).add(positional);

  const auto usage = [&](const std::string& what) {
    io.err(fmt::format("chronik {}: {}\nusage: chronik {} {}\n       chronik {} --help explains\n",
                       verb.name, what, verb.name, verb.arguments, verb.name));
    return kUsage;
  };
  po::variables_map values;
  try {
    const auto style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(args).options(all).positional(places).style(style).run(),
              values);
    po::notify(values);
  } catch (const po::unknown_option& e) {
    std::string name = e.get_option_name();
    return usage("there is no option " + name + did_you_mean(name, flag_names(flags)));
  } catch (const po::too_many_positional_options_error&) {
    return usage("too many arguments");
  } catch (const po::error& e) {
    return usage(e.what());
  }
  if (values["help"].as<bool>()) {
    io.out(help(verb, own));
    return kOk;
  }
  for (const std::string& name : verb.positional)
    if (values.count(name) == 0) return usage(name + " is missing");
  const std::string api = values.count("api") > 0 ? values["api"].as<std::string>() : default_api();
  return verb.run({io, values, complete_address(api), values["json"].as<bool>()});
}

}  // namespace chronik::cli
