// How the scenario language writes down what a core says: messages, Readys, configurations,
// progress.
#pragma once

#include <string>
#include <vector>

#include "raft/raft.h"

namespace chronik::raft::scenario {

// The two threads of a replica's storage appear as addresses of their own.
inline constexpr ReplicaId kAppendThread{~uint64_t{0}};
inline constexpr ReplicaId kApplyThread{~uint64_t{0} - 1};

// A message in the language's terms, where all kinds have the same fields.
struct Line {
  ReplicaId from;
  ReplicaId to;
  std::string type;  // "MsgApp"
  Term term;
  EntryId log;
  bool rejected = false;
  Index hint;
  Index commit;
  ReplicaId vote;
  std::vector<Entry> entries;
  std::optional<SnapshotMeta> snapshot;
  std::vector<Line> responses;
};

Line line_of(const Message& message);
// Over several lines if it holds several entries or responses; without a final newline.
std::string describe(const Line& line, const std::string& indent = "");
std::string describe(const Entry& entry);                 // 1/11 EntryNormal "foo"
std::string describe(const std::vector<Entry>& entries);  // one per line
std::string describe(const SnapshotMeta& snapshot);
std::string describe(const HardState& hard_state);
std::string describe(const SoftState& soft_state);
std::string describe(const Configuration& configuration);        // voters=(1 2)&&(1) learners=(3)
std::string describe(const ProgressView& view);                  // StateReplicate match=13 next=14
std::string describe(Role role);                                 // StateLeader
std::string describe(const std::vector<ConfChangeStep>& steps);  // v1 l2 r3

// Parses "v1 l2 r3 u4". On failure, *error says what is wrong with it.
std::vector<ConfChangeStep> parse_steps(const std::string& text, std::string* error);

}  // namespace chronik::raft::scenario
