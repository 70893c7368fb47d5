#include "replica/machine.h"

#include "base/check.h"

namespace chronik {
namespace {

int32_t append_to_string(void* context, chronik_slice bytes) noexcept {
  static_cast<std::string*>(context)->append(static_cast<const char*>(bytes.data), bytes.size);
  return CHRONIK_OK;
}

}  // namespace

Machine::Machine(const chronik_state_machine_vtable* vtable, void* instance,
                 std::shared_ptr<void> keep_alive)
    : vtable_(vtable), instance_(instance), keep_alive_(std::move(keep_alive)) {}

Machine::~Machine() {
  // A machine is NONBLOCKING, so its stop() has nothing to wait for and reports at once.
  bool stopped = false;
  vtable_->component.stop(
      instance_, {[](void* context) noexcept { *static_cast<bool*>(context) = true; }, &stopped});
  CHRONIK_CHECK(stopped, "a state machine's stop() calls done before it returns");
  vtable_->component.destroy(instance_);
}

void Machine::prepare(chronik_proposal& proposal, chronik_prepared& prepared) {
  prepared.verdict = CHRONIK_PREPARE_PROPOSE;
  if (vtable_->prepare != nullptr) vtable_->prepare(instance_, &proposal, &prepared);
}

void Machine::on_leadership(Term term, bool gained) {
  if (vtable_->on_leadership != nullptr) {
    vtable_->on_leadership(instance_, term.value, gained ? 1 : 0);
  }
}

Status Machine::apply(const chronik_entry* entries, uint32_t count, uint32_t stride,
                      chronik_result* results) {
  chronik_error error;
  error.struct_size = sizeof error;
  error.message[0] = '\0';
  const int32_t code = vtable_->apply(instance_, entries, count, stride, results, &error);
  return code == CHRONIK_OK ? Status() : Status::from_abi(code, error.message);
}

Status Machine::query(uint32_t kind, uint64_t arg, chronik_slice body, std::string* value,
                      chronik_answer& answer) {
  const chronik_sink sink{value, append_to_string};
  chronik_error error;
  error.struct_size = sizeof error;
  error.message[0] = '\0';
  answer = {};
  answer.struct_size = sizeof answer;
  const int32_t code = vtable_->query(instance_, kind, arg, body, &sink, &answer, &error);
  return code == CHRONIK_OK ? Status() : Status::from_abi(code, error.message);
}

Result<std::string> Machine::save() {
  std::string saved;
  const chronik_sink sink{&saved, append_to_string};
  if (const int32_t code = vtable_->save(instance_, &sink); code != CHRONIK_OK) {
    return Status::from_abi(code, "the state machine couldn't save its state");
  }
  return saved;
}

Status Machine::restore(std::string_view saved, Index applied) {
  chronik_error error{};
  const int32_t code =
      vtable_->restore(instance_, {saved.data(), saved.size()}, applied.value, &error);
  return Status::from_abi(code, error.message);
}

const void* Machine::get_extension(const char* id) {
  const auto get = vtable_->component.get_extension;
  return get != nullptr ? get(instance_, id) : nullptr;
}

}  // namespace chronik
