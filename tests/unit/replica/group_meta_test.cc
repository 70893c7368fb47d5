#include "replica/group_meta.h"

#include <catch2/catch.hpp>

namespace chronik {
namespace {

GroupMeta sample() {
  GroupMeta meta;
  meta.start_index = Index(5);
  meta.start_term = Term(2);
  meta.configuration.voters = {ReplicaId(1), ReplicaId(2)};
  meta.checkpoint = Checkpoint{Index(9), meta.configuration, std::string("state\0machine", 13)};
  meta.checkpoint->configuration.learners = {ReplicaId(3)};
  return meta;
}

TEST_CASE("both halves of a group's meta survive") {
  const Result<GroupMeta> decoded = GroupMeta::decode(sample().encode());
  REQUIRE(decoded.ok());
  CHECK(decoded.value().start_index == Index(5));
  CHECK(decoded.value().start_term == Term(2));
  CHECK(decoded.value().configuration == sample().configuration);
  REQUIRE(decoded.value().checkpoint);
  CHECK(decoded.value().checkpoint->index == Index(9));
  CHECK(decoded.value().checkpoint->configuration == sample().checkpoint->configuration);
  CHECK(decoded.value().checkpoint->machine == sample().checkpoint->machine);
}

TEST_CASE("a meta that is cut off anywhere, too long or of another version is refused") {
  const std::string whole = sample().encode();
  for (size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(GroupMeta::decode(whole.substr(0, size)).ok());
  }
  CHECK_FALSE(GroupMeta::decode(whole + "x").ok());
  std::string other = whole;
  other[0] = 9;
  CHECK(GroupMeta::decode(other).status().message() ==
        "group meta has version 9, this build reads version 1");
}

}  // namespace
}  // namespace chronik
