// Membership changes: against a slow version on sets, and the properties that joint consensus rests
// on.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "raft/membership.h"
#include "unit/raft/memory_replica.h"

namespace chronik::raft::test {
namespace {

using Set = std::set<ReplicaId>;
Set set_of(const std::vector<ReplicaId>& ids) {
  return Set(ids.begin(), ids.end());
}

std::vector<ConfChangeStep> random_steps(SeededRandom& random, uint64_t most) {
  std::vector<ConfChangeStep> steps;
  for (uint64_t n = random.below(most + 1); n > 0; --n)
    steps.push_back({static_cast<ConfChangeType>(random.below(4)), ReplicaId(random.below(7))});
  return steps;
}

// Does every majority of `a` meet every majority of `b`? By trying all subsets of replicas 1..6.
bool majorities_meet(const std::vector<ReplicaId>& a, const std::vector<ReplicaId>& b) {
  const auto is_majority = [](unsigned subset, const std::vector<ReplicaId>& voters) {
    size_t n = 0;
    for (ReplicaId id : voters) n += subset >> id.value & 1;
    return 2 * n > voters.size();
  };
  for (unsigned x = 0; x < 128; x += 2)
    for (unsigned y = 0; y < 128; y += 2)
      if ((x & y) == 0 && is_majority(x, a) && is_majority(y, b)) return false;
  return true;
}

TEST_CASE("every accepted change keeps the configuration consistent and its quorums overlapping") {
  SeededRandom random(7);
  Configuration now = voters({1, 2, 3});
  int accepted = 0;
  for (int round = 0; round < 4000; ++round) {
    ConfChangeV2 change;
    change.transition = static_cast<ConfChangeTransition>(random.below(3));
    change.steps = random_steps(random, 3);
    if (random.below(3) == 0) change = ConfChangeV2();
    Result<Configuration> next = membership::apply(now, change);
    if (!next.ok()) continue;
    ++accepted;
    REQUIRE(membership::check(next.value()).ok());
    REQUIRE_FALSE(next->voters.empty());
    if (now.joint()) {
      // Left: the new majority is one of the two that had to agree before.
      REQUIRE(next->voters == now.voters);
    } else if (next->joint()) {
      REQUIRE(next->voters_outgoing == now.voters);
    } else {
      REQUIRE(majorities_meet(now.voters, next->voters));
    }
    now = next.value();
  }
  REQUIRE(accepted > 500);
}

// The rules again, one replica at a time: where does each stand before and after?
enum class Place { kNowhere, kVoter, kLearner };

TEST_CASE("simple changes agree with a slow version") {
  SeededRandom random(8);
  for (int round = 0; round < 20000; ++round) {
    Configuration now;
    std::map<ReplicaId, Place> places;
    for (uint64_t id = 1; id <= 6; ++id) {
      const auto place = static_cast<Place>(random.below(3));
      places[ReplicaId(id)] = place;
      if (place == Place::kVoter) now.voters.push_back(ReplicaId(id));
      if (place == Place::kLearner) now.learners.push_back(ReplicaId(id));
    }
    const auto steps = random_steps(random, 3);
    for (const ConfChangeStep& step : steps) {
      if (step.replica == ReplicaId() || step.type == ConfChangeType::kUpdate) continue;
      places[step.replica] = step.type == ConfChangeType::kAddVoter     ? Place::kVoter
                             : step.type == ConfChangeType::kAddLearner ? Place::kLearner
                                                                        : Place::kNowhere;
    }
    Set new_voters, new_learners, changed;
    for (const auto& [id, place] : places) {
      if (place == Place::kVoter) new_voters.insert(id);
      if (place == Place::kLearner) new_learners.insert(id);
      if ((place == Place::kVoter) != set_of(now.voters).contains(id)) changed.insert(id);
    }
    Result<Configuration> next = membership::simple_change(now, steps);
    REQUIRE(next.ok() == (!new_voters.empty() && changed.size() <= 1));
    if (!next.ok()) continue;
    REQUIRE(set_of(next->voters) == new_voters);
    REQUIRE(set_of(next->learners) == new_learners);
  }
}

TEST_CASE("configurations and changes survive encoding, and damage is noticed") {
  SeededRandom random(9);
  Configuration now = voters({1, 2, 300});
  for (int round = 0; round < 500; ++round) {
    ConfChangeV2 change{static_cast<ConfChangeTransition>(random.below(3)), random_steps(random, 4),
                        random.below(2) ? "context" : ""};
    REQUIRE(ConfChangeV2::decode(change.encode()).value() == change);
    if (const auto next = membership::apply(now, change); next.ok()) now = next.value();
    const std::string bytes = now.encode();
    REQUIRE(Configuration::decode(bytes).value() == now);
    for (size_t n = 0; n < bytes.size(); ++n)
      REQUIRE_FALSE(Configuration::decode(std::string_view(bytes).substr(0, n)).ok());
  }
  REQUIRE(ConfChangeV2().encode().empty());
  REQUIRE_FALSE(Configuration::decode("\x02").ok());
  REQUIRE_FALSE(Configuration::decode("").ok());
}

}  // namespace
}  // namespace chronik::raft::test
