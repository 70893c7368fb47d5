// The bytes of one frame while it gathers records: aligned chunks, laid out as blocks from the
// start, so that a payload is copied once and the chunks are written as they are.
#pragma once

#include <vector>

#include "chronik/sdk/base.hpp"
#include "journal_format.h"

namespace chronik::segment_wal {

// Begins with room for the frame header. Not thread-safe. reset() keeps the chunks' memory up to
// kKeptChunks, so a busy journal allocates nothing.
class FrameBuffer {
 public:
  static constexpr uint64_t kChunkSize = 256 * 1024;
  static constexpr size_t kKeptChunks = 16;

  explicit FrameBuffer(sdk::Host host) : host_(host) { reset(); }

  void reset();
  void append(const void* data, uint64_t size);
  void pad() {
    static constexpr uint8_t kZeros[8] = {};
    append(kZeros, padded(content_) - content_);
  }

  // Bytes of content so far, frame header included.
  uint64_t content() const { return content_; }
  uint64_t file_bytes() const { return blocks_for(content_) * kBlockSize; }

  // Puts the header in, zero-fills the last block and writes all tags. `header.blocks` and
  // `record_bytes` are filled here. Returns the checksum in the first block's tag.
  uint32_t seal(FrameHeader header, uint32_t crc_seed);

  // The sealed frame's bytes, for a write at a block boundary. Valid until reset().
  const std::vector<chronik_slice>& slices() const { return slices_; }

 private:
  const sdk::Host host_;
  std::vector<sdk::BufferRef> chunks_;
  std::vector<chronik_slice> slices_;
  uint64_t content_ = 0;
};

}  // namespace chronik::segment_wal
