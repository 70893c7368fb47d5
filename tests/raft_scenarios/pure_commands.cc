#include "raft_scenarios/pure_commands.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "raft/fence.h"
#include "raft/quorum.h"
#include "raft_scenarios/describe.h"

namespace chronik::raft::scenario {
namespace {

using Values = std::map<ReplicaId, uint64_t>;  // what is known; voters without news are missing

// What a quorum command is about.
struct QuorumCase {
  Configuration configuration;  // voters in the order of the file
  bool joint = false;
  std::vector<ReplicaId> all;  // both halves, in order of first appearance
  Values values;
  std::string error;
};

std::vector<ReplicaId> replica_ids(const std::vector<std::string>& words) {
  std::vector<ReplicaId> found;
  for (const std::string& word : words)
    if (word != "zero") found.push_back(ReplicaId(std::stoull(word)));
  return found;
}

std::string go_list(const std::vector<uint64_t>& values) {
  std::string out = "[";
  for (size_t i = 0; i < values.size(); ++i) out += (i ? " " : "") + std::to_string(values[i]);
  return out + "]";
}

// `key` names the argument with one value per voter; `parse` turns it into a number, 0 for "_".
template <typename Parse>
QuorumCase read_case(const Command& command, const std::string& key, Parse parse) {
  QuorumCase c;
  c.configuration.voters = replica_ids(command.values_of("cfg"));
  c.configuration.voters_outgoing = replica_ids(command.values_of("cfgj"));
  c.joint = !command.values_of("cfgj").empty();
  for (const auto* half : {&c.configuration.voters, &c.configuration.voters_outgoing})
    for (ReplicaId id : *half)
      if (std::find(c.all.begin(), c.all.end(), id) == c.all.end()) c.all.push_back(id);

  std::vector<uint64_t> values;
  for (const std::string& word : command.values_of(key)) values.push_back(parse(word));
  if (values.size() != c.all.size()) {
    std::vector<ReplicaId> sorted = c.all;
    std::sort(sorted.begin(), sorted.end());
    std::string voters = "map[";
    for (ReplicaId id : sorted) voters += (voters.back() == '[' ? "" : " ") + text(id, ":{}");
    c.error =
        "error: mismatched input (explicit or _) for voters " + voters + "]: " + go_list(values);
    return c;
  }
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] != 0) c.values[c.all[i]] = values[i];
  c.configuration.normalize();
  std::sort(c.all.begin(), c.all.end());
  return c;
}

// One line per voter; the further its index is ahead of others', the longer its bar.
std::string draw(const std::vector<ReplicaId>& voters, const Values& values) {
  if (voters.empty()) return "<empty majority quorum>";
  const auto value_of = [&](ReplicaId id) {
    const auto at = values.find(id);
    return at == values.end() ? uint64_t{0} : at->second;
  };
  const size_t n = voters.size();
  std::vector<ReplicaId> by_value = voters;
  std::stable_sort(by_value.begin(), by_value.end(),
                   [&](ReplicaId a, ReplicaId b) { return value_of(a) < value_of(b); });
  std::map<ReplicaId, size_t> bars;
  for (size_t i = 1; i < n; ++i) {
    const bool ahead = value_of(by_value[i - 1]) < value_of(by_value[i]);
    bars[by_value[i]] = ahead ? i : bars[by_value[i - 1]];
  }

  std::string out = std::string(n, ' ') + "    idx\n";
  for (ReplicaId id : voters) {
    const size_t bar = bars[id];
    out += values.contains(id) ? std::string(bar, 'x') + ">" + std::string(n - bar, ' ')
                               : "?" + std::string(n, ' ');
    char line[64];
    std::snprintf(line, sizeof line, " %5lu    (id=%lu)\n",
                  static_cast<unsigned long>(value_of(id)), static_cast<unsigned long>(id.value));
    out += line;
  }
  return out;
}

std::string run_committed(const Command& command) {
  const QuorumCase c = read_case(
      command, "idx", [](const std::string& word) { return word == "_" ? 0 : std::stoull(word); });
  if (!c.error.empty()) return c.error;
  const Index committed = quorum::committed(c.configuration, [&](ReplicaId id) {
    const auto at = c.values.find(id);
    return at == c.values.end() ? Index() : Index(at->second);
  });
  return draw(c.all, c.values) + (committed == Index::max() ? "∞" : text(committed)) + "\n";
}

std::string run_vote(const Command& command) {
  const QuorumCase c = read_case(command, "votes", [](const std::string& word) -> uint64_t {
    return word == "y" ? 2 : word == "n" ? 1 : 0;
  });
  if (!c.error.empty()) return c.error;
  const VoteResult result =
      quorum::vote_result(c.configuration, [&](ReplicaId id) -> std::optional<bool> {
        const auto at = c.values.find(id);
        if (at == c.values.end()) return std::nullopt;
        return at->second == 2;
      });
  switch (result) {
    case VoteResult::kPending: return "VotePending\n";
    case VoteResult::kLost: return "VoteLost\n";
    case VoteResult::kWon: return "VoteWon\n";
  }
  return "";
}

}  // namespace

bool is_quorum_command(const std::string& name) {
  return name == "committed" || name == "vote";
}

std::string run_quorum_command(const Command& command) {
  return command.name == "vote" ? run_vote(command) : run_committed(command);
}

ConfChangeBoard::ConfChangeBoard() : progress_(Configuration(), Index(1), InflightLimits{10}) {}

bool ConfChangeBoard::knows(const std::string& name) {
  return name == "simple" || name == "enter-joint" || name == "leave-joint";
}

std::string ConfChangeBoard::run(const Command& command) {
  std::string out = change(command);
  ++last_index_;
  return out;
}

std::string ConfChangeBoard::change(const Command& command) {
  std::string error;
  const std::vector<ConfChangeStep> steps = parse_steps(command.input, &error);
  if (!error.empty()) return error;
  if (command.name == "leave-joint" && !steps.empty()) return "this command takes no input";
  const std::vector<std::string> auto_leave = command.values_of("autoleave");
  Result<Configuration> next =
      command.name == "simple" ? membership::simple_change(configuration_, steps)
      : command.name == "enter-joint"
          ? membership::enter_joint(configuration_, steps,
                                    !auto_leave.empty() && auto_leave[0] == "true")
          : membership::leave_joint(configuration_);
  if (!next.ok()) return std::string(next.status().message());

  configuration_ = next.value();
  progress_.follow(configuration_, std::max(last_index_, Index(1)));
  std::string out = describe(configuration_) + "\n";
  for (const Progress& member : progress_) {
    ProgressView view;
    view.state = member.state();
    view.match = member.match();
    view.next = member.next();
    view.learner = member.learner;
    view.active = member.active;
    out += text(member.replica(), ": ", describe(view), "\n");
  }
  return out;
}

}  // namespace chronik::raft::scenario
