// A group of one: election, proposals, commit, restart, all through the driver's contract.
#include <catch2/catch.hpp>

#include "unit/raft/memory_replica.h"

namespace chronik::raft::test {
namespace {

Options options_of(uint64_t id) {
  Options options;
  options.id = ReplicaId(id);
  return options;
}

MemoryReplica lone(NoRandom& random, Options options = options_of(1)) {
  Stored stored;
  stored.configuration = voters({1});
  return MemoryReplica(options, stored, random);
}

TEST_CASE("a lone member elects itself only once its vote is durable") {
  NoRandom random;
  MemoryReplica one = lone(random);
  REQUIRE_FALSE(one->has_ready());

  one->campaign();  // the pre-vote needs nothing on disk, but its answer waits in line
  REQUIRE(one->role() == Role::kPreCandidate);
  one.take();
  one.persist();
  REQUIRE(one->role() == Role::kCandidate);
  REQUIRE(one->term() == Term(1));
  one.take();
  REQUIRE(one.writes.front().hard_state == HardState{Term(1), ReplicaId(1), Index(0)});
  REQUIRE(one.writes.front().must_sync);
  REQUIRE(one->role() == Role::kCandidate);  // taken, not durable
  one.persist();
  REQUIRE(one->is_leader());
  REQUIRE(one->last_index() == Index(1));
  REQUIRE(one->commit() == Index(0));

  one.settle();
  REQUIRE(one->commit() == Index(1));
  REQUIRE(one->has_applied_in_term());
  REQUIRE(one.sent.empty());
}

TEST_CASE("a lone member elects itself by ticking") {
  NoRandom random;
  MemoryReplica one = lone(random);
  for (int i = 0; i < 10; ++i) one->tick();
  one.settle();
  REQUIRE(one->is_leader());
}

TEST_CASE("a proposal is applied after it is durable, under the name it was given") {
  NoRandom random;
  MemoryReplica one = lone(random);
  one->campaign();
  one.settle();

  const EntryId id = one->propose(proposal("a", 7)).value();
  REQUIRE(id == EntryId{Term(1), Index(2)});
  one.take();
  REQUIRE(one.writes.front().entries.size() == 1);
  REQUIRE(one.writes.front().entries[0].key == 7);
  REQUIRE(one.writes.front().committed.empty());
  REQUIRE(one->commit() == Index(1));
  one.persist();
  REQUIRE(one->commit() == Index(2));
  one.settle();
  REQUIRE(one.stored.commands == std::vector<std::string>{"a"});
  REQUIRE(one->applied() == Index(2));
}

TEST_CASE("several Readys may be taken before the first is durable") {
  NoRandom random;
  MemoryReplica one = lone(random);
  one->campaign();
  one.settle();

  for (const char* command : {"a", "b", "c"}) {
    REQUIRE(one->propose(proposal(command)).ok());
    one.take();
  }
  REQUIRE(one.writes.size() == 3);
  REQUIRE(one->commit() == Index(1));
  one.persist();
  REQUIRE(one->commit() == Index(2));
  one.settle();
  REQUIRE(one.stored.commands == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("a restarted member goes on with its log, in a new term") {
  NoRandom random;
  MemoryReplica one = lone(random);
  one->campaign();
  one.settle();
  REQUIRE(one->propose(proposal("a", 5)).ok());
  one.settle();
  REQUIRE(one->propose(proposal("durable, not applied", 6)).ok());
  one.take();
  one.stored.append(one.writes.front().entries);
  REQUIRE(one->propose(proposal("lost", 7)).ok());

  one.crash();
  REQUIRE(one->term() == Term(1));
  REQUIRE(one->last_index() == Index(3));
  one->campaign();
  one.settle();
  REQUIRE(one->is_leader());
  REQUIRE(one->term() == Term(2));
  REQUIRE(one.stored.commands == std::vector<std::string>{"a", "durable, not applied"});
  // The opening entry copies the key of the entry before it.
  REQUIRE(one.stored.at(Index(4)).key == 6);
}

TEST_CASE("committed entries from before the restart are handed out for replay") {
  NoRandom random;
  MemoryReplica one = lone(random);
  one->campaign();
  one.settle();
  for (const char* command : {"a", "b", "c"}) REQUIRE(one->propose(proposal(command)).ok());
  one.settle();
  one.stored.applied = Index(1);  // the state machine's last checkpoint
  one.stored.commands.clear();

  one.stored.hard_state.commit = Index(4);

  one.crash();
  one->campaign();  // refused: what it hasn't replayed may be a membership change
  REQUIRE(one->role() == Role::kFollower);
  one.settle();
  REQUIRE(one->applied() == Index(4));
  one->campaign();
  one.settle();
  REQUIRE(one->is_leader());
  REQUIRE(one.stored.commands == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("proposals are refused beyond the uncommitted limit, as check_propose foretells") {
  NoRandom random;
  Options options = options_of(1);
  options.max_uncommitted_size = 10;
  MemoryReplica one = lone(random, options);
  one->campaign();
  one.settle();

  REQUIRE(one->can_propose(100));  // a single one of any size
  REQUIRE(one->propose(proposal("12345678")).ok());
  REQUIRE(one->can_propose(2));
  REQUIRE(one->check_propose(3).code() == Code::kResourceExhausted);
  REQUIRE(one->propose(proposal("123")).status().code() == Code::kResourceExhausted);
  REQUIRE(one->propose(proposal("")).ok());
  REQUIRE(one->uncommitted_size() == 8);
  one.settle();
  REQUIRE(one->uncommitted_size() == 0);
  REQUIRE(one->can_propose(3));
}

TEST_CASE("keys must not decrease") {
  NoRandom random;
  MemoryReplica one = lone(random);
  one->campaign();
  one.settle();
  REQUIRE(one->propose(proposal("a", 5)).ok());
  REQUIRE(one->propose(proposal("b", 4)).status().code() == Code::kInvalidArgument);
  REQUIRE(one->propose({proposal("b", 6), proposal("c", 5)}).status().code() ==
          Code::kInvalidArgument);
  REQUIRE(one->last_key() == 5);
}

TEST_CASE("a lone leader answers reads at once when its term has committed") {
  NoRandom random;
  MemoryReplica one = lone(random);
  one->campaign();
  while (!one->is_leader()) {
    one.take();
    one.persist();
  }
  REQUIRE(one->read_index(1).ok());
  one.take();
  REQUIRE(one.reads.empty());  // its empty entry isn't committed yet
  one.settle();
  REQUIRE(one.reads.size() == 1);
  REQUIRE(one.reads[0].index == Index(1));
  REQUIRE(one->read_index(2).ok());
  one.settle();
  REQUIRE(one.reads.size() == 2);
}

TEST_CASE("the synchronous form applies what the same Ready persisted") {
  NoRandom random;
  Options options = options_of(1);
  options.async_storage_writes = false;
  Stored stored;
  stored.configuration = voters({1});
  Raft raft(options, stored.initial_state(), random);
  raft.campaign();
  Index applied;
  while (raft.has_ready()) {
    Ready ready = raft.take_ready();
    stored.append(ready.entries);
    if (!ready.committed.empty()) applied = ready.committed.hi - 1;
    raft.advance(std::move(ready));
  }
  REQUIRE(raft.is_leader());
  REQUIRE(applied == Index(1));
  REQUIRE(raft.applied() == Index(1));
}

}  // namespace
}  // namespace chronik::raft::test
