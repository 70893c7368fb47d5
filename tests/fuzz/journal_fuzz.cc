// Fuzzes the parsers of the journal: blocks, frame headers, records, operations.
#include <cstdint>
#include <vector>

#include "frame_reader.h"

using namespace chronik::segment_wal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size >= kBlockSize) {
    (void)parse_frame_header(data, 0);
    (void)classify_block(data, 0, 1, 0);
  }
  RecordReader reader({data, size});
  RecordView record;
  std::vector<chronik_entry> entries;
  chronik_log_operation operation;
  uint64_t sum = 0;
  while (reader.next(&record)) {
    if (!parse_operation(record, nullptr, &entries, &operation)) continue;
    for (uint32_t i = 0; i < operation.entry_count; ++i)  // every byte must be there
      for (size_t at = 0; at < entries[i].payload.size; ++at)
        sum += static_cast<const uint8_t*>(entries[i].payload.data)[at];
  }
  return sum == UINT64_MAX ? 1 : 0;
}
