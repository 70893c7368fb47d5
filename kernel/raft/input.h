// Input: one call into a core from outside. At its end, under CHRONIK_DEBUG_CHECKS, all invariants
// are checked, including those that compare with the state before the call (docs/RAFT.md,
// "Invariants").
#pragma once

#include "raft/raft.h"

namespace chronik::raft {

class Raft::Input {
 public:
#ifdef CHRONIK_DEBUG_CHECKS
  explicit Input(Raft& raft) : raft_(raft), before_(raft.hard_state()) {}
  ~Input();

 private:
  Raft& raft_;
  HardState before_;
#else
  explicit Input(Raft&) {}
#endif
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
};

}  // namespace chronik::raft
