// Runtime: what all calls of one frontend instance share, and what stop() waits for.
//
// It counts everything that must have ended before the instance is done (calls, requests at the
// host, pinned entries), knows the open streams so that they can be drained, and keeps the bound on
// bytes in flight over all streams. Owned by Server; outlives every call.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "chronik/sdk/frontend.hpp"
#include "reply_thread.h"

namespace chronik::grpc_api {

struct Limits {
  uint64_t max_payload_bytes;          // of one batch; the node's
  uint64_t max_inflight_bytes;         // batches at the host, all streams and unary calls
  uint64_t max_stream_inflight_bytes;  // batches at the host, one stream
  uint64_t max_stream_results;         // answers that one stream's client hasn't taken yet
  uint64_t max_fetch_bytes;            // of batches in one message to a consumer
};

// A call that stays open. Its object lives as long as somebody holds a reference.
class Stream {
 public:
  virtual void retain() = 0;
  virtual void release() = 0;
  // The frontend is stopping: take nothing new, end when what is under way has ended. [any]
  virtual void drain() = 0;
  // The frontend is under its bound again. [any]
  virtual void resume() = 0;

 protected:
  ~Stream() = default;
};

class Runtime {
 public:
  Runtime(sdk::Host host, const chronik_frontend_environment& environment, const Limits& limits,
          size_t reply_threads);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const sdk::Host& host() const { return host_; }
  const chronik_frontend_environment& environment() const { return environment_; }
  const Limits& limits() const { return limits_; }
  // A thread for a new call; the same call uses the same one all its life.
  ReplyThread& pick_reply_thread();

  // Brackets whatever must have ended before the frontend is done. [any]
  void enter() { outstanding_.fetch_add(1, std::memory_order_relaxed); }
  void leave();
  // Returns when everything entered has left. Nothing may enter from outside any more.
  void wait_until_idle();

  bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  // Drains every open stream, and each that is opened later at once.
  void begin_stop();
  void add_stream(Stream* stream);
  void remove_stream(Stream* stream);

  // Bytes in flight over all streams.
  void add_bytes(uint64_t bytes);
  void remove_bytes(uint64_t bytes);
  bool over_bytes() const {
    return bytes_.load(std::memory_order_relaxed) >= limits_.max_inflight_bytes;
  }
  // Has stream->resume() called when the bytes are under the bound, at once if they are.
  void resume_when_under(Stream* stream);

  void count_refused() const { sdk::add(refused_, 1); }
  void count_produced(uint64_t bytes) const {
    sdk::add(produced_batches_, 1);
    sdk::add(produced_bytes_, static_cast<int64_t>(bytes));
  }
  void count_fetched(uint64_t bytes) const {
    sdk::add(fetched_bytes_, static_cast<int64_t>(bytes));
  }

 private:
  const sdk::Host host_;
  const chronik_frontend_environment& environment_;
  const Limits limits_;
  std::vector<std::unique_ptr<ReplyThread>> reply_threads_;
  std::atomic<size_t> next_reply_thread_{0};

  std::atomic<int64_t> outstanding_{1};  // the 1 is wait_until_idle's own
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> bytes_{0};

  // Guards the sets below and the wait for idleness: rare events, of threads that gRPC chose.
  std::mutex mutex_;
  std::condition_variable idle_changed_;
  bool idle_ = false;
  std::unordered_set<Stream*> streams_;
  std::vector<Stream*> waiting_;  // each retained
  std::atomic<bool> any_waiting_{false};

  int64_t* produced_batches_;
  int64_t* produced_bytes_;
  int64_t* fetched_bytes_;
  int64_t* refused_;
  int64_t* inflight_bytes_;
};

}  // namespace chronik::grpc_api
