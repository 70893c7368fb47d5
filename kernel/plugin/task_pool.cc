#include "plugin/task_pool.h"

#include <pthread.h>

#include "base/check.h"

namespace chronik {

void name_this_thread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

TaskPool::TaskPool(std::string name, uint32_t max_threads)
    : name_(std::move(name)), max_threads_(max_threads == 0 ? 1 : max_threads) {}

void TaskPool::push(chronik_task* task, PendingWork* pending) {
  task->next = nullptr;
  task->reserved = reinterpret_cast<uintptr_t>(pending);
  std::lock_guard lock(mutex_);
  CHRONIK_CHECK(!stopping_, "a task was posted after the host stopped");
  (tail_ != nullptr ? tail_->next : head_) = task;
  tail_ = task;
  ++queued_;
  if (queued_ > idle_ && threads_.size() < max_threads_) {
    threads_.emplace_back([this, index = threads_.size()] {
      name_this_thread(name_ + "-" + std::to_string(index));
      run();
    });
  } else {
    changed_.notify_one();
  }
}

void TaskPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return head_ != nullptr || stopping_; });
    --idle_;
    if (head_ == nullptr) return;
    chronik_task* task = head_;
    head_ = task->next;
    if (head_ == nullptr) tail_ = nullptr;
    --queued_;
    lock.unlock();
    // Read before run(), which may free the task.
    auto* pending = reinterpret_cast<PendingWork*>(static_cast<uintptr_t>(task->reserved));
    task->run(task);
    pending->end();
    lock.lock();
  }
}

void TaskPool::stop() {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
    changed_.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace chronik
