// The nouns that every part of the Raft core shares: entries, hard state, roles.
//
// All of them are plain values. A payload is a counted reference to bytes that the core never looks
// into (entries of the two conf-change types excepted: their bytes are a ConfChangeV2, which the
// core itself encodes).
#pragma once

#include <compare>
#include <cstdint>

#include "base/buffer.h"
#include "base/ids.h"

namespace chronik::raft {

// Nobody: no leader known, no vote cast.
inline constexpr ReplicaId kNobody{0};

enum class EntryType : uint32_t {
  kNormal = 0,        // a proposal, or the empty entry that opens a leader's term
  kConfChange = 1,    // payload: a ConfChangeV2 with exactly one step and no transition
  kConfChangeV2 = 2,  // payload: a ConfChangeV2; an empty payload leaves a joint configuration
};

// The name of an entry. Within one group at most one entry ever carries it (thesis 3.5, log
// matching).
struct EntryId {
  Term term;
  Index index;
  // By term first: the order in which Raft compares logs (thesis 3.6.1).
  auto operator<=>(const EntryId&) const = default;
};

struct Entry {
  Term term;
  Index index;
  EntryType type = EntryType::kNormal;
  uint64_t key = 0;     // never decreases within a group; a log storage can seek by it
  int64_t time_ms = 0;  // wall time of the proposal, as its proposer knew it
  Payload payload;

  EntryId id() const { return {term, index}; }
};

// What an entry counts for in limits on messages and on Readys: its payload and a flat allowance
// for its header.
inline constexpr uint64_t kEntryHeaderBytes = 32;
inline uint64_t entry_bytes(const Entry& entry) {
  return kEntryHeaderBytes + entry.payload.size;
}

// The part of a replica's state that must be durable before anything that follows from it leaves
// the replica (thesis figure 3.1, "persistent state"). `commit` is only a hint that saves work at
// restart.
struct HardState {
  Term term;
  ReplicaId vote;
  Index commit;
  bool operator==(const HardState&) const = default;
};

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };
const char* role_name(Role role);  // "follower"

// What a driver may want to know at once but need not store.
struct SoftState {
  ReplicaId leader;  // kNobody while unknown
  Role role = Role::kFollower;
  bool operator==(const SoftState&) const = default;
};

// A stretch of the log with one term: from `first` up to the next run, or the log's end.
struct TermRun {
  Index first;
  Term term;
  bool operator==(const TermRun&) const = default;
};

}  // namespace chronik::raft
