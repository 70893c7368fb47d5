// The groups of the store as accepted: what submit() validates against and reads are answered from.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "chronik/sdk/log_group.hpp"
#include "chronik/sdk/log_tail.hpp"
#include "segment.h"

namespace chronik::segment_wal {

// Where a group's entries are:
//
//   start_index+1 ........ flushed_index ........ last_index
//   |---- in segments -----------|
//                |---------- in `tail` ---------------|
//
// Invariants: flushed_index <= min(last_index, commit) unless compaction went further, then it is
// start_index; tail.first_index() <= flushed_index + 1; tail.end_index() == last_index + 1.
struct Group {
  sdk::GroupState state;
  uint64_t seq = 0;         // number of the last operation applied
  uint64_t generation = 0;  // number of the operation that began this log: CREATE or RESET
  sdk::EntryTail tail;
  uint64_t flushed_index = 0;
  uint64_t flushed_key = 0;
  int64_t flushed_time_ms = 0;
  std::vector<std::shared_ptr<Segment>> segments;  // oldest first; the last may be unsealed
  // Marks of appends before cut_seq count up to cut_floor only: what was behind it is gone.
  uint64_t cut_seq = 0;
  uint64_t cut_floor = 0;
  uint32_t flags = 0;    // CHRONIK_LOG_GROUP_*
  uint64_t charged = 0;  // what the tail adds to the table's memory_bytes
};

// An append that becomes durable with a frame.
struct DurableMark {
  uint64_t group;
  uint64_t seq;
  uint64_t index;
};

// Not thread-safe: the store's lock covers it.
class GroupTable {
 public:
  static constexpr uint64_t kEntryOverhead = 80;

  Group* find(uint64_t group) {
    const auto found = groups_.find(group);
    return found == groups_.end() ? nullptr : &found->second;
  }
  const sdk::GroupState* find_state(uint64_t group) {
    const Group* found = find(group);
    return found != nullptr ? &found->state : nullptr;
  }
  Group& insert(uint64_t group) { return groups_[group]; }
  size_t size() const { return groups_.size(); }
  std::vector<uint64_t> ids() const;

  // Applies an operation that was validated. Segments that it makes useless go to take_garbage().
  void apply(const chronik_log_operation& operation, uint64_t seq);

  // After recovery: all that was found is durable.
  void set_all_durable();

  // An append is durable.
  void on_durable(const DurableMark& mark);

  // Keeps memory_bytes() right after a change of the group's tail.
  void charge(Group& group);
  uint64_t memory_bytes() const { return memory_bytes_; }

  // Segments that hold nothing but compacted entries become garbage, but for one being written to.
  void drop_compacted_segments(Group& group);

  void add_garbage(std::shared_ptr<Segment> segment) { garbage_.push_back(std::move(segment)); }
  std::vector<std::shared_ptr<Segment>> take_garbage() { return std::exchange(garbage_, {}); }

 private:
  void apply_to(Group& group, const chronik_log_operation& operation);
  void truncate(Group& group, uint64_t index);
  void compact(Group& group, uint64_t index, uint64_t term);
  void reset(Group& group, uint64_t index, uint64_t term);
  void discard_segments(Group& group);

  std::unordered_map<uint64_t, Group> groups_;
  std::vector<std::shared_ptr<Segment>> garbage_;
  uint64_t memory_bytes_ = 0;
};

}  // namespace chronik::segment_wal
