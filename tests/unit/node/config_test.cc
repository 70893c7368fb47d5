#include "node/config.h"

#include <catch2/catch.hpp>

#include "unit/node/temporary_directory.h"
#include "unit/node/test_plugins.h"

namespace chronik {
namespace {

constexpr char kGood[] =
    "[node]\n"
    "id = 1\n"
    "data_dir = ./data/n1   # relative to the working directory\n"
    "[cluster]\n"
    "name = demo\n"
    "[log_storage.main]\n"
    "plugin = segment_wal\n"
    "[frontend.api]\n"
    "plugin = grpc_api\n"
    "listen = 127.0.0.1:7001\n";

// Loads `text` as the file "t.conf". The directory's name is cut from messages.
class Loading {
 public:
  explicit Loading(const std::string& text) {
    sources_.file = test::write_file(directory_ / "t.conf", text);
    sources_.executable_directory = "/opt/chronik/bin";
  }
  Loading& flag(const std::string& flag) {
    sources_.arguments.push_back(flag);
    return *this;
  }
  Loading& variable(const std::string& name, const std::string& value) {
    sources_.environment.emplace_back(name, value);
    return *this;
  }
  NodeConfig config() {
    Result<NodeConfig> result = load_config(sources_, test::registry());
    if (!result.ok()) FAIL(result.status().message());
    return std::move(result).value();
  }
  std::string print() { return without_directory(print_config(config())); }
  std::string error() {
    const Result<NodeConfig> result = load_config(sources_, test::registry());
    if (result.ok()) return "accepted";
    CHECK(result.status().code() == Code::kInvalidArgument);
    return without_directory(std::string(result.status().message()));
  }
  const ConfigSources& sources() const { return sources_; }

 private:
  std::string without_directory(std::string text) const {
    const std::string prefix = directory_.path() + "/";
    for (size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    return text;
  }
  test::TemporaryDirectory directory_;
  ConfigSources sources_;
};

std::string error_of(const std::string& more) {
  return Loading(kGood + more).error();
}

// kGood with one line replaced.
std::string error_with(const std::string& line, const std::string& replacement) {
  std::string text = kGood;
  const size_t at = text.find(line + "\n");
  REQUIRE(at != std::string::npos);
  return Loading(text.replace(at, line.size(), replacement)).error();
}

// ---- What is accepted

TEST_CASE("a small file gives a config with defaults filled in") {
  const NodeConfig config = Loading(kGood).config();
  CHECK(config.id == NodeId(1));
  CHECK(config.data_dir == "./data/n1");
  CHECK(config.cluster_name == "demo");
  CHECK(config.peers.empty());
  CHECK(config.shards == 0);
  CHECK(config.raft.election_timeout_ns == 1'000'000'000);
  CHECK(config.raft.heartbeat_interval_ns == 100'000'000);
  CHECK(config.raft.max_inflight_bytes == 64u << 20);
  CHECK(config.raft.checkpoint_bytes == 64u << 20);
  CHECK(config.raft.pre_vote);
  CHECK(config.log_level == CHRONIK_LOG_INFO);
  CHECK(config.plugin_directories == std::vector<std::string>{"/opt/chronik/lib/chronik/plugins"});
  REQUIRE(config.log_storages.size() == 1);
  CHECK(config.log_storages[0].name == "main");
  CHECK(config.log_storages[0].plugin() == std::string("segment_wal"));
  CHECK_FALSE(config.log_storages[0].is_volatile);
  CHECK(config.log_storages[0].options.empty());
  REQUIRE(config.frontends.size() == 1);
  CHECK(config.frontends[0].options.at("listen") == "127.0.0.1:7001");
}

TEST_CASE("no shards given means one per core, at most four") {
  NodeConfig config = Loading(kGood).config();
  CHECK(config.shard_count(1) == 1);
  CHECK(config.shard_count(3) == 3);
  CHECK(config.shard_count(64) == 4);
  CHECK(config.shard_count(0) == 1);
  config.shards = 7;
  CHECK(config.shard_count(1) == 7);
}

TEST_CASE(
    "a flag wins over the environment, which wins over the file, which wins over the default") {
  const std::string file = std::string(kGood) + "[raft]\nelection_timeout = 2s\n";
  const auto timeout = [](Loading& loading) {
    return loading.config().raft.election_timeout_ns / 1'000'000'000;
  };
  Loading loading(kGood);
  CHECK(timeout(loading) == 1);
  Loading more(file);
  CHECK(timeout(more) == 2);
  more.variable("CHRONIK_RAFT_ELECTION_TIMEOUT", "3s");
  CHECK(timeout(more) == 3);
  more.flag("--raft.election_timeout=4s");
  CHECK(timeout(more) == 4);
}

TEST_CASE("a flag's value may be a word of its own, and may be all there is") {
  ConfigSources sources;
  sources.executable_directory = "/x/bin";
  sources.arguments = {"--node.id", "5", "--node.data_dir=/d", "--log_storage.main.plugin",
                       "segment_wal"};
  const Result<NodeConfig> result = load_config(sources, test::registry());
  REQUIRE(result.ok());
  CHECK(result.value().id == NodeId(5));
  CHECK(result.value().frontends.empty());
}

TEST_CASE("the environment reaches instances, with plugin's names in front too, and may add one") {
  const NodeConfig config = Loading(kGood)
                                .variable("CHRONIK_LOG_STORAGE_MAIN_JOURNAL_BYTES", "8MiB")
                                .variable("CHRONIK_LOG_STORAGE_MAIN_SEGMENT_WAL_SYNC", "all")
                                .variable("CHRONIK_LOG_STORAGE_SMALL_PLUGIN", "segment_wal")
                                .variable("CHRONIK_API", "somebody else's")
                                .config();
  REQUIRE(config.log_storages.size() == 2);
  CHECK(config.log_storages[0].options.at("journal_bytes") == "8MiB");
  CHECK(config.log_storages[0].options.at("sync") == "all");
  CHECK(config.log_storages[1].name == "small");
}

TEST_CASE("the first log storage of the file comes first, whatever its name") {
  const NodeConfig config = Loading(std::string("[log_storage.zz]\nplugin=segment_wal\n") + kGood)
                                .flag("--log_storage.aa.plugin=segment_wal")
                                .config();
  REQUIRE(config.log_storages.size() == 3);
  CHECK(config.log_storages[0].name == "zz");
  CHECK(config.log_storages[1].name == "main");
  CHECK(config.log_storages[2].name == "aa");
}

TEST_CASE("a backend is swapped by one line: other plugins' keys may stay") {
  const std::string text =
      "[node]\nid = 1\ndata_dir = d\n"
      "[log_storage.main]\n"
      "plugin = PLUGIN\n"
      "volatile = accept\n"
      "segment_wal.journal_bytes = 8MiB\n"
      "memory.limit_bytes = 1MiB\n";
  std::string wal = text;
  NodeConfig config = Loading(wal.replace(wal.find("PLUGIN"), 6, "segment_wal")).config();
  CHECK(config.log_storages[0].options ==
        std::map<std::string, std::string>{{"journal_bytes", "8MiB"}});
  std::string memory = text;
  config = Loading(memory.replace(memory.find("PLUGIN"), 6, "memory")).config();
  CHECK(config.log_storages[0].options ==
        std::map<std::string, std::string>{{"limit_bytes", "1MiB"}});
  CHECK(config.log_storages[0].is_volatile);
}

TEST_CASE("a state machine's section is named after it and needs no plugin line") {
  const NodeConfig config =
      Loading(std::string(kGood) + "[state_machine.stream]\nrecord_bytes = 2MiB\n").config();
  REQUIRE(config.find_state_machine("stream") != nullptr);
  CHECK(config.find_state_machine("stream")->plugin() == std::string("stream"));
  CHECK(config.find_state_machine("stream")->options.at("record_bytes") == "2MiB");
  CHECK(config.find_state_machine("kv") == nullptr);
}

TEST_CASE("a cluster of one may name itself, with several addresses") {
  const NodeConfig config = Loading(std::string(kGood) + "[raft]\n")
                                .flag("--cluster.peer=1@grpc://a:5001, zeromq://[::1]:5101")
                                .config();
  REQUIRE(config.peers.size() == 1);
  CHECK(config.peers[0].id == NodeId(1));
  CHECK(config.peers[0].addresses ==
        std::vector<std::string>{"grpc://a:5001", "zeromq://[::1]:5101"});
}

TEST_CASE("plugin directories are known before any plugin is") {
  Loading loading(std::string(kGood) + "[plugins]\ndir = /a\ndir = /b\n[nonsense]\n");
  CHECK(plugin_directories(loading.sources()).value() == std::vector<std::string>{"/a", "/b"});
  loading.flag("--plugins.dir=/c");
  CHECK(plugin_directories(loading.sources()).value() == std::vector<std::string>{"/c"});
  Loading none(kGood);
  CHECK(plugin_directories(none.sources()).value() ==
        std::vector<std::string>{"/opt/chronik/lib/chronik/plugins"});
}

TEST_CASE("line ends of other systems and a byte order mark do no harm") {
  std::string text = "\xEF\xBB\xBF";
  for (const char c : std::string(kGood)) c == '\n' ? text += "\r\n" : text += c;
  CHECK(Loading(text).config().cluster_name == "demo");
}

// ---- What is refused, and in which words

TEST_CASE("unknown keys and sections are refused with the nearest name") {
  CHECK(error_of("[raft]\nelection_timout = 1s\n") ==
        "t.conf:12: raft.election_timout: unknown key: did you mean 'election_timeout'?");
  CHECK(error_of("[raft]\ndata_dir = x\n") ==
        "t.conf:12: raft.data_dir: unknown key: did you mean 'node.data_dir'?");
  CHECK(error_of("[log]\nzzzzzzzz = x\n") ==
        "t.conf:12: log.zzzzzzzz: unknown key; [log] has level");
  CHECK(error_of("[rfat]\npre_vote = true\ncheck_quorum = true\n") ==
        "t.conf:11: [rfat]: unknown section: did you mean 'raft'?");
  CHECK(error_of("[log_storage]\n") ==
        "t.conf:11: [log_storage]: expected [log_storage.NAME], with a name of small letters, "
        "digits and underscores");
  CHECK(error_of("[frontend.Big]\nplugin = grpc_api\n") ==
        "t.conf:11: [frontend.Big]: expected [frontend.NAME], with a name of small letters, digits "
        "and underscores");
  CHECK(
      error_with("listen = 127.0.0.1:7001", "listen = 127.0.0.1:7001\nlissten = 1:1") ==
      "t.conf:11: frontend.api.lissten: unknown key of plugin 'grpc_api': did you mean 'listen'?");
  CHECK(
      error_with("plugin = segment_wal", "plugin = segment_wal\nmemory.limit_byte = 1MiB") ==
      "t.conf:8: log_storage.main.memory.limit_byte: unknown key of plugin 'memory': did you mean "
      "'limit_bytes'?");
  CHECK(error_with("plugin = segment_wal", "plugin = segment_wal\nmemori.limit_bytes = 1MiB") ==
        "t.conf:8: log_storage.main.memori.limit_bytes: no log_storage plugin named 'memori': did "
        "you mean 'memory'?");
}

TEST_CASE("a key of another plugin is told how it may stay") {
  CHECK(error_with("plugin = segment_wal", "plugin = memory\nvolatile = accept\nsync = all") ==
        "t.conf:9: log_storage.main.sync: unknown key of plugin 'memory'; plugin 'segment_wal' has "
        "one: write segment_wal.sync to keep it here");
}

TEST_CASE("wrong flags and variables are refused by their names") {
  CHECK(Loading(kGood).flag("--raft.election_timout=1s").error() ==
        "--raft.election_timout: unknown key: did you mean 'election_timeout'?");
  CHECK(Loading(kGood).flag("--nonsense").flag("--node.shards=1").error() ==
        "--nonsense: expected --nonsense=VALUE, found no value");
  CHECK(Loading(kGood).flag("stray").error() ==
        "command line: expected --section.key=value, found 'stray'");
  CHECK(Loading(kGood).flag("--node.shards=").error() ==
        "command line: the argument for option '--node.shards' should follow immediately after the "
        "equal sign");
  CHECK(Loading(kGood).variable("CHRONIK_RAFT_PREVOTE", "true").error() ==
        "CHRONIK_RAFT_PREVOTE: unknown variable: did you mean 'CHRONIK_RAFT_PRE_VOTE'?");
  CHECK(Loading(kGood).variable("CHRONIK_NODE_SHARDS", "many").error() ==
        "CHRONIK_NODE_SHARDS: node.shards: expected a whole number, not negative, found 'many'");
  CHECK(Loading(kGood).variable("CHRONIK_CLUSTER_NAME", "a\nb").error() ==
        "CHRONIK_CLUSTER_NAME: cluster.name: expected one line, found a line break");
}

TEST_CASE("wrong types and values out of range are refused with what was expected") {
  CHECK(error_with("id = 1", "id = one") ==
        "t.conf:2: node.id: expected a whole number, not negative, found 'one'");
  CHECK(error_with("id = 1", "id = 0") == "t.conf:2: node.id: expected at least 1, found '0'");
  CHECK(error_with("id = 1", "id =") == "t.conf:2: node.id: expected a value, found nothing");
  CHECK(error_of("[node]\n") == "t.conf:11: [node] was opened before, in line 1");
  CHECK(error_of("[raft]\npre_vote = maybe\n") ==
        "t.conf:12: raft.pre_vote: expected true or false, found 'maybe'");
  CHECK(
      error_of("[raft]\nmax_inflight_bytes = 64 MeB\n") ==
      "t.conf:12: raft.max_inflight_bytes: expected a size in B, KiB, MiB, GiB, TiB, KB, MB, GB or "
      "TB, such as 64MiB, found '64 MeB'");
  CHECK(error_of("[raft]\nelection_timeout = 1\n") ==
        "t.conf:12: raft.election_timeout: expected a time with its unit (ns, us, ms, s, m, h, d), "
        "such as 100ms, found '1'");
  CHECK(error_of("[log]\nlevel = inof\n") ==
        "t.conf:12: log.level: expected one of trace, debug, info, warn, error, off, found 'inof': "
        "did you mean 'info'?");
  CHECK(error_with("plugin = segment_wal", "plugin = segment_wal\njournal_bytes = 1KiB") ==
        "t.conf:8: log_storage.main.journal_bytes: expected at least 1MiB, found '1KiB'");
  CHECK(error_with("plugin = segment_wal", "plugin = segment_wal\nvolatile = yes") ==
        "t.conf:8: log_storage.main.volatile: expected one of refuse, accept, found 'yes'");
}

TEST_CASE("a secret never appears in an error or in what is printed") {
  Loading loading(std::string(kGood) + "token = hunter2\n");
  CHECK(loading.print().find("hunter2") == std::string::npos);
  CHECK(loading.print().find("# token: not shown") != std::string::npos);
  CHECK(loading.config().frontends[0].options.at("token") == "hunter2");
}

TEST_CASE("a missing plugin is refused with the nearest name and where it was looked for") {
  CHECK(error_with("plugin = segment_wal", "plugin = segmnt_wal") ==
        "t.conf:7: log_storage.main.plugin: no log_storage plugin named 'segmnt_wal': did you mean "
        "'segment_wal'? (looked in /opt/chronik/lib/chronik/plugins)");
  CHECK(error_of("[state_machine.kv]\n") ==
        "t.conf:11: state_machine.kv.plugin: no state_machine plugin named 'kv'; there is stream "
        "(looked in /opt/chronik/lib/chronik/plugins)");
}

TEST_CASE("what must be there and isn't is named") {
  CHECK(error_with("id = 1", "") ==
        "t.conf: node.id: missing: write 'id = ...' under [node], or give --node.id=...");
  CHECK(
      error_with("plugin = grpc_api", "") ==
      "t.conf:8: frontend.api.plugin: missing: write 'plugin = ...' under [frontend.api], or give "
      "--frontend.api.plugin=...");
  CHECK(error_of("[frontend.more]\nplugin = grpc_api\n") ==
        "t.conf:11: frontend.more: listen: is required: Where it listens.");
  CHECK(Loading("[node]\nid = 1\ndata_dir = d\n").error() ==
        "t.conf: log_storage: missing: a node needs a section [log_storage.main] with a plugin; "
        "there are memory, segment_wal");
}

TEST_CASE("nothing may be said twice at the same place") {
  CHECK(error_with("id = 1", "id = 1\nid = 2") ==
        "t.conf:3: node.id: given twice; the first is in line 2");
  CHECK(error_of("[log_storage.main]\nplugin = memory\n") ==
        "t.conf:11: [log_storage.main] was opened before, in line 6");
  CHECK(Loading(kGood).flag("--node.id=1").flag("--node.id=2").error() ==
        "--node.id: given twice; the first is on the command line");
  CHECK(error_with("plugin = segment_wal",
                   "plugin = segment_wal\nsync = all\nsegment_wal.sync = data") ==
        "t.conf:9: log_storage.main.segment_wal.sync: given twice; the first is in line 8");
  CHECK(error_of("[frontend.second]\nplugin = grpc_api\nlisten = 127.0.0.1:7001\n") ==
        "t.conf:13: frontend.second.listen: 127.0.0.1:7001 is [frontend.api]'s already");
}

TEST_CASE("a heartbeat takes less than a third of the election timeout") {
  CHECK(error_of("[raft]\nheartbeat_interval = 400ms\n") ==
        "t.conf:12: raft.heartbeat_interval: expected less than a third of raft.election_timeout "
        "(1s), found '400ms'");
  CHECK(error_of("[raft]\nelection_timeout = 300ms\n") ==
        "t.conf:12: raft.election_timeout: expected more than three times raft.heartbeat_interval "
        "(100ms), found '300ms'");
  Loading(std::string(kGood) + "[raft]\nelection_timeout = 301ms\n").config();
}

TEST_CASE("a plugin's own check of its options is heard") {
  CHECK(error_with("plugin = segment_wal",
                   "plugin = segment_wal\njournal_bytes = 1MiB\nblock_bytes = 2MiB") ==
        "t.conf:6: log_storage.main: plugin 'segment_wal' refuses this: journal_bytes is smaller "
        "than block_bytes");
}

TEST_CASE("peers are checked, and several of them refused in this version") {
  const auto peers = [](const std::string& lines) {
    return error_with("name = demo", "name = demo\n" + lines);
  };
  CHECK(peers("peer = 1@127.0.0.1:1") ==
        "t.conf:6: cluster.peer: expected ID@scheme://host:port, found '1@127.0.0.1:1'");
  CHECK(peers("peer = 0@grpc://a:1") ==
        "t.conf:6: cluster.peer: expected ID@scheme://host:port, found '0@grpc://a:1'");
  CHECK(peers("peer = 1@grpc://a:1\npeer = 1@grpc://b:1")
            .find("t.conf:7: cluster.peer: node 1 is listed twice; the first is at t.conf:6") == 0);
  CHECK(peers("peer = 1@grpc://a:1\npeer = 2@grpc://a:1") ==
        "t.conf:7: cluster.peer: address grpc://a:1 is listed twice");
  CHECK(peers("peer = 2@grpc://a:1") ==
        "t.conf:2: node.id: node 1 isn't among the peers; add a peer for it, or correct the id");
  CHECK(peers("peer = 1@grpc://a:1\npeer = 2@grpc://a:2\npeer = 3@grpc://a:3") ==
        "t.conf:7: cluster.peer: 3 peers: clusters of several nodes aren't available in this "
        "version; leave only the node itself, or no peer at all");
}

TEST_CASE("what this version doesn't have is said so") {
  CHECK(
      error_of("[snapshot_store.main]\nplugin = file\n") ==
      "t.conf:11: [snapshot_store.main]: snapshot stores aren't available in this version: remove "
      "the section");
  CHECK(error_of("[transport.grpc]\nplugin = grpc\nlisten = 127.0.0.1:5001\n") ==
        "t.conf:11: [transport.grpc]: transports aren't available in this version: remove the "
        "section");
}

TEST_CASE("a volatile log storage has to be asked for, and can't be the default beside others") {
  CHECK(
      error_with("plugin = segment_wal", "plugin = memory") ==
      "t.conf:7: log_storage.main.plugin: plugin 'memory' forgets everything when the node stops: "
      "write 'volatile = accept' if that is meant, or take another plugin");
  CHECK(error_with("plugin = segment_wal",
                   "plugin = memory\nvolatile = accept\n[log_storage.big]\nplugin = segment_wal") ==
        "t.conf:10: log_storage.big.plugin: the default log storage 'main' is volatile, so what "
        "'big' keeps would be lost at each start: put a persistent one first");
  Loading(std::string(kGood) + "[log_storage.fast]\nplugin = memory\nvolatile = accept\n").config();
}

TEST_CASE("a file that can't be read or isn't one is refused") {
  ConfigSources sources;
  sources.file = "/nonexistent/t.conf";
  const std::string expected =
      "/nonexistent/t.conf: can't read the config file: No such file or directory";
  CHECK(plugin_directories(sources).status().message() == expected);
  CHECK(std::string(load_config(sources, test::registry()).status().message()).find(expected) !=
        std::string::npos);
  CHECK(error_of("half a line\n") ==
        "t.conf:11: expected 'key = value' or '[section]', found 'half a line'");
  CHECK(error_of("[]\n") == "t.conf:11: expected [section], found '[]'");
}

TEST_CASE("all mistakes are told at once, in the order of the file") {
  CHECK(Loading("[node]\nid = 0\ndata_dir = d\nshard = 1\n"
                "[log_storage.main]\nplugin = segmet_wal\n[log]\nlevel = loud\n")
            .flag("--raft.pre_vote=perhaps")
            .error() ==
        "t.conf:2: node.id: expected at least 1, found '0'\n"
        "t.conf:4: node.shard: unknown key: did you mean 'shards'?\n"
        "t.conf:6: log_storage.main.plugin: no log_storage plugin named 'segmet_wal': did you mean "
        "'segment_wal'? (looked in /opt/chronik/lib/chronik/plugins)\n"
        "t.conf:8: log.level: expected one of trace, debug, info, warn, error, off, found 'loud'\n"
        "--raft.pre_vote: expected true or false, found 'perhaps'");
}

// ---- Printing

TEST_CASE("the printed config names every value's origin and is a config itself") {
  Loading loading(kGood);
  loading.variable("CHRONIK_LOG_LEVEL", "warn").flag("--raft.election_timeout=2s");
  const std::string printed = loading.print();
  const auto line = [](const std::string& value, const std::string& origin) {
    return value + std::string(48 - value.size(), ' ') + "# " + origin + "\n";
  };
  CHECK(printed.find("[node]\n" + line("id = 1", "t.conf:2") +
                     line("data_dir = ./data/n1", "t.conf:3") + line("shards = 0", "default")) ==
        0);
  CHECK(printed.find(line("election_timeout = 2s", "--raft.election_timeout")) !=
        std::string::npos);
  CHECK(printed.find(line("level = warn", "CHRONIK_LOG_LEVEL")) != std::string::npos);
  CHECK(printed.find("[log_storage.main]\n" + line("plugin = segment_wal", "t.conf:7") +
                     line("volatile = refuse", "default") +
                     line("journal_bytes = 256MiB", "default")) != std::string::npos);
  CHECK(printed.find(line("dir = /opt/chronik/lib/chronik/plugins", "default")) !=
        std::string::npos);

  const NodeConfig again = Loading(printed).config();
  CHECK(again.raft.election_timeout_ns == 2'000'000'000);
  CHECK(again.log_level == CHRONIK_LOG_WARN);
  CHECK(again.effective.size() == loading.config().effective.size());
}

TEST_CASE("the reference has every key of the kernel and of the plugins") {
  const std::string reference = config_reference(test::registry());
  CHECK(reference.find("\n[node]\n"
                       "# The node's number in the cluster. A data directory keeps it for ever.\n"
                       "# (uint, at least 1; required)\n"
                       "# id =\n") != std::string::npos);
  CHECK(reference.find("# (duration, at least 10ms, at most 1h)\n# election_timeout = 1s\n") !=
        std::string::npos);
  CHECK(reference.find("\n[log_storage.NAME]\n") != std::string::npos);
  CHECK(reference.find("# (one of refuse, accept)\n# volatile = refuse\n") != std::string::npos);
  CHECK(reference.find("# ---- plugin = segment_wal\n# A journal.\n\n"
                       "# Size of one journal file.\n"
                       "# (bytes, at least 1MiB, at most 4GiB)\n"
                       "# segment_wal.journal_bytes = 256MiB\n") != std::string::npos);
  CHECK(reference.find("; may be repeated)\n# dir =\n") != std::string::npos);
  for (const KernelKey& key : kernel_keys())
    CHECK(reference.find(std::string("# ") + key.option.name + " =") != std::string::npos);
}

// ---- The command line

TEST_CASE("the command line is split into what chronikd does and what the config says") {
  const char* const argv[] = {"chronikd",       "--config=a.conf", "--node.id=2",
                              "--check-config", "--node.data_dir", "/d"};
  const char* const environment[] = {"HOME=/root", "CHRONIK_NODE_ID=3", nullptr};
  const Result<CommandLine> line = parse_command_line(6, argv, environment);
  REQUIRE(line.ok());
  CHECK(line.value().action == CommandLine::Action::kCheckConfig);
  CHECK(line.value().sources.file == "a.conf");
  CHECK(line.value().sources.arguments ==
        std::vector<std::string>{"--node.id=2", "--node.data_dir", "/d"});
  CHECK(line.value().sources.environment ==
        std::vector<std::pair<std::string, std::string>>{{"CHRONIK_NODE_ID", "3"}});
  CHECK(line.value().sources.executable_directory.front() == '/');
}

TEST_CASE("a command line that can't be meant is refused") {
  const auto error = [](std::vector<const char*> argv) {
    argv.insert(argv.begin(), "chronikd");
    const auto line = parse_command_line(static_cast<int>(argv.size()), argv.data(), nullptr);
    return line.ok() ? std::string("accepted") : std::string(line.status().message());
  };
  CHECK(error({"--config"}) ==
        "command line: the required argument for option '--config' is missing");
  CHECK(error({"--config", "a", "--config", "b"}) == "command line: --config is given twice");
  CHECK(error({"--help"}) == "accepted");
}

}  // namespace
}  // namespace chronik
