// What a partition remembers of its producers, to tell a repeated batch from a new one: per
// producer id the epoch and the last five batches. Part of the replicated state: the same batches
// recorded in the same order give the same table on every replica.
//
// Bounded: beyond `max_producers` the producer that wrote longest ago (by offset, not by clock) is
// forgotten. It may then continue with any sequence number, and a repetition of what it sent before
// goes unnoticed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>

namespace chronik::stream {

struct ProducerBatch {
  int64_t base_offset = 0;
  int32_t first_sequence = 0;
  int32_t last_sequence = 0;
};

class Producer {
 public:
  static constexpr size_t kBatchesKept = 5;

  Producer(int64_t id, int16_t epoch) : id_(id), epoch_(epoch) {}

  int64_t id() const { return id_; }
  int16_t epoch() const { return epoch_; }
  // Oldest first; there is always one at least once the producer is in a table.
  size_t batch_count() const { return count_; }
  const ProducerBatch& batch(size_t i) const { return batches_[(first_ + i) % kBatchesKept]; }
  const ProducerBatch& last() const { return batch(count_ - 1); }
  // Null if no kept batch has exactly these sequence numbers.
  const ProducerBatch* find(int32_t first_sequence, int32_t last_sequence) const;

  // A new epoch forgets the batches of the old one.
  void record(int16_t epoch, const ProducerBatch& batch);

 private:
  int64_t id_;
  int16_t epoch_;
  uint32_t first_ = 0;
  uint32_t count_ = 0;
  std::array<ProducerBatch, kBatchesKept> batches_;
};

class ProducerTable {
 public:
  explicit ProducerTable(size_t max_producers) : max_producers_(max_producers) {}

  // Null if nothing is known of the producer.
  const Producer* find(int64_t id) const;

  // Takes note of a batch in the log, whatever its numbers are. A batch at or before the last one
  // noted changes nothing, so that a part of the log may be recorded twice.
  void record(int64_t id, int16_t epoch, const ProducerBatch& batch);
  // Takes over a producer of a saved table. Pre: it isn't in this one, has a batch, and its last
  // one is above all others.
  void add(const Producer& producer);

  size_t size() const { return by_id_.size(); }
  // By the offset of their last batch, ascending.
  const std::list<Producer>& oldest_first() const { return oldest_first_; }

 private:
  void forget_oldest_beyond_bound();

  size_t max_producers_;
  std::list<Producer> oldest_first_;
  std::unordered_map<int64_t, std::list<Producer>::iterator> by_id_;
};

}  // namespace chronik::stream
