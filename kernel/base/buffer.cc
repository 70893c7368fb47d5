#include "base/buffer.h"

#include <atomic>
#include <cstring>
#include <new>

#include "base/check.h"

namespace chronik {
namespace {

// One allocation: this header, padding up to the alignment, then the bytes.
struct HeapBuffer {
  chronik_buffer base;
  std::atomic<uint32_t> references;
  std::align_val_t alignment;
};

HeapBuffer* from(chronik_buffer* base) {
  return reinterpret_cast<HeapBuffer*>(base);
}

void retain(chronik_buffer* base) noexcept {
  from(base)->references.fetch_add(1, std::memory_order_relaxed);
}

void release(chronik_buffer* base) noexcept {
  HeapBuffer* self = from(base);
  if (self->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::align_val_t alignment = self->alignment;
  self->~HeapBuffer();
  ::operator delete(self, alignment);
}

}  // namespace

Buffer Buffer::allocate(uint64_t size, uint32_t alignment) {
  CHRONIK_CHECK(alignment != 0 && (alignment & (alignment - 1)) == 0 && alignment <= 4096,
                "alignment is a power of two up to 4096");
  if (alignment < alignof(HeapBuffer)) alignment = alignof(HeapBuffer);
  const uint64_t header = (sizeof(HeapBuffer) + alignment - 1) & ~uint64_t{alignment - 1};
  void* memory = ::operator new (header + size, std::align_val_t{alignment});
  auto* self = new (memory) HeapBuffer;
  self->base = {
      sizeof(chronik_buffer), 0, static_cast<uint8_t*>(memory) + header, size, retain, release};
  self->references.store(1, std::memory_order_relaxed);
  self->alignment = std::align_val_t{alignment};
  return adopt(&self->base);
}

Buffer Buffer::copy_of(std::string_view bytes) {
  Buffer buffer = allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return buffer;
}

}  // namespace chronik
