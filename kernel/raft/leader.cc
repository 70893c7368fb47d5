// The sending side of replication (thesis 3.5, 3.6.2, 10.2): appends, heartbeats, snapshots, and
// the commit index that their answers move.
#include "raft/input.h"
#include "raft/quorum.h"

namespace chronik::raft {

InflightLimits Raft::inflight_limits() const {
  return {options_.max_inflight_messages, options_.max_inflight_bytes};
}

void Raft::broadcast_append(Leader& leader) {
  for (Progress& member : leader.members)
    if (member.replica() != options_.id) maybe_send_append(member, true);
}

void Raft::broadcast_heartbeat(Leader& leader) {
  if (options_.lease_ns > 0) leader.lease.heartbeat_sent(leader.reads.start_round(), now_ns_);
  const uint64_t round = options_.lease_ns > 0 ? leader.reads.round() : leader.reads.last_wanted();
  for (Progress& member : leader.members) {
    if (member.replica() == options_.id) continue;
    // Never beyond what it is known to hold: entries behind that may not be the leader's.
    const Index commit = std::min(member.match(), log_.commit());
    send(member.replica(), Heartbeat{commit, round});
    member.sent_commit(commit);
  }
}

bool Raft::maybe_send_append(Progress& member, bool even_if_empty) {
  if (member.paused()) return false;
  const Index next = member.next();
  const std::optional<Term> previous_term = log_.term_of(next - 1);
  if (!previous_term) return send_snapshot(member);

  AppendEntries append{{*previous_term, next - 1}, log_.commit(), {}};
  uint64_t bytes = 0;
  // With a full window an empty append serves as a probe; see Progress::sent_entries.
  const bool room = member.state() != ProgressState::kReplicate || !member.inflight_full();
  if (room && next <= log_.last_index()) {
    if (next < log_.tail_first()) {
      member.fetching = true;
      fetches_.push_back(
          {member.replica(), next, log_.tail_first(), options_.max_size_per_message});
      return true;
    }
    bytes = log_.copy(next, log_.last_index() + 1, options_.max_size_per_message, &append.entries);
  }
  const size_t count = append.entries.size();
  if (count == 0 && !even_if_empty) return false;
  send(member.replica(), std::move(append));
  member.sent_entries(count, bytes);
  member.sent_commit(log_.commit());
  return true;
}

void Raft::on_fetched(const Fetch& fetch, Result<std::vector<Entry>> entries) {
  if (fence_.broken()) return;
  Input input(*this);
  Leader* leader = leading();
  Progress* member = leader ? leader->members.find(fetch.peer) : nullptr;
  // Asked for in an earlier role or state.
  if (!member || !member->fetching || member->next() != fetch.lo) return;
  member->fetching = false;
  const std::optional<Term> previous_term = log_.term_of(fetch.lo - 1);
  if (!previous_term || (!entries.ok() && entries.status().code() == Code::kOutOfRange)) {
    send_snapshot(*member);
    return;
  }
  if (!entries.ok() || entries->empty()) return;  // the next heartbeat's answer tries again
  uint64_t bytes = 0;
  Index expected = fetch.lo;
  for (const Entry& entry : *entries) {
    if (entry.index != expected || log_.term_of(entry.index) != entry.term)
      return fence_.report(text("storage answered with entry ", entry.id(),
                                ", but the log has term ",
                                log_.term_of(entry.index).value_or(Term()), " there"));
    bytes += entry_bytes(entry);
    ++expected;
  }
  const size_t count = entries->size();
  send(member->replica(),
       AppendEntries{{*previous_term, fetch.lo - 1}, log_.commit(), std::move(entries).value()});
  member->sent_entries(count, bytes);
  member->sent_commit(log_.commit());
  while (maybe_send_append(*member, false)) {
  }
}

bool Raft::send_snapshot(Progress& member) {
  if (!member.active)
    return false;  // it couldn't be told now; snapshots are too big to send in vain
  if (!offered_snapshot_ || offered_snapshot_->snapshot.last.index < log_.start().index) {
    snapshot_requests_.push_back({member.replica()});
    return false;
  }
  member.become_snapshot(offered_snapshot_->snapshot.last.index);
  send(member.replica(), *offered_snapshot_);
  return true;
}

void Raft::offer_snapshot(SnapshotMeta snapshot, Payload data) {
  Input input(*this);
  offered_snapshot_ = InstallSnapshot{std::move(snapshot), std::move(data)};
}

// ---- Answers
// -------------------------------------------------------------------------------------

Status Raft::on(const Message& message, AppendEntriesResponse& body) {
  Leader* leader = leading();
  Progress* member = leader ? leader->members.find(message.from) : nullptr;
  if (!member) return Status();
  member->active = true;
  if (body.rejected) {
    // Backtracking, with hints on both sides: neither side needs to try entries of terms that the
    // other can't have (docs/RAFT.md, "Backtracking").
    if (body.index == Index()) {
      // Every log agrees about what precedes it: this is a newcomer without a configuration.
      if (member->state() != ProgressState::kSnapshot) send_snapshot(*member);
      return Status();
    }
    Index hint = body.hint.index;
    if (body.hint.term > Term()) hint = log_.last_not_above(hint, body.hint.term).index;
    if (member->maybe_decrease(body.index, hint)) {
      if (member->state() == ProgressState::kReplicate) member->become_probe();
      maybe_send_append(*member, true);
    }
    return Status();
  }
  if (body.index > log_.last_index()) {
    fence_.report(text("replica ", message.from, " acknowledges entry ", body.index,
                       " of a log that ends at ", log_.last()));
    return Status();
  }

  const bool probe_answered =
      member->match() == body.index && member->state() == ProgressState::kProbe;
  if (!member->maybe_update(body.index) && !probe_answered) return Status();
  if (member->state() == ProgressState::kProbe) {
    member->become_replicate();
  } else if (member->state() == ProgressState::kSnapshot) {
    if (member->match() + 1 >= log_.first_index()) {
      // Its log meets ours again.
      member->become_probe();
      member->become_replicate();
    }
  } else {
    member->free_inflight(body.index);
  }

  if (maybe_commit(*leader)) {
    broadcast_append(*leader);
  } else if (message.from != options_.id && member->can_bump_commit(log_.commit())) {
    maybe_send_append(*member, true);
  }
  if (message.from == options_.id) return Status();
  while (maybe_send_append(*member, false)) {
  }
  if (message.from == leader->transferee && member->match() == log_.last_index())
    send_timeout_now(*leader, message.from);
  return Status();
}

Status Raft::on(const Message& message, HeartbeatResponse& body) {
  Leader* leader = leading();
  Progress* member = leader ? leader->members.find(message.from) : nullptr;
  if (!member) return Status();
  member->active = true;
  member->resume();
  if (member->match() < log_.last_index() || member->state() == ProgressState::kProbe)
    maybe_send_append(*member, true);
  if (body.read_round != 0) {
    leader->reads.acknowledge(message.from, body.read_round);
    release_confirmed_reads(*leader);
  }
  return Status();
}

// Thesis 3.6.2: an entry is committed once a majority stores it, but only one of the leader's own
// term may be committed by counting; those before it follow.
bool Raft::maybe_commit(Leader& leader) {
  const Index index = quorum::committed(configuration_, [&](ReplicaId id) {
    const Progress* member = leader.members.find(id);
    return member ? member->match() : Index();
  });
  if (index <= log_.commit() || log_.term_of(index) != term_) return false;
  log_.commit_to(index);
  note("Commit");
  release_postponed_reads(leader);
  return true;
}

bool Raft::committed_in_term() const {
  return log_.term_of(log_.commit()) == term_;
}

}  // namespace chronik::raft
