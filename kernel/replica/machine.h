// Machine: a replica's state machine instance, with what it needs to stay alive.
#pragma once

#include <memory>

#include "chronik/host/state_machine.hpp"

namespace chronik {

// Every call is made on the replica's shard, one at a time.
struct Machine {
  std::shared_ptr<void> keep_alive;  // the instance's host and environment: goes after the instance
  std::unique_ptr<host::StateMachine> instance;

  host::StateMachine* operator->() const { return instance.get(); }
};

}  // namespace chronik
