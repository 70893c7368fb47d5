#include "raft_scenarios/describe.h"

#include <cstdio>
#include <sstream>

namespace chronik::raft::scenario {
namespace {

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::string address(ReplicaId id) {
  if (id == kNobody) return "None";
  if (id == kAppendThread) return "AppendThread";
  if (id == kApplyThread) return "ApplyThread";
  char hex[20];
  std::snprintf(hex, sizeof hex, "%lx", static_cast<unsigned long>(id.value));
  return hex;
}

std::string quoted(std::string_view bytes) {
  std::string out = "\"";
  for (char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte >= 0x7f) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", byte);
      out += hex;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string list(const std::vector<ReplicaId>& ids) {
  std::string out;
  for (ReplicaId id : ids) out += (out.empty() ? "" : " ") + std::to_string(id.value);
  return out;
}

std::string conf_state(const Configuration& c) {
  return "Voters:[" + list(c.voters) + "] VotersOutgoing:[" + list(c.voters_outgoing) +
         "] Learners:[" + list(c.learners) + "] LearnersNext:[" + list(c.learners_next) +
         "] AutoLeave:" + (c.auto_leave ? "true" : "false");
}

std::string state_name(ProgressState state) {
  switch (state) {
    case ProgressState::kProbe: return "StateProbe";
    case ProgressState::kReplicate: return "StateReplicate";
    case ProgressState::kSnapshot: return "StateSnapshot";
  }
  return "?";
}

}  // namespace

Line line_of(const Message& m) {
  Line line{m.from, m.to, "", m.term};
  const auto fill = Overloaded{[&](const AppendEntries& body) {
                                 line.type = "MsgApp";
                                 line.log = body.previous;
                                 line.commit = body.commit;
                                 line.entries = body.entries;
                               },
                               [&](const AppendEntriesResponse& body) {
                                 line.type = "MsgAppResp";
                                 line.log = {body.hint.term, body.index};
                                 line.rejected = body.rejected;
                                 line.hint = body.hint.index;
                               },
                               [&](const Heartbeat& body) {
                                 line.type = "MsgHeartbeat";
                                 line.commit = body.commit;
                               },
                               [&](const HeartbeatResponse&) { line.type = "MsgHeartbeatResp"; },
                               [&](const RequestVote& body) {
                                 line.type = body.pre_vote ? "MsgPreVote" : "MsgVote";
                                 line.log = body.last;
                               },
                               [&](const RequestVoteResponse& body) {
                                 line.type = body.pre_vote ? "MsgPreVoteResp" : "MsgVoteResp";
                                 line.rejected = body.rejected;
                               },
                               [&](const InstallSnapshot& body) {
                                 line.type = "MsgSnap";
                                 line.snapshot = body.snapshot;
                               },
                               [&](const ForwardedProposal& body) {
                                 line.type = "MsgProp";
                                 line.entries = body.entries;
                               },
                               [&](const TransferLeadership& body) {
                                 line.type = "MsgTransferLeader";
                                 line.from = body.transferee;
                               },
                               [&](const TimeoutNow&) { line.type = "MsgTimeoutNow"; },
                               [&](const ReadIndexRequest&) { line.type = "MsgReadIndex"; },
                               [&](const ReadIndexResponse& body) {
                                 line.type = "MsgReadIndexResp";
                                 line.log.index = body.index;
                               },
                               [&](const Quiesce& body) {
                                 line.type = "MsgQuiesce";
                                 line.log.index = body.last_index;
                               }};
  std::visit(fill, m.body);
  return line;
}

std::string describe(const Line& m, const std::string& indent) {
  std::ostringstream out;
  out << indent << address(m.from) << "->" << address(m.to) << " " << m.type << " Term:" << m.term
      << " Log:" << m.log.term << "/" << m.log.index;
  if (m.rejected) out << " Rejected (Hint: " << m.hint << ")";
  if (m.commit != Index()) out << " Commit:" << m.commit;
  if (m.vote != kNobody) out << " Vote:" << m.vote;
  if (m.entries.size() == 1) out << " Entries:[" << describe(m.entries[0]) << "]";
  if (m.entries.size() > 1) {
    out << " Entries:[";
    for (const Entry& entry : m.entries) out << "\n" << indent << "  " << describe(entry);
    out << "\n" << indent << "]";
  }
  if (m.snapshot) out << "\n" << indent << "  Snapshot: " << describe(*m.snapshot);
  if (!m.responses.empty()) {
    out << " Responses:[";
    for (const Line& response : m.responses) out << "\n" << describe(response, indent + "  ");
    out << "\n" << indent << "]";
  }
  return out.str();
}

std::string describe(const Entry& entry) {
  std::string type = "EntryNormal", what = quoted(entry.payload.view());
  if (entry.type != EntryType::kNormal) {
    type = entry.type == EntryType::kConfChange ? "EntryConfChange" : "EntryConfChangeV2";
    const auto change = ConfChangeV2::decode(entry.payload.view());
    what = change.ok() ? describe(change.value().steps) : "malformed";
  }
  return std::to_string(entry.term.value) + "/" + std::to_string(entry.index.value) + " " + type +
         (what.empty() ? "" : " ") + what;
}

std::string describe(const std::vector<Entry>& entries) {
  std::string out;
  for (const Entry& entry : entries) out += describe(entry) + "\n";
  return out;
}

std::string describe(const SnapshotMeta& snapshot) {
  return "Index:" + std::to_string(snapshot.last.index.value) +
         " Term:" + std::to_string(snapshot.last.term.value) +
         " ConfState:" + conf_state(snapshot.configuration);
}

std::string describe(const HardState& hard_state) {
  std::string out = "Term:" + std::to_string(hard_state.term.value);
  if (hard_state.vote != kNobody) out += " Vote:" + std::to_string(hard_state.vote.value);
  return out + " Commit:" + std::to_string(hard_state.commit.value);
}

std::string describe(const SoftState& soft_state) {
  return "Lead:" + std::to_string(soft_state.leader.value) + " State:" + describe(soft_state.role);
}

std::string describe(const Configuration& c) {
  std::string out = "voters=(" + list(c.voters) + ")";
  if (c.joint()) out += "&&(" + list(c.voters_outgoing) + ")";
  if (!c.learners.empty()) out += " learners=(" + list(c.learners) + ")";
  if (!c.learners_next.empty()) out += " learners_next=(" + list(c.learners_next) + ")";
  if (c.auto_leave) out += " autoleave";
  return out;
}

std::string describe(const ProgressView& view) {
  std::ostringstream out;
  out << state_name(view.state) << " match=" << view.match << " next=" << view.next;
  if (view.learner) out << " learner";
  if (view.paused) out << " paused";
  if (view.pending_snapshot != Index()) out << " pendingSnap=" << view.pending_snapshot;
  if (!view.active) out << " inactive";
  if (view.inflight_messages > 0)
    out << " inflight=" << view.inflight_messages << (view.inflight_full ? "[full]" : "");
  return out.str();
}

std::string describe(Role role) {
  switch (role) {
    case Role::kFollower: return "StateFollower";
    case Role::kPreCandidate: return "StatePreCandidate";
    case Role::kCandidate: return "StateCandidate";
    case Role::kLeader: return "StateLeader";
  }
  return "?";
}

std::string describe(const std::vector<ConfChangeStep>& steps) {
  std::string out;
  for (const ConfChangeStep& step : steps) {
    constexpr const char* kLetters = "vrul";  // in the order of ConfChangeType
    if (!out.empty()) out += " ";
    out += kLetters[static_cast<size_t>(step.type)] + std::to_string(step.replica.value);
  }
  return out;
}

std::vector<ConfChangeStep> parse_steps(const std::string& text, std::string* error) {
  std::vector<ConfChangeStep> steps;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word.size() < 2) {
      *error = "unknown token " + word;
      return {};
    }
    const size_t type = std::string("vrul").find(word[0]);
    const bool is_number = word.find_first_not_of("0123456789", 1) == std::string::npos;
    if (type == std::string::npos || !is_number) {
      *error = "unknown input: " + word;
      return {};
    }
    steps.push_back({static_cast<ConfChangeType>(type), ReplicaId(std::stoull(word.substr(1)))});
  }
  return steps;
}

}  // namespace chronik::raft::scenario
