#include "node/data_dir.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "node/config.h"
#include "unit/node/temporary_directory.h"
#include "unit/node/test_plugins.h"

namespace chronik {
namespace {

namespace fs = std::filesystem;

const StoreSpec kWal{"main", "segment_wal", false};
const StoreSpec kMemory{"main", "memory", true};

class Home {
 public:
  DataDirSpec spec(std::vector<StoreSpec> stores = {kWal}) const {
    return {path(), NodeId(1), "demo", std::move(stores)};
  }
  std::string path() const { return directory_ / "n1"; }
  const std::string& outside() const { return directory_.path(); }
  std::string operator/(const std::string& name) const { return path() + "/" + name; }

  // Opens and closes; the directory must accept it.
  void start(const DataDirSpec& spec) const {
    const Result<DataDir> dir = open_data_dir(spec);
    if (!dir.ok()) FAIL(dir.status().to_string());
  }
  DataDir open(const DataDirSpec& spec) const {
    Result<DataDir> dir = open_data_dir(spec);
    if (!dir.ok()) FAIL(dir.status().to_string());
    return std::move(dir).value();
  }
  // The refusal of `spec`, with "N1" for the directory. Checks that nothing changed on disk, and
  // that --check-config says the same.
  std::string refusal(const DataDirSpec& spec, Code code = Code::kFailedPrecondition) const {
    const auto before = contents();
    const Result<DataDir> dir = open_data_dir(spec);
    if (dir.ok()) return "accepted";
    CHECK(contents() == before);
    CHECK(dir.status().code() == code);
    CHECK(check_data_dir(spec).to_string() == dir.status().to_string());
    return shortened(dir.status());
  }
  std::string shortened(const Status& status) const {
    std::string text(status.message());
    for (size_t at; (at = text.find(path())) != std::string::npos;)
      text.replace(at, path().size(), "N1");
    for (size_t at; (at = text.find(outside())) != std::string::npos;)
      text.replace(at, outside().size(), "TMP");
    return text;
  }

  // All that is beneath the temporary directory: files with their bytes.
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(outside()))
      found[entry.path()] = entry.is_regular_file() ? test::read_file(entry.path()) : "(directory)";
    return found;
  }

 private:
  test::TemporaryDirectory directory_;
};

nlohmann::json meta_of(const Home& home) {
  return nlohmann::json::parse(test::read_file(home / "node.meta"));
}

// ---- The first start and the next

TEST_CASE("a new directory is formatted for its node, cluster and stores") {
  const Home home;
  const DataDir dir = home.open(home.spec({kWal, {"small", "lmdb", false}}));
  CHECK(dir.path() == home.path());
  CHECK(dir.node() == NodeId(1));
  CHECK(dir.is_new_cluster());
  CHECK(dir.last_failure().empty());
  REQUIRE(dir.stores().size() == 2);
  CHECK(dir.stores()[0].name == "main");
  CHECK(dir.stores()[0].directory == home / "log_storage/main");
  CHECK(fs::is_directory(home / "log_storage/small"));
  CHECK(test::read_file(home / "LOCK") == fmt::format("{}\n", getpid()));
  CHECK_FALSE(fs::exists(home / "node.meta.tmp"));

  const nlohmann::json meta = meta_of(home);
  CHECK(meta["format"] == 1);
  CHECK(meta["cluster_id"] == to_string(dir.cluster_id()));
  CHECK(meta["cluster_name"] == "demo");
  CHECK(meta["node_id"] == 1);
  CHECK(meta["directory_id"] == to_string(dir.directory_id()));
  CHECK(meta["default_store"] == "main");
  CHECK(meta["stores"]["small"]["plugin"] == "lmdb");
  CHECK(meta["stores"]["main"]["id"] == to_string(dir.stores()[0].id));
}

TEST_CASE("ids are random: no two directories or stores share one") {
  const Home a;
  const Home b;
  const DataDir first = a.open(a.spec({kWal, {"small", "lmdb", false}}));
  const DataDir second = b.open(b.spec());
  const std::set<Uuid> ids{first.cluster_id(),   first.directory_id(), first.stores()[0].id,
                           first.stores()[1].id, second.cluster_id(),  second.directory_id(),
                           second.stores()[0].id};
  CHECK(ids.size() == 7);
  CHECK(to_string(first.cluster_id()).size() == 36);
  CHECK(to_string(first.cluster_id())[14] == '4');
}

TEST_CASE("the next start finds the same identity and changes nothing") {
  const Home home;
  std::optional<DataDir> dir(home.open(home.spec()));
  const Uuid cluster = dir->cluster_id();
  const Uuid directory = dir->directory_id();
  const Uuid store = dir->stores()[0].id;
  dir.reset();
  const std::string meta = test::read_file(home / "node.meta");
  dir.emplace(home.open(home.spec()));
  CHECK(dir->cluster_id() == cluster);
  CHECK(dir->directory_id() == directory);
  CHECK(dir->stores()[0].id == store);
  CHECK_FALSE(dir->is_new_cluster());
  CHECK(test::read_file(home / "node.meta") == meta);
}

TEST_CASE("an interrupted formatting is finished at the next start") {
  const Home home;
  fs::create_directories(home / "log_storage/main");
  test::write_file(home / "LOCK", "12345\n");
  test::write_file(home / "node.meta.tmp", "{\"form");
  CHECK(home.open(home.spec()).is_new_cluster());
  CHECK_FALSE(fs::exists(home / "node.meta.tmp"));
}

TEST_CASE("a relative path and a final slash mean the same directory") {
  const Home home;
  home.start(home.spec());
  DataDirSpec slash = home.spec();
  slash.path += "/";
  CHECK(home.open(slash).path() == home.path());
  DataDirSpec dots = home.spec();
  dots.path = home.outside() + "/x/../n1/.";
  CHECK(home.open(dots).path() == home.path());
}

// ---- The lock

TEST_CASE("a second node on the same directory is refused and told who holds it") {
  const Home home;
  std::optional<DataDir> first(home.open(home.spec()));
  const auto before = home.contents();
  const Result<DataDir> second = open_data_dir(home.spec());
  REQUIRE_FALSE(second.ok());
  CHECK(second.status().code() == Code::kUnavailable);
  CHECK(home.shortened(second.status()) ==
        fmt::format("data_dir 'N1' is in use by process {}: stop that node first, or use another "
                    "data_dir",
                    getpid()));
  CHECK(home.contents() == before);
  CHECK(check_data_dir(home.spec()).ok());  // doesn't care

  DataDir moved = std::move(*first);
  first.reset();
  CHECK_FALSE(open_data_dir(home.spec()).ok());  // the lock went along
  { const DataDir gone = std::move(moved); }
  home.start(home.spec());
}

// ---- Whose it is

TEST_CASE("another node's or another cluster's directory is refused") {
  const Home home;
  home.start(home.spec());
  DataDirSpec other = home.spec();
  other.node = NodeId(2);
  CHECK(home.refusal(other) ==
        "data_dir 'N1' belongs to node 1, not to node 2: correct node.id, or use another data_dir");
  other = home.spec();
  other.cluster_name = "prod";
  CHECK(home.refusal(other) ==
        "data_dir 'N1' belongs to cluster 'demo', not to cluster 'prod': correct cluster.name, or "
        "use another data_dir");
}

TEST_CASE("a directory with somebody else's files is refused") {
  const Home home;
  fs::create_directory(home.path());
  test::write_file(home / "thesis.tex", "\\begin{document}");
  CHECK(
      home.refusal(home.spec()) ==
      "'N1' isn't a data directory of Chronik (it has 'thesis.tex' and no node.meta): use an empty "
      "or a new data_dir");
}

TEST_CASE("a wiped node.meta beside data is refused, never formatted over") {
  const Home home;
  home.start(home.spec());
  test::write_file(home / "log_storage/main/journal", "records");
  fs::remove(home / "node.meta");
  CHECK(home.refusal(home.spec()) ==
        "'N1' isn't a data directory of Chronik (it has 'log_storage' and no node.meta): use an "
        "empty or a new data_dir");
}

TEST_CASE("a damaged node.meta is refused as damage, one of a newer version as such") {
  const Home home;
  home.start(home.spec());
  const nlohmann::json good = meta_of(home);
  const std::string tail = "): bring it back from a backup, or use another data_dir to start anew";
  const auto refusal = [&](const std::string& text) {
    test::write_file(home / "node.meta", text);
    return home.refusal(home.spec(), Code::kDataLoss);
  };
  CHECK(refusal("") == "'N1/node.meta' is damaged (not JSON" + tail);
  CHECK(refusal(good.dump().substr(0, 100)) == "'N1/node.meta' is damaged (not JSON" + tail);
  nlohmann::json bad = good;
  bad["cluster_id"] = "12";
  CHECK(refusal(bad.dump()) == "'N1/node.meta' is damaged (an id isn't a UUID" + tail);
  bad = good;
  bad["default_store"] = "other";
  CHECK(refusal(bad.dump()) == "'N1/node.meta' is damaged (the default store is unknown" + tail);
  for (const auto& [key, value] : good.items()) {
    bad = good;
    bad.erase(key);
    CHECK(refusal(bad.dump()).find("'N1/node.meta' is damaged (") == 0);
    bad[key] = nullptr;
    CHECK(refusal(bad.dump()).find("'N1/node.meta' is damaged (") == 0);
  }
  bad = good;
  bad["format"] = 2;
  test::write_file(home / "node.meta", bad.dump());
  CHECK(home.refusal(home.spec()) ==
        "'N1/node.meta' has format 2, but this version of Chronik knows format 1: run the version "
        "that wrote it");
}

TEST_CASE("a place that can't hold a data directory is refused") {
  const Home home;
  test::write_file(home.path(), "a file");
  CHECK(home.refusal(home.spec()) == "data_dir 'N1' can't be used: 'N1' isn't a directory");
  DataDirSpec beneath = home.spec();
  beneath.path += "/below";
  CHECK(home.refusal(beneath) == "data_dir 'N1/below' can't be used: 'N1' isn't a directory");
}

TEST_CASE("a directory that can't be written is refused") {
  const Home home;
  fs::permissions(home.outside(), fs::perms(0755));
  // Root may write anywhere.
  const bool is_root = geteuid() == 0;
  constexpr uid_t kNobody = 65534;
  if (!is_root) fs::permissions(home.outside(), fs::perms(0555));
  if (is_root) REQUIRE(seteuid(kNobody) == 0);
  const std::string refusal = home.refusal(home.spec(), Code::kPermissionDenied);
  if (is_root) REQUIRE(seteuid(0) == 0);
  if (!is_root) fs::permissions(home.outside(), fs::perms(0755));
  CHECK(
      refusal ==
      "data_dir 'N1' isn't writable: 'TMP': Permission denied: correct its owner and mode, or use "
      "another data_dir");
}

// ---- Stores

TEST_CASE("a store stays with the plugin that wrote it") {
  const Home home;
  home.start(home.spec());
  const std::string tail =
      "put 'plugin = segment_wal' back, or use another data_dir (or move this "
      "one aside) to start empty";
  CHECK(
      home.refusal(home.spec({{"main", "lmdb", false}})) ==
      "log storage 'main' in 'N1' was written by plugin 'segment_wal', which 'lmdb' can't read: " +
          tail);
  CHECK(home.refusal(home.spec({kMemory})) ==
        "log storage 'main' in 'N1' was written by plugin 'segment_wal', which 'memory' can't "
        "read: " +
            tail);
}

TEST_CASE("a store that node.meta knows must be there, in the config and on disk") {
  const Home home;
  const StoreSpec small{"small", "lmdb", false};
  home.start(home.spec({kWal, small}));
  CHECK(home.refusal(home.spec()) ==
        "data_dir 'N1' has log storage 'small' (plugin 'lmdb'), but the config doesn't: put "
        "[log_storage.small] back, or use another data_dir");
  CHECK(
      home.refusal(home.spec({small, kWal})) ==
      "the default log storage of 'N1' is 'main' and can't become 'small': put [log_storage.main] "
      "first again");
  fs::remove_all(home / "log_storage/small");
  CHECK(home.refusal(home.spec({kWal, small})) ==
        "the files of log storage 'small' are gone: 'N1/log_storage/small' is missing: bring it "
        "back, or use another data_dir to start anew");
}

TEST_CASE("a store that was in use and is empty now is refused, not started anew") {
  const Home home;
  home.start(home.spec());
  home.start(home.spec());  // as after a crash between formatting and the storage's first file
  const Uuid id = [&] {
    DataDir dir = home.open(home.spec());
    test::write_file(home / "log_storage/main/journal", "records");
    CHECK(dir.confirm_start().ok());
    return dir.stores()[0].id;
  }();
  CHECK(home.open(home.spec()).stores()[0].id == id);
  fs::remove(home / "log_storage/main/journal");
  CHECK(
      home.refusal(home.spec()) ==
      "the files of log storage 'main' are gone: 'N1/log_storage/main' is empty: bring them back, "
      "or use another data_dir to start anew");
}

TEST_CASE("a store may be added, but not over files that nobody knows") {
  const Home home;
  home.start(home.spec());
  const StoreSpec small{"small", "lmdb", false};
  fs::create_directory(home / "log_storage/small");
  test::write_file(home / "log_storage/small/data.mdb", "?");
  CHECK(
      home.refusal(home.spec({kWal, small})) ==
      "log storage 'small' is new to 'N1', but 'N1/log_storage/small' has files already: move them "
      "away, or choose another name");
  fs::remove(home / "log_storage/small/data.mdb");
  const Uuid main = home.open(home.spec()).stores()[0].id;
  const DataDir dir = home.open(home.spec({kWal, small}));
  CHECK(dir.stores()[0].id == main);
  CHECK_FALSE(dir.is_new_cluster());
  CHECK(meta_of(home)["stores"]["small"]["id"] == to_string(dir.stores()[1].id));
}

// ---- Volatile stores

TEST_CASE("a volatile default store makes a new cluster at each start") {
  const Home home;
  std::optional<DataDir> dir(home.open(home.spec({kMemory})));
  const Uuid cluster = dir->cluster_id();
  const Uuid directory = dir->directory_id();
  const Uuid store = dir->stores()[0].id;
  CHECK(dir->is_new_cluster());
  dir.reset();
  dir.emplace(home.open(home.spec({kMemory})));
  CHECK(dir->is_new_cluster());
  CHECK(dir->cluster_id() != cluster);
  CHECK(dir->stores()[0].id != store);
  CHECK(dir->directory_id() == directory);
  CHECK(meta_of(home)["cluster_id"] == to_string(dir->cluster_id()));
}

TEST_CASE("a volatile store gets a fresh id, the persistent default beside it keeps its own") {
  const Home home;
  const StoreSpec fast{"fast", "memory", true};
  std::optional<DataDir> dir(home.open(home.spec({kWal, fast})));
  const Uuid cluster = dir->cluster_id();
  const Uuid main = dir->stores()[0].id;
  const Uuid volatile_id = dir->stores()[1].id;
  dir.reset();
  fs::remove_all(home / "log_storage/fast");  // nobody misses it
  dir.emplace(home.open(home.spec({kWal, fast})));
  CHECK_FALSE(dir->is_new_cluster());
  CHECK(dir->cluster_id() == cluster);
  CHECK(dir->stores()[0].id == main);
  CHECK(dir->stores()[1].id != volatile_id);
  dir.reset();
  home.start(home.spec());  // and it may go
}

TEST_CASE("a volatile default may become persistent: a new cluster, whose data then stays") {
  const Home home;
  home.start(home.spec({kMemory}));
  std::optional<DataDir> dir(home.open(home.spec()));
  CHECK(dir->is_new_cluster());
  const Uuid cluster = dir->cluster_id();
  dir.reset();
  dir.emplace(home.open(home.spec()));
  CHECK_FALSE(dir->is_new_cluster());
  CHECK(dir->cluster_id() == cluster);
}

// ---- Around it

TEST_CASE("checking touches nothing") {
  const Home home;
  CHECK(check_data_dir(home.spec()).ok());
  CHECK_FALSE(fs::exists(home.path()));
}

TEST_CASE("what made the node give up is there at the next start, until it is cleared") {
  const Home home;
  home.open(home.spec()).record_failure("log storage 'main': fdatasync: Input/output\nerror");
  DataDir dir = home.open(home.spec());
  CHECK(dir.last_failure() == "log storage 'main': fdatasync: Input/output error");
  CHECK(dir.confirm_start().ok());
  CHECK(dir.last_failure().empty());
  CHECK_FALSE(fs::exists(home / "last_failure"));
}

TEST_CASE("the config says what the data directory has to be") {
  ConfigSources sources;
  sources.executable_directory = "/x/bin";
  sources.arguments = {"--node.id=7",
                       "--node.data_dir=/d",
                       "--cluster.name=demo",
                       "--log_storage.a.plugin=segment_wal",
                       "--log_storage.b.plugin=memory",
                       "--log_storage.b.volatile=accept"};
  const Result<NodeConfig> config = load_config(sources, test::registry());
  REQUIRE(config.ok());
  const DataDirSpec spec = data_dir_spec(config.value());
  CHECK(spec.path == "/d");
  CHECK(spec.node == NodeId(7));
  CHECK(spec.cluster_name == "demo");
  REQUIRE(spec.stores.size() == 2);
  CHECK(spec.stores[0].plugin == "segment_wal");
  CHECK_FALSE(spec.stores[0].is_volatile);
  CHECK(spec.stores[1].is_volatile);
}

}  // namespace
}  // namespace chronik
