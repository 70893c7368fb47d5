#include "replica/log_batch.h"

#include "base/check.h"

namespace chronik {

chronik_log_operation& LogBatch::add(GroupId group, uint32_t kind) {
  first_entry_.push_back(entries_.size());
  chronik_log_operation& operation = operations_.emplace_back();
  operation.struct_size = sizeof operation;
  operation.kind = kind;
  operation.group = group.value;
  operation.entry_stride = sizeof(chronik_entry);
  return operation;
}

void LogBatch::create(GroupId group) {
  add(group, CHRONIK_LOG_CREATE);
}

void LogBatch::append(GroupId group, raft::EntryId previous,
                      const std::vector<raft::Entry>& entries) {
  CHRONIK_DCHECK(!entries.empty(), "an append has entries");
  chronik_log_operation& operation = add(group, CHRONIK_LOG_APPEND);
  operation.index = previous.index.value;
  operation.term = previous.term.value;
  operation.entry_count = static_cast<uint32_t>(entries.size());
  for (const raft::Entry& entry : entries) {
    entries_.push_back({sizeof(chronik_entry), static_cast<uint32_t>(entry.type), entry.index.value,
                        entry.term.value, entry.key, entry.time_ms, entry.payload.slice(),
                        entry.payload.owner.get()});
  }
}

void LogBatch::truncate_suffix(GroupId group, Index from) {
  add(group, CHRONIK_LOG_TRUNCATE_SUFFIX).index = from.value;
}

void LogBatch::reset(GroupId group, raft::EntryId start, std::string meta) {
  metas_.push_back(std::move(meta));
  chronik_log_operation& operation = add(group, CHRONIK_LOG_RESET);
  operation.index = start.index.value;
  operation.term = start.term.value;
  operation.meta = {metas_.back().data(), metas_.back().size()};
}

void LogBatch::hard_state(GroupId group, const raft::HardState& state, bool lazy) {
  chronik_log_operation& operation = add(group, CHRONIK_LOG_HARD_STATE);
  operation.flags = lazy ? CHRONIK_LOG_LAZY : 0;
  operation.term = state.term.value;
  operation.vote = state.vote.value;
  operation.commit = state.commit.value;
}

void LogBatch::group_meta(GroupId group, std::string meta, bool lazy) {
  metas_.push_back(std::move(meta));
  chronik_log_operation& operation = add(group, CHRONIK_LOG_GROUP_META);
  operation.flags = lazy ? CHRONIK_LOG_LAZY : 0;
  operation.meta = {metas_.back().data(), metas_.back().size()};
}

void LogBatch::remove(GroupId group) {
  add(group, CHRONIK_LOG_DELETE);
}

void LogBatch::retain_payloads() {
  if (!retained_.empty()) return;
  for (const chronik_entry& entry : entries_) retained_.push_back(Buffer::share(entry.owner));
}

void LogBatch::clear() {
  retained_.clear();
  operations_.clear();
  first_entry_.clear();
  entries_.clear();
  metas_.clear();
}

chronik_log_batch LogBatch::view() {
  for (size_t i = 0; i < operations_.size(); ++i) {
    if (operations_[i].entry_count != 0) operations_[i].entries = &entries_[first_entry_[i]];
  }
  return {sizeof(chronik_log_batch), static_cast<uint32_t>(operations_.size()),
          sizeof(chronik_log_operation), 0, operations_.data()};
}

}  // namespace chronik
