#include "frame_buffer.h"

#include <algorithm>

namespace chronik::segment_wal {
namespace {
constexpr uint64_t kBlocksPerChunk = FrameBuffer::kChunkSize / kBlockSize;
}

void FrameBuffer::reset() {
  if (chunks_.size() > kKeptChunks) chunks_.resize(kKeptChunks);
  slices_.clear();
  content_ = 0;
  static constexpr uint8_t kRoom[sizeof(FrameHeader)] = {};
  append(kRoom, sizeof kRoom);
}

void FrameBuffer::append(const void* data, uint64_t size) {
  const auto* from = static_cast<const uint8_t*>(data);
  while (size != 0) {
    const uint64_t block = content_ / kBlockContent;
    const uint64_t at = content_ % kBlockContent;
    if (block / kBlocksPerChunk == chunks_.size())
      chunks_.push_back(host_.allocate(kChunkSize, kBlockSize));
    const uint64_t part = std::min(size, kBlockContent - at);
    std::memcpy(chunks_[block / kBlocksPerChunk].data() + block % kBlocksPerChunk * kBlockSize + at,
                from, part);
    from += part;
    size -= part;
    content_ += part;
  }
}

uint32_t FrameBuffer::seal(FrameHeader header, uint32_t crc_seed) {
  const uint64_t blocks = blocks_for(content_);
  header.record_bytes = static_cast<uint32_t>(content_ - sizeof header);
  header.blocks = static_cast<uint32_t>(blocks);
  std::memcpy(chunks_[0].data(), &header, sizeof header);
  for (uint64_t i = 0; i < blocks; ++i) {
    uint8_t* block = chunks_[i / kBlocksPerChunk].data() + i % kBlocksPerChunk * kBlockSize;
    const uint64_t used = std::min(kBlockContent, content_ - i * kBlockContent);
    std::memset(block + used, 0, kBlockContent - used);
    BlockTag tag{0, static_cast<uint32_t>(i), header.lsn};
    std::memcpy(block + kBlockContent, &tag, sizeof tag);
    tag.crc = block_crc(block, crc_seed);
    std::memcpy(block + kBlockContent, &tag, sizeof tag);
  }
  slices_.clear();
  for (uint64_t i = 0; i < blocks; i += kBlocksPerChunk)
    slices_.push_back(
        {chunks_[i / kBlocksPerChunk].data(), std::min(kBlocksPerChunk, blocks - i) * kBlockSize});
  return tag_of(chunks_[0].data()).crc;
}

}  // namespace chronik::segment_wal
