// Shard: many replicas on one thread.
//
// A group is pinned to one shard and nothing else touches it, so the data path has no locks. Work
// comes in through the mailbox; pass() handles it in one fixed order:
//
//   completions, ticks, proposals and queries, ready, applies
//
// At the end of the ready stage all groups' log writes go to their log storage as one batch (one
// sync for all of them); results come back as completions in a later pass. pass() is an ordinary
// function of the time: ShardThread calls it in production, tests and the simulator call it under a
// clock of their own.
//
// Thread: post_*, submit_* and begin_stop() anywhere; everything else on the thread that calls
// pass().
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "chronik/abi/frontend.h"
#include "replica/replica.h"
#include "shard/inflight_budget.h"
#include "shard/mailbox.h"

namespace chronik {

// What a shard tells its node. Called on the shard's thread; must not block.
class ShardObserver {
 public:
  virtual ~ShardObserver() = default;
  virtual void on_serving(GroupId group, bool serving) = 0;
  virtual void on_fenced(GroupId group, const Status& why) = 0;
  virtual void on_store_failed(LogStore& store) = 0;
};

struct ShardOptions {
  uint32_t number = 0;
  NodeId node;
  int64_t tick_interval_ns = 100'000'000;
  int64_t drain_ns = 5'000'000'000;  // how long a stop waits for proposals under way
  uint64_t random_seed = 1;
};

// A replica's status with strings of its own.
struct GroupStatus {
  chronik_group_status abi;
  std::string topic;
  std::string message;
};

class Shard final : public ReplicaHost, private RoomListener {
 public:
  // All references outlive the shard.
  Shard(ShardOptions options, InflightBudget& budget, ShardObserver& observer);
  ~Shard() override;

  // ---- From anywhere ---------------------------------------------------------------------------

  void submit_proposal(chronik_propose_request* request);
  void submit_query(chronik_query_request* request);
  void cancel_query(GroupId group, chronik_query_request* request);
  // Runs `command` on the shard's thread, in order with other mail.
  void post(std::function<void(Shard&)> command);
  // Refuses new requests, waits drain_ns for those under way, and answers what is left then.
  void begin_drain();
  // As begin_drain(), then saves checkpoints; then stopped() is true. A log storage that doesn't
  // end its writes (it may wait for space) is waited for another drain_ns, and left without
  // checkpoints: it has to be stopped before the shard is destroyed.
  void begin_stop();

  // ---- On the shard's thread -------------------------------------------------------------------

  // One turn. Returns when the next is due: 0 when there is mail, a time of the monotonic clock
  // otherwise; a value <= now.monotonic_ns asks for another turn at once.
  int64_t pass(Now now);
  bool stopped() const { return phase_ == Phase::kStopped; }
  Mailbox& mailbox() { return mailbox_; }

  // Pre: no replica of that group is here.
  Status open_replica(ReplicaOptions options, LogStore& store, Machine machine);
  // Closes the group's replica, if it has one here, and deletes its data in `store`; `done` follows
  // when that is durable.
  void delete_replica(GroupId group, LogStore& store, std::function<void()> done);
  PartitionReplica* find(GroupId group);
  void describe(std::vector<GroupStatus>& out);

  // ---- ReplicaHost -----------------------------------------------------------------------------

  Now now() const override { return now_; }
  raft::Random& random() override;
  bool admit(uint64_t bytes) override { return budget_.admit(bytes); }
  void release(uint64_t bytes) override { budget_.release(bytes); }
  void wake(PartitionReplica& replica) override;
  void read_log(PartitionReplica& replica, const chronik_log_read& request) override;
  void set_query_deadline(PartitionReplica& replica, int64_t deadline_ns) override;
  void on_serving(PartitionReplica& replica, bool serving) override;
  void on_fenced(PartitionReplica& replica, const Status& why) override;

 private:
  class PendingWrite;
  class PendingRead;
  class SeededRandom;
  enum class Phase { kRunning, kDraining, kClosing, kSaving, kStopped };
  struct Deletion {
    GroupId group;
    LogStore* store;
    std::function<void()> done;
  };
  struct QueryDeadline {
    int64_t at_ns;
    GroupId group;
    bool operator>(const QueryDeadline& other) const { return at_ns > other.at_ns; }
  };

  // Stages, in order.
  void take_mail();
  void complete_writes();
  void complete_reads();
  void tick();
  void expire_queries();
  void handle_requests();
  void collect();
  void apply();
  void delete_closed();
  void advance_stop();

  void route(chronik_propose_request* request);
  void route(chronik_query_request* request);
  PendingWrite& batch_for(LogStore& store);
  void submit(PendingWrite& write);
  void refuse(PendingWrite& write, const Status& why);
  void retry_blocked();
  void on_room() noexcept override;
  void fail_store(LogStore& store);
  bool all(bool (PartitionReplica::*predicate)() const) const;
  void save_checkpoints();
  int64_t next_deadline() const;

  const ShardOptions options_;
  InflightBudget& budget_;
  ShardObserver& observer_;
  std::unique_ptr<SeededRandom> random_;
  Mailbox mailbox_;
  Now now_;
  Phase phase_ = Phase::kRunning;
  std::atomic<bool> drain_wanted_{false};
  std::atomic<bool> stop_wanted_{false};
  int64_t drain_until_ns_ = 0;  // draining: for requests; from closing on: for writes

  std::unordered_map<GroupId, std::unique_ptr<PartitionReplica>> replicas_;
  std::vector<PartitionReplica*> ready_;    // woken since the last collect()
  std::vector<PartitionReplica*> working_;  // of this pass
  int64_t next_tick_ns_ = 0;                // 0: no replica wants ticks
  bool recheck_ticks_ = false;              // a replica came, or began or ceased to lead
  std::priority_queue<QueryDeadline, std::vector<QueryDeadline>, std::greater<>> query_deadlines_;
  std::vector<Deletion> deletions_;

  // Mail of this pass, by stage.
  std::vector<PendingWrite*> written_;
  std::vector<PendingRead*> read_;
  std::vector<Mail*> requests_;

  std::vector<std::unique_ptr<PendingWrite>> writes_;  // all there are
  std::vector<PendingWrite*> free_writes_;
  std::vector<PendingWrite*> filling_;  // of this pass, one per storage
  std::deque<PendingWrite*> blocked_;   // refused for lack of room, in order
  uint32_t writes_under_way_ = 0;
  uint32_t reads_under_way_ = 0;
};

}  // namespace chronik
