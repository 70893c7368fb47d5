#include "node/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>

#include "chronik/abi/log_storage.h"
#include "node/config_source.h"
#include "plugin/loader.h"
#include "plugin/options.h"

namespace chronik {
namespace {

using Source = Origin::Source;

constexpr uint32_t kInstanceKinds[] = {CHRONIK_KIND_LOG_STORAGE, CHRONIK_KIND_FRONTEND,
                                       CHRONIK_KIND_STATE_MACHINE};
constexpr size_t kInstanceNameMax = 64;

bool is_name(std::string_view name) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= kInstanceNameMax && is_lower(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_lower(c) || (c >= '0' && c <= '9') || c == '_'; });
}

// The section that the kernel's own key `full_key` would be in; instance kinds aren't sections.
std::vector<std::string> kernel_sections() {
  std::vector<std::string> names;
  for (const KernelKey& key : kernel_keys()) {
    if (!is_instance_kind(key.section) && (names.empty() || names.back() != key.section))
      names.push_back(key.section);
  }
  return names;
}

std::vector<std::string> keys_of_section(std::string_view section) {
  std::vector<std::string> names;
  for (const KernelKey& key : kernel_keys()) {
    if (key.section == section) names.push_back(key.option.name);
  }
  return names;
}

const KernelKey* find_kernel_key(std::string_view section, std::string_view name) {
  for (const KernelKey& key : kernel_keys()) {
    if (key.section == section && key.option.name == name) return &key;
  }
  return nullptr;
}

std::pair<std::string, std::string> split_instance(std::string_view section) {
  const size_t dot = section.find('.');
  if (dot == std::string_view::npos) return {std::string(section), {}};
  return {std::string(section.substr(0, dot)), std::string(section.substr(dot + 1))};
}

std::string environment_name(std::string_view full_key) {
  std::string name = "CHRONIK_";
  for (const char c : full_key)
    name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

// ---- Gathering: what all sources say, in rising precedence

struct InstanceSection {
  std::string kind;  // "log_storage"
  std::string name;  // "main"
  Origin origin;     // of the first mention
  std::string section() const { return kind + "." + name; }
};

struct Gathered {
  std::vector<Assignment> assignments;     // file, environment, flags
  std::vector<InstanceSection> instances;  // in the order of their first mention
  bool is_file_broken = false;             // not even its form is right
};

class Gatherer {
 public:
  // `registry`: null if the plugins aren't known yet; then plugins' keys aren't gathered from the
  // environment, and unknown sections and variables are left for the second round to report.
  Gatherer(const ConfigSources& sources, const Registry* registry, std::vector<ConfigError>& errors)
      : sources_(sources), registry_(registry), errors_(errors) {}

  Gathered run() {
    ConfigFile file;
    if (!sources_.file.empty()) file = read_config_file(sources_.file, errors_);
    result_.is_file_broken = !errors_.empty();
    for (const SectionHeader& header : file.headers) check_section(header.name, header.origin);
    for (Assignment& assignment : file.assignments) take(std::move(assignment));
    std::vector<Assignment> flags = read_flags(sources_.arguments, errors_);
    // Flags before the environment, whose names can only be understood with all instances known;
    // then in order of precedence.
    std::vector<Assignment> good_flags;
    for (Assignment& flag : flags) {
      if (accept(flag)) good_flags.push_back(std::move(flag));
    }
    read_environment();
    for (Assignment& flag : good_flags) result_.assignments.push_back(std::move(flag));
    return std::move(result_);
  }

 private:
  void take(Assignment assignment) {
    if (accept(assignment)) result_.assignments.push_back(std::move(assignment));
  }

  bool accept(const Assignment& assignment) {
    if (assignment.key.empty()) {
      errors_.push_back(config_error(
          assignment.origin, "",
          fmt::format("expected section.key = value, found '{}'", assignment.section)));
      return false;
    }
    if (!check_section(assignment.section, assignment.origin)) return false;
    if (assignment.text.find('\n') != std::string::npos) {
      errors_.push_back(config_error(assignment.origin, assignment.full_key(),
                                     "expected one line, found a line break"));
      return false;
    }
    return true;
  }

  // Reports an impossible section once, remembers a new instance. True: keys may follow.
  bool check_section(const std::string& section, const Origin& origin) {
    if (bad_sections_.contains(section)) return false;
    const std::vector<std::string> known = kernel_sections();
    if (std::find(known.begin(), known.end(), section) != known.end()) return true;
    const auto [kind, name] = split_instance(section);
    std::string problem;
    if (kind == "transport" || kind == "snapshot_store") {
      problem = fmt::format("[{}]: {}s aren't available in this version: remove the section",
                            section, kind == "transport" ? "transport" : "snapshot store");
    } else if (is_instance_kind(kind)) {
      if (is_name(name)) {
        remember_instance(kind, name, origin);
        return true;
      }
      problem = fmt::format(
          "[{}]: expected [{}.NAME], with a name of small letters, digits and underscores", section,
          kind);
    } else {
      std::vector<std::string> candidates = known;
      for (const uint32_t k : kInstanceKinds) candidates.push_back(kind_name(k));
      problem = fmt::format("[{}]: unknown section{}", section, did_you_mean(kind, candidates));
    }
    bad_sections_.insert(section);
    if (registry_ != nullptr) errors_.push_back(config_error(origin, "", problem));
    return false;
  }

  void remember_instance(const std::string& kind, const std::string& name, const Origin& origin) {
    const auto same = [&](const InstanceSection& i) { return i.kind == kind && i.name == name; };
    auto& instances = result_.instances;
    if (std::none_of(instances.begin(), instances.end(), same))
      instances.push_back({kind, name, origin});
  }

  void read_environment() {
    // An instance may exist in the environment only; its plugin makes it known.
    for (const auto& [variable, text] : sources_.environment) {
      for (const uint32_t kind : kInstanceKinds) {
        const std::string prefix = environment_name(kind_name(kind) + ".");
        constexpr std::string_view kSuffix = "_PLUGIN";
        if (!variable.starts_with(prefix) || !variable.ends_with(kSuffix)) continue;
        if (variable.size() <= prefix.size() + kSuffix.size()) continue;
        std::string name =
            variable.substr(prefix.size(), variable.size() - prefix.size() - kSuffix.size());
        for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if (is_name(name))
          remember_instance(kind_name(kind), name, {Source::kEnvironment, 0, variable});
      }
    }
    const std::vector<std::string> known = environment_keys();
    for (const auto& [variable, text] : sources_.environment) {
      const Origin origin{Source::kEnvironment, 0, variable};
      std::vector<std::string> meanings;
      for (const std::string& key : known) {
        if (environment_name(key) == variable) meanings.push_back(key);
      }
      if (meanings.size() > 1) {
        errors_.push_back(config_error(
            origin, "",
            fmt::format("could mean {}: say it with a flag or in the file", joined(meanings))));
      } else if (meanings.size() == 1) {
        Assignment assignment;
        std::tie(assignment.section, assignment.key) = split_key(meanings.front());
        assignment.text = text;
        assignment.origin = origin;
        take(std::move(assignment));
      } else if (registry_ != nullptr && looks_like_ours(variable)) {
        std::vector<std::string> names;
        for (const std::string& key : known) names.push_back(environment_name(key));
        errors_.push_back(config_error(
            origin, "", fmt::format("unknown variable{}", did_you_mean(variable, names))));
      }
    }
  }

  // Every key that a variable could mean, given the instances there are.
  std::vector<std::string> environment_keys() const {
    std::set<std::string> keys;
    for (const KernelKey& key : kernel_keys()) {
      if (!is_instance_kind(key.section))
        keys.insert(fmt::format("{}.{}", key.section, key.option.name));
    }
    for (const InstanceSection& instance : result_.instances) {
      for (const std::string& key : keys_of_section(instance.kind))
        keys.insert(instance.section() + "." + key);
      if (registry_ == nullptr) continue;
      for (const ComponentEntry& entry : registry_->components()) {
        if (entry.component->kind != kind_from_name(instance.kind)) continue;
        for (const chronik_option& option : options_of(*entry.component)) {
          keys.insert(fmt::format("{}.{}", instance.section(), option.name));
          keys.insert(
              fmt::format("{}.{}.{}", instance.section(), entry.component->name, option.name));
        }
      }
    }
    return {keys.begin(), keys.end()};
  }

  // Variables outside of our sections (CHRONIK_API, CHRONIK_HOME) are somebody else's.
  static bool looks_like_ours(const std::string& variable) {
    std::vector<std::string> sections = kernel_sections();
    for (const uint32_t kind : kInstanceKinds) sections.push_back(kind_name(kind));
    return std::any_of(sections.begin(), sections.end(), [&](const std::string& section) {
      return variable.starts_with(environment_name(section + "."));
    });
  }

  const ConfigSources& sources_;
  const Registry* registry_;
  std::vector<ConfigError>& errors_;
  Gathered result_;
  std::set<std::string> bad_sections_;
};

// What is in force for one key: the texts of the highest source that names it.
std::vector<const Assignment*> in_force(const std::vector<const Assignment*>& candidates) {
  std::vector<const Assignment*> chosen;
  for (const Assignment* candidate : candidates) {
    if (!chosen.empty() && chosen.front()->origin.source != candidate->origin.source)
      chosen.clear();
    chosen.push_back(candidate);
  }
  return chosen;
}

std::string default_plugin_directory(const ConfigSources& sources) {
  namespace fs = std::filesystem;
  return (fs::path(sources.executable_directory) / "../lib/chronik/plugins")
      .lexically_normal()
      .string();
}

// ---- Checking

class Checker {
 public:
  Checker(const ConfigSources& sources, const Registry& registry)
      : sources_(sources), registry_(registry) {}

  Result<NodeConfig> run() {
    gathered_ = Gatherer(sources_, &registry_, errors_).run();
    // What such a file lacks says nothing.
    if (gathered_.is_file_broken) return to_status(std::move(errors_));
    check_kernel_keys();
    fill_kernel_values();
    check_raft_times();
    check_peers();
    for (const InstanceSection& instance : gathered_.instances) check_instance(instance);
    check_log_storages();
    check_listen_addresses();
    // A plugin that can't be loaded matters only to who asks for it; but which of two namesakes
    // would answer must not be left to chance.
    for (const Refusal& refusal : registry_.refusals()) {
      if (refusal.status.code() == Code::kAlreadyExists)
        fail(plugins_origin(), "plugins.dir", refusal.status.message());
    }
    if (!errors_.empty()) return to_status(std::move(errors_));
    print_effective();
    return std::move(config_);
  }

 private:
  struct Resolved {
    std::string text;
    Origin origin;
    chronik_value value{};
  };

  void fail(const Origin& origin, std::string_view key, std::string_view message) {
    errors_.push_back(config_error(origin, key, message));
  }
  // Where something that is nowhere should have been.
  Origin nowhere() const {
    if (!sources_.file.empty()) return {Source::kFile, 0, sources_.file};
    return {Source::kFlag, 0, "command line"};
  }

  Origin plugins_origin() const {
    const Resolved* given = get("plugins.dir");
    return given != nullptr ? given->origin : nowhere();
  }

  // The assignments in force among `candidates` of one key; reports repetition.
  std::vector<const Assignment*> choose(const std::vector<const Assignment*>& candidates,
                                        bool repeatable) {
    std::vector<const Assignment*> chosen = in_force(candidates);
    if (!repeatable && chosen.size() > 1) {
      const Assignment& first = *chosen.front();
      for (size_t i = 1; i < chosen.size(); ++i) {
        const std::string place = first.origin.source == Source::kFile
                                      ? fmt::format("in line {}", first.origin.line)
                                      : "on the command line";
        fail(chosen[i]->origin, chosen[i]->full_key(),
             fmt::format("given twice; the first is {}", place));
      }
      chosen.resize(1);
    }
    return chosen;
  }

  std::vector<const Assignment*> assignments_of(std::string_view section,
                                                std::string_view key) const {
    std::vector<const Assignment*> found;
    for (const Assignment& assignment : gathered_.assignments) {
      if (assignment.section == section && assignment.key == key) found.push_back(&assignment);
    }
    return found;
  }

  // ---- The kernel's keys

  void check_kernel_keys() {
    for (const Assignment& assignment : gathered_.assignments) {
      const std::string kind = split_instance(assignment.section).first;
      if (is_instance_kind(kind)) continue;  // check_instance()
      if (find_kernel_key(assignment.section, assignment.key) == nullptr)
        fail(assignment.origin, assignment.full_key(), unknown_kernel_key(assignment));
    }
    for (const KernelKey& key : kernel_keys()) {
      if (!is_instance_kind(key.section)) resolve_kernel_key(key, key.section, nullptr, nowhere());
    }
  }

  static std::string unknown_kernel_key(const Assignment& assignment) {
    const std::string hint = did_you_mean(assignment.key, keys_of_section(assignment.section));
    if (!hint.empty()) return "unknown key" + hint;
    for (const KernelKey& key : kernel_keys()) {
      if (!is_instance_kind(key.section) && key.option.name == assignment.key)
        return fmt::format("unknown key: did you mean '{}.{}'?", key.section, assignment.key);
    }
    return fmt::format("unknown key; [{}] has {}", assignment.section,
                       joined(keys_of_section(assignment.section)));
  }

  // Finds, checks and remembers the values of a key in `section`. `fallback`: instead of the
  // declared default. `missing_at`: who is told that a required key is missing.
  void resolve_kernel_key(const KernelKey& key, const std::string& section, const char* fallback,
                          const Origin& missing_at) {
    const std::string full_key = fmt::format("{}.{}", section, key.option.name);
    std::vector<Resolved>& values = resolved_[full_key];
    for (const Assignment* assignment :
         choose(assignments_of(section, key.option.name), key.repeatable)) {
      Resolved resolved{assignment->text, assignment->origin, {}};
      if (assignment->text.empty()) {
        fail(assignment->origin, full_key, "expected a value, found nothing");
        continue;
      }
      if (Status status = parse_option(key.option, resolved.text, resolved.value); !status.ok()) {
        fail(assignment->origin, full_key, status.message());
        continue;
      }
      values.push_back(std::move(resolved));
    }
    if (!values.empty() || !assignments_of(section, key.option.name).empty()) return;
    const char* text = fallback != nullptr ? fallback : key.option.default_value;
    if (text != nullptr) {
      Resolved resolved{text, {Source::kDefault, 0, "default"}, {}};
      if (Status status = parse_option(key.option, resolved.text, resolved.value); status.ok())
        values.push_back(std::move(resolved));
    } else if ((key.option.flags & CHRONIK_OPTION_REQUIRED) != 0) {
      fail(missing_at, full_key,
           fmt::format("missing: write '{} = ...' under [{}], or give --{}=...", key.option.name,
                       section, full_key));
    }
  }

  const Resolved* get(const std::string& full_key) const {
    const auto found = resolved_.find(full_key);
    return found == resolved_.end() || found->second.empty() ? nullptr : &found->second.front();
  }
  uint64_t number(const std::string& full_key) const {
    const Resolved* resolved = get(full_key);
    return resolved != nullptr ? resolved->value.number.u64 : 0;
  }
  std::string text(const std::string& full_key) const {
    const Resolved* resolved = get(full_key);
    return resolved != nullptr ? resolved->text : std::string();
  }

  void fill_kernel_values() {
    config_.id = NodeId(number("node.id"));
    config_.data_dir = text("node.data_dir");
    config_.shards = static_cast<uint32_t>(number("node.shards"));
    config_.cluster_name = text("cluster.name");
    auto& raft = config_.raft;
    raft.election_timeout_ns = static_cast<int64_t>(number("raft.election_timeout"));
    raft.heartbeat_interval_ns = static_cast<int64_t>(number("raft.heartbeat_interval"));
    raft.max_batch_bytes = number("raft.max_batch_bytes");
    raft.max_inflight_batches = static_cast<uint32_t>(number("raft.max_inflight_batches"));
    raft.max_proposal_bytes = number("raft.max_proposal_bytes");
    raft.max_inflight_bytes = number("raft.max_inflight_bytes");
    raft.checkpoint_bytes = number("raft.checkpoint_bytes");
    raft.pre_vote = number("raft.pre_vote") != 0;
    raft.check_quorum = number("raft.check_quorum") != 0;
    for (const Resolved& directory : resolved_["plugins.dir"])
      config_.plugin_directories.push_back(directory.text);
    if (config_.plugin_directories.empty())
      config_.plugin_directories.push_back(default_plugin_directory(sources_));
    static constexpr const char* kLevels[] = {"trace", "debug", "info", "warn", "error", "off"};
    for (size_t level = 0; level < std::size(kLevels); ++level) {
      if (text("log.level") == kLevels[level]) config_.log_level = static_cast<int32_t>(level);
    }
  }

  void check_raft_times() {
    const Resolved* election = get("raft.election_timeout");
    const Resolved* heartbeat = get("raft.heartbeat_interval");
    if (election == nullptr || heartbeat == nullptr) return;
    if (config_.raft.heartbeat_interval_ns < (config_.raft.election_timeout_ns + 2) / 3) return;
    const bool blame_heartbeat = heartbeat->origin.source != Source::kDefault;
    if (blame_heartbeat) {
      fail(heartbeat->origin, "raft.heartbeat_interval",
           fmt::format("expected less than a third of raft.election_timeout ({}), found '{}'",
                       election->text, heartbeat->text));
    } else {
      fail(election->origin, "raft.election_timeout",
           fmt::format("expected more than three times raft.heartbeat_interval ({}), found '{}'",
                       heartbeat->text, election->text));
    }
  }

  // ---- Peers

  void check_peers() {
    std::vector<Origin> origins;
    std::set<std::string> addresses;
    bool good = true;
    for (const Resolved& resolved : resolved_["cluster.peer"]) {
      const auto bad = [&](const std::string& message) {
        good = false;
        fail(resolved.origin, "cluster.peer", message);
      };
      std::optional<Peer> peer = parse_peer(resolved.text);
      if (!peer) {
        bad(fmt::format("expected ID@scheme://host:port, found '{}'", resolved.text));
        continue;
      }
      for (size_t i = 0; i < config_.peers.size(); ++i) {
        if (config_.peers[i].id == peer->id)
          bad(fmt::format("node {} is listed twice; the first is at {}", peer->id.value,
                          origins[i].where));
      }
      for (const std::string& address : peer->addresses) {
        if (!addresses.insert(address).second)
          bad(fmt::format("address {} is listed twice", address));
      }
      config_.peers.push_back(std::move(*peer));
      origins.push_back(resolved.origin);
    }
    if (!good || config_.peers.empty()) return;
    const bool has_self = std::any_of(config_.peers.begin(), config_.peers.end(),
                                      [&](const Peer& peer) { return peer.id == config_.id; });
    if (!has_self && get("node.id") != nullptr)
      fail(get("node.id")->origin, "node.id",
           fmt::format("node {} isn't among the peers; add a peer for it, or correct the id",
                       config_.id.value));
    if (config_.peers.size() > 1)
      fail(origins[1], "cluster.peer",
           fmt::format("{} peers: clusters of several nodes aren't available in this version; "
                       "leave only the node itself, or no peer at all",
                       config_.peers.size()));
  }

  static std::optional<Peer> parse_peer(const std::string& text) {
    const size_t at = text.find('@');
    if (at == std::string::npos) return std::nullopt;
    const Result<uint64_t> id = parse_u64(text.substr(0, at));
    if (!id.ok() || id.value() == 0) return std::nullopt;
    Peer peer;
    peer.id = NodeId(id.value());
    for (size_t begin = at + 1; begin <= text.size();) {
      size_t end = std::min(text.find(',', begin), text.size());
      std::string address = text.substr(begin, end - begin);
      address.erase(0, address.find_first_not_of(' '));
      address.erase(address.find_last_not_of(' ') + 1);
      if (!is_address(address)) return std::nullopt;
      peer.addresses.push_back(std::move(address));
      begin = end + 1;
    }
    return peer;
  }

  static bool is_address(const std::string& address) {
    const size_t scheme = address.find("://");
    const size_t colon = address.rfind(':');
    if (scheme == std::string::npos || colon <= scheme + 3) return false;
    if (!is_name(address.substr(0, scheme))) return false;
    const Result<uint64_t> port = parse_u64(address.substr(colon + 1));
    return port.ok() && port.value() > 0 && port.value() < 65536 &&
           address.find_first_of(" @,") == std::string::npos;
  }

  // ---- Instances of plugins

  void check_instance(const InstanceSection& section) {
    const uint32_t kind = kind_from_name(section.kind);
    InstanceConfig instance;
    instance.name = section.name;
    const char* fallback = kind == CHRONIK_KIND_STATE_MACHINE ? section.name.c_str() : nullptr;
    const size_t errors_before = errors_.size();
    for (const KernelKey& key : kernel_keys()) {
      if (key.section != section.kind) continue;
      const bool is_plugin = std::string_view(key.option.name) == "plugin";
      resolve_kernel_key(key, section.section(), is_plugin ? fallback : nullptr, section.origin);
    }
    const Resolved* plugin = get(section.section() + ".plugin");
    if (plugin == nullptr) return;
    instance.component = registry_.find(kind, plugin->text);
    if (instance.component == nullptr) {
      const Origin origin =
          plugin->origin.source == Source::kDefault ? section.origin : plugin->origin;
      std::string message(registry_.unknown(kind, plugin->text).message());
      if (!registry_.names(kind).empty())
        message += fmt::format(" (looked in {})", joined(config_.plugin_directories));
      fail(origin, section.section() + ".plugin", message);
      return;
    }
    instance.accepts_volatile = text(section.section() + ".volatile") == "accept";
    instance.is_volatile =
        kind == CHRONIK_KIND_LOG_STORAGE &&
        (instance.component->component->capabilities & CHRONIK_LOG_STORAGE_CAP_VOLATILE) != 0;
    check_options(section, kind, instance);
    if (errors_.size() == errors_before) check_as_a_whole(section, instance);

    switch (kind) {
      case CHRONIK_KIND_LOG_STORAGE: config_.log_storages.push_back(std::move(instance)); break;
      case CHRONIK_KIND_FRONTEND: config_.frontends.push_back(std::move(instance)); break;
      default: config_.state_machines.push_back(std::move(instance)); break;
    }
  }

  // Sorts the section's keys under the selected plugin's options and checks each by itself.
  void check_options(const InstanceSection& section, uint32_t kind, InstanceConfig& instance) {
    const chronik_component& selected = *instance.component->component;
    std::map<std::string, std::vector<const Assignment*>> by_option;
    for (const Assignment& assignment : gathered_.assignments) {
      if (assignment.section != section.section() ||
          find_kernel_key(section.kind, assignment.key) != nullptr)
        continue;
      const size_t dot = assignment.key.find('.');
      if (dot == std::string::npos) {
        if (find_option(options_of(selected), assignment.key) == nullptr) {
          fail(assignment.origin, assignment.full_key(),
               unknown_option(selected, kind, assignment.key));
        } else {
          by_option[assignment.key].push_back(&assignment);
        }
        continue;
      }
      const std::string owner = assignment.key.substr(0, dot);
      const std::string name = assignment.key.substr(dot + 1);
      const ComponentEntry* entry = registry_.find(kind, owner);
      if (entry == nullptr) {
        fail(assignment.origin, assignment.full_key(), registry_.unknown(kind, owner).message());
      } else if (find_option(options_of(*entry->component), name) == nullptr) {
        fail(assignment.origin, assignment.full_key(),
             unknown_option(*entry->component, kind, name));
      } else if (entry == instance.component) {
        by_option[name].push_back(&assignment);
      }
    }
    for (const auto& [name, candidates] : by_option) {
      const Assignment& given = *choose(candidates, /*repeatable=*/false).front();
      const chronik_option& option = *find_option(options_of(selected), name);
      chronik_value value{};
      if (Status status = parse_option(option, given.text, value); !status.ok()) {
        fail(given.origin, given.full_key(),
             (option.flags & CHRONIK_OPTION_SECRET) != 0
                 ? fmt::format("expected {}", option_type_name(option.type))
                 : std::string(status.message()));
        continue;
      }
      instance.options[name] = given.text;
      option_origins_[section.section() + "." + name] = given.origin;
    }
  }

  std::string unknown_option(const chronik_component& component, uint32_t kind,
                             const std::string& name) const {
    std::vector<std::string> names = keys_of_section(kind_name(kind));
    for (const chronik_option& option : options_of(component)) names.push_back(option.name);
    const std::string hint = did_you_mean(name, names);
    std::string message = fmt::format("unknown key of plugin '{}'{}", component.name, hint);
    if (!hint.empty()) return message;
    for (const ComponentEntry& other : registry_.components()) {
      if (other.component->kind == kind &&
          find_option(options_of(*other.component), name) != nullptr)
        return fmt::format("{}; plugin '{}' has one: write {}.{} to keep it here", message,
                           other.component->name, other.component->name, name);
    }
    return fmt::format("{}; there are {}", message, joined(names));
  }

  // Required options, and the plugin's own validate().
  void check_as_a_whole(const InstanceSection& section, const InstanceConfig& instance) {
    const chronik_component& component = *instance.component->component;
    std::string bad_key;
    Result<ConfigValues> values =
        parse_options(options_of(component), instance.options, instance.name, {}, &bad_key);
    if (!values.ok()) {
      fail(origin_in(section, bad_key), section.section(), values.status().message());
      return;
    }
    const auto& vtable = *static_cast<const chronik_component_vtable*>(component.vtable);
    if (vtable.validate == nullptr) return;
    chronik_error error{};
    error.struct_size = sizeof error;
    const int32_t code = vtable.validate(values.value().config(), &error);
    if (code == CHRONIK_OK) return;
    error.message[sizeof error.message - 1] = '\0';
    const Status status = Status::from_abi(code, error.message);
    fail(section.origin, section.section(),
         fmt::format("plugin '{}' refuses this: {}", component.name,
                     status.message().empty() ? code_name(status.code()) : status.message()));
  }

  Origin origin_in(const InstanceSection& section, const std::string& option) const {
    const auto found = option_origins_.find(section.section() + "." + option);
    return found != option_origins_.end() ? found->second : section.origin;
  }

  // ---- Across instances

  void check_log_storages() {
    const bool any = std::any_of(gathered_.instances.begin(), gathered_.instances.end(),
                                 [](const auto& i) { return i.kind == "log_storage"; });
    if (!any)
      fail(
          nowhere(), "log_storage",
          fmt::format("missing: a node needs a section [log_storage.main] with a plugin; there are "
                      "{}",
                      joined(registry_.names(CHRONIK_KIND_LOG_STORAGE))));
    for (const InstanceConfig& instance : config_.log_storages) {
      const std::string key = "log_storage." + instance.name + ".plugin";
      const Resolved& plugin = *get(key);
      if (instance.is_volatile && !instance.accepts_volatile)
        fail(plugin.origin, key,
             fmt::format("plugin '{}' forgets everything when the node stops: write 'volatile = "
                         "accept' if that is meant, or take another plugin",
                         plugin.text));
      const InstanceConfig& first = config_.log_storages.front();
      // The metadata lives on the first: without it, nobody would know what the others hold.
      if (first.is_volatile && !instance.is_volatile)
        fail(plugin.origin, key,
             fmt::format(
                 "the default log storage '{}' is volatile, so what '{}' keeps would be lost "
                 "at each start: put a persistent one first",
                 first.name, instance.name));
    }
  }

  void check_listen_addresses() {
    std::map<std::string, std::string> taken;  // address -> instance
    for (const InstanceConfig& frontend : config_.frontends) {
      const OptionTable options = options_of(*frontend.component->component);
      const chronik_option* listen = find_option(options, "listen");
      if (listen == nullptr || listen->type != CHRONIK_OPTION_ENDPOINT) continue;
      const auto given = frontend.options.find("listen");
      const std::string address = given != frontend.options.end()    ? given->second
                                  : listen->default_value != nullptr ? listen->default_value
                                                                     : "";
      if (address.empty() || address.ends_with(":0")) continue;
      const auto [first, is_new] = taken.emplace(address, frontend.name);
      if (is_new) continue;
      const std::string section = "frontend." + frontend.name;
      const auto origin = option_origins_.find(section + ".listen");
      fail(origin != option_origins_.end() ? origin->second : nowhere(), section + ".listen",
           fmt::format("{} is [frontend.{}]'s already", address, first->second));
    }
  }

  // ---- The effective values, for print_config()

  void print_effective() {
    for (const std::string& section : kernel_sections()) print_section(section, section, nullptr);
    for (const InstanceSection& section : gathered_.instances) {
      const auto& instances = section.kind == "log_storage" ? config_.log_storages
                              : section.kind == "frontend"  ? config_.frontends
                                                            : config_.state_machines;
      for (const InstanceConfig& instance : instances) {
        if (instance.name == section.name)
          print_section(section.section(), section.kind, &instance);
      }
    }
  }

  void print_section(const std::string& name, const std::string& kind,
                     const InstanceConfig* instance) {
    EffectiveSection section{name, {}};
    for (const std::string& key : keys_of_section(kind)) {
      const std::vector<Resolved>& values = resolved_[name + "." + key];
      for (const Resolved& value : values)
        section.values.push_back({key, value.text, value.origin, false});
      if (values.empty() && name == "plugins")
        section.values.push_back(
            {key, default_plugin_directory(sources_), {Source::kDefault, 0, "default"}, false});
    }
    if (instance != nullptr) {
      for (const chronik_option& option : options_of(*instance->component->component)) {
        const bool secret = (option.flags & CHRONIK_OPTION_SECRET) != 0;
        const auto given = instance->options.find(option.name);
        if (given != instance->options.end()) {
          section.values.push_back(
              {option.name, given->second, option_origins_[name + "." + option.name], secret});
        } else if (option.default_value != nullptr) {
          section.values.push_back(
              {option.name, option.default_value, {Source::kDefault, 0, "default"}, secret});
        }
      }
    }
    config_.effective.push_back(std::move(section));
  }

  const ConfigSources& sources_;
  const Registry& registry_;
  std::vector<ConfigError> errors_;
  Gathered gathered_;
  std::map<std::string, std::vector<Resolved>> resolved_;  // full kernel key -> values in force
  std::map<std::string, Origin> option_origins_;           // section.option, for plugins' options
  NodeConfig config_;
};

}  // namespace

uint32_t NodeConfig::shard_count(uint32_t cores) const {
  constexpr uint32_t kDefaultShardsMax = 4;
  return shards != 0 ? shards : std::clamp(cores, 1u, kDefaultShardsMax);
}

const InstanceConfig* NodeConfig::find_state_machine(std::string_view name) const {
  for (const InstanceConfig& machine : state_machines) {
    if (machine.name == name) return &machine;
  }
  return nullptr;
}

Result<std::vector<std::string>> plugin_directories(const ConfigSources& sources) {
  std::vector<ConfigError> errors;
  const Gathered gathered = Gatherer(sources, nullptr, errors).run();
  if (!errors.empty()) return to_status(std::move(errors));
  std::vector<const Assignment*> given;
  for (const Assignment& assignment : gathered.assignments) {
    if (assignment.section == "plugins" && assignment.key == "dir") given.push_back(&assignment);
  }
  std::vector<std::string> directories;
  for (const Assignment* assignment : in_force(given)) directories.push_back(assignment->text);
  if (directories.empty()) directories.push_back(default_plugin_directory(sources));
  return directories;
}

Result<NodeConfig> load_config(const ConfigSources& sources, const Registry& registry) {
  return Checker(sources, registry).run();
}

}  // namespace chronik
