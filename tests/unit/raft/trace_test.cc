// Traces: each line is an object of the documented shape, and a run tells its story in order.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "unit/raft/memory_cluster.h"

namespace chronik::raft::test {
namespace {

class Lines : public Trace {
 public:
  void write(std::string_view line) override { events.push_back(nlohmann::json::parse(line)); }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& event : events) out.push_back(event.at("name"));
    return out;
  }
  std::vector<nlohmann::json> events;
};

TEST_CASE("a lone member's trace tells its election and first commit") {
  MemoryCluster cluster(1);
  Lines lines;
  cluster[1]->set_trace(&lines);
  cluster.elect(1);
  REQUIRE(lines.names() ==
          std::vector<std::string>{"InitState", "BecomeCandidate", "SendRequestVoteResponse",
                                   "Ready", "ReceiveRequestVoteResponse", "BecomeLeader",
                                   "Replicate", "SendAppendEntriesResponse", "Ready",
                                   "ReceiveAppendEntriesResponse", "Commit", "Ready"});
  const nlohmann::json& commit = lines.events[10];
  REQUIRE(commit.at("nid") == "1");
  REQUIRE(commit.at("role") == "StateLeader");
  REQUIRE(commit.at("log") == 1);
  REQUIRE(commit.at("state") == nlohmann::json{{"term", 1}, {"vote", "1"}, {"commit", 1}});
  REQUIRE(commit.at("conf") == nlohmann::json::parse(R"([["1"], []])"));
}

TEST_CASE("messages and membership changes are traced with their fields") {
  MemoryCluster cluster(4, voters({1, 2, 3}));
  Lines lines;
  cluster[1]->set_trace(&lines);
  cluster.elect(1);
  REQUIRE(cluster[1]
              ->propose_conf_change(
                  {ConfChangeTransition::kAuto, {{ConfChangeType::kAddVoter, ReplicaId(4)}}})
              .ok());
  cluster.settle();
  nlohmann::json append, change;
  for (const nlohmann::json& event : lines.events) {
    if (event.at("name") == "SendAppendEntriesRequest" && append.is_null()) append = event;
    if (event.at("name") == "ApplyConfChange") change = event;
  }
  REQUIRE(append.at("msg") == nlohmann::json::parse(R"({"type": "MsgApp", "term": 1, "from": "1",
      "to": "2", "entries": 1, "logTerm": 0, "index": 0, "commit": 0, "vote": "0",
      "reject": false, "rejectHint": 0})"));
  REQUIRE(change.at("prop") == nlohmann::json::parse(R"({"cc": {"changes":
      [{"nid": "4", "action": "AddNewServer"}], "newconf": ["1", "2", "3", "4"]}})"));
}

}  // namespace
}  // namespace chronik::raft::test
