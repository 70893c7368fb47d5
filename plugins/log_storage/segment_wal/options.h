// The options of this plugin, by their places in the table, which is in plugin.cc.
#pragma once

#include <cstdint>

#include "chronik/sdk/base.hpp"

namespace chronik::segment_wal {

struct Options {
  enum Place : size_t {
    kJournalFileSize,
    kCheckpointBytes,
    kSegmentSize,
    kTailCacheBytes,
    kMaxInflightBytes,
    kMinFreeBytes,
    kAmbiguousTail,
  };
  explicit Options(const sdk::Config& config)
      : journal_file_size(config.bytes(kJournalFileSize) / 4096 * 4096),
        checkpoint_bytes(config.bytes(kCheckpointBytes)),
        segment_size(config.bytes(kSegmentSize)),
        tail_cache_bytes(config.bytes(kTailCacheBytes)),
        inflight_bytes_max(config.bytes(kMaxInflightBytes)),
        free_bytes_min(config.bytes(kMinFreeBytes)),
        ambiguous_tail_refused(config.text(kAmbiguousTail) == "refuse") {}

  const uint64_t journal_file_size;
  const uint64_t checkpoint_bytes;
  const uint64_t segment_size;
  const uint64_t tail_cache_bytes;
  const uint64_t inflight_bytes_max;
  const uint64_t free_bytes_min;
  const bool ambiguous_tail_refused;
};

}  // namespace chronik::segment_wal
