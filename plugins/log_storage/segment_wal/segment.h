// A segment: a file with consecutive committed entries of one group, written by checkpoints and
// never changed behind its end. Bytes: docs/FORMATS.md.
//
//   segment := SegmentHeader, batch*, and when sealed: SegmentBlock*, SegmentTrailer
//   batch   := BatchHeader, EntryHeader*, payloads, padding to 8
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "journal_format.h"

namespace chronik::segment_wal {

struct SegmentHeader {
  static constexpr uint64_t kMagic = 0x314d474553524843;  // "CHRSEGM1"
  uint64_t magic;
  uint32_t version;
  uint32_t crc;  // of the bytes behind it
  Uuid store;
  uint64_t group;
  uint64_t generation;
  uint64_t base_index;
  uint64_t reserved;
};
static_assert(sizeof(SegmentHeader) == 64);

struct BatchHeader {
  static constexpr uint32_t kMagic = 0x42524843;  // "CHRB"
  uint32_t magic;
  uint32_t header_crc;  // of the bytes behind it
  uint32_t body_bytes;  // behind this header, padding included
  uint32_t body_crc;
  uint64_t base_index;
  uint32_t count;
  uint32_t reserved;
  uint64_t first_key;
  uint64_t last_key;
  int64_t max_time_ms;
  uint64_t reserved2;
};
static_assert(sizeof(BatchHeader) == 64);

// One line of a segment's index: a run of batches of about kIndexInterval bytes.
struct SegmentBlock {
  uint64_t first_index;
  uint64_t position;
  uint64_t first_key;
  uint64_t last_key;
  int64_t max_time_ms;
};
static_assert(sizeof(SegmentBlock) == 40);
inline constexpr uint64_t kIndexInterval = 64 * 1024;

// Last bytes of a sealed segment, behind its blocks.
struct SegmentTrailer {
  static constexpr uint64_t kMagic = 0x3144414553524843;  // "CHRSEAD1"
  uint64_t magic;
  uint64_t blocks_position;
  uint32_t block_count;
  uint32_t crc;  // of the blocks
};
static_assert(sizeof(SegmentTrailer) == 24);

// A segment as the store knows it. Guarded by the store's lock, but for the constant fields.
struct Segment {
  const uint64_t group;
  const uint64_t generation;
  const uint64_t base_index;
  uint64_t last_index = 0;  // base_index - 1 while empty
  uint64_t bytes = 0;       // of header and batches
  uint64_t first_key = 0;
  uint64_t last_key = 0;
  int64_t max_time_ms = INT64_MIN;
  bool sealed = false;
  bool writing = false;  // a checkpoint is appending to it

  // The index. Invariant: it covers the bytes from indexed_from to `bytes`; a segment known from a
  // checkpoint begins with nothing covered, and is indexed when it is first read or sealed.
  std::vector<SegmentBlock> blocks;
  uint64_t indexed_from = sizeof(SegmentHeader);
  bool indexed() const { return indexed_from == sizeof(SegmentHeader); }

  Segment(uint64_t group_id, uint64_t made, uint64_t base)
      : group(group_id), generation(made), base_index(base), last_index(base - 1) {}

  std::string path() const;
  // Notes a batch at the end.
  void add(const BatchHeader& batch);
};

// p/<two hex digits of the group>: one of 256 directories.
std::string segment_directory(uint64_t group);

// Adds a batch to an index.
void add_to_blocks(std::vector<SegmentBlock>* blocks, const BatchHeader& batch, uint64_t position);

// The header of the batch at `bytes` if it checks and the whole batch, whose body is checked too if
// `check_body`, lies within `size`.
const BatchHeader* parse_batch(const uint8_t* bytes, uint64_t size, bool check_body,
                               BatchHeader* header);

}  // namespace chronik::segment_wal
