#include "raft/types.h"

#include "raft/message.h"

namespace chronik::raft {

const char* role_name(Role role) {
  switch (role) {
    case Role::kFollower: return "follower";
    case Role::kPreCandidate: return "pre-candidate";
    case Role::kCandidate: return "candidate";
    case Role::kLeader: return "leader";
  }
  return "unknown role";
}

const char* message_name(const Message& message) {
  static constexpr const char* kNames[] = {"AppendEntries",
                                           "AppendEntriesResponse",
                                           "Heartbeat",
                                           "HeartbeatResponse",
                                           "RequestVote",
                                           "RequestVoteResponse",
                                           "InstallSnapshot",
                                           "ForwardedProposal",
                                           "TransferLeadership",
                                           "TimeoutNow",
                                           "ReadIndexRequest",
                                           "ReadIndexResponse",
                                           "Quiesce"};
  static_assert(std::size(kNames) == std::variant_size_v<MessageBody>);
  return kNames[message.body.index()];
}

}  // namespace chronik::raft
