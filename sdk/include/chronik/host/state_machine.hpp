// Host side of a state_machine instance; the contract of each call is in
// chronik/abi/state_machine.h. Life and threads: component.hpp; the calls are serial per instance.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "chronik/abi/state_machine.h"
#include "chronik/host/component.hpp"

namespace chronik::host {
inline namespace v0 {

class StateMachine final : public Component {
 public:
  static sdk::Status create(const chronik_component& component, const chronik_host* host,
                            const chronik_state_machine_environment& environment,
                            const chronik_config& config, std::unique_ptr<StateMachine>& made) {
    std::unique_ptr<StateMachine> self(new StateMachine(component));
    sdk::Status status = self->make(host, &environment, &config);
    if (status.ok()) made = std::move(self);
    return status;
  }
  ~StateMachine() { destroy(); }

  // save() is small, all else is in the log.
  bool saves_log_start() const {
    return (component().capabilities & CHRONIK_STATE_MACHINE_CAP_LOG_START) != 0;
  }
  bool has_prepare() const { return vtable_->prepare != nullptr; }
  uint32_t version() const { return vtable_->version(instance()); }

  // Judges a proposal. Without prepare() in the plugin: PROPOSE. Only verdict, result.status and
  // error.code are preset; the rest is the plugin's to fill as its verdict asks.
  void prepare(chronik_proposal& proposal, chronik_prepared& prepared) {
    prepared.struct_size = sizeof prepared;
    prepared.verdict = CHRONIK_PREPARE_PROPOSE;
    prepared.follow_index = 0;
    prepared.result = {};
    prepared.result.struct_size = sizeof prepared.result;
    prepared.error.struct_size = sizeof prepared.error;
    prepared.error.code = CHRONIK_OK;
    prepared.error.detail = 0;
    prepared.error.message[0] = '\0';
    if (vtable_->prepare == nullptr) return;
    [[maybe_unused]] const uint64_t last_key = proposal.key;
    vtable_->prepare(instance(), &proposal, &prepared);
    if constexpr (kChecked) {
      expect(
          prepared.verdict >= CHRONIK_PREPARE_PROPOSE && prepared.verdict <= CHRONIK_PREPARE_REFUSE,
          "prepare() gives one of the four verdicts");
      expect(prepared.verdict != CHRONIK_PREPARE_REFUSE || prepared.error.code != CHRONIK_OK,
             "prepare() refuses with an error");
      expect(prepared.verdict != CHRONIK_PREPARE_PROPOSE || proposal.key >= last_key,
             "keys don't decrease");
      expect(prepared.verdict != CHRONIK_PREPARE_FOLLOW || prepared.follow_index < proposal.index,
             "prepare() follows an earlier entry");
    }
  }

  void on_leadership(uint64_t term, bool gained) {
    if (vtable_->on_leadership != nullptr) vtable_->on_leadership(instance(), term, gained ? 1 : 0);
  }

  // Applies `count` consecutive entries. Pre: results[0..count) are zeroed.
  sdk::Status apply(const chronik_entry* entries, uint32_t count, uint32_t stride,
                    chronik_result* results) {
    ErrorSpace space;
    sdk::Status status =
        checked(vtable_->apply(instance(), entries, count, stride, results, &space.error), space);
    if constexpr (kChecked) {
      for (uint32_t i = 0; status.ok() && i < count; ++i) {
        expect(results[i].status >= 0, "apply() leaves a status of the ABI in each result");
      }
    }
    return status;
  }

  // Answers from applied state. A VALUE's bytes are appended to `bytes`.
  sdk::Status query(uint32_t kind, uint64_t arg, std::string_view body, std::string& bytes,
                    chronik_answer& answer) {
    answer = {};
    answer.struct_size = sizeof answer;
    const chronik_sink sink = appending_to(bytes);
    ErrorSpace space;
    sdk::Status status = checked(
        vtable_->query(instance(), kind, arg, sdk::slice(body), &sink, &answer, &space.error),
        space);
    if constexpr (kChecked) {
      expect(!status.ok() ||
                 (answer.kind >= CHRONIK_ANSWER_VALUE && answer.kind <= CHRONIK_ANSWER_NOT_YET),
             "query() gives one of the three answers");
      expect(!status.ok() || answer.kind != CHRONIK_ANSWER_LOG_RANGE ||
                 (answer.from_kind >= CHRONIK_LOG_FROM_INDEX &&
                  answer.from_kind <= CHRONIK_LOG_FROM_TIME),
             "a log range says where it begins");
    }
    return status;
  }

  // Appends the state as of the last applied entry to `bytes`.
  sdk::Status save(std::string& bytes) {
    const chronik_sink sink = appending_to(bytes);
    const int32_t code = vtable_->save(instance(), &sink);
    if (code == CHRONIK_OK) return {};
    return {code, "saving the machine's state"};
  }

  sdk::Status restore(std::string_view saved, uint64_t applied_index) {
    ErrorSpace space;
    return checked(vtable_->restore(instance(), sdk::slice(saved), applied_index, &space.error),
                   space);
  }

 private:
  explicit StateMachine(const chronik_component& component)
      : Component(component),
        vtable_(static_cast<const chronik_state_machine_vtable*>(component.vtable)) {}

  static chronik_sink appending_to(std::string& bytes) {
    return {&bytes, [](void* context, chronik_slice piece) noexcept -> int32_t {
              static_cast<std::string*>(context)->append(sdk::view(piece));
              return CHRONIK_OK;
            }};
  }

  const chronik_state_machine_vtable* vtable_;
};

}  // namespace v0
}  // namespace chronik::host
