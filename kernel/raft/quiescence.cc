// Quiescence: a group in which nothing happens stops ticking.
//
// Only a leader whose members all hold and have committed everything, with nothing unfinished, may
// send its group to sleep; a member for which that isn't true stays awake and says so, which wakes
// the leader. Any other message, and any proposal or read, wakes a replica. Time that passed asleep
// was not counted, so whoever wakes has no lease, given or taken, and a fresh random election
// timeout, lest all members campaign at once.
#include "raft/input.h"

namespace chronik::raft {

Status Raft::quiesce() {
  const auto refuse = [](const char* why) { return Status(Code::kFailedPrecondition, why); };
  Leader* leader = leading();
  if (!leader || fence_.broken()) return refuse("not the leader");
  if (quiesced_) return Status();
  Input input(*this);
  const Index last = log_.last_index();
  if (log_.commit() != last || log_.applied() != last || log_.stable() != last)
    return refuse("the log is not settled");
  if (configuration_.joint() || leader->transferee != kNobody || !leader->reads.empty())
    return refuse("something is in progress");
  for (const Progress& member : leader->members) {
    if (member.replica() == options_.id) continue;
    if (member.match() != last || member.state() != ProgressState::kReplicate || !member.active)
      return refuse("a member is behind or silent");
  }
  for (const Progress& member : leader->members)
    if (member.replica() != options_.id) send(member.replica(), Quiesce{last});
  leader->lease.clear();
  quiesced_ = true;
  return Status();
}

Status Raft::on(const Message& message, Quiesce& body) {
  if (!follow_sender(message)) return Status();
  if (log_.matches({term_, body.last_index}) && body.last_index == log_.last_index())
    log_.commit_to(body.last_index);
  const bool settled = log_.last_index() == body.last_index && log_.commit() == body.last_index;
  if (settled) {
    quiesced_ = true;
  } else {
    send(message.from, HeartbeatResponse{});  // wakes the leader
  }
  return Status();
}

void Raft::wake() {
  if (!quiesced_) return;
  quiesced_ = false;
  vote_lease_ = false;
  election_elapsed_ = 0;
  election_timeout_ =
      options_.election_tick + static_cast<uint32_t>(random_.below(options_.election_tick));
  if (Leader* leader = leading()) {
    leader->lease.clear();
    leader->heartbeat_elapsed = 0;
    for (Progress& member : leader->members) member.active = true;  // as of when it went to sleep
    broadcast_heartbeat(*leader);  // so that the others wake before they miss it
  }
}

}  // namespace chronik::raft
