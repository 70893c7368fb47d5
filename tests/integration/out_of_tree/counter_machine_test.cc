// The counter machine, built outside the tree: apply, query, save, restore, prepare.
#include <catch2/catch.hpp>

#include "chronik/host/state_machine.hpp"
#include "loaded_component.h"

namespace chronik {
namespace {

struct Machine {
  LoadedComponent loaded;
  chronik_state_machine_environment environment{sizeof environment, 3, 7, {"topic", 5}};
  std::unique_ptr<host::StateMachine> machine;
  uint64_t next_index = 1;

  explicit Machine(const std::map<std::string, std::string>& options = {})
      : loaded(CHRONIK_KIND_STATE_MACHINE, "counter", options) {
    REQUIRE(host::StateMachine::create(*loaded.component, loaded.host->abi(), environment,
                                       *loaded.config->config(), machine)
                .ok());
    REQUIRE(machine->start().ok());
  }
  ~Machine() {
    loaded.host->begin_stop();
    machine->stop_and_wait();
    loaded.host->drain();
    machine.reset();
  }
  std::vector<uint64_t> apply(const std::vector<std::string>& payloads) {
    std::vector<chronik_entry> entries;
    for (const std::string& payload : payloads) {
      chronik_entry entry{};
      entry.struct_size = sizeof entry;
      entry.index = next_index++;
      entry.term = 1;
      entry.payload = sdk::slice(payload);
      entries.push_back(entry);
    }
    std::vector<chronik_result> results(entries.size());
    CHECK(machine
              ->apply(entries.data(), static_cast<uint32_t>(entries.size()), sizeof(chronik_entry),
                      results.data())
              .ok());
    std::vector<uint64_t> values;
    for (const chronik_result& result : results) values.push_back(result.value);
    return values;
  }
  std::string sum() {
    std::string bytes;
    chronik_answer answer;
    CHECK(machine->query(CHRONIK_QUERY_OWN, 0, "", bytes, answer).ok());
    CHECK(answer.kind == CHRONIK_ANSWER_VALUE);
    return bytes;
  }
  std::string save() {
    std::string bytes;
    CHECK(machine->save(bytes).ok());
    return bytes;
  }
};

}  // namespace

TEST_CASE("the counter adds what entries say and answers with the sum") {
  Machine m;
  CHECK(m.machine->version() == 1);
  CHECK_FALSE(m.machine->saves_log_start());
  CHECK(m.sum() == "0");
  CHECK(m.apply({"5", "seven", "10", ""}) == std::vector<uint64_t>{5, 6, 16, 17});
  CHECK(m.sum() == "17");
  std::string bytes;
  chronik_answer answer;
  CHECK(m.machine->query(CHRONIK_QUERY_BOUNDS, 0, "", bytes, answer).ok());
  CHECK(answer.end_key == 4);
  CHECK(m.machine->query(CHRONIK_QUERY_LOG_KEY, 0, "", bytes, answer).code() ==
        CHRONIK_E_UNIMPLEMENTED);
}

TEST_CASE("a restored counter goes on where the saved one stood") {
  Machine a;
  Machine b;
  a.apply({"100", "1"});
  const std::string saved = a.save();
  REQUIRE(b.machine->restore(saved, 2).ok());
  CHECK(b.sum() == "101");
  CHECK(b.save() == saved);
  CHECK(a.apply({"2"}) == b.apply({"2"}));
  CHECK(a.save() == b.save());
  CHECK(b.machine->restore("garbage", 3).code() == CHRONIK_E_DATA_LOSS);
  CHECK(b.machine->restore(saved.substr(1), 3).code() == CHRONIK_E_DATA_LOSS);
  CHECK(b.sum() == "103");
}

TEST_CASE("prepare proposes below the limit and refuses from it on") {
  const std::map<std::string, std::string> options = {{"limit", "3"}};
  Machine m(options);
  REQUIRE(m.machine->has_prepare());
  chronik_proposal proposal{};
  proposal.struct_size = sizeof proposal;
  proposal.index = 1;
  chronik_prepared prepared;
  m.machine->prepare(proposal, prepared);
  CHECK(prepared.verdict == CHRONIK_PREPARE_PROPOSE);
  m.apply({"3"});
  m.machine->prepare(proposal, prepared);
  CHECK(prepared.verdict == CHRONIK_PREPARE_REFUSE);
  CHECK(prepared.error.code == CHRONIK_E_FAILED_PRECONDITION);
  CHECK(std::string(prepared.error.message) == "the counter has reached its limit");
}

}  // namespace chronik
