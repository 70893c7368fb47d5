#include "plugin/host_services.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/check.h"
#include "chronik/abi/file_io.h"
#include "plugin/abi_status.h"
#include "plugin/loader.h"
#include "plugin/real_file_io.h"
#include "plugin/task_pool.h"

namespace chronik {
namespace {

// Delays of a stopping instance: short, so that stop() isn't held up, but not nothing, so that a
// task that arms itself again until stop() is called doesn't spin.
constexpr int64_t kHurriedDelayNs = 1'000'000;

// Delayed tasks by due time, and the thread that hands them to a pool when they are due.
class Timers {
 public:
  explicit Timers(TaskPool* pool) : pool_(pool) {}
  ~Timers() { stop(); }

  // Pre: counted with pending->begin().
  void add(int64_t due_ns, chronik_task* task, PendingWork* pending) {
    std::lock_guard lock(mutex_);
    if (stopping_) return pool_->push(task, pending);
    if (std::find(hurried_.begin(), hurried_.end(), pending) != hurried_.end()) {
      due_ns = std::min(due_ns, HostServices::now(CHRONIK_CLOCK_MONOTONIC) + kHurriedDelayNs);
    }
    delayed_.push_back({due_ns, next_sequence_++, task, pending});
    std::push_heap(delayed_.begin(), delayed_.end(), later);
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    changed_.notify_one();
  }

  // Hands over what `pending` counts; from now on its delays are cut to kHurriedDelayNs.
  void hurry(PendingWork* pending) {
    std::lock_guard lock(mutex_);
    if (std::find(hurried_.begin(), hurried_.end(), pending) != hurried_.end()) return;
    hurried_.push_back(pending);
    const auto mine = std::stable_partition(delayed_.begin(), delayed_.end(),
                                            [&](const Delayed& d) { return d.pending != pending; });
    std::sort(mine, delayed_.end(), [](const Delayed& a, const Delayed& b) { return later(b, a); });
    for (auto at = mine; at != delayed_.end(); ++at) pool_->push(at->task, at->pending);
    delayed_.erase(mine, delayed_.end());
    std::make_heap(delayed_.begin(), delayed_.end(), later);
  }

  // The instance behind `pending` is gone.
  void forget(PendingWork* pending) {
    std::lock_guard lock(mutex_);
    std::erase(hurried_, pending);
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      std::sort_heap(delayed_.begin(), delayed_.end(), later);
      for (auto at = delayed_.rbegin(); at != delayed_.rend(); ++at) {
        pool_->push(at->task, at->pending);
      }
      delayed_.clear();
      changed_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Delayed {
    int64_t due_ns;
    uint64_t sequence;  // equal times run in the order of post_after()
    chronik_task* task;
    PendingWork* pending;
  };
  static bool later(const Delayed& a, const Delayed& b) {
    return std::pair(a.due_ns, a.sequence) > std::pair(b.due_ns, b.sequence);
  }

  void run() {
    name_this_thread("ck-timer");
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (delayed_.empty()) {
        changed_.wait(lock);
        continue;
      }
      const int64_t wait_ns = delayed_.front().due_ns - HostServices::now(CHRONIK_CLOCK_MONOTONIC);
      if (wait_ns > 0) {
        changed_.wait_for(lock, std::chrono::nanoseconds(wait_ns));
        continue;
      }
      std::pop_heap(delayed_.begin(), delayed_.end(), later);
      const Delayed due = delayed_.back();
      delayed_.pop_back();
      pool_->push(due.task, due.pending);
    }
  }

  TaskPool* const pool_;
  std::mutex mutex_;  // not a message: as in TaskPool
  std::condition_variable changed_;
  // All guarded by mutex_; the thread is joined without it.
  std::vector<Delayed> delayed_;  // heap, soonest in front
  std::vector<PendingWork*> hurried_;
  uint64_t next_sequence_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

// splitmix64, seeded per thread from the system.
uint64_t next_random() {
  thread_local uint64_t state = [] {
    std::random_device device;
    return uint64_t{device()} << 32 | device();
  }();
  state += 0x9e3779b97f4a7c15;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

struct HostServices::Impl {
  Impl(Options options, LogSink* sink)
      : options(options),
        sink(sink),
        executor("ck-exec", options.executor_threads),
        blocking("ck-block", options.blocking_threads),
        timers(&executor) {}

  const Options options;
  LogSink* const sink;
  Metrics metrics;
  PendingWork pending;  // the kernel's own tasks
  TaskPool executor;
  TaskPool blocking;
  Timers timers;  // after the pool it feeds, so that it ends first
  bool is_stopped = false;
};

struct InstanceHost::Impl {
  HostServices::Impl* services;
  std::string component;
  std::string instance;
  std::string label;
  HostServices::OnFatal on_fatal;
  std::atomic<bool> has_failed{false};
  PendingWork pending;
  std::optional<RealFileIo> files;
  chronik_metrics metrics{};
  chronik_host host{};

  static Impl* from(void* context) { return static_cast<Impl*>(context); }

  static void log(void* context, int32_t level, chronik_slice message) noexcept {
    Impl* self = from(context);
    self->services->sink->write(level, self->label, sdk::view(message));
  }
  static int64_t now(void*, uint32_t clock) noexcept { return HostServices::now(clock); }
  static uint64_t random(void*) noexcept { return next_random(); }
  static void post(void* context, chronik_task* task) noexcept {
    Impl* self = from(context);
    self->pending.begin();
    self->services->executor.push(task, &self->pending);
  }
  static void post_after(void* context, int64_t delay_ns, chronik_task* task) noexcept {
    Impl* self = from(context);
    self->pending.begin();
    self->services->timers.add(HostServices::now(CHRONIK_CLOCK_MONOTONIC) + delay_ns, task,
                               &self->pending);
  }
  static void post_blocking(void* context, chronik_task* task) noexcept {
    Impl* self = from(context);
    self->pending.begin();
    self->services->blocking.push(task, &self->pending);
  }
  static chronik_buffer* buffer_alloc(void*, uint64_t size, uint32_t alignment) noexcept {
    return Buffer::allocate(size, alignment).detach();
  }
  static void fatal(void* context, const chronik_error* error) noexcept {
    Impl* self = from(context);
    if (self->has_failed.exchange(true)) return;
    const size_t length = strnlen(error->message, sizeof error->message);
    Status status =
        to_kernel(sdk::Status(error->code != CHRONIK_OK ? error->code : CHRONIK_E_FAILED,
                              std::string(error->message, length)));
    self->services->sink->write(CHRONIK_LOG_ERROR, self->label, "failed: " + status.to_string());
    if (self->on_fatal) self->on_fatal(status);
  }
  static const void* get_extension(void* context, const char* id) noexcept {
    Impl* self = from(context);
    if (std::strcmp(id, CHRONIK_FILE_IO_ID) == 0) return self->files ? self->files->abi() : nullptr;
    if (std::strcmp(id, CHRONIK_METRICS_ID) == 0) return &self->metrics;
    return nullptr;
  }
  static int64_t* cell(void* context, uint32_t type, const char* name, const char* help) noexcept {
    Impl* self = from(context);
    return self->services->metrics.plugin_cell(type, self->component, self->instance, name, help);
  }
};

InstanceHost::InstanceHost(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

InstanceHost::~InstanceHost() {
  begin_stop();
  drain();
  impl_->files.reset();
  impl_->services->timers.forget(&impl_->pending);
}

const chronik_host* InstanceHost::abi() const {
  return &impl_->host;
}

const std::string& InstanceHost::label() const {
  return impl_->label;
}

void InstanceHost::begin_stop() {
  impl_->services->timers.hurry(&impl_->pending);
}

void InstanceHost::drain() {
  impl_->pending.wait_until_none();
}

HostServices::HostServices(Options options, LogSink* sink)
    : impl_(std::make_unique<Impl>(options, sink)) {}

HostServices::~HostServices() {
  stop();
}

std::unique_ptr<InstanceHost> HostServices::make_host(uint32_t kind, std::string component,
                                                      std::string instance, std::string directory,
                                                      OnFatal on_fatal) {
  CHRONIK_CHECK(!impl_->is_stopped, "an instance needs running services");
  auto made = std::make_unique<InstanceHost::Impl>();
  made->services = impl_.get();
  made->label = (component.empty() ? kind_name(kind) : component) + "/" + instance;
  made->component = std::move(component);
  made->instance = std::move(instance);
  made->on_fatal = std::move(on_fatal);
  if (!directory.empty()) {
    made->files.emplace(std::move(directory), impl_->options.read_threads, &made->pending);
  }
  made->metrics = {sizeof(chronik_metrics), 0, made.get(), InstanceHost::Impl::cell};
  made->host = {sizeof(chronik_host),
                CHRONIK_ABI_MAJOR,
                CHRONIK_ABI_MINOR,
                made.get(),
                impl_->sink->level(),
                InstanceHost::Impl::log,
                InstanceHost::Impl::now,
                InstanceHost::Impl::random,
                InstanceHost::Impl::post,
                InstanceHost::Impl::post_after,
                InstanceHost::Impl::post_blocking,
                InstanceHost::Impl::buffer_alloc,
                InstanceHost::Impl::fatal,
                InstanceHost::Impl::get_extension};
  return std::make_unique<InstanceHost>(std::move(made));
}

void HostServices::post(chronik_task* task) {
  impl_->pending.begin();
  impl_->executor.push(task, &impl_->pending);
}

void HostServices::post_after(int64_t delay_ns, chronik_task* task) {
  impl_->pending.begin();
  impl_->timers.add(now(CHRONIK_CLOCK_MONOTONIC) + delay_ns, task, &impl_->pending);
}

void HostServices::post_blocking(chronik_task* task) {
  impl_->pending.begin();
  impl_->blocking.push(task, &impl_->pending);
}

int64_t HostServices::now(uint32_t clock) {
  timespec time{};
  ::clock_gettime(clock == CHRONIK_CLOCK_WALL ? CLOCK_REALTIME : CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

uint64_t HostServices::random() {
  return next_random();
}

Metrics& HostServices::metrics() {
  return impl_->metrics;
}

LogSink& HostServices::sink() {
  return *impl_->sink;
}

Logger HostServices::logger(std::string label) {
  return Logger(impl_->sink, std::move(label));
}

void HostServices::stop() {
  if (impl_->is_stopped) return;
  impl_->is_stopped = true;
  // Tasks of one pool may post to the other: the pools end only when nothing is left in either.
  impl_->timers.stop();
  impl_->pending.wait_until_none();
  impl_->executor.stop();
  impl_->blocking.stop();
}

}  // namespace chronik
