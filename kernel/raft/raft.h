// Raft: the replication core of one replica of one group.
//
// Data in, data out. A driver feeds it ticks, messages, proposals and completions; afterwards, if
// has_ready(), it takes one Ready (ready.h) and does what it says. The core has no thread, no
// clock, no I/O and no callback, and it isn't thread-safe: one shard owns it.
//
//   Raft raft(options, initial_state, random);
//   raft.tick();                                  // about every heartbeat interval
//   raft.step(std::move(message));                // from another replica, or from itself
//   if (raft.check_propose(size).ok()) raft.propose({key, time_ms, payload});
//   while (raft.has_ready()) {
//     Ready ready = raft.take_ready();
//     ... persist, send, apply ...
//   }
//   raft.on_persisted(mark);                      // completions, in order
//   raft.on_applied(index);
//
// The algorithm is that of Ongaro's thesis ("Consensus: Bridging Theory and Practice", 2014);
// docs/RAFT.md maps its sections to functions and numbers the invariants. Errors of operation are
// Status values and change nothing. A broken invariant is never repaired: it aborts the process in
// builds with CHRONIK_DEBUG_CHECKS; otherwise the core says so in broken(), and from then on does
// nothing and wants nothing, so that its group can be fenced.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "raft/configuration.h"
#include "raft/fence.h"
#include "raft/message.h"
#include "raft/options.h"
#include "raft/raft_log.h"
#include "raft/ready.h"
#include "raft/role.h"
#include "raft/trace.h"
#include "raft/types.h"

namespace chronik::raft {

// The core's only source of chance: election timeouts.
class Random {
 public:
  virtual ~Random() = default;
  // Uniform in [0, bound). Pre: bound > 0.
  virtual uint64_t below(uint64_t bound) = 0;
};

struct Proposal {
  uint64_t key = 0;  // >= last_key()
  int64_t time_ms = 0;
  Payload payload;
};

// A leader's view of one member, for status and tests.
struct ProgressView {
  ReplicaId replica;
  ProgressState state = ProgressState::kProbe;
  Index match;
  Index next;
  bool learner = false;
  bool paused = false;
  bool active = false;  // heard from lately
  Index pending_snapshot;
  uint32_t inflight_messages = 0;
  uint64_t inflight_bytes = 0;
  bool inflight_full = false;
};

class Raft {
 public:
  // `random` must outlive the core. Pre: options and state are consistent; see broken() otherwise.
  Raft(Options options, InitialState state, Random& random);
  Raft(const Raft&) = delete;
  Raft& operator=(const Raft&) = delete;

  // ---- Input -----------------------------------------------------------------------------------

  // One unit of time passed. No effect while quiesced. `now_ns`: of a monotonic clock, for leases
  // only.
  void tick(int64_t now_ns = 0);

  // A message arrived. Errors: as propose() for a forwarded proposal that was dropped;
  // kInvalidArgument for a message that isn't for this replica; kNotFound for an answer from a
  // replica that isn't a member. Messages that no longer matter are ignored and OK.
  Status step(Message message);

  // Whether a proposal with `size` payload bytes would be accepted now. As long as nothing but
  // proposals happens in between, a propose() after an OK doesn't fail.
  // Errors: kNotLeader: ask leader(); kUnavailable: leadership is being transferred;
  // kResourceExhausted: too much is uncommitted, wait.
  Status check_propose(uint64_t size) const;
  bool can_propose(uint64_t size) const { return check_propose(size).ok(); }

  // Appends an entry to the leader's log and starts replicating it. Returns its name, which tells
  // its fate: applied under that (term, index), or lost if another entry is applied at the index.
  // Errors: as check_propose; kInvalidArgument: key < last_key().
  // A follower doesn't forward; see forward_proposal.
  Result<EntryId> propose(Proposal proposal);

  // Appends several entries at once, all or none; returns the name of the first. Pre: not empty.
  Result<EntryId> propose(std::vector<Proposal> proposals);

  // Proposes a membership change; `meta.payload` is ignored. An entry of type kConfChange is
  // written if `type` says so (one step, no transition). A change that can't be valid now (one is
  // still unapplied; the configuration is joint, or isn't) becomes an empty normal entry, as its
  // name then tells by being applied: the leader mustn't refuse what another replica's leader might
  // have appended. Errors: as propose.
  Result<EntryId> propose_conf_change(const ConfChangeV2& change, Proposal meta = {},
                                      EntryType type = EntryType::kConfChangeV2);

  // On a follower: passes the proposal to the leader, with no news about its fate. On a leader:
  // proposes. Errors: kNotLeader: no leader is known, or forwarding is disabled.
  Status forward_proposal(Proposal proposal);
  Status forward_conf_change(const ConfChangeV2& change, Proposal meta = {},
                             EntryType type = EntryType::kConfChangeV2);

  // Starts an election now, unless this replica is leader, isn't a voter, or has committed
  // membership changes that it hasn't applied. A single-member group's way to start without
  // waiting.
  void campaign();

  // Hands leadership to `transferee` (thesis 3.10); a follower passes the wish on. Proposals are
  // refused until that happened or an election timeout went by.
  void transfer_leader(ReplicaId transferee);

  // Asks for a read index under `context` (not 0, unique among reads in progress). The answer is a
  // ReadState or a failed read in some later Ready; or neither, if a message was lost: time out and
  // ask again. `now_ns`: of the clock that tick() was given, sampled after the read was taken from
  // its queue; only lease-based reads look at it. Errors: kNotLeader: no leader is known.
  Status read_index(uint64_t context, int64_t now_ns = 0);

  // A follower forgets its leader but stays in its term, and so would vote for another. Not with
  // lease-based reads.
  void forget_leader();

  // Messages to `peer` were lost.
  void report_unreachable(ReplicaId peer);
  // The snapshot for `peer` arrived there (ok) or didn't.
  void report_snapshot(ReplicaId peer, bool ok);
  // The newest snapshot that can be sent. Kept until the next one.
  void offer_snapshot(SnapshotMeta snapshot, Payload data = {});

  // A leader with nothing to do asks its group to stop ticking; OK if it did. Errors:
  // kFailedPrecondition: something is unfinished, or a member is behind or silent.
  Status quiesce();
  // Starts ticking again with a fresh, random election timeout and without any lease. Every message
  // but Quiesce and every proposal wakes too.
  void wake();

  // ---- Output ----------------------------------------------------------------------------------

  bool has_ready() const;
  // Pre: has_ready(), though an empty Ready does no harm.
  Ready take_ready();
  // The same into a Ready that is used again and keeps its vectors' memory.
  void take_ready(Ready* ready);

  // ---- Completions -----------------------------------------------------------------------------

  // The write of the Ready that `mark` came with, and all before it, are durable.
  void on_persisted(const PersistMark& mark);
  // Everything up to and including `index` is applied.
  void on_applied(Index index);
  // For the synchronous form: all of `done` has been done.
  void advance(Ready done);
  // Answers a Fetch: entries from its `lo` on, or an error. kOutOfRange means compacted away.
  void on_fetched(const Fetch& fetch, Result<std::vector<Entry>> entries);
  // The storage no longer has entries up to and including `index`, whose term was `term`.
  void on_compacted(Index index, Term term);
  // Applies a membership change that was committed. Returns the configuration from now on. Refuses
  // with kInvalidArgument what would break the rules of joint consensus; the configuration then
  // stays.
  Result<Configuration> apply_conf_change(const ConfChangeV2& change);

  // ---- State -----------------------------------------------------------------------------------

  ReplicaId id() const;
  Role role() const;
  bool is_leader() const { return role() == Role::kLeader; }
  Term term() const;
  ReplicaId vote() const;
  ReplicaId leader() const;  // kNobody if unknown
  Index commit() const;
  Index applied() const;
  Index last_index() const;
  EntryId last_id() const;
  Index first_index() const;  // of the first entry not compacted away
  Index next_index() const { return last_index() + 1; }
  uint64_t last_key() const;
  int64_t last_time_ms() const;
  // Of an entry in [first_index() - 1, last_index()]; nothing for others.
  std::optional<Term> term_of(Index index) const;
  HardState hard_state() const;
  const Configuration& configuration() const;
  // True if this replica is counted in elections and commits.
  bool is_voter() const;
  bool has_applied_in_term() const;  // leader: the empty entry of its term is applied
  // Leader whose lease covers `now_ns`: lease-based reads are served without asking anybody.
  bool has_lease(int64_t now_ns) const;
  bool quiesced() const;
  ReplicaId transferee() const;  // of the transfer in progress
  uint64_t uncommitted_size() const;
  uint32_t election_elapsed() const;
  uint32_t randomized_election_timeout() const;
  // Sorted by replica; empty unless leader.
  std::vector<ProgressView> progress() const;

  // Appends to `out` those entries of [lo, hi) that are in memory: a suffix of the range, since
  // memory always holds the log's tail. Returns the index of the first one, or hi if none.
  Index copy_entries(Index lo, Index hi, std::vector<Entry>* out) const;

  // Says what broke, once something has; empty otherwise.
  const std::string& broken() const;
  // Checks all invariants of docs/RAFT.md that one replica can check alone; the first that doesn't
  // hold, or "". Runs after each input under CHRONIK_DEBUG_CHECKS.
  std::string check_invariants() const;

  // Events go to `trace` from now on, beginning with InitState; null: none. `trace` must outlive
  // its use here.
  void set_trace(Trace* trace);

  void set_randomized_election_timeout_for_test(uint32_t ticks);

 private:
  class Input;  // one call from outside: see raft.cc

  // ---- Roles (election.cc) ---------------------------------------------------------------------
  void reset(Term term);
  void become_follower(Term term, ReplicaId leader);
  void become_pre_candidate();
  void become_candidate();
  void become_leader();
  enum class Campaign { kPreVote, kVote, kTransfer };
  void start_campaign(Campaign kind);
  void ask_for_votes(Campaign kind);
  bool promotable() const;
  bool in_vote_lease() const;
  bool quorum_active() const;
  void tick_election();
  void tick_leader();
  void tick_storage();

  // ---- Messages --------------------------------------------------------------------------------
  bool passes_term(const Message& message);
  void answer_lower_term(const Message& message);
  Status on(const Message& message, RequestVote& body);            // election.cc
  Status on(const Message& message, RequestVoteResponse& body);    // election.cc
  Status on(const Message& message, AppendEntries& body);          // follower.cc
  Status on(const Message& message, Heartbeat& body);              // follower.cc
  Status on(const Message& message, InstallSnapshot& body);        // follower.cc
  Status on(const Message& message, AppendEntriesResponse& body);  // leader.cc
  Status on(const Message& message, HeartbeatResponse& body);      // leader.cc
  Status on(const Message& message, ForwardedProposal& body);      // proposal.cc
  Status on(const Message& message, TransferLeadership& body);     // transfer.cc
  Status on(const Message& message, TimeoutNow& body);             // transfer.cc
  Status on(const Message& message, ReadIndexRequest& body);       // reads.cc
  Status on(const Message& message, ReadIndexResponse& body);      // reads.cc
  Status on(const Message& message, Quiesce& body);                // quiescence.cc
  bool follow_sender(const Message& message);
  bool restore(InstallSnapshot& body);
  void send(ReplicaId to, MessageBody body);
  void send_with_term(ReplicaId to, Term term, MessageBody body);
  void send_after_persist(ReplicaId to, Term term, MessageBody body);

  // ---- Leading (leader.cc) ---------------------------------------------------------------------
  Leader* leading() { return std::get_if<Leader>(&role_); }
  const Leader* leading() const { return std::get_if<Leader>(&role_); }
  void broadcast_append(Leader& leader);
  void broadcast_heartbeat(Leader& leader);
  // Sends one append, or what the member needs instead. Returns whether something was sent.
  bool maybe_send_append(Progress& member, bool even_if_empty);
  bool send_snapshot(Progress& member);
  bool maybe_commit(Leader& leader);
  bool committed_in_term() const;
  InflightLimits inflight_limits() const;

  // ---- Proposals and membership (proposal.cc, conf_change.cc) -----------------------------------
  void append_as_leader(Leader& leader, Entry entry);
  void finish_append(Leader& leader);
  Status propose_entries(std::vector<Entry> entries);
  Status admit_conf_change(Leader& leader, Entry& entry, Index index);
  Status forward(Entry entry);
  void maybe_auto_leave();
  void switch_to(Configuration next);

  // ---- Reads and transfer (reads.cc, transfer.cc) -----------------------------------------------
  void start_read(Leader& leader, ReplicaId origin, uint64_t context, int64_t now_ns);
  void join_read_round(Leader& leader, PendingRead read);
  void answer_read(const PendingRead& read);
  void release_confirmed_reads(Leader& leader);
  void release_postponed_reads(Leader& leader);
  void fail_reads(Leader& leader);
  void send_timeout_now(Leader& leader, ReplicaId to);

  // An event for the trace, if there is one.
  void note(const char* event, const Message* message = nullptr,
            const ConfChangeV2* change = nullptr) {
    if (trace_ && event) [[unlikely]]
      trace_->write(trace_line(*this, event, message, change));
  }

  // ---- Everybody's state -----------------------------------------------------------------------
  Options options_;
  Random& random_;
  Fence fence_;
  Term term_;
  ReplicaId vote_;
  Configuration configuration_;
  RaftLog log_;
  RoleState role_;
  Trace* trace_ = nullptr;

  uint32_t election_elapsed_ =
      0;  // ticks since the leader was heard, the vote cast, or the last check
  uint32_t election_timeout_ = 0;  // this time's, randomised
  uint32_t storage_stall_ = 0;     // ticks that the oldest write has been waiting for
  int64_t now_ns_ = 0;             // at the last tick
  bool quiesced_ = false;
  // Votes respect the lease of a leader that was heard from; not after a wake-up, when the silence
  // may have lasted longer than ticks tell. With lease-based reads a restarted voter begins with a
  // lease, since it may have given one before.
  bool vote_lease_ = false;
  bool restarted_ = false;

  std::optional<InstallSnapshot> offered_snapshot_;  // to send
  Payload received_snapshot_;                        // to install

  // ---- What the next Ready will say (ready.cc) -------------------------------------------------
  std::vector<Message> messages_;
  std::vector<Message> messages_after_persist_;
  std::vector<Fetch> fetches_;
  std::vector<SnapshotRequest> snapshot_requests_;
  std::vector<ReadState> reads_;
  std::vector<uint64_t> failed_reads_;
  bool read_round_open_ = false;  // the last read round's heartbeats haven't left yet
  HardState reported_hard_;
  SoftState reported_soft_;
  uint64_t writes_issued_ = 0;  // sequence of the last PersistMark
  uint64_t writes_durable_ = 0;
};

}  // namespace chronik::raft
