// InflightBudget: the node's bound on payload bytes between admission and apply, shared by all
// shards.
#pragma once

#include <atomic>
#include <cstdint>

namespace chronik {

// Thread: any.
class InflightBudget {
 public:
  explicit InflightBudget(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // Takes `bytes`, or refuses. A single payload above the bound is taken when nothing else is in
  // flight, so that it can't be refused for ever.
  bool admit(uint64_t bytes) {
    const uint64_t before = bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (before + bytes <= bytes_max_ || before == 0) return true;
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  void release(uint64_t bytes) { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  const uint64_t bytes_max_;
  std::atomic<uint64_t> bytes_{0};
};

}  // namespace chronik
