// Kafka's RecordBatch v2 ("magic 2"): the bytes that a stream's producers send, that its log keeps
// and that its consumers get. Header-only, for frontends, state machines, tools and clients.
//
//   RecordBatchBuilder   makes an uncompressed batch of records
//   validate()           what a leader checks before it takes a producer's batch, cheap
//   validate_records()   the same for the records inside, where they can be read
//   RecordBatchHeader    the decoded header
//   set_base_offset(), set_leader_epoch()
//                        the two fields that a leader fills in; both lie outside the checksum
//   RecordReader         steps through the records of an uncompressed batch
//   next_sequence(), sequence_plus()
//                        arithmetic of producers' sequence numbers
//
// A batch is never encoded anew once its producer has made it. docs/formats/record_batch.md
// describes it byte by byte. Nothing here throws but std::bad_alloc, and no input makes it read
// out of bounds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "chronik/sdk/base.hpp"
#include "chronik/sdk/crc32c.hpp"

namespace chronik::format {
inline namespace v0 {

using sdk::Status;

// Kafka's error codes as statuses of records carry them in `detail`.
namespace kafka_error {
inline constexpr int32_t kOffsetOutOfRange = 1;
inline constexpr int32_t kCorruptMessage = 2;
inline constexpr int32_t kMessageTooLarge = 10;
inline constexpr int32_t kInvalidTimestamp = 32;
inline constexpr int32_t kOutOfOrderSequenceNumber = 45;
inline constexpr int32_t kInvalidProducerEpoch = 47;
inline constexpr int32_t kUnsupportedCompressionType = 76;
inline constexpr int32_t kInvalidRecord = 87;
}  // namespace kafka_error

// ---- Layout: all integers are big-endian
// ---------------------------------------------------------

inline constexpr size_t kBaseOffsetAt = 0;        // i64
inline constexpr size_t kBatchLengthAt = 8;       // i32, bytes behind this field
inline constexpr size_t kLeaderEpochAt = 12;      // i32
inline constexpr size_t kMagicAt = 16;            // i8, 2
inline constexpr size_t kCrcAt = 17;              // u32, CRC-32C of what follows
inline constexpr size_t kAttributesAt = 21;       // i16
inline constexpr size_t kLastOffsetDeltaAt = 23;  // i32
inline constexpr size_t kBaseTimestampAt = 27;    // i64, milliseconds since 1970
inline constexpr size_t kMaxTimestampAt = 35;     // i64
inline constexpr size_t kProducerIdAt = 43;       // i64, -1: none
inline constexpr size_t kProducerEpochAt = 51;    // i16
inline constexpr size_t kBaseSequenceAt = 53;     // i32
inline constexpr size_t kRecordCountAt = 57;      // i32
inline constexpr size_t kHeaderBytes = 61;

// BatchLength doesn't count itself and what stands before it.
inline constexpr size_t kBatchLengthExcludes = 12;
inline constexpr int8_t kMagic = 2;

inline constexpr uint16_t kCodecMask = 0x07;  // 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
inline constexpr uint16_t kLogAppendTimeBit = 0x08;
inline constexpr uint16_t kTransactionalBit = 0x10;
inline constexpr uint16_t kControlBit = 0x20;

inline constexpr int64_t kNoProducerId = -1;
inline constexpr int16_t kNoProducerEpoch = -1;
inline constexpr int32_t kNoSequence = -1;

// Kafka's default for the largest batch: 1 MiB of records and the first 12 bytes.
inline constexpr size_t kDefaultMaxBatchBytes = 1048588;

// ---- Numbers
// -------------------------------------------------------------------------------------

namespace detail {

template <typename Int>
Int load(const char* at) {
  std::make_unsigned_t<Int> value = 0;
  for (size_t i = 0; i < sizeof(Int); ++i) {
    value = static_cast<std::make_unsigned_t<Int>>(value << (sizeof(Int) > 1 ? 8 : 0)) |
            static_cast<uint8_t>(at[i]);
  }
  return static_cast<Int>(value);
}

template <typename Int>
void store(char* at, Int value) {
  auto rest = static_cast<std::make_unsigned_t<Int>>(value);
  for (size_t i = sizeof(Int); i-- > 0;) {
    at[i] = static_cast<char>(rest & 0xff);
    rest = static_cast<std::make_unsigned_t<Int>>(rest >> (sizeof(Int) > 1 ? 8 : 0));
  }
}

constexpr uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
}
constexpr size_t varint_size(int64_t value) {
  size_t size = 1;
  for (uint64_t rest = zigzag(value); rest >= 0x80; rest >>= 7) ++size;
  return size;
}
inline constexpr size_t kMaxVarintBytes = 10;
// Returns the end of what it wrote; `at` has room for kMaxVarintBytes.
inline char* put_varint(char* at, int64_t value) {
  uint64_t rest = zigzag(value);
  for (; rest >= 0x80; rest >>= 7) *at++ = static_cast<char>(rest | 0x80);
  *at++ = static_cast<char>(rest);
  return at;
}
// Reads a zigzag varint of at most 64 bits at the front of `bytes` and steps over it.
inline bool take_varint(std::string_view& bytes, int64_t& value) {
  uint64_t result = 0;
  for (size_t i = 0; i < bytes.size() && i < kMaxVarintBytes; ++i) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    if (i + 1 == kMaxVarintBytes && byte > 1) return false;
    result |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      bytes.remove_prefix(i + 1);
      value = unzigzag(result);
      return true;
    }
  }
  return false;
}
// Takes a length (-1: absent) and as many bytes.
inline bool take_bytes(std::string_view& bytes, std::optional<std::string_view>& value) {
  int64_t size = 0;
  if (!take_varint(bytes, size) || size < -1) return false;
  if (size == -1) {
    value.reset();
    return true;
  }
  if (static_cast<uint64_t>(size) > bytes.size()) return false;
  value = bytes.substr(0, static_cast<size_t>(size));
  bytes.remove_prefix(static_cast<size_t>(size));
  return true;
}
// Sums of numbers that came from outside: wrap, never undefined.
constexpr int64_t wrapping_add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
constexpr int64_t wrapping_subtract(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

}  // namespace detail

// Sequence numbers count records from 0 to 2^31-1 and then begin at 0 again.
constexpr int32_t sequence_plus(int32_t sequence, int32_t records) {
  return static_cast<int32_t>((static_cast<uint32_t>(sequence) + static_cast<uint32_t>(records)) &
                              0x7fffffffu);
}
constexpr int32_t next_sequence(int32_t last) {
  return sequence_plus(last, 1);
}

// ---- Header
// --------------------------------------------------------------------------------------

struct RecordBatchHeader {
  int64_t base_offset = 0;
  int32_t batch_length = 0;
  int32_t leader_epoch = 0;
  int8_t magic = 0;
  uint32_t crc = 0;
  uint16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp = 0;
  int64_t max_timestamp = 0;
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;
  int32_t record_count = 0;

  // Pre: batch.size() >= kHeaderBytes. Checks nothing else.
  static RecordBatchHeader decode(std::string_view batch) {
    const char* at = batch.data();
    RecordBatchHeader header;
    header.base_offset = detail::load<int64_t>(at + kBaseOffsetAt);
    header.batch_length = detail::load<int32_t>(at + kBatchLengthAt);
    header.leader_epoch = detail::load<int32_t>(at + kLeaderEpochAt);
    header.magic = detail::load<int8_t>(at + kMagicAt);
    header.crc = detail::load<uint32_t>(at + kCrcAt);
    header.attributes = detail::load<uint16_t>(at + kAttributesAt);
    header.last_offset_delta = detail::load<int32_t>(at + kLastOffsetDeltaAt);
    header.base_timestamp = detail::load<int64_t>(at + kBaseTimestampAt);
    header.max_timestamp = detail::load<int64_t>(at + kMaxTimestampAt);
    header.producer_id = detail::load<int64_t>(at + kProducerIdAt);
    header.producer_epoch = detail::load<int16_t>(at + kProducerEpochAt);
    header.base_sequence = detail::load<int32_t>(at + kBaseSequenceAt);
    header.record_count = detail::load<int32_t>(at + kRecordCountAt);
    return header;
  }

  unsigned codec() const { return attributes & kCodecMask; }
  bool has_producer() const { return producer_id >= 0; }
  int64_t last_offset() const { return detail::wrapping_add(base_offset, last_offset_delta); }
  // Of a batch with a producer.
  int32_t last_sequence() const { return sequence_plus(base_sequence, last_offset_delta); }
};

inline std::string_view codec_name(unsigned codec) {
  constexpr std::array<std::string_view, 5> kNames = {"none", "gzip", "snappy", "lz4", "zstd"};
  return codec < kNames.size() ? kNames[codec] : std::string_view("unknown");
}

// Pre for both: `batch` has kHeaderBytes at least.
inline void set_base_offset(void* batch, int64_t offset) {
  detail::store(static_cast<char*>(batch) + kBaseOffsetAt, offset);
}
inline void set_leader_epoch(void* batch, int32_t epoch) {
  detail::store(static_cast<char*>(batch) + kLeaderEpochAt, epoch);
}

// Size of the batch at the front of `bytes`, which may hold more; 0 if its end isn't there or its
// length makes no sense.
inline size_t front_batch_size(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return 0;
  const auto length = detail::load<int32_t>(bytes.data() + kBatchLengthAt);
  if (length < static_cast<int32_t>(kHeaderBytes - kBatchLengthExcludes)) return 0;
  const size_t size = kBatchLengthExcludes + static_cast<size_t>(length);
  return size <= bytes.size() ? size : 0;
}

// ---- Checks
// --------------------------------------------------------------------------------------

namespace detail {
inline Status refused(int32_t kafka_code, std::string message) {
  return {CHRONIK_E_INVALID_ARGUMENT, std::move(message), kafka_code};
}
inline std::string text(int64_t number) {
  return std::to_string(number);
}
}  // namespace detail

// Whether `bytes` are exactly one batch that a producer may send: sizes, version, checksum, counts,
// attributes. INVALID_ARGUMENT otherwise, with Kafka's code in detail: 10 larger than max_bytes,
// 2 damaged or cut off, 76 unknown codec, 32 append time claimed by a producer, 87 all else.
// Base offset and leader epoch may be anything: the leader overwrites them. Doesn't look at the
// records. Cost: one pass for the checksum.
inline Status validate(std::string_view bytes, size_t max_bytes = kDefaultMaxBatchBytes) {
  using detail::refused;
  using detail::text;
  if (bytes.size() > max_bytes) {
    return refused(kafka_error::kMessageTooLarge, "the batch has " + std::to_string(bytes.size()) +
                                                      " bytes; at most " +
                                                      std::to_string(max_bytes) + " are accepted");
  }
  if (bytes.size() < kHeaderBytes) {
    return refused(kafka_error::kCorruptMessage, "a batch has at least " + text(kHeaderBytes) +
                                                     " bytes; found " +
                                                     std::to_string(bytes.size()));
  }
  const RecordBatchHeader header = RecordBatchHeader::decode(bytes);
  if (header.magic != kMagic) {
    return refused(kafka_error::kInvalidRecord,
                   "record format (magic) 2 expected; found " + text(header.magic));
  }
  const int64_t size = int64_t{header.batch_length} + int64_t{kBatchLengthExcludes};
  if (size < int64_t{kHeaderBytes}) {
    return refused(kafka_error::kCorruptMessage, "the batch gives its size as " + text(size) +
                                                     " bytes, less than its header has");
  }
  if (static_cast<uint64_t>(size) > bytes.size()) {
    return refused(kafka_error::kCorruptMessage, "the batch is cut off: it gives its size as " +
                                                     text(size) + " bytes; found " +
                                                     std::to_string(bytes.size()));
  }
  if (static_cast<uint64_t>(size) < bytes.size()) {
    return refused(kafka_error::kInvalidRecord,
                   "exactly one batch expected; found " +
                       std::to_string(bytes.size() - static_cast<uint64_t>(size)) +
                       " bytes behind its end");
  }
  const uint32_t crc = sdk::crc32c(bytes.data() + kAttributesAt, bytes.size() - kAttributesAt);
  if (crc != header.crc) {
    return refused(kafka_error::kCorruptMessage,
                   "the batch's CRC-32C is " + text(crc) + "; its header says " + text(header.crc));
  }
  if (header.record_count <= 0) {
    return refused(kafka_error::kInvalidRecord,
                   "a batch holds at least one record; found " + text(header.record_count));
  }
  if (header.last_offset_delta != header.record_count - 1) {
    return refused(kafka_error::kInvalidRecord,
                   "last offset delta " + text(header.record_count - 1) + " expected for " +
                       text(header.record_count) + " records; found " +
                       text(header.last_offset_delta));
  }
  if ((header.attributes & kControlBit) != 0) {
    return refused(kafka_error::kInvalidRecord, "producers can't write control batches");
  }
  if ((header.attributes & kTransactionalBit) != 0) {
    return refused(kafka_error::kInvalidRecord, "transactions aren't supported");
  }
  if ((header.attributes & kLogAppendTimeBit) != 0) {
    return refused(kafka_error::kInvalidTimestamp,
                   "producers give creation times; found timestamp type log append time");
  }
  if (header.codec() > 4) {
    return refused(
        kafka_error::kUnsupportedCompressionType,
        "codec none, gzip, snappy, lz4 or zstd (0 to 4) expected; found " + text(header.codec()));
  }
  if (header.has_producer() && (header.base_sequence < 0 || header.producer_epoch < 0)) {
    return refused(kafka_error::kInvalidRecord, "producer " + text(header.producer_id) +
                                                    " must number its batches; found epoch " +
                                                    text(header.producer_epoch) + ", sequence " +
                                                    text(header.base_sequence));
  }
  return {};
}

// ---- Reading
// -------------------------------------------------------------------------------------

struct Record {
  int64_t offset = 0;
  int64_t timestamp_ms = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  int32_t offset_delta = 0;
  int32_t header_count = 0;
  std::string_view headers;  // encoded; well-formed
};

// Steps through the records of one uncompressed batch; views point into the batch.
//
//   RecordReader reader(batch);
//   for (Record record; reader.next(record);) use(record);
//   if (!reader.status().ok()) ...
//
// Doesn't verify the checksum (validate() does); malformed bytes end the reading with DATA_LOSS,
// a compressed batch with UNIMPLEMENTED.
class RecordReader {
 public:
  explicit RecordReader(std::string_view batch) : status_(open(batch)) {}

  // False at the end of the batch, and at the first error.
  bool next(Record& record) {
    if (left_ == 0) {
      if (status_.ok() && !rest_.empty()) status_ = damaged("bytes follow its last record");
      return false;
    }
    const int32_t position = header_.record_count - left_;
    if (!take(record)) {
      left_ = 0;
      rest_ = {};
      status_ = damaged("record " + std::to_string(position) + " is malformed");
      return false;
    }
    --left_;
    return true;
  }

  // OK as long as all was well.
  const Status& status() const { return status_; }
  const RecordBatchHeader& header() const { return header_; }

 private:
  Status open(std::string_view batch) {
    const size_t size = front_batch_size(batch);
    if (size == 0 || size != batch.size()) return damaged("its size and its header disagree");
    header_ = RecordBatchHeader::decode(batch);
    if (header_.magic != kMagic) return damaged("its record format (magic) isn't 2");
    if (header_.record_count < 0) return damaged("its record count is negative");
    if (header_.codec() != 0) {
      return {CHRONIK_E_UNIMPLEMENTED, "records compressed with " +
                                           std::string(codec_name(header_.codec())) +
                                           " can't be read here"};
    }
    rest_ = batch.substr(kHeaderBytes);
    left_ = header_.record_count;
    return {};
  }
  bool take(Record& record) {
    int64_t size = 0;
    if (!detail::take_varint(rest_, size)) return false;
    if (size < 0 || static_cast<uint64_t>(size) > rest_.size()) return false;
    std::string_view body = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(static_cast<size_t>(size));

    if (body.empty()) return false;
    body.remove_prefix(1);  // attributes: none are defined
    int64_t timestamp_delta = 0;
    int64_t offset_delta = 0;
    int64_t header_count = 0;
    if (!detail::take_varint(body, timestamp_delta)) return false;
    if (!detail::take_varint(body, offset_delta)) return false;
    if (offset_delta < 0 || offset_delta > header_.last_offset_delta) return false;
    if (!detail::take_bytes(body, record.key)) return false;
    if (!detail::take_bytes(body, record.value)) return false;
    // Each header takes two bytes at least, so a count beyond that is nonsense.
    if (!detail::take_varint(body, header_count)) return false;
    if (header_count < 0 || static_cast<uint64_t>(header_count) > body.size() / 2) return false;
    record.headers = body;
    for (int64_t i = 0; i < header_count; ++i) {
      std::optional<std::string_view> name;
      std::optional<std::string_view> value;
      if (!detail::take_bytes(body, name) || !name.has_value()) return false;
      if (!detail::take_bytes(body, value)) return false;
    }
    if (!body.empty()) return false;

    record.offset_delta = static_cast<int32_t>(offset_delta);
    record.header_count = static_cast<int32_t>(header_count);
    record.offset = detail::wrapping_add(header_.base_offset, offset_delta);
    record.timestamp_ms = (header_.attributes & kLogAppendTimeBit) != 0
                              ? header_.max_timestamp
                              : detail::wrapping_add(header_.base_timestamp, timestamp_delta);
    return true;
  }
  static Status damaged(std::string what) {
    return {CHRONIK_E_DATA_LOSS, "damaged record batch: " + std::move(what),
            kafka_error::kCorruptMessage};
  }

  RecordBatchHeader header_;
  std::string_view rest_;
  int32_t left_ = 0;
  Status status_;
};

// Whether the records of a batch that passed validate() can be read and are numbered 0, 1, 2, ...
// INVALID_ARGUMENT with detail 87 otherwise. A compressed batch passes: what is inside is between
// producers and consumers.
inline Status validate_records(std::string_view batch) {
  if ((detail::load<uint16_t>(batch.data() + kAttributesAt) & kCodecMask) != 0) return {};
  RecordReader reader(batch);
  int32_t expected = 0;
  for (Record record; reader.next(record); ++expected) {
    if (record.offset_delta != expected) {
      return detail::refused(kafka_error::kInvalidRecord, "offset delta " + detail::text(expected) +
                                                              " expected; found " +
                                                              detail::text(record.offset_delta));
    }
  }
  if (!reader.status().ok()) {
    return detail::refused(kafka_error::kInvalidRecord, reader.status().message());
  }
  return {};
}

// ---- Writing
// -------------------------------------------------------------------------------------

// Collects records into one uncompressed batch. Used again and again, it keeps its buffer.
//
//   RecordBatchBuilder builder(max_bytes);
//   while (builder.append({}, line, now_ms)) ...   // false: full; finish, clear, append again
//   send(builder.finish());
//   builder.clear();
//
// Thread: one at a time.
class RecordBatchBuilder {
 public:
  // `max_bytes`: of the finished batch, header included.
  explicit RecordBatchBuilder(size_t max_bytes = kDefaultMaxBatchBytes)
      : max_bytes_(std::min<size_t>(max_bytes, std::numeric_limits<int32_t>::max())) {
    buffer_.resize(kHeaderBytes);
  }

  // Adds a record. False if the batch would become too large; nothing has changed then. If the
  // batch was empty, the record itself is too large. An absent key or value is Kafka's null.
  bool append(std::optional<std::string_view> key, std::optional<std::string_view> value,
              int64_t timestamp_ms) {
    const int64_t timestamp_delta =
        count_ == 0 ? 0 : detail::wrapping_subtract(timestamp_ms, base_timestamp_);
    const size_t key_bytes = key.has_value() ? key->size() : 0;
    const size_t value_bytes = value.has_value() ? value->size() : 0;
    if (key_bytes > max_bytes_ || value_bytes > max_bytes_) return false;
    const int64_t key_length = key.has_value() ? static_cast<int64_t>(key_bytes) : -1;
    const int64_t value_length = value.has_value() ? static_cast<int64_t>(value_bytes) : -1;
    const size_t body = 1 + detail::varint_size(timestamp_delta) + detail::varint_size(count_) +
                        detail::varint_size(key_length) + key_bytes +
                        detail::varint_size(value_length) + value_bytes + 1;
    const size_t size = detail::varint_size(static_cast<int64_t>(body)) + body;
    if (buffer_.size() + size > max_bytes_) return false;

    std::array<char, 1 + 4 * detail::kMaxVarintBytes> head;
    char* at = detail::put_varint(head.data(), static_cast<int64_t>(body));
    *at++ = 0;  // attributes
    at = detail::put_varint(at, timestamp_delta);
    at = detail::put_varint(at, count_);
    at = detail::put_varint(at, key_length);
    buffer_.append(head.data(), static_cast<size_t>(at - head.data()));
    if (key.has_value()) buffer_.append(*key);
    at = detail::put_varint(head.data(), value_length);
    buffer_.append(head.data(), static_cast<size_t>(at - head.data()));
    if (value.has_value()) buffer_.append(*value);
    buffer_.push_back(0);  // no headers

    if (count_ == 0) {
      base_timestamp_ = timestamp_ms;
      max_timestamp_ = timestamp_ms;
    }
    max_timestamp_ = std::max(max_timestamp_, timestamp_ms);
    ++count_;
    return true;
  }

  // Of the finished batch.
  size_t size() const { return buffer_.size(); }
  int32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }

  // Completes the header and returns the batch, valid until the next append, clear or end of the
  // builder. May be called again with other numbers. Pre: not empty.
  std::string_view finish(int64_t producer_id = kNoProducerId,
                          int16_t producer_epoch = kNoProducerEpoch,
                          int32_t base_sequence = kNoSequence) {
    char* at = buffer_.data();
    detail::store<int64_t>(at + kBaseOffsetAt, 0);
    detail::store<int32_t>(at + kBatchLengthAt,
                           static_cast<int32_t>(buffer_.size() - kBatchLengthExcludes));
    detail::store<int32_t>(at + kLeaderEpochAt, -1);
    detail::store<int8_t>(at + kMagicAt, kMagic);
    detail::store<uint16_t>(at + kAttributesAt, 0);
    detail::store<int32_t>(at + kLastOffsetDeltaAt, count_ - 1);
    detail::store<int64_t>(at + kBaseTimestampAt, base_timestamp_);
    detail::store<int64_t>(at + kMaxTimestampAt, max_timestamp_);
    detail::store<int64_t>(at + kProducerIdAt, producer_id);
    detail::store<int16_t>(at + kProducerEpochAt, producer_epoch);
    detail::store<int32_t>(at + kBaseSequenceAt, base_sequence);
    detail::store<int32_t>(at + kRecordCountAt, count_);
    detail::store<uint32_t>(at + kCrcAt,
                            sdk::crc32c(at + kAttributesAt, buffer_.size() - kAttributesAt));
    return buffer_;
  }

  // Empty again, with the buffer kept.
  void clear() {
    buffer_.resize(kHeaderBytes);
    count_ = 0;
    base_timestamp_ = 0;
    max_timestamp_ = 0;
  }

 private:
  size_t max_bytes_;
  std::string buffer_;  // room for the header, then the records
  int32_t count_ = 0;
  int64_t base_timestamp_ = 0;
  int64_t max_timestamp_ = 0;
};

}  // namespace v0
}  // namespace chronik::format
