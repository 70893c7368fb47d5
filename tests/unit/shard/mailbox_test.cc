#include "shard/mailbox.h"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace chronik {
namespace {

struct Numbered : Mail {
  int sender = 0;
  int number = 0;
};

TEST_CASE("mail of many senders arrives whole, and in order per sender, without a lost wake-up") {
  constexpr int kSenders = 4;
  constexpr int kEach = 20'000;
  Mailbox mailbox;
  std::vector<std::vector<Numbered>> mail(kSenders, std::vector<Numbered>(kEach));
  std::vector<std::thread> senders;
  for (int s = 0; s < kSenders; ++s) {
    senders.emplace_back([&, s] {
      for (int i = 0; i < kEach; ++i) {
        mail[s][i].sender = s;
        mail[s][i].number = i;
        mailbox.push(&mail[s][i]);
      }
    });
  }
  std::vector<int> next(kSenders, 0);
  int received = 0;
  bool ordered = true;
  while (received < kSenders * kEach) {
    mailbox.wait(0);
    for (Mail* m = mailbox.take_all(); m != nullptr; m = m->next) {
      const auto& numbered = *static_cast<Numbered*>(m);
      ordered = ordered && numbered.number == next[numbered.sender]++;
      ++received;
    }
  }
  for (std::thread& sender : senders) sender.join();
  CHECK(ordered);
}

TEST_CASE("a wait with a deadline in the past returns at once") {
  Mailbox mailbox;
  mailbox.wait(1);
  CHECK(mailbox.take_all() == nullptr);
}

}  // namespace
}  // namespace chronik
