#include "reply_thread.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace chronik::grpc_api {

ReplyThread::ReplyThread() : event_fd_(::eventfd(0, EFD_CLOEXEC)) {
  if (event_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = std::thread([this] { run(); });
}

ReplyThread::~ReplyThread() {
  ending_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(event_fd_, &one, sizeof one);
  thread_.join();
  ::close(event_fd_);
}

void ReplyThread::push(Reply* reply) {
  Reply* seen = newest_.load(std::memory_order_relaxed);
  do {
    reply->next_reply = seen;
  } while (!newest_.compare_exchange_weak(seen, reply, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
  if (seen == nullptr) {  // the thread sleeps, or is about to
    const uint64_t one = 1;
    [[maybe_unused]] ssize_t written = ::write(event_fd_, &one, sizeof one);
  }
}

void ReplyThread::run() {
  for (;;) {
    if (Reply* newest = newest_.exchange(nullptr, std::memory_order_acq_rel)) {
      round(newest);
      continue;
    }
    if (ending_.load(std::memory_order_acquire)) return;
    uint64_t count = 0;
    [[maybe_unused]] ssize_t read = ::read(event_fd_, &count, sizeof count);
  }
}

void ReplyThread::round(Reply* newest) {
  Reply* oldest = nullptr;
  while (newest != nullptr) {
    Reply* next = newest->next_reply;
    newest->next_reply = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    Reply* next = oldest->next_reply;
    oldest->deliver(*this);
    oldest = next;
  }
  // A flush may not queue another.
  for (Flushable* flushable : flushables_) flushable->flush();
  flushables_.clear();
}

}  // namespace chronik::grpc_api
