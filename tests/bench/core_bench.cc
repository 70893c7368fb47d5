// The Raft core alone: three replicas of one group in one process, no I/O, payloads of 128 bytes.
//
// A write is durable at once and a message arrives at once, so what is measured is what the core
// itself costs: proposals per second over all three replicas on one core of the machine,
// nanoseconds per message, allocations per proposal (the payload's buffer is shared and not
// counted).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "raft/raft.h"

namespace {
uint64_t allocations = 0;
uint64_t allocated_bytes = 0;  // in use
}  // namespace

// Counts every allocation of this program; the size is kept in front of the block.
void* operator new(size_t size) {
  constexpr size_t kHeader = alignof(std::max_align_t);
  void* block = std::malloc(size + kHeader);
  if (block == nullptr) std::abort();
  *static_cast<size_t*>(block) = size;
  ++allocations;
  allocated_bytes += size;
  return static_cast<char*>(block) + kHeader;
}
void operator delete(void* pointer) noexcept {
  if (pointer == nullptr) return;
  void* block = static_cast<char*>(pointer) - alignof(std::max_align_t);
  allocated_bytes -= *static_cast<size_t*>(block);
  std::free(block);
}
void operator delete(void* pointer, size_t) noexcept {
  operator delete(pointer);
}

namespace chronik::raft {
namespace {

constexpr size_t kMembers = 3;

class FixedRandom final : public Random {
 public:
  uint64_t below(uint64_t bound) override { return state_++ % bound; }

 private:
  uint64_t state_ = 0;
};

Configuration three_voters() {
  Configuration configuration;
  for (uint64_t id = 1; id <= kMembers; ++id) configuration.voters.push_back(ReplicaId(id));
  return configuration;
}

Options options_of(uint64_t id) {
  Options options;
  options.id = ReplicaId(id);
  return options;
}

class Group {
 public:
  Group() {
    for (uint64_t id = 1; id <= kMembers; ++id) {
      members_.push_back(
          std::make_unique<Raft>(options_of(id), InitialState::bootstrap(three_voters()), random_));
    }
    leader().campaign();
    settle();
    if (!leader().is_leader()) std::abort();
  }

  Raft& leader() { return *members_.front(); }
  uint64_t messages() const { return messages_; }

  // Until every replica has done all there is to do.
  void settle() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (const auto& member : members_) moved = handle(*member) || moved;
      moved = deliver() || moved;
    }
  }
  // Forgets the applied log, as a replica does after a checkpoint, so that a long run stays small.
  void compact() {
    for (const auto& member : members_) {
      const Index applied = member->applied();
      member->on_compacted(applied, *member->term_of(applied));
    }
  }

 private:
  bool handle(Raft& member) {
    if (!member.has_ready()) return false;
    member.take_ready(&ready_);
    post(ready_.messages);
    if (ready_.needs_persist()) {
      member.on_persisted(ready_.mark);
      post(ready_.messages_after_persist);
    }
    if (!ready_.committed.empty()) member.on_applied(ready_.committed.hi - 1);
    return true;
  }
  void post(std::vector<Message>& messages) {
    for (Message& message : messages) arriving_.push_back(std::move(message));
    messages.clear();
  }
  bool deliver() {
    if (arriving_.empty()) return false;
    delivering_.swap(arriving_);
    for (Message& message : delivering_) {
      ++messages_;
      Raft& to = *members_[message.to.value - 1];
      if (!to.step(std::move(message)).ok()) std::abort();
    }
    delivering_.clear();
    return true;
  }

  FixedRandom random_;
  std::vector<std::unique_ptr<Raft>> members_;
  Ready ready_;
  std::vector<Message> arriving_;
  std::vector<Message> delivering_;
  uint64_t messages_ = 0;
};

void replicate(benchmark::State& state) {
  const auto batch = static_cast<uint64_t>(state.range(0));
  Group group;
  const Payload payload = Payload::copy_of(std::string(128, 'x'));
  const auto round = [&] {
    for (uint64_t i = 0; i < batch; ++i) {
      if (!group.leader().propose(Proposal{0, 0, payload}).ok()) std::abort();
    }
    group.settle();
  };
  for (int i = 0; i < 1000; ++i) round();  // vectors reach the size they need
  const uint64_t allocations_before = allocations;
  const uint64_t messages_before = group.messages();
  uint64_t rounds = 0;
  for (auto _ : state) {
    round();
    if (++rounds % 1024 == 0) group.compact();
  }
  const auto proposals = static_cast<double>(rounds * batch);
  const auto messages = static_cast<double>(group.messages() - messages_before);
  state.SetItemsProcessed(static_cast<int64_t>(rounds * batch));
  state.counters["allocations_per_proposal"] =
      static_cast<double>(allocations - allocations_before) / proposals;
  state.counters["messages_per_proposal"] = messages / proposals;
  state.counters["time_per_message"] =
      benchmark::Counter(messages, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(replicate)->Arg(1)->Arg(16)->Arg(256)->Unit(benchmark::kMicrosecond);

// What a group that nobody uses costs: a follower that knows its leader's term and nothing else.
void idle_group(benchmark::State& state) {
  constexpr size_t kGroups = 10'000;
  FixedRandom random;
  double bytes = 0;
  for (auto _ : state) {
    std::vector<std::unique_ptr<Raft>> groups;
    groups.reserve(kGroups);
    const uint64_t before = allocated_bytes;
    for (size_t i = 0; i < kGroups; ++i) {
      groups.push_back(
          std::make_unique<Raft>(options_of(1), InitialState::bootstrap(three_voters()), random));
    }
    bytes = static_cast<double>(allocated_bytes - before) / kGroups;
  }
  state.counters["bytes_per_group"] = bytes;
}
BENCHMARK(idle_group)->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace
}  // namespace chronik::raft

BENCHMARK_MAIN();
