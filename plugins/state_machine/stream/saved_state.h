// The bytes of a stream's state, as save() writes and restore() reads them: checksummed, versioned,
// the same on every replica in the same state. docs/formats/stream_state.md describes them.
#pragma once

#include <cstdint>
#include <string_view>

#include "chronik/sdk/base.hpp"
#include "producer_table.h"

namespace chronik::stream {

inline constexpr uint32_t kStateVersion = 1;

struct StreamState {
  explicit StreamState(size_t max_producers) : producers(max_producers) {}

  int64_t start_offset = 0;  // of the first record that can be read
  int64_t next_offset = 0;   // of the record to come; the high watermark
  int64_t max_time_ms = INT64_MIN;
  ProducerTable producers;
};

// Returns what the sink returned if it refused.
sdk::Status write_state(const StreamState& state, const chronik_sink& sink);

// Fills a fresh `state`, whose bound on producers may be lower than when it was saved. DATA_LOSS:
// damaged or never written by write_state(). FAILED_PRECONDITION: written by a later version.
// Nothing useful is in `state` then.
sdk::Status read_state(std::string_view saved, StreamState& state);

}  // namespace chronik::stream
