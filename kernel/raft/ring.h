// Ring: a queue in one array that grows by doubling and takes no memory until its first use.
//
// Made for the log's tail and for windows of messages in flight: elements go in at the back and
// leave at the front, now and then also at the back, and a steady stream through it allocates
// nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace chronik::raft {

template <typename T>
class Ring {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // Pre: i < size(). 0 is the front.
  T& operator[](size_t i) { return slots_[(head_ + i) & (capacity_ - 1)]; }
  const T& operator[](size_t i) const { return slots_[(head_ + i) & (capacity_ - 1)]; }
  const T& front() const { return (*this)[0]; }
  const T& back() const { return (*this)[size_ - 1]; }
  T& back() { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == capacity_) grow();
    slots_[(head_ + size_) & (capacity_ - 1)] = std::move(value);
    ++size_;
  }
  void pop_front() {
    slots_[head_] = T();
    head_ = (head_ + 1) & (capacity_ - 1);
    if (--size_ == 0) rest();
  }
  void pop_back() {
    (*this)[size_ - 1] = T();
    if (--size_ == 0) rest();
  }
  void clear() {
    while (!empty()) pop_front();
  }

 private:
  static constexpr size_t kFirst = 4;
  static constexpr size_t kKept = 64;  // an idle ring holds on to at most this many slots

  void grow() {
    const size_t capacity = capacity_ == 0 ? kFirst : 2 * capacity_;
    auto slots = std::make_unique<T[]>(capacity);
    for (size_t i = 0; i < size_; ++i) slots[i] = std::move((*this)[i]);
    slots_ = std::move(slots);
    capacity_ = capacity;
    head_ = 0;
  }
  void rest() {
    head_ = 0;
    if (capacity_ <= kKept) return;
    slots_.reset();
    capacity_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  size_t capacity_ = 0;  // 0 or a power of two
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace chronik::raft
