// Bugs that other implementations met after their release: one test for each class that concerns
// the core. The numbers are those of docs/RAFT.md, "Lessons".
#include <catch2/catch.hpp>

#include "unit/raft/memory_cluster.h"

namespace chronik::raft::test {
namespace {

Message from(uint64_t sender, uint64_t term, MessageBody body, uint64_t to = 1) {
  return {ReplicaId(sender), ReplicaId(to), Term(term), std::move(body)};
}
EntryId id(uint64_t term, uint64_t index) {
  return {Term(term), Index(index)};
}
Entry entry(uint64_t term, uint64_t index) {
  Entry e;
  e.term = Term(term);
  e.index = Index(index);
  return e;
}
Options cautious_options() {
  Options options;  // with pre-vote and check-quorum
  return options;
}

TEST_CASE("lesson 1: a leader whose disk hangs gives way instead of sending heartbeats for ever") {
  Options options = cautious_options();
  options.storage_stall_ticks = 15;
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  REQUIRE(cluster[1]->propose(proposal("a")).ok());
  cluster[1].take();  // the write never ends
  for (int i = 0; i < 15; ++i) {
    cluster[1]->tick();
    for (Message& message : cluster.collect())
      (void)cluster[message.to.value]->step(std::move(message)).ok();
    for (uint64_t follower : {2, 3}) cluster[follower].settle();
    for (Message& message : cluster.collect())
      (void)cluster[message.to.value]->step(std::move(message)).ok();
  }
  REQUIRE(cluster[1]->role() == Role::kFollower);
}

TEST_CASE(
    "lesson 2: nothing is acknowledged before it is durable, and nothing twice under one name") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  REQUIRE(cluster[1]->propose(proposal("lost")).ok());
  cluster[1].take();
  cluster[1].sent.clear();
  REQUIRE(cluster[1]->commit() == Index(1));
  cluster[1].crash();  // the write is lost: the name (1, 2) must not come back with other content
  cluster.elect(1);
  REQUIRE(cluster[1]->term() == Term(2));
  REQUIRE(cluster[1].stored.at(Index(2)).term == Term(2));
}

TEST_CASE("lesson 3: applied never passes what was handed out, nor goes back") {
  Options options = MemoryCluster::test_options();
  options.abort_when_broken = false;
  MemoryCluster cluster(1, options);
  cluster.elect(1);
  cluster[1]->on_applied(Index(0));  // late
  REQUIRE(cluster[1]->applied() == Index(1));
  cluster[1]->on_applied(Index(5));
  REQUIRE_FALSE(cluster[1]->broken().empty());
}

TEST_CASE("lesson 4: answers to an older round of heartbeats confirm no newer read") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  REQUIRE(cluster[1]->read_index(1).ok());
  cluster[1].settle();
  cluster[1].sent.clear();
  REQUIRE(cluster[1]->read_index(2).ok());
  cluster[1].settle();
  REQUIRE(cluster[1]->step(from(2, 1, HeartbeatResponse{1})).ok());
  cluster[1].settle();
  REQUIRE(cluster[1].reads.size() == 1);
  REQUIRE(cluster[1].reads[0].context == 1);
  REQUIRE(cluster[1]->step(from(2, 1, HeartbeatResponse{1})).ok());  // repeated
  cluster[1].settle();
  REQUIRE(cluster[1].reads.size() == 1);
  REQUIRE(cluster[1]->step(from(2, 1, HeartbeatResponse{2})).ok());
  cluster[1].settle();
  REQUIRE(cluster[1].reads.size() == 2);
}

TEST_CASE("lesson 4: reads of a deposed leader fail instead of being answered") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  cluster.isolate(1);
  REQUIRE(cluster[1]->read_index(1).ok());
  cluster.elect(2);
  cluster.propose(2, "newer");
  cluster.heal();
  cluster.tick(2);
  REQUIRE(cluster[1].reads.empty());
  REQUIRE(cluster[1].failed_reads == std::vector<uint64_t>{1});
}

Options lease_options() {
  Options options = cautious_options();
  options.read_only = ReadOnlyMode::kLease;
  options.lease_ns = 9000;  // election_tick - 1 ticks of 1000
  return options;
}

TEST_CASE(
    "lesson 4: a lease counts from before the heartbeat left, and time does not stand still for "
    "it") {
  MemoryCluster cluster(3, lease_options());
  cluster.elect(1);
  cluster[1]->tick(1000);
  cluster.settle();
  REQUIRE(cluster[1]->has_lease(1000));
  REQUIRE(cluster[1]->read_index(1, 9999).ok());
  REQUIRE(cluster[1]->has_ready());
  cluster[1].take();
  REQUIRE(cluster[1].reads.size() == 1);
  // The process was stopped for a while: ticks didn't count, the clock did.
  REQUIRE_FALSE(cluster[1]->has_lease(10000));
  REQUIRE(cluster[1]->read_index(2, 10000).ok());
  cluster[1].take();
  REQUIRE(cluster[1].reads.size() == 1);
}

TEST_CASE("lesson 4, 16: no lease once a transfer was begun, even if it is given up") {
  MemoryCluster cluster(3, lease_options());
  cluster.elect(1);
  cluster[1]->tick(1000);
  cluster.settle();
  REQUIRE(cluster[1]->has_lease(1000));
  cluster[1]->transfer_leader(ReplicaId(2));
  cluster[1].settle();
  cluster[1].sent.clear();  // TimeoutNow is late: it may still arrive at any time
  REQUIRE_FALSE(cluster[1]->has_lease(1000));
  for (int i = 2; i < 30; ++i) {
    cluster[1]->tick(i * 1000);
    cluster.settle();
  }
  REQUIRE(cluster[1]->is_leader());
  REQUIRE_FALSE(cluster[1]->has_lease(29000));
}

TEST_CASE("lesson 5: a replica back from a partition with a higher term is taken in again") {
  Options options = MemoryCluster::test_options();
  options.check_quorum = true;  // without pre-vote its term grows
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  cluster.isolate(3);
  for (int i = 0; i < 40; ++i) cluster[3]->tick();
  cluster[3].settle();
  REQUIRE(cluster[3]->term() > Term(1));
  cluster.heal();
  cluster.tick(60);
  const uint64_t leader = cluster.leader();
  REQUIRE(leader != 0);
  cluster.propose(leader, "a");
  for (uint64_t replica : {1, 2, 3})
    REQUIRE(cluster[replica].stored.commands == std::vector<std::string>{"a"});
}

TEST_CASE("lesson 6: nobody campaigns with a committed membership change unapplied") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  const ConfChangeV2 drop{ConfChangeTransition::kAuto, {{ConfChangeType::kRemove, ReplicaId(3)}}};
  Entry change = entry(1, 2);
  change.type = EntryType::kConfChangeV2;
  change.payload = Payload::copy_of(drop.encode());
  REQUIRE(cluster[2]->step(from(1, 1, AppendEntries{id(1, 1), Index(2), {change}}, 2)).ok());
  REQUIRE(cluster[2]->commit() == Index(2));
  cluster[2]->campaign();
  REQUIRE(cluster[2]->role() == Role::kFollower);
  cluster[2].settle();
  cluster[2]->campaign();
  REQUIRE(cluster[2]->role() == Role::kCandidate);
}

TEST_CASE("lesson 6: a learner votes, for whoever asks may know that it is a voter by now") {
  Configuration configuration = voters({1, 2});
  configuration.learners = ids({3});
  MemoryCluster cluster(3, configuration);
  REQUIRE(cluster[3]->step(from(1, 1, RequestVote{}, 3)).ok());
  cluster[3].settle();
  REQUIRE_FALSE(std::get<RequestVoteResponse>(cluster[3].sent.at(0).body).rejected);
}

TEST_CASE("lesson 6: a newcomer doesn't take the first change it sees for the whole group") {
  MemoryCluster cluster(4, voters({1, 2, 3}));
  cluster[4].stored.configuration = Configuration();
  cluster[4].crash();
  cluster.elect(1);
  cluster.propose(1, "a");
  REQUIRE(cluster[1]
              ->propose_conf_change(
                  {ConfChangeTransition::kAuto, {{ConfChangeType::kAddVoter, ReplicaId(4)}}})
              .ok());
  cluster.settle();
  cluster.tick(3);
  REQUIRE(cluster[4]->configuration().voters == ids({1, 2, 3, 4}));
  REQUIRE(cluster[4].stored.commands == std::vector<std::string>{"a"});
  REQUIRE(cluster[4].stored.start.index > Index(0));  // by a snapshot, though nothing was compacted
}

TEST_CASE("lesson 6: a group that was bootstrapped has a snapshot for newcomers from the start") {
  NoRandom random;
  Options options = MemoryCluster::test_options();
  options.id = ReplicaId(1);
  Raft one(options, InitialState::bootstrap(voters({1})), random);
  one.campaign();
  while (one.has_ready()) {
    Ready ready = one.take_ready();
    for (Message& message : ready.messages_after_persist)
      REQUIRE(one.step(std::move(message)).ok());
    one.on_persisted(ready.mark);
    if (!ready.committed.empty()) one.on_applied(ready.committed.hi - 1);
  }
  REQUIRE(one.is_leader());
  REQUIRE(one.first_index() == Index(2));
  REQUIRE(one.applied() == Index(2));
  REQUIRE(one.term_of(Index(1)) == Term(1));
}

TEST_CASE("lesson 7: a snapshot from before its receiver's membership is installed") {
  MemoryCluster cluster(4, voters({1, 2, 3}));
  cluster[4].stored.configuration = Configuration();
  cluster[4].crash();
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster[1].compact(Index(2));  // its snapshot knows 1, 2, 3
  REQUIRE(cluster[1]
              ->propose_conf_change(
                  {ConfChangeTransition::kAuto, {{ConfChangeType::kAddVoter, ReplicaId(4)}}})
              .ok());
  cluster.settle();
  cluster.tick(3);
  REQUIRE(cluster[4].stored.commands == std::vector<std::string>{"a"});
  REQUIRE(cluster[4]->configuration().voters == ids({1, 2, 3, 4}));
}

TEST_CASE("lesson 7: a joint configuration survives in a snapshot") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  const ConfChangeV2 joint{ConfChangeTransition::kJointExplicit,
                           {{ConfChangeType::kAddLearner, ReplicaId(2)}}};
  cluster.isolate(3);
  REQUIRE(cluster[1]->propose_conf_change(joint).ok());
  cluster.settle();
  cluster[1].compact(cluster[1]->applied());
  cluster.heal();
  cluster.tick(3);
  REQUIRE(cluster[3]->configuration() == cluster[1]->configuration());
  REQUIRE(cluster[3]->configuration().voters_outgoing == ids({1, 2, 3}));
  REQUIRE(cluster[3]->configuration().learners_next == ids({2}));
}

TEST_CASE("lesson 8: an even group needs more than half") {
  MemoryCluster cluster(4);
  cluster.elect(1);
  cluster.isolate(3);
  cluster.isolate(4);
  cluster.propose(1, "two of four");
  REQUIRE(cluster[1]->commit() == Index(1));
}

TEST_CASE("lesson 9: a replica that lost its acknowledged tail says so, and doesn't crash") {
  Options options = MemoryCluster::test_options();
  options.abort_when_broken = false;
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster[3].stored.entries.pop_back();
  cluster[3].stored.hard_state.commit = Index(1);
  cluster[3].stored.applied = Index(1);
  cluster[3].crash();
  cluster.tick(1);  // the heartbeat commits what 3 had acknowledged
  REQUIRE(cluster[3]->broken().find("lost entries") != std::string::npos);
  REQUIRE_FALSE(cluster[3]->has_ready());
  REQUIRE(cluster[3]->step(from(1, 1, Heartbeat{}, 3)).code() == Code::kInternal);

  Stored gone = cluster[1].stored;
  gone.entries.pop_back();  // and hard state says it was committed
  gone.hard_state.commit = Index(2);
  gone.applied = Index(1);
  options.id = ReplicaId(1);
  NoRandom random;
  MemoryReplica again(options, gone, random);
  REQUIRE(again->broken().find("gone") != std::string::npos);
}

TEST_CASE("lesson 10: what replaces a log's tail says from where, so that it is dropped first") {
  MemoryCluster cluster(3);
  for (uint64_t i = 1; i <= 3; ++i) cluster[2].stored.entries.push_back(entry(1, i));
  cluster[2].stored.hard_state.term = Term(1);
  cluster[2].crash();
  REQUIRE(cluster[2]->step(from(1, 2, AppendEntries{id(1, 1), Index(), {entry(2, 2)}}, 2)).ok());
  const Ready ready = cluster[2]->take_ready();
  REQUIRE(ready.entries.size() == 1);
  REQUIRE(ready.entries[0].index == Index(2));  // inside the stored log
}

TEST_CASE("lesson 11: a leader never replaces a committed entry, and says so if asked to") {
  Options options = MemoryCluster::test_options();
  options.abort_when_broken = false;
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster[2]->tick();
  REQUIRE(cluster[2]->step(from(3, 2, AppendEntries{id(1, 2), Index(2), {entry(2, 3)}}, 2)).ok());
  cluster[2].settle();
  REQUIRE(cluster[2]->step(from(3, 2, AppendEntries{id(1, 2), Index(3), {}}, 2)).ok());
  REQUIRE(cluster[2]->broken().empty());
  REQUIRE(cluster[2]->commit() == Index(2));  // 3 isn't vouched for by an empty append after 2
  REQUIRE(cluster[2]->step(from(3, 2, AppendEntries{id(1, 2), Index(3), {entry(2, 3)}}, 2)).ok());
  REQUIRE(cluster[2]->commit() == Index(3));
}

TEST_CASE("lesson 12: a window that got lost with its messages opens again") {
  Options options = MemoryCluster::test_options();
  options.max_inflight_messages = 2;
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  cluster.isolate(2);
  for (const char* command : {"a", "b", "c", "d"}) cluster.propose(1, command);
  REQUIRE(cluster[1]->progress()[1].inflight_full);
  cluster.heal();
  cluster.tick(3);
  REQUIRE(cluster[2]->last_index() == cluster[1]->last_index());
  REQUIRE(cluster[1]->progress()[1].inflight_messages == 0);
  REQUIRE(cluster[1]->progress()[1].inflight_bytes == 0);
}

TEST_CASE("lesson 12: a follower is served from storage what memory no longer has") {
  Options options = MemoryCluster::test_options();
  options.max_size_per_message = 100;
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  cluster.isolate(3);
  for (int i = 0; i < 20; ++i) cluster.propose(1, "some payload");
  cluster.heal();
  cluster.tick(3);
  REQUIRE(cluster[3].stored.commands.size() == 20);
}

TEST_CASE("lesson 13: what a leader accepts and has not applied is bounded") {
  Options options = MemoryCluster::test_options();
  options.max_uncommitted_size = 100;
  MemoryCluster cluster(3, options);
  cluster.elect(1);
  cluster.isolate(1);
  int accepted = 0;
  while (cluster[1]->propose(proposal("0123456789")).ok()) ++accepted;
  REQUIRE(accepted == 10);
  REQUIRE(cluster[1]->uncommitted_size() == 100);
}

TEST_CASE("lesson 14: a quiesced group wakes, and has forgotten its leases") {
  MemoryCluster cluster(3, cautious_options());
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.tick(2);
  REQUIRE(cluster[1]->quiesce().ok());
  cluster.settle();
  for (uint64_t replica : {1, 2, 3}) REQUIRE(cluster[replica]->quiesced());
  cluster.tick(100);
  REQUIRE(cluster[1]->term() == Term(1));

  cluster.isolate(1);  // the leader's node dies, the others are woken
  cluster[2]->wake();
  cluster[3]->wake();
  REQUIRE(cluster[3]->election_elapsed() == 0);
  cluster[2]->campaign();
  cluster.settle();
  REQUIRE(cluster[2]->is_leader());  // 3 keeps no lease for the dead leader
  cluster.propose(2, "b");
  cluster.heal();
  cluster.tick(30);
  REQUIRE(cluster[1].stored.commands == std::vector<std::string>{"a", "b"});
}

TEST_CASE(
    "lesson 14: a group with something unfinished doesn't go to sleep, nor a member that is "
    "behind") {
  MemoryCluster cluster(3, cautious_options());
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "a");
  cluster.tick(2);
  REQUIRE(cluster[1]->quiesce().code() == Code::kFailedPrecondition);
  REQUIRE(cluster[3]->step(from(1, 1, Quiesce{Index(2)}, 3)).ok());
  REQUIRE_FALSE(cluster[3]->quiesced());
}

TEST_CASE("lesson 15: nobody leads before what may be membership changes is replayed") {
  NoRandom random;
  Options options = MemoryCluster::test_options();
  options.id = ReplicaId(1);
  Stored stored;
  stored.configuration = voters({1});
  stored.entries = {entry(1, 1), entry(1, 2)};
  stored.hard_state = {Term(1), ReplicaId(1), Index(2)};
  MemoryReplica one(options, stored, random);
  one->campaign();
  REQUIRE(one->role() == Role::kFollower);
  one.settle();
  one->campaign();
  one.settle();
  REQUIRE(one->is_leader());
}

TEST_CASE("lesson 16: while leadership is handed over, proposals are refused and not half taken") {
  MemoryCluster cluster(3);
  cluster.elect(1);
  cluster.isolate(2);
  cluster.propose(1, "a");
  const Index last = cluster[1]->last_index();
  cluster[1]->transfer_leader(ReplicaId(2));
  REQUIRE(cluster[1]->propose(proposal("b")).status().code() == Code::kUnavailable);
  REQUIRE(cluster[1]->last_index() == last);
  cluster[1]->transfer_leader(ReplicaId(3));  // a newer wish replaces the older
  REQUIRE(cluster[1]->transferee() == ReplicaId(3));
  cluster.settle();
  REQUIRE(cluster[3]->is_leader());
}

TEST_CASE("lesson 17: answers of a removed replica are refused, and it can't come to lead") {
  MemoryCluster cluster(3, cautious_options());
  cluster.elect(1);
  cluster.isolate(3);
  REQUIRE(cluster[1]
              ->propose_conf_change(
                  {ConfChangeTransition::kAuto, {{ConfChangeType::kRemove, ReplicaId(3)}}})
              .ok());
  cluster.settle();
  REQUIRE(cluster[1]->step(from(3, 1, AppendEntriesResponse{Index(1)})).code() == Code::kNotFound);
  cluster.heal();
  cluster.tick(100);  // 3 doesn't know that it was removed, and asks for votes
  REQUIRE(cluster[1]->is_leader());
  REQUIRE(cluster[1]->term() == Term(1));
}

TEST_CASE("lesson 20: a late completion stabilises nothing that was written since (ABA)") {
  MemoryCluster cluster(3);
  MemoryReplica& one = cluster[2];
  one.hold_marks = true;
  // (1, 1) from leader 1, overwritten by (2, 1) from leader 3, overwritten again by (1, 1) from
  // leader 1's successor in term 3: the same name, but the first write's completion isn't about the
  // third write.
  REQUIRE(one->step(from(1, 1, AppendEntries{{}, Index(), {entry(1, 1)}}, 2)).ok());
  one.take();
  REQUIRE(one->step(from(3, 2, AppendEntries{{}, Index(), {entry(2, 1)}}, 2)).ok());
  one.take();
  REQUIRE(one->step(from(1, 3, AppendEntries{{}, Index(1), {entry(1, 1)}}, 2)).ok());
  REQUIRE(one->commit() == Index(1));
  one.take();
  one.persist();
  one->on_persisted(one.marks.at(0));
  one.take();
  REQUIRE(one.writes.back().committed.empty());
  one.persist();
  one.persist();
  one->on_persisted(one.marks.at(1));
  one.take();
  REQUIRE(one.writes.back().committed.empty());
  one->on_persisted(one.marks.at(2));
  one.take();
  REQUIRE_FALSE(one.writes.back().committed.empty());
}

}  // namespace
}  // namespace chronik::raft::test
