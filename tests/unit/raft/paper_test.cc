// The rules of Raft, one test each, by section of Ongaro's thesis ("Consensus: Bridging Theory and
// Practice", 2014).
#include <catch2/catch.hpp>

#include "unit/raft/memory_cluster.h"

namespace chronik::raft::test {
namespace {

template <typename Body>
const Body* find(const std::vector<Message>& messages, uint64_t to = 0) {
  for (const Message& message : messages)
    if (to == 0 || message.to == ReplicaId(to))
      if (const Body* body = std::get_if<Body>(&message.body)) return body;
  return nullptr;
}

Message from(uint64_t sender, uint64_t term, MessageBody body, uint64_t to = 1) {
  return {ReplicaId(sender), ReplicaId(to), Term(term), std::move(body)};
}

Entry entry(uint64_t term, uint64_t index, std::string_view payload = "") {
  Entry e;
  e.term = Term(term);
  e.index = Index(index);
  e.payload = Payload::copy_of(payload);
  return e;
}

EntryId id(uint64_t term, uint64_t index) {
  return {Term(term), Index(index)};
}

// A replica of {1, 2, 3} with a log of the given terms, all durable.
MemoryReplica replica_with(Random& random, std::vector<uint64_t> terms, uint64_t current_term,
                           Options options = MemoryCluster::test_options()) {
  Stored stored;
  stored.configuration = voters({1, 2, 3});
  for (size_t i = 0; i < terms.size(); ++i) stored.entries.push_back(entry(terms[i], i + 1));
  stored.hard_state.term = Term(current_term);
  options.id = ReplicaId(1);
  return MemoryReplica(options, stored, random);
}

TEST_CASE("3.3: a message with a higher term makes anyone a follower of that term") {
  for (const Role role : {Role::kFollower, Role::kCandidate, Role::kLeader}) {
    MemoryCluster cluster(3);
    if (role == Role::kCandidate) cluster[1]->campaign();
    if (role == Role::kLeader) cluster.elect(1);
    REQUIRE(cluster[1]->role() == role);
    REQUIRE(cluster[1]->step(from(2, 9, AppendEntries{})).ok());
    REQUIRE(cluster[1]->role() == Role::kFollower);
    REQUIRE(cluster[1]->term() == Term(9));
    REQUIRE(cluster[1]->leader() == ReplicaId(2));
  }
}

TEST_CASE("3.3: a message with a lower term is ignored") {
  NoRandom random;
  MemoryReplica one = replica_with(random, {1}, 5);
  REQUIRE(one->step(from(2, 4, AppendEntries{id(1, 1), Index(1), {entry(4, 2)}})).ok());
  REQUIRE(one->last_index() == Index(1));
  REQUIRE(one->leader() == kNobody);
}

TEST_CASE("3.4: a follower that hears nothing for an election timeout becomes candidate") {
  MemoryCluster cluster(3);
  MemoryReplica& one = cluster[1];
  const uint32_t timeout = one->randomized_election_timeout();
  for (uint32_t i = 1; i < timeout; ++i) one->tick();
  REQUIRE(one->role() == Role::kFollower);
  one->tick();
  REQUIRE(one->role() == Role::kCandidate);
  REQUIRE(one->term() == Term(1));
  REQUIRE(one->vote() == ReplicaId(1));
}

TEST_CASE("3.4: election timeouts are spread over a whole interval") {
  SeededRandom random(3);
  std::set<uint32_t> seen;
  for (int i = 0; i < 500; ++i) {
    MemoryReplica one = replica_with(random, {}, 0);
    seen.insert(one->randomized_election_timeout());
  }
  REQUIRE(*seen.begin() == 10);
  REQUIRE(*seen.rbegin() == 19);
  REQUIRE(seen.size() == 10);
}

TEST_CASE("3.4: a leader sends heartbeats, empty and to everybody, each heartbeat interval") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  cluster[1]->tick();
  cluster[1].settle();
  REQUIRE(find<Heartbeat>(cluster[1].sent, 2));
  REQUIRE(find<Heartbeat>(cluster[1].sent, 3));
}

TEST_CASE("3.4: one vote per term, first come first served") {
  NoRandom random;
  MemoryReplica one = replica_with(random, {}, 0);
  REQUIRE(one->step(from(2, 1, RequestVote{})).ok());
  REQUIRE(one->step(from(3, 1, RequestVote{})).ok());
  REQUIRE(one->step(from(2, 1, RequestVote{})).ok());  // asked again, answered again
  one.settle();
  REQUIRE(one.sent.size() == 3);
  REQUIRE_FALSE(std::get<RequestVoteResponse>(one.sent[0].body).rejected);
  REQUIRE(std::get<RequestVoteResponse>(one.sent[1].body).rejected);
  REQUIRE_FALSE(std::get<RequestVoteResponse>(one.sent[2].body).rejected);
  REQUIRE(one.stored.hard_state.vote == ReplicaId(2));
}

TEST_CASE(
    "3.4: a candidate wins with a majority, loses with one against, and gives way to a leader") {
  const auto candidate = [](MemoryCluster& cluster) -> Raft& {
    cluster[1]->campaign();
    while (cluster[1]->has_ready()) cluster[1].settle();
    return cluster[1].raft();
  };
  MemoryCluster a(5), b(5), c(5);
  Raft& wins = candidate(a);
  REQUIRE(wins.step(from(2, 1, RequestVoteResponse{})).ok());
  REQUIRE(wins.role() == Role::kCandidate);
  REQUIRE(wins.step(from(2, 1, RequestVoteResponse{})).ok());  // the same voter again
  REQUIRE(wins.role() == Role::kCandidate);
  REQUIRE(wins.step(from(3, 1, RequestVoteResponse{})).ok());
  REQUIRE(wins.is_leader());

  Raft& loses = candidate(b);
  for (uint64_t voter : {2, 3, 4})
    REQUIRE(loses.step(from(voter, 1, RequestVoteResponse{false, true})).ok());
  REQUIRE(loses.role() == Role::kFollower);

  Raft& yields = candidate(c);
  REQUIRE(yields.step(from(4, 1, AppendEntries{})).ok());
  REQUIRE(yields.role() == Role::kFollower);
  REQUIRE(yields.leader() == ReplicaId(4));
  REQUIRE(yields.vote() == ReplicaId(1));  // of this term still
}

TEST_CASE("3.5: a follower refuses entries whose predecessor it doesn't have") {
  NoRandom random;
  for (const EntryId previous : {id(2, 2), id(3, 3), id(1, 4)}) {
    MemoryReplica one = replica_with(random, {1, 1, 1}, 3);
    REQUIRE(one->step(from(2, 3,
                           AppendEntries{previous, Index(), {entry(3, previous.index.value + 1)}}))
                .ok());
    one.settle();
    const auto* answer = find<AppendEntriesResponse>(one.sent);
    REQUIRE(answer);
    REQUIRE(answer->rejected);
    REQUIRE(answer->index == previous.index);
    REQUIRE(one->last_index() == Index(3));
  }
}

TEST_CASE(
    "3.5: conflicting entries are replaced with all that follow, matching ones are left alone") {
  NoRandom random;
  MemoryReplica conflict = replica_with(random, {1, 1, 2, 2}, 3);
  REQUIRE(conflict->step(from(2, 3, AppendEntries{id(1, 1), Index(), {entry(1, 2), entry(3, 3)}}))
              .ok());
  conflict.settle();
  REQUIRE(conflict->last_id() == id(3, 3));
  REQUIRE(conflict.stored.last_index() == Index(3));

  MemoryReplica repeated = replica_with(random, {1, 1, 2, 2}, 3);
  REQUIRE(repeated->step(from(2, 3, AppendEntries{id(1, 1), Index(), {entry(1, 2)}})).ok());
  repeated.settle();
  REQUIRE(repeated->last_id() == id(2, 4));  // a late message doesn't truncate
}

TEST_CASE(
    "3.5: a follower commits what the leader has, as far as the message vouches for its log") {
  NoRandom random;
  MemoryReplica one = replica_with(random, {1, 1, 1}, 1);
  REQUIRE(one->step(from(2, 2, AppendEntries{id(1, 1), Index(3), {}})).ok());
  REQUIRE(one->commit() == Index(1));  // entries 2 and 3 may be of another leader
}

TEST_CASE("3.5: followers' logs become the leader's, whatever they were (figure 3.6)") {
  const std::vector<std::vector<uint64_t>> followers = {{1, 1, 1, 4, 4, 5, 5, 6, 6},
                                                        {1, 1, 1, 4},
                                                        {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},
                                                        {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7},
                                                        {1, 1, 1, 4, 4, 4, 4},
                                                        {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}};
  for (const auto& terms : followers) {
    MemoryCluster cluster(3);
    const auto give = [&](uint64_t replica, const std::vector<uint64_t>& log, uint64_t term) {
      for (size_t i = 0; i < log.size(); ++i)
        cluster[replica].stored.entries.push_back(entry(log[i], i + 1));
      cluster[replica].stored.hard_state.term = Term(term);
      cluster[replica].crash();
    };
    give(1, {1, 1, 1, 4, 4, 5, 5, 6, 6, 6}, 7);
    give(2, terms, 7);
    give(3, {}, 7);
    cluster.elect(1);
    REQUIRE(cluster[1]->is_leader());
    cluster.settle();
    for (uint64_t replica : {2, 3}) {
      REQUIRE(cluster[replica]->last_id() == id(8, 11));
      for (uint64_t i = 1; i <= 11; ++i)
        REQUIRE(cluster[replica]->term_of(Index(i)) == cluster[1]->term_of(Index(i)));
    }
  }
}

TEST_CASE("3.6.1: a voter refuses a candidate whose log is less up to date") {
  NoRandom random;
  struct Case {
    EntryId candidate;
    bool granted;
  };
  for (const Case& c : {Case{id(2, 3), true},
                        {id(2, 4), true},
                        {id(3, 1), true},
                        {id(2, 2), false},
                        {id(1, 9), false}}) {
    MemoryReplica one = replica_with(random, {1, 2, 2}, 2);
    REQUIRE(one->step(from(2, 5, RequestVote{false, false, c.candidate})).ok());
    one.settle();
    REQUIRE(find<RequestVoteResponse>(one.sent)->rejected != c.granted);
  }
}

TEST_CASE("3.6.2: a leader doesn't commit entries of earlier terms by counting (figure 3.7)") {
  NoRandom random;
  MemoryReplica one = replica_with(random, {1, 2}, 2);
  one->campaign();
  one.settle();
  REQUIRE(one->step(from(2, 3, RequestVoteResponse{})).ok());
  one.settle();
  REQUIRE(one->is_leader());
  REQUIRE(one->step(from(2, 3, AppendEntriesResponse{Index(2)})).ok());
  REQUIRE(one->commit() == Index(0));  // a majority has entry 2, of term 2
  REQUIRE(one->step(from(2, 3, AppendEntriesResponse{Index(3)})).ok());
  REQUIRE(one->commit() == Index(3));
}

TEST_CASE("3.8: votes, terms and entries are durable before anybody hears of them") {
  NoRandom random;
  MemoryReplica one = replica_with(random, {}, 0);
  REQUIRE(one->step(from(2, 1, RequestVote{})).ok());
  one.take();
  REQUIRE(one.sent.empty());
  one.persist();
  REQUIRE(one.sent.size() == 1);
  REQUIRE(one.stored.hard_state == HardState{Term(1), ReplicaId(2), Index()});
  one.sent.clear();
  REQUIRE(one->step(from(2, 1, AppendEntries{{}, Index(), {entry(1, 1)}})).ok());
  one.take();
  REQUIRE(one.sent.empty());
  one.persist();
  REQUIRE(find<AppendEntriesResponse>(one.sent)->index == Index(1));
}

TEST_CASE("3.10: a transfer brings the transferee up to date, then tells it to campaign at once") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  cluster.isolate(2);
  cluster.propose(1, "a");
  cluster.heal();
  cluster[1]->transfer_leader(ReplicaId(2));
  REQUIRE_FALSE(cluster[1]->can_propose(1));
  cluster.tick(2);
  REQUIRE(cluster.leader() == 2);
  REQUIRE(cluster[2]->term() == Term(2));
  REQUIRE(cluster[2].stored.commands == std::vector<std::string>{"a"});
}

TEST_CASE("3.10: a transfer that doesn't succeed is given up after an election timeout") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  cluster.isolate(2);
  cluster.propose(1, "a");
  cluster[1]->transfer_leader(ReplicaId(2));
  for (uint32_t i = 0; i < 10; ++i) cluster[1]->tick();
  REQUIRE(cluster[1]->is_leader());
  REQUIRE(cluster[1]->can_propose(1));
}

TEST_CASE("4.1: at most one membership change at a time; a second becomes an empty entry") {
  MemoryCluster cluster(4, voters({1, 2, 3}));
  cluster.elect(1);
  const ConfChangeV2 add{ConfChangeTransition::kAuto, {{ConfChangeType::kAddVoter, ReplicaId(4)}}};
  const ConfChangeV2 drop{ConfChangeTransition::kAuto, {{ConfChangeType::kRemove, ReplicaId(3)}}};
  REQUIRE(cluster[1]->propose_conf_change(add).ok());
  const EntryId second = cluster[1]->propose_conf_change(drop).value();
  cluster.settle();
  REQUIRE(cluster[1].stored.at(second.index).type == EntryType::kNormal);
  REQUIRE(cluster[1]->configuration().voters == ids({1, 2, 3, 4}));
}

TEST_CASE("4.2.1: learners receive the log and count for nothing") {
  Configuration configuration = voters({1, 2});
  configuration.learners = ids({3});
  MemoryCluster cluster(3, configuration);
  cluster.elect(1);
  cluster.isolate(2);
  cluster.propose(1, "a");
  REQUIRE(cluster[3]->last_index() == Index(2));
  REQUIRE(cluster[1]->commit() == Index(1));
  for (int i = 0; i < 50; ++i) cluster[3]->tick();
  REQUIRE(cluster[3]->role() == Role::kFollower);
}

TEST_CASE("4.2.2: a leader that removed itself steps down once that is applied") {
  Options options = MemoryCluster::test_options();
  options.step_down_on_removal = true;
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  REQUIRE(cluster[1]
              ->propose_conf_change(
                  {ConfChangeTransition::kAuto, {{ConfChangeType::kRemove, ReplicaId(1)}}})
              .ok());
  cluster.settle();
  REQUIRE_FALSE(cluster[1]->is_leader());
  REQUIRE(cluster[2]->configuration().voters == ids({2, 3}));
  cluster.elect(2);
  REQUIRE(cluster.leader() == 2);
}

TEST_CASE("4.2.3: a voter that hears from a leader doesn't help to depose it") {
  Options options = MemoryCluster::test_options();
  options.check_quorum = true;
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  cluster[3]->campaign();
  cluster.settle();
  REQUIRE(cluster[2]->term() == Term(1));
  REQUIRE(cluster[2]->leader() == ReplicaId(1));
}

TEST_CASE("4.3: a joint configuration needs both majorities, and is left automatically") {
  MemoryCluster cluster(5, voters({1, 2, 3}));
  cluster.elect(1);
  ConfChangeV2 change;
  change.steps = {{ConfChangeType::kAddVoter, ReplicaId(4)},
                  {ConfChangeType::kAddVoter, ReplicaId(5)},
                  {ConfChangeType::kRemove, ReplicaId(2)},
                  {ConfChangeType::kRemove, ReplicaId(3)}};
  cluster.isolate(4);
  cluster.isolate(5);
  REQUIRE(cluster[1]->propose_conf_change(change).ok());
  cluster.settle();
  REQUIRE(cluster[1]
              ->configuration()
              .joint());  // committed by the old majority alone: that was its right
  const Index before = cluster[1]->commit();
  cluster.propose(1, "needs both");
  REQUIRE(cluster[1]->commit() == before);
  cluster.heal();
  cluster.tick(3);
  REQUIRE(cluster[1]->configuration().voters == ids({1, 4, 5}));
  REQUIRE_FALSE(cluster[1]->configuration().joint());
  REQUIRE(cluster[5].stored.commands == std::vector<std::string>{"needs both"});
}

TEST_CASE("5.3: a snapshot replaces the log, unless the log already goes further") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  cluster.isolate(3);
  for (const char* command : {"a", "b", "c"}) cluster.propose(1, command);
  cluster[1].compact(Index(4));
  cluster.heal();
  cluster.tick(3);
  REQUIRE(cluster[3].stored.start == id(1, 4));
  REQUIRE(cluster[3].stored.commands == cluster[1].stored.commands);

  const InstallSnapshot late{{id(1, 2), voters({1, 2, 3})}, {}};
  REQUIRE(cluster[3]->step(from(1, 1, late, 3)).ok());
  cluster[3].settle();
  REQUIRE(cluster[3]->last_index() == Index(4));
}

TEST_CASE("6.2: a leader that reaches no quorum for an election timeout steps down") {
  Options options = MemoryCluster::test_options();
  options.check_quorum = true;
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  for (int i = 0; i < 20; ++i) cluster[1]->tick();
  REQUIRE(cluster[1]->role() == Role::kFollower);
  REQUIRE(cluster[1]->term() == Term(1));
}

TEST_CASE("6.4: a read waits for a quorum that confirms the leader") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  REQUIRE(cluster[1]->read_index(7).ok());
  cluster[1].settle();
  REQUIRE(cluster[1].reads.empty());
  cluster.settle();
  REQUIRE(cluster[1].reads.size() == 1);
  REQUIRE(cluster[1].reads[0].context == 7);
  REQUIRE(cluster[1].reads[0].index == cluster[1]->commit());
  REQUIRE(cluster[2]->read_index(8).ok());  // a follower asks the leader
  cluster.settle();
  REQUIRE(cluster[2].reads.size() == 1);
}

TEST_CASE("9.6: a replica that can't win disturbs nobody's term") {
  Options options = MemoryCluster::test_options();
  options.pre_vote = true;
  options.check_quorum = true;
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  cluster.isolate(3);
  for (int i = 0; i < 100; ++i) cluster[3]->tick();
  cluster[3].settle();
  REQUIRE(cluster[3]->term() == Term(1));
  cluster.heal();
  cluster.tick(20);
  REQUIRE(cluster[1]->is_leader());
  REQUIRE(cluster[1]->term() == Term(1));
}

TEST_CASE("10.2.1: a leader's own copy counts when it is durable, and may be the last to be so") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  REQUIRE(cluster[1]->propose(proposal("a")).ok());
  cluster[1].take();  // messages leave, the write is under way
  for (Message& message : cluster.collect())
    (void)cluster[message.to.value]->step(std::move(message)).ok();
  cluster[2].settle();
  cluster[3].settle();
  for (Message& message : cluster.collect()) REQUIRE(cluster[1]->step(std::move(message)).ok());
  REQUIRE(cluster[1]->commit() == Index(2));  // by 2 and 3
  cluster[1].take();
  REQUIRE(cluster[1].stored.commands.empty());  // but not applied here before it is durable here
  cluster.settle();
  REQUIRE(cluster[1].stored.commands == std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace chronik::raft::test
