// QueryDesk: a replica's queries: asks the state machine, reads the log where it says so, and parks
// long polls until something new was applied.
//
// Lives on the replica's shard. A log read ends on a thread of the storage and is answered from
// there: the reply needs nothing of the replica any more, and the reader is spared a turn of the
// shard.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "chronik/abi/frontend.h"
#include "replica/log_store.h"
#include "replica/machine.h"

namespace chronik {

class QueryDesk {
 public:
  QueryDesk(GroupId group, host::StateMachine& machine, LogStore& store)
      : group_(group), machine_(machine), store_(store) {}
  QueryDesk(const QueryDesk&) = delete;
  QueryDesk& operator=(const QueryDesk&) = delete;

  // Answers now, later from the storage, or parks the request until `now_ns` + its wait_ns.
  // `applied`: the last entry a reader may see. Returns the deadline if it was parked, else 0.
  int64_t query(chronik_query_request* request, Index applied, int64_t now_ns);
  // Something was applied: asks again for what is parked.
  void retry(Index applied, int64_t now_ns);
  // Answers those whose time has come, with what there is.
  void expire(Index applied, int64_t now_ns);
  // Answers one that may be parked here. False: it isn't.
  bool cancel(chronik_query_request* request, Index applied);
  void fail_all(const Status& why);

  bool has_parked() const { return !parked_.empty(); }

 private:
  struct Parked {
    chronik_query_request* request;
    int64_t deadline_ns;
  };
  enum class Outcome { kAnswered, kNotYet };
  // `wait`: leave a request that has nothing to read yet unanswered and say so.
  Outcome try_answer(chronik_query_request* request, Index applied, bool wait);
  void read_range(chronik_query_request* request, const chronik_answer& answer, Index applied);

  const GroupId group_;
  host::StateMachine& machine_;
  LogStore& store_;
  std::string value_;  // scratch
  std::vector<Parked> parked_;
};

}  // namespace chronik
