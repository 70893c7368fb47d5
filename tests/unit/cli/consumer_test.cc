// chronik consume, of what chronik produce has stored in the fake.
#include "consumer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli_run.h"
#include "fake_service.h"

namespace chronik::test {
namespace {

using Strings = std::vector<std::string>;

struct Stored {
  explicit Stored(uint32_t partitions) {
    service.add_topic("t", partitions);
    for (int i = 0; i < 1000; ++i)
      input += "k" + std::to_string(i % 7) + "=value " + std::to_string(i) + "\n";
    REQUIRE(run_cli({"produce", "t", "--api", service.address(), "--key-separator", "=",
                     "--batch-bytes", "500"},
                    input)
                .exit == 0);
  }
  CliResult consume(Strings more) {
    Strings args = {"consume", "t", "--api", service.address()};
    args.insert(args.end(), more.begin(), more.end());
    return run_cli(args);
  }
  FakeService service;
  std::string input;
};

Strings sorted_lines(const std::string& text) {
  Strings all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  std::sort(all.begin(), all.end());
  return all;
}

std::string joined(const Strings& values) {
  std::string text;
  for (const std::string& value : values) text += value + "\n";
  return text;
}

}  // namespace

TEST_CASE("all_partitions_are_read_to_their_end") {
  Stored stored(4);
  const CliResult result = stored.consume({"--until-end", "--print-keys"});
  CHECK(result.exit == 0);
  CHECK(result.err.empty());
  std::string expected = stored.input;
  std::replace(expected.begin(), expected.end(), '=', '\t');
  CHECK(sorted_lines(result.out) == sorted_lines(expected));
}

TEST_CASE("one_partition_is_read_in_order") {
  Stored stored(2);
  for (const char* partition : {"0", "1"}) {
    const CliResult result = stored.consume({"--until-end", "--partition", partition});
    CHECK(result.out == joined(stored.service.values("t")[partition[0] - '0']));
  }
}

TEST_CASE("reading_begins_at_an_offset_within_a_batch_and_ends_after_count") {
  Stored stored(1);
  const Strings values = stored.service.values("t")[0];
  const CliResult result =
      stored.consume({"--from", "123", "--count", "5", "--print-offsets", "--json"});
  CHECK(result.exit == 0);
  std::string expected;
  for (size_t i = 123; i < 128; ++i)
    expected += "0\t" + std::to_string(i) + "\t" + values[i] + "\n";
  CHECK(result.out == expected);
  CHECK(nlohmann::json::parse(result.err).at("records") == 5);
}

TEST_CASE("reading_from_the_end_or_the_future_gives_nothing") {
  Stored stored(3);
  CHECK(stored.consume({"--from", "end", "--until-end"}).out.empty());
  CHECK(stored.consume({"--from", "@99999999999999", "--until-end"}).out.empty());
  CHECK(sorted_lines(stored.consume({"--from", "@1000", "--until-end"}).out).size() == 1000);
  CHECK(stored.consume({"--count", "0"}).out.empty());
}

TEST_CASE("a_fetch_that_breaks_goes_on_where_it_stopped") {
  Stored stored(1);
  stored.service.break_fetch_after(3);
  const CliResult result = stored.consume({"--until-end"});
  CHECK(result.exit == 0);
  CHECK(result.out == joined(stored.service.values("t")[0]));
}

TEST_CASE("places_to_start_from_are_parsed") {
  CHECK(cli::parse_start("begin")->kind == cli::StartAt::kBegin);
  CHECK(cli::parse_start("end")->kind == cli::StartAt::kEnd);
  CHECK(cli::parse_start("42")->number == 42);
  CHECK(cli::parse_start("@1700000000000")->kind == cli::StartAt::kTime);
  for (const char* wrong : {"", "@", "-1", "x", "12x", "99999999999999999999"})
    CHECK_FALSE(cli::parse_start(wrong));
}

}  // namespace chronik::test
