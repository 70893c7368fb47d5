#include "metadata/placement.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

namespace chronik {
namespace {

TEST_CASE("three nodes and nine partitions: each node leads three") {
  const std::vector<NodeId> nodes = {NodeId(1), NodeId(2), NodeId(3)};
  const auto placement = place(nodes, 9, 3, 0);
  REQUIRE(placement.ok());
  std::map<NodeId, int> first;
  for (const auto& members : placement.value()) {
    ++first[members.front()];
    CHECK(std::set<NodeId>(members.begin(), members.end()).size() == 3);
  }
  CHECK(first[NodeId(1)] == 3);
  CHECK(first[NodeId(2)] == 3);
  CHECK(first[NodeId(3)] == 3);
}

TEST_CASE("the first partitions of consecutive topics begin at different nodes") {
  const std::vector<NodeId> nodes = {NodeId(1), NodeId(2), NodeId(3)};
  std::set<NodeId> first;
  for (uint64_t topic = 0; topic < 3; ++topic) {
    first.insert(place(nodes, 1, 1, topic).value().front().front());
  }
  CHECK(first.size() == 3);
}

TEST_CASE("more replicas than nodes are refused with both numbers") {
  const auto placement = place({NodeId(1)}, 1, 3, 0);
  REQUIRE_FALSE(placement.ok());
  CHECK(placement.status().message() == "replication 3 needs as many nodes, there is 1");
  CHECK_FALSE(place({NodeId(1)}, 1, 0, 0).ok());
}

}  // namespace
}  // namespace chronik
