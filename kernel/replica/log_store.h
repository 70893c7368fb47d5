// LogStore: one named log storage instance as replicas and shards see it.
//
// It turns the ABI's tokens into listeners: a submit or read names an object of the caller's, which
// is told of the outcome. Thread: submit and read may be called by all shards at once; listeners
// are called on threads of the storage and must only hand over to their shard (or answer a reader).
// The node owns it, makes it before the instance (whose environment it supplies), and destroys it
// after.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "chronik/host/log_storage.hpp"
#include "replica/log_batch.h"

namespace chronik {

// Told once that a batch is durable, or that the storage has failed.
class WriteListener {
 public:
  virtual ~WriteListener() = default;
  virtual void on_written(int32_t status) noexcept = 0;
};

// Told once how a read ended; releases the result.
class ReadListener {
 public:
  virtual ~ReadListener() = default;
  virtual void on_read(chronik_log_read_result* result) noexcept = 0;
};

// Told that a submit that was refused for lack of room may be tried again.
class RoomListener {
 public:
  virtual ~RoomListener() = default;
  virtual void on_room() noexcept = 0;
};

class LogStore {
 public:
  LogStore(std::string name, bool is_volatile);
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // What the instance is created with. `uuid`: 16 bytes.
  const chronik_log_storage_environment* environment(const unsigned char* uuid);
  // The started instance, which outlives this; before any other call.
  void attach(host::LogStorage& storage) { storage_ = &storage; }

  const std::string& name() const { return name_; }
  bool is_volatile() const { return is_volatile_; }
  // The disk is nearly full: don't propose. Any thread.
  bool low_space() const { return low_space_.load(std::memory_order_relaxed); }

  // What one group may append in one batch, counted as append_bytes() does.
  uint64_t group_batch_bytes_max() const { return storage_->group_batch_bytes_max(); }
  static constexpr uint64_t append_bytes(uint64_t payload_bytes) {
    return payload_bytes + CHRONIK_LOG_ENTRY_OVERHEAD;
  }

  // As chronik_log_storage_vtable.submit; `listener` lives until it was told. kResourceExhausted:
  // try again after the next completion, which may be another shard's: see await_room().
  Status submit(LogBatch& batch, WriteListener* listener);
  // Tells `listener` once, after the next completion of anybody's. A submit that was refused has to
  // be tried once more after this, as that completion may have come in between. Idempotent.
  void await_room(RoomListener* listener);
  // `listener` isn't told any more.
  void forget_room(RoomListener* listener);
  // As chronik_log_storage_vtable.read, without token. After an error the listener isn't told.
  Status read(chronik_log_read request, ReadListener* listener);
  // Visits a group; kNotFound if the storage has none.
  Status visit(GroupId group, const std::function<void(const chronik_log_group&)>& visitor) const;
  Status visit_all(const std::function<void(const chronik_log_group&)>& visitor) const;

 private:
  static void complete(void* context, const chronik_log_completion* completions,
                       uint32_t count) noexcept;
  static void read_done(void* context, chronik_log_read_result* result) noexcept;
  void tell_room();
  static void space_changed(void* context, uint32_t low) noexcept;

  const std::string name_;
  const bool is_volatile_;
  chronik_log_storage_environment environment_{};
  host::LogStorage* storage_ = nullptr;
  std::atomic<bool> low_space_{false};
  std::mutex room_mutex_;  // not a message: completions come on threads of the storage
  std::vector<RoomListener*> awaiting_room_;  // guarded by room_mutex_
  std::atomic<bool> room_awaited_{false};     // awaiting_room_ isn't empty; saves the lock
};

}  // namespace chronik
