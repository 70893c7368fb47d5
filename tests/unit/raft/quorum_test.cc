// Quorum mathematics against slow, obvious versions.
#include <catch2/catch.hpp>
#include <map>

#include "raft/quorum.h"
#include "unit/raft/memory_replica.h"

namespace chronik::raft::test {
namespace {

using Acked = std::map<ReplicaId, Index>;

Index index_of(const Acked& acked, ReplicaId id) {
  const auto at = acked.find(id);
  return at == acked.end() ? Index() : at->second;
}

// Tries every index that somebody has acknowledged: how many voters are at or above it?
Index slowly_committed(const std::vector<ReplicaId>& voters, const Acked& acked) {
  if (voters.empty()) return Index::max();
  Index best;
  for (ReplicaId candidate : voters) {
    size_t reached = 0;
    for (ReplicaId id : voters) reached += index_of(acked, id) >= index_of(acked, candidate);
    if (2 * reached > voters.size()) best = std::max(best, index_of(acked, candidate));
  }
  return best;
}

std::vector<ReplicaId> random_voters(SeededRandom& random, uint64_t most) {
  std::vector<ReplicaId> voters;
  for (uint64_t id = 1; id <= most; ++id)
    if (random.below(2)) voters.push_back(ReplicaId(id));
  return voters;
}

TEST_CASE("committed index agrees with the slow version on random input") {
  SeededRandom random(42);
  for (int round = 0; round < 20000; ++round) {
    Configuration configuration;
    configuration.voters = random_voters(random, 12);
    configuration.voters_outgoing = random_voters(random, 12);
    Acked acked;
    for (uint64_t id = 1; id <= 12; ++id)
      if (random.below(4)) acked[ReplicaId(id)] = Index(random.below(8));
    const auto lookup = [&](ReplicaId id) { return index_of(acked, id); };
    const Index incoming = slowly_committed(configuration.voters, acked);
    const Index outgoing = slowly_committed(configuration.voters_outgoing, acked);
    REQUIRE(quorum::committed(configuration.voters, lookup) == incoming);
    REQUIRE(quorum::committed(configuration, lookup) == std::min(incoming, outgoing));
  }
}

TEST_CASE("a vote is pending exactly while the missing answers can still decide it") {
  SeededRandom random(43);
  for (int round = 0; round < 5000; ++round) {
    Configuration configuration;
    configuration.voters = random_voters(random, 5);
    configuration.voters_outgoing = random_voters(random, 5);
    std::map<ReplicaId, bool> votes;
    std::vector<ReplicaId> silent;
    for (uint64_t id = 1; id <= 5; ++id) {
      if (const uint64_t answer = random.below(3); answer < 2) {
        votes[ReplicaId(id)] = answer == 1;
      } else {
        silent.push_back(ReplicaId(id));
      }
    }
    const auto won_by = [&](const std::map<ReplicaId, bool>& all,
                            const std::vector<ReplicaId>& voters) {
      size_t granted = 0;
      for (ReplicaId id : voters) granted += all.at(id);
      return voters.empty() || 2 * granted > voters.size();
    };
    // Every way in which the silent ones could still vote.
    bool can_win = false, can_lose = false;
    for (size_t ways = 0; ways < (size_t{1} << silent.size()); ++ways) {
      auto all = votes;
      for (size_t i = 0; i < silent.size(); ++i) all[silent[i]] = ways >> i & 1;
      const bool won =
          won_by(all, configuration.voters) && won_by(all, configuration.voters_outgoing);
      (won ? can_win : can_lose) = true;
    }
    const VoteResult result =
        quorum::vote_result(configuration, [&](ReplicaId id) -> std::optional<bool> {
          const auto at = votes.find(id);
          if (at == votes.end()) return std::nullopt;
          return at->second;
        });
    if (!can_lose) REQUIRE(result == VoteResult::kWon);
    if (!can_win) REQUIRE(result == VoteResult::kLost);
    if (can_win && can_lose) REQUIRE(result == VoteResult::kPending);
  }
}

}  // namespace
}  // namespace chronik::raft::test
