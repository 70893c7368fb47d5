#include "replica/proposal_queue.h"

#include <catch2/catch.hpp>
#include <optional>

namespace chronik {
namespace {

struct Request {
  chronik_propose_request abi{};
  std::optional<chronik_outcome> outcome;

  explicit Request(uint32_t acks) {
    abi.acks = acks;
    abi.done = [](chronik_propose_request* request, const chronik_outcome* outcome) noexcept {
      reinterpret_cast<Request*>(request)->outcome = *outcome;
    };
  }
};

raft::EntryId id(uint64_t term, uint64_t index) {
  return {Term(term), Index(index)};
}

chronik_result ok(uint64_t value) {
  chronik_result result{};
  result.value = value;
  return result;
}

TEST_CASE("acks=leader is answered by durability, acks=all by apply") {
  ProposalQueue queue;
  Request leader(CHRONIK_ACKS_LEADER);
  Request all(CHRONIK_ACKS_ALL);
  queue.push(id(1, 10), 100, 7, &leader.abi);
  queue.push(id(1, 11), 100, 8, &all.abi);
  queue.on_durable(Index(9));
  CHECK_FALSE(leader.outcome);
  queue.on_durable(Index(11));
  REQUIRE(leader.outcome);
  CHECK(leader.outcome->value == 7);
  CHECK_FALSE(all.outcome);
  CHECK(queue.on_applied(id(1, 10), ok(7)) == 100);
  CHECK(queue.on_applied(id(1, 11), ok(8)) == 100);
  REQUIRE(all.outcome);
  CHECK(all.outcome->value == 8);
  CHECK(queue.empty());
}

// The predecessor kept its waiters by index alone, and so acknowledged writes that another leader's
// entries had replaced.
TEST_CASE("an entry of another term at the index doesn't acknowledge the proposal") {
  ProposalQueue queue;
  Request all(CHRONIK_ACKS_ALL);
  queue.push(id(1, 10), 100, 0, &all.abi);
  CHECK(queue.on_applied(id(2, 10), ok(5)) == 100);
  REQUIRE(all.outcome);
  CHECK(all.outcome->status == CHRONIK_E_ABORTED);
}

TEST_CASE("what is abandoned is in doubt, followers too") {
  ProposalQueue queue;
  Request all(CHRONIK_ACKS_ALL);
  Request follower(CHRONIK_ACKS_ALL);
  queue.push(id(1, 10), 100, 0, &all.abi);
  REQUIRE(queue.follow(Index(10), &follower.abi));
  CHECK(queue.abandon("gone") == 100);
  CHECK(all.outcome->status == CHRONIK_E_UNKNOWN);
  CHECK(follower.outcome->status == CHRONIK_E_UNKNOWN);
}

TEST_CASE("a duplicate follows the entry in flight, and nothing else") {
  ProposalQueue queue;
  Request all(CHRONIK_ACKS_ALL);
  Request follower(CHRONIK_ACKS_ALL);
  queue.push(id(1, 10), 100, 0, &all.abi);
  CHECK_FALSE(queue.follow(Index(9), &follower.abi));
  CHECK_FALSE(queue.follow(Index(11), &follower.abi));
  REQUIRE(queue.follow(Index(10), &follower.abi));
  queue.on_applied(id(1, 10), ok(3));
  CHECK(follower.outcome->value == 3);
}

}  // namespace
}  // namespace chronik
