// NodeConfig: everything a node is told from outside, checked before anything on disk is touched.
//
// A value comes from, in rising precedence: the default, the config file (INI, `section.key`), the
// environment (CHRONIK_SECTION_KEY, dots as underscores), a flag (--section.key=value).
//
//   CommandLine line = parse_command_line(argc, argv, environ);          // phase 0: what is wanted
//   Registry registry(plugin_directories(line.sources));                 // phase 1: where plugins
//   are registry.load_allowed_directories(); NodeConfig config = load_config(line.sources,
//   registry);             // phase 2: check everything
//
// The kernel's keys are declared in one table (kernel_keys()), which drives checking,
// print_config() and config_reference(). Plugins' keys are declared in their descriptors. Errors
// are INVALID_ARGUMENT; their message holds one line per mistake, each complete by itself:
//
//   single-node.conf:7: raft.election_timout: unknown key: did you mean 'election_timeout'?
//
// Thread: everything here is for the control thread at start.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "chronik/abi/base.h"
#include "plugin/registry.h"

namespace chronik {

// chronikd's exit codes; docs/OPERATIONS.md says what to do about each.
enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 2,    // command line, config, or a data directory that doesn't fit; nothing started
  kExitStart = 3,    // something configured rightly didn't start: a port in use, damaged data
  kExitStorage = 4,  // a log storage failed while running; the next start says what happened
};

// ---- Sources ------------------------------------------------------------------------------------

struct ConfigSources {
  std::string file;                    // path of the config file; empty: none
  std::vector<std::string> arguments;  // "--section.key=value", or two words
  std::vector<std::pair<std::string, std::string>> environment;  // name, value
  std::string executable_directory;  // absolute; ../lib/chronik/plugins from it is the default
};

// What `chronikd` was asked to do.
struct CommandLine {
  enum class Action { kRun, kCheckConfig, kPrintConfig, kReference, kVersion, kHelp };
  Action action = Action::kRun;
  ConfigSources sources;
};

// Splits off --config, --check-config, --print-config, --config-reference, --version, --help; what
// remains must look like `--section.key=value`. `environment` ends with a null pointer.
Result<CommandLine> parse_command_line(int argc, const char* const* argv,
                                       const char* const* environment);
// The text of --help.
std::string command_line_help();

// ---- Values -------------------------------------------------------------------------------------

// Where a value was written.
struct Origin {
  enum class Source { kDefault, kFile, kEnvironment, kFlag };
  Source source = Source::kDefault;
  int line = 0;       // of the file
  std::string where;  // "default", "single-node.conf:4", "CHRONIK_NODE_ID", "--node.id"
};

// A key with the text in force and its origin; what print_config() prints.
struct EffectiveValue {
  std::string key;
  std::string text;
  Origin origin;
  bool secret = false;
};
struct EffectiveSection {
  std::string name;  // "node", "log_storage.main"
  std::vector<EffectiveValue> values;
};

struct Peer {
  NodeId id;
  std::vector<std::string> addresses;  // "grpc://host:port", in order of preference
};

// One named instance of a plugin: [log_storage.main].
struct InstanceConfig {
  std::string name;                            // "main"
  const ComponentEntry* component = nullptr;   // lives as long as the registry
  std::map<std::string, std::string> options;  // as given, checked; for parse_options()
  bool accepts_volatile = false;               // log storages: `volatile = accept`
  bool is_volatile = false;                    // log storages: what the plugin declares

  const char* plugin() const { return component->component->name; }
};

struct NodeConfig {
  // [node]
  NodeId id;
  std::string data_dir;  // as given: relative to the working directory
  uint32_t shards = 0;   // 0: see shard_count()

  // [cluster]
  std::string cluster_name;
  std::vector<Peer> peers;  // empty: a cluster of one

  // [raft]
  struct Raft {
    int64_t election_timeout_ns = 0;
    int64_t heartbeat_interval_ns = 0;
    uint64_t max_batch_bytes = 0;       // entries in one AppendEntries
    uint32_t max_inflight_batches = 0;  // per follower
    uint64_t max_proposal_bytes = 0;    // the largest proposal
    uint64_t max_inflight_bytes = 0;    // proposals admitted and not answered
    uint64_t checkpoint_bytes = 0;      // applied bytes between two checkpoints of a state machine
    bool pre_vote = true;
    bool check_quorum = true;
  } raft;

  // [plugins], [log]
  std::vector<std::string> plugin_directories;
  int32_t log_level = CHRONIK_LOG_INFO;

  // Instances, in the order of their first mention. Invariant: at least one log storage; the first
  // is the default, for group 0 and for topics that name none.
  std::vector<InstanceConfig> log_storages;
  std::vector<InstanceConfig> frontends;
  // Options for state machines, by the name that topics use; machines without a section take their
  // defaults and aren't listed.
  std::vector<InstanceConfig> state_machines;

  std::vector<EffectiveSection> effective;

  // The number of shards to run on a machine of `cores` cores.
  uint32_t shard_count(uint32_t cores) const;
  // Null if there is none of that name.
  const InstanceConfig* find_state_machine(std::string_view name) const;
};

// ---- Loading ------------------------------------------------------------------------------------

// Phase 1: reads just enough to know where plugins may be loaded from: `plugins.dir` or the
// default. Errors: INVALID_ARGUMENT: the file can't be read or isn't an INI file.
Result<std::vector<std::string>> plugin_directories(const ConfigSources& sources);

// Phase 2: reads and checks everything, plugins' own validate() included. Touches nothing on disk
// but the config file. Errors: INVALID_ARGUMENT, one line per mistake.
Result<NodeConfig> load_config(const ConfigSources& sources, const Registry& registry);

// ---- Printing -----------------------------------------------------------------------------------

// The effective config as a config file, each value with its origin as a comment. Secrets are left
// out.
std::string print_config(const NodeConfig& config);

// Every key of the kernel and of the registry's components with type, default, bounds and doc, as
// a config file in which all is commented out. The same registry gives the same text.
std::string config_reference(const Registry& registry);

// ---- The kernel's keys --------------------------------------------------------------------------

struct KernelKey {
  // "raft"; or a kind ("log_storage"), for keys that the kernel reads in its instances' sections.
  const char* section;
  chronik_option option;    // type, default, bounds, doc, as plugins declare theirs
  bool repeatable = false;  // may be written several times
};
// In the order of printing.
std::span<const KernelKey> kernel_keys();

}  // namespace chronik
