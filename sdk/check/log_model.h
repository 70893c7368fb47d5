// What a log storage should do, the obvious way, and the test that drives both side by side.
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "check/log_store.h"

namespace chronik::check {

// A group by the contract: everything in a vector.
struct ModelGroup {
  uint64_t start_index = 0, start_term = 0;
  std::vector<Entry> entries;  // start_index + 1 and on
  uint64_t hard_term = 0, hard_vote = 0, hard_commit = 0;
  std::string meta;
  bool operator==(const ModelGroup& other) const = default;

  uint64_t last_index() const { return start_index + entries.size(); }
  uint64_t last_term() const { return entries.empty() ? start_term : entries.back().term; }
  uint64_t last_key() const { return entries.empty() ? 0 : entries.back().key; }
  uint64_t term_at(uint64_t index) const {
    return index == start_index ? start_term : entries[index - start_index - 1].term;
  }
  // Where reads by key and by time begin; 0: compacted away.
  uint64_t seek_key(uint64_t key) const;
  uint64_t seek_time(int64_t time_ms) const;
};

using ModelGroups = std::map<uint64_t, ModelGroup>;

// Applies a batch that is known to be right.
void apply_batch(const Batch& batch, ModelGroups* groups);

// Plays random operations against a store and the model. Between check points the store may be
// reopened, killed or lose power; then each group must be as after one of its batches, none of
// those that were acknowledged missing.
//
// Deterministic by seed. Throws std::runtime_error with what differs, and the seed's step.
class ModelTest {
 public:
  struct Settings {
    uint64_t seed = 1;
    uint64_t steps = 300;
    uint64_t groups = 4;
    uint64_t payload_max = 300;
    bool persistent = true;  // false: a reopened store is empty
    bool power_cuts = true;  // else only clean stops, if persistent
    std::map<std::string, std::string> options;
  };
  ModelTest(const chronik_plugin& plugin, SimDisk* disk, Settings settings);
  ~ModelTest();
  void run();

 private:
  // One state of a group that the store may be found in; absent: the group doesn't exist.
  struct State {
    bool exists = false;
    ModelGroup group;
  };

  void step();
  void mutate();
  void add_random(uint64_t group, Batch* batch, ModelGroups* scratch);
  void check_refusals();
  void check_read();
  void compare();
  void reopen();
  void adopt(uint64_t group);
  void take_completions();
  bool matches(uint64_t group, const State& state, std::string* why);
  uint64_t below(uint64_t bound) { return random_() % bound; }
  [[noreturn]] void wrong(const std::string& what) const;

  const chronik_plugin& plugin_;
  SimDisk* disk_;
  const Settings settings_;
  std::mt19937_64 random_;
  std::unique_ptr<LogStore> store_;
  ModelGroups model_;  // as accepted
  // Per group, since the last reopen: states in order; the first `floor` can't come back.
  struct History {
    std::vector<State> states;
    size_t floor = 0;
  };
  std::map<uint64_t, History> histories_;
  struct Pending {
    std::map<uint64_t, size_t> reached;  // group -> place of the state in its history
    bool lazy;
  };
  std::map<uint64_t, Pending> pending_;  // by token
  uint64_t next_token_ = 1;
  uint64_t step_ = 0;
};

}  // namespace chronik::check
