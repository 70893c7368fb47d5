#include "shard_fixture.h"

namespace chronik::test {
namespace {

TEST_CASE_METHOD(ShardFixture, "a group of one serves as soon as its vote is durable") {
  open(1);
  settle_without_completions();
  CHECK_FALSE(serving[1]);
  settle();
  CHECK(serving[1]);
}

TEST_CASE_METHOD(ShardFixture,
                 "acks=all is answered only after the write that covers it is durable") {
  open(1);
  settle();
  Produce all(1, CHRONIK_ACKS_ALL, batch_of({"a", "b"}));
  Produce leader(1, CHRONIK_ACKS_LEADER, batch_of({"c"}));
  Produce none(1, CHRONIK_ACKS_NONE, batch_of({"d"}));
  shard->submit_proposal(&all.abi);
  shard->submit_proposal(&leader.abi);
  shard->submit_proposal(&none.abi);
  settle_without_completions();
  CHECK_FALSE(all.answered());
  CHECK_FALSE(leader.answered());
  CHECK(none.answered());
  settle();
  REQUIRE(all.answered());
  REQUIRE(leader.answered());
  CHECK(*all.status == CHRONIK_OK);
  CHECK(all.value == 0);
  CHECK(leader.value == 2);
  CHECK(none.value == 3);
}

TEST_CASE_METHOD(ShardFixture, "one pass writes all groups' proposals as one batch") {
  for (uint64_t group = 1; group <= 100; ++group) open(group);
  settle();
  std::vector<std::unique_ptr<Produce>> produces;
  for (uint64_t group = 1; group <= 100; ++group) {
    produces.push_back(std::make_unique<Produce>(group, CHRONIK_ACKS_ALL, batch_of({"x"})));
    shard->submit_proposal(&produces.back()->abi);
  }
  pass();
  // One submit means one completion, and the memory storage delivers all there are in one task;
  // were there a submit per group, some would have been answered by later passes only.
  storage_host.run();
  pass();
  for (const auto& produce : produces) CHECK(produce->answered());
}

TEST_CASE_METHOD(ShardFixture, "requests wait while the group isn't serving, then are answered") {
  open(1);
  Produce produce(1, CHRONIK_ACKS_ALL, batch_of({"early"}));
  Query bounds(1, CHRONIK_QUERY_BOUNDS, 0);
  shard->submit_proposal(&produce.abi);
  shard->submit_query(&bounds.abi);
  settle_without_completions();
  CHECK_FALSE(produce.answered());
  CHECK_FALSE(bounds.answered());
  settle();
  REQUIRE(produce.answered());
  CHECK(*produce.status == CHRONIK_OK);
  CHECK(bounds.answered());
}

TEST_CASE_METHOD(ShardFixture, "only committed records are read") {
  open(1);
  settle();
  Produce produce(1, CHRONIK_ACKS_ALL, batch_of({"a"}));
  shard->submit_proposal(&produce.abi);
  pass();
  Query early(1, CHRONIK_QUERY_LOG_KEY, 0);
  shard->submit_query(&early.abi);
  settle_without_completions();
  REQUIRE(early.answered());
  CHECK(early.payloads.empty());
  CHECK(early.end_key == 0);
  settle();
  Query late(1, CHRONIK_QUERY_LOG_KEY, 0);
  shard->submit_query(&late.abi);
  settle();
  REQUIRE(late.answered());
  CHECK(late.payloads.size() == 1);
  CHECK(late.end_key == 1);
}

// The log begins with the empty entry of the leader's term, which readers aren't shown.
TEST_CASE_METHOD(ShardFixture, "a read of few bytes gets past the kernel's own entries") {
  open(1);
  settle();
  Produce produce(1, CHRONIK_ACKS_ALL, batch_of({"a"}));
  shard->submit_proposal(&produce.abi);
  settle();
  Query small(1, CHRONIK_QUERY_LOG_KEY, 0);
  small.abi.max_bytes = 1;
  shard->submit_query(&small.abi);
  settle();
  REQUIRE(small.answered());
  CHECK(small.payloads.size() == 1);
}

TEST_CASE_METHOD(ShardFixture, "a drained shard goes on refusing until it is stopped") {
  open(1);
  settle();
  shard->begin_drain();
  settle();
  CHECK_FALSE(shard->stopped());
  Produce late(1, CHRONIK_ACKS_ALL, batch_of({"a"}));
  shard->submit_proposal(&late.abi);
  settle();
  REQUIRE(late.answered());
  CHECK(*late.status == CHRONIK_E_UNAVAILABLE);
}

TEST_CASE_METHOD(ShardFixture, "a long poll is answered by the next apply, or at its deadline") {
  open(1);
  settle();
  Query poll(1, CHRONIK_QUERY_LOG_KEY, 0, 1'000'000'000);
  shard->submit_query(&poll.abi);
  settle();
  CHECK_FALSE(poll.answered());
  Produce produce(1, CHRONIK_ACKS_ALL, batch_of({"a"}));
  shard->submit_proposal(&produce.abi);
  settle();
  REQUIRE(poll.answered());
  CHECK(poll.payloads.size() == 1);

  Query idle(1, CHRONIK_QUERY_LOG_KEY, 1, 1'000'000'000);
  shard->submit_query(&idle.abi);
  const int64_t deadline = pass();
  CHECK(deadline == storage_host.now_ns + 1'000'000'000);
  CHECK_FALSE(idle.answered());
  storage_host.now_ns = deadline;
  pass();
  REQUIRE(idle.answered());
  CHECK(*idle.status == CHRONIK_OK);
  CHECK(idle.payloads.empty());
}

TEST_CASE_METHOD(ShardFixture, "a cancelled long poll is answered at once") {
  open(1);
  settle();
  Query poll(1, CHRONIK_QUERY_LOG_KEY, 0, 1'000'000'000);
  shard->submit_query(&poll.abi);
  settle();
  shard->cancel_query(GroupId(1), &poll.abi);
  settle();
  CHECK(poll.answered());
  shard->cancel_query(GroupId(1), &poll.abi);  // too late, and harmless
  settle();
}

TEST_CASE_METHOD(ShardFixture, "an idle node has no timer") {
  open(1);
  settle();
  CHECK(pass() == 0);
}

TEST_CASE_METHOD(ShardFixture, "admission by bytes refuses what exceeds the budget, and recovers") {
  open(1);
  settle();
  std::vector<std::unique_ptr<Produce>> produces;
  const std::string batch = batch_of({std::string(100'000, 'x')});
  for (int i = 0; i < 20; ++i) {
    produces.push_back(std::make_unique<Produce>(1, CHRONIK_ACKS_ALL, batch));
    shard->submit_proposal(&produces.back()->abi);
  }
  settle_without_completions();
  const auto refused = std::count_if(produces.begin(), produces.end(), [](const auto& produce) {
    return produce->answered() && *produce->status == CHRONIK_E_RESOURCE_EXHAUSTED;
  });
  CHECK(refused == 10);  // 1 MiB holds ten of them
  CHECK(budget.bytes() <= 1 << 20);
  settle();
  CHECK(budget.bytes() == 0);
  Produce again(1, CHRONIK_ACKS_ALL, batch);
  shard->submit_proposal(&again.abi);
  settle();
  CHECK(*again.status == CHRONIK_OK);
  CHECK(again.value == 10);  // the refused ones left no gap
}

TEST_CASE_METHOD(ShardFixture,
                 "what exceeds a group's part of a batch goes with the next, in order") {
  append_bytes_max = 250'000;
  open(1);
  settle();
  std::vector<std::unique_ptr<Produce>> produces;
  for (int i = 0; i < 9; ++i) {
    produces.push_back(
        std::make_unique<Produce>(1, CHRONIK_ACKS_ALL, batch_of({std::string(100'000, 'x')})));
    shard->submit_proposal(&produces.back()->abi);
  }
  pass();
  storage_host.run();
  pass();
  const auto answered = [&] {
    return std::count_if(produces.begin(), produces.end(),
                         [](const auto& produce) { return produce->answered(); });
  };
  CHECK(answered() == 2);
  settle();
  CHECK(answered() == 9);
  for (size_t i = 0; i < produces.size(); ++i) CHECK(produces[i]->value == i);
}

TEST_CASE_METHOD(ShardFixture,
                 "a retry of a batch in flight is answered with it, one of a stored batch too") {
  open(1);
  settle();
  const std::string batch = batch_of({"a"}, 7, 0);
  Produce first(1, CHRONIK_ACKS_ALL, batch);
  Produce retry(1, CHRONIK_ACKS_ALL, batch);
  shard->submit_proposal(&first.abi);
  shard->submit_proposal(&retry.abi);
  settle_without_completions();
  CHECK_FALSE(retry.answered());
  settle();
  CHECK(*first.status == CHRONIK_OK);
  CHECK(*retry.status == CHRONIK_OK);
  CHECK(retry.value == first.value);
  Produce late(1, CHRONIK_ACKS_ALL, batch);
  shard->submit_proposal(&late.abi);
  settle();
  CHECK(*late.status == CHRONIK_OK);
  CHECK(late.value == first.value);
  Query all(1, CHRONIK_QUERY_LOG_KEY, 0);
  shard->submit_query(&all.abi);
  settle();
  CHECK(all.payloads.size() == 1);
}

TEST_CASE_METHOD(ShardFixture,
                 "a new shard finds everything again, with and without a checkpoint") {
  checkpoint_bytes = GENERATE(uint64_t{1}, uint64_t{64} << 20);
  open(1);
  settle();
  for (int i = 0; i < 10; ++i) {
    Produce produce(1, CHRONIK_ACKS_ALL, batch_of({"v" + std::to_string(i)}, 7, i));
    shard->submit_proposal(&produce.abi);
    settle();
    REQUIRE(*produce.status == CHRONIK_OK);
  }
  // As after a crash: no orderly stop, only what the storage holds.
  shard.reset();
  storage_host.run();
  make_shard();
  serving.clear();
  open(1);
  settle();
  for (const auto& [group, why] : fenced) FAIL("group " << group << ": " << why);
  REQUIRE(serving[1]);
  Query all(1, CHRONIK_QUERY_LOG_KEY, 0);
  shard->submit_query(&all.abi);
  settle();
  CHECK(all.payloads.size() == 10);
  CHECK(all.end_key == 10);
  // Producer state survived: the last batch again is a duplicate, the next one fits.
  Produce duplicate(1, CHRONIK_ACKS_ALL, batch_of({"v9"}, 7, 9));
  Produce next(1, CHRONIK_ACKS_ALL, batch_of({"v10"}, 7, 10));
  shard->submit_proposal(&duplicate.abi);
  shard->submit_proposal(&next.abi);
  settle();
  CHECK(duplicate.value == 9);
  CHECK(next.value == 10);
}

TEST_CASE_METHOD(ShardFixture, "a stop answers everything and refuses what comes later") {
  open(1);
  settle();
  Produce produce(1, CHRONIK_ACKS_ALL, batch_of({"a"}));
  Query poll(1, CHRONIK_QUERY_LOG_KEY, 5, 1'000'000'000);
  shard->submit_proposal(&produce.abi);
  shard->submit_query(&poll.abi);
  pass();
  shard->begin_stop();
  pass();
  Produce late(1, CHRONIK_ACKS_ALL, batch_of({"b"}));
  shard->submit_proposal(&late.abi);
  pass();
  CHECK(*late.status == CHRONIK_E_UNAVAILABLE);
  CHECK_FALSE(produce.answered());  // its write is under way: it may end
  stop_shard();
  CHECK(*produce.status == CHRONIK_OK);
  CHECK(poll.answered());
}

TEST_CASE_METHOD(ShardFixture,
                 "a write that never ends holds up neither the answers nor the stop") {
  open(1);
  settle();
  Produce produce(1, CHRONIK_ACKS_ALL, batch_of({"a"}));
  shard->submit_proposal(&produce.abi);
  pass();
  shard->begin_stop();
  int64_t deadline = pass();
  CHECK_FALSE(produce.answered());
  storage_host.now_ns = deadline;
  deadline = pass();
  REQUIRE(produce.answered());
  CHECK(*produce.status == CHRONIK_E_UNKNOWN);
  CHECK_FALSE(shard->stopped());
  storage_host.now_ns = deadline;
  pass();
  CHECK(shard->stopped());
  storage_host.run();  // the storage ends its write before the shard is destroyed
  CHECK(budget.bytes() == 0);
}

TEST_CASE_METHOD(ShardFixture, "a deleted group's data goes, and its requests are refused") {
  open(1);
  settle();
  bool deleted = false;
  shard->delete_replica(GroupId(1), store, [&] { deleted = true; });
  settle();
  CHECK(deleted);
  CHECK(store.visit(GroupId(1), [](const chronik_log_group&) {}).code() == Code::kNotFound);
  Produce produce(1, CHRONIK_ACKS_ALL, batch_of({"a"}));
  shard->submit_proposal(&produce.abi);
  settle();
  CHECK(*produce.status == CHRONIK_E_NOT_FOUND);
}

TEST_CASE_METHOD(ShardFixture, "an empty proposal and an unknown group are refused with a reason") {
  open(1);
  settle();
  Produce empty(1, CHRONIK_ACKS_ALL, "");
  Produce nowhere(99, CHRONIK_ACKS_ALL, batch_of({"a"}));
  Produce garbage(1, CHRONIK_ACKS_ALL, "this is no record batch");
  shard->submit_proposal(&empty.abi);
  shard->submit_proposal(&nowhere.abi);
  shard->submit_proposal(&garbage.abi);
  settle();
  CHECK(*empty.status == CHRONIK_E_INVALID_ARGUMENT);
  CHECK(*nowhere.status == CHRONIK_E_NOT_FOUND);
  CHECK(*garbage.status != CHRONIK_OK);
  CHECK_FALSE(garbage.message.empty());
}

}  // namespace
}  // namespace chronik::test
