// chronik consume: records of a topic to standard output.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "consumer.h"
#include "verb.h"

namespace chronik::cli {
namespace {

int consume(const Invocation& in) {
  const auto start = parse_start(in.get<std::string>("from"));
  if (!start)
    return in.fail(kUsage, "--from is begin, end, an offset, or @ and milliseconds since 1970");
  const std::string& topic = in.get<std::string>("TOPIC");
  Client client(in.api);
  pb::DescribeTopicResponse described;
  if (const auto failure = client.describe_topic(topic, described))
    return in.fail(failure->exit, failure->message);
  const auto partitions = static_cast<uint32_t>(described.partitions_size());

  ConsumerOptions options;
  options.topic = topic;
  options.start = *start;
  options.until_end = in.get<bool>("until-end");
  if (in.has("partition")) {
    options.partitions = {in.get<uint32_t>("partition")};
    if (options.partitions[0] >= partitions)
      return in.fail(kFailed,
                     fmt::format("topic '{}' has {} partitions, numbered from 0; there is no {}",
                                 topic, partitions, options.partitions[0]));
  } else {
    options.partitions.resize(partitions);
    std::iota(options.partitions.begin(), options.partitions.end(), 0u);
  }
  const bool keys = in.get<bool>("print-keys");
  const bool offsets = in.get<bool>("print-offsets");
  const uint64_t limit = in.has("count") ? in.get<uint64_t>("count") : UINT64_MAX;
  uint64_t records = 0;
  uint64_t bytes = 0;
  std::string text;
  const RecordHandler handler{[&](uint32_t partition, const format::Record& record) {
                                if (offsets)
                                  fmt::format_to(std::back_inserter(text), "{}\t{}\t", partition,
                                                 record.offset);
                                if (keys) text.append(record.key.value_or("")).push_back('\t');
                                text.append(record.value.value_or("")).push_back('\n');
                                bytes += record.value.value_or("").size();
                                return ++records < limit;
                              },
                              [&] {
                                const bool written = in.io.out(text);
                                text.clear();
                                return written;
                              }};
  std::optional<Failure> failure;
  if (limit > 0) failure = consume_records(client, options, handler);
  if (in.json) {
    nlohmann::ordered_json json = {{"records", records}, {"bytes", bytes}};
    if (failure) json["error"] = failure->message;
    in.io.err(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return failure ? in.fail(failure->exit, failure->message) : kOk;
}

}  // namespace

Verb consume_verb() {
  Verb verb;
  verb.name = "consume";
  verb.arguments =
      "TOPIC [--partition P] [--from begin|end|OFFSET|@MS] [--until-end] [--count N] ...";
  verb.summary = "Print a topic's records, one value per line.";
  verb.details =
      "Without --partition, of all partitions: each one's records in order, those of different\n"
      "partitions interleaved. Values are printed as they are, with a newline behind each. "
      "Without\n"
      "--until-end and --count it waits for new records for ever, also across restarts of the "
      "node.\n"
      "With --json, a summary is printed to standard error at the end.";
  verb.examples =
      "  chronik consume news --until-end > copy.txt\n"
      "  chronik consume news --partition 2 --from 1000 --count 5 --print-offsets\n"
      "  chronik consume news --from @$(date -d '1 hour ago' +%s000)";
  verb.positional = {"TOPIC"};
  verb.options = [](po::options_description& options) {
    options.add_options()("partition,p", po::value<uint32_t>()->value_name("P"),
                          "only this partition")(
        "from", po::value<std::string>()->default_value("begin")->value_name("PLACE"),
        "begin, end, an offset, or @ and milliseconds since 1970")(
        "until-end", po::bool_switch(), "stop where the partitions ended at the start")(
        "count,n", po::value<uint64_t>()->value_name("N"), "stop after so many records")(
        "print-keys", po::bool_switch(), "print KEY, a tab, and the value")(
        "print-offsets", po::bool_switch(), "print PARTITION, OFFSET in front, with tabs");
  };
  verb.run = consume;
  return verb;
}

}  // namespace chronik::cli
