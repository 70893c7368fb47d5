// The rules of the `stream` state machine, one test each.
#include <catch2/catch.hpp>

#include "unit/stream/stream_harness.h"

namespace chronik::stream_test {
namespace {

namespace kafka_error = format::kafka_error;

bool refused_with(const Prepared& prepared, int32_t detail) {
  return prepared.verdict == CHRONIK_PREPARE_REFUSE && prepared.code != CHRONIK_OK &&
         prepared.detail == detail && !prepared.message.empty();
}

// ---- Offsets
// -------------------------------------------------------------------------------------

TEST_CASE("batches get consecutive offsets in the order of their proposals") {
  StreamUnderTest stream;
  const Prepared first = stream.prepare(plain_batch(3), 1);
  const Prepared second = stream.prepare(plain_batch(2), 2);
  const Prepared third = stream.prepare(plain_batch(1), 3);
  for (const Prepared* p : {&first, &second, &third}) CHECK(p->verdict == CHRONIK_PREPARE_PROPOSE);
  CHECK((first.key == 0 && second.key == 3 && third.key == 5));
  CHECK(format::RecordBatchHeader::decode(third.batch).base_offset == 5);
  CHECK(stream.apply(first, 1).value == 0);
  CHECK(stream.apply(second, 2).value == 3);
  CHECK(stream.end() == 5);
  CHECK(stream.apply(third, 3).value == 5);
  CHECK(stream.end() == 6);
}

TEST_CASE("a proposed batch changes only in base offset and leader epoch") {
  StreamUnderTest stream;
  stream.write(plain_batch(7), 1);
  std::string batch = plain_batch(2);
  format::set_base_offset(batch.data(), -1);
  format::set_leader_epoch(batch.data(), -1);
  const Prepared prepared = stream.prepare(batch, 2, 9);
  CHECK(format::validate(prepared.batch).ok());
  const auto header = format::RecordBatchHeader::decode(prepared.batch);
  CHECK(header.base_offset == 7);
  CHECK(header.leader_epoch == 9);
  CHECK(prepared.batch.substr(8, 4) == batch.substr(8, 4));
  CHECK(prepared.batch.substr(16) == batch.substr(16));
}

TEST_CASE("an entry's time is the latest of its records") {
  StreamUnderTest stream;
  CHECK(stream.prepare(plain_batch(3, 1000), 1).time_ms == 1002);
}

TEST_CASE("a batch without timestamps keeps the leader's time") {
  StreamUnderTest stream;
  const Prepared prepared = stream.prepare(plain_batch(1, -1), 1);
  CHECK(prepared.verdict == CHRONIK_PREPARE_PROPOSE);
  CHECK(prepared.time_ms == StreamUnderTest::kNowMs);
}

TEST_CASE("a term beyond Kafka's epochs is written as the largest epoch") {
  StreamUnderTest stream;
  const Prepared prepared = stream.prepare(plain_batch(), 1, uint64_t{1} << 40);
  CHECK(format::RecordBatchHeader::decode(prepared.batch).leader_epoch == INT32_MAX);
}

TEST_CASE("indexes of the kernel's own entries leave no gap in the offsets") {
  StreamUnderTest stream;
  const Prepared first = stream.prepare(plain_batch(2), 10);
  const Prepared second = stream.prepare(plain_batch(2), 15);
  CHECK(stream.apply(first, 10).value == 0);
  CHECK(stream.apply(second, 15).value == 2);
  CHECK(stream.host().lines.empty());
}

// ---- Refusals
// ------------------------------------------------------------------------------------

TEST_CASE("a refused batch is left as it was and takes no offset") {
  StreamUnderTest stream;
  std::string damaged = plain_batch(4);
  damaged.back() ^= 1;
  const Prepared refused = stream.prepare(damaged, 1);
  CHECK(refused_with(refused, kafka_error::kCorruptMessage));
  CHECK(refused.batch == damaged);
  CHECK(refused.key == StreamUnderTest::kPresetKey);
  CHECK(stream.prepare(plain_batch(), 1).key == 0);
  CHECK(stream.host().cells["refused_batches_total"] == 1);
}

TEST_CASE("a batch above max_batch_bytes is refused as too large") {
  StreamUnderTest stream({.max_batch_bytes = plain_batch(3).size()});
  CHECK(stream.prepare(plain_batch(3), 1).verdict == CHRONIK_PREPARE_PROPOSE);
  const Prepared refused = stream.prepare(plain_batch(4), 2);
  CHECK(refused_with(refused, kafka_error::kMessageTooLarge));
  CHECK(refused.message == "the batch has " + std::to_string(plain_batch(4).size()) +
                               " bytes; at most " + std::to_string(plain_batch(3).size()) +
                               " are accepted");
}

TEST_CASE("bytes that are no batch are refused") {
  StreamUnderTest stream;
  CHECK(refused_with(stream.prepare("", 1), kafka_error::kCorruptMessage));
  CHECK(refused_with(stream.prepare("hello", 1), kafka_error::kCorruptMessage));
  CHECK(refused_with(stream.prepare(std::string(100, '\0'), 1), kafka_error::kInvalidRecord));
}

TEST_CASE("a batch whose records can't be read is refused") {
  StreamUnderTest stream;
  const std::string batch = with_bytes(plain_batch(2), format::kHeaderBytes, "\x7e");
  CHECK(format::validate(batch).ok());
  CHECK(refused_with(stream.prepare(batch, 1), kafka_error::kInvalidRecord));
}

TEST_CASE("a compressed batch is taken without a look inside") {
  StreamUnderTest stream;
  const std::string batch = with_field<uint16_t>(plain_batch(5), format::kAttributesAt, 1);
  CHECK(stream.write(batch, 1).value == 0);
  CHECK(stream.end() == 5);
}

// ---- Producers
// -----------------------------------------------------------------------------------

TEST_CASE("batches without a producer id are never taken for repetitions") {
  StreamUnderTest stream;
  const std::string batch = plain_batch(2);
  CHECK(stream.write(batch, 1).value == 0);
  CHECK(stream.write(batch, 2).value == 2);
  CHECK(stream.prepare(batch, 3).key == 4);
  CHECK(stream.prepare(batch, 4).key == 6);
}

TEST_CASE("an unknown producer may begin with any sequence") {
  StreamUnderTest stream;
  CHECK(stream.prepare(numbered_batch(5, 4711, 2), 1).verdict == CHRONIK_PREPARE_PROPOSE);
  CHECK(stream.prepare(numbered_batch(6, INT32_MAX, 1), 2).verdict == CHRONIK_PREPARE_PROPOSE);
  CHECK(stream.prepare(numbered_batch(5, 4713), 3).verdict == CHRONIK_PREPARE_PROPOSE);
}

TEST_CASE("a committed batch sent again is answered with its offset") {
  StreamUnderTest stream;
  stream.write(plain_batch(10), 1);
  CHECK(stream.write(numbered_batch(5, 0, 3), 2).value == 10);
  const Prepared again = stream.prepare(numbered_batch(5, 0, 3), 3);
  CHECK(again.verdict == CHRONIK_PREPARE_ANSWER);
  CHECK(again.value == 10);
  CHECK(stream.end() == 13);
  CHECK(stream.host().cells["duplicate_batches_total"] == 1);
  CHECK(stream.prepare(plain_batch(), 3).key == 13);
}

TEST_CASE("each of the last five batches sent again is answered and an older one is refused") {
  StreamUnderTest stream;
  for (int i = 0; i < 6; ++i)
    stream.write(numbered_batch(5, i * 2, 2), 1 + static_cast<uint64_t>(i));
  for (int i = 1; i < 6; ++i) {
    const Prepared again = stream.prepare(numbered_batch(5, i * 2, 2), 7);
    CHECK(again.verdict == CHRONIK_PREPARE_ANSWER);
    CHECK(again.value == static_cast<uint64_t>(i) * 2);
  }
  CHECK(refused_with(stream.prepare(numbered_batch(5, 0, 2), 7),
                     kafka_error::kOutOfOrderSequenceNumber));
}

TEST_CASE("a batch in flight sent again follows the first one") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, 0), 1);
  for (int i = 1; i <= 5; ++i) {
    REQUIRE(stream.prepare(numbered_batch(5, i), 1 + static_cast<uint64_t>(i)).verdict ==
            CHRONIK_PREPARE_PROPOSE);
  }
  for (int i = 1; i <= 5; ++i) {
    const Prepared again = stream.prepare(numbered_batch(5, i), 7);
    CHECK(again.verdict == CHRONIK_PREPARE_FOLLOW);
    CHECK(again.follow_index == 1 + static_cast<uint64_t>(i));
  }
  CHECK(stream.prepare(numbered_batch(5, 0), 7).verdict == CHRONIK_PREPARE_ANSWER);
}

TEST_CASE("a repetition is followed until its batch is applied and answered from then on") {
  StreamUnderTest stream;
  const Prepared first = stream.prepare(numbered_batch(5, 0, 2), 1);
  CHECK(stream.prepare(numbered_batch(5, 0, 2), 2).verdict == CHRONIK_PREPARE_FOLLOW);
  stream.apply(first, 1);
  CHECK(stream.prepare(numbered_batch(5, 0, 2), 2).verdict == CHRONIK_PREPARE_ANSWER);
}

TEST_CASE("a gap in the sequence is refused and names what was expected") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, 0, 3), 1);
  const Prepared gap = stream.prepare(numbered_batch(5, 7, 2), 2);
  CHECK(refused_with(gap, kafka_error::kOutOfOrderSequenceNumber));
  CHECK(gap.message ==
        "producer 5 epoch 0: sequence 3 expected; found 7 to 8, which is no repetition of the last "
        "batches either");
}

TEST_CASE("a gap behind batches in flight is refused") {
  StreamUnderTest stream;
  stream.prepare(numbered_batch(5, 0, 3), 1);
  stream.prepare(numbered_batch(5, 3, 3), 2);
  CHECK(refused_with(stream.prepare(numbered_batch(5, 7), 3),
                     kafka_error::kOutOfOrderSequenceNumber));
  CHECK(stream.prepare(numbered_batch(5, 6), 3).verdict == CHRONIK_PREPARE_PROPOSE);
}

TEST_CASE("a batch that overlaps an earlier one without being it is refused") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, 0, 3), 1);
  for (const auto& [sequence, records] : {std::pair{0, 2}, {1, 2}, {2, 2}, {0, 4}}) {
    CHECK(refused_with(stream.prepare(numbered_batch(5, sequence, records), 2),
                       kafka_error::kOutOfOrderSequenceNumber));
  }
}

TEST_CASE("sequences continue at zero after the largest") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, INT32_MAX - 1, 2), 1);
  CHECK(stream.prepare(numbered_batch(5, 0), 2).verdict == CHRONIK_PREPARE_PROPOSE);

  StreamUnderTest across;
  across.write(numbered_batch(5, INT32_MAX, 3), 1);  // INT32_MAX, 0, 1
  CHECK(across.prepare(numbered_batch(5, INT32_MAX, 3), 2).verdict == CHRONIK_PREPARE_ANSWER);
  CHECK(across.prepare(numbered_batch(5, 2), 2).verdict == CHRONIK_PREPARE_PROPOSE);
}

TEST_CASE("an older epoch is refused") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, 0, 1, 4), 1);
  const Prepared old = stream.prepare(numbered_batch(5, 1, 1, 3), 2);
  CHECK(refused_with(old, kafka_error::kInvalidProducerEpoch));
  CHECK(old.message ==
        "producer 5 epoch 3: epoch 4 or later expected, a newer instance of this producer is at "
        "work");
}

TEST_CASE("an epoch in flight already makes the one before it old") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, 0, 1, 3), 1);
  stream.prepare(numbered_batch(5, 0, 1, 4), 2);
  CHECK(refused_with(stream.prepare(numbered_batch(5, 1, 1, 3), 3),
                     kafka_error::kInvalidProducerEpoch));
  CHECK(refused_with(stream.prepare(numbered_batch(5, 0, 1, 3), 3),
                     kafka_error::kInvalidProducerEpoch));
}

TEST_CASE("a new epoch begins at sequence zero") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, 0, 3, 0), 1);
  CHECK(refused_with(stream.prepare(numbered_batch(5, 3, 1, 1), 2),
                     kafka_error::kOutOfOrderSequenceNumber));
  CHECK(stream.prepare(numbered_batch(5, 0, 3, 1), 2).verdict == CHRONIK_PREPARE_PROPOSE);
}

TEST_CASE("a batch of a new epoch isn't taken for one of the old with the same sequences") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, 0, 3, 0), 1);
  CHECK(stream.write(numbered_batch(5, 0, 3, 1), 2).value == 3);
  const Prepared again = stream.prepare(numbered_batch(5, 0, 3, 1), 3);
  CHECK(again.verdict == CHRONIK_PREPARE_ANSWER);
  CHECK(again.value == 3);
}

TEST_CASE("sequences of an old epoch are no repetition for the new one in flight") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, 10, 2, 0), 1);
  stream.prepare(numbered_batch(5, 12, 2, 0), 2);
  stream.prepare(numbered_batch(5, 0, 2, 1), 3);
  for (const int32_t sequence : {10, 12}) {
    CHECK(refused_with(stream.prepare(numbered_batch(5, sequence, 2, 1), 4),
                       kafka_error::kOutOfOrderSequenceNumber));
  }
}

TEST_CASE("producers don't disturb each other") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, 0), 1);
  stream.write(numbered_batch(6, 0), 2);
  CHECK(stream.prepare(numbered_batch(5, 1), 3).verdict == CHRONIK_PREPARE_PROPOSE);
  CHECK(stream.prepare(numbered_batch(6, 1), 4).verdict == CHRONIK_PREPARE_PROPOSE);
  CHECK(stream.prepare(numbered_batch(6, 0), 5).value == 1);
}

TEST_CASE("the producer that wrote longest ago is forgotten beyond max_producers") {
  StreamUnderTest stream({.max_producers = 3});
  for (int producer = 1; producer <= 3; ++producer) {
    stream.write(numbered_batch(producer, 0), static_cast<uint64_t>(producer));
  }
  stream.write(numbered_batch(1, 1), 4);  // 2 is the oldest now
  stream.write(numbered_batch(4, 0), 5);
  CHECK(stream.prepare(numbered_batch(1, 0), 6).verdict == CHRONIK_PREPARE_ANSWER);
  CHECK(stream.prepare(numbered_batch(3, 0), 6).verdict == CHRONIK_PREPARE_ANSWER);
  CHECK(stream.prepare(numbered_batch(4, 0), 6).verdict == CHRONIK_PREPARE_ANSWER);
  CHECK(stream.prepare(numbered_batch(2, 99), 6).verdict == CHRONIK_PREPARE_PROPOSE);
}

// ---- Leadership
// ----------------------------------------------------------------------------------

TEST_CASE("losing leadership gives up the offsets of what was in flight") {
  StreamUnderTest stream;
  stream.on_leadership(1, true);
  stream.write(numbered_batch(5, 0, 2), 1);
  stream.prepare(numbered_batch(5, 2, 3), 2);
  stream.prepare(plain_batch(4), 3);
  stream.on_leadership(1, false);
  stream.on_leadership(3, true);
  const Prepared again = stream.prepare(numbered_batch(5, 2, 3), 4, 3);
  CHECK(again.verdict == CHRONIK_PREPARE_PROPOSE);
  CHECK(again.key == 2);
  CHECK(stream.apply(again, 4, 3).value == 2);
  CHECK(stream.host().lines.empty());
}

TEST_CASE("a new leader goes on from what others wrote") {
  StreamUnderTest old_leader;
  StreamUnderTest new_leader;
  const Prepared first = old_leader.prepare(numbered_batch(5, 0, 2), 1);
  const Prepared second = old_leader.prepare(numbered_batch(5, 2, 2), 2);
  new_leader.apply(first, 1);
  new_leader.apply(second, 2);
  new_leader.on_leadership(2, true);
  CHECK(new_leader.prepare(numbered_batch(5, 2, 2), 4, 2).value == 2);
  CHECK(new_leader.prepare(numbered_batch(5, 4, 2), 4, 2).key == 4);
}

TEST_CASE("a proposal that never got into the log costs no offset once its index is used again") {
  StreamUnderTest stream;
  stream.prepare(numbered_batch(5, 0, 2), 1);
  stream.prepare(numbered_batch(5, 2, 2), 2);
  const Prepared instead = stream.prepare(numbered_batch(5, 2, 2), 2);
  CHECK(instead.verdict == CHRONIK_PREPARE_PROPOSE);
  CHECK(instead.key == 2);
  CHECK(stream.host().lines.size() == 1);
}

TEST_CASE("a change of term without word of it gives up what was in flight") {
  StreamUnderTest stream;
  stream.prepare(plain_batch(2), 1, 1);
  CHECK(stream.prepare(plain_batch(2), 3, 2).key == 0);
  CHECK(stream.host().lines.size() == 1);
}

TEST_CASE("an entry of another leader in the place of one's own gives up what was in flight") {
  StreamUnderTest stream;
  stream.prepare(plain_batch(2), 1, 1);
  StreamUnderTest other;
  const Prepared theirs = other.prepare(plain_batch(5), 1, 2);
  CHECK(stream.apply(theirs, 1, 2).value == 0);
  CHECK(stream.prepare(plain_batch(), 2, 3).key == 5);
}

// ---- Apply
// ---------------------------------------------------------------------------------------

TEST_CASE("an entry that leaves a gap is left out with an error and counted") {
  StreamUnderTest stream;
  stream.write(plain_batch(2), 1);
  for (const int64_t offset : {0, 1, 3, -1}) {
    std::string batch = plain_batch();
    format::set_base_offset(batch.data(), offset);
    const chronik_result result = stream.apply({2, 1, 0, 0, batch});
    CHECK(result.status == CHRONIK_E_INTERNAL);
    CHECK(sdk::view(result.bytes) ==
          "the entry doesn't continue the stream and is left out of it: a bug of its leader");
    CHECK(stream.end() == 2);
  }
  CHECK(stream.host().cells["misfit_entries_total"] == 4);
  CHECK_FALSE(stream.host().lines.empty());
  CHECK(stream.write(plain_batch(), 3).value == 2);
}

TEST_CASE("an entry that is no batch is left out with an error") {
  StreamUnderTest stream;
  for (const std::string& payload :
       {std::string(), std::string("hello"), std::string(100, '\0'), plain_batch() + "x",
        with_field<int32_t>(plain_batch(), format::kRecordCountAt, -1)}) {
    CHECK(stream.apply({1, 1, 0, 0, payload}).status == CHRONIK_E_INTERNAL);
  }
  CHECK(stream.end() == 0);
  CHECK(stream.host().cells["misfit_entries_total"] == 5);
}

TEST_CASE("apply takes producers as the log has them and judges nothing") {
  StreamUnderTest stream;
  stream.write(numbered_batch(5, 0, 1, 3), 1);
  std::string gap = numbered_batch(5, 50, 2, 1);  // refused by prepare() on every ground
  format::set_base_offset(gap.data(), 1);
  CHECK(stream.apply({2, 1, 1, 0, gap}).status == CHRONIK_OK);
  CHECK(stream.prepare(numbered_batch(5, 50, 2, 1), 3).value == 1);
  CHECK(stream.prepare(numbered_batch(5, 52, 1, 1), 3).verdict == CHRONIK_PREPARE_PROPOSE);
}

TEST_CASE("several entries are applied in one call") {
  StreamUnderTest leader;
  const Prepared first = leader.prepare(plain_batch(2), 1);
  const Prepared second = leader.prepare(plain_batch(3), 2);
  StreamUnderTest stream;
  chronik_entry entries[2]{};
  entries[0].index = 1;
  entries[0].payload = sdk::slice(first.batch);
  entries[1].index = 2;
  entries[1].payload = sdk::slice(second.batch);
  chronik_result results[2]{};
  chronik_error error{};
  CHECK(stream.apply_all(entries, 2, results, error) == CHRONIK_OK);
  CHECK((results[0].value == 0 && results[1].value == 2));
  CHECK(stream.end() == 5);
}

// ---- Queries
// -------------------------------------------------------------------------------------

TEST_CASE("bounds are the first offset and one past the last applied one") {
  StreamUnderTest stream;
  stream.write(plain_batch(3), 1);
  stream.prepare(plain_batch(5), 2);
  const Answer answer = stream.query(CHRONIK_QUERY_BOUNDS);
  CHECK(answer.code == CHRONIK_OK);
  CHECK(answer.answer.kind == CHRONIK_ANSWER_VALUE);
  CHECK((answer.answer.start_key == 0 && answer.answer.end_key == 3));
}

TEST_CASE("an offset in the stream is answered with the log from there on") {
  StreamUnderTest stream;
  stream.write(plain_batch(3), 1);
  for (uint64_t offset = 0; offset < 3; ++offset) {
    const Answer answer = stream.query(CHRONIK_QUERY_LOG_KEY, offset);
    CHECK(answer.code == CHRONIK_OK);
    CHECK(answer.answer.kind == CHRONIK_ANSWER_LOG_RANGE);
    CHECK(answer.answer.from_kind == CHRONIK_LOG_FROM_KEY);
    CHECK(answer.answer.from == offset);
  }
}

TEST_CASE("the end of the stream is not yet there") {
  StreamUnderTest stream;
  CHECK(stream.query(CHRONIK_QUERY_LOG_KEY, 0).answer.kind == CHRONIK_ANSWER_NOT_YET);
  stream.write(plain_batch(3), 1);
  const Answer answer = stream.query(CHRONIK_QUERY_LOG_KEY, 3);
  CHECK(answer.code == CHRONIK_OK);
  CHECK(answer.answer.kind == CHRONIK_ANSWER_NOT_YET);
  CHECK(answer.answer.end_key == 3);
}

TEST_CASE("an offset past the end is out of range and the answer has the bounds") {
  StreamUnderTest stream;
  stream.write(plain_batch(3), 1);
  for (const uint64_t offset : {uint64_t{4}, UINT64_MAX}) {
    const Answer answer = stream.query(CHRONIK_QUERY_LOG_KEY, offset);
    CHECK(answer.code == CHRONIK_E_OUT_OF_RANGE);
    CHECK(answer.detail == kafka_error::kOffsetOutOfRange);
    CHECK((answer.answer.start_key == 0 && answer.answer.end_key == 3));
  }
}

TEST_CASE("what is only in flight can't be asked for") {
  StreamUnderTest stream;
  stream.prepare(plain_batch(3), 1);
  CHECK(stream.query(CHRONIK_QUERY_LOG_KEY, 0).answer.kind == CHRONIK_ANSWER_NOT_YET);
  CHECK(stream.query(CHRONIK_QUERY_LOG_KEY, 1).code == CHRONIK_E_OUT_OF_RANGE);
}

TEST_CASE("a time up to the latest is answered with the log from there on and a later one waits") {
  StreamUnderTest stream;
  CHECK(stream.query(CHRONIK_QUERY_LOG_TIME, 0).answer.kind == CHRONIK_ANSWER_NOT_YET);
  stream.write(plain_batch(1, 2000), 1);
  stream.write(plain_batch(1, 1500), 2);
  for (const uint64_t time : {0, 1500, 2000}) {
    const Answer answer = stream.query(CHRONIK_QUERY_LOG_TIME, time);
    CHECK(answer.code == CHRONIK_OK);
    CHECK(answer.answer.kind == CHRONIK_ANSWER_LOG_RANGE);
    CHECK(answer.answer.from_kind == CHRONIK_LOG_FROM_TIME);
    CHECK(answer.answer.from == time);
  }
  CHECK(stream.query(CHRONIK_QUERY_LOG_TIME, 2001).answer.kind == CHRONIK_ANSWER_NOT_YET);
  CHECK(stream.query(CHRONIK_QUERY_LOG_TIME, static_cast<uint64_t>(-5)).answer.kind ==
        CHRONIK_ANSWER_LOG_RANGE);
}

TEST_CASE("other queries are unimplemented") {
  StreamUnderTest stream;
  CHECK(stream.query(CHRONIK_QUERY_OWN).code == CHRONIK_E_UNIMPLEMENTED);
}

// ---- Descriptor
// ----------------------------------------------------------------------------------

TEST_CASE("the plugin says what it is") {
  CHECK(std::string_view(chronik_plugin_v0_stream.id) == "org.chronik.stream");
  const chronik_component& component = StreamUnderTest::component();
  CHECK(std::string_view(component.name) == "stream");
  CHECK(component.kind == CHRONIK_KIND_STATE_MACHINE);
  CHECK((component.capabilities & CHRONIK_STATE_MACHINE_CAP_NONBLOCKING) != 0);
  CHECK((component.capabilities & CHRONIK_STATE_MACHINE_CAP_LOG_START) != 0);
  CHECK(component.option_count == 2);
  CHECK(StreamUnderTest::vtable().prepare != nullptr);
  CHECK(StreamUnderTest::vtable().on_leadership != nullptr);
}

}  // namespace
}  // namespace chronik::stream_test
