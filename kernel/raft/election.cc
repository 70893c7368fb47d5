// Elections (thesis 3.4), pre-vote (9.6), leases of votes (4.2.3) and what a leader does to stay
// one (6.2).
#include "raft/input.h"
#include "raft/quorum.h"

namespace chronik::raft {

// ---- Roles
// ---------------------------------------------------------------------------------------

// What changes with every change of role but the step to pre-candidate.
void Raft::reset(Term term) {
  if (Leader* leader = leading()) fail_reads(*leader);
  if (term_ != term) {
    term_ = term;
    vote_ = kNobody;
  }
  election_elapsed_ = 0;
  storage_stall_ = 0;
  election_timeout_ =
      options_.election_tick + static_cast<uint32_t>(random_.below(options_.election_tick));
}

void Raft::become_follower(Term term, ReplicaId leader) {
  reset(term);
  role_ = Follower{leader};
  vote_lease_ = leader != kNobody;
  note("BecomeFollower");
}

// Changes neither term nor vote: a replica that can't win disturbs nobody (thesis 9.6).
void Raft::become_pre_candidate() {
  role_ = PreCandidate{};
}

void Raft::become_candidate() {
  reset(term_ + 1);
  vote_ = options_.id;
  role_ = Candidate{};
  note("BecomeCandidate");
}

void Raft::become_leader() {
  reset(term_);
  role_.emplace<Leader>(ProgressMap(configuration_, log_.last_index() + 1, inflight_limits()));
  Leader& leader = *leading();
  if (Progress* self = leader.members.find(options_.id)) {
    self->maybe_update(log_.stable());
    self->become_replicate();
    self->active = true;
  }
  note("BecomeLeader");
  // Any entry of the log may be a conf change that isn't applied (thesis 4.1 and its erratum: also
  // one from an earlier term). It is cheaper to wait for all of them than to look.
  leader.pending_conf_change = log_.last_index();
  // Thesis 6.4 step 1 and 3.6.2: commits everything before it as soon as it is committed itself.
  Entry opening;
  opening.key = log_.last_key();
  opening.time_ms = log_.last_time_ms();
  append_as_leader(leader, std::move(opening));
  finish_append(leader);
}

// ---- Ticks
// ---------------------------------------------------------------------------------------

void Raft::tick_election() {
  ++election_elapsed_;
  if (restarted_ && election_elapsed_ >= options_.election_tick) restarted_ = false;
  if (!promotable() || election_elapsed_ < election_timeout_) return;
  election_elapsed_ = 0;
  start_campaign(options_.pre_vote ? Campaign::kPreVote : Campaign::kVote);
}

void Raft::tick_leader() {
  Leader& leader = *leading();
  ++leader.heartbeat_elapsed;
  ++election_elapsed_;
  if (election_elapsed_ >= options_.election_tick) {
    election_elapsed_ = 0;
    if (options_.check_quorum && !quorum_active()) return become_follower(term_, kNobody);
    for (Progress& member : leader.members) member.active = member.replica() == options_.id;
    // The transferee had its time (thesis 3.10): accept proposals again.
    if (leader.transferee != kNobody) {
      leader.transferee = kNobody;
      maybe_auto_leave();
    }
  }
  if (leader.heartbeat_elapsed >= options_.heartbeat_tick) {
    leader.heartbeat_elapsed = 0;
    broadcast_heartbeat(leader);
  }
}

// A leader whose storage hangs can replicate nothing, but its heartbeats would keep others from
// taking over: it has to give way.
void Raft::tick_storage() {
  storage_stall_ = writes_durable_ < writes_issued_ ? storage_stall_ + 1 : 0;
  if (options_.storage_stall_ticks == 0 || storage_stall_ < options_.storage_stall_ticks) return;
  if (leading()) become_follower(term_, kNobody);
}

bool Raft::quorum_active() const {
  const auto active = [&](ReplicaId id) {
    const Progress* member = leading()->members.find(id);
    return std::optional<bool>(id == options_.id || (member && member->active));
  };
  return quorum::vote_result(configuration_, active) == VoteResult::kWon;
}

// ---- Candidates
// ----------------------------------------------------------------------------------

bool Raft::promotable() const {
  return is_voter() && !log_.has_pending_snapshot();
}

void Raft::campaign() {
  if (fence_.broken()) return;
  Input input(*this);
  wake();
  start_campaign(options_.pre_vote ? Campaign::kPreVote : Campaign::kVote);
}

void Raft::start_campaign(Campaign kind) {
  if (leading() || !promotable()) return;
  // A committed change that isn't applied yet may have taken this replica out of the group, or
  // changed what a majority is: a leader elected by the old one could coexist with another (I13).
  if (log_.has_unapplied_conf_change()) return;
  if (kind == Campaign::kPreVote) {
    become_pre_candidate();
  } else {
    become_candidate();
  }
  ask_for_votes(kind);
}

void Raft::ask_for_votes(Campaign kind) {
  const bool pre_vote = kind == Campaign::kPreVote;
  const Term term = pre_vote ? term_ + 1 : term_;
  std::vector<ReplicaId> voters = configuration_.voters;
  voters.insert(voters.end(), configuration_.voters_outgoing.begin(),
                configuration_.voters_outgoing.end());
  std::sort(voters.begin(), voters.end());
  voters.erase(std::unique(voters.begin(), voters.end()), voters.end());
  for (ReplicaId id : voters) {
    if (id == options_.id) {
      // Its own vote counts like the others: when it is durable.
      send_after_persist(id, term, RequestVoteResponse{pre_vote, false});
    } else {
      send_with_term(id, term, RequestVote{pre_vote, kind == Campaign::kTransfer, log_.last()});
    }
  }
}

Status Raft::on(const Message& message, RequestVoteResponse& body) {
  Votes* votes = nullptr;
  if (auto* pre_candidate = std::get_if<PreCandidate>(&role_); pre_candidate && body.pre_vote)
    votes = &pre_candidate->votes;
  if (auto* candidate = std::get_if<Candidate>(&role_); candidate && !body.pre_vote)
    votes = &candidate->votes;
  if (!votes) return Status();  // the election is over

  votes->record(message.from, !body.rejected);
  switch (quorum::vote_result(configuration_, [&](ReplicaId id) { return votes->of(id); })) {
    case VoteResult::kPending: break;
    case VoteResult::kLost: become_follower(term_, kNobody); break;
    case VoteResult::kWon:
      if (body.pre_vote) {
        start_campaign(Campaign::kVote);
      } else {
        become_leader();
      }
      break;
  }
  return Status();
}

// ---- Voters
// --------------------------------------------------------------------------------------

// Thesis 4.2.3: within an election timeout of hearing from a leader, don't help to depose it. The
// leader itself is in its lease until its next quorum check.
bool Raft::in_vote_lease() const {
  if (!options_.check_quorum || election_elapsed_ >= options_.election_tick) return false;
  if (leading()) return true;
  if (leader() != kNobody && vote_lease_) return true;
  // What this replica promised before a restart it can't know.
  return restarted_ && options_.read_only == ReadOnlyMode::kLease;
}

// Thesis 3.4 and 3.6.1. Learners vote too if asked: whoever asks may know of a newer configuration,
// in which they are voters.
Status Raft::on(const Message& message, RequestVote& body) {
  const bool vote_is_free = vote_ == kNobody && leader() == kNobody;
  const bool can_vote =
      vote_ == message.from || vote_is_free || (body.pre_vote && message.term > term_);
  if (!can_vote || body.last < log_.last()) {
    send_after_persist(message.from, term_, RequestVoteResponse{body.pre_vote, true});
    return Status();
  }
  if (!body.pre_vote) {
    election_elapsed_ = 0;
    vote_ = message.from;
  }
  // In the term asked for: a pre-vote is about the candidate's next one.
  send_after_persist(message.from, message.term, RequestVoteResponse{body.pre_vote, false});
  return Status();
}

}  // namespace chronik::raft
