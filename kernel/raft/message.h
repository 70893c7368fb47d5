// What replicas of one group say to each other: one struct per message, in a variant.
//
// Messages are one-way and may be lost, repeated and reordered; a response is just another message.
// `term` is the sender's term, except that a pre-vote names the term it would campaign at, and that
// messages which only pass on a client's wish (ForwardedProposal, ReadIndexRequest) carry term 0.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/buffer.h"
#include "base/ids.h"
#include "raft/configuration.h"
#include "raft/types.h"

namespace chronik::raft {

// Leader to follower: entries that follow `previous`, or just the commit index (thesis 3.5).
struct AppendEntries {
  EntryId previous;
  Index commit;
  std::vector<Entry> entries;  // contiguous, the first at previous.index + 1
};

// Follower to leader, when what it names is durable. Leaders also send it to themselves, so that
// their own copy counts when it is durable and no earlier.
struct AppendEntriesResponse {
  // Accepted: everything up to here matches. Rejected: the refused previous.index; 0, which nobody
  // else refuses, comes from a newcomer that needs a snapshot to know its group.
  Index index;
  bool rejected = false;
  // Rejected: where the follower's log may still match (docs/RAFT.md, "Backtracking").
  EntryId hint;
};

// Leader to everybody, about once per heartbeat interval. `commit` never exceeds what the receiver
// is known to hold.
struct Heartbeat {
  Index commit;
  uint64_t read_round = 0;  // the latest round of reads that waits for a quorum; 0: none
};

struct HeartbeatResponse {
  uint64_t read_round = 0;  // as received
};

// A candidate asks for votes (thesis 3.4), or whether it would get them (pre-vote, thesis 9.6).
struct RequestVote {
  bool pre_vote = false;
  bool leadership_transfer = false;  // the old leader asked for it: leases don't protect it (3.10)
  EntryId last;                      // of the candidate's log
};

struct RequestVoteResponse {
  bool pre_vote = false;
  bool rejected = false;
};

// A snapshot's place in the log. The content stays with the driver: it sends it along with the
// InstallSnapshot message and keeps what arrives until the core says install or refuses.
struct SnapshotMeta {
  EntryId last;                 // the last entry the snapshot covers
  Configuration configuration;  // as of that entry
  uint64_t key = 0;             // of the last entry covered
  int64_t time_ms = 0;          // of the last entry covered
};

// Leader to a follower whose next entry is compacted away (thesis 5). Answered by an
// AppendEntriesResponse.
struct InstallSnapshot {
  SnapshotMeta snapshot;
  Payload data;  // the driver's; the core carries it only
};

// A follower passes a proposal to the leader. Terms and indexes of the entries are not set yet.
struct ForwardedProposal {
  std::vector<Entry> entries;
};

// To the leader: hand leadership over to `transferee` (thesis 3.10).
struct TransferLeadership {
  ReplicaId transferee;
};

// Leader to the transferee, once its log is complete: campaign at once (thesis 3.10).
struct TimeoutNow {};

// A follower asks the leader for a read index (thesis 6.4).
struct ReadIndexRequest {
  uint64_t context = 0;
};

struct ReadIndexResponse {
  uint64_t context = 0;
  Index index;
};

// Leader to a follower that holds and has committed everything: stop counting ticks until something
// happens. A follower that doesn't match answers with a HeartbeatResponse and stays awake.
struct Quiesce {
  Index last_index;  // also the commit index
};

using MessageBody =
    std::variant<AppendEntries, AppendEntriesResponse, Heartbeat, HeartbeatResponse, RequestVote,
                 RequestVoteResponse, InstallSnapshot, ForwardedProposal, TransferLeadership,
                 TimeoutNow, ReadIndexRequest, ReadIndexResponse, Quiesce>;

struct Message {
  ReplicaId from;
  ReplicaId to;
  Term term;
  MessageBody body;
};

// "AppendEntries", for logs.
const char* message_name(const Message& message);

}  // namespace chronik::raft
