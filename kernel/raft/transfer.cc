// Handing leadership over on purpose (thesis 3.10).
#include "raft/input.h"

namespace chronik::raft {

void Raft::transfer_leader(ReplicaId transferee) {
  if (fence_.broken()) return;
  Input input(*this);
  wake();
  TransferLeadership body{transferee};
  (void)on(Message{options_.id, options_.id, term_, {}}, body).ok();
}

Status Raft::on(const Message&, TransferLeadership& body) {
  Leader* leader = leading();
  if (!leader) {
    if (ReplicaId id = this->leader(); id != kNobody) send(id, body);
    return Status();
  }
  Progress* member = leader->members.find(body.transferee);
  if (!member || member->learner || leader->transferee == body.transferee) return Status();
  leader->transferee = kNobody;  // a newer wish replaces the one in progress
  if (body.transferee == options_.id) return Status();
  // It has one election timeout from now.
  election_elapsed_ = 0;
  leader->transferee = body.transferee;
  if (member->match() == log_.last_index()) {
    send_timeout_now(*leader, body.transferee);
  } else {
    maybe_send_append(*member, true);
  }
  return Status();
}

void Raft::send_timeout_now(Leader& leader, ReplicaId to) {
  leader.timeout_now_sent = true;
  leader.lease.clear();
  send(to, TimeoutNow{});
}

// The old leader has vouched for this replica's log, so there is no pre-vote, and the voters'
// leases don't hold against it.
Status Raft::on(const Message&, TimeoutNow&) {
  if (std::holds_alternative<Follower>(role_)) start_campaign(Campaign::kTransfer);
  return Status();
}

}  // namespace chronik::raft
