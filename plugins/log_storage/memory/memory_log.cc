#include "memory_log.h"

#include "options.h"

namespace chronik::memory {

MemoryLog::MemoryLog(sdk::Host host, const chronik_log_storage_environment& environment,
                     const sdk::Config& config)
    : host_(host), environment_(environment), bytes_max_(config.bytes(kMaxBytes)) {}

void MemoryLog::stop(chronik_done done) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  // What still waits for space is as durable as the rest.
  for (const Waiting& batch : waiting_) completions_.push_back({batch.token, CHRONIK_OK, 0});
  waiting_.clear();
  stopped_ = done;
  schedule_delivery();
}

sdk::Status MemoryLog::submit(const chronik_log_batch& batch, uint64_t token) {
  std::unique_lock lock(mutex_);
  if (stopping_) return sdk::Status(CHRONIK_E_FAILED, "the log storage is stopping");
  sdk::Status status = validator_.check(batch, [&](uint64_t group) {
    const auto found = groups_.find(group);
    return found != groups_.end() ? &found->second.state : nullptr;
  });
  if (!status.ok()) return status;

  uint64_t appended = 0;
  for (const chronik_log_operation& operation : sdk::operations(batch))
    for (const chronik_entry& entry : sdk::entries(operation))
      appended += entry.payload.size + kEntryOverhead;
  if (appended != 0 && !waiting_.empty() && waiting_bytes_ + appended > bytes_max_ / 4)
    return sdk::Status(CHRONIK_E_RESOURCE_EXHAUSTED, "memory is full and enough batches wait");

  for (const chronik_log_operation& operation : sdk::operations(batch)) apply(operation);
  waiting_.push_back({token, appended});
  waiting_bytes_ += appended;
  release_waiting();
  return sdk::Status();
}

void MemoryLog::apply(const chronik_log_operation& operation) {
  if (operation.kind == CHRONIK_LOG_CREATE) {
    groups_[operation.group].state.group = operation.group;
    return;
  }
  const auto found = groups_.find(operation.group);
  Group& group = found->second;
  sdk::GroupState& state = group.state;
  switch (operation.kind) {
    case CHRONIK_LOG_APPEND:
      for (const chronik_entry& entry : sdk::entries(operation)) {
        group.tail.append(entry);
        state.append(entry);
      }
      state.durable_index = state.last_index;
      break;
    case CHRONIK_LOG_TRUNCATE_SUFFIX:
      if (operation.index > state.last_index) break;
      group.tail.drop_from(operation.index);
      if (group.tail.empty()) {
        state.truncate_suffix(operation.index, 0, 0);
      } else {
        const auto& last = group.tail.at(operation.index - 1);
        state.truncate_suffix(operation.index, last.key, last.time_ms);
      }
      break;
    case CHRONIK_LOG_HARD_STATE:
      state.hard_term = operation.term;
      state.hard_vote = operation.vote;
      state.hard_commit = operation.commit;
      break;
    case CHRONIK_LOG_COMPACT_PREFIX:
      state.compact_prefix(operation.index, operation.term);
      state.set_meta(operation.meta);
      group.tail.drop_before(operation.index + 1);
      break;
    case CHRONIK_LOG_GROUP_META: state.set_meta(operation.meta); break;
    case CHRONIK_LOG_RESET:
      state.reset(operation.index, operation.term);
      state.set_meta(operation.meta);
      group.tail.clear(operation.index + 1);
      break;
    case CHRONIK_LOG_DELETE:
      bytes_ -= group.charged;
      groups_.erase(found);
      return;
    default: break;
  }
  charge(group);
}

void MemoryLog::charge(Group& group) {
  const uint64_t now = group.tail.bytes() + group.tail.size() * kEntryOverhead;
  bytes_ += now - group.charged;
  group.charged = now;
}

// Completes from the front what has room, and notes a change of the space signal.
void MemoryLog::release_waiting() {
  while (!waiting_.empty() && (bytes_ <= bytes_max_ || waiting_.front().bytes == 0)) {
    completions_.push_back({waiting_.front().token, CHRONIK_OK, 0});
    waiting_bytes_ -= waiting_.front().bytes;
    waiting_.pop_front();
  }
  space_low_ = space_low_ ? bytes_ > bytes_max_ / 10 * 8 : bytes_ > bytes_max_ / 10 * 9;
  schedule_delivery();
}

void MemoryLog::schedule_delivery() {
  if (delivering_) return;
  if (completions_.empty() && space_low_ == space_told_ && !(stopping_ && reads_posted_ == 0))
    return;
  delivering_ = true;
  host_.post(sdk::make_task([this] { deliver(); }));
}

void MemoryLog::deliver() {
  std::vector<chronik_log_completion> batch;
  std::unique_lock lock(mutex_);
  while (!completions_.empty() || space_low_ != space_told_) {
    batch.clear();
    batch.swap(completions_);
    const bool space_changed = space_low_ != space_told_;
    space_told_ = space_low_;
    const bool low = space_low_;
    lock.unlock();
    if (space_changed) environment_.on_space(environment_.context, low ? 1 : 0);
    if (!batch.empty())
      environment_.on_complete(environment_.context, batch.data(),
                               static_cast<uint32_t>(batch.size()));
    lock.lock();
  }
  delivering_ = false;
  if (stopping_ && reads_posted_ == 0) {
    const chronik_done done = stopped_;
    lock.unlock();  // the instance may be destroyed once `done` has been called
    done.call(done.context);
  }
}

int32_t MemoryLog::group(uint64_t group, chronik_log_visitor visitor, void* context) {
  std::unique_lock lock(mutex_);
  const auto found = groups_.find(group);
  if (found == groups_.end()) return CHRONIK_E_NOT_FOUND;
  const chronik_log_group view = found->second.state.to_abi();
  return visitor(context, &view);
}

int32_t MemoryLog::scan_groups(chronik_log_visitor visitor, void* context) {
  std::unique_lock lock(mutex_);
  for (const auto& [id, group] : groups_) {
    const chronik_log_group view = group.state.to_abi();
    if (const int32_t stop = visitor(context, &view); stop != 0) return stop;
  }
  return CHRONIK_OK;
}

uint64_t MemoryLog::resolve_start(const Group& group, const chronik_log_read& request) const {
  if (request.from_kind == CHRONIK_LOG_FROM_INDEX) return request.from;
  if (group.tail.empty()) return group.state.last_index + 1;
  if (request.from_kind == CHRONIK_LOG_FROM_TIME)
    return group.tail.seek_time(static_cast<int64_t>(request.from));
  if (group.state.start_index != 0 && group.tail.at(group.tail.first_index()).key > request.from)
    return group.state.start_index;  // only entries that were compacted away could have it
  return group.tail.seek_key(request.from);
}

int32_t MemoryLog::read(const chronik_log_read& request) {
  std::unique_lock lock(mutex_);
  if (stopping_) return CHRONIK_E_FAILED;
  const auto found = groups_.find(request.group);
  if (found == groups_.end()) return CHRONIK_E_NOT_FOUND;
  const Group& group = found->second;
  auto result = sdk::ReadResult::make(request.token);
  const uint64_t from = resolve_start(group, request);
  if (from <= group.state.start_index) {
    result->set_status(CHRONIK_E_OUT_OF_RANGE);
  } else {
    result->add_tail(group.tail, from, request.end_index, request.max_bytes);
  }
  ++reads_posted_;
  host_.post(sdk::make_task([this, result = std::move(result)]() mutable {
    sdk::ReadResult::finish(std::move(result), environment_);
    std::unique_lock lock(mutex_);
    --reads_posted_;
    if (stopping_) schedule_delivery();
  }));
  return CHRONIK_OK;
}

}  // namespace chronik::memory
