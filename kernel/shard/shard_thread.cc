#include "shard/shard_thread.h"

#include <pthread.h>
#include <time.h>

#include <string>

namespace chronik {
namespace {

int64_t nanoseconds(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return t.tv_sec * int64_t{1'000'000'000} + t.tv_nsec;
}

void run(Shard& shard) {
  ::pthread_setname_np(::pthread_self(), "chronik-shard");
  while (true) {
    const Now now{nanoseconds(CLOCK_MONOTONIC), nanoseconds(CLOCK_REALTIME) / 1'000'000};
    const int64_t next = shard.pass(now);
    if (shard.stopped()) return;
    if (next == 0 || next > now.monotonic_ns) shard.mailbox().wait(next);
  }
}

}  // namespace

ShardThread::ShardThread(Shard& shard) : shard_(shard), thread_([this] { run(shard_); }) {}

ShardThread::~ShardThread() {
  thread_.join();
}

}  // namespace chronik
