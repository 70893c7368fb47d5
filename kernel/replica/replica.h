// PartitionReplica: one member of one group. Drives its Raft core with a log storage and a state
// machine, and answers the group's proposals and queries.
//
// Owned by a shard and only touched on its thread; deterministic: time, chance and I/O come through
// ReplicaHost and completions. Results never call upstream: they are fed in and handled in the next
// stage of the pass.
//
// Life: open() reads the replica's state from the log storage, or prepares to create it; start()
// sets it going; from then on the shard calls, in each pass and in this order,
// on_log_written/on_log_read, propose/query, collect, apply. close() refuses and answers
// everything; when idle() the shard drops it.
//
// States, and what holds in each:
//   recovering   applied < what the log is known to have committed, or no leader known: requests
//   wait. serving      leader, and the empty entry of its term is applied (thesis 6.4, 8):
//   prepare() may be
//                called, queries see everything acknowledged.
//   fenced       a broken invariant: requests are refused with the reason, the core is left alone.
//   closed       requests are refused; writes in flight are awaited.
// update_serving() makes the first two transitions, fence() and close() the others.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "chronik/abi/frontend.h"
#include "raft/raft.h"
#include "replica/group_meta.h"
#include "replica/log_batch.h"
#include "replica/log_store.h"
#include "replica/machine.h"
#include "replica/proposal_queue.h"
#include "replica/query_desk.h"
#include "replica/replica_host.h"

namespace chronik {

struct ReplicaOptions {
  GroupId group;
  std::string topic;  // empty for the metadata group
  uint32_t partition = 0;
  raft::Options raft;  // raft.id is this replica's
  // The members of the group if it has to be created; ignored if the log storage knows it.
  raft::Configuration initial_configuration;
  // Payload bytes applied between two checkpoints of the state machine.
  uint64_t checkpoint_bytes = 64 << 20;
  // Bytes that the group appends in one batch at most; the log storage may allow less.
  uint64_t append_bytes_max = 8 << 20;
  // Bytes of one read while the log is replayed.
  uint64_t replay_read_bytes = 4 << 20;
};

class PartitionReplica {
 public:
  // Errors: kDataLoss: what the log storage holds makes no sense; the machine's own from restore().
  static Result<std::unique_ptr<PartitionReplica>> open(ReplicaOptions options, LogStore& store,
                                                        Machine machine, ReplicaHost& host);
  ~PartitionReplica();

  // Campaigns at once if it is the group's only voter and has nothing to replay first.
  void start();

  // ---- Stages of a pass ------------------------------------------------------------------------

  // The oldest batch that collect() said it took part in is durable.
  void on_log_written();
  // The log storage has failed or refused a write: no write in flight will be completed. Pre:
  // closed or fenced.
  void on_store_failed();
  // ReplicaHost::read_log could not begin the read.
  void on_read_refused(const Status& why);
  // The read begun with ReplicaHost::read_log ended; borrowed.
  void on_log_read(const chronik_log_read_result& result);
  void propose(chronik_propose_request* request);
  void query(chronik_query_request* request);
  // Nothing if the query was answered already.
  void cancel_query(chronik_query_request* request);
  void expire_queries();
  void tick();
  // Adds what the core wants written to `batch`. True if it added something; on_log_written() is
  // then owed once the batch is durable. Payloads stay alive until then.
  bool collect(LogBatch& batch);
  // Applies what is committed and at hand.
  void apply();

  // ---- End -------------------------------------------------------------------------------------

  // Refuses and answers all requests; what is being proposed is in doubt.
  void close(const Status& why);
  // Nothing of it is under way: it may be destroyed.
  bool idle() const { return in_flight_.empty() && !reading_; }
  // Writes hard state and a checkpoint of the machine to `batch`, for a quick restart. Pre: idle().
  void save_checkpoint(LogBatch& batch);
  // Takes the replica out of service after a broken invariant.
  void fence(Status why);

  // ---- State -----------------------------------------------------------------------------------

  GroupId group() const { return options_.group; }
  LogStore& store() { return store_; }
  host::StateMachine& machine() { return *machine_.instance; }
  bool serving() const { return serving_; }
  // Ticks do something: a group of one needs none.
  bool wants_ticks() const;
  Index applied() const { return applied_; }
  // No proposal waits for its outcome.
  bool drained() const { return proposals_.empty() && (!serving_ || waiting_.empty()); }
  // Strings in `status` live until the next call into the replica.
  void describe(chronik_group_status& status);

  // Place in the shard's ready set; the shard's.
  bool queued = false;

 private:
  struct InFlight {
    raft::PersistMark mark;
    std::vector<raft::Message> after;
    Index last;      // last entry of this write, or of those before
    bool own_write;  // false: rides on the write before it
  };

  PartitionReplica(ReplicaOptions options, LogStore& store, Machine machine, ReplicaHost& host,
                   raft::InitialState initial, GroupMeta meta, bool exists);

  // Proposals.
  Status check_admission(uint64_t bytes) const;
  void take(chronik_propose_request* request);
  void take_waiting();
  bool batch_has_room(uint64_t bytes) const;
  Status append(chronik_propose_request* request, const chronik_proposal& proposal);
  Status refusal() const;  // why requests aren't answered now; OK: they may wait

  void maybe_campaign();

  // Ready.
  void write_ready(raft::Ready& ready, LogBatch& batch);
  void remember(std::vector<raft::Entry>& entries);
  void finish_write(InFlight& write);
  void finish_riders();

  // Applies.
  void apply_tail();
  void read_ahead();
  bool apply_entries(const chronik_entry* entries, uint32_t count, uint32_t stride);
  bool apply_run(const chronik_entry* entries, uint32_t count, uint32_t stride);
  void apply_configuration(const chronik_entry& entry);
  void after_apply();
  void update_serving();
  GroupMeta meta_with_checkpoint();
  void check_core();

  const ReplicaOptions options_;
  LogStore& store_;
  ReplicaHost& host_;
  Machine machine_;
  raft::Raft core_;
  ProposalQueue proposals_;
  QueryDesk queries_;

  GroupMeta meta_;
  bool must_create_;           // the group isn't in the log storage yet
  bool meta_changed_ = false;  // meta_ has to be written with the next batch
  bool checkpoint_due_ = false;
  std::optional<raft::HardState> lazy_hard_state_;  // commit that rides on the next write

  std::deque<InFlight> in_flight_;
  Index written_;    // last entry handed to the log storage
  Index durable_;    // Invariant: durable_ <= written_
  Index applied_;    // Invariant: applied_ <= committed_
  Index committed_;  // committed and handed out by the core
  std::deque<raft::Entry>
      tail_;  // entries written by this incarnation and not applied yet, consecutive
  bool reading_ = false;
  bool store_failed_ = false;   // completions of what was in flight mean nothing any more
  uint64_t applied_bytes_ = 0;  // since the last checkpoint

  bool serving_ = false;
  bool closed_ = false;
  Status fenced_;
  Status closed_why_;
  // Admitted; until the replica serves, and the batch being filled has room.
  std::deque<chronik_propose_request*> waiting_;
  uint64_t unwritten_bytes_ = 0;                         // proposed since the last collect()
  std::vector<chronik_query_request*> waiting_queries_;  // until serving

  // Scratch, kept for their memory.
  raft::Ready ready_;
  std::vector<chronik_entry> entries_;
  std::vector<chronik_result> results_;
  chronik_prepared prepared_;
  std::string status_message_;
};

}  // namespace chronik
