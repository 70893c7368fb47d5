// What a stream saves and what it refuses to restore.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "unit/stream/stream_harness.h"

namespace chronik::stream_test {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(c));
    out += two;
  }
  return out;
}

std::string with_checksum(std::string body) {
  std::string crc(4, '\0');
  format::detail::store<uint32_t>(crc.data(), sdk::crc32c(body.data(), body.size()));
  return body + crc;
}

// The stream whose bytes are in tests/golden: three producers, one with two epochs, one with more
// batches than are kept, and batches without a producer in between.
void fill_golden(StreamUnderTest& stream) {
  uint64_t index = 0;
  for (int i = 0; i < 7; ++i) stream.write(numbered_batch(7, i * 3, 3, 1), ++index);
  stream.write(plain_batch(4, 9000), ++index);
  stream.write(numbered_batch(1'000'000'007, INT32_MAX, 2), ++index);
  stream.write(numbered_batch(8, 0, 1, 0), ++index);
  stream.write(numbered_batch(8, 0, 1, 1), ++index);
  stream.write(numbered_batch(7, 21, 3, 1), ++index);
}

TEST_CASE("a fresh stream saves no more than its bounds") {
  StreamUnderTest stream;
  const std::string saved = stream.save();
  CHECK(saved.size() == 40);
  StreamUnderTest other;
  CHECK(other.restore(saved) == CHRONIK_OK);
  CHECK(other.save() == saved);
}

TEST_CASE("the worked example of the documentation holds") {
  StreamUnderTest stream;
  stream.write(with_field<int64_t>(numbered_batch(7, 0, 3, 1), format::kMaxTimestampAt, 1000), 1);
  const std::string body =
      "4353544d00000001"
      "00000000000000000000000000000003"
      "00000000000003e8"
      "00000001"
      "000000000000000700010001"
      "00000000000000000000000000000002";
  const std::string saved = hex(stream.save());
  CHECK(saved.substr(0, saved.size() - 8) == body);
}

TEST_CASE("state saved by version 1 is restored by every later version") {
  const std::string path = std::string(CHRONIK_GOLDEN_DIRECTORY) + "/stream_state_v1.bin";
  StreamUnderTest filled;
  fill_golden(filled);
  if (std::getenv("CHRONIK_WRITE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << filled.save();
  }
  std::ifstream file(path, std::ios::binary);
  const std::string golden{std::istreambuf_iterator<char>(file), {}};
  REQUIRE(golden.size() == 188);
  CHECK(hex(filled.save()) == hex(golden));

  StreamUnderTest stream;
  std::string message;
  REQUIRE(stream.restore(golden, &message) == CHRONIK_OK);
  CHECK(stream.end() == 32);
  CHECK(stream.save() == golden);
  CHECK(stream.query(CHRONIK_QUERY_LOG_TIME, 9003).answer.kind == CHRONIK_ANSWER_LOG_RANGE);
  CHECK(stream.query(CHRONIK_QUERY_LOG_TIME, 9004).answer.kind == CHRONIK_ANSWER_NOT_YET);
  CHECK(stream.prepare(numbered_batch(7, 21, 3, 1), 20).value == 29);
  CHECK(stream.prepare(numbered_batch(7, 9, 3, 1), 20).value == 9);
  CHECK(stream.prepare(numbered_batch(7, 6, 3, 1), 20).verdict == CHRONIK_PREPARE_REFUSE);
  CHECK(stream.prepare(numbered_batch(8, 0, 1, 1), 20).value == 28);
  CHECK(stream.prepare(numbered_batch(8, 1, 1, 0), 20).verdict == CHRONIK_PREPARE_REFUSE);
  CHECK(stream.prepare(numbered_batch(1'000'000'007, 1), 20).verdict == CHRONIK_PREPARE_PROPOSE);
}

TEST_CASE("a restored stream goes on as if it had never stopped") {
  StreamUnderTest stream;
  fill_golden(stream);
  StreamUnderTest other;
  other.write(numbered_batch(99, 5, 50), 1);
  other.prepare(plain_batch(), 2);
  REQUIRE(other.restore(stream.save()) == CHRONIK_OK);
  CHECK(other.prepare(numbered_batch(99, 5, 50), 20).verdict == CHRONIK_PREPARE_PROPOSE);
  other.on_leadership(1, false);
  for (StreamUnderTest* each : {&stream, &other}) {
    CHECK(each->write(numbered_batch(7, 24, 1, 1), 20).value == 32);
    CHECK(each->write(numbered_batch(8, 1, 2, 1), 21).value == 33);
  }
  CHECK(stream.save() == other.save());
}

TEST_CASE("damage at any byte is data loss and leaves the stream as it was") {
  StreamUnderTest source;
  fill_golden(source);
  const std::string saved = source.save();
  StreamUnderTest stream;
  stream.write(numbered_batch(3, 0, 2), 1);
  const std::string before = stream.save();
  for (size_t at = 0; at < saved.size(); ++at) {
    std::string damaged = saved;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    CHECK(stream.restore(damaged) == CHRONIK_E_DATA_LOSS);
    CHECK(stream.restore(saved.substr(0, at)) == CHRONIK_E_DATA_LOSS);
  }
  CHECK(stream.restore(saved + "x") == CHRONIK_E_DATA_LOSS);
  CHECK(stream.save() == before);
}

TEST_CASE("well checksummed nonsense is data loss") {
  StreamUnderTest source;
  source.write(numbered_batch(5, 0, 3), 1);
  source.write(numbered_batch(6, 0, 3), 2);
  const std::string saved = source.save();
  const std::string body = saved.substr(0, saved.size() - 4);
  const auto code = [&](size_t at, auto value) {
    std::string bytes = body;
    format::detail::store(bytes.data() + at, value);
    StreamUnderTest stream;
    return stream.restore(with_checksum(bytes));
  };
  const size_t first = 36;        // producer 5: one batch
  const size_t second = 36 + 28;  // producer 6
  CHECK(StreamUnderTest().restore(with_checksum(body)) == CHRONIK_OK);
  CHECK(code(0, uint32_t{0x12345678}) == CHRONIK_E_DATA_LOSS);
  CHECK(code(8, int64_t{-1}) == CHRONIK_E_DATA_LOSS);   // start below 0
  CHECK(code(8, int64_t{7}) == CHRONIK_E_DATA_LOSS);    // start past the end
  CHECK(code(32, uint32_t{1}) == CHRONIK_E_DATA_LOSS);  // fewer producers than there are
  CHECK(code(32, uint32_t{3}) == CHRONIK_E_DATA_LOSS);  // more
  CHECK(code(32, UINT32_MAX) == CHRONIK_E_DATA_LOSS);
  CHECK(code(first, int64_t{-5}) == CHRONIK_E_DATA_LOSS);       // negative id
  CHECK(code(second, int64_t{5}) == CHRONIK_E_DATA_LOSS);       // one id twice
  CHECK(code(first + 8, int16_t{-1}) == CHRONIK_E_DATA_LOSS);   // negative epoch
  CHECK(code(first + 10, uint16_t{0}) == CHRONIK_E_DATA_LOSS);  // no batches
  CHECK(code(first + 10, uint16_t{6}) == CHRONIK_E_DATA_LOSS);  // too many
  CHECK(code(first + 12, int64_t{3}) == CHRONIK_E_DATA_LOSS);   // not in order
  CHECK(code(second + 12, int64_t{6}) == CHRONIK_E_DATA_LOSS);  // past the end
  CHECK(code(first + 20, int32_t{-1}) == CHRONIK_E_DATA_LOSS);  // negative sequence
}

TEST_CASE("state of a later version is refused with what to do") {
  std::string saved = StreamUnderTest().save();
  saved.resize(saved.size() - 4);
  format::detail::store<uint32_t>(saved.data() + 4, 2);
  StreamUnderTest stream;
  std::string message;
  CHECK(stream.restore(with_checksum(saved), &message) == CHRONIK_E_FAILED_PRECONDITION);
  CHECK(message ==
        "saved state of a stream has version 2, this program reads version 1: run the program that "
        "wrote it, or a later one");
}

TEST_CASE("random bytes are data loss") {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 300, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    StreamUnderTest stream;
    REQUIRE(stream.restore(bytes) == CHRONIK_E_DATA_LOSS);
  }
}

TEST_CASE("a lower bound on producers keeps the latest of them") {
  StreamUnderTest source;
  for (int producer = 0; producer < 10; ++producer) {
    source.write(numbered_batch(producer, 0), 1 + static_cast<uint64_t>(producer));
  }
  StreamUnderTest stream({.max_producers = 4});
  REQUIRE(stream.restore(source.save()) == CHRONIK_OK);
  CHECK(stream.prepare(numbered_batch(5, 50), 20).verdict == CHRONIK_PREPARE_PROPOSE);
  CHECK(stream.prepare(numbered_batch(6, 50), 20).verdict == CHRONIK_PREPARE_REFUSE);
  CHECK(stream.prepare(numbered_batch(9, 50), 20).verdict == CHRONIK_PREPARE_REFUSE);
}

TEST_CASE("a large table is saved in pieces and restored") {
  StreamUnderTest stream;
  for (int producer = 0; producer < 5000; ++producer) {
    stream.write(numbered_batch(producer, 0), 1 + static_cast<uint64_t>(producer));
  }
  const std::string saved = stream.save();
  CHECK(saved.size() == 40 + 5000 * 28);
  StreamUnderTest other;
  REQUIRE(other.restore(saved) == CHRONIK_OK);
  CHECK(other.save() == saved);
}

TEST_CASE("a sink that takes no more ends the save with its code") {
  StreamUnderTest stream;
  const chronik_sink sink = {
      nullptr, [](void*, chronik_slice) noexcept -> int32_t { return CHRONIK_E_NO_SPACE; }};
  CHECK(stream.save_to(sink) == CHRONIK_E_NO_SPACE);
}

}  // namespace
}  // namespace chronik::stream_test
