// For authors of log storages: the entries of a group that are held in memory, and results of
// reads that are answered from there.
//
//   EntryTail    a ring of consecutive entries; each holds a reference to its payload's owner, so
//                nothing is copied. Append, cut at either end, seek by key and by time.
//   ReadResult   a chronik_log_read_result with the references that pin its entries.
//
// Not thread-safe: the storage's own lock covers them, except that a ReadResult belongs to the host
// once it is delivered.
#pragma once

#include <vector>

#include "chronik/abi/log_storage.h"
#include "chronik/sdk/base.hpp"

namespace chronik::sdk {
inline namespace v0 {

class EntryTail {
 public:
  struct Item {
    uint32_t type;
    uint32_t size;  // of the payload
    uint64_t term;
    uint64_t key;
    int64_t time_ms;
    int64_t max_time_ms;  // of this entry and all held before it, when it was appended
    const void* data;
    BufferRef owner;
  };

  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  uint64_t first_index() const { return first_index_; }  // of the next append, if empty
  uint64_t end_index() const { return first_index_ + count_; }
  bool holds(uint64_t index) const { return index >= first_index_ && index < end_index(); }
  const Item& at(uint64_t index) const {
    return ring_[(head_ + (index - first_index_)) & (ring_.size() - 1)];
  }
  uint64_t bytes() const { return bytes_; }  // of payload

  void append(const chronik_entry& entry) {
    if (count_ == ring_.size()) grow();
    const int64_t max_time =
        count_ == 0 ? entry.time_ms : std::max(entry.time_ms, at(end_index() - 1).max_time_ms);
    if (count_ == 0) first_index_ = entry.index;
    ring_[(head_ + count_) & (ring_.size() - 1)] = {
        entry.type,         static_cast<uint32_t>(entry.payload.size),
        entry.term,         entry.key,
        entry.time_ms,      max_time,
        entry.payload.data, BufferRef::share(entry.payload.size != 0 ? entry.owner : nullptr)};
    ++count_;
    bytes_ += entry.payload.size;
  }

  // Drops the entries before `index`; without entries left, the next one is expected where it was,
  // or at `index` if that is further.
  void drop_before(uint64_t index) {
    while (count_ != 0 && first_index_ < index) {
      release(ring_[head_]);
      head_ = (head_ + 1) & (ring_.size() - 1);
      ++first_index_;
      --count_;
    }
    if (count_ == 0) clear(std::max(index, first_index_));
  }

  // Drops the entries at and after `index`.
  void drop_from(uint64_t index) {
    while (count_ != 0 && end_index() > index) {
      release(ring_[(head_ + count_ - 1) & (ring_.size() - 1)]);
      --count_;
    }
    if (count_ == 0) clear(std::min(index, first_index_));
  }

  // Drops all; the next entry is expected at `index`. Gives the ring's memory back.
  void clear(uint64_t index) {
    std::vector<Item>().swap(ring_);
    head_ = count_ = 0;
    bytes_ = 0;
    first_index_ = index;
  }

  // The lowest index held whose key equals the greatest held key <= `key`; first_index() if all
  // keys are greater. Pre: not empty.
  uint64_t seek_key(uint64_t key) const {
    const uint64_t after = partition([&](const Item& item) { return item.key <= key; });
    if (after == first_index_) return first_index_;
    const uint64_t found = at(after - 1).key;
    return partition([&](const Item& item) { return item.key < found; });
  }

  // The lowest index held with time_ms >= `time_ms`; end_index() if there is none.
  uint64_t seek_time(int64_t time_ms) const {
    uint64_t index = partition([&](const Item& item) { return item.max_time_ms < time_ms; });
    // A maximum inherited from entries that are no longer held says nothing about those that are.
    while (index < end_index() && at(index).time_ms < time_ms) ++index;
    return index;
  }

 private:
  // First index for which `before` is false; `before` is true on a prefix.
  template <typename Before>
  uint64_t partition(Before before) const {
    uint64_t low = first_index_, high = end_index();
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      if (before(at(middle))) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
  void release(Item& item) {
    bytes_ -= item.size;
    item.owner = BufferRef();
  }
  void grow() {
    std::vector<Item> larger(ring_.empty() ? 4 : ring_.size() * 2);
    for (size_t i = 0; i < count_; ++i)
      larger[i] = std::move(ring_[(head_ + i) & (ring_.size() - 1)]);
    ring_.swap(larger);
    head_ = 0;
  }

  std::vector<Item> ring_;  // size: zero or a power of two
  size_t head_ = 0;
  size_t count_ = 0;
  uint64_t first_index_ = 1;
  uint64_t bytes_ = 0;
};

// A result on its way to the host, which gives it back by release(). Made by make(), filled, then
// handed over with `finish` to environment->on_read.
class ReadResult {
 public:
  static std::unique_ptr<ReadResult> make(uint64_t token) {
    auto result = std::unique_ptr<ReadResult>(new ReadResult());
    result->raw_.token = token;
    return result;
  }

  // Adds an entry whose payload stays valid as long as `owner` is held. False, and nothing added,
  // if the result would exceed `max_bytes` and isn't empty.
  bool add(const chronik_entry& entry, const BufferRef& owner, uint64_t max_bytes) {
    if (!entries_.empty() && bytes_ + entry.payload.size > max_bytes) return false;
    bytes_ += entry.payload.size;
    entries_.push_back(entry);
    entries_.back().struct_size = sizeof(chronik_entry);
    entries_.back().owner = owner.get();
    if (owner && (pins_.empty() || pins_.back().get() != owner.get())) pins_.push_back(owner);
    return true;
  }

  // Adds from the tail: `from` up to `end_index` or the bound of bytes.
  void add_tail(const EntryTail& tail, uint64_t from, uint64_t end_index, uint64_t max_bytes) {
    const uint64_t end = std::min(end_index, tail.end_index());
    for (uint64_t index = from; index < end; ++index) {
      const EntryTail::Item& item = tail.at(index);
      const chronik_entry entry{
          sizeof(chronik_entry),  item.type, index, item.term, item.key, item.time_ms,
          {item.data, item.size}, nullptr};
      if (!add(entry, item.owner, max_bytes)) return;
    }
  }

  void set_status(int32_t status) { raw_.status = status; }
  int32_t status() const { return raw_.status; }
  size_t size() const { return entries_.size(); }
  uint64_t bytes() const { return bytes_; }

  // Gives the result to the host.
  static void finish(std::unique_ptr<ReadResult> result,
                     const chronik_log_storage_environment& environment) {
    ReadResult* self = result.release();
    if (self->raw_.status != CHRONIK_OK) self->entries_.clear();
    self->raw_.entries = self->entries_.data();
    self->raw_.entry_count = static_cast<uint32_t>(self->entries_.size());
    environment.on_read(environment.context, &self->raw_);
  }

  // Delivers on a host thread, as no callback may come inside a call into the instance.
  static void post(std::unique_ptr<ReadResult> result, const Host& host,
                   const chronik_log_storage_environment& environment) {
    host.post(make_task([self = std::move(result), &environment]() mutable {
      finish(std::move(self), environment);
    }));
  }

 private:
  ReadResult() {
    raw_.struct_size = sizeof raw_;
    raw_.entry_stride = sizeof(chronik_entry);
    raw_.self = this;
    raw_.release = [](chronik_log_read_result* raw) noexcept {
      delete static_cast<Raw*>(raw)->self;
    };
  }
  struct Raw : chronik_log_read_result {
    ReadResult* self;
  };
  Raw raw_{};
  std::vector<chronik_entry> entries_;
  std::vector<BufferRef> pins_;
  uint64_t bytes_ = 0;
};

}  // namespace v0
}  // namespace chronik::sdk
