// Machine: a replica's state machine instance, with what it needs to stay alive.
#pragma once

#include <memory>

#include "chronik/host/state_machine.hpp"
#include "raft/types.h"

namespace chronik {

// Every call is made on the replica's shard, one at a time.
struct Machine {
  std::shared_ptr<void> keep_alive;  // the instance's host and environment: goes after the instance
  std::unique_ptr<host::StateMachine> instance;

  host::StateMachine* operator->() const { return instance.get(); }
};

// False for entries of the kernel's own: the empty one that opens a leader's term, and
// configurations.
inline bool is_for_machine(const chronik_entry& entry) {
  return entry.type == static_cast<uint32_t>(raft::EntryType::kNormal) && entry.payload.size > 0;
}

}  // namespace chronik
