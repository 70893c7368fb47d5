// Parses frames and records from bytes that may hold anything. No I/O; the fuzzer's entry.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "journal_format.h"
#include "recovery_verdict.h"

namespace chronik::segment_wal {

enum class BlockState : uint8_t { kValid, kLater, kOld, kBad };

// What the block is, in the place of block `block_no` of frame `lsn`.
BlockState classify_block(const uint8_t* block, uint32_t crc_seed, uint64_t lsn, uint32_t block_no);

// The header of a frame whose first block is at `block`; nullopt if the block doesn't check or the
// header can't be one. Says nothing of the frame's other blocks.
std::optional<FrameHeader> parse_frame_header(const uint8_t* block, uint32_t crc_seed);

// One record; views into the bytes it was parsed from.
struct RecordView {
  RecordHeader header;
  std::span<const uint8_t> body;
};

// Steps through the records of a frame's content. Use:
//   RecordReader reader(bytes); RecordView record;
//   while (reader.next(&record)) ...;  if (!reader.ok()) ...
class RecordReader {
 public:
  explicit RecordReader(std::span<const uint8_t> bytes) : rest_(bytes) {}
  bool next(RecordView* record);
  bool ok() const { return ok_; }  // false once the bytes made no sense

 private:
  std::span<const uint8_t> rest_;
  bool ok_ = true;
};

// The operation that a record stands for. Views into the record; `entries` keeps the entries that
// `operation` points to, each with `owner`. False if the body makes no sense.
bool parse_operation(const RecordView& record, chronik_buffer* owner,
                     std::vector<chronik_entry>* entries, chronik_log_operation* operation);

}  // namespace chronik::segment_wal
