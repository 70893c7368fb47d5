// A stream state machine behind its C interface, with a host that counts and keeps log lines, and
// shorthands to make batches: what the tests of the `stream` plugin share.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chronik/abi/state_machine.h"
#include "chronik/format/record_batch.hpp"

extern "C" const chronik_plugin chronik_plugin_v0_stream;

namespace chronik::stream_test {

struct FakeHost {
  FakeHost() {
    metrics.struct_size = sizeof metrics;
    metrics.context = this;
    metrics.cell = [](void* context, uint32_t, const char* name, const char*) noexcept {
      return &static_cast<FakeHost*>(context)->cells[name];
    };
    host.struct_size = sizeof host;
    host.context = this;
    host.log_level = &log_level;
    host.log = [](void* context, int32_t, chronik_slice message) noexcept {
      static_cast<FakeHost*>(context)->lines.emplace_back(static_cast<const char*>(message.data),
                                                          message.size);
    };
    host.get_extension = [](void* context, const char* id) noexcept -> const void* {
      return std::strcmp(id, CHRONIK_METRICS_ID) == 0 ? &static_cast<FakeHost*>(context)->metrics
                                                      : nullptr;
    };
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  int32_t log_level = CHRONIK_LOG_INFO;
  std::map<std::string, int64_t> cells;
  std::vector<std::string> lines;
  chronik_metrics metrics{};
  chronik_host host{};
};

struct Limits {
  uint64_t max_batch_bytes = format::kDefaultMaxBatchBytes;
  uint64_t max_producers = 100000;
};

// What prepare() made of a batch. The batch is as it then stands.
struct Prepared {
  uint32_t verdict = 0;
  uint64_t follow_index = 0;
  uint64_t value = 0;
  int32_t code = 0;
  int32_t detail = 0;
  std::string message;
  uint64_t key = 0;
  int64_t time_ms = 0;
  std::string batch;
};

struct Answer {
  int32_t code = 0;
  int32_t detail = 0;
  std::string message;
  chronik_answer answer{};
};

struct Entry {
  uint64_t index = 0;
  uint64_t term = 0;
  uint64_t key = 0;
  int64_t time_ms = 0;
  std::string payload;
};

class StreamUnderTest {
 public:
  static constexpr uint64_t kPresetKey = 777;
  static constexpr int64_t kNowMs = 5'000'000;

  explicit StreamUnderTest(Limits limits = {}) {
    chronik_state_machine_environment environment{};
    environment.struct_size = sizeof environment;
    environment.partition = 3;
    environment.group = 12;
    environment.topic = sdk::slice("orders");
    std::vector<chronik_value> values(2);
    values[0].number.u64 = limits.max_batch_bytes;
    values[1].number.u64 = limits.max_producers;
    chronik_config config{};
    config.struct_size = sizeof config;
    config.value_count = static_cast<uint32_t>(values.size());
    config.value_stride = sizeof values[0];
    config.values = values.data();
    config.instance_name = "stream";
    chronik_error error{};
    if (vtable().component.create(&host_.host, &environment, &config, &instance_, &error) != 0 ||
        vtable().component.start(instance_, &error) != 0) {
      std::abort();
    }
  }
  ~StreamUnderTest() {
    vtable().component.stop(instance_, {[](void*) noexcept {}, nullptr});
    vtable().component.destroy(instance_);
  }
  StreamUnderTest(const StreamUnderTest&) = delete;
  StreamUnderTest& operator=(const StreamUnderTest&) = delete;

  static const chronik_component& component() { return *chronik_plugin_v0_stream.components; }
  static const chronik_state_machine_vtable& vtable() {
    return *static_cast<const chronik_state_machine_vtable*>(component().vtable);
  }
  FakeHost& host() { return host_; }

  Prepared prepare(std::string_view batch, uint64_t index, uint64_t term = 1) {
    Prepared out;
    out.batch = batch;
    chronik_proposal proposal{};
    proposal.struct_size = sizeof proposal;
    proposal.term = term;
    proposal.index = index;
    proposal.now_ms = kNowMs;
    proposal.payload = reinterpret_cast<uint8_t*>(out.batch.data());
    proposal.payload_size = out.batch.size();
    proposal.key = kPresetKey;
    proposal.time_ms = kNowMs;
    chronik_prepared prepared{};
    prepared.struct_size = sizeof prepared;
    vtable().prepare(instance_, &proposal, &prepared);
    out.verdict = prepared.verdict;
    out.follow_index = prepared.follow_index;
    out.value = prepared.result.value;
    out.code = prepared.error.code;
    out.detail = prepared.error.detail;
    out.message = prepared.error.message;
    out.key = proposal.key;
    out.time_ms = proposal.time_ms;
    return out;
  }

  chronik_result apply(const Entry& entry) {
    chronik_entry raw{};
    raw.struct_size = sizeof raw;
    raw.index = entry.index;
    raw.term = entry.term;
    raw.key = entry.key;
    raw.time_ms = entry.time_ms;
    raw.payload = sdk::slice(entry.payload);
    chronik_result result{};
    chronik_error error{};
    if (vtable().apply(instance_, &raw, 1, sizeof raw, &result, &error) != 0) std::abort();
    return result;
  }
  // Applies what prepare() let through.
  chronik_result apply(const Prepared& prepared, uint64_t index, uint64_t term = 1) {
    return apply({index, term, prepared.key, prepared.time_ms, prepared.batch});
  }

  int32_t apply_all(const chronik_entry* entries, uint32_t count, chronik_result* results,
                    chronik_error& error) {
    return vtable().apply(instance_, entries, count, sizeof *entries, results, &error);
  }

  // Takes a batch all the way into the log.
  chronik_result write(std::string_view batch, uint64_t index, uint64_t term = 1) {
    return apply(prepare(batch, index, term), index, term);
  }

  void on_leadership(uint64_t term, bool gained) {
    vtable().on_leadership(instance_, term, gained ? 1 : 0);
  }

  Answer query(uint32_t kind, uint64_t arg = 0) {
    Answer out;
    chronik_error error{};
    out.answer.struct_size = sizeof out.answer;
    out.code = vtable().query(instance_, kind, arg, {}, nullptr, &out.answer, &error);
    out.detail = error.detail;
    out.message = error.message;
    return out;
  }
  uint64_t end() { return query(CHRONIK_QUERY_BOUNDS).answer.end_key; }

  std::string save() {
    std::string saved;
    const chronik_sink sink = {&saved, [](void* context, chronik_slice bytes) noexcept -> int32_t {
                                 static_cast<std::string*>(context)->append(sdk::view(bytes));
                                 return CHRONIK_OK;
                               }};
    if (vtable().save(instance_, &sink) != 0) std::abort();
    return saved;
  }
  int32_t save_to(const chronik_sink& sink) { return vtable().save(instance_, &sink); }
  int32_t restore(std::string_view saved, std::string* message = nullptr) {
    chronik_error error{};
    const int32_t code = vtable().restore(instance_, sdk::slice(saved), 0, &error);
    if (message != nullptr) *message = error.message;
    return code;
  }

 private:
  FakeHost host_;
  void* instance_ = nullptr;
};

inline std::string plain_batch(int records = 1, int64_t time_ms = 1000) {
  format::RecordBatchBuilder builder;
  for (int i = 0; i < records; ++i) builder.append({}, "value", time_ms + i);
  return std::string(builder.finish());
}

// A batch of a producer with `records` records from `sequence` on.
inline std::string numbered_batch(int64_t producer, int32_t sequence, int records = 1,
                                  int16_t epoch = 0) {
  format::RecordBatchBuilder builder;
  for (int i = 0; i < records; ++i) {
    builder.append(
        {}, std::to_string(producer) + ":" + std::to_string(sequence) + "+" + std::to_string(i),
        1000 + i);
  }
  return std::string(builder.finish(producer, epoch, sequence));
}

// The batch with the bytes at `at` replaced and its checksum made right again.
inline std::string with_bytes(std::string batch, size_t at, std::string_view bytes) {
  batch.replace(at, bytes.size(), bytes);
  format::detail::store<uint32_t>(
      batch.data() + format::kCrcAt,
      sdk::crc32c(batch.data() + format::kAttributesAt, batch.size() - format::kAttributesAt));
  return batch;
}
template <typename Int>
std::string with_field(std::string batch, size_t at, Int value) {
  std::string bytes(sizeof(Int), '\0');
  format::detail::store<Int>(bytes.data(), value);
  return with_bytes(std::move(batch), at, bytes);
}

}  // namespace chronik::stream_test
