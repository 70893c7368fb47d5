// Ready: what a replica's driver has to do next, in the order of its obligations.
//
//   1. Persist `snapshot`, `entries` and `hard_state` together, in one ordered write per group. If
//   the
//      Ready `needs_persist()`, hand `mark` to Raft::on_persisted when that write is durable.
//      `must_sync` false means that the write may stay in a cache (only the commit index changed).
//   2. Send `messages`. They may leave at once, before the write is durable.
//   3. When the write of this Ready *and all before it* are durable, call on_persisted(mark), then
//   send
//      `messages_after_persist`; those addressed to this replica itself go back in by Raft::step.
//      Never send them earlier: they are acknowledgements and votes (thesis 3.8).
//   4. Apply the entries of `committed` in order, calling Raft::apply_conf_change for each conf
//   change
//      among them, then Raft::on_applied(committed.hi - 1). Ranges follow one another without gaps.
//      With Options::async_storage_writes a range holds only entries that are durable here;
//      without, it may include entries of this very Ready, so step 1 must be durable first.
//   5. Serve `fetches` and `reads`, and look at `soft_state`.
//
// With asynchronous writes several Readys may be taken before the first write is durable;
// completions come back in the order in which the Readys were taken. Without, the driver finishes
// one Ready, then calls Raft::advance with it before it takes the next.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "raft/message.h"
#include "raft/types.h"

namespace chronik::raft {

// Names a write. A completion that arrives after the log was overwritten names entries that are no
// longer there, or names them under an older term, and stabilises nothing (docs/RAFT.md,
// "Acknowledgements").
struct PersistMark {
  uint64_t sequence = 0;  // 1, 2, ... per replica: the Ready it came with
  Term term;              // the replica's term when the Ready was taken
  EntryId last;    // the last entry handed out for writing that isn't known durable; 0/0: none
  Index snapshot;  // of the snapshot in this write; 0: none
  bool operator==(const PersistMark&) const = default;
};

// Committed entries [lo, hi), to be applied. Empty if lo == hi. Entries still in memory can be had
// from Raft::copy_entries; the others are in the log storage.
struct CommittedRange {
  Index lo;
  Index hi;
  bool empty() const { return lo == hi; }
};

// A leader needs entries [lo, hi) that it no longer has in memory, for `peer`. The driver answers
// with Raft::on_fetched, with at least one entry and about max_bytes at most, or with an error.
struct Fetch {
  ReplicaId peer;
  Index lo;
  Index hi;
  uint64_t max_bytes = 0;
};

// `peer` needs a snapshot and the core has none that reaches the log's start: answer, when one is
// there, with Raft::offer_snapshot.
struct SnapshotRequest {
  ReplicaId peer;
};

// A read that was asked for with `context` may be served once everything up to `index` is applied.
struct ReadState {
  uint64_t context = 0;
  Index index;
};

struct Ready {
  // 1. To persist.
  std::optional<SnapshotMeta>
      snapshot;  // replaces the whole log; its content came with the message
  Payload snapshot_data;
  std::vector<Entry> entries;  // contiguous; entries[0].index may lie inside the stored log, whose
                               // entries from there on are to be dropped first
  std::optional<HardState> hard_state;
  bool must_sync = false;
  PersistMark mark;

  // 2. and 3. To send.
  std::vector<Message> messages;
  std::vector<Message> messages_after_persist;

  // 4. To apply.
  CommittedRange committed;

  // 5. To answer and to know.
  std::vector<Fetch> fetches;
  std::vector<SnapshotRequest> snapshot_requests;
  std::vector<ReadState> reads;
  std::vector<uint64_t>
      failed_reads;  // contexts whose round was lost with the leadership: ask again
  std::optional<SoftState> soft_state;  // only if it changed

  bool has_write() const { return snapshot || !entries.empty() || hard_state; }
  // True if on_persisted(mark) is owed. A Ready without a write of its own may still owe it: its
  // messages_after_persist wait for the writes before it.
  bool needs_persist() const { return has_write() || !messages_after_persist.empty(); }
};

}  // namespace chronik::raft
