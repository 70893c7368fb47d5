// Completions on their way to the host, in the order in which they were pushed, whoever delivers.
#pragma once

#include <mutex>
#include <vector>

#include "chronik/abi/log_storage.h"

namespace chronik::segment_wal {

// Thread: [any]. Own lock, as pushes happen under the store's and deliveries must not.
class CompletionQueue {
 public:
  explicit CompletionQueue(const chronik_log_storage_environment& environment)
      : environment_(environment) {}

  void push(const std::vector<chronik_log_completion>& completions);
  void push(uint64_t token, int32_t status);
  // Delivers what is there, unless another thread is at it, which then delivers this too.
  void deliver();
  bool empty() const;

 private:
  const chronik_log_storage_environment& environment_;
  mutable std::mutex mutex_;
  bool delivering_ = false;
  std::vector<chronik_log_completion> queue_;
  std::vector<chronik_log_completion> sending_;
};

}  // namespace chronik::segment_wal
