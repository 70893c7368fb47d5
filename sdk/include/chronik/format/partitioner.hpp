// The partition of a keyed record, as Kafka's own clients choose it: whoever produces with the same
// key, with whatever client, reaches the same partition.
#pragma once

#include <cstdint>
#include <string_view>

namespace chronik::format {
inline namespace v0 {

// MurmurHash2 of 32 bits with the seed of Kafka's clients.
constexpr uint32_t murmur2(std::string_view bytes) {
  constexpr uint32_t kSeed = 0x9747b28c;
  constexpr uint32_t kMix = 0x5bd1e995;
  constexpr auto at = [](std::string_view from, size_t i) {
    return uint32_t{static_cast<unsigned char>(from[i])};
  };
  uint32_t hash = kSeed ^ static_cast<uint32_t>(bytes.size());
  for (; bytes.size() >= 4; bytes.remove_prefix(4)) {
    uint32_t word = at(bytes, 0) | at(bytes, 1) << 8 | at(bytes, 2) << 16 | at(bytes, 3) << 24;
    word *= kMix;
    word ^= word >> 24;
    word *= kMix;
    hash = hash * kMix ^ word;
  }
  if (bytes.size() >= 3) hash ^= at(bytes, 2) << 16;
  if (bytes.size() >= 2) hash ^= at(bytes, 1) << 8;
  if (!bytes.empty()) hash = (hash ^ at(bytes, 0)) * kMix;
  hash ^= hash >> 13;
  hash *= kMix;
  return hash ^ hash >> 15;
}

// Pre: partition_count > 0.
constexpr uint32_t partition_for_key(std::string_view key, uint32_t partition_count) {
  return (murmur2(key) & 0x7fffffffu) % partition_count;
}

}  // namespace v0
}  // namespace chronik::format
