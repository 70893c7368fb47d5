// Little-endian fields in byte strings: for small records that the kernel stores itself (group
// meta, configurations). A reader never runs past its input; it remembers the first failure, so
// that a whole record is read first and checked once at the end.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace chronik {

static_assert(std::endian::native == std::endian::little, "the codec copies native integers");

class ByteWriter {
 public:
  template <std::integral T>
  void put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  // A length of 32 bits, then the bytes.
  void put_bytes(std::string_view bytes) {
    put(static_cast<uint32_t>(bytes.size()));
    bytes_.append(bytes);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  // 0 after a failure.
  template <std::integral T>
  T get() {
    T value{};
    if (rest_.size() < sizeof value) {
      fail();
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  // A view into the input; empty after a failure.
  std::string_view get_bytes() {
    const auto size = get<uint32_t>();
    if (rest_.size() < size) {
      fail();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  bool ok() const { return ok_; }
  // Everything was read, and nothing was missing.
  bool done() const { return ok_ && rest_.empty(); }

 private:
  void fail() {
    ok_ = false;
    rest_ = {};
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace chronik
