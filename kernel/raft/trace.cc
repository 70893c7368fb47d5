#include "raft/trace.h"

#include <sstream>

#include "raft/raft.h"

namespace chronik::raft {
namespace {

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// Fields of a message as the validator knows them: all kinds have the same.
struct Fields {
  const char* type = "";
  size_t entries = 0;
  EntryId log;
  Index commit;
  bool reject = false;
  Index reject_hint;
};

Fields fields_of(const MessageBody& body) {
  return std::visit(
      Overloaded{
          [](const AppendEntries& m) {
            return Fields{"MsgApp", m.entries.size(), m.previous, m.commit};
          },
          [](const AppendEntriesResponse& m) {
            return Fields{"MsgAppResp", 0, {m.hint.term, m.index}, {}, m.rejected, m.hint.index};
          },
          [](const Heartbeat& m) {
            return Fields{"MsgHeartbeat", 0, {}, m.commit};
          },
          [](const HeartbeatResponse&) { return Fields{"MsgHeartbeatResp"}; },
          [](const RequestVote& m) {
            return Fields{"MsgVote", 0, m.last};
          },
          [](const RequestVoteResponse& m) {
            return Fields{"MsgVoteResp", 0, {}, {}, m.rejected};
          },
          [](const InstallSnapshot& m) {
            return Fields{"MsgSnap", 0, m.snapshot.last};
          },
          [](const auto&) { return Fields{}; },
      },
      body);
}

const char* role_of(Role role) {
  switch (role) {
    case Role::kFollower: return "StateFollower";
    case Role::kPreCandidate: return "StatePreCandidate";
    case Role::kCandidate: return "StateCandidate";
    case Role::kLeader: return "StateLeader";
  }
  return "";
}

std::string id_list(const std::vector<ReplicaId>& ids) {
  std::string out = "[";
  for (ReplicaId id : ids) out += text(out.size() > 1 ? "," : "", "\"", id, "\"");
  return out + "]";
}

// {"changes":[{"nid":"4","action":"AddNewServer"}],"newconf":["1","2","4"]}
std::string change_of(const ConfChangeV2& change, const Configuration& configuration) {
  constexpr const char* kActions[] = {"AddNewServer", "RemoveServer", "UpdateServer", "AddLearner"};
  std::string out = "{\"changes\":[";
  for (size_t i = 0; i < change.steps.size(); ++i)
    out += text(i ? "," : "", "{\"nid\":\"", change.steps[i].replica, "\",\"action\":\"",
                kActions[static_cast<size_t>(change.steps[i].type)], "\"}");
  return out + "],\"newconf\":" + id_list(configuration.voters) + "}";
}

const char* pick_name(const MessageBody& body, const char* append, const char* append_response,
                      const char* vote, const char* vote_response, const char* snapshot) {
  if (std::holds_alternative<AppendEntries>(body) || std::holds_alternative<Heartbeat>(body))
    return append;
  if (std::holds_alternative<AppendEntriesResponse>(body) ||
      std::holds_alternative<HeartbeatResponse>(body))
    return append_response;
  if (const auto* request = std::get_if<RequestVote>(&body))
    return request->pre_vote ? nullptr : vote;
  if (const auto* response = std::get_if<RequestVoteResponse>(&body))
    return response->pre_vote ? nullptr : vote_response;
  if (std::holds_alternative<InstallSnapshot>(body)) return snapshot;
  return nullptr;
}

}  // namespace

const char* trace_send_name(const MessageBody& body) {
  return pick_name(body, "SendAppendEntriesRequest", "SendAppendEntriesResponse",
                   "SendRequestVoteRequest", "SendRequestVoteResponse", "SendSnapshot");
}

const char* trace_receive_name(const MessageBody& body) {
  return pick_name(body, "ReceiveAppendEntriesRequest", "ReceiveAppendEntriesResponse",
                   "ReceiveRequestVoteRequest", "ReceiveRequestVoteResponse", "ReceiveSnapshot");
}

std::string trace_line(const Raft& raft, const char* name, const Message* message,
                       const ConfChangeV2* change) {
  std::ostringstream out;
  const Configuration& configuration = raft.configuration();
  out << "{\"name\":\"" << name << "\",\"nid\":\"" << raft.id()
      << "\",\"state\":{\"term\":" << raft.term() << ",\"vote\":\"" << raft.vote()
      << "\",\"commit\":" << raft.commit() << "},\"role\":\"" << role_of(raft.role())
      << "\",\"log\":" << raft.last_index() << ",\"conf\":[" << id_list(configuration.voters) << ","
      << id_list(configuration.voters_outgoing) << "]";
  if (message) {
    const Fields m = fields_of(message->body);
    out << ",\"msg\":{\"type\":\"" << m.type << "\",\"term\":" << message->term << ",\"from\":\""
        << message->from << "\",\"to\":\"" << message->to << "\",\"entries\":" << m.entries
        << ",\"logTerm\":" << m.log.term << ",\"index\":" << m.log.index
        << ",\"commit\":" << m.commit
        << ",\"vote\":\"0\",\"reject\":" << (m.reject ? "true" : "false")
        << ",\"rejectHint\":" << m.reject_hint << "}";
  }
  if (change) out << ",\"prop\":{\"cc\":" << change_of(*change, configuration) << "}";
  out << "}";
  return out.str();
}

}  // namespace chronik::raft
