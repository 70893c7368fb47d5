// Batches that the leader has judged and given to the core but not yet seen applied. They are what
// prepare() reckons with beside the applied state, and nothing but a guess: dropped when leadership
// is lost, and corrected by what is applied.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "producer_table.h"

namespace chronik::stream {

struct InFlightBatch {
  uint64_t index = 0;
  uint64_t term = 0;
  int64_t end_offset = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  ProducerBatch batch;
};

// Invariant: indexes ascend, and each batch begins where the one before it ends.
class InFlight {
 public:
  bool empty() const { return batches_.empty(); }
  size_t size() const { return batches_.size(); }
  const InFlightBatch& first() const { return batches_.front(); }
  const InFlightBatch& last() const { return batches_.back(); }
  // The producer's batches, oldest first; null if it has none.
  const std::vector<InFlightBatch>* of_producer(int64_t id) const;

  // Pre: index above and base offset equal to the end of the last one.
  void push(const InFlightBatch& batch);
  void pop_first();
  void pop_last();
  void clear();

 private:
  std::deque<InFlightBatch> batches_;
  std::unordered_map<int64_t, std::vector<InFlightBatch>> by_producer_;
};

}  // namespace chronik::stream
