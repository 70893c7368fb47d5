// Plays the scenario files: our own, which are beside this file, and the published ones of
// etcd-io/raft where they are present.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "raft_scenarios/scenario.h"

namespace chronik::raft::scenario {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> text_files_under(const fs::path& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".txt" && entry.path().filename() != "CMakeLists.txt")
      paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

void expect_equal(const std::string& path) {
  INFO(path);
  bool ok = false;
  const Played played = play_scenario(read_file(path, &ok));
  REQUIRE(ok);
  CHECK(played.commands > 0);
  for (const Difference& difference : played.differences) {
    UNSCOPED_INFO(describe(path, difference));
    CHECK(difference.actual == difference.expected);
  }
}

TEST_CASE("our own stories play as written, and say first what they tell") {
  for (const std::string& path : text_files_under(CHRONIK_SCENARIO_FOLDER)) {
    bool ok = false;
    CHECK(read_file(path, &ok).starts_with("# "));
    expect_equal(path);
  }
}

TEST_CASE("the published scenarios play equal in everything but log lines") {
  const char* named = std::getenv("CHRONIK_PUBLISHED_SCENARIOS");
  const fs::path folder = named ? fs::path(named) : fs::path(CHRONIK_PUBLISHED_SCENARIOS_DEFAULT);
  if (!fs::exists(folder)) {
    WARN("skipped: no published scenarios at " << folder);
    return;
  }
  size_t count = 0;
  for (const std::string& path : text_files_under(folder)) {
    expect_equal(path);
    ++count;
  }
  CHECK(count > 0);
}

TEST_CASE("a file is written back with the actual output in place of the expected one") {
  const Played played = play(
      "# story\nsay hello\n----\nwrong\n\nsay \\\n  twice\nin put\n----\n",
      [](const Command& command) { return command.words().front() + " [" + command.input + "]"; });
  CHECK(played.text ==
        "# story\nsay hello\n----\nhello []\n\nsay \\\n  twice\nin put\n----\ntwice [in put]\n");
  CHECK(played.differences.size() == 2);
}

TEST_CASE("output with empty lines is written between double separators, and read back") {
  const auto run = [](const Command&) { return std::string("a\n\nb"); };
  const Played once = play("say\n----\n", run);
  CHECK(once.text == "say\n----\n----\na\n\nb\n----\n----\n");
  const Played again = play(once.text, run);
  CHECK(again.text == once.text);
  CHECK(again.differences.empty());
}

TEST_CASE("arguments may be words, values and lists") {
  (void)play("do it key=value empty= list=(a, b c,(d,e))\n----\n", [](const Command& command) {
    CHECK(command.words() == std::vector<std::string>{"it"});
    CHECK(command.values_of("key") == std::vector<std::string>{"value"});
    CHECK(command.values_of("empty") == std::vector<std::string>{""});
    CHECK(command.values_of("list") == std::vector<std::string>{"a", "b c", "(d,e)"});
    return "";
  });
}

TEST_CASE("log lines are set aside in comparisons") {
  CHECK(equal_but_for_log_lines("INFO 1 became leader\n", "ok\n"));
  CHECK(equal_but_for_log_lines("> 1 x\n  DEBUG y\n", "> 1 x\n"));
  CHECK_FALSE(equal_but_for_log_lines("> 1 x\n", "> 1 y\n"));
  CHECK_FALSE(equal_but_for_log_lines("INFO 1 became leader\n", "> 1 x\n"));
}

}  // namespace
}  // namespace chronik::raft::scenario
