#include "chronik/format/record_batch.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "unit/stream/stream_harness.h"

namespace chronik::format {
namespace {

using stream_test::numbered_batch;
using stream_test::plain_batch;
using stream_test::with_bytes;
using stream_test::with_field;

// Made by another implementation: one record with key 1 2 3 4, value 5 6 7 and a header.
const std::string kForeignBatch = [] {
  constexpr unsigned char kBytes[] = {
      0,  0,   0,  0,   0,   0,   0,  0,   // base offset
      0,  0,   0,  70,                     // length
      0,  0,   0,  0,                      // leader epoch
      2,                                   // magic
      84, 121, 97, 253,                    // CRC
      0,  0,                               // attributes
      0,  0,   0,  0,                      // last offset delta
      0,  0,   1,  88,  141, 205, 89, 56,  // base timestamp
      0,  0,   0,  0,   0,   0,   0,  0,   // max timestamp
      0,  0,   0,  0,   0,   0,   0,  0,   // producer id
      0,  0,                               // producer epoch
      0,  0,   0,  0,                      // base sequence
      0,  0,   0,  1,                      // record count
      40,                                  // length of the record
      0,                                   // attributes
      10,                                  // timestamp delta
      0,                                   // offset delta
      8,  1,   2,  3,   4,                 // key
      6,  5,   6,  7,                      // value
      2,                                   // header count
      6,  8,   9,  10,  4,   11,  12,      // header
  };
  return std::string(reinterpret_cast<const char*>(kBytes), sizeof kBytes);
}();

int32_t verdict(std::string_view batch, size_t max_bytes = kDefaultMaxBatchBytes) {
  const Status status = validate(batch, max_bytes);
  if (status.ok()) return 0;
  CHECK(status.code() == CHRONIK_E_INVALID_ARGUMENT);
  CHECK_FALSE(status.message().empty());
  return status.detail();
}

TEST_CASE("a batch of another implementation is valid and readable") {
  CHECK(verdict(kForeignBatch) == 0);
  CHECK(validate_records(kForeignBatch).ok());
  RecordReader reader(kForeignBatch);
  Record record;
  REQUIRE(reader.next(record));
  CHECK(record.offset == 0);
  CHECK(record.timestamp_ms == 1479847795000 + 5);
  CHECK(record.key == "\x01\x02\x03\x04");
  CHECK(record.value == "\x05\x06\x07");
  CHECK(record.header_count == 1);
  CHECK(record.headers == "\x06\x08\x09\x0a\x04\x0b\x0c");
  CHECK_FALSE(reader.next(record));
  CHECK(reader.status().ok());
}

TEST_CASE("what a builder makes is read back with offsets times keys and values") {
  RecordBatchBuilder builder;
  REQUIRE(builder.append("key", "value", 1000));
  REQUIRE(builder.append({}, "", 990));
  REQUIRE(builder.append("", {}, 2000));
  CHECK(builder.count() == 3);
  std::string batch(builder.finish(5, 2, 100));
  CHECK(batch.size() == builder.size());
  CHECK(verdict(batch) == 0);
  CHECK(validate_records(batch).ok());

  const RecordBatchHeader header = RecordBatchHeader::decode(batch);
  CHECK(header.base_timestamp == 1000);
  CHECK(header.max_timestamp == 2000);
  CHECK(header.producer_id == 5);
  CHECK(header.producer_epoch == 2);
  CHECK(header.base_sequence == 100);
  CHECK(header.last_sequence() == 102);
  CHECK(header.record_count == 3);

  set_base_offset(batch.data(), 40);
  RecordReader reader(batch);
  Record record;
  REQUIRE(reader.next(record));
  CHECK((record.offset == 40 && record.timestamp_ms == 1000));
  CHECK((record.key == "key" && record.value == "value"));
  REQUIRE(reader.next(record));
  CHECK((record.offset == 41 && record.timestamp_ms == 990));
  CHECK((!record.key.has_value() && record.value == ""));
  REQUIRE(reader.next(record));
  CHECK((record.offset == 42 && record.timestamp_ms == 2000));
  CHECK((record.key == "" && !record.value.has_value()));
  CHECK_FALSE(reader.next(record));
  CHECK(reader.status().ok());
}

TEST_CASE("the worked example of the documentation holds for batches") {
  RecordBatchBuilder builder;
  builder.append("k", "hello", 1'700'000'000'000);
  builder.append({}, "world", 1'700'000'000'007);
  std::string batch(builder.finish(7, 0, 0));
  set_base_offset(batch.data(), 42);
  set_leader_epoch(batch.data(), 3);
  std::string hex;
  for (const char c : batch) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<uint8_t>(c) >> 4];
    hex += kDigits[static_cast<uint8_t>(c) & 15];
  }
  CHECK(hex ==
        "000000000000002a0000004a00000003028b366b3b0000000000010000018bcfe568000000018bcfe56807"
        "00000000000000070000000000000000000218000000026b0a68656c6c6f0016000e02010a776f726c6400");
}

TEST_CASE("values of any bytes and any size survive") {
  std::mt19937_64 random(7);
  RecordBatchBuilder builder(8 << 20);
  std::vector<std::string> values;
  for (const size_t size : {0u, 1u, 63u, 64u, 8191u, 8192u, 100'000u, 1'048'576u}) {
    std::string value(size, '\0');
    for (char& c : value) c = static_cast<char>(random());
    REQUIRE(builder.append({}, value, 0));
    values.push_back(std::move(value));
  }
  const std::string batch(builder.finish());
  RecordReader reader(batch);
  size_t i = 0;
  for (Record record; reader.next(record); ++i) CHECK(record.value == values[i]);
  CHECK(i == values.size());
  CHECK(reader.status().ok());
}

TEST_CASE("a builder never exceeds its size and leaves a full batch unchanged") {
  RecordBatchBuilder builder(1000);
  int accepted = 0;
  while (builder.append("k", "twenty bytes of data", 1000 + accepted)) ++accepted;
  CHECK(accepted > 25);
  CHECK(builder.count() == accepted);
  CHECK(builder.size() <= 1000);
  CHECK(builder.size() > 970);
  CHECK(verdict(builder.finish(), 1000) == 0);
  builder.clear();
  CHECK(builder.empty());
  CHECK_FALSE(builder.append({}, std::string(1000, 'x'), 0));
  CHECK(builder.empty());
  CHECK(builder.append({}, std::string(900, 'x'), 0));
  CHECK(verdict(builder.finish(), 1000) == 0);
}

TEST_CASE("a record that just fits is taken and one byte more is not") {
  const size_t overhead = [] {
    RecordBatchBuilder builder;
    builder.append({}, std::string(500, 'x'), 0);
    return builder.size() - 500;
  }();
  RecordBatchBuilder builder(overhead + 500);
  CHECK_FALSE(builder.append({}, std::string(501, 'x'), 0));
  CHECK(builder.append({}, std::string(500, 'x'), 0));
  CHECK(builder.size() == overhead + 500);
}

TEST_CASE("a batch can be finished again with other producer numbers") {
  RecordBatchBuilder builder;
  builder.append({}, "value", 0);
  const std::string first(builder.finish());
  const std::string second(builder.finish(9, 1, 17));
  CHECK(verdict(first) == 0);
  CHECK(verdict(second) == 0);
  CHECK(RecordBatchHeader::decode(second).base_sequence == 17);
}

TEST_CASE("base offset and leader epoch lie outside the checksum") {
  std::string batch = plain_batch(3);
  set_base_offset(batch.data(), 0x0102030405060708);
  set_leader_epoch(batch.data(), 0x0a0b0c0d);
  CHECK(verdict(batch) == 0);
  const RecordBatchHeader header = RecordBatchHeader::decode(batch);
  CHECK(header.base_offset == 0x0102030405060708);
  CHECK(header.leader_epoch == 0x0a0b0c0d);
  CHECK(header.last_offset() == 0x010203040506070a);
  CHECK(batch.substr(0, 8) == "\x01\x02\x03\x04\x05\x06\x07\x08");
}

TEST_CASE("any flipped bit behind the length is noticed unless the leader overwrites it") {
  const std::string batch = plain_batch(2);
  for (size_t at = kBatchLengthAt; at < batch.size(); ++at) {
    if (at >= kLeaderEpochAt && at < kMagicAt) continue;
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = batch;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      CHECK(verdict(damaged) != 0);
    }
  }
}

TEST_CASE("a damaged byte is a corrupt message") {
  std::string batch = plain_batch();
  batch.back() ^= 1;
  CHECK(verdict(batch) == kafka_error::kCorruptMessage);
}

TEST_CASE("every cut of a batch is refused") {
  const std::string batch = plain_batch(2);
  for (size_t size = 0; size < batch.size(); ++size) {
    CHECK(verdict(std::string_view(batch).substr(0, size)) == kafka_error::kCorruptMessage);
  }
}

TEST_CASE("two batches at once are refused") {
  CHECK(verdict(plain_batch() + plain_batch()) == kafka_error::kInvalidRecord);
  CHECK(verdict(plain_batch() + "x") == kafka_error::kInvalidRecord);
}

TEST_CASE("a batch above the limit is too large and one at the limit is not") {
  const std::string batch = plain_batch();
  CHECK(verdict(batch, batch.size()) == 0);
  CHECK(verdict(batch, batch.size() - 1) == kafka_error::kMessageTooLarge);
}

TEST_CASE("other record formats are refused") {
  for (const int8_t magic : {0, 1, 3, -1}) {
    CHECK(verdict(with_field<int8_t>(plain_batch(), kMagicAt, magic)) ==
          kafka_error::kInvalidRecord);
  }
}

TEST_CASE("counts that disagree are refused") {
  CHECK(verdict(with_field<int32_t>(plain_batch(3), kLastOffsetDeltaAt, 3)) ==
        kafka_error::kInvalidRecord);
  CHECK(verdict(with_field<int32_t>(plain_batch(3), kLastOffsetDeltaAt, -1)) ==
        kafka_error::kInvalidRecord);
  CHECK(verdict(with_field<int32_t>(plain_batch(3), kRecordCountAt, 0)) ==
        kafka_error::kInvalidRecord);
  CHECK(verdict(with_field<int32_t>(plain_batch(3), kRecordCountAt, -3)) ==
        kafka_error::kInvalidRecord);
}

TEST_CASE("control and transactional batches are refused and append times too") {
  const auto with_attributes = [](uint16_t attributes) {
    return with_field<uint16_t>(plain_batch(), kAttributesAt, attributes);
  };
  CHECK(verdict(with_attributes(kControlBit)) == kafka_error::kInvalidRecord);
  CHECK(verdict(with_attributes(kTransactionalBit)) == kafka_error::kInvalidRecord);
  CHECK(verdict(with_attributes(kLogAppendTimeBit)) == kafka_error::kInvalidTimestamp);
}

TEST_CASE("the four codecs pass and others are refused") {
  for (uint16_t codec = 0; codec < 8; ++codec) {
    CHECK(verdict(with_field<uint16_t>(plain_batch(), kAttributesAt, codec)) ==
          (codec <= 4 ? 0 : kafka_error::kUnsupportedCompressionType));
  }
}

TEST_CASE("a producer must number its batches") {
  CHECK(verdict(with_field<int32_t>(numbered_batch(5, 0), kBaseSequenceAt, -1)) ==
        kafka_error::kInvalidRecord);
  CHECK(verdict(with_field<int16_t>(numbered_batch(5, 0), kProducerEpochAt, -1)) ==
        kafka_error::kInvalidRecord);
}

TEST_CASE("a compressed batch can't be read here but isn't refused for its records") {
  const std::string batch = with_field<uint16_t>(plain_batch(), kAttributesAt, 4);
  CHECK(validate_records(batch).ok());
  RecordReader reader(batch);
  Record record;
  CHECK_FALSE(reader.next(record));
  CHECK(reader.status().code() == CHRONIK_E_UNIMPLEMENTED);
  CHECK(reader.status().message() == "records compressed with zstd can't be read here");
}

TEST_CASE("malformed records are refused") {
  const std::string batch =
      plain_batch(2);  // each: length attributes times delta key value headers
  const auto refused = [](const std::string& bytes) {
    const Status status = validate_records(bytes);
    return status.code() == CHRONIK_E_INVALID_ARGUMENT &&
           status.detail() == kafka_error::kInvalidRecord;
  };
  CHECK(refused(with_bytes(batch, kHeaderBytes, "\x7e")));       // longer than the batch
  CHECK(refused(with_bytes(batch, kHeaderBytes, "\x01")));       // negative length
  CHECK(refused(with_bytes(batch, kHeaderBytes + 4, "\x03")));   // key length -2
  CHECK(refused(with_bytes(batch, kHeaderBytes + 5, "\x7e")));   // value longer than the record
  CHECK(refused(with_bytes(batch, kHeaderBytes + 3, "\x02")));   // offset delta 1 at record 0
  CHECK(refused(with_bytes(batch, kHeaderBytes + 3, "\x01")));   // offset delta -1
  CHECK(refused(with_bytes(batch, kHeaderBytes + 11, "\x02")));  // a header that isn't there
  CHECK(refused(with_field<int32_t>(                             // a record that isn't there
      with_field<int32_t>(batch, kRecordCountAt, 3), kLastOffsetDeltaAt, 2)));
  CHECK(refused(with_field<int32_t>(  // a record too many
      with_field<int32_t>(batch, kRecordCountAt, 1), kLastOffsetDeltaAt, 0)));
}

TEST_CASE("a reader stays in bounds on any bytes") {
  std::mt19937 random(42);
  const std::string valid = plain_batch(20);
  for (int round = 0; round < 20'000; ++round) {
    // A copy on the heap of exactly this size, so that sanitizers see a step too far.
    std::string bytes =
        valid.substr(0, kHeaderBytes + random() % (valid.size() - kHeaderBytes + 1));
    for (int i = static_cast<int>(random() % 6); i > 0; --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    detail::store<int32_t>(bytes.data() + kBatchLengthAt,
                           static_cast<int32_t>(bytes.size() - kBatchLengthExcludes));
    RecordReader reader(bytes);
    int count = 0;
    for (Record record; reader.next(record); ++count) {
      if (record.value.has_value() && !record.value->empty()) {
        CHECK(record.value->data() >= bytes.data());
        CHECK(record.value->data() + record.value->size() <= bytes.data() + bytes.size());
      }
    }
    if (reader.status().ok()) CHECK(count == reader.header().record_count);
  }
}

TEST_CASE("the size of the batch in front is known once its end is there") {
  const std::string batch = plain_batch(2);
  CHECK(front_batch_size(batch) == batch.size());
  CHECK(front_batch_size(batch + "more") == batch.size());
  CHECK(front_batch_size(std::string_view(batch).substr(0, batch.size() - 1)) == 0);
  CHECK(front_batch_size("") == 0);
  std::string negative = batch;
  detail::store<int32_t>(negative.data() + kBatchLengthAt, -5);
  CHECK(front_batch_size(negative) == 0);
}

TEST_CASE("varints of all sizes survive and overlong ones are refused") {
  for (const int64_t value : {int64_t{0}, int64_t{-1}, int64_t{1}, int64_t{63}, int64_t{64},
                              int64_t{-64}, int64_t{-65}, int64_t{1} << 40, INT64_MAX, INT64_MIN}) {
    char bytes[detail::kMaxVarintBytes];
    const char* end = detail::put_varint(bytes, value);
    CHECK(static_cast<size_t>(end - bytes) == detail::varint_size(value));
    std::string_view rest(bytes, static_cast<size_t>(end - bytes));
    int64_t read = 0;
    REQUIRE(detail::take_varint(rest, read));
    CHECK(read == value);
    CHECK(rest.empty());
  }
  int64_t value = 0;
  std::string_view overlong("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 10);
  CHECK_FALSE(detail::take_varint(overlong, value));
  std::string_view endless("\x80\x80\x80", 3);
  CHECK_FALSE(detail::take_varint(endless, value));
}

TEST_CASE("sequence numbers wrap to zero after the largest") {
  CHECK(next_sequence(0) == 1);
  CHECK(next_sequence(INT32_MAX) == 0);
  CHECK(sequence_plus(INT32_MAX, 1) == 0);
  CHECK(sequence_plus(INT32_MAX - 1, 3) == 1);
  CHECK(sequence_plus(5, 0) == 5);
}

}  // namespace
}  // namespace chronik::format
