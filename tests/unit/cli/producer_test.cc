// Batching, partitioning, retries: against a ledger that counts what arrived.
#include "producer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "chronik/format/partitioner.hpp"
#include "cli_run.h"
#include "fake_service.h"

namespace chronik::test {
namespace {

using Strings = std::vector<std::string>;

std::string lines(size_t count, size_t first = 0) {
  std::string text;
  for (size_t i = first; i < first + count; ++i)
    text += "record " + std::to_string(i) + std::string(i % 50, '.') + "\n";
  return text;
}

Strings split(const std::string& text) {
  Strings all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

// Every line once, and those of each partition in the order of the input.
void check_ledger(FakeService& service, const std::string& topic, const std::string& input) {
  const Strings sent = split(input);
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < sent.size(); ++i) places[sent[i]] = i;
  size_t count = 0;
  for (const Strings& partition : service.values(topic)) {
    size_t last = 0;
    for (size_t i = 0; i < partition.size(); ++i) {
      const size_t place = places.at(partition[i]);
      if (i > 0 && place <= last) FAIL("out of order or twice: " << partition[i]);
      last = place;
    }
    count += partition.size();
  }
  CHECK(count == sent.size());
}

CliResult produce(FakeService& service, const std::string& input, Strings more = {}) {
  Strings args = {"produce", "t", "--api", service.address()};
  args.insert(args.end(), more.begin(), more.end());
  return run_cli(args, input);
}

}  // namespace

TEST_CASE("lines_are_stored_once_each_and_in_order") {
  FakeService service;
  service.add_topic("t", 4);
  const std::string input = lines(50'000);
  const CliResult result = produce(service, input, {"--batch-bytes", "4KiB"});
  CHECK(result.exit == 0);
  CHECK(result.out.find("50000 records acknowledged") == 0);
  CHECK(result.err.empty());
  check_ledger(service, "t", input);
  for (const Strings& partition : service.values("t")) CHECK_FALSE(partition.empty());
  CHECK(service.out_of_order() == 0);
  CHECK(service.duplicates() == 0);
}

TEST_CASE("any_bytes_are_records_and_a_last_line_needs_no_newline") {
  FakeService service;
  service.add_topic("t", 1);
  const std::string binary("\0\xff\r", 3);
  CHECK(produce(service, "a\n\n" + binary + "\nlast").exit == 0);
  CHECK(service.values("t")[0] == Strings{"a", "", binary, "last"});
}

TEST_CASE("no_input_is_no_records") {
  FakeService service;
  service.add_topic("t", 1);
  const CliResult result = produce(service, "");
  CHECK(result.exit == 0);
  CHECK(result.out == "0 records acknowledged\n");
}

TEST_CASE("keyed_records_go_where_murmur2_says") {
  FakeService service;
  service.add_topic("t", 5);
  std::string input;
  for (int i = 0; i < 1000; ++i)
    input += "key" + std::to_string(i % 37) + "::value " + std::to_string(i) + "\n";
  input += "no key\n";
  CHECK(produce(service, input, {"--key-separator", "::"}).exit == 0);
  const auto keys = service.keys("t");
  size_t keyless = 0;
  size_t count = 0;
  for (uint32_t partition = 0; partition < 5; ++partition) {
    for (const std::string& key : keys[partition]) {
      ++count;
      if (key == "(none)") {
        ++keyless;
      } else {
        CHECK(format::partition_for_key(key, 5) == partition);
      }
    }
  }
  CHECK(count == 1001);
  CHECK(keyless == 1);
}

TEST_CASE("one_partition_can_be_chosen") {
  FakeService service;
  service.add_topic("t", 3);
  CHECK(produce(service, lines(100), {"--partition", "1"}).exit == 0);
  CHECK(service.values("t")[1].size() == 100);
}

TEST_CASE("keyless_records_stay_together_until_their_batch_leaves") {
  // Nothing can leave before the node answers the first batches, so the others fill up.
  FakeService service;
  service.add_topic("t", 2);
  cli::ProducerOptions options;
  options.topic = "t";
  options.partitions = 2;
  options.producer_id = 8;
  options.batch_bytes = 1000;
  options.max_inflight_batches = 1;
  service.withhold_answers(true);
  cli::Producer producer(service.address(), options);
  const std::string value(100, 'x');
  std::vector<cli::InputRecord> records(1, {{}, value});
  CHECK(producer.append(records, 1));
  service.wait_stored(1);
  CHECK(producer.append(records, 2));
  service.wait_stored(2);
  records.resize(40, {{}, value});
  CHECK(producer.append(records, 3));
  service.withhold_answers(false);
  service.kill();
  service.start();
  CHECK_FALSE(producer.finish());
  CHECK(producer.counts().acknowledged == 42);
  const std::vector<size_t> sizes = service.batch_sizes("t");
  CHECK(std::count(sizes.begin(), sizes.end(), 8u) >= 4);  // full ones
  CHECK(service.values("t")[0].size() + service.values("t")[1].size() == 42);
}

TEST_CASE("acknowledged_records_are_logged_with_partition_offset_and_line") {
  FakeService service;
  service.add_topic("t", 3);
  const std::string input = lines(2000);
  const std::string path = "/tmp/chronik_acked_" + std::to_string(::getpid());
  CHECK(produce(service, input, {"--acked-log", path, "--batch-bytes", "1KiB"}).exit == 0);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const Strings log = split(content_of(fd));
  ::close(fd);
  ::unlink(path.c_str());
  REQUIRE(log.size() == 2000);
  const Strings sent = split(input);
  const auto stored = service.values("t");
  for (const std::string& entry : log) {
    std::istringstream in(entry);
    size_t partition = 0;
    size_t offset = 0;
    size_t line = 0;
    in >> partition >> offset >> line;
    CHECK(stored.at(partition).at(offset) == sent.at(line - 1));
  }
}

TEST_CASE("a_node_that_dies_and_returns_gets_the_same_batches_again") {
  FakeService service;
  service.add_topic("t", 3);
  const std::string input = lines(20'000);
  std::thread nemesis([&] {
    for (int round = 0; round < 4; ++round) {
      // What is stored from now on isn't answered, so the producer can't know.
      service.wait_stored(service.batches() + 20);
      service.withhold_answers(true);
      service.wait_stored(service.batches() + 1);
      service.kill();
      service.withhold_answers(false);
      service.start();
    }
  });
  const CliResult result = produce(service, input, {"--batch-bytes", "1KiB", "--json"});
  nemesis.join();
  CHECK(result.exit == 0);
  const auto summary = nlohmann::json::parse(result.out);
  CHECK(summary.at("acknowledged") == 20'000);
  CHECK(summary.at("resent_batches") >= 4);
  check_ledger(service, "t", input);
  CHECK(service.duplicates() >= 4);
}

TEST_CASE("a_batch_refused_for_now_is_sent_again_before_those_behind_it") {
  FakeService service;
  service.add_topic("t", 2);
  const pb::Code code = GENERATE(pb::CODE_RESOURCE_EXHAUSTED, pb::CODE_UNAVAILABLE,
                                 pb::CODE_NOT_LEADER, pb::CODE_NO_SPACE, pb::CODE_UNKNOWN);
  service.refuse({0, 7, 8, 30, 31, 50}, code);
  const std::string input = lines(10'000);
  const CliResult result = produce(service, input, {"--batch-bytes", "1KiB"});
  CHECK(result.exit == 0);
  check_ledger(service, "t", input);
}

TEST_CASE("the_leader_that_is_named_gets_the_batches") {
  FakeService follower;
  FakeService leader;
  follower.add_topic("t", 2);
  leader.add_topic("t", 2);
  follower.lead_elsewhere(leader.address());
  const std::string input = lines(5000);
  CHECK(produce(follower, input).exit == 0);
  check_ledger(leader, "t", input);
  CHECK(follower.batches() == 0);
}

TEST_CASE("a_batch_refused_for_good_ends_it_with_its_line") {
  FakeService service;
  service.add_topic("t", 1);
  service.refuse({0}, pb::CODE_INVALID_ARGUMENT, 87, "no such luck");
  const CliResult result = produce(service, "only\n");
  CHECK(result.exit == 1);
  CHECK(result.out == "0 records acknowledged\n");
  CHECK(result.err ==
        "1 refused, 0 in doubt, 0 read but not sent\n"
        "chronik: line 1 was refused: no such luck (invalid_argument)\n");
}

TEST_CASE("a_node_that_never_answers_leaves_the_records_in_doubt") {
  FakeService service;
  service.add_topic("t", 1);
  service.withhold_answers(true);
  const CliResult result = produce(service, "a\nb\n", {"--timeout", "300ms", "--json"});
  CHECK(result.exit == 4);
  const auto summary = nlohmann::json::parse(result.out);
  CHECK(summary.at("in_doubt").get<int>() + summary.at("unsent").get<int>() == 2);
  CHECK(summary.at("in_doubt").get<int>() >= 1);
  CHECK(result.err.find("nothing was acknowledged for 0.3 s") != std::string::npos);
}

TEST_CASE("a_node_that_goes_for_good_is_given_up_after_the_timeout") {
  FakeService service;
  service.add_topic("t", 1);
  cli::ProducerOptions options;
  options.topic = "t";
  options.timeout = std::chrono::milliseconds(300);
  cli::Producer producer(service.address(), options);
  const std::vector<cli::InputRecord> one(1, {{}, "x"});
  CHECK(producer.append(one, 1));
  service.wait_stored(1);
  while (producer.counts().acknowledged == 0) std::this_thread::yield();
  service.kill();
  producer.append(one, 2);
  const auto failure = producer.finish();
  REQUIRE(failure);
  CHECK((failure->exit == cli::kUnreachable || failure->exit == cli::kInDoubt));
  CHECK(producer.counts().acknowledged == 1);
}

TEST_CASE("a_record_that_is_too_large_is_named") {
  FakeService service;
  service.add_topic("t", 1);
  service.set_max_batch_bytes(10'000);
  const CliResult result = produce(service, "fits\n" + std::string(20'000, 'x') + "\nnever\n");
  CHECK(result.exit == 1);
  CHECK(result.err.find("line 2 is too large for a record: 20000 bytes, and a batch may have "
                        "10000") != std::string::npos);
  // One that is longer than a full batch but within the limit goes alone.
  CHECK(produce(service, std::string(9'000, 'y') + "\n", {"--batch-bytes", "1KiB"}).exit == 0);
}

TEST_CASE("memory_is_bounded_while_the_node_is_slow") {
  FakeService service;
  service.add_topic("t", 2);
  service.withhold_answers(true);
  cli::ProducerOptions options;
  options.topic = "t";
  options.partitions = 2;
  options.batch_bytes = 2000;
  options.max_pending_bytes = 50'000;
  cli::Producer producer(service.address(), options);
  const std::string value(1000, 'x');
  std::atomic<int> appended{0};
  std::thread reader([&] {
    const std::vector<cli::InputRecord> records(10, {{}, value});
    for (uint64_t i = 0; i < 20 && producer.append(records, 1 + 10 * i); ++i) appended += 10;
  });
  service.wait_stored(2);  // the first of each partition; the others wait for its answer
  CHECK(producer.counts().appended <= 50);
  service.withhold_answers(false);
  service.kill();
  service.start();
  reader.join();
  CHECK_FALSE(producer.finish());
  CHECK(appended == 200);
  CHECK(service.values("t")[0].size() + service.values("t")[1].size() == 200);
}

}  // namespace chronik::test
