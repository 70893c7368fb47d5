#include "group_table.h"

namespace chronik::segment_wal {

std::vector<uint64_t> GroupTable::ids() const {
  std::vector<uint64_t> ids;
  ids.reserve(groups_.size());
  for (const auto& [id, group] : groups_) ids.push_back(id);
  return ids;
}

void GroupTable::apply(const chronik_log_operation& operation, uint64_t seq) {
  if (operation.kind == CHRONIK_LOG_CREATE) {
    Group& group = groups_[operation.group];
    group.state.group = operation.group;
    group.seq = group.generation = seq;
    return;
  }
  const auto found = groups_.find(operation.group);
  Group& group = found->second;
  group.seq = seq;
  if (operation.kind == CHRONIK_LOG_DELETE) {
    discard_segments(group);
    memory_bytes_ -= group.charged;
    groups_.erase(found);
    return;
  }
  apply_to(group, operation);
  charge(group);
}

void GroupTable::apply_to(Group& group, const chronik_log_operation& operation) {
  sdk::GroupState& state = group.state;
  switch (operation.kind) {
    case CHRONIK_LOG_APPEND:
      for (const chronik_entry& entry : sdk::entries(operation)) {
        group.tail.append(entry);
        state.append(entry);
      }
      break;
    case CHRONIK_LOG_TRUNCATE_SUFFIX:
      if (operation.index <= state.last_index) truncate(group, operation.index);
      break;
    case CHRONIK_LOG_HARD_STATE:
      state.hard_term = operation.term;
      state.hard_vote = operation.vote;
      state.hard_commit = operation.commit;
      break;
    case CHRONIK_LOG_COMPACT_PREFIX:
      compact(group, operation.index, operation.term);
      state.set_meta(operation.meta);
      break;
    case CHRONIK_LOG_GROUP_META: state.set_meta(operation.meta); break;
    case CHRONIK_LOG_RESET:
      reset(group, operation.index, operation.term);
      state.set_meta(operation.meta);
      break;
    default: break;
  }
}

void GroupTable::truncate(Group& group, uint64_t index) {
  // The entry before `index` is flushed or in the tail: flushed entries are never removed here.
  const uint64_t last = index - 1;
  uint64_t key = group.flushed_key;
  int64_t time_ms = group.flushed_time_ms;
  if (last > group.flushed_index) {
    key = group.tail.at(last).key;
    time_ms = group.tail.at(last).time_ms;
  }
  group.tail.drop_from(index);
  group.state.truncate_suffix(index, key, time_ms);
  group.cut_floor = group.cut_seq == 0 ? last : std::min(group.cut_floor, last);
  group.cut_seq = group.seq;
}

void GroupTable::compact(Group& group, uint64_t index, uint64_t term) {
  group.state.compact_prefix(index, term);
  group.tail.drop_before(index + 1);
  if (group.flushed_index <= index) {
    group.flushed_index = index;
    group.flushed_key = 0;
    group.flushed_time_ms = 0;
  }
  drop_compacted_segments(group);
}

void GroupTable::drop_compacted_segments(Group& group) {
  size_t gone = 0;
  while (gone < group.segments.size() &&
         group.segments[gone]->last_index <= group.state.start_index &&
         !group.segments[gone]->writing)
    ++gone;
  for (size_t i = 0; i < gone; ++i) garbage_.push_back(std::move(group.segments[i]));
  group.segments.erase(group.segments.begin(), group.segments.begin() + static_cast<long>(gone));
}

void GroupTable::reset(Group& group, uint64_t index, uint64_t term) {
  discard_segments(group);
  group.state.reset(index, term);
  group.tail.clear(index + 1);
  group.generation = group.seq;
  group.flushed_index = index;
  group.flushed_key = 0;
  group.flushed_time_ms = 0;
  group.cut_seq = group.seq;
  group.cut_floor = 0;
}

void GroupTable::discard_segments(Group& group) {
  for (std::shared_ptr<Segment>& segment : group.segments) garbage_.push_back(std::move(segment));
  group.segments.clear();
}

void GroupTable::charge(Group& group) {
  const uint64_t now = group.tail.bytes() + group.tail.size() * kEntryOverhead;
  memory_bytes_ += now - group.charged;
  group.charged = now;
}

void GroupTable::set_all_durable() {
  for (auto& [id, group] : groups_) {
    group.state.durable_index = group.state.last_index;
    group.cut_seq = 0;
  }
}

void GroupTable::on_durable(const DurableMark& mark) {
  Group* group = find(mark.group);
  if (group == nullptr || mark.seq < group->generation) return;
  uint64_t index = mark.index;
  if (mark.seq < group->cut_seq) {
    index = std::min(index, group->cut_floor);
  } else {
    group->cut_seq = 0;
  }
  group->state.durable_index = std::max(group->state.durable_index, index);
}

}  // namespace chronik::segment_wal
