// The receiving side of replication: appends, heartbeats and snapshots from the leader
// (thesis 3.5, 5.3).
#include "raft/input.h"

namespace chronik::raft {

// A message of the current term from its leader: whoever isn't its follower yet becomes so, and its
// silence is over. False if this replica is leader itself.
bool Raft::follow_sender(const Message& message) {
  if (leading()) {
    fence_.report(text("replicas ", options_.id, " and ", message.from, " both lead term ", term_,
                       " (", message_name(message), ")"));
    return false;
  }
  if (auto* follower = std::get_if<Follower>(&role_)) {
    follower->leader = message.from;
    election_elapsed_ = 0;
  } else {
    become_follower(message.term, message.from);
  }
  vote_lease_ = true;
  restarted_ = false;
  return true;
}

Status Raft::on(const Message& message, AppendEntries& body) {
  if (!follow_sender(message)) return Status();
  if (configuration_.voters.empty() && log_.last_index() == Index()) {
    // A newcomer that knows no group. If it took the log from its first entry, the first change in
    // it would look like the whole group, and this replica like its only voter. Refusing what
    // precedes every log asks for a snapshot, which carries the configuration.
    send_after_persist(message.from, term_, AppendEntriesResponse{body.previous.index, true});
    return Status();
  }
  if (body.previous.index < log_.commit()) {
    // Old: what was committed since can't differ from it.
    send_after_persist(message.from, term_, AppendEntriesResponse{log_.commit()});
    return Status();
  }
  if (!log_.matches(body.previous)) {
    // Thesis 3.5, with a hint that skips whole terms: no entry above it can match a leader whose
    // entry here has term previous.term.
    const Index known = std::min(body.previous.index, log_.last_index());
    const EntryId hint = log_.last_not_above(known, body.previous.term);
    send_after_persist(message.from, term_, AppendEntriesResponse{body.previous.index, true, hint});
    return Status();
  }
  const Index last_new = body.previous.index + body.entries.size();
  log_.merge(std::move(body.entries));
  if (fence_.broken()) return Status();
  // Not further than what this message vouches for: entries behind it may be of an old leader.
  log_.commit_to(std::min(body.commit, last_new));
  send_after_persist(message.from, term_, AppendEntriesResponse{last_new});
  return Status();
}

Status Raft::on(const Message& message, Heartbeat& body) {
  if (!follow_sender(message)) return Status();
  log_.commit_to(body.commit);
  send(message.from, HeartbeatResponse{body.read_round});
  return Status();
}

Status Raft::on(const Message& message, InstallSnapshot& body) {
  if (!follow_sender(message)) return Status();
  // Refused: the leader goes on from what is committed here.
  const Index reached = restore(body) ? log_.last_index() : log_.commit();
  send_after_persist(message.from, term_, AppendEntriesResponse{reached});
  return Status();
}

// Whether this replica is a member in the snapshot's configuration doesn't matter: a snapshot may
// be older than the change that added it, and refusing it would leave both sides waiting for each
// other.
bool Raft::restore(InstallSnapshot& body) {
  const SnapshotMeta& snapshot = body.snapshot;
  if (snapshot.last.index <= log_.commit()) return false;
  if (log_.matches(snapshot.last)) {
    // The log already has all of it, and may have more: keep it (thesis 5.3).
    log_.commit_to(snapshot.last.index);
    return false;
  }
  log_.restore(snapshot);
  configuration_ = snapshot.configuration;
  received_snapshot_ = std::move(body.data);
  return true;
}

void Raft::forget_leader() {
  Input input(*this);
  // The leader relies on its followers' leases.
  if (options_.read_only == ReadOnlyMode::kLease) return;
  if (auto* follower = std::get_if<Follower>(&role_)) follower->leader = kNobody;
}

}  // namespace chronik::raft
