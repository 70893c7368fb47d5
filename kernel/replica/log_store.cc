#include "replica/log_store.h"

#include <algorithm>
#include <cstring>

#include "plugin/abi_status.h"

namespace chronik {
LogStore::LogStore(std::string name, bool is_volatile)
    : name_(std::move(name)), is_volatile_(is_volatile) {}

const chronik_log_storage_environment* LogStore::environment(const unsigned char* uuid) {
  environment_.struct_size = sizeof environment_;
  environment_.context = this;
  std::memcpy(environment_.store_uuid, uuid, sizeof environment_.store_uuid);
  environment_.on_complete = complete;
  environment_.on_read = read_done;
  environment_.on_space = space_changed;
  return &environment_;
}

Status LogStore::submit(LogBatch& batch, WriteListener* listener) {
  return to_kernel(storage_->submit(batch.view(), reinterpret_cast<uint64_t>(listener)));
}

Status LogStore::read(chronik_log_read request, ReadListener* listener) {
  request.struct_size = sizeof request;
  request.token = reinterpret_cast<uint64_t>(listener);
  return to_kernel(storage_->read(request));
}

Status LogStore::visit(GroupId group,
                       const std::function<void(const chronik_log_group&)>& visitor) const {
  return to_kernel(storage_->group(group.value, visitor));
}

Status LogStore::visit_all(const std::function<void(const chronik_log_group&)>& visitor) const {
  return to_kernel(storage_->scan_groups(visitor));
}

void LogStore::await_room(RoomListener* listener) {
  const std::lock_guard lock(room_mutex_);
  if (std::find(awaiting_room_.begin(), awaiting_room_.end(), listener) == awaiting_room_.end()) {
    awaiting_room_.push_back(listener);
  }
  room_awaited_.store(true);
}

void LogStore::forget_room(RoomListener* listener) {
  const std::lock_guard lock(room_mutex_);
  std::erase(awaiting_room_, listener);
}

void LogStore::tell_room() {
  if (!room_awaited_.load()) return;
  const std::lock_guard lock(room_mutex_);
  for (RoomListener* listener : awaiting_room_) listener->on_room();
  awaiting_room_.clear();
  room_awaited_.store(false);
}

void LogStore::complete(void* context, const chronik_log_completion* completions,
                        uint32_t count) noexcept {
  for (uint32_t i = 0; i < count; ++i) {
    reinterpret_cast<WriteListener*>(completions[i].token)->on_written(completions[i].status);
  }
  static_cast<LogStore*>(context)->tell_room();
}

void LogStore::read_done(void* /*context*/, chronik_log_read_result* result) noexcept {
  reinterpret_cast<ReadListener*>(result->token)->on_read(result);
}

void LogStore::space_changed(void* context, uint32_t low) noexcept {
  static_cast<LogStore*>(context)->low_space_.store(low != 0, std::memory_order_relaxed);
}

}  // namespace chronik
