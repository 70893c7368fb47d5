// Mailbox: how work from other threads reaches a shard: many producers, one consumer, no locks.
//
// Mail is intrusive: the sender embeds a Mail in what it sends (a request, a pending write) and
// keeps it alive until the shard has handled it. A push costs one compare-and-swap, and a system
// call only if the shard sleeps.
#pragma once

#include <atomic>
#include <cstdint>

namespace chronik {

enum class MailKind : uint32_t { kPropose, kQuery, kWritten, kRead, kCommand };

struct Mail {
  Mail* next = nullptr;
  MailKind kind = MailKind::kCommand;
};

class Mailbox {
 public:
  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread.
  void push(Mail* mail);

  // The consumer: all mail, oldest first, linked by `next`; null if there is none.
  Mail* take_all();
  // The consumer: returns when there is mail, or when the monotonic clock reaches `deadline_ns`
  // (0: never).
  void wait(int64_t deadline_ns);

 private:
  std::atomic<Mail*> newest_{nullptr};
  std::atomic<bool> asleep_{false};
  int event_fd_;
};

}  // namespace chronik
