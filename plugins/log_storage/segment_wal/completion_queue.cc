#include "completion_queue.h"

namespace chronik::segment_wal {

void CompletionQueue::push(const std::vector<chronik_log_completion>& completions) {
  std::unique_lock lock(mutex_);
  queue_.insert(queue_.end(), completions.begin(), completions.end());
}

void CompletionQueue::push(uint64_t token, int32_t status) {
  std::unique_lock lock(mutex_);
  queue_.push_back({token, status, 0});
}

void CompletionQueue::deliver() {
  std::unique_lock lock(mutex_);
  if (delivering_) return;
  delivering_ = true;
  while (!queue_.empty()) {
    sending_.clear();
    sending_.swap(queue_);
    lock.unlock();
    environment_.on_complete(environment_.context, sending_.data(),
                             static_cast<uint32_t>(sending_.size()));
    lock.lock();
  }
  delivering_ = false;
}

bool CompletionQueue::empty() const {
  std::unique_lock lock(mutex_);
  return queue_.empty() && !delivering_;
}

}  // namespace chronik::segment_wal
