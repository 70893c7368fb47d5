#include "producer_table.h"

namespace chronik::stream {

const ProducerBatch* Producer::find(int32_t first_sequence, int32_t last_sequence) const {
  for (size_t i = count_; i-- > 0;) {
    const ProducerBatch& kept = batch(i);
    if (kept.first_sequence == first_sequence && kept.last_sequence == last_sequence) return &kept;
  }
  return nullptr;
}

void Producer::record(int16_t epoch, const ProducerBatch& batch) {
  if (epoch != epoch_) {
    epoch_ = epoch;
    first_ = 0;
    count_ = 0;
  }
  if (count_ == kBatchesKept) {
    batches_[first_] = batch;
    first_ = (first_ + 1) % kBatchesKept;
  } else {
    batches_[(first_ + count_) % kBatchesKept] = batch;
    ++count_;
  }
}

const Producer* ProducerTable::find(int64_t id) const {
  const auto found = by_id_.find(id);
  return found != by_id_.end() ? &*found->second : nullptr;
}

void ProducerTable::record(int64_t id, int16_t epoch, const ProducerBatch& batch) {
  if (!oldest_first_.empty() && batch.base_offset <= oldest_first_.back().last().base_offset) {
    return;
  }
  const auto [entry, is_new] = by_id_.try_emplace(id);
  if (is_new) {
    entry->second = oldest_first_.emplace(oldest_first_.end(), id, epoch);
  } else {
    oldest_first_.splice(oldest_first_.end(), oldest_first_, entry->second);
  }
  entry->second->record(epoch, batch);
  forget_oldest_beyond_bound();
}

void ProducerTable::add(const Producer& producer) {
  by_id_[producer.id()] = oldest_first_.insert(oldest_first_.end(), producer);
  forget_oldest_beyond_bound();
}

void ProducerTable::forget_oldest_beyond_bound() {
  if (by_id_.size() <= max_producers_) return;
  by_id_.erase(oldest_first_.front().id());
  oldest_first_.pop_front();
}

}  // namespace chronik::stream
