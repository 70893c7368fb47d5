// SizeLedger: how many bytes are out under which index, until an index comes back.
//
// Three limits are kept with it: messages in flight to one follower, payloads a leader has accepted
// but not applied, committed entries handed out but not applied.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "raft/ring.h"

namespace chronik::raft {

class SizeLedger {
 public:
  uint64_t bytes() const { return bytes_; }
  size_t count() const { return rows_.size(); }

  // Pre: indexes never decrease.
  void add(Index last, uint64_t bytes) {
    rows_.push_back({last, bytes});
    bytes_ += bytes;
  }
  // Everything added under `index` or below is done.
  void release_to(Index index) {
    while (!rows_.empty() && rows_.front().last <= index) {
      bytes_ -= rows_.front().bytes;
      rows_.pop_front();
    }
  }
  void clear() {
    rows_.clear();
    bytes_ = 0;
  }
  // The sum again from scratch, for the invariant that bytes() equals it (docs/RAFT.md, I12).
  uint64_t recount() const {
    uint64_t sum = 0;
    for (size_t i = 0; i < rows_.size(); ++i) sum += rows_[i].bytes;
    return sum;
  }

 private:
  struct Row {
    Index last;
    uint64_t bytes = 0;
  };
  Ring<Row> rows_;
  uint64_t bytes_ = 0;
};

}  // namespace chronik::raft
