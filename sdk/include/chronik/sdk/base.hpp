// C++20 for plugin authors: statuses, hosts, buffers, tasks, options. Header-only; needs nothing
// but the C headers in chronik/abi and the standard library.
//
// An author writes a class per component (see log_storage.hpp, state_machine.hpp, frontend.hpp for
// what it must offer) and declares it with component.hpp. Exceptions that leave the class end at
// the thunks in those headers, which turn them into CHRONIK_E_INTERNAL; from a function that can't
// report an error (stop, on_leadership, version) they end the process.
#pragma once

#include <algorithm>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "chronik/abi/base.h"
#include "chronik/abi/file_io.h"
#include "chronik/abi/metrics.h"

namespace chronik::sdk {
inline namespace v0 {

inline std::string_view view(chronik_slice slice) {
  return {static_cast<const char*>(slice.data), slice.size};
}
inline chronik_slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}

// Outcome of an operation: CHRONIK_OK, or a code and a message of one line.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(int32_t code, std::string message, int32_t detail = 0)
      : code_(code), detail_(detail), message_(std::move(message)) {}

  bool ok() const { return code_ == CHRONIK_OK; }
  int32_t code() const { return code_; }
  int32_t detail() const { return detail_; }
  const std::string& message() const { return message_; }

  // Fills the caller's error struct (which may be null) and returns the code, as the ABI wants it.
  int32_t to_abi(chronik_error* error) const {
    if (!ok() && error != nullptr) fill(*error);
    return code_;
  }
  void fill(chronik_error& error) const {
    error.struct_size = sizeof error;
    error.code = code_;
    error.detail = detail_;
    const size_t size = std::min(message_.size(), sizeof error.message - 1);
    std::memcpy(error.message, message_.data(), size);
    error.message[size] = '\0';
  }

 private:
  int32_t code_ = CHRONIK_OK;
  int32_t detail_ = 0;
  std::string message_;
};

// Runs `body` (returning Status) and keeps exceptions on this side of the boundary.
template <typename Body>
int32_t guarded(chronik_error* error, Body&& body) noexcept {
  try {
    return body().to_abi(error);
  } catch (const std::bad_alloc&) {
    std::terminate();
  } catch (const std::exception& e) {
    return Status(CHRONIK_E_INTERNAL, std::string("exception in plugin: ") + e.what())
        .to_abi(error);
  } catch (...) {
    return Status(CHRONIK_E_INTERNAL, "unknown exception in plugin").to_abi(error);
  }
}

// As guarded, for calls that return a bare code.
template <typename Body>
int32_t guarded_code(Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    std::terminate();
  } catch (...) {
    return CHRONIK_E_INTERNAL;
  }
}

// A counted reference to a chronik_buffer. Thread: as std::shared_ptr.
class BufferRef {
 public:
  BufferRef() = default;
  static BufferRef adopt(chronik_buffer* raw) { return BufferRef(raw); }
  static BufferRef share(chronik_buffer* raw) {
    if (raw != nullptr) raw->retain(raw);
    return BufferRef(raw);
  }
  BufferRef(const BufferRef& other) : raw_(other.raw_) {
    if (raw_ != nullptr) raw_->retain(raw_);
  }
  BufferRef(BufferRef&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  BufferRef& operator=(BufferRef other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~BufferRef() {
    if (raw_ != nullptr) raw_->release(raw_);
  }
  chronik_buffer* get() const { return raw_; }
  uint8_t* data() const { return raw_ != nullptr ? raw_->data : nullptr; }
  uint64_t size() const { return raw_ != nullptr ? raw_->size : 0; }
  explicit operator bool() const { return raw_ != nullptr; }

 private:
  explicit BufferRef(chronik_buffer* raw) : raw_(raw) {}
  chronik_buffer* raw_ = nullptr;
};

// The host as seen by one component instance. A cheap value; valid as long as the instance.
class Host {
 public:
  explicit Host(const chronik_host* raw) : raw_(raw) {}
  const chronik_host* raw() const { return raw_; }

  // Atomically: the host may change the level at any time.
  bool logs(int32_t level) const {
    return level >= __atomic_load_n(raw_->log_level, __ATOMIC_RELAXED);
  }
  void log(int32_t level, std::string_view message) const {
    if (logs(level)) raw_->log(raw_->context, level, slice(message));
  }
  int64_t monotonic_ns() const { return raw_->now(raw_->context, CHRONIK_CLOCK_MONOTONIC); }
  int64_t wall_ms() const { return raw_->now(raw_->context, CHRONIK_CLOCK_WALL) / 1'000'000; }
  uint64_t random() const { return raw_->random(raw_->context); }
  void post(chronik_task* task) const { raw_->post(raw_->context, task); }
  void post_after(int64_t delay_ns, chronik_task* task) const {
    raw_->post_after(raw_->context, delay_ns, task);
  }
  void post_blocking(chronik_task* task) const { raw_->post_blocking(raw_->context, task); }
  BufferRef allocate(uint64_t size, uint32_t alignment = 16) const {
    return BufferRef::adopt(raw_->buffer_alloc(raw_->context, size, alignment));
  }
  void fatal(const Status& status) const {
    chronik_error error{};
    status.fill(error);
    raw_->fatal(raw_->context, &error);
  }
  // Null if the host doesn't offer the extension.
  template <typename Extension>
  const Extension* extension(const char* id) const {
    return static_cast<const Extension*>(raw_->get_extension(raw_->context, id));
  }
  const chronik_file_io* file_io() const { return extension<chronik_file_io>(CHRONIK_FILE_IO_ID); }
  // A metric's cell; a private dummy if the host has no metrics. Update with `add`.
  int64_t* counter(const char* name, const char* help) const {
    return cell(CHRONIK_METRIC_COUNTER, name, help);
  }
  int64_t* gauge(const char* name, const char* help) const {
    return cell(CHRONIK_METRIC_GAUGE, name, help);
  }

 private:
  int64_t* cell(uint32_t type, const char* name, const char* help) const {
    static int64_t nowhere = 0;
    const auto* metrics = extension<chronik_metrics>(CHRONIK_METRICS_ID);
    return metrics != nullptr ? metrics->cell(metrics->context, type, name, help) : &nowhere;
  }
  const chronik_host* raw_;
};

// Adds to a metric's cell.
inline void add(int64_t* cell, int64_t amount) {
  __atomic_fetch_add(cell, amount, __ATOMIC_RELAXED);
}
inline void set(int64_t* cell, int64_t value) {
  __atomic_store_n(cell, value, __ATOMIC_RELAXED);
}

// A task that runs a closure once and frees itself: for rare work. Hot paths embed a chronik_task.
template <typename Body>
chronik_task* make_task(Body body) {
  struct Closure {
    chronik_task task;
    Body body;
  };
  auto* closure = new Closure{{}, std::move(body)};
  closure->task.run = [](chronik_task* task) noexcept {
    std::unique_ptr<Closure> self(reinterpret_cast<Closure*>(task));
    self->body();
  };
  return &closure->task;
}

// Typed access to validated options, by their place in the component's table.
class Config {
 public:
  explicit Config(const chronik_config* raw) : raw_(raw) {}
  const chronik_config* raw() const { return raw_; }
  bool is_set(size_t option) const { return at(option).is_set != 0; }
  bool boolean(size_t option) const { return at(option).number.u64 != 0; }
  uint64_t u64(size_t option) const { return at(option).number.u64; }
  int64_t i64(size_t option) const { return at(option).number.i64; }
  double f64(size_t option) const { return at(option).number.f64; }
  uint64_t bytes(size_t option) const { return at(option).number.u64; }
  int64_t duration_ns(size_t option) const { return at(option).number.i64; }
  std::string_view text(size_t option) const { return view(at(option).text); }
  std::string_view instance_name() const { return raw_->instance_name; }
  std::string_view directory() const {
    return raw_->directory != nullptr ? std::string_view(raw_->directory) : std::string_view();
  }

 private:
  const chronik_value& at(size_t option) const {
    const auto* bytes = reinterpret_cast<const char*>(raw_->values);
    return *reinterpret_cast<const chronik_value*>(bytes + option * raw_->value_stride);
  }
  const chronik_config* raw_;
};

// Steps through an ABI array by its stride.
template <typename T>
class Array {
 public:
  Array(const T* first, uint32_t count, uint32_t stride)
      : first_(reinterpret_cast<const char*>(first)), count_(count), stride_(stride) {}
  class Iterator {
   public:
    Iterator(const char* at, uint32_t stride) : at_(at), stride_(stride) {}
    const T& operator*() const { return *reinterpret_cast<const T*>(at_); }
    Iterator& operator++() {
      at_ += stride_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const char* at_;
    uint32_t stride_;
  };
  Iterator begin() const { return {first_, stride_}; }
  Iterator end() const { return {first_ + size_t{count_} * stride_, stride_}; }
  uint32_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  const T& operator[](size_t i) const { return *reinterpret_cast<const T*>(first_ + i * stride_); }

 private:
  const char* first_;
  uint32_t count_;
  uint32_t stride_;
};

}  // namespace v0
}  // namespace chronik::sdk
