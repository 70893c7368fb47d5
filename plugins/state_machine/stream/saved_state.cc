#include "saved_state.h"

#include <string>
#include <unordered_set>

#include "chronik/format/record_batch.hpp"

namespace chronik::stream {
namespace {

using format::detail::load;
using format::detail::store;
using sdk::Status;

constexpr uint32_t kMagic = 0x4353544d;  // "CSTM"
constexpr size_t kHeadBytes = 4 + 4 + 8 + 8 + 8 + 4;
constexpr size_t kProducerBytes = 8 + 2 + 2;
constexpr size_t kBatchBytes = 8 + 4 + 4;
constexpr size_t kCrcBytes = 4;
constexpr size_t kPieceBytes = 64 * 1024;

// Collects integers into pieces of moderate size for the sink, and the checksum of them all.
class Writer {
 public:
  explicit Writer(const chronik_sink& sink) : sink_(sink) { piece_.reserve(kPieceBytes + 8); }

  template <typename Int>
  void put(Int value) {
    char bytes[sizeof(Int)];
    store<Int>(bytes, value);
    piece_.append(bytes, sizeof bytes);
    if (piece_.size() >= kPieceBytes) flush();
  }
  int32_t finish() {
    const uint32_t crc = sdk::crc32c(piece_.data(), piece_.size(), crc_);
    put<uint32_t>(crc);
    flush();
    return refusal_;
  }

 private:
  void flush() {
    crc_ = sdk::crc32c(piece_.data(), piece_.size(), crc_);
    if (refusal_ == CHRONIK_OK && !piece_.empty()) {
      refusal_ = sink_.write(sink_.context, sdk::slice(piece_));
    }
    piece_.clear();
  }

  const chronik_sink& sink_;
  std::string piece_;
  uint32_t crc_ = 0;
  int32_t refusal_ = CHRONIK_OK;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  size_t left() const { return rest_.size(); }
  // Pre: left() >= sizeof(Int).
  template <typename Int>
  Int take() {
    const Int value = load<Int>(rest_.data());
    rest_.remove_prefix(sizeof(Int));
    return value;
  }

 private:
  std::string_view rest_;
};

Status damaged(const std::string& what) {
  return {CHRONIK_E_DATA_LOSS, "saved state of a stream is damaged: " + what};
}

Status read_producers(Reader& reader, uint32_t count, StreamState& state) {
  std::unordered_set<int64_t> seen;
  int64_t last_offset = -1;
  for (uint32_t i = 0; i < count; ++i) {
    if (reader.left() < kProducerBytes) return damaged("it ends amid the producers");
    const auto id = reader.take<int64_t>();
    const auto epoch = reader.take<int16_t>();
    const auto batch_count = reader.take<uint16_t>();
    if (id < 0 || epoch < 0 || !seen.insert(id).second) {
      return damaged("a producer's id or epoch is impossible");
    }
    if (batch_count == 0 || batch_count > Producer::kBatchesKept) {
      return damaged("a producer has " + std::to_string(batch_count) + " batches");
    }
    if (reader.left() < batch_count * kBatchBytes) return damaged("it ends amid a producer");
    Producer producer(id, epoch);
    int64_t previous = -1;
    for (uint16_t j = 0; j < batch_count; ++j) {
      ProducerBatch batch;
      batch.base_offset = reader.take<int64_t>();
      batch.first_sequence = reader.take<int32_t>();
      batch.last_sequence = reader.take<int32_t>();
      if (batch.base_offset <= previous || batch.base_offset >= state.next_offset ||
          batch.first_sequence < 0 || batch.last_sequence < 0) {
        return damaged("a producer's batch is impossible");
      }
      previous = batch.base_offset;
      producer.record(epoch, batch);
    }
    if (previous <= last_offset) return damaged("its producers are out of order");
    last_offset = previous;
    state.producers.add(producer);
  }
  return {};
}

}  // namespace

Status write_state(const StreamState& state, const chronik_sink& sink) {
  Writer writer(sink);
  writer.put<uint32_t>(kMagic);
  writer.put<uint32_t>(kStateVersion);
  writer.put<int64_t>(state.start_offset);
  writer.put<int64_t>(state.next_offset);
  writer.put<int64_t>(state.max_time_ms);
  writer.put<uint32_t>(static_cast<uint32_t>(state.producers.size()));
  for (const Producer& producer : state.producers.oldest_first()) {
    writer.put<int64_t>(producer.id());
    writer.put<int16_t>(producer.epoch());
    writer.put<uint16_t>(static_cast<uint16_t>(producer.batch_count()));
    for (size_t i = 0; i < producer.batch_count(); ++i) {
      writer.put<int64_t>(producer.batch(i).base_offset);
      writer.put<int32_t>(producer.batch(i).first_sequence);
      writer.put<int32_t>(producer.batch(i).last_sequence);
    }
  }
  if (const int32_t refusal = writer.finish(); refusal != CHRONIK_OK) {
    return {refusal, "the sink took no more of a stream's state"};
  }
  return {};
}

Status read_state(std::string_view saved, StreamState& state) {
  if (saved.size() < kHeadBytes + kCrcBytes) {
    return damaged(std::to_string(kHeadBytes + kCrcBytes) + " bytes expected at least, found " +
                   std::to_string(saved.size()));
  }
  const std::string_view body = saved.substr(0, saved.size() - kCrcBytes);
  Reader reader(body);
  if (reader.take<uint32_t>() != kMagic) return damaged("it doesn't begin with CSTM");
  if (load<uint32_t>(saved.data() + body.size()) != sdk::crc32c(body.data(), body.size())) {
    return damaged("its checksum is wrong");
  }
  if (const auto version = reader.take<uint32_t>(); version != kStateVersion) {
    return {CHRONIK_E_FAILED_PRECONDITION,
            "saved state of a stream has version " + std::to_string(version) +
                ", this program reads version " + std::to_string(kStateVersion) +
                ": run the program that wrote it, or a later one"};
  }
  state.start_offset = reader.take<int64_t>();
  state.next_offset = reader.take<int64_t>();
  state.max_time_ms = reader.take<int64_t>();
  if (state.start_offset < 0 || state.next_offset < state.start_offset) {
    return damaged("its offsets are impossible");
  }
  const auto producer_count = reader.take<uint32_t>();
  if (Status status = read_producers(reader, producer_count, state); !status.ok()) return status;
  if (reader.left() != 0) return damaged("bytes follow its last producer");
  return {};
}

}  // namespace chronik::stream
