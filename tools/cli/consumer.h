// Consumer: batches of some partitions of a topic, each partition's in order.
//
// One Fetch per partition, read by gRPC's threads, handed to the one thread that calls run(). A
// partition has one message at a time in memory; the next is read when it has been handled. A call
// that breaks is made again where it stopped.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "chronik/format/record_batch.hpp"
#include "client.h"

namespace chronik::cli {

// Where to begin.
struct StartAt {
  enum Kind { kBegin, kEnd, kOffset, kTime } kind = kBegin;
  int64_t number = 0;  // offset, or milliseconds since 1970
};

// "begin", "end", "123", "@1700000000000".
std::optional<StartAt> parse_start(const std::string& text);

struct ConsumerOptions {
  std::string topic;
  std::vector<uint32_t> partitions;
  StartAt start;
  bool until_end = false;  // else for ever
  std::chrono::milliseconds timeout{60'000};
  std::chrono::milliseconds backoff_min{50};
  std::chrono::milliseconds backoff_max{1'000};
};

// Called for each record, and after each message. False: enough, stop.
struct RecordHandler {
  std::function<bool(uint32_t partition, const format::Record& record)> on_record;
  std::function<bool()> on_message;
};

// Reads until the end, until a handler says so, or until a failure.
std::optional<Failure> consume_records(Client& client, const ConsumerOptions& options,
                                       const RecordHandler& handler);

}  // namespace chronik::cli
