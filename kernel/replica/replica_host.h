// ReplicaHost: what a replica may ask of the shard it lives on.
//
// The shard implements it; a replica never knows threads, clocks or other replicas. All calls are
// made on the shard's thread.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "base/status.h"
#include "chronik/abi/log_storage.h"
#include "raft/raft.h"

namespace chronik {

class PartitionReplica;

// The time of the pass that is running.
struct Now {
  int64_t monotonic_ns = 0;
  int64_t wall_ms = 0;
};

class ReplicaHost {
 public:
  virtual ~ReplicaHost() = default;

  virtual Now now() const = 0;
  virtual raft::Random& random() = 0;

  // Admission by bytes: takes `bytes` of the node's budget for payloads in flight, or refuses.
  virtual bool admit(uint64_t bytes) = 0;
  virtual void release(uint64_t bytes) = 0;

  // The replica has something for the ready or apply stage of this pass or the next.
  virtual void wake(PartitionReplica& replica) = 0;
  // Begins a read of the replica's own log, one at a time; the result comes to on_log_read().
  virtual void read_log(PartitionReplica& replica, const chronik_log_read& request) = 0;
  // expire_queries() is wanted at `deadline_ns`.
  virtual void set_query_deadline(PartitionReplica& replica, int64_t deadline_ns) = 0;

  // The replica answers proposals and queries from now on, or no longer.
  virtual void on_serving(PartitionReplica& replica, bool serving) = 0;
  // A broken invariant took the replica out of service.
  virtual void on_fenced(PartitionReplica& replica, const Status& why) = 0;
};

}  // namespace chronik
