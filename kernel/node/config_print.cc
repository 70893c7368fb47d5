#include <fmt/format.h>

#include <algorithm>

#include "metadata/metadata_machine.h"
#include "node/config.h"
#include "plugin/loader.h"
#include "plugin/options.h"

namespace chronik {
namespace {

constexpr size_t kCommentColumn = 48;
constexpr size_t kReferenceColumns = 96;

// `text` in lines that begin with "# ".
std::string comment(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    size_t cut = text.size();
    if (cut > kReferenceColumns) {
      cut = text.rfind(' ', kReferenceColumns);
      if (cut == std::string_view::npos) cut = std::min(text.find(' '), text.size());
    }
    lines += fmt::format("# {}\n", text.substr(0, cut));
    text.remove_prefix(std::min(cut + 1, text.size()));
  }
  return lines;
}

// "duration, at least 10ms, at most 1h", "one of refuse, accept", ...
std::string domain(const chronik_option& option) {
  std::string text;
  if (option.type == CHRONIK_OPTION_ENUM && option.enum_values != nullptr) {
    text = "one of ";
    for (const char* c = option.enum_values; *c != '\0'; ++c) *c == '|' ? text += ", " : text += *c;
  } else {
    text = option_type_name(option.type);
  }
  if (option.min_value != nullptr) text += fmt::format(", at least {}", option.min_value);
  if (option.max_value != nullptr) text += fmt::format(", at most {}", option.max_value);
  return text;
}

std::string reference_of(const chronik_option& option, std::string_view name, bool repeatable) {
  std::string text = comment(option.doc != nullptr ? option.doc : "");
  std::string facts = domain(option);
  if ((option.flags & CHRONIK_OPTION_REQUIRED) != 0) facts += "; required";
  if (repeatable) facts += "; may be repeated";
  text += comment(fmt::format("({})", facts));
  const std::string value = option.default_value != nullptr ? option.default_value : "";
  text += fmt::format("# {} ={}{}\n\n", name, value.empty() ? "" : " ", value);
  return text;
}

// The kernel's own machine is nobody's to configure.
std::vector<const ComponentEntry*> sorted_components(const Registry& registry, uint32_t kind) {
  std::vector<const ComponentEntry*> entries;
  for (const std::string& name : registry.names(kind)) {
    if (kind == CHRONIK_KIND_STATE_MACHINE && name == MetadataMachine::kComponent) continue;
    entries.push_back(registry.find(kind, name));
  }
  return entries;
}

}  // namespace

std::string print_config(const NodeConfig& config) {
  std::string text;
  for (const EffectiveSection& section : config.effective) {
    if (section.values.empty()) continue;
    if (!text.empty()) text += '\n';
    text += fmt::format("[{}]\n", section.name);
    for (const EffectiveValue& value : section.values) {
      const std::string line = value.secret ? fmt::format("# {}: not shown", value.key)
                                            : fmt::format("{} = {}", value.key, value.text);
      text += fmt::format("{:<{}}# {}\n", line + "  ", kCommentColumn, value.origin.where);
    }
  }
  return text;
}

std::string config_reference(const Registry& registry) {
  std::string text =
      "# Every key of a node's config file, of the kernel and of the plugins that come with it,\n"
      "# with its default. Written by `chronikd --config-reference`; a test compares the two, so\n"
      "# change the declarations and not this file.\n"
      "#\n"
      "# Each key is also a flag (--raft.election_timeout=1s) and an environment variable\n"
      "# (CHRONIK_RAFT_ELECTION_TIMEOUT). A flag wins over the environment, the environment over\n"
      "# the file, the file over the default. Sizes and times carry units: 64MiB, 100ms.\n";
  std::string section;
  for (const KernelKey& key : kernel_keys()) {
    const uint32_t kind = kind_from_name(key.section);
    if (section != key.section) {
      section = key.section;
      if (!text.ends_with("\n\n")) text += '\n';
      text += kind == 0 ? fmt::format("[{}]\n", section) : fmt::format("[{}.NAME]\n", section);
    }
    text += reference_of(key.option, key.option.name, key.repeatable);
    // Behind the last of a kind's own keys come those of its plugins.
    const bool is_last = &key == &kernel_keys().back() || section != (&key + 1)->section;
    if (kind == 0 || !is_last) continue;
    for (const ComponentEntry* entry : sorted_components(registry, kind)) {
      const chronik_component& component = *entry->component;
      text += fmt::format("# ---- plugin = {}\n", component.name);
      text += comment(component.doc != nullptr ? component.doc : "");
      text += '\n';
      for (const chronik_option& option : options_of(component))
        text += reference_of(option, fmt::format("{}.{}", component.name, option.name), false);
    }
  }
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace chronik
