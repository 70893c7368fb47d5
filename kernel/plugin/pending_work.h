// PendingWork: how many tasks and file chains of one instance are queued or running, and a way to
// wait until there is none.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace chronik {

// Thread: any. The last end() touches nothing of this object after wait_until_none() may return.
class PendingWork {
 public:
  void begin() {
    std::lock_guard lock(mutex_);
    ++count_;
  }
  void end() {
    std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  void wait_until_none() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;  // not a message: the waiter is the control thread, which has no loop here
  std::condition_variable none_;
  uint64_t count_ = 0;  // guarded by mutex_
};

}  // namespace chronik
