#include "run.h"

#include <fmt/format.h>

#include <algorithm>

#include "nearest.h"
#include "plugin.h"
#include "verb.h"

namespace chronik::cli {
namespace {

std::vector<Verb> all_verbs() {
  std::vector<Verb> verbs = topic_verbs();
  verbs.push_back(produce_verb());
  verbs.push_back(consume_verb());
  verbs.push_back(status_verb());
  return verbs;
}

std::string overview(const std::vector<Verb>& verbs) {
  std::string text =
      "chronik [--api HOST:PORT] [--json] VERB ...\n\n"
      "Talks to a Chronik node. `chronik VERB --help` explains a verb and shows examples.\n\n";
  for (const Verb& verb : verbs) text += fmt::format("  {:<16} {}\n", verb.name, verb.summary);
  text += fmt::format("  {:<16} {}\n", "plugin list", "List the plugins in a directory.");
  text += fmt::format("  {:<16} {}\n", "plugin inspect", "Show what a plugin file offers.");
  text +=
      "\nThe node is --api, else $CHRONIK_API, else 127.0.0.1:7001.\n"
      "Exit status: 0 done, 1 failed or refused, 2 wrong usage, 3 no node reached, 4 in doubt.\n\n"
      "To begin with:\n"
      "  chronik topic create news --partitions 4\n"
      "  chronik produce news --file README.md\n"
      "  chronik consume news --until-end\n";
  return text;
}

}  // namespace

int run(const std::vector<std::string>& args, const Io& io) {
  const std::vector<Verb> verbs = all_verbs();
  // Common options may stand before the verb: they are moved behind it.
  std::vector<std::string> before;
  size_t at = 0;
  for (; at < args.size() && args[at].rfind('-', 0) == 0; ++at) {
    if (args[at] == "--help" || args[at] == "-h") {
      io.out(overview(verbs));
      return kOk;
    }
    if (args[at] == "--version") {
      io.out("chronik " CHRONIK_VERSION "\n");
      return kOk;
    }
    if (args[at] != "--json" && args[at].rfind("--api", 0) != 0) {
      io.err(fmt::format("chronik: there is no option {} before the verb{}\n", args[at],
                         did_you_mean(args[at], {"--api", "--json", "--help", "--version"})));
      return kUsage;
    }
    before.push_back(args[at]);
    if (args[at] == "--api" && at + 1 < args.size()) before.push_back(args[++at]);
  }
  if (at == args.size() || args[at] == "help") {
    (at == args.size() ? io.err(overview(verbs)) : io.out(overview(verbs)));
    return at == args.size() ? kUsage : kOk;
  }
  const std::string word = args[at++];
  if (word == "plugin") {
    std::vector<std::string> rest(args.begin() + static_cast<ptrdiff_t>(at), args.end());
    if (std::find(before.begin(), before.end(), "--json") != before.end()) rest.push_back("--json");
    return run_plugin(rest, io);
  }
  std::vector<std::string> words;  // what could have been meant
  for (const Verb& verb : verbs) {
    const size_t space = verb.name.find(' ');
    const std::string first = verb.name.substr(0, space);
    if (words.empty() || words.back() != first) words.push_back(first);
  }
  words.push_back("plugin");
  if (std::find(words.begin(), words.end(), word) == words.end()) {
    io.err(fmt::format("chronik: there is no verb '{}'{}\n       chronik --help lists them\n", word,
                       did_you_mean(word, words)));
    return kUsage;
  }
  std::string name = word;
  std::vector<std::string> seconds;
  for (const Verb& verb : verbs)
    if (verb.name.rfind(word + " ", 0) == 0) seconds.push_back(verb.name.substr(word.size() + 1));
  if (!seconds.empty()) {
    const std::string second = at < args.size() ? args[at] : "";
    if (std::find(seconds.begin(), seconds.end(), second) == seconds.end()) {
      const bool wants_help = second == "--help" || second == "-h";
      std::string text = second.empty() || wants_help
                             ? ""
                             : fmt::format("chronik {}: there is no '{}'{}\n", word, second,
                                           did_you_mean(second, seconds));
      text += fmt::format("usage:\n");
      for (const Verb& verb : verbs)
        if (verb.name.rfind(word + " ", 0) == 0)
          text += fmt::format("  chronik {} {}\n", verb.name, verb.arguments);
      (wants_help ? io.out(text) : io.err(text));
      return wants_help ? kOk : kUsage;
    }
    name += " " + second;
    ++at;
  }
  before.insert(before.begin(), args.begin() + static_cast<ptrdiff_t>(at), args.end());
  const auto verb =
      std::find_if(verbs.begin(), verbs.end(), [&](const Verb& v) { return v.name == name; });
  return run_verb(*verb, before, io);
}

}  // namespace chronik::cli
