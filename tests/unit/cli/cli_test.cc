// Command lines, help, errors, and the verbs that aren't about records.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "cli_run.h"
#include "fake_service.h"
#include "line_reader.h"
#include "nearest.h"

namespace chronik::test {

using Strings = std::vector<std::string>;

TEST_CASE("nearest_names_are_those_a_few_typing_errors_away") {
  const Strings names = {"produce", "consume", "status", "topic"};
  CHECK(cli::nearest("prodcue", names) == Strings{"produce"});
  CHECK(cli::nearest("consum", names) == Strings{"consume"});
  CHECK(cli::nearest("st", names) == Strings{"status"});
  CHECK(cli::nearest("xyz", names).empty());
  CHECK(cli::did_you_mean("topik", names) == "; did you mean 'topic'?");
}

TEST_CASE("lines_are_split_whatever_the_reads_are") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  cli::LineReader reader(ends[0], 1000);
  const auto write = [&](std::string_view bytes) {
    REQUIRE(::write(ends[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  };
  write("one\ntwo\nthr");
  auto lines = reader.next();
  CHECK(Strings(lines.begin(), lines.end()) == Strings{"one", "two"});
  CHECK(reader.first_line() == 1);
  write(std::string_view("ee\n\n\0x\r\nlast", 12));
  lines = reader.next();
  CHECK(Strings(lines.begin(), lines.end()) == Strings{"three", "", std::string("\0x\r", 3)});
  CHECK(reader.first_line() == 3);
  ::close(ends[1]);
  lines = reader.next();
  CHECK(Strings(lines.begin(), lines.end()) == Strings{"last"});
  CHECK(reader.first_line() == 6);
  CHECK(reader.next().empty());
  CHECK_FALSE(reader.error());
  ::close(ends[0]);
}

TEST_CASE("long_input_is_split_right_and_too_long_lines_are_named") {
  std::string content;
  Strings expected;
  for (int i = 0; i < 5000; ++i) {
    expected.push_back(std::string(static_cast<size_t>(i * 37 % 1000), 'a' + i % 26));
    content += expected.back() + "\n";
  }
  const int fd = file_with(content);
  cli::LineReader reader(fd, 1 << 20);
  Strings all;
  while (true) {
    const auto& lines = reader.next();
    if (lines.empty()) break;
    CHECK(reader.first_line() == all.size() + 1);
    all.insert(all.end(), lines.begin(), lines.end());
  }
  CHECK(all == expected);
  ::close(fd);

  const int long_fd = file_with("short\n" + std::string(3 << 20, 'x') + "\nnever\n");
  cli::LineReader limited(long_fd, 1 << 20);
  CHECK(limited.next().size() == 1);
  CHECK(limited.next().empty());
  REQUIRE(limited.error());
  CHECK(*limited.error() == "line 2 is longer than the limit of 1048576 bytes for one record");
  ::close(long_fd);
}

TEST_CASE("wrong_usage_is_explained_with_exit_status_2") {
  CliResult result = run_cli({"prodcue", "news"});
  CHECK(result.exit == 2);
  CHECK(result.err.find("there is no verb 'prodcue'; did you mean 'produce'?") == 9);
  result = run_cli({"topic", "creat", "news"});
  CHECK(result.exit == 2);
  CHECK(result.err.find("did you mean 'create'?") != std::string::npos);
  result = run_cli({"topic", "create", "news", "--partition", "3"});
  CHECK(result.exit == 2);
  CHECK(result.err.find("there is no option --partition; did you mean '--partitions'?") !=
        std::string::npos);
  result = run_cli({"topic", "create"});
  CHECK(result.exit == 2);
  CHECK(result.err.find("NAME is missing") != std::string::npos);
  CHECK(run_cli({"produce", "t", "--acks", "2"}).exit == 2);
  CHECK(run_cli({"produce", "t", "--timeout", "soon"}).exit == 2);
  CHECK(run_cli({"consume", "t", "--from", "yesterday"}).exit == 2);
  CHECK(run_cli({"consume", "t", "--count", "many"}).exit == 2);
  CHECK(run_cli({"consume", "t", "u"}).exit == 2);
  CHECK(run_cli({}).exit == 2);
}

TEST_CASE("help_teaches_with_examples") {
  for (const Strings& args : {Strings{"--help"}, Strings{"produce", "--help"},
                              Strings{"consume", "-h"}, Strings{"topic", "create", "--help"},
                              Strings{"topic", "--help"}, Strings{"status", "--help"}}) {
    const CliResult result = run_cli(args);
    CHECK(result.exit == 0);
    CHECK(result.out.find("chronik ") != std::string::npos);
    CHECK(result.err.empty());
  }
  CHECK(run_cli({"produce", "--help"}).out.find("tail -f access.log") != std::string::npos);
}

TEST_CASE("a_node_that_isnt_there_is_named_with_exit_status_3") {
  FakeService service;
  const std::string address = service.address();
  service.kill();
  for (const Strings& verb : {Strings{"status"}, Strings{"topic", "list"}, Strings{"produce", "t"},
                              Strings{"consume", "t"}, Strings{"topic", "create", "t"}}) {
    Strings args = {"--api", address};
    args.insert(args.end(), verb.begin(), verb.end());
    const CliResult result = run_cli(args);
    CHECK(result.exit == 3);
    CHECK(result.err.find("no node answers at " + address + " (Connection refused)") !=
          std::string::npos);
    CHECK(result.err.find("chronikd --config") != std::string::npos);
  }
}

TEST_CASE("an_unknown_topic_is_answered_with_similar_ones") {
  FakeService service;
  service.add_topic("access-log", 1);
  CliResult result = run_cli({"--api", service.address(), "consume", "acces-log"});
  CHECK(result.exit == 1);
  CHECK(result.err == "chronik: no topic named 'acces-log'; did you mean 'access-log'?\n");
  result = run_cli({"--api", service.address(), "produce", "orders"});
  CHECK(result.exit == 1);
  CHECK(result.err.find("chronik topic list shows the 1 there is") != std::string::npos);
}

TEST_CASE("a_partition_out_of_range_is_answered_with_how_many_there_are") {
  FakeService service;
  service.add_topic("t", 4);
  for (const char* verb : {"produce", "consume"}) {
    const CliResult result = run_cli({verb, "t", "--partition", "4", "--api", service.address()});
    CHECK(result.exit == 1);
    CHECK(result.err == "chronik: topic 't' has 4 partitions, numbered from 0; there is no 4\n");
  }
}

TEST_CASE("topics_and_status_are_printed_for_people_and_as_json") {
  FakeService service;
  const std::string api = service.address();
  CHECK(run_cli({"--api", api, "topic", "create", "t", "--partitions", "3"}).out ==
        "created topic 't': 3 partitions, replication 1\n");
  CHECK(run_cli({"--api", api, "topic", "list"}).out.find("t ") != std::string::npos);
  const auto list = nlohmann::json::parse(run_cli({"--json", "--api", api, "topic", "list"}).out);
  CHECK(list.at(0).at("name") == "t");
  CHECK(list.at(0).at("partitions") == 3);
  const auto topic =
      nlohmann::json::parse(run_cli({"topic", "describe", "t", "--json", "--api", api}).out);
  CHECK(topic.at("partition_states").size() == 3);
  CHECK(run_cli({"topic", "describe", "t", "--api", api}).exit == 0);
  const auto status = nlohmann::json::parse(run_cli({"status", "--json", "--api", api}).out);
  CHECK(status.at("cluster") == "demo");
  CHECK(status.at("replicas").at(0).at("role") == "fenced");
  const std::string text = run_cli({"status", "--api", api}).out;
  CHECK(text.find("node 1 of cluster 'demo', version 0.1.0, up 1 min 1 s") == 0);
  CHECK(text.find("broken invariant") != std::string::npos);
  CHECK(run_cli({"topic", "delete", "t", "--api", api}).out ==
        "deleted topic 't' and its records\n");
  CHECK(run_cli({"topic", "delete", "t", "--api", api}).exit == 1);
}

}  // namespace chronik::test
