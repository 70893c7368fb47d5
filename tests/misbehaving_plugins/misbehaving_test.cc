// Every way in which a library can be no plugin for this host ends in a sentence, and the process
// goes on. What is refused by its place, its mode or its file has not run a line of its code.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "chronik/host/log_storage.hpp"
#include "plugin/abi_status.h"
#include "plugin/host_services.h"
#include "plugin/inspect.h"
#include "plugin/loader.h"
#include "plugin/options.h"
#include "plugin/registry.h"
#include "unit/plugin/temporary_directory.h"

namespace chronik {
namespace {

namespace fs = std::filesystem;
constexpr const char* kRan = "CHRONIK_TEST_PLUGIN_CODE_RAN";

// A plugin directory of the test's own, with copies of the libraries it asks for.
struct Directory {
  TemporaryDirectory temporary;
  std::string path = temporary.path() + "/plugins";

  Directory() {
    fs::create_directory(path);
    fs::permissions(path, fs::perms(0755));
    ::unsetenv(kRan);
  }
  std::string copy(const std::string& name) {
    const std::string to = path + "/" + name + ".so";
    fs::copy_file(std::string(MISBEHAVING_DIRECTORY) + "/" + name + ".so", to,
                  fs::copy_options::overwrite_existing);
    fs::permissions(to, fs::perms(0755));
    return to;
  }
  std::string refusal(const std::string& file) {
    const Result<LoadedPlugin> loaded = load_plugin(file, {path});
    return loaded.ok() ? "(it was loaded)" : std::string(loaded.status().message());
  }
  // Loads a copy of the library; the refusal without the file's name.
  std::string refusal_of(const std::string& name) {
    const std::string file = copy(name);
    const std::string message = refusal(file);
    const std::string start = "plugin " + file + ": ";
    INFO(message);
    CHECK(message.starts_with(start));
    CHECK(message.find('\n') == std::string::npos);
    return message.substr(std::min(start.size(), message.size()));
  }
};

bool has_run() {
  return ::getenv(kRan) != nullptr;
}

}  // namespace

TEST_CASE("a plugin in order is loaded, and loading it again changes nothing") {
  Directory d;
  const std::string file = d.copy("good");
  Registry registry({d.path});
  CHECK(registry.load(file).to_string() == "ok");
  CHECK(registry.load(file).to_string() == "ok");
  REQUIRE(registry.plugins().size() == 1);
  CHECK(registry.plugins()[0].path == file);
  CHECK(registry.find(CHRONIK_KIND_LOG_STORAGE, "good") != nullptr);
}

TEST_CASE("a file that is no library is refused") {
  Directory d;
  const std::string file = d.path + "/text.so";
  std::ofstream(file) << "I am not a library\n";
  CHECK(d.refusal(file) ==
        "plugin " + file +
            ": expected an ELF shared library for this machine, found a file that isn't ELF; put "
            "only plugin libraries here");
  std::ofstream(file, std::ios::trunc).close();
  CHECK(d.refusal(file).find("found an empty file; ") != std::string::npos);
  fs::remove(file);
  fs::create_directory(file);
  CHECK(d.refusal(file).find("found a directory; ") != std::string::npos);
  fs::remove(file);
  REQUIRE(::mkfifo(file.c_str(), 0644) == 0);
  CHECK(d.refusal(file).find("found a special file; ") != std::string::npos);
  fs::remove(file);
  CHECK(d.refusal(file) ==
        "plugin " + file + ": expected an existing file, found: No such file or directory");
  // A program is ELF, and no library; test programs may be position-independent, which looks alike.
  fs::copy_file("/proc/self/exe", file);
  CHECK(d.refusal(file).find("expected") != std::string::npos);
}

TEST_CASE("a library cut off at any length is refused") {
  Directory d;
  const std::string whole = d.copy("good");
  const auto size = fs::file_size(whole);
  std::ifstream stream(whole, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  for (uintmax_t length = 1; length < size; length += 1 + size / 97) {
    const std::string file = d.path + "/cut.so";
    fs::remove(file);
    std::ofstream(file, std::ios::binary) << bytes.substr(0, length);
    INFO(length << " of " << size);
    const std::string message = d.refusal(file);
    CHECK(message.starts_with("plugin " + file + ": expected a"));
    CHECK(message != "(it was loaded)");
    if (length > 100) {
      CHECK(message.find("expected a whole ELF shared library, found one that is truncated; build "
                         "or copy it again") != std::string::npos);
    }
  }
  CHECK_FALSE(has_run());
}

TEST_CASE("a file that others could have written is refused") {
  Directory d;
  const std::string file = d.copy("good");
  fs::permissions(file, fs::perms(0757));
  CHECK(d.refusal(file) == "plugin " + file + ": expected " + file +
                               " to be writable by its owner only, found mode 0757; run chmod go-w "
                               "on it");
  fs::permissions(file, fs::perms(0775));
  CHECK(d.refusal(file).find("found mode 0775; ") != std::string::npos);
  fs::permissions(file, fs::perms(0755));
  fs::permissions(d.path, fs::perms(0777));
  CHECK(d.refusal(file) == "plugin " + file + ": expected " + d.path +
                               " to be writable by its owner only, found mode 0777; run chmod go-w "
                               "on it");
  fs::permissions(d.path, fs::perms(0755));
  fs::permissions(d.temporary.path(), fs::perms(0770));
  CHECK(d.refusal(file).find("expected " + d.temporary.path() + " to be writable by its owner") !=
        std::string::npos);
  fs::permissions(d.temporary.path(), fs::perms(0700));
  if (::geteuid() == 0) {
    REQUIRE(::chown(file.c_str(), 12345, 12345) == 0);
    CHECK(d.refusal(file) == "plugin " + file + ": expected " + file +
                                 " to belong to root or to user 0, found owner 12345; chown it");
  }
  CHECK_FALSE(has_run());
}

TEST_CASE("a file outside the allow-listed directories is refused, also through a link") {
  Directory d;
  Directory elsewhere;
  const std::string file = elsewhere.copy("good");
  const std::string expected = "plugin " + file + ": expected a file directly in " + d.path +
                               ", found one in " + elsewhere.path +
                               "; move it there, or add its directory to plugins.dir";
  CHECK(d.refusal(file) == expected);
  fs::create_symlink(file, d.path + "/good.so");
  CHECK(d.refusal(d.path + "/good.so") == expected);
  CHECK(load_plugin(file, {}).status().message() ==
        "plugin " + file +
            ": expected a file in an allow-listed plugin directory (there is none), found one in " +
            elsewhere.path + "; move it there, or add its directory to plugins.dir");
  CHECK_FALSE(has_run());
}

TEST_CASE("a library without the descriptor's symbol is refused before its code runs") {
  Directory d;
  CHECK(d.refusal_of("no_symbol") ==
        "expected the symbol chronik_plugin_v0, found none of that name; export it with "
        "CHRONIK_PLUGIN, or remove the file if it is no plugin");
  CHECK(d.refusal_of("other_symbol") ==
        "expected the symbol chronik_plugin_v0, found chronik_plugin_v7; the plugin is for another "
        "ABI: build it with this version's SDK");
  CHECK_FALSE(has_run());
}

TEST_CASE("a library with an unresolved symbol is refused") {
  Directory d;
  const std::string message = d.refusal_of("unresolved");
  CHECK(
      message.starts_with("expected a library that loads with all its symbols resolved, found '"));
  CHECK(message.find("chronik_test_function_that_nobody_defines") != std::string::npos);
  CHECK(message.ends_with("; install what it needs, or rebuild it"));
}

TEST_CASE("a descriptor that breaks a rule is refused") {
  Directory d;
  CHECK(d.refusal_of("wrong_major") ==
        "expected ABI 0.x, found ABI 7.1; build the plugin with this version's SDK");
  CHECK(d.refusal_of("short_descriptor")
            .ends_with("found 12; build the plugin with this version's "
                       "SDK"));
  CHECK(d.refusal_of("no_function") ==
        "component log_storage 'bad': expected the function read, found NULL; it is mandatory for "
        "this kind: implement it");
  CHECK(d.refusal_of("bad_default") ==
        "component log_storage 'bad': option 'capacity': default: expected at least 1MiB, found "
        "'1KiB'");
  CHECK(d.refusal_of("wrong_sanitizer")
            .ends_with("found one built with msan; build it like this "
                       "program"));
}

TEST_CASE("a library of another sanitizer is refused before its runtime can end the process") {
  Directory d;
  if (std::string_view(CHRONIK_BUILD_SANITIZER) != "plain") return;
  CHECK(
      d.refusal_of("really_asan") ==
      "expected a plugin built without a sanitizer, found one built with asan; build it like this "
      "program");
  CHECK_FALSE(has_run());
}

TEST_CASE("a directory's good plugins load beside those that are refused") {
  Directory d;
  d.copy("good");
  d.copy("no_function");
  d.copy("namesake");
  d.copy("wrong_major");
  std::ofstream(d.path + "/notes.txt") << "not looked at";
  std::ofstream(d.path + "/text.so") << "text";
  Registry registry({d.path, d.temporary.path() + "/missing"});
  REQUIRE(registry.load_allowed_directories().ok());
  CHECK(registry.names(CHRONIK_KIND_LOG_STORAGE) == std::vector<std::string>{"good"});
  REQUIRE(registry.refusals().size() == 4);
  CHECK(registry.refusals()[0].path == d.path + "/namesake.so");
  CHECK(registry.refusals()[0].status.code() == Code::kAlreadyExists);
  CHECK(registry.refusals()[0].status.message() ==
        "plugin " + d.path + "/namesake.so: its log_storage 'good' has the name of one in " +
            d.path + "/good.so; remove one of the two");
  CHECK(registry.refusals()[1].path == d.path + "/no_function.so");
  CHECK(registry.refusals()[2].path == d.path + "/text.so");
  CHECK(registry.refusals()[3].path == d.path + "/wrong_major.so");
  CHECK(
      registry.unknown(CHRONIK_KIND_LOG_STORAGE, "wrong_major").message() ==
      "no log_storage plugin named 'wrong_major': it was refused: plugin " + d.path +
          "/wrong_major.so: expected ABI 0.x, found ABI 7.1; build the plugin with this version's "
          "SDK");
}

TEST_CASE("a directory that isn't allow-listed, or isn't there, is not scanned") {
  Directory d;
  Registry registry({d.path});
  CHECK(registry.load_directory(d.temporary.path()).message() ==
        "plugin directory " + d.temporary.path() + ": expected one of plugins.dir (" + d.path +
            "); add it there");
  CHECK(registry.load_directory(d.path + "/x").message() ==
        "plugin directory " + d.path + "/x: No such file or directory");
}

namespace {

// An instance of the component "bad" of a library.
struct BadInstance {
  Registry registry;
  LogSink sink{CHRONIK_LOG_OFF};
  HostServices services{{}, &sink};
  std::unique_ptr<InstanceHost> host =
      services.make_host(CHRONIK_KIND_LOG_STORAGE, "bad", "main", "", nullptr);
  chronik_log_storage_environment environment{};
  std::unique_ptr<host::LogStorage> log;

  sdk::Status create(Directory& d, const std::string& name) {
    registry = Registry({d.path});
    REQUIRE(registry.load(d.copy(name)).ok());
    const ComponentEntry* entry = registry.find(CHRONIK_KIND_LOG_STORAGE, "bad");
    REQUIRE(entry != nullptr);
    auto config = parse_options(options_of(*entry->component), {}, "main", "");
    REQUIRE(config.ok());
    return host::LogStorage::create(*entry->component, host->abi(), environment, *config->config(),
                                    log);
  }
};

}  // namespace

TEST_CASE("a plugin that throws in create leaves an error and no instance") {
  Directory d;
  BadInstance bad;
  CHECK(to_kernel(bad.create(d, "throws_in_create")).to_string() ==
        "internal: exception in plugin: no luck today");
  CHECK(bad.log == nullptr);
}

TEST_CASE("a plugin that throws in a call on the data path returns an error") {
  Directory d;
  BadInstance bad;
  REQUIRE(bad.create(d, "throws_in_read").ok());
  REQUIRE(bad.log->start().ok());
  CHECK(to_kernel(bad.log->read({})).to_string() == "internal: reading the log");
  bad.log->stop_and_wait();
}

TEST_CASE("inspect and list survive what they open") {
  Directory d;
  const auto inspect = [&](const std::string& name, std::string* errors = nullptr) {
    std::ostringstream out;
    std::ostringstream err;
    const int status = plugin_command({"inspect", d.copy(name)}, {}, out, err);
    if (errors != nullptr) *errors = err.str();
    return std::pair(status, out.str());
  };
  std::string errors;

  const auto [status, text] = inspect("good", &errors);
  CHECK(status == 0);
  CHECK(errors.empty());
  CHECK(text.find("log_storage good") != std::string::npos);
  CHECK(text.find("capacity  bytes     1MiB     at least 1MiB  How much to keep.") !=
        std::string::npos);
  CHECK_FALSE(has_run());  // in the child only

  CHECK(inspect("crashes", &errors).first == 1);
  CHECK(errors == "plugin " + d.path +
                      "/crashes.so: opening it ended the process with signal 6 (Aborted); it would "
                      "do the same to a node\n");
  CHECK(inspect("exits", &errors).first == 1);
  CHECK(errors == "plugin " + d.path +
                      "/exits.so: opening it ended the process with exit status 7; it would do the "
                      "same to a node\n");
  CHECK(inspect("prints", &errors).second.find("org.example.misbehaving") != std::string::npos);
  CHECK(inspect("wrong_major", &errors).first == 1);
  CHECK(errors.find("expected ABI 0.x, found ABI 7.1") != std::string::npos);

  std::ostringstream out;
  std::ostringstream err;
  CHECK(plugin_command({"list"}, {d.path}, out, err) == 1);
  CHECK(
      out.str().starts_with("KIND           NAME             VERSION    FILE\n"
                            "log_storage    good             1.0.0      " +
                            d.path + "/good.so\n"));
  CHECK(err.str().find("refused: plugin " + d.path + "/crashes.so: opening it ended") !=
        std::string::npos);

  std::ostringstream json;
  CHECK(plugin_command({"list", "--dir", d.path, "--json"}, {}, json, err) == 1);
  CHECK(json.str().find("\"refused\": [") != std::string::npos);
  CHECK(plugin_command({"list", "--dir", "/nonexistent"}, {}, out, err) == 1);
  CHECK(plugin_command({"inspcet"}, {}, out, err) == 2);
  CHECK(plugin_command({"inspect", "x", "--jsn"}, {}, out, err) == 2);
}

}  // namespace chronik
