// Registry: the plugins of this process, loaded or linked in, and their components by name.
//
//   Registry registry({"/usr/lib/chronik/plugins"});
//   registry.load_allowed_directories();
//   const ComponentEntry* wal = registry.find(CHRONIK_KIND_LOG_STORAGE, "segment_wal");
//   if (wal == nullptr) return registry.unknown(CHRONIK_KIND_LOG_STORAGE, "segment_wal");
//
// Built and read by the control thread at start; afterwards immutable, so that any thread may read.
// Plugins are never unloaded: entries and descriptors stay valid as long as the registry and the
// process.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "chronik/abi/base.h"

namespace chronik {

struct ComponentEntry {
  const chronik_plugin* plugin = nullptr;
  const chronik_component* component = nullptr;
  std::string path;  // of the library, or "built in"
};

struct PluginEntry {
  const chronik_plugin* plugin = nullptr;
  std::string path;  // of the library, or "built in"

  // One line for the log: id, version, ABI, build and file.
  std::string summary() const;
};

// A file that was found and not taken.
struct Refusal {
  std::string path;
  Status status;  // one line that names the file; ALREADY_EXISTS: its component has a namesake
};

class Registry {
 public:
  explicit Registry(std::vector<std::string> allowed_directories = {});

  // Loads one library (see loader.h). Loading the same file again changes nothing. A component
  // whose (kind, name) is taken refuses the whole plugin with ALREADY_EXISTS, naming both files.
  Status load(const std::string& path);

  // Loads every *.so of the directory, sorted by name, going on after refusals, which are kept in
  // refusals(). Fails only if the directory can't be read or isn't allow-listed.
  Status load_directory(const std::string& directory);

  // load_directory() for each allow-listed directory that exists.
  Status load_allowed_directories();

  // Registers a descriptor that is linked in; it must live as long as the registry.
  Status add_static(const chronik_plugin& plugin);

  // Null if there is none. O(components).
  const ComponentEntry* find(uint32_t kind, std::string_view name) const;
  // The NOT_FOUND for a name that find() doesn't know: with the nearest name, what there is, and
  // the refusal of a file of that name if there was one.
  Status unknown(uint32_t kind, std::string_view name) const;
  // Names of the components of a kind, sorted.
  std::vector<std::string> names(uint32_t kind) const;

  // In order of registration.
  const std::deque<ComponentEntry>& components() const { return components_; }
  const std::deque<PluginEntry>& plugins() const { return plugins_; }
  const std::vector<Refusal>& refusals() const { return refusals_; }

 private:
  Status add(const chronik_plugin& plugin, const std::string& path);

  std::vector<std::string> allowed_directories_;
  std::deque<ComponentEntry> components_;  // deques: entries keep their addresses
  std::deque<PluginEntry> plugins_;
  std::vector<Refusal> refusals_;
};

}  // namespace chronik
