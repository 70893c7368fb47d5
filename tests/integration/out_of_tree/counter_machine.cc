// counter: a state machine in C++ that adds up what it is told.
//
// An example to copy from. It needs the headers of the SDK and nothing else:
//
//   c++ -std=c++20 -O2 -fPIC -fvisibility=hidden -shared -I sdk/include
//       -o counter_machine.so counter_machine.cc
//
// An entry whose payload is a decimal number adds that number, any other entry adds one. The result
// of an entry is the sum after it; a query (CHRONIK_QUERY_OWN) answers with the sum as text.
#include <charconv>
#include <cstring>
#include <string>

#include "chronik/sdk/state_machine.hpp"

namespace {

using chronik::sdk::Array;
using chronik::sdk::Status;

class Counter {
 public:
  Counter(chronik::sdk::Host, const chronik_state_machine_environment&,
          const chronik::sdk::Config& config)
      : limit_(config.u64(0)) {}

  uint32_t version() { return 1; }

  // On the leader, before the entry is in the log: the place to refuse what would make no sense.
  // Judges by applied state only, so entries in flight may still pass the limit together.
  void prepare(chronik_proposal&, chronik_prepared& prepared) {
    if (sum_ < limit_) return;  // the verdict is preset to PROPOSE
    prepared.verdict = CHRONIK_PREPARE_REFUSE;
    Status(CHRONIK_E_FAILED_PRECONDITION, "the counter has reached its limit").fill(prepared.error);
  }

  // The same on every replica: nothing but the entries decides.
  Status apply(Array<chronik_entry> entries, chronik_result* results) {
    for (uint32_t i = 0; i < entries.size(); ++i) {
      sum_ += amount(chronik::sdk::view(entries[i].payload));
      ++applied_;
      results[i].value = sum_;
    }
    return {};
  }

  Status query(uint32_t kind, uint64_t, std::string_view, const chronik_sink* sink,
               chronik_answer& answer) {
    answer.kind = CHRONIK_ANSWER_VALUE;
    answer.end_key = applied_;
    if (kind == CHRONIK_QUERY_BOUNDS) return {};
    if (kind != CHRONIK_QUERY_OWN) return {CHRONIK_E_UNIMPLEMENTED, "ask the counter for its sum"};
    const std::string text = std::to_string(sum_);
    return passed_on(sink->write(sink->context, chronik::sdk::slice(text)));
  }

  // The whole state, in a fixed byte order: another machine may read it.
  Status save(const chronik_sink& sink) {
    std::string bytes = "CNT1";
    put(bytes, sum_);
    put(bytes, applied_);
    return passed_on(sink.write(sink.context, chronik::sdk::slice(bytes)));
  }

  Status restore(std::string_view saved, uint64_t) {
    if (saved.size() != 20 || !saved.starts_with("CNT1")) {
      return {CHRONIK_E_DATA_LOSS, "not the saved state of a counter"};
    }
    sum_ = get(saved.substr(4));
    applied_ = get(saved.substr(12));
    return {};
  }

 private:
  static uint64_t amount(std::string_view payload) {
    uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(payload.data(), payload.data() + payload.size(), number);
    return error == std::errc() && end == payload.data() + payload.size() ? number : 1;
  }
  static Status passed_on(int32_t code) {
    return code == CHRONIK_OK ? Status() : Status(code, "writing the answer");
  }
  static void put(std::string& bytes, uint64_t value) {
    for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  }
  static uint64_t get(std::string_view bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < 8; ++i) {
      value |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    return value;
  }

  const uint64_t limit_;
  uint64_t sum_ = 0;
  uint64_t applied_ = 0;
};

constexpr chronik_option kOptions[] = {
    chronik::sdk::option({.name = "limit",
                          .type = CHRONIK_OPTION_U64,
                          .default_value = "18446744073709551615",
                          .doc = "Proposals are refused once the sum has reached it."})};

constexpr chronik_component kComponents[] = {chronik::sdk::state_machine<Counter>(
    "counter", "Adds up numbers.", CHRONIK_STATE_MACHINE_CAP_NONBLOCKING, kOptions)};

}  // namespace

CHRONIK_PLUGIN("org.example.counter", "1.0.0", "Example", "Apache-2.0",
               "A state machine that counts.", kComponents)
