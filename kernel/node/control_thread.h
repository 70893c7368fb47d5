// ControlThread: runs the node's control work one piece at a time: reconciliation, admin requests,
// status. Nothing on the data path waits for it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace chronik {

class ControlThread {
 public:
  ControlThread();
  // Runs what is queued, then joins.
  ~ControlThread();
  ControlThread(const ControlThread&) = delete;
  ControlThread& operator=(const ControlThread&) = delete;

  // Any thread.
  void post(std::function<void()> work);
  // Runs `work` there and waits for it. Never on the control thread itself.
  void run(std::function<void()> work);

 private:
  void loop();

  // A mutex: control work is rare, and its producers are many.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  bool ending_ = false;                      // guarded by mutex_
  std::thread thread_;
};

}  // namespace chronik
