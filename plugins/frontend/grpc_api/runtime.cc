#include "runtime.h"

#include <algorithm>

namespace chronik::grpc_api {

Runtime::Runtime(sdk::Host host, const chronik_frontend_environment& environment,
                 const Limits& limits, size_t reply_threads)
    : host_(host),
      environment_(environment),
      limits_(limits),
      produced_batches_(host.counter("produced_batches_total", "Batches accepted for writing")),
      produced_bytes_(host.counter("produced_bytes_total", "Bytes of batches accepted")),
      fetched_bytes_(host.counter("fetched_bytes_total", "Bytes of batches sent to consumers")),
      refused_(host.counter("refused_total", "Requests answered with an error")),
      inflight_bytes_(host.gauge("inflight_bytes", "Bytes of batches waiting for an answer")) {
  for (size_t i = 0; i < std::max<size_t>(reply_threads, 1); ++i)
    reply_threads_.push_back(std::make_unique<ReplyThread>());
}

ReplyThread& Runtime::pick_reply_thread() {
  const size_t n = next_reply_thread_.fetch_add(1, std::memory_order_relaxed);
  return *reply_threads_[n % reply_threads_.size()];
}

void Runtime::leave() {
  if (outstanding_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::lock_guard lock(mutex_);
  idle_ = true;
  idle_changed_.notify_all();
}

void Runtime::wait_until_idle() {
  leave();
  std::unique_lock lock(mutex_);
  idle_changed_.wait(lock, [&] { return idle_; });
}

void Runtime::begin_stop() {
  std::vector<Stream*> open;
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true, std::memory_order_release);
    for (Stream* stream : streams_) {
      stream->retain();
      open.push_back(stream);
    }
  }
  for (Stream* stream : open) {
    stream->drain();
    stream->release();
  }
}

void Runtime::add_stream(Stream* stream) {
  bool drain = false;
  {
    const std::lock_guard lock(mutex_);
    streams_.insert(stream);
    drain = stopping();
  }
  if (drain) stream->drain();
}

void Runtime::remove_stream(Stream* stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

void Runtime::add_bytes(uint64_t bytes) {
  const uint64_t now = bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  sdk::set(inflight_bytes_, static_cast<int64_t>(now));
}

void Runtime::remove_bytes(uint64_t bytes) {
  const uint64_t now = bytes_.fetch_sub(bytes, std::memory_order_seq_cst) - bytes;
  sdk::set(inflight_bytes_, static_cast<int64_t>(now));
  if (now >= limits_.max_inflight_bytes || !any_waiting_.load(std::memory_order_seq_cst)) return;
  std::vector<Stream*> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(waiting_);
    any_waiting_.store(false, std::memory_order_seq_cst);
  }
  for (Stream* stream : waiting) {
    stream->resume();
    stream->release();
  }
}

void Runtime::resume_when_under(Stream* stream) {
  stream->retain();
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(stream);
    any_waiting_.store(true, std::memory_order_seq_cst);
  }
  remove_bytes(0);  // it may have come under the bound before we were on the list
}

}  // namespace chronik::grpc_api
