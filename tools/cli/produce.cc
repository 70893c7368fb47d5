// chronik produce: records from a file or standard input into a topic.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "line_reader.h"
#include "producer.h"
#include "verb.h"

namespace chronik::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Opens what --file says, and closes it.
class Input {
 public:
  Input(const Invocation& in) : fd_(in.io.in_fd) {
    if (!in.has("file") || in.get<std::string>("file") == "-") return;
    fd_ = ::open(in.get<std::string>("file").c_str(), O_RDONLY | O_CLOEXEC);
    own_ = fd_ >= 0;
  }
  ~Input() {
    if (own_) ::close(fd_);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
  bool own_ = false;
};

// --acked-log: PARTITION<TAB>OFFSET<TAB>LINE per record, in the order of acknowledgement.
class AckedLog {
 public:
  ~AckedLog() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool open(const std::string& path) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return fd_ >= 0;
  }
  bool is_open() const { return fd_ >= 0; }
  void write(const Acknowledged& batch) {
    text_.clear();
    for (size_t i = 0; i < batch.lines.size(); ++i) {
      const std::string offset =
          batch.base_offset ? std::to_string(*batch.base_offset + i) : std::string("-");
      fmt::format_to(std::back_inserter(text_), "{}\t{}\t{}\n", batch.partition, offset,
                     batch.lines[i]);
    }
    Io io;
    io.out_fd = fd_;
    io.out(text_);
  }

 private:
  int fd_ = -1;
  std::string text_;
};

// "12.3 s: 1234567 records acknowledged, 100380 records/s, 10.2 MB/s", on one line of a terminal.
class Progress {
 public:
  Progress(const Io& io, bool wanted) : io_(io), wanted_(wanted) {}
  ~Progress() { clear(); }
  void maybe_show(Producer& producer) {
    if (!wanted_) return;
    const auto now = SteadyClock::now();
    if (now - shown_at_ < std::chrono::seconds(1)) return;
    const ProducerCounts counts = producer.counts();
    const double seconds = std::chrono::duration<double>(now - shown_at_).count();
    std::string text =
        fmt::format("{:.0f} s: {} records acknowledged, {:.0f} records/s, {:.1f} MB/s",
                    std::chrono::duration<double>(now - begun_at_).count(), counts.acknowledged,
                    static_cast<double>(counts.acknowledged - before_.acknowledged) / seconds,
                    static_cast<double>(counts.acknowledged_bytes - before_.acknowledged_bytes) /
                        seconds / 1e6);
    const bool terminal = ::isatty(io_.err_fd) == 1;
    if (terminal) {
      io_.err("\r" + text + "\x1b[K");
      dirty_ = true;
    } else {
      io_.err(text + "\n");
    }
    shown_at_ = now;
    before_ = counts;
  }
  void clear() {
    if (dirty_) io_.err("\r\x1b[K");
    dirty_ = false;
  }

 private:
  const Io& io_;
  const bool wanted_;
  const SteadyClock::time_point begun_at_ = SteadyClock::now();
  SteadyClock::time_point shown_at_ = begun_at_;
  ProducerCounts before_;
  bool dirty_ = false;
};

std::optional<pb::Acks> parse_acks(const std::string& text) {
  if (text == "all" || text == "-1") return pb::ACKS_ALL;
  if (text == "1") return pb::ACKS_LEADER;
  if (text == "0") return pb::ACKS_NONE;
  return {};
}

// "250ms", "30s", "2min"; a bare number is seconds.
std::optional<std::chrono::milliseconds> parse_duration(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || number < 0) return {};
  const std::string unit(end);
  const double scale = unit == "ms"                  ? 1
                       : unit.empty() || unit == "s" ? 1e3
                       : unit == "min"               ? 6e4
                                                     : 0;
  if (scale == 0) return {};
  return std::chrono::milliseconds(static_cast<int64_t>(number * scale));
}

// "64KiB", "1MiB", "100000".
std::optional<uint64_t> parse_bytes(const std::string& text) {
  char* end = nullptr;
  const unsigned long long number = std::strtoull(text.c_str(), &end, 10);
  if (end == text.c_str() || text[0] == '-') return {};
  const std::string unit(end);
  if (unit.empty() || unit == "B") return number;
  if (unit == "KiB") return number << 10;
  if (unit == "MiB") return number << 20;
  return {};
}

void split_records(const std::vector<std::string_view>& lines, const std::string& separator,
                   std::vector<InputRecord>& records) {
  records.clear();
  for (const std::string_view line : lines) {
    const size_t at = separator.empty() ? std::string_view::npos : line.find(separator);
    if (at == std::string_view::npos) {
      records.push_back({{}, line});
    } else {
      records.push_back({line.substr(0, at), line.substr(at + separator.size())});
    }
  }
}

std::string summary_json(const ProducerCounts& counts, double seconds, const std::string& error) {
  nlohmann::ordered_json json = {{"acknowledged", counts.acknowledged},
                                 {"bytes", counts.acknowledged_bytes},
                                 {"refused", counts.refused},
                                 {"in_doubt", counts.in_doubt},
                                 {"unsent", counts.unsent},
                                 {"batches", counts.batches},
                                 {"resent_batches", counts.resent},
                                 {"seconds", seconds}};
  if (!error.empty()) json["error"] = error;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string summary_text(const ProducerCounts& counts, double seconds) {
  std::string text = fmt::format("{} records acknowledged", counts.acknowledged);
  if (counts.acknowledged > 0)
    text += fmt::format(" in {:.2f} s: {:.0f} records/s, {:.1f} MB/s", seconds,
                        static_cast<double>(counts.acknowledged) / seconds,
                        static_cast<double>(counts.acknowledged_bytes) / seconds / 1e6);
  return text + "\n";
}

int produce(const Invocation& in) {
  const auto acks = parse_acks(in.get<std::string>("acks"));
  if (!acks) return in.fail(kUsage, "--acks is 0, 1 or all");
  const auto timeout = parse_duration(in.get<std::string>("timeout"));
  if (!timeout) return in.fail(kUsage, "--timeout is a time such as 500ms, 30s or 2min");
  const auto batch_bytes = parse_bytes(in.get<std::string>("batch-bytes"));
  if (!batch_bytes || *batch_bytes < 256)
    return in.fail(kUsage, "--batch-bytes is a size such as 16KiB or 1MiB, at least 256");
  const std::string& topic = in.get<std::string>("TOPIC");

  const Input input(in);
  if (input.fd() < 0)
    return in.fail(kFailed,
                   fmt::format("{}: {}", in.get<std::string>("file"), std::strerror(errno)));
  AckedLog acked_log;
  if (in.has("acked-log") && !acked_log.open(in.get<std::string>("acked-log")))
    return in.fail(kFailed,
                   fmt::format("{}: {}", in.get<std::string>("acked-log"), std::strerror(errno)));

  Client client(in.api);
  pb::DescribeTopicResponse described;
  if (const auto failure = client.describe_topic(topic, described))
    return in.fail(failure->exit, failure->message);
  ProducerOptions options;
  options.topic = topic;
  options.partitions = static_cast<uint32_t>(described.partitions_size());
  if (in.has("partition")) options.partition = in.get<uint32_t>("partition");
  if (options.partition && *options.partition >= options.partitions)
    return in.fail(
        kFailed, fmt::format("topic '{}' has {} partitions, numbered from 0; there is no {}", topic,
                             options.partitions, *options.partition));
  pb::InitProducerResponse producer_id;
  if (const auto failure =
          client.call(&pb::Chronik::Stub::InitProducer, pb::InitProducerRequest(), producer_id))
    return in.fail(failure->exit, failure->message);
  options.producer_id = producer_id.producer_id();
  options.producer_epoch = static_cast<uint16_t>(producer_id.producer_epoch());
  options.acks = *acks;
  options.timeout = *timeout;
  options.max_batch_bytes = described.max_batch_bytes();
  options.batch_bytes = std::min<size_t>(*batch_bytes, options.max_batch_bytes);
  options.keep_lines = acked_log.is_open();

  const std::string separator =
      in.has("key-separator") ? in.get<std::string>("key-separator") : std::string();
  const auto begun = SteadyClock::now();
  Producer producer(in.api, options, [&](const Acknowledged& batch) {
    if (acked_log.is_open()) acked_log.write(batch);
  });
  LineReader reader(input.fd(), options.max_batch_bytes);
  Progress progress(in.io, in.io.progress || in.get<bool>("progress"));
  const auto show = [&] { progress.maybe_show(producer); };
  std::vector<InputRecord> records;
  for (;;) {
    const std::vector<std::string_view>& lines = reader.next();
    if (lines.empty()) break;
    split_records(lines, separator, records);
    if (!producer.append(records, reader.first_line(), show)) break;
    show();
  }
  std::optional<Failure> failure = producer.finish(show);
  if (!failure && reader.error()) failure = Failure{kFailed, *reader.error()};
  progress.clear();

  const ProducerCounts counts = producer.counts();
  const double seconds =
      std::max(1e-6, std::chrono::duration<double>(SteadyClock::now() - begun).count());
  in.io.out(in.json ? summary_json(counts, seconds, failure ? failure->message : std::string())
                    : summary_text(counts, seconds));
  if (!failure) return kOk;
  if (counts.refused + counts.in_doubt + counts.unsent > 0 && !in.json)
    in.io.err(fmt::format("{} refused, {} in doubt, {} read but not sent\n", counts.refused,
                          counts.in_doubt, counts.unsent));
  return in.fail(failure->exit, failure->message);
}

}  // namespace

Verb produce_verb() {
  Verb verb;
  verb.name = "produce";
  verb.arguments = "TOPIC [--file F] [--partition P] [--acks 0|1|all] [--key-separator S] ...";
  verb.summary = "Write lines as records into a topic.";
  verb.details =
      "Reads --file, or standard input; one record per line, any bytes; a last line without\n"
      "newline counts. Keyless records fill a batch of one partition, then of the next; records\n"
      "with a key (--key-separator) go to the partition that the key's murmur2 hash chooses, as\n"
      "with Kafka's clients. A line without the separator has no key.\n\n"
      "What isn't acknowledged is sent again with the same sequence numbers, across restarts of "
      "the\n"
      "node, and stored once, until nothing has been acknowledged for --timeout.\n\n"
      "Exit status: 0 all acknowledged; 1 refused or failed; 3 no node reached; 4 some records "
      "are\n"
      "in doubt: they may or may not have been stored.";
  verb.examples =
      "  chronik produce news --file access.log\n"
      "  tail -f access.log | chronik produce news --acks 1\n"
      "  printf 'alice:hello\\nbob:hi\\n' | chronik produce chat --key-separator :";
  verb.positional = {"TOPIC"};
  verb.options = [](po::options_description& options) {
    options.add_options()("file,f", po::value<std::string>()->value_name("F"),
                          "read this file instead of standard input; - is standard input")(
        "partition,p", po::value<uint32_t>()->value_name("P"), "write all records to this one")(
        "acks", po::value<std::string>()->default_value("all")->value_name("0|1|all"),
        "acknowledged when admitted, durable on the leader, or committed")(
        "key-separator,k", po::value<std::string>()->value_name("S"),
        "what stands before its first S is a line's key")(
        "batch-bytes", po::value<std::string>()->default_value("256KiB")->value_name("SIZE"),
        "a batch this long is full; shorter ones leave when there is room")(
        "timeout", po::value<std::string>()->default_value("60s")->value_name("TIME"),
        "give up when nothing is acknowledged for so long")(
        "progress", po::bool_switch(), "show progress also if standard error is no terminal")(
        "acked-log", po::value<std::string>()->value_name("F"),
        "write PARTITION, OFFSET and LINE of each acknowledged record to this file");
  };
  verb.run = produce;
  return verb;
}

}  // namespace chronik::cli
