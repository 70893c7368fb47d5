#include "plugin/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "plugin/loader.h"
#include "plugin/options.h"

namespace chronik {
namespace fs = std::filesystem;

std::string PluginEntry::summary() const {
  return fmt::format("{} {} (ABI {}.{}, built with {}), {}", plugin->id, plugin->version,
                     plugin->abi_major, plugin->abi_minor, plugin->build, path);
}

Registry::Registry(std::vector<std::string> allowed_directories)
    : allowed_directories_(std::move(allowed_directories)) {}

Status Registry::load(const std::string& path) {
  CHRONIK_ASSIGN_OR_RETURN(const LoadedPlugin loaded, load_plugin(path, allowed_directories_));
  return add(*loaded.plugin, loaded.path);
}

Status Registry::load_directory(const std::string& directory) {
  std::error_code error;
  const fs::path real = fs::canonical(directory, error);
  if (error) {
    return Status(Code::kNotFound,
                  fmt::format("plugin directory {}: {}", directory, error.message()));
  }
  const bool is_allowed = std::any_of(allowed_directories_.begin(), allowed_directories_.end(),
                                      [&](const std::string& allowed) {
                                        std::error_code ignored;
                                        return fs::canonical(allowed, ignored) == real && !ignored;
                                      });
  if (!is_allowed) {
    return Status(Code::kPermissionDenied,
                  fmt::format("plugin directory {}: expected one of plugins.dir ({}); add it there",
                              real.string(), fmt::join(allowed_directories_, ", ")));
  }
  std::vector<std::string> files;
  for (fs::directory_iterator at(real, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".so") files.push_back(at->path().string());
  }
  if (error) {
    return Status(Code::kPermissionDenied,
                  fmt::format("plugin directory {}: {}", real.string(), error.message()));
  }
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) {
    if (Status status = load(file); !status.ok()) refusals_.push_back({file, std::move(status)});
  }
  return {};
}

Status Registry::load_allowed_directories() {
  for (const std::string& directory : allowed_directories_) {
    std::error_code error;
    if (!fs::exists(directory, error)) continue;
    CHRONIK_TRY(load_directory(directory));
  }
  return {};
}

Status Registry::add_static(const chronik_plugin& plugin) {
  CHRONIK_TRY(check_descriptor(plugin).annotate("built-in plugin"));
  return add(plugin, "built in");
}

Status Registry::add(const chronik_plugin& plugin, const std::string& path) {
  for (const PluginEntry& known : plugins_) {
    if (known.plugin == &plugin) return {};
  }
  for (const chronik_component& component : components_of(plugin)) {
    if (const ComponentEntry* taken = find(component.kind, component.name)) {
      return Status(
          Code::kAlreadyExists,
          fmt::format("plugin {}: its {} '{}' has the name of one in {}; remove one of the two",
                      path, kind_name(component.kind), component.name, taken->path));
    }
  }
  plugins_.push_back({&plugin, path});
  for (const chronik_component& component : components_of(plugin)) {
    components_.push_back({&plugin, &component, path});
  }
  return {};
}

const ComponentEntry* Registry::find(uint32_t kind, std::string_view name) const {
  for (const ComponentEntry& entry : components_) {
    if (entry.component->kind == kind && entry.component->name == name) return &entry;
  }
  return nullptr;
}

std::vector<std::string> Registry::names(uint32_t kind) const {
  std::vector<std::string> names;
  for (const ComponentEntry& entry : components_) {
    if (entry.component->kind == kind) names.emplace_back(entry.component->name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status Registry::unknown(uint32_t kind, std::string_view name) const {
  std::string message = fmt::format("no {} plugin named '{}'", kind_name(kind), name);
  const std::vector<std::string> known = names(kind);
  for (const Refusal& refusal : refusals_) {
    if (fs::path(refusal.path).stem() == name) {
      return Status(Code::kNotFound,
                    fmt::format("{}: it was refused: {}", message, refusal.status.message()));
    }
  }
  const std::string hint = did_you_mean(name, known);
  if (!hint.empty()) {
    message += hint;
  } else if (!known.empty()) {
    message += fmt::format("; there is {}", fmt::join(known, ", "));
  } else {
    message += fmt::format("; there is none in {}",
                           allowed_directories_.empty()
                               ? std::string("this program")
                               : fmt::format("{}", fmt::join(allowed_directories_, ", ")));
  }
  return Status(Code::kNotFound, std::move(message));
}

}  // namespace chronik
