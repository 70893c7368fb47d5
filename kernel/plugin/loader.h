// Opens plugin libraries and checks them before anything of theirs is called.
//
// Checks, in this order, each with its own one-line refusal that says what was expected, what was
// found and what to do:
//   1. the real path lies directly in an allow-listed directory;
//   2. the file and every directory above it belong to root or to the effective user and can't be
//      written by others (a sticky directory of root's, such as /tmp, passes);
//   3. it is a regular file, an ELF library, and its symbol table has the descriptor's symbol: read
//      from the file, before any code of the plugin runs;
//   4. it can be loaded with all its symbols resolved (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
//   5. the descriptor: sizes, ABI major, required host minor, sanitizer, components, their
//   mandatory
//      functions, names, and option tables.
// A library that was loaded once is never unloaded, even if it is refused afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "chronik/abi/base.h"
#include "chronik/sdk/base.hpp"

namespace chronik {

struct LoadedPlugin {
  const chronik_plugin* plugin = nullptr;  // lives as long as the process
  std::string path;                        // real, absolute
};

// Errors: NOT_FOUND (no such file), PERMISSION_DENIED (checks 1 and 2), INVALID_ARGUMENT (not a
// plugin), FAILED_PRECONDITION (a plugin for another host). Thread: one call at a time.
Result<LoadedPlugin> load_plugin(const std::string& path,
                                 const std::vector<std::string>& allowed_directories);

// Check 5 alone, for descriptors that are linked in. Messages don't name the plugin's file.
Status check_descriptor(const chronik_plugin& plugin);

inline sdk::Array<chronik_component> components_of(const chronik_plugin& plugin) {
  return {plugin.components, plugin.component_count, plugin.component_stride};
}

// "log_storage" for CHRONIK_KIND_LOG_STORAGE; "kind 42" for an unknown one.
std::string kind_name(uint32_t kind);
// The reverse; 0 for an unknown word.
uint32_t kind_from_name(std::string_view name);

}  // namespace chronik
