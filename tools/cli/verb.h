// Verb: one thing that `chronik` can do, with its options and help. One file per noun defines them.
#pragma once

#include <boost/program_options.hpp>
#include <functional>
#include <string>
#include <vector>

#include "io.h"

namespace chronik::cli {

namespace po = boost::program_options;

// What a verb gets to work with.
struct Invocation {
  const Io& io;
  const po::variables_map& values;
  std::string api;  // host:port
  bool json = false;

  bool has(const char* name) const { return values.count(name) > 0; }
  template <typename T>
  const T& get(const char* name) const {
    return values[name].as<T>();
  }
  // Prints "chronik: MESSAGE" and returns `exit`.
  int fail(int exit, const std::string& message) const;
};

struct Verb {
  std::string name;                     // "topic create"
  std::string arguments;                // "NAME [--partitions N] ..."
  std::string summary;                  // one line
  std::string details;                  // paragraphs
  std::string examples;                 // one command per line
  std::vector<std::string> positional;  // names of the arguments without a flag, all required
  std::function<void(po::options_description&)> options;
  std::function<int(const Invocation&)> run;
};

// The verbs of each file.
std::vector<Verb> topic_verbs();
Verb produce_verb();
Verb consume_verb();
Verb status_verb();

// Parses `args` (all behind the verb's name), and runs the verb, or prints its help, or what is
// wrong with the arguments. Returns the exit status.
int run_verb(const Verb& verb, const std::vector<std::string>& args, const Io& io);

// "--api" and "--json", which every verb takes.
po::options_description common_options();

}  // namespace chronik::cli
