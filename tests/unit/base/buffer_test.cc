#include "base/buffer.h"

#include <sys/uio.h>

#include <catch2/catch.hpp>
#include <cstring>

namespace chronik {
namespace {

static_assert(sizeof(chronik_slice) == sizeof(iovec));
static_assert(offsetof(chronik_slice, data) == offsetof(iovec, iov_base));
static_assert(offsetof(chronik_slice, size) == offsetof(iovec, iov_len));

TEST_CASE("copies of a buffer share bytes and the last one frees them") {
  struct Probe {
    chronik_buffer base;
    int references;
  } probe{};
  probe.references = 1;
  probe.base.retain = [](chronik_buffer* b) noexcept { ++reinterpret_cast<Probe*>(b)->references; };
  probe.base.release = [](chronik_buffer* b) noexcept {
    --reinterpret_cast<Probe*>(b)->references;
  };
  {
    Buffer first = Buffer::adopt(&probe.base);
    Buffer second = first;
    CHECK(probe.references == 2);
    Buffer third = std::move(first);
    CHECK(probe.references == 2);
    second = third;
    CHECK(probe.references == 2);
  }
  CHECK(probe.references == 0);
}

TEST_CASE("allocated buffers honour alignment and size") {
  for (const uint32_t alignment : {16u, 64u, 512u, 4096u}) {
    const Buffer buffer = Buffer::allocate(1000, alignment);
    CHECK(reinterpret_cast<uintptr_t>(buffer.data()) % alignment == 0);
    CHECK(buffer.size() == 1000);
    std::memset(buffer.data(), 0x5a, 1000);
  }
}

TEST_CASE("a payload holds a copy of its bytes") {
  std::string text = "payload";
  const Payload payload = Payload::copy_of(text);
  text = "changed";
  CHECK(payload.view() == "payload");
  CHECK(Payload::copy_of("").view().empty());
}

}  // namespace
}  // namespace chronik
