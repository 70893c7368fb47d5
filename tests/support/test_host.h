// TestHost: a chronik_host whose tasks run when the test says so, under a clock that the test sets.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "chronik/abi/base.h"

namespace chronik::test {

class TestHost {
 public:
  TestHost() {
    abi_.struct_size = sizeof abi_;
    abi_.abi_major = CHRONIK_ABI_MAJOR;
    abi_.abi_minor = CHRONIK_ABI_MINOR;
    abi_.context = this;
    abi_.log_level = &log_level_;
    abi_.log = [](void* context, int32_t, chronik_slice message) noexcept {
      of(context).lines.emplace_back(static_cast<const char*>(message.data), message.size);
    };
    abi_.now = [](void* context, uint32_t) noexcept { return of(context).now_ns; };
    abi_.random = [](void* context) noexcept { return of(context).next_random_++; };
    abi_.post = [](void* context, chronik_task* task) noexcept {
      of(context).tasks_.push_back(task);
    };
    abi_.post_after = [](void* context, int64_t, chronik_task* task) noexcept {
      of(context).tasks_.push_back(task);
    };
    abi_.post_blocking = abi_.post;
    abi_.buffer_alloc = [](void*, uint64_t size, uint32_t alignment) noexcept {
      return Buffer::allocate(size, alignment).detach();
    };
    abi_.fatal = [](void* context, const chronik_error* error) noexcept {
      of(context).fatal = error->message;
    };
    abi_.get_extension = [](void*, const char*) noexcept -> const void* { return nullptr; };
  }

  const chronik_host* abi() const { return &abi_; }
  // Runs what is queued, and what that queues. True if there was anything.
  bool run() {
    const bool any = !tasks_.empty();
    while (!tasks_.empty()) {
      chronik_task* task = tasks_.front();
      tasks_.pop_front();
      task->run(task);
    }
    return any;
  }
  bool has_tasks() const { return !tasks_.empty(); }

  int64_t now_ns = 1'000'000'000;
  std::string fatal;
  std::vector<std::string> lines;

 private:
  static TestHost& of(void* context) { return *static_cast<TestHost*>(context); }
  chronik_host abi_{};
  int32_t log_level_ = CHRONIK_LOG_INFO;
  uint64_t next_random_ = 1;
  std::deque<chronik_task*> tasks_;
};

}  // namespace chronik::test
