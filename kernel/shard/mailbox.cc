#include "shard/mailbox.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace chronik {

Mailbox::Mailbox() : event_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHRONIK_CHECK(event_fd_ >= 0, "eventfd: out of file descriptors");
}

Mailbox::~Mailbox() {
  ::close(event_fd_);
}

void Mailbox::push(Mail* mail) {
  Mail* newest = newest_.load(std::memory_order_relaxed);
  do {
    mail->next = newest;
  } while (!newest_.compare_exchange_weak(newest, mail, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
  // Pairs with wait(): either it sees the mail, or this sees that it sleeps.
  if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false)) {
    const uint64_t one = 1;
    (void)!::write(event_fd_, &one, sizeof one);
  }
}

Mail* Mailbox::take_all() {
  Mail* mail = newest_.exchange(nullptr, std::memory_order_acquire);
  Mail* oldest = nullptr;
  while (mail != nullptr) {
    Mail* next = mail->next;
    mail->next = oldest;
    oldest = mail;
    mail = next;
  }
  return oldest;
}

void Mailbox::wait(int64_t deadline_ns) {
  asleep_.store(true, std::memory_order_seq_cst);
  if (newest_.load(std::memory_order_seq_cst) == nullptr) {
    timespec timeout{};
    if (deadline_ns != 0) {
      timespec now{};
      ::clock_gettime(CLOCK_MONOTONIC, &now);
      const int64_t left =
          std::max<int64_t>(deadline_ns - (now.tv_sec * 1'000'000'000 + now.tv_nsec), 0);
      timeout = {left / 1'000'000'000, left % 1'000'000'000};
    }
    pollfd event{event_fd_, POLLIN, 0};
    (void)::ppoll(&event, 1, deadline_ns != 0 ? &timeout : nullptr, nullptr);
  }
  asleep_.store(false, std::memory_order_relaxed);
  uint64_t count;
  (void)!::read(event_fd_, &count, sizeof count);
}

}  // namespace chronik
