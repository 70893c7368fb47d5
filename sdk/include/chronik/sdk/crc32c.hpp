// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as RecordBatch v2 and the journal use it.
// Uses the SSE4.2 instruction where the processor has it, a table elsewhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace chronik::sdk {
inline namespace v0 {
namespace detail {

constexpr std::array<uint32_t, 256> make_crc32c_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}
inline constexpr std::array<uint32_t, 256> kCrc32cTable = make_crc32c_table();

// Both work on the inverted register.
inline uint32_t crc32c_portable(uint32_t state, const uint8_t* data, size_t size) {
  for (size_t i = 0; i < size; ++i) state = (state >> 8) ^ kCrc32cTable[(state ^ data[i]) & 0xff];
  return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) inline uint32_t crc32c_sse42(uint32_t state, const uint8_t* data,
                                                               size_t size) {
  uint64_t wide = state;
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  auto narrow = static_cast<uint32_t>(wide);
  for (; size > 0; ++data, --size) narrow = __builtin_ia32_crc32qi(narrow, *data);
  return narrow;
}
#endif

}  // namespace detail

// The checksum of `previous`'s bytes followed by these; start with 0.
inline uint32_t crc32c(const void* data, size_t size, uint32_t previous = 0) {
  const auto* bytes = static_cast<const uint8_t*>(data);
#if defined(__x86_64__)
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2");
  if (has_sse42) return ~detail::crc32c_sse42(~previous, bytes, size);
#endif
  return ~detail::crc32c_portable(~previous, bytes, size);
}

}  // namespace v0
}  // namespace chronik::sdk
