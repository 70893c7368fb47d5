#include "in_flight.h"

namespace chronik::stream {

const std::vector<InFlightBatch>* InFlight::of_producer(int64_t id) const {
  const auto found = by_producer_.find(id);
  return found != by_producer_.end() ? &found->second : nullptr;
}

void InFlight::push(const InFlightBatch& batch) {
  batches_.push_back(batch);
  if (batch.producer_id >= 0) by_producer_[batch.producer_id].push_back(batch);
}

void InFlight::pop_first() {
  if (const auto found = by_producer_.find(first().producer_id); found != by_producer_.end()) {
    found->second.erase(found->second.begin());
    if (found->second.empty()) by_producer_.erase(found);
  }
  batches_.pop_front();
}

void InFlight::pop_last() {
  if (const auto found = by_producer_.find(last().producer_id); found != by_producer_.end()) {
    found->second.pop_back();
    if (found->second.empty()) by_producer_.erase(found);
  }
  batches_.pop_back();
}

void InFlight::clear() {
  batches_.clear();
  by_producer_.clear();
}

}  // namespace chronik::stream
