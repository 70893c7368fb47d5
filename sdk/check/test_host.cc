#include "check/test_host.h"

#include <cstdlib>

namespace chronik::check {

struct TestHost::Buffer {
  chronik_buffer raw;
  TestHost* host;
  int64_t references;
};

TestHost::TestHost(SimDisk* disk, uint64_t seed)
    : disk_(disk), random_(seed + 1), shuffled_(seed != 0) {
  host_.struct_size = sizeof host_;
  host_.abi_major = CHRONIK_ABI_MAJOR;
  host_.abi_minor = CHRONIK_ABI_MINOR;
  host_.context = this;
  host_.log_level = &log_level_;
  host_.log = [](void* context, int32_t, chronik_slice message) noexcept {
    static_cast<TestHost*>(context)->log_.emplace_back(sdk::view(message));
  };
  host_.now = [](void* context, uint32_t) noexcept {
    return static_cast<TestHost*>(context)->now_ns_;
  };
  host_.random = [](void* context) noexcept -> uint64_t {
    return static_cast<TestHost*>(context)->random_();
  };
  host_.post = [](void* context, chronik_task* task) noexcept {
    static_cast<TestHost*>(context)->tasks_.push_back(task);
  };
  host_.post_after = [](void* context, int64_t delay_ns, chronik_task* task) noexcept {
    auto* self = static_cast<TestHost*>(context);
    self->delayed_.emplace(self->now_ns_ + delay_ns, task);
  };
  host_.post_blocking = [](void* context, chronik_task* task) noexcept {
    static_cast<TestHost*>(context)->blocking_.push_back(task);
  };
  host_.buffer_alloc = [](void* context, uint64_t size, uint32_t alignment) noexcept {
    auto* self = static_cast<TestHost*>(context);
    auto* buffer = new Buffer{{}, self, 1};
    const size_t align = alignment < 16 ? 16 : alignment;
    buffer->raw.struct_size = sizeof(chronik_buffer);
    buffer->raw.data = static_cast<uint8_t*>(::operator new (size + 1, std::align_val_t{align}));
    buffer->raw.size = size;
    buffer->raw.reserved = static_cast<uint32_t>(align);
    buffer->raw.retain = [](chronik_buffer* raw) noexcept {
      ++reinterpret_cast<Buffer*>(raw)->references;
    };
    buffer->raw.release = [](chronik_buffer* raw) noexcept {
      auto* me = reinterpret_cast<Buffer*>(raw);
      if (--me->references != 0) return;
      --me->host->live_buffers_;
      ::operator delete (raw->data, std::align_val_t{raw->reserved});
      delete me;
    };
    ++self->live_buffers_;
    return &buffer->raw;
  };
  host_.fatal = [](void* context, const chronik_error* error) noexcept {
    static_cast<TestHost*>(context)->fatals_.emplace_back(error->message);
  };
  host_.get_extension = [](void* context, const char* id) noexcept -> const void* {
    auto* self = static_cast<TestHost*>(context);
    if (std::string(id) == CHRONIK_FILE_IO_ID && self->disk_ != nullptr)
      return self->disk_->service();
    if (std::string(id) == CHRONIK_METRICS_ID) return &self->metrics_;
    return nullptr;
  };
  metrics_ = {sizeof metrics_, 0, this,
              [](void* context, uint32_t, const char* name, const char*) noexcept {
                return &static_cast<TestHost*>(context)->cells_[name];
              }};
}

TestHost::~TestHost() = default;

bool TestHost::step() {
  const bool disk_ready = disk_ != nullptr && !disk_->idle();
  if (tasks_.empty() && blocking_.empty()) return disk_ready && disk_->step();
  const uint64_t choice = shuffled_ ? random_() % 3 : 0;
  if (choice == 1 && disk_ready && disk_->step()) return true;
  auto& queue = tasks_.empty() || (choice == 2 && !blocking_.empty()) ? blocking_ : tasks_;
  chronik_task* task = queue.front();
  queue.pop_front();
  task->run(task);
  return true;
}

void TestHost::run() {
  while (step()) {
  }
}

void TestHost::run_delayed() {
  if (delayed_.empty()) return;
  const auto first = delayed_.begin();
  now_ns_ = std::max(now_ns_, first->first);
  chronik_task* task = first->second;
  delayed_.erase(first);
  task->run(task);
}

void TestHost::flush_delayed() {
  std::multimap<int64_t, chronik_task*> due;
  due.swap(delayed_);
  for (const auto& [at, task] : due) tasks_.push_back(task);
}

void TestHost::drop_all() {
  tasks_.clear();
  blocking_.clear();
  delayed_.clear();
}

int64_t TestHost::metric(const std::string& name) const {
  const auto found = cells_.find(name);
  return found == cells_.end() ? 0 : found->second;
}

}  // namespace chronik::check
