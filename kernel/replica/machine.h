// Machine: a state machine instance and the calls a replica makes into it.
//
// The only place that touches the ABI's state_machine vtable. The replica owns it; every call is
// made on the replica's shard, one at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "chronik/abi/state_machine.h"

namespace chronik {

class Machine {
 public:
  // Takes over a started instance. `keep_alive` goes after the instance (its host, its
  // environment).
  Machine(const chronik_state_machine_vtable* vtable, void* instance,
          std::shared_ptr<void> keep_alive);
  ~Machine();  // stops and destroys the instance
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Judges a proposal; without a prepare() of the machine's own, the verdict is PROPOSE.
  void prepare(chronik_proposal& proposal, chronik_prepared& prepared);
  void on_leadership(Term term, bool gained);
  // `results`: `count` zeroed structs.
  Status apply(const chronik_entry* entries, uint32_t count, uint32_t stride,
               chronik_result* results);
  // `value` receives what the machine writes.
  Status query(uint32_t kind, uint64_t arg, chronik_slice body, std::string* value,
               chronik_answer& answer);
  Result<std::string> save();
  Status restore(std::string_view saved, Index applied);
  const void* get_extension(const char* id);

 private:
  const chronik_state_machine_vtable* vtable_;
  void* instance_;
  std::shared_ptr<void> keep_alive_;
};

}  // namespace chronik
