// Quorum mathematics: what a majority, or a joint pair of majorities, has acknowledged or voted.
//
// Pure functions over sorted lists of voters. An empty list agrees with everything, so that the
// outgoing half of a configuration that isn't joint never decides (thesis 4.3).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "raft/configuration.h"

namespace chronik::raft {

enum class VoteResult : uint8_t { kPending, kLost, kWon };

namespace quorum {

// The largest index that a majority of `acknowledged` reaches. Reorders its argument. Pre: count >
// 0.
Index majority_index(Index* acknowledged, size_t count);

// The largest index that a majority of `voters` has acknowledged; Index::max() if there are no
// voters. `acknowledged(ReplicaId) -> Index`, 0 for one that hasn't acknowledged anything.
template <typename Acknowledged>
Index committed(const std::vector<ReplicaId>& voters, Acknowledged&& acknowledged) {
  if (voters.empty()) return Index::max();
  std::array<Index, 8> few;
  std::vector<Index> many;
  Index* indexes = few.data();
  if (voters.size() > few.size()) {
    many.resize(voters.size());
    indexes = many.data();
  }
  for (size_t i = 0; i < voters.size(); ++i) indexes[i] = acknowledged(voters[i]);
  return majority_index(indexes, voters.size());
}

// Both halves must have it.
template <typename Acknowledged>
Index committed(const Configuration& configuration, Acknowledged&& acknowledged) {
  return std::min(committed(configuration.voters, acknowledged),
                  committed(configuration.voters_outgoing, acknowledged));
}

// `granted` and `missing` of `voters` voters; the rest refused.
VoteResult majority_vote(size_t voters, size_t granted, size_t missing);

// `vote(ReplicaId) -> std::optional<bool>`, nothing for one that hasn't answered.
template <typename Vote>
VoteResult vote_result(const std::vector<ReplicaId>& voters, Vote&& vote) {
  size_t granted = 0, missing = 0;
  for (ReplicaId id : voters) {
    const std::optional<bool> answer = vote(id);
    granted += answer.value_or(false);
    missing += !answer;
  }
  return majority_vote(voters.size(), granted, missing);
}

// Won if both halves are won, lost if one of them is lost.
VoteResult joint_vote(VoteResult incoming, VoteResult outgoing);

template <typename Vote>
VoteResult vote_result(const Configuration& configuration, Vote&& vote) {
  return joint_vote(vote_result(configuration.voters, vote),
                    vote_result(configuration.voters_outgoing, vote));
}

}  // namespace quorum
}  // namespace chronik::raft
