// LogBatch: the operations of many groups that go to one log storage in one submit.
//
// A shard fills one per pass and storage. The batch borrows payload bytes: whoever adds entries
// keeps their payloads alive until the batch has been submitted (the storage then holds its own
// references). Strings (group metas) are owned by the batch. clear() keeps the memory for the next
// pass.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/ids.h"
#include "chronik/abi/log_storage.h"
#include "raft/types.h"

namespace chronik {

class LogBatch {
 public:
  void create(GroupId group);
  // Pre: entries not empty; the first follows `previous`.
  void append(GroupId group, raft::EntryId previous, const std::vector<raft::Entry>& entries);
  void truncate_suffix(GroupId group, Index from);
  // The log begins anew after `start`.
  void reset(GroupId group, raft::EntryId start, std::string meta);
  void hard_state(GroupId group, const raft::HardState& state, bool lazy);
  void group_meta(GroupId group, std::string meta, bool lazy);
  void remove(GroupId group);

  // Holds the payloads itself, for a batch that can't be submitted in the pass that filled it.
  void retain_payloads();

  bool empty() const { return operations_.empty(); }
  void clear();
  // The ABI's view; valid until the next change.
  chronik_log_batch view();

 private:
  chronik_log_operation& add(GroupId group, uint32_t kind);

  std::vector<chronik_log_operation> operations_;
  std::vector<size_t> first_entry_;  // by operation: place of its first entry in entries_
  std::vector<chronik_entry> entries_;
  std::deque<std::string> metas_;
  std::vector<Buffer> retained_;
};

}  // namespace chronik
