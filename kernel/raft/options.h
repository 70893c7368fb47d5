// What a core is told at its creation: Options, which a group's operator chooses, and InitialState,
// which its log storage remembers.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "raft/configuration.h"
#include "raft/types.h"

namespace chronik::raft {

inline constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

enum class ReadOnlyMode : uint8_t {
  kSafe = 0,   // each read waits until a quorum has confirmed the leader (thesis 6.4)
  kLease = 1,  // reads are served within the leader's lease; needs check_quorum (thesis 6.4.1)
};

struct Options {
  ReplicaId id;  // of this replica; not 0

  // Time, in ticks. A follower campaigns after election_tick..2*election_tick-1 ticks of silence.
  uint32_t election_tick = 10;
  uint32_t heartbeat_tick = 1;  // smaller than election_tick

  // Elections.
  bool pre_vote = true;  // ask before disturbing a term (thesis 9.6)
  bool check_quorum =
      true;  // a leader without an active quorum steps down; votes respect leases (6.2)
  // A leader whose oldest write hasn't become durable for this many ticks steps down: its followers
  // must not go on believing in a leader that can't write. 0: never.
  uint32_t storage_stall_ticks = 0;

  // Replication.
  uint64_t max_size_per_message = 1 << 20;  // bytes of entries in one AppendEntries, at least one
  uint32_t max_inflight_messages = 256;     // per follower, unacknowledged
  uint64_t max_inflight_bytes = kNoLimit;   // per follower, unacknowledged
  uint64_t max_uncommitted_size =
      kNoLimit;  // payload bytes a leader accepts beyond what is applied
  uint64_t max_committed_size_per_ready = kNoLimit;  // entry bytes handed out and not yet applied
  uint64_t max_tail_bytes = 0;  // durable entries kept in memory, for followers a little behind

  // Reads.
  ReadOnlyMode read_only = ReadOnlyMode::kSafe;
  // How long a quorum's answer to a heartbeat lets the leader serve reads, counted from before that
  // heartbeat was sent: at most (election_tick - 1) tick intervals less what clocks may drift apart
  // in that time. 0: no lease.
  int64_t lease_ns = 0;

  // Membership.
  bool disable_conf_change_validation =
      false;  // propose conf changes that will be refused at apply
  bool step_down_on_removal =
      false;  // a leader that applied its own removal or demotion steps down

  // Followers refuse proposals instead of passing them on.
  bool disable_proposal_forwarding = false;

  // Whether a broken invariant aborts the process at once, instead of making the core inert.
#ifdef CHRONIK_DEBUG_CHECKS
  bool abort_when_broken = true;
#else
  bool abort_when_broken = false;
#endif

  // The driver takes the next Ready before the last one is durable (ready.h).
  bool async_storage_writes = true;
};

// Where a replica stands when it starts. The first replicas of a new group know just a
// configuration (see bootstrap()); one that will be added to a group knows nothing, and learns all
// from a snapshot.
struct InitialState {
  HardState hard_state;
  Configuration configuration;  // as of `applied`
  Index start_index;            // the log begins after it: what lies before is compacted away
  Term start_term;              // of the entry at start_index
  Index last_index;             // == start_index: the log is empty
  std::vector<TermRun> terms;   // of the entries start_index+1 .. last_index
  uint64_t last_key = 0;        // of the last entry, or of what the log begins after
  int64_t last_time_ms = 0;     // likewise
  Index applied;                // >= start_index

  // How the first members of a new group start: as if entry 1 had been compacted away, so that
  // snapshots at the log's start exist from the beginning. A replica that is added later starts
  // from an empty InitialState and gets one of those.
  static InitialState bootstrap(Configuration configuration) {
    InitialState state;
    state.hard_state = {Term(1), kNobody, Index(1)};
    state.configuration = std::move(configuration);
    state.start_index = state.last_index = state.applied = Index(1);
    state.start_term = Term(1);
    return state;
  }
};

}  // namespace chronik::raft
