#include "raft/raft.h"

#include "raft/input.h"

namespace chronik::raft {
namespace {

bool is_response(const Message& message) {
  return std::holds_alternative<AppendEntriesResponse>(message.body) ||
         std::holds_alternative<HeartbeatResponse>(message.body) ||
         std::holds_alternative<RequestVoteResponse>(message.body) ||
         std::holds_alternative<ReadIndexResponse>(message.body);
}

}  // namespace

Raft::Raft(Options options, InitialState state, Random& random)
    : options_(options),
      random_(random),
      fence_(options.abort_when_broken),
      term_(state.hard_state.term),
      vote_(state.hard_state.vote),
      configuration_(state.configuration),
      log_(std::move(state), options_, fence_) {
  if (options_.id == kNobody || options_.heartbeat_tick == 0 ||
      options_.election_tick <= options_.heartbeat_tick)
    fence_.report("options: an id and 0 < heartbeat_tick < election_tick are needed");
  become_follower(term_, kNobody);
  restarted_ = term_ != Term();
  reported_hard_ = hard_state();
  reported_soft_ = SoftState{leader(), role()};
}

void Raft::tick(int64_t now_ns) {
  if (broken().size() || quiesced_) return;
  Input input(*this);
  now_ns_ = now_ns;
  tick_storage();
  if (leading()) {
    tick_leader();
  } else {
    tick_election();
  }
}

Status Raft::step(Message message) {
  if (fence_.broken()) return Status(Code::kInternal, "this replica's core is fenced");
  if (message.to != options_.id)
    return Status(Code::kInvalidArgument,
                  text("a message for replica ", message.to, " came to replica ", options_.id));
  if (is_response(message) && !configuration_.contains(message.from))
    return Status(Code::kNotFound,
                  text("an answer from replica ", message.from, ", which isn't a member"));
  Input input(*this);
  if (!std::holds_alternative<Quiesce>(message.body)) wake();
  note(trace_receive_name(message.body), &message);
  if (!passes_term(message)) return Status();
  return std::visit([&](auto& body) { return on(message, body); }, message.body);
}

// Thesis 3.3: a higher term turns everybody into a follower of that term; a lower one is stale. The
// exceptions keep a replica that was cut off from disturbing the others (thesis 4.2.3, 9.6).
bool Raft::passes_term(const Message& message) {
  if (message.term == Term() || message.term == term_) return true;
  if (message.term < term_) {
    answer_lower_term(message);
    return false;
  }
  const auto* request = std::get_if<RequestVote>(&message.body);
  if (request && !request->leadership_transfer && in_vote_lease()) return false;
  if (request && request->pre_vote) return true;  // nothing changes before the real election
  const auto* response = std::get_if<RequestVoteResponse>(&message.body);
  if (response && response->pre_vote && !response->rejected) return true;  // names our next term

  const bool from_leader = std::holds_alternative<AppendEntries>(message.body) ||
                           std::holds_alternative<Heartbeat>(message.body) ||
                           std::holds_alternative<InstallSnapshot>(message.body) ||
                           std::holds_alternative<Quiesce>(message.body);
  become_follower(message.term, from_leader ? message.from : kNobody);
  return true;
}

void Raft::answer_lower_term(const Message& message) {
  const bool from_leader = std::holds_alternative<AppendEntries>(message.body) ||
                           std::holds_alternative<Heartbeat>(message.body);
  if (from_leader && (options_.check_quorum || options_.pre_vote)) {
    // A leader of an older term whose followers can't vote it out, because of leases: it must hear
    // of the newer term, or this replica, back from a partition with a term too high, stays
    // outside.
    send_after_persist(message.from, term_, AppendEntriesResponse{});
  } else if (const auto* request = std::get_if<RequestVote>(&message.body);
             request && request->pre_vote) {
    // So that a pre-candidate with an old term and a long log learns of the term.
    send_after_persist(message.from, term_, RequestVoteResponse{true, true});
  }
}

void Raft::send(ReplicaId to, MessageBody body) {
  send_with_term(to, term_, std::move(body));
}

void Raft::send_with_term(ReplicaId to, Term term, MessageBody body) {
  messages_.push_back({options_.id, to, term, std::move(body)});
  note(trace_send_name(messages_.back().body), &messages_.back());
}

void Raft::send_after_persist(ReplicaId to, Term term, MessageBody body) {
  messages_after_persist_.push_back({options_.id, to, term, std::move(body)});
  note(trace_send_name(messages_after_persist_.back().body), &messages_after_persist_.back());
}

void Raft::report_unreachable(ReplicaId peer) {
  Input input(*this);
  Leader* leader = leading();
  Progress* member = leader ? leader->members.find(peer) : nullptr;
  if (member && member->state() == ProgressState::kReplicate) member->become_probe();
}

void Raft::report_snapshot(ReplicaId peer, bool ok) {
  Input input(*this);
  Leader* leader = leading();
  Progress* member = leader ? leader->members.find(peer) : nullptr;
  if (!member || member->state() != ProgressState::kSnapshot) return;
  if (ok) {
    member->become_probe();
  } else {
    member->abort_snapshot();
  }
  // Its acknowledgement, or the next heartbeat's, says when to go on.
  member->throttle();
}

// ---- Completions
// ---------------------------------------------------------------------------------

void Raft::on_persisted(const PersistMark& mark) {
  if (fence_.broken()) return;
  Input input(*this);
  if (mark.sequence > writes_issued_ || mark.term > term_)
    return fence_.report(text("write ", mark.sequence, " of term ", mark.term,
                              " is durable, but never was asked for (", writes_issued_,
                              " writes issued, term ", term_, ")"));
  if (mark.sequence > writes_durable_) {
    writes_durable_ = mark.sequence;
    storage_stall_ = 0;
  }
  // A snapshot is of committed state, so it is good whatever became of the term.
  if (mark.snapshot != Index()) log_.snapshot_stable(mark.snapshot);
  // Entries aren't: since the write was issued they may have been overwritten and written again,
  // with both of those writes still under way. Only within one term is the log known to grow just
  // at the end (I15; thesis 10.2.1).
  if (mark.last.index != Index() && mark.term == term_) log_.stable_to(mark.last);
}

void Raft::on_applied(Index index) {
  if (fence_.broken()) return;
  Input input(*this);
  if (index > log_.applied()) {
    if (index > log_.applying())
      return fence_.report(text("applied up to ", index, ", handed out up to ", log_.applying()));
    log_.applied_to(index);
  }
  if (Leader* leader = leading()) leader->uncommitted.release_to(index);
  maybe_auto_leave();
}

void Raft::on_compacted(Index index, Term term) {
  if (fence_.broken()) return;
  Input input(*this);
  log_.compact(index, term);
}

// ---- State
// ---------------------------------------------------------------------------------------

ReplicaId Raft::id() const {
  return options_.id;
}

Role Raft::role() const {
  return static_cast<Role>(role_.index());
}
static_assert(std::is_same_v<std::variant_alternative_t<size_t(Role::kLeader), RoleState>, Leader>);
static_assert(std::is_same_v<std::variant_alternative_t<size_t(Role::kPreCandidate), RoleState>,
                             PreCandidate>);

Term Raft::term() const {
  return term_;
}
ReplicaId Raft::vote() const {
  return vote_;
}

ReplicaId Raft::leader() const {
  if (leading()) return options_.id;
  const auto* follower = std::get_if<Follower>(&role_);
  return follower ? follower->leader : kNobody;
}

Index Raft::commit() const {
  return log_.commit();
}
Index Raft::applied() const {
  return log_.applied();
}
Index Raft::last_index() const {
  return log_.last_index();
}
EntryId Raft::last_id() const {
  return log_.last();
}
Index Raft::first_index() const {
  return log_.first_index();
}
uint64_t Raft::last_key() const {
  return log_.last_key();
}
int64_t Raft::last_time_ms() const {
  return log_.last_time_ms();
}
std::optional<Term> Raft::term_of(Index index) const {
  return log_.term_of(index);
}
HardState Raft::hard_state() const {
  return {term_, vote_, log_.commit()};
}
const Configuration& Raft::configuration() const {
  return configuration_;
}
bool Raft::is_voter() const {
  return configuration_.is_voter(options_.id);
}
bool Raft::quiesced() const {
  return quiesced_;
}
uint32_t Raft::election_elapsed() const {
  return election_elapsed_;
}
uint32_t Raft::randomized_election_timeout() const {
  return election_timeout_;
}
const std::string& Raft::broken() const {
  return fence_.reason();
}
void Raft::set_trace(Trace* trace) {
  trace_ = trace;
  note("InitState");
}
void Raft::set_randomized_election_timeout_for_test(uint32_t ticks) {
  election_timeout_ = ticks;
}

bool Raft::has_applied_in_term() const {
  return leading() && log_.term_of(log_.applied()) == term_;
}

ReplicaId Raft::transferee() const {
  return leading() ? leading()->transferee : kNobody;
}

uint64_t Raft::uncommitted_size() const {
  return leading() ? leading()->uncommitted.bytes() : 0;
}

std::vector<ProgressView> Raft::progress() const {
  std::vector<ProgressView> views;
  if (!leading()) return views;
  for (const Progress& member : leading()->members) {
    ProgressView view;
    view.replica = member.replica();
    view.state = member.state();
    view.match = member.match();
    view.next = member.next();
    view.learner = member.learner;
    view.paused = member.paused();
    view.active = member.active;
    view.pending_snapshot = member.pending_snapshot();
    view.inflight_messages = static_cast<uint32_t>(member.inflight().count());
    view.inflight_bytes = member.inflight().bytes();
    view.inflight_full = member.inflight_full();
    views.push_back(view);
  }
  return views;
}

Index Raft::copy_entries(Index lo, Index hi, std::vector<Entry>* out) const {
  lo = std::max(lo, log_.tail_first());
  hi = std::min(hi, log_.last_index() + 1);
  if (lo >= hi) return hi;
  log_.copy(lo, hi, kNoLimit, out);
  return lo;
}

}  // namespace chronik::raft
