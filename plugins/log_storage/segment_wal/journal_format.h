// The bytes of the journal: file header, blocks with tags, frames, records. docs/FORMATS.md
// explains them with an example; this file is what the code uses. Everything is little-endian.
//
//   file    := header block, frame*           fixed size, pre-written, recycled
//   frame   := 1..n blocks of 4096 bytes      one group commit; content = 64 bytes header, records
//   block   := 4080 bytes of content, tag     the tag says which block of which frame it is
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "chronik/abi/log_storage.h"
#include "chronik/sdk/crc32c.hpp"

namespace chronik::segment_wal {

static_assert(std::endian::native == std::endian::little,
              "formats are written as the CPU has them");

inline constexpr uint64_t kBlockSize = 4096;
inline constexpr uint64_t kTagSize = 16;
inline constexpr uint64_t kBlockContent = kBlockSize - kTagSize;
inline constexpr uint32_t kFormatVersion = 1;

struct Uuid {
  uint8_t bytes[16];
  bool operator==(const Uuid& other) const {
    return std::memcmp(bytes, other.bytes, sizeof bytes) == 0;
  }
};

template <typename T>
T load(const uint8_t* from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// Block 0 of a journal file.
struct FileHeader {
  static constexpr uint64_t kMagic = 0x314c4e524a524843;  // "CHRJRNL1"
  uint64_t magic;
  uint32_t version;
  uint32_t block_size;
  Uuid store;
  uint64_t file_seq;
  // For the first file that a start of the store writes: its first frame has the number first_lsn,
  // and frames beyond prev_last_lsn in older files are void. Both 0 in a file that continues its
  // predecessor.
  uint64_t first_lsn;
  uint64_t prev_last_lsn;
  uint64_t file_size;
  uint32_t reserved;
  uint32_t crc;  // of the bytes before it
};
static_assert(sizeof(FileHeader) == 72);

// Last 16 bytes of each block.
struct BlockTag {
  uint32_t crc;  // of the content, block_no and lsn, begun with the checksum of the store's uuid
  uint32_t block_no;
  uint64_t lsn;
};
static_assert(sizeof(BlockTag) == kTagSize);

struct FrameHeader {
  static constexpr uint32_t kMagic = 0x46524843;  // "CHRF"
  uint32_t magic;
  uint32_t flags;
  uint64_t lsn;  // +1 from frame to frame
  uint64_t file_seq;
  uint32_t record_bytes;
  uint32_t record_count;
  uint32_t blocks;
  uint32_t prev_crc;  // tag of the previous frame's first block; 0 in a start's first frame
  uint64_t durable_lsn;
  int64_t time_ms;
  uint64_t prev_end;  // offset behind the previous frame, in its file; 0 in a start's first frame
};
static_assert(sizeof(FrameHeader) == 64);

// Followed by body_bytes of body, padded with zeros to a multiple of 8. `kind` is CHRONIK_LOG_*.
struct RecordHeader {
  uint8_t kind;
  uint8_t flags;
  uint16_t reserved;
  uint32_t body_bytes;
  uint64_t group;
  uint64_t seq;       // number of the operation, over all groups; grows
  uint64_t prev_seq;  // number of the group's previous operation; 0 for CREATE
  uint64_t index;
  uint64_t term;
};
static_assert(sizeof(RecordHeader) == 48);

// Body of HARD_STATE. The other bodies: meta (COMPACT_PREFIX, GROUP_META, RESET), nothing (CREATE,
// TRUNCATE_SUFFIX, DELETE), entries (APPEND).
struct HardStateBody {
  uint64_t vote;
  uint64_t commit;
};

// Body of APPEND: u64 count, count times EntryHeader, then the payloads without gaps.
struct EntryHeader {
  uint32_t type;
  uint32_t size;
  uint64_t term;
  uint64_t key;
  int64_t time_ms;
};
static_assert(sizeof(EntryHeader) == 32);

inline uint64_t padded(uint64_t size) {
  return (size + 7) & ~uint64_t{7};
}
inline uint64_t blocks_for(uint64_t content) {
  return (content + kBlockContent - 1) / kBlockContent;
}

inline uint32_t uuid_crc(const Uuid& store) {
  return sdk::crc32c(store.bytes, sizeof store.bytes);
}
inline uint32_t block_crc(const uint8_t* block, uint32_t seed) {
  const uint32_t crc = sdk::crc32c(block, kBlockContent, seed);
  return sdk::crc32c(block + kBlockContent + sizeof(uint32_t), kTagSize - sizeof(uint32_t), crc);
}
inline BlockTag tag_of(const uint8_t* block) {
  return load<BlockTag>(block + kBlockContent);
}
inline bool tag_matches(const uint8_t* block, uint32_t seed) {
  return tag_of(block).crc == block_crc(block, seed);
}
inline uint32_t header_crc(const FileHeader& header) {
  return sdk::crc32c(&header, offsetof(FileHeader, crc));
}

}  // namespace chronik::segment_wal
