// ReplyThread: takes completions from the host's shard threads to a thread of the frontend.
//
// Serialising an answer and writing it to a socket costs ten microseconds and more; a shard thread
// must not pay for that. `done` callbacks push their request here, which costs a compare-and-swap,
// and a system call only if the thread sleeps. The thread takes all that has come as one round, so
// that results which arrive together leave as one message.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace chronik::grpc_api {

class ReplyThread;

// Something with work left at the end of a round, such as a stream with results to write.
class Flushable {
 public:
  // Thread: the reply thread. The object may free itself.
  virtual void flush() = 0;

 protected:
  ~Flushable() = default;
};

// Completed work. Embedded in the request it belongs to.
class Reply {
 public:
  // Handles the completion; may free the object. Thread: the reply thread it was pushed to.
  virtual void deliver(ReplyThread& thread) = 0;

  Reply* next_reply = nullptr;  // the ReplyThread's

 protected:
  ~Reply() = default;
};

class ReplyThread {
 public:
  ReplyThread();
  // Delivers what was pushed before, then ends the thread.
  ~ReplyThread();
  ReplyThread(const ReplyThread&) = delete;
  ReplyThread& operator=(const ReplyThread&) = delete;

  // Thread: any; doesn't block. Replies of one pusher are delivered in order.
  void push(Reply* reply);

  // Has `flushable` flushed at the end of this round. Thread: inside deliver(). At most once per
  // round and object: the caller keeps a flag.
  void flush_after_round(Flushable* flushable) { flushables_.push_back(flushable); }

 private:
  void run();
  void round(Reply* newest);

  std::atomic<Reply*> newest_{nullptr};
  std::atomic<bool> ending_{false};
  int event_fd_;
  std::vector<Flushable*> flushables_;  // of the thread only
  std::thread thread_;
};

}  // namespace chronik::grpc_api
