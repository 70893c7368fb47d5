// Chaos: random clusters under random faults, with the safety properties checked after every step
// by an observer who sees all replicas at once, and liveness after everything healed.
//
// Numbers are those of docs/RAFT.md. A failure prints its seed; CHRONIK_NEMESIS_SEED plays it
// again.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "raft/quorum.h"
#include "unit/raft/memory_cluster.h"

namespace chronik::raft::test {
namespace {

constexpr int64_t kTickNs = 1000;

class Nemesis {
 public:
  explicit Nemesis(uint64_t seed) : random_(seed) {
    Options options;
    options.abort_when_broken = true;
    options.election_tick = 5;
    options.heartbeat_tick = 1;
    options.pre_vote = random_.below(2);
    options.check_quorum = random_.below(2);
    options.max_size_per_message = random_.below(2) ? 80 : 1 << 20;
    options.max_inflight_messages = 1 + static_cast<uint32_t>(random_.below(4));
    options.max_tail_bytes = random_.below(2) ? 0 : 200;
    options.max_committed_size_per_ready = random_.below(2) ? kNoLimit : 100;
    options.max_uncommitted_size = random_.below(2) ? kNoLimit : 60;
    options.step_down_on_removal = random_.below(2);
    options.storage_stall_ticks = random_.below(2) ? 0 : 8;
    if (options.check_quorum && random_.below(2)) {
      options.read_only = ReadOnlyMode::kLease;
      options.lease_ns = (options.election_tick - 1) * kTickNs;
    }
    for (uint64_t id = 1; id <= kReplicas; ++id) {
      options.id = ReplicaId(id);
      Stored stored;
      if (id <= 3) stored.configuration = voters({1, 2, 3});
      replicas_.push_back(std::make_unique<MemoryReplica>(options, stored, random_));
    }
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      act();
      observe();
    }
  }

  // Everybody is reachable and nothing more goes wrong: within a bounded time the group works
  // again.
  void heal() {
    for (auto& replica : replicas_) {
      // Without it a leader that removed itself stays, and takes no proposals.
      replica->options().step_down_on_removal = true;
      // Without these, removed replicas that don't know it disturb the others for ever
      // (thesis 4.2.3).
      replica->options().pre_vote = replica->options().check_quorum = true;
      replica->crash();
    }
    for (int round = 0; round < 400; ++round) {
      now_ns_ += kTickNs;
      for (auto& replica : replicas_) (*replica)->tick(now_ns_);
      exchange_everything();
      if (round % 50 == 49) leave_joint();
    }
    Raft* leader = the_leader();
    std::string all;
    for (auto& replica : replicas_) all += describe(replica->raft());
    INFO(all);
    REQUIRE(leader);  // L1
    REQUIRE(leader->has_applied_in_term());
    REQUIRE_FALSE(leader->configuration().joint());     // L7
    REQUIRE(leader->propose(proposal("healed")).ok());  // L4
    exchange_everything();
    REQUIRE(leader->applied() == leader->last_index());
    const MemoryReplica& home = *replicas_[leader->id().value - 1];
    for (const ProgressView& view : leader->progress()) {
      INFO("member " << view.replica.value << " of leader " << leader->id().value);
      REQUIRE(view.match == leader->last_index());  // L3
      REQUIRE(view.state == ProgressState::kReplicate);
      REQUIRE(view.inflight_messages == 0);                                                 // L8
      REQUIRE(replicas_[view.replica.value - 1]->stored.commands == home.stored.commands);  // L2
    }
  }

 private:
  static constexpr uint64_t kReplicas = 5;

  static std::string describe(const Raft& raft) {
    std::string out =
        text("replica ", raft.id(), ": ", role_name(raft.role()), " of term ", raft.term(),
             ", leader ", raft.leader(), ", log ", raft.first_index(), "..", raft.last_id(),
             ", commit ", raft.commit(), ", applied ", raft.applied(), ", voters");
    for (ReplicaId id : raft.configuration().voters) out += text(" ", id);
    for (ReplicaId id : raft.configuration().voters_outgoing) out += text(" &&", id);
    for (const ProgressView& view : raft.progress())
      out += text("\n  ", view.replica, ": state ", int(view.state), " match ", view.match,
                  " next ", view.next, view.paused ? " paused" : "");
    return out + "\n";
  }

  MemoryReplica& any() { return *replicas_[random_.below(kReplicas)]; }

  void act() {
    MemoryReplica& one = any();
    switch (random_.below(22)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
      case 6: deliver_one(); break;
      case 7:
      case 8:
      case 9:
        if (one->has_ready()) one.take();
        break;
      case 10:
      case 11:
      case 12:
        if (!one.writes.empty()) one.persist();
        break;
      case 13:
      case 14: one->tick(now_ns_ += kTickNs / kReplicas); break;
      case 15:
      case 16: propose(one); break;
      case 17:
        if (random_.below(20) == 0) one.crash();
        break;
      case 18:
        if (random_.below(4) == 0) change_membership(one);
        break;
      case 19: rare(one); break;
      case 20: read(one); break;
      case 21: one.settle(); break;
    }
  }

  void rare(MemoryReplica& one) {
    switch (random_.below(8)) {
      case 0: one->transfer_leader(ReplicaId(1 + random_.below(kReplicas))); break;
      case 1: compact(one); break;
      case 2: one->report_unreachable(ReplicaId(1 + random_.below(kReplicas))); break;
      case 3:
        one->report_snapshot(ReplicaId(1 + random_.below(kReplicas)), random_.below(2));
        break;
      case 4: (void)one->quiesce().ok(); break;
      case 5: one->forget_leader(); break;
      case 6: one->campaign(); break;
      case 7:
        if (!one.marks.empty()) one->on_persisted(old_mark(one));
        break;
    }
  }

  // Completions that come again or too late. Those of before a restart don't reach the new core.
  PersistMark old_mark(MemoryReplica& one) { return one.marks[random_.below(one.marks.size())]; }

  void collect() {
    for (auto& replica : replicas_) {
      for (Message& message : replica->sent) network_.push_back(std::move(message));
      replica->sent.clear();
    }
  }

  void deliver_one() {
    collect();
    if (network_.empty()) return;
    // Mostly in order; sometimes any, twice, or not at all.
    const size_t at = random_.below(4) ? 0 : random_.below(network_.size());
    Message message = network_[at];
    if (random_.below(10) != 0) network_.erase(network_.begin() + static_cast<long>(at));
    if (random_.below(10) == 0) return;
    step(std::move(message));
  }

  void step(Message message) {
    MemoryReplica& to = *replicas_[message.to.value - 1];
    (void)to->step(std::move(message)).ok();
  }

  void propose(MemoryReplica& one) {
    if (!one->can_propose(8)) return;
    const std::string payload = std::to_string(++proposals_);
    REQUIRE(one->propose(proposal(payload)).ok());
  }

  void change_membership(MemoryReplica& one) {
    ConfChangeV2 change;
    change.transition = static_cast<ConfChangeTransition>(random_.below(3));
    for (uint64_t n = random_.below(4); n > 0; --n) {
      // Removals are rarer, so that somebody stays.
      constexpr ConfChangeType kTypes[] = {ConfChangeType::kAddVoter, ConfChangeType::kAddVoter,
                                           ConfChangeType::kAddLearner, ConfChangeType::kRemove};
      change.steps.push_back({kTypes[random_.below(4)], ReplicaId(1 + random_.below(kReplicas))});
    }
    if (random_.below(3) == 0) change = ConfChangeV2();
    // A change that can't be applied isn't proposed: like any driver, ours looks first.
    if (!membership::apply(one->configuration(), change).ok()) return;
    (void)one->propose_conf_change(change).ok();
  }

  void compact(MemoryReplica& one) {
    const Index first = one.stored.start.index;
    if (one.stored.applied <= first + 1 || one->applied() < one.stored.applied) return;
    one.compact(first + 1 + random_.below(one.stored.applied - first));
  }

  void read(MemoryReplica& one) {
    const uint64_t context = ++reads_;
    if (one->read_index(context, now_ns_).ok()) asked_[context] = committed_.size();
  }

  // ---- What must hold --------------------------------------------------------------------------

  void observe() {
    for (auto& replica : replicas_) {
      const Raft& raft = replica->raft();
      REQUIRE(raft.broken().empty());
      if (raft.is_leader()) {
        const auto [at, fresh] = leaders_.insert({raft.term(), raft.id()});
        REQUIRE(at->second == raft.id());  // S1
      }
      note_commits(*replica);
      for (const ReadState& read : replica->reads) {
        const auto asked = asked_.find(read.context);
        REQUIRE(asked != asked_.end());
        REQUIRE(read.index.value >= asked->second);  // S14
      }
      replica->reads.clear();
      const auto& commands = replica->stored.commands;  // S6
      const size_t common = std::min(commands.size(), longest_.size());
      const auto end = commands.begin() + static_cast<long>(common);
      if (!std::equal(commands.begin(), end, longest_.begin()))
        FAIL("replica " << raft.id().value << " applied\n"
                        << join(commands) << "others\n"
                        << join(longest_));
      if (commands.size() > longest_.size()) longest_ = commands;
    }
  }

  // S5: all replicas agree about committed entries. S8: whoever commits first does so with a quorum
  // of durable copies, wherever they are, of an entry of its own term.
  void note_commits(MemoryReplica& replica) {
    const Raft& raft = replica.raft();
    for (Index i = std::max(raft.first_index(), Index(1)); i <= raft.commit(); ++i) {
      const Term term = *raft.term_of(i);
      if (i.value <= committed_.size()) {
        if (committed_[i.value - 1] != term)
          FAIL("entry " << i.value << " was committed in two terms");
        continue;
      }
      REQUIRE(i.value == committed_.size() + 1);
      committed_.push_back(term);
      if (i == raft.commit()) {
        // In one step it may also have applied what it committed, its own removal among that.
        if (!raft.is_leader()) {
          REQUIRE_FALSE(raft.is_voter());
          continue;
        }
        REQUIRE(term == raft.term());
        const auto durable = [&](ReplicaId id) {
          const Stored& stored = replicas_[id.value - 1]->stored;
          if (stored.last_index() < i) return std::optional<bool>(false);
          return std::optional<bool>(stored.start.index >= i || stored.at(i).term == term);
        };
        const bool won =
            quorum::vote_result(raft.configuration(), durable) == VoteResult::kWon ||
            quorum::vote_result(configurations_[raft.id()], durable) == VoteResult::kWon;
        REQUIRE(won);
      }
    }
    configurations_[raft.id()] = raft.configuration();
  }

  Raft* the_leader() {
    Raft* leader = nullptr;
    for (auto& replica : replicas_)
      if ((*replica)->is_leader() && (!leader || (*replica)->term() > leader->term()))
        leader = &replica->raft();
    return leader;
  }

  void leave_joint() {
    Raft* leader = the_leader();
    if (leader && leader->configuration().joint()) (void)leader->propose_conf_change({}).ok();
  }

  void exchange_everything() {
    for (bool busy = true; busy;) {
      for (auto& replica : replicas_) replica->settle();
      observe();
      collect();
      busy = !network_.empty();
      for (Message& message : std::exchange(network_, {})) step(std::move(message));
    }
  }

  SeededRandom random_;
  std::vector<std::unique_ptr<MemoryReplica>> replicas_;
  std::vector<Message> network_;
  int64_t now_ns_ = 0;
  uint64_t proposals_ = 0;
  uint64_t reads_ = 0;
  std::map<Term, ReplicaId> leaders_;
  std::vector<Term> committed_;  // terms of entries 1, 2, ...
  std::vector<std::string> longest_;
  std::map<ReplicaId, Configuration> configurations_;  // before the last step
  std::map<uint64_t, size_t> asked_;  // read -> what was committed when it was asked for
};

TEST_CASE("chaos breaks no promise, and afterwards the group works again") {
  const char* named = std::getenv("CHRONIK_NEMESIS_SEED");
  const char* count = std::getenv("CHRONIK_NEMESIS_COUNT");
  const uint64_t first = named ? std::strtoull(named, nullptr, 10) : 1;
  const uint64_t runs = count ? std::strtoull(count, nullptr, 10) : named ? 1 : 100;
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    INFO("CHRONIK_NEMESIS_SEED=" << seed);
    Nemesis nemesis(seed);
    nemesis.run(4000);
    nemesis.heal();
  }
}

}  // namespace
}  // namespace chronik::raft::test
