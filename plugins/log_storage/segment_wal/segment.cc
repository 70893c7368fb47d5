#include "segment.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace chronik::segment_wal {

std::string segment_directory(uint64_t group) {
  char name[8];
  std::snprintf(name, sizeof name, "p/%02x", static_cast<unsigned>(group & 0xff));
  return name;
}

std::string Segment::path() const {
  char name[64];
  std::snprintf(name, sizeof name, "/%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".seg", group, generation,
                base_index);
  return segment_directory(group) + name;
}

void Segment::add(const BatchHeader& batch) {
  if (last_index < base_index) first_key = batch.first_key;
  add_to_blocks(&blocks, batch, bytes);
  last_index = batch.base_index + batch.count - 1;
  last_key = batch.last_key;
  max_time_ms = std::max(max_time_ms, batch.max_time_ms);
  bytes += sizeof batch + batch.body_bytes;
}

void add_to_blocks(std::vector<SegmentBlock>* blocks, const BatchHeader& batch, uint64_t position) {
  if (blocks->empty() || position - blocks->back().position >= kIndexInterval) {
    blocks->push_back(
        {batch.base_index, position, batch.first_key, batch.last_key, batch.max_time_ms});
    return;
  }
  SegmentBlock& last = blocks->back();
  last.last_key = batch.last_key;
  last.max_time_ms = std::max(last.max_time_ms, batch.max_time_ms);
}

const BatchHeader* parse_batch(const uint8_t* bytes, uint64_t size, bool check_body,
                               BatchHeader* header) {
  if (size < sizeof *header) return nullptr;
  *header = load<BatchHeader>(bytes);
  constexpr uint64_t kUnchecked = 2 * sizeof(uint32_t);
  if (header->magic != BatchHeader::kMagic ||
      header->header_crc != sdk::crc32c(bytes + kUnchecked, sizeof *header - kUnchecked))
    return nullptr;
  if (header->body_bytes > size - sizeof *header || header->count == 0 ||
      header->count > header->body_bytes / sizeof(EntryHeader))
    return nullptr;
  if (check_body && header->body_crc != sdk::crc32c(bytes + sizeof *header, header->body_bytes))
    return nullptr;
  return header;
}

}  // namespace chronik::segment_wal
