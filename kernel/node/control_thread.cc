#include "node/control_thread.h"

#include <pthread.h>

#include <future>
#include <utility>

namespace chronik {

ControlThread::ControlThread() : thread_([this] { loop(); }) {}

ControlThread::~ControlThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void ControlThread::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void ControlThread::run(std::function<void()> work) {
  std::promise<void> ran;
  post([&] {
    work();
    ran.set_value();
  });
  ran.get_future().wait();
}

void ControlThread::loop() {
  ::pthread_setname_np(::pthread_self(), "chronik-control");
  while (true) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace chronik
