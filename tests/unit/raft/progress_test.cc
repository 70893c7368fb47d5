// Progress: its transitions, and its window against a slow list.
#include <catch2/catch.hpp>
#include <deque>

#include "raft/progress.h"
#include "unit/raft/memory_replica.h"

namespace chronik::raft::test {
namespace {

TEST_CASE("the ledger's sums agree with a plain list on random input") {
  SeededRandom random(5);
  SizeLedger ledger;
  std::deque<std::pair<uint64_t, uint64_t>> rows;
  uint64_t last = 0;
  for (int round = 0; round < 50000; ++round) {
    if (random.below(3) > 0) {
      last += random.below(3);
      const uint64_t bytes = random.below(100);
      ledger.add(Index(last), bytes);
      rows.push_back({last, bytes});
    } else {
      const uint64_t to = last - std::min(last, random.below(200));
      ledger.release_to(Index(to));
      while (!rows.empty() && rows.front().first <= to) rows.pop_front();
    }
    uint64_t sum = 0;
    for (const auto& row : rows) sum += row.second;
    if (round % 50 == 0) REQUIRE(ledger.recount() == sum);
    REQUIRE(ledger.bytes() == sum);
    REQUIRE(ledger.count() == rows.size());
  }
}

TEST_CASE("random input never breaks what is written beside the fields") {
  SeededRandom random(6);
  for (int run = 0; run < 200; ++run) {
    Progress p(ReplicaId(2), Index(11), false, {4, 300});
    Index match;  // the slow version of match: the largest index ever acknowledged
    for (int step = 0; step < 300; ++step) {
      switch (random.below(8)) {
        case 0: p.become_probe(); break;
        case 1: p.become_replicate(); break;
        case 2: p.become_snapshot(p.match() + random.below(20)); break;
        case 3: p.abort_snapshot(); break;
        case 4: {
          const Index index(random.below(60));
          REQUIRE(p.maybe_update(index) == (index > match));
          match = std::max(match, index);
          p.free_inflight(index);
          break;
        }
        case 5: (void)p.maybe_decrease(Index(random.below(60)), Index(random.below(60))); break;
        case 6:
          if (!p.paused()) p.sent_entries(random.below(4), random.below(120));
          break;
        case 7: p.resume(); break;
      }
      REQUIRE(p.match() == match);
      REQUIRE(p.match() < p.next());
      REQUIRE(p.inflight().bytes() == p.inflight().recount());
      if (p.state() != ProgressState::kReplicate) REQUIRE(p.inflight().count() == 0);
      if (p.state() == ProgressState::kSnapshot) REQUIRE(p.paused());
      if (p.inflight_full() && step > 0) REQUIRE(p.inflight().count() > 0);
    }
  }
}

TEST_CASE("a late refusal of what was acknowledged since is ignored") {
  Progress p(ReplicaId(2), Index(11), false, {4, kNoLimit});
  REQUIRE(p.maybe_update(Index(10)));
  p.become_replicate();
  REQUIRE_FALSE(p.maybe_decrease(Index(8), Index(5)));
  REQUIRE(p.next() == Index(11));
}

TEST_CASE("while probing, only the answer to the one append that is out counts") {
  Progress p(ReplicaId(2), Index(11), false, {4, kNoLimit});
  REQUIRE_FALSE(p.maybe_decrease(Index(7), Index(3)));
  REQUIRE(p.maybe_decrease(Index(10), Index(3)));
  REQUIRE(p.next() == Index(4));
}

TEST_CASE("a full window pauses until something is acknowledged, by count and by bytes") {
  Progress by_count(ReplicaId(2), Index(1), false, {2, kNoLimit});
  by_count.become_replicate();
  by_count.sent_entries(1, 10);
  REQUIRE_FALSE(by_count.paused());
  by_count.sent_entries(1, 10);
  REQUIRE(by_count.paused());
  REQUIRE(by_count.maybe_update(Index(1)));
  by_count.free_inflight(Index(1));
  REQUIRE_FALSE(by_count.paused());

  Progress by_bytes(ReplicaId(2), Index(1), false, {100, 15});
  by_bytes.become_replicate();
  by_bytes.sent_entries(1, 10);
  REQUIRE_FALSE(by_bytes.paused());
  by_bytes.sent_entries(1, 10);
  REQUIRE(by_bytes.paused());
}

TEST_CASE("followers of a configuration keep what is known, newcomers begin active") {
  ProgressMap map(voters({1, 2, 3}), Index(5), {10});
  map.find(ReplicaId(2))->maybe_update(Index(9));
  Configuration next = voters({2, 4});
  next.learners = ids({3});
  map.follow(next, Index(20));
  REQUIRE(map.find(ReplicaId(1)) == nullptr);
  REQUIRE(map.find(ReplicaId(2))->match() == Index(9));
  REQUIRE_FALSE(map.find(ReplicaId(2))->active);
  REQUIRE(map.find(ReplicaId(3))->learner);
  REQUIRE(map.find(ReplicaId(4))->next() == Index(20));
  REQUIRE(map.find(ReplicaId(4))->active);
}

}  // namespace
}  // namespace chronik::raft::test
