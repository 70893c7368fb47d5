// Reads of Wal.
#include "wal.h"

namespace chronik::segment_wal {

int32_t Wal::read(const chronik_log_read& request) {
  Lock lock(mutex_);
  if (!failure().ok()) return CHRONIK_E_FAILED;
  const Group* group = groups_.find(request.group);
  if (group == nullptr) return CHRONIK_E_NOT_FOUND;
  auto result = sdk::ReadResult::make(request.token);
  const uint64_t from = resolve_in_tail(*group, request);
  if (from <= group->state.start_index) {
    result->set_status(CHRONIK_E_OUT_OF_RANGE);
  } else {
    result->add_tail(group->tail, from, request.end_index, request.max_bytes);
  }
  post_task([this, result = std::move(result)]() mutable {
    sdk::ReadResult::finish(std::move(result), environment_);
  });
  return CHRONIK_OK;
}

uint64_t Wal::resolve_in_tail(const Group& group, const chronik_log_read& request) const {
  if (request.from_kind == CHRONIK_LOG_FROM_INDEX) return request.from;
  if (group.tail.empty()) return group.state.last_index + 1;
  if (request.from_kind == CHRONIK_LOG_FROM_TIME)
    return group.tail.seek_time(static_cast<int64_t>(request.from));
  if (group.state.start_index != 0 && group.tail.at(group.tail.first_index()).key > request.from)
    return group.state.start_index;  // only entries that were compacted away could have it
  return group.tail.seek_key(request.from);
}

}  // namespace chronik::segment_wal
