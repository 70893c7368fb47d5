// TaskPool: a queue of chronik_tasks and the threads that run them, started as they are needed.
//
// A task's `next` links the queue; `reserved` holds the PendingWork that counts it, so a queued
// task costs no allocation. Owned by HostServices. Thread: push() anywhere, stop() on the control
// thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "chronik/abi/base.h"
#include "plugin/pending_work.h"

namespace chronik {

class TaskPool {
 public:
  // `name` (up to 12 bytes) is what the threads are called in a debugger.
  TaskPool(std::string name, uint32_t max_threads);
  ~TaskPool() { stop(); }
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  // Queues a task that was counted with pending->begin(); its end is counted by the pool.
  void push(chronik_task* task, PendingWork* pending);
  // Joins the threads. Pre: nothing is queued or running, and nothing is pushed any more.
  // Idempotent.
  void stop();

 private:
  void run();

  const std::string name_;
  const uint32_t max_threads_;
  std::mutex mutex_;  // not a message: this is the mailbox that messages are made of
  std::condition_variable changed_;
  // All guarded by mutex_.
  chronik_task* head_ = nullptr;
  chronik_task* tail_ = nullptr;
  uint64_t queued_ = 0;
  uint64_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// Names the calling thread, as shown by ps and debuggers.
void name_this_thread(const std::string& name);

}  // namespace chronik
