// Buffer: a counted reference to bytes that somebody else may own, and Payload: a run inside one.
//
// A Buffer wraps the ABI's chronik_buffer, so a payload that a frontend allocated travels through
// the core to the log storage and back to a consumer without a copy. Copies of a Buffer share the
// bytes; the last one to go releases them. Thread: handles are plain values; retain and release may
// be called anywhere.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "chronik/abi/base.h"

namespace chronik {

class Buffer {
 public:
  Buffer() = default;
  // Takes over the one reference that `raw` stands for.
  static Buffer adopt(chronik_buffer* raw) { return Buffer(raw); }
  // Adds a reference of its own. `raw` may be null.
  static Buffer share(chronik_buffer* raw) {
    if (raw) raw->retain(raw);
    return Buffer(raw);
  }
  // `size` fresh bytes, uninitialised, aligned to `alignment` (a power of two).
  static Buffer allocate(uint64_t size, uint32_t alignment = 16);
  static Buffer copy_of(std::string_view bytes);

  Buffer(const Buffer& other) : raw_(other.raw_) {
    if (raw_) raw_->retain(raw_);
  }
  Buffer(Buffer&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Buffer() {
    if (raw_) raw_->release(raw_);
  }

  chronik_buffer* get() const { return raw_; }
  // Gives the reference away; the caller must release it.
  chronik_buffer* detach() { return std::exchange(raw_, nullptr); }
  explicit operator bool() const { return raw_ != nullptr; }
  uint8_t* data() const { return raw_ ? raw_->data : nullptr; }
  uint64_t size() const { return raw_ ? raw_->size : 0; }

 private:
  explicit Buffer(chronik_buffer* raw) : raw_(raw) {}
  chronik_buffer* raw_ = nullptr;
};

// A contiguous run of bytes and the buffer that keeps it alive. An empty payload needs no buffer.
struct Payload {
  const uint8_t* data = nullptr;
  uint64_t size = 0;
  Buffer owner;

  static Payload copy_of(std::string_view bytes) {
    if (bytes.empty()) return {};
    return whole(Buffer::copy_of(bytes));
  }
  static Payload whole(Buffer buffer) {
    const uint8_t* data = buffer.data();
    const uint64_t size = buffer.size();
    return {data, size, std::move(buffer)};
  }
  std::string_view view() const { return {reinterpret_cast<const char*>(data), size}; }
  chronik_slice slice() const { return {data, size}; }
};

}  // namespace chronik
