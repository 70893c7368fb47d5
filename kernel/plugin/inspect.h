// `chronik plugin list` and `chronik plugin inspect FILE`.
//
// Opening a library runs its static constructors, which may crash or print anything; so each file
// is opened in a child process, and the tool reports what became of it.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "chronik/abi/base.h"

namespace chronik {

// What a descriptor says, for people or as JSON (one object). `path` is printed as it is.
std::string describe_plugin(const chronik_plugin& plugin, const std::string& path, bool json);

// Runs `list [--dir DIR]... [--json]` or `inspect FILE [--json]`; `args` begin behind the word
// `plugin`. `default_directories` are listed when no --dir is given. Exit status: 0; 1 if a file
// was refused or crashed; 2 for wrong usage. Pre: the process has no other thread yet (the child is
// a plain fork).
int plugin_command(const std::vector<std::string>& args,
                   const std::vector<std::string>& default_directories, std::ostream& out,
                   std::ostream& err);

}  // namespace chronik
