// Writes entries to segments, for a checkpoint, and makes what was written durable.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "chronik/sdk/log_tail.hpp"
#include "files.h"
#include "segment.h"

namespace chronik::segment_wal {

// One per checkpoint. Keeps the files it wrote to open until sync(), up to kOpenMax; beyond that it
// closes them and syncs the whole file system instead, which is then cheaper too.
// Thread: one that may block. Not thread-safe.
class SegmentWriter {
 public:
  static constexpr size_t kOpenMax = 64;

  SegmentWriter(Files& files, const Uuid& store) : files_(files), store_(store) {}
  ~SegmentWriter();

  // Writes a batch of `items`, the first of which has `base_index`, at `position` of the segment,
  // which is its end. A new segment gets its header. Fills `header`. Changes nothing in `segment`.
  sdk::Status write(const Segment& segment, uint64_t base_index,
                    std::span<const sdk::EntryTail::Item> items, BatchHeader* header);
  // Writes the index behind the segment's batches.
  sdk::Status seal(const Segment& segment, const std::vector<SegmentBlock>& blocks);
  // Makes everything durable, once, at the end.
  sdk::Status sync();
  uint64_t bytes_written() const { return bytes_written_; }

 private:
  sdk::Status open(const Segment& segment, int64_t* file);

  Files& files_;
  const Uuid store_;
  std::vector<std::pair<std::string, int64_t>> open_;
  std::set<std::string> directories_;  // with new files
  bool too_many_ = false;
  uint64_t bytes_written_ = 0;
  std::vector<EntryHeader> headers_;
  std::vector<chronik_slice> slices_;
};

}  // namespace chronik::segment_wal
