#include "frame_reader.h"

#include <algorithm>

namespace chronik::segment_wal {
namespace {

bool all_zero(const uint8_t* bytes, uint64_t size) {
  return std::all_of(bytes, bytes + size, [](uint8_t b) { return b == 0; });
}

bool parse_append(std::span<const uint8_t> body, chronik_buffer* owner,
                  std::vector<chronik_entry>* entries, chronik_log_operation* operation) {
  if (body.size() < 8) return false;
  const auto count = load<uint64_t>(body.data());
  body = body.subspan(8);
  if (count == 0 || count > body.size() / sizeof(EntryHeader) || count > UINT32_MAX) return false;
  std::span<const uint8_t> payloads = body.subspan(count * sizeof(EntryHeader));
  entries->clear();
  for (uint64_t i = 0; i < count; ++i) {
    const auto header = load<EntryHeader>(body.data() + i * sizeof(EntryHeader));
    if (header.size > payloads.size()) return false;
    entries->push_back({sizeof(chronik_entry),
                        header.type,
                        operation->index + 1 + i,
                        header.term,
                        header.key,
                        header.time_ms,
                        {payloads.data(), header.size},
                        owner});
    payloads = payloads.subspan(header.size);
  }
  if (!payloads.empty()) return false;
  operation->entries = entries->data();
  operation->entry_count = static_cast<uint32_t>(count);
  operation->entry_stride = sizeof(chronik_entry);
  return true;
}

}  // namespace

BlockState classify_block(const uint8_t* block, uint32_t crc_seed, uint64_t lsn,
                          uint32_t block_no) {
  if (!tag_matches(block, crc_seed))
    return all_zero(block, kBlockSize) ? BlockState::kOld : BlockState::kBad;
  const BlockTag tag = tag_of(block);
  if (tag.lsn > lsn) return BlockState::kLater;
  if (tag.lsn < lsn) return BlockState::kOld;
  return tag.block_no == block_no ? BlockState::kValid : BlockState::kBad;
}

std::optional<FrameHeader> parse_frame_header(const uint8_t* block, uint32_t crc_seed) {
  if (!tag_matches(block, crc_seed)) return std::nullopt;
  const BlockTag tag = tag_of(block);
  const auto header = load<FrameHeader>(block);
  if (tag.block_no != 0 || header.magic != FrameHeader::kMagic || header.lsn != tag.lsn)
    return std::nullopt;
  if (header.blocks != blocks_for(uint64_t{header.record_bytes} + sizeof header))
    return std::nullopt;
  return header;
}

bool RecordReader::next(RecordView* record) {
  if (rest_.empty()) return false;
  if (rest_.size() < sizeof(RecordHeader)) return ok_ = false;
  record->header = load<RecordHeader>(rest_.data());
  const uint64_t size = sizeof(RecordHeader) + padded(record->header.body_bytes);
  if (size > rest_.size()) return ok_ = false;
  record->body = rest_.subspan(sizeof(RecordHeader), record->header.body_bytes);
  rest_ = rest_.subspan(size);
  return true;
}

bool parse_operation(const RecordView& record, chronik_buffer* owner,
                     std::vector<chronik_entry>* entries, chronik_log_operation* operation) {
  *operation = {};
  operation->struct_size = sizeof *operation;
  operation->kind = record.header.kind;
  operation->flags = record.header.flags;
  operation->group = record.header.group;
  operation->index = record.header.index;
  operation->term = record.header.term;
  switch (record.header.kind) {
    case CHRONIK_LOG_CREATE:
    case CHRONIK_LOG_TRUNCATE_SUFFIX:
    case CHRONIK_LOG_DELETE: return record.body.empty();
    case CHRONIK_LOG_APPEND: return parse_append(record.body, owner, entries, operation);
    case CHRONIK_LOG_HARD_STATE: {
      if (record.body.size() != sizeof(HardStateBody)) return false;
      const auto body = load<HardStateBody>(record.body.data());
      operation->vote = body.vote;
      operation->commit = body.commit;
      return true;
    }
    case CHRONIK_LOG_COMPACT_PREFIX:
    case CHRONIK_LOG_GROUP_META:
    case CHRONIK_LOG_RESET: operation->meta = {record.body.data(), record.body.size()}; return true;
    default: return false;
  }
}

}  // namespace chronik::segment_wal
