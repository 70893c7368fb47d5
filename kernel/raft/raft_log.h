// RaftLog: what a replica knows about its log without holding it.
//
// The log itself is in the driver's log storage. Kept here: its extent and term runs (which answer
// every question of Raft about terms), the tail that isn't durable yet, and, as far as the options
// allow, durable entries just before it.
//
//          start        applied   applying   commit                            last
//   compacted |............|..........|.........|...............................|
//                                                     |stable      |handed      |
//                              tail in memory: |......|............|............|
//                                              cached   being       not yet
//                                                       written     handed out
//
// Invariants (docs/RAFT.md): start <= applied <= applying <= commit <= last (I7);
// start <= stable <= handed <= last (I15); terms never decrease along the log (I10).
//
// Class of one Raft; reports to its Fence what would break an invariant, and then changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "raft/fence.h"
#include "raft/options.h"
#include "raft/ready.h"
#include "raft/ring.h"
#include "raft/size_ledger.h"
#include "raft/types.h"

namespace chronik::raft {

class RaftLog {
 public:
  RaftLog(InitialState state, const Options& options, Fence& fence);

  // ---- Extent and terms ------------------------------------------------------------------------
  Index first_index() const { return start_.index + 1; }
  EntryId start() const { return start_; }  // the log begins after it
  Index last_index() const { return last_.index; }
  EntryId last() const { return last_; }
  uint64_t last_key() const { return last_key_; }
  int64_t last_time_ms() const { return last_time_ms_; }
  Index commit() const { return commit_; }
  Index applied() const { return applied_; }
  Index applying() const { return applying_; }
  Index stable() const { return stable_; }
  Index handed() const { return handed_; }

  // Of an entry in [start, last]; nothing for others.
  std::optional<Term> term_of(Index index) const;
  bool matches(EntryId id) const { return term_of(id.index) == id.term; }
  // Where a log that has `term` at `index` may still agree with this one: the largest index up to
  // `index` whose term here isn't above `term`. Term 0 if that lies in the compacted part or
  // outside.
  EntryId last_not_above(Index index, Term term) const;

  // ---- Growth ----------------------------------------------------------------------------------
  // A leader's: `entry` is next_index() with a term not below the last one's.
  void append(Entry entry);
  // A follower's: `entries` follow `previous`, which matches. Those already here are skipped; from
  // the first that differs on, the rest of the log is replaced (thesis 3.5).
  void merge(std::vector<Entry> entries);
  // Never moves back. Pre: index <= last_index().
  void commit_to(Index index);
  // The log becomes what `snapshot` says, and is empty after it. Pre: snapshot.last.index >
  // commit().
  void restore(const SnapshotMeta& snapshot);
  void compact(Index index, Term term);

  // ---- Writes ----------------------------------------------------------------------------------
  bool has_unhanded() const { return handed_ < last_.index || (snapshot_ && !snapshot_handed_); }
  // Moves out what isn't handed out for writing yet.
  void hand_out(std::vector<Entry>* entries, std::optional<SnapshotMeta>* snapshot);
  // The last entry that is handed out but not durable; 0/0 if there is none.
  EntryId last_in_progress() const;
  // `id` and everything before it is durable, unless it isn't in the log any more.
  void stable_to(EntryId id);
  // The snapshot up to `index` is installed.
  void snapshot_stable(Index index);
  bool has_pending_snapshot() const { return snapshot_.has_value(); }
  const std::optional<SnapshotMeta>& pending_snapshot() const { return snapshot_; }

  // ---- Applying --------------------------------------------------------------------------------
  // The next committed entries to apply. `allow_unstable`: even if not durable here.
  CommittedRange next_committed(bool allow_unstable) const;
  void hand_out_committed(CommittedRange range, bool allow_unstable);
  void applied_to(Index index);
  // Whether there may be a conf change among the entries (applied, commit].
  bool has_unapplied_conf_change() const;

  // ---- Entries in memory -----------------------------------------------------------------------
  Index tail_first() const { return last_.index + 1 - tail_.size(); }
  // Pre: tail_first() <= index <= last_index().
  const Entry& at(Index index) const { return tail_[index - tail_first()]; }
  // Pre: tail_first() <= lo. Appends entries [lo, hi) up to max_bytes, at least one; returns their
  // bytes.
  uint64_t copy(Index lo, Index hi, uint64_t max_bytes, std::vector<Entry>* out) const;
  uint64_t unstable_bytes() const { return tail_bytes_ - cached_bytes_; }

  // What doesn't hold, or "".
  std::string check_invariants() const;

 private:
  void push(Entry entry);
  void truncate_from(Index index);
  void shrink_tail();
  Index appliable(bool allow_unstable) const;

  Fence& fence_;
  const uint64_t max_tail_bytes_;
  const uint64_t max_applying_bytes_;

  EntryId start_;
  EntryId last_;
  uint64_t last_key_ = 0;
  int64_t last_time_ms_ = 0;
  std::vector<TermRun> runs_;  // of the entries (start, last]

  Ring<Entry> tail_;           // the last entries of the log, all unstable ones among them
  uint64_t tail_bytes_ = 0;    // of all entries in tail_
  uint64_t cached_bytes_ = 0;  // of those that are stable

  std::optional<SnapshotMeta> snapshot_;  // received, not installed yet
  bool snapshot_handed_ = false;

  Index stable_;
  Index handed_;
  Index commit_;
  Index applied_;
  Index applying_;
  bool applying_paused_ = false;  // the size limit is reached
  SizeLedger applying_sizes_;

  std::vector<Index> conf_changes_;  // above applied, as far as they are known
  Index types_unknown_until_;  // entries up to here came from storage: any may be a conf change
};

}  // namespace chronik::raft
