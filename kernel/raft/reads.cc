// Linearizable reads without writing to the log: ReadIndex (thesis 6.4) and leases (6.4.1).
//
// A read is answered with an index; whoever asked serves it from state that has applied everything
// up to there. The index is the leader's commit index when the read arrived, and good only if the
// leader was still leader then: it has committed an entry of its term, and after the read's arrival
// either a quorum answered a heartbeat, or its lease was valid (I14).
#include "raft/input.h"
#include "raft/quorum.h"

namespace chronik::raft {

Status Raft::read_index(uint64_t context, int64_t now_ns) {
  if (fence_.broken()) return Status(Code::kInternal, "this replica's core is fenced");
  if (context == 0) return Status(Code::kInvalidArgument, "a read needs a context");
  Input input(*this);
  if (Leader* leader = leading()) {
    wake();
    start_read(*leader, options_.id, context, now_ns);
    return Status();
  }
  if (leader() == kNobody) return Status(Code::kNotLeader, "no leader is known");
  wake();
  send_with_term(leader(), Term(), ReadIndexRequest{context});
  return Status();
}

void Raft::start_read(Leader& leader, ReplicaId origin, uint64_t context, int64_t now_ns) {
  const PendingRead read{origin, context, log_.commit(), 0};
  if (!committed_in_term()) {
    // Earlier leaders may have committed more than this one knows (thesis 6.4 step 1).
    leader.reads.postpone(read);
  } else if (options_.read_only == ReadOnlyMode::kLease && has_lease(now_ns)) {
    answer_read(read);
  } else {
    join_read_round(leader, read);
  }
}

void Raft::join_read_round(Leader& leader, PendingRead read) {
  // A round whose heartbeats haven't left yet confirms this read as well as those it was started
  // for.
  const bool joins = read_round_open_ && leader.reads.last_wanted() == leader.reads.round();
  if (!joins) leader.reads.start_round();
  leader.reads.add(read);
  if (!joins) {
    read_round_open_ = true;
    if (options_.lease_ns > 0) leader.lease.heartbeat_sent(leader.reads.round(), now_ns_);
    for (const Progress& member : leader.members) {
      if (member.replica() == options_.id) continue;
      send(member.replica(),
           Heartbeat{std::min(member.match(), log_.commit()), leader.reads.round()});
    }
  }
  release_confirmed_reads(leader);  // at once, in a group of one
}

void Raft::release_confirmed_reads(Leader& leader) {
  const auto acknowledged = [&](ReplicaId id) {
    return Index(id == options_.id ? leader.reads.round() : leader.reads.acknowledged(id));
  };
  const uint64_t round = quorum::committed(configuration_, acknowledged).value;
  leader.lease.confirmed(round);
  for (const PendingRead& read : leader.reads.take_confirmed(round)) answer_read(read);
}

void Raft::release_postponed_reads(Leader& leader) {
  for (PendingRead read : leader.reads.take_postponed()) {
    read.index = log_.commit();
    join_read_round(leader, read);
  }
}

void Raft::answer_read(const PendingRead& read) {
  if (read.origin == options_.id) {
    reads_.push_back({read.context, read.index});
  } else {
    send(read.origin, ReadIndexResponse{read.context, read.index});
  }
}

// Reads of others are lost like messages are: they time out.
void Raft::fail_reads(Leader& leader) {
  for (const PendingRead& read : leader.reads.take_all())
    if (read.origin == options_.id) failed_reads_.push_back(read.context);
}

bool Raft::has_lease(int64_t now_ns) const {
  const Leader* leader = leading();
  return leader && options_.check_quorum && options_.lease_ns > 0 && !quiesced_ &&
         !leader->timeout_now_sent && committed_in_term() &&
         leader->lease.valid(now_ns, options_.lease_ns);
}

Status Raft::on(const Message& message, ReadIndexRequest& body) {
  if (Leader* leader = leading()) {
    // Without a time of its own the request can't use the lease.
    start_read(*leader, message.from, body.context, -1);
  } else if (ReplicaId leader_id = this->leader(); leader_id != kNobody) {
    messages_.push_back({message.from, leader_id, Term(), body});
  }
  return Status();
}

Status Raft::on(const Message&, ReadIndexResponse& body) {
  reads_.push_back({body.context, body.index});
  return Status();
}

}  // namespace chronik::raft
