// Record batches from hostile producers: nothing reads out of bounds, and what is accepted can be
// read to its end. The first byte of the input says whether length, checksum and counts are made
// right first, so that the records behind them are reached.
#include <cstdlib>
#include <string>

#include "chronik/format/record_batch.hpp"

namespace format = chronik::format;

namespace {

void require(bool claim) {
  if (!claim) std::abort();
}

void repair(std::string& batch) {
  char* at = batch.data();
  format::detail::store<int32_t>(at + format::kBatchLengthAt,
                                 static_cast<int32_t>(batch.size() - format::kBatchLengthExcludes));
  format::detail::store<int8_t>(at + format::kMagicAt, format::kMagic);
  const auto count = static_cast<int32_t>(
      format::detail::load<uint32_t>(at + format::kRecordCountAt) % (batch.size() + 1));
  format::detail::store<int32_t>(at + format::kRecordCountAt, count);
  format::detail::store<int32_t>(at + format::kLastOffsetDeltaAt, count - 1);
  format::detail::store<uint32_t>(
      at + format::kCrcAt,
      chronik::sdk::crc32c(at + format::kAttributesAt, batch.size() - format::kAttributesAt));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string batch(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0 && batch.size() >= format::kHeaderBytes) repair(batch);

  format::RecordReader reader(batch);
  int32_t count = 0;
  for (format::Record record; reader.next(record); ++count) {
    for (const auto& field : {record.key, record.value}) {
      if (!field.has_value()) continue;
      require(field->data() >= batch.data());
      require(field->data() + field->size() <= batch.data() + batch.size());
    }
  }
  if (reader.status().ok()) require(count == reader.header().record_count);

  if (format::validate(batch).ok()) {
    require(format::front_batch_size(batch) == batch.size());
    const auto header = format::RecordBatchHeader::decode(batch);
    require(header.record_count > 0);
    if (format::validate_records(batch).ok() && header.codec() == 0) {
      require(reader.status().ok());
      require(count == header.record_count);
    }
    format::set_base_offset(batch.data(), INT64_MAX);
    format::set_leader_epoch(batch.data(), -1);
    require(format::validate(batch).ok());
    format::RecordReader again(batch);
    for (format::Record record; again.next(record);) {
    }
  }
  return 0;
}
