// MemoryCluster: several MemoryReplicas and a network that a test can cut.
#pragma once

#include <map>
#include <set>
#include <utility>

#include "unit/raft/memory_replica.h"

namespace chronik::raft::test {

class MemoryCluster {
 public:
  // Replicas 1..count, all of which know `configuration`.
  MemoryCluster(size_t count, const Configuration& configuration, Options options = test_options())
      : random_(1) {
    for (size_t i = 1; i <= count; ++i) {
      options.id = ReplicaId(i);
      Stored stored;
      stored.configuration = configuration;
      replicas_.push_back(std::make_unique<MemoryReplica>(options, stored, random_));
    }
  }
  explicit MemoryCluster(size_t count, Options options = test_options())
      : MemoryCluster(count, first_voters(count), options) {}

  static Options test_options() {
    Options options;
    options.pre_vote = false;
    options.check_quorum = false;
    return options;
  }
  static Configuration first_voters(size_t count) {
    Configuration configuration;
    for (size_t i = 1; i <= count; ++i) configuration.voters.push_back(ReplicaId(i));
    return configuration;
  }

  MemoryReplica& operator[](uint64_t id) { return *replicas_[id - 1]; }
  size_t size() const { return replicas_.size(); }

  void cut(uint64_t from, uint64_t to) { cut_.insert({from, to}); }
  void isolate(uint64_t id) {
    for (uint64_t other = 1; other <= size(); ++other) {
      cut(id, other);
      cut(other, id);
    }
  }
  void heal() { cut_.clear(); }

  // Messages under way. Those over a cut connection are lost.
  std::vector<Message> collect() {
    std::vector<Message> all;
    for (auto& replica : replicas_) {
      for (Message& message : replica->sent)
        if (!cut_.contains({message.from.value, message.to.value}))
          all.push_back(std::move(message));
      replica->sent.clear();
    }
    return all;
  }
  // Until nothing is under way.
  void settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (auto& replica : replicas_) replica->settle();
      for (Message& message : collect()) {
        busy = true;
        (void)(*this)[message.to.value]->step(std::move(message)).ok();
      }
    }
  }
  void tick(int count = 1) {
    for (int i = 0; i < count; ++i) {
      for (auto& replica : replicas_) (*replica)->tick();
      settle();
    }
  }
  void elect(uint64_t id) {
    (*this)[id]->campaign();
    settle();
  }
  void propose(uint64_t id, std::string_view payload) {
    (void)(*this)[id]->propose(proposal(payload)).ok();
    settle();
  }
  uint64_t leader() {
    for (uint64_t id = 1; id <= size(); ++id)
      if ((*this)[id]->is_leader()) return id;
    return 0;
  }

 private:
  SeededRandom random_;
  std::vector<std::unique_ptr<MemoryReplica>> replicas_;
  std::set<std::pair<uint64_t, uint64_t>> cut_;
};

}  // namespace chronik::raft::test
