#include "raft/quorum.h"

#include <algorithm>

namespace chronik::raft::quorum {

Index majority_index(Index* acknowledged, size_t count) {
  // In ascending order, the element that has a majority at or above it.
  Index* nth = acknowledged + (count - (count / 2 + 1));
  std::nth_element(acknowledged, nth, acknowledged + count);
  return *nth;
}

VoteResult majority_vote(size_t voters, size_t granted, size_t missing) {
  const size_t needed = voters == 0 ? 0 : voters / 2 + 1;
  if (granted >= needed) return VoteResult::kWon;
  if (granted + missing >= needed) return VoteResult::kPending;
  return VoteResult::kLost;
}

VoteResult joint_vote(VoteResult incoming, VoteResult outgoing) {
  if (incoming == outgoing) return incoming;
  if (incoming == VoteResult::kLost || outgoing == VoteResult::kLost) return VoteResult::kLost;
  return VoteResult::kPending;  // one half is won, the other still open
}

}  // namespace chronik::raft::quorum
