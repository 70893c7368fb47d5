// The bytes of the file `checkpoint`: the state of all groups but for the entries that are in
// segments. docs/FORMATS.md explains it.
//
//   checkpoint := CheckpointHeader, body
//   body       := for each group: GroupRecord, term runs, SegmentRecord*, meta, EntryHeader*,
//                 payloads, padding to 8
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "group_table.h"

namespace chronik::segment_wal {

struct CheckpointHeader {
  static constexpr uint64_t kMagic = 0x3154504b43524843;  // "CHRCKPT1"
  uint64_t magic;
  uint32_t version;
  uint32_t header_crc;  // of the bytes behind it
  Uuid store;
  uint64_t lsn;      // frames up to it are not needed any more
  uint64_t max_seq;  // number of the last operation accepted when the last group was taken
  uint64_t group_count;
  uint64_t body_bytes;
  uint32_t body_crc;
  uint32_t reserved;
};
static_assert(sizeof(CheckpointHeader) == 72);

struct GroupRecord {
  uint64_t group;
  uint64_t generation;
  uint64_t seq;
  uint64_t start_index;
  uint64_t start_term;
  uint64_t hard_term;
  uint64_t hard_vote;
  uint64_t hard_commit;
  uint64_t flushed_index;
  uint64_t flushed_key;
  int64_t flushed_time_ms;
  uint32_t meta_bytes;
  uint32_t run_count;
  uint32_t segment_count;
  uint32_t entry_count;  // behind flushed_index; their payloads are here
};
static_assert(sizeof(GroupRecord) == 104);

struct SegmentRecord {
  uint64_t base_index;
  uint64_t last_index;
  uint64_t bytes;
  uint64_t first_key;
  uint64_t last_key;
  int64_t max_time_ms;
  uint64_t generation;
  uint64_t sealed;
};
static_assert(sizeof(SegmentRecord) == 64);

// A group as a checkpoint takes it, at one moment.
struct GroupCapture {
  sdk::GroupState state;
  uint64_t seq = 0;
  uint64_t generation = 0;
  uint64_t flushed_index = 0;
  uint64_t flushed_key = 0;
  int64_t flushed_time_ms = 0;
  std::vector<std::shared_ptr<Segment>> segments;
  std::vector<sdk::EntryTail::Item> items;  // entries flushed_index + 1 and on
};

// Appends the group to a checkpoint's body. `written` of the capture's items are in its segments.
void encode_group(const GroupCapture& capture, std::vector<uint8_t>* body);

// Reads the next group from `rest` and removes its bytes. Payloads point into `owner`. False if the
// bytes make no sense.
bool decode_group(std::span<const uint8_t>* rest, const sdk::BufferRef& owner, Group* group);

}  // namespace chronik::segment_wal
