#include "replica/log_store.h"

#include <cstring>

#include "base/check.h"

namespace chronik {
namespace {

int32_t call_visitor(void* context, const chronik_log_group* group) {
  (*static_cast<const std::function<void(const chronik_log_group&)>*>(context))(*group);
  return 0;
}

}  // namespace

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

void LogStore::attach(const chronik_log_storage_vtable* vtable, void* instance) {
  vtable_ = vtable;
  instance_ = instance;
}

Status LogStore::submit(LogBatch& batch, WriteListener* listener) {
  const chronik_log_batch view = batch.view();
  chronik_error error{};
  const int32_t code =
      vtable_->submit(instance_, &view, reinterpret_cast<uint64_t>(listener), &error);
  return Status::from_abi(code, error.message);
}

Status LogStore::read(chronik_log_read request, ReadListener* listener) {
  request.struct_size = sizeof request;
  request.token = reinterpret_cast<uint64_t>(listener);
  return Status::from_abi(vtable_->read(instance_, &request));
}

Status LogStore::visit(GroupId group,
                       const std::function<void(const chronik_log_group&)>& visitor) const {
  return Status::from_abi(vtable_->group(instance_, group.value, call_visitor,
                                         const_cast<void*>(static_cast<const void*>(&visitor))));
}

Status LogStore::visit_all(const std::function<void(const chronik_log_group&)>& visitor) const {
  return Status::from_abi(vtable_->scan_groups(
      instance_, call_visitor, const_cast<void*>(static_cast<const void*>(&visitor))));
}

void LogStore::complete(void* /*context*/, const chronik_log_completion* completions,
                        uint32_t count) noexcept {
  for (uint32_t i = 0; i < count; ++i) {
    reinterpret_cast<WriteListener*>(completions[i].token)->on_written(completions[i].status);
  }
}

void LogStore::read_done(void* /*context*/, chronik_log_read_result* result) noexcept {
  reinterpret_cast<ReadListener*>(result->token)->on_read(result);
}

void LogStore::space_changed(void* context, uint32_t low) noexcept {
  static_cast<LogStore*>(context)->low_space_.store(low != 0, std::memory_order_relaxed);
}

}  // namespace chronik
