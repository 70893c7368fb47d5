// Random producers against random trouble, compared with a model that is slow and obvious: it looks
// through the whole log for every question.
//
// Two replicas share a log. Producers number their batches, keep up to five in flight, send again
// what they have no answer for, send long answered batches again, and sometimes a batch that leaves
// a gap or comes from an old epoch. Meanwhile leadership changes hands with the loss of uncommitted
// entries, and replicas restart from saved state. Whatever happens, the log holds each batch once,
// in its producer's order, with offsets that have no gaps, and every answer tells the truth.
#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <set>

#include "unit/stream/stream_harness.h"

namespace chronik::stream_test {
namespace {

using format::RecordBatchHeader;

struct Batch {
  int32_t sequence = 0;
  int records = 0;
  int16_t epoch = 0;
  std::optional<uint64_t> offset;  // once answered
};

struct RandomProducer {
  int64_t id = 0;
  int16_t epoch = 0;
  int32_t next_sequence = 0;
  std::vector<Batch> batches;  // in the order of their sequences; those made but unanswered last
  size_t answered = 0;
  size_t sent = 0;  // in flight: [answered, sent)
};

struct Replica {
  std::unique_ptr<StreamUnderTest> stream = std::make_unique<StreamUnderTest>();
  size_t applied = 0;  // number of entries of the log
  std::string checkpoint;
  size_t checkpoint_applied = 0;
};

class World {
 public:
  explicit World(uint32_t seed) : random_(seed) {
    for (int64_t i = 0; i < 4; ++i) {
      // Some producers begin near the end of the sequence space.
      producers_.push_back({.id = 100 + i, .next_sequence = i % 2 == 0 ? 0 : INT32_MAX - 20});
    }
    for (Replica& replica : replicas_) replica.checkpoint = replica.stream->save();
    leader().stream->on_leadership(term_, true);
  }

  void step() {
    switch (pick(14)) {
      case 0:
      case 1:
      case 2:
      case 3: return send_next();
      case 4: return send_in_flight_again();
      case 5: return send_answered_again();
      case 6: return send_with_gap();
      case 7: return send_old_epoch();
      case 8: return send_without_producer();
      case 9:
      case 10: return commit_some();
      case 11: return apply_on_follower();
      case 12: return pick(4) == 0 ? change_leader() : restart(1 - leader_);
      case 13: return pick(6) == 0 ? begin_epoch() : save_checkpoint(replicas_[pick(2)]);
    }
  }

  void finish() {
    // Producers go on until all they have made is answered.
    for (int round = 0; round < 3; ++round) {
      for (RandomProducer& producer : producers_) {
        for (size_t i = producer.answered; i < producer.batches.size(); ++i) send(producer, i);
        producer.sent = producer.batches.size();
      }
      commit(log_.size());
    }
    for (const RandomProducer& producer : producers_) {
      CHECK(producer.answered == producer.batches.size());
    }
    check_log();
    while (replicas_[1 - leader_].applied < commit_) apply_next(replicas_[1 - leader_]);
    CHECK(replicas_[0].stream->save() == replicas_[1].stream->save());

    // A replica that begins with nothing but the log ends up the same.
    Replica fresh;
    while (fresh.applied < log_.size()) apply_next(fresh);
    CHECK(fresh.stream->save() == replicas_[0].stream->save());
  }

 private:
  struct Logged {
    Entry entry;
    int64_t producer = -1;
    Batch batch;
  };

  size_t pick(size_t below) { return random_() % below; }
  RandomProducer& any_producer() { return producers_[pick(producers_.size())]; }
  Replica& leader() { return replicas_[leader_]; }

  // ---- What producers do ----

  void send_next() {
    RandomProducer& producer = any_producer();
    if (producer.sent - producer.answered >= 5) return;
    if (producer.sent == producer.batches.size()) {
      const int records = static_cast<int>(1 + pick(6));
      producer.batches.push_back({producer.next_sequence, records, producer.epoch, {}});
      producer.next_sequence = format::sequence_plus(producer.next_sequence, records);
    }
    send(producer, producer.sent);
    ++producer.sent;
  }

  void send_in_flight_again() {
    RandomProducer& producer = any_producer();
    if (producer.sent == producer.answered) return;
    send(producer, producer.answered + pick(producer.sent - producer.answered));
  }

  void send_answered_again() {
    RandomProducer& producer = any_producer();
    if (producer.answered == 0) return;
    const size_t back = std::min<size_t>(producer.answered, 1 + pick(8));
    send(producer, producer.answered - back);
  }

  void send_with_gap() {
    RandomProducer& producer = any_producer();
    if (!is_known(producer.id)) return;  // then any sequence is taken
    propose(producer.id,
            {format::sequence_plus(producer.next_sequence, 1 + static_cast<int>(pick(100))),
             2,
             producer.epoch,
             {}});
  }

  void send_old_epoch() {
    RandomProducer& producer = any_producer();
    if (producer.epoch == 0) return;
    const Batch old{0, 1, static_cast<int16_t>(producer.epoch - 1), {}};
    // Unless nothing of the present epoch is in the log: then this is a batch like any other.
    if (judge(producer.id, old).verdict == CHRONIK_PREPARE_PROPOSE) return;
    propose(producer.id, old);
  }

  void send_without_producer() { propose(-1, {0, static_cast<int>(1 + pick(3)), 0, {}}); }

  void begin_epoch() {
    RandomProducer& producer = any_producer();
    if (producer.answered != producer.batches.size()) return;
    ++producer.epoch;
    producer.next_sequence = 0;
  }

  void send(RandomProducer& producer, size_t i) { propose(producer.id, producer.batches[i]); }

  // ---- The cluster ----

  // Gives a batch to the leader and holds its verdict against the model's.
  void propose(int64_t producer, const Batch& batch) {
    format::RecordBatchBuilder builder;
    for (int i = 0; i < batch.records; ++i) builder.append({}, "v", 1000);
    const std::string bytes(producer < 0 ? builder.finish()
                                         : builder.finish(producer, batch.epoch, batch.sequence));
    const Prepared prepared = leader().stream->prepare(bytes, next_index_, term_);
    const Prepared expected = judge(producer, batch);
    REQUIRE(prepared.verdict == expected.verdict);
    switch (prepared.verdict) {
      case CHRONIK_PREPARE_PROPOSE:
        log_.push_back({{next_index_, term_, prepared.key, prepared.time_ms, prepared.batch},
                        producer,
                        batch});
        ++next_index_;
        return;
      case CHRONIK_PREPARE_ANSWER:
        REQUIRE(prepared.value == expected.value);
        return on_answer(producer, batch, prepared.value);
      case CHRONIK_PREPARE_FOLLOW: REQUIRE(prepared.follow_index == expected.follow_index); return;
      default: REQUIRE(prepared.detail == expected.detail);
    }
  }

  // The rules, said over the whole log.
  Prepared judge(int64_t producer, const Batch& batch) const {
    Prepared expected;
    expected.verdict = CHRONIK_PREPARE_PROPOSE;
    if (producer < 0) return expected;
    std::vector<size_t> written;
    for (size_t i = 0; i < log_.size(); ++i) {
      if (log_[i].producer == producer) written.push_back(i);
    }
    if (written.empty()) return expected;
    const Batch& last = log_[written.back()].batch;
    if (batch.epoch < last.epoch) {
      expected.verdict = CHRONIK_PREPARE_REFUSE;
      expected.detail = 47;
      return expected;
    }
    if (batch.epoch > last.epoch) {
      if (batch.sequence != 0) {
        expected.verdict = CHRONIK_PREPARE_REFUSE;
        expected.detail = 45;
      }
      return expected;
    }
    if (batch.sequence == format::sequence_plus(last.sequence, last.records)) return expected;
    int committed_seen = 0;
    for (auto i = written.rbegin(); i != written.rend(); ++i) {
      const Logged& logged = log_[*i];
      const bool applied = *i < replicas_[leader_].applied;
      if (logged.batch.epoch != batch.epoch) break;
      if (applied && ++committed_seen > 5) break;
      if (logged.batch.sequence != batch.sequence || logged.batch.records != batch.records)
        continue;
      expected.verdict = applied ? CHRONIK_PREPARE_ANSWER : CHRONIK_PREPARE_FOLLOW;
      expected.value = logged.entry.key;
      expected.follow_index = logged.entry.index;
      return expected;
    }
    expected.verdict = CHRONIK_PREPARE_REFUSE;
    expected.detail = 45;
    return expected;
  }

  bool is_known(int64_t producer) const {
    return std::any_of(log_.begin(), log_.end(),
                       [&](const Logged& logged) { return logged.producer == producer; });
  }

  void commit_some() { commit(commit_ + pick(log_.size() - commit_ + 1)); }

  void commit(size_t up_to) {
    commit_ = std::max(commit_, up_to);
    while (leader().applied < commit_) {
      const Logged& logged = log_[leader().applied];
      const uint64_t offset = apply_next(leader());
      on_answer(logged.producer, logged.batch, offset);
    }
  }

  uint64_t apply_next(Replica& replica) {
    const Logged& logged = log_[replica.applied];
    const chronik_result result = replica.stream->apply(logged.entry);
    REQUIRE(result.status == CHRONIK_OK);
    REQUIRE(result.value == logged.entry.key);
    ++replica.applied;
    return result.value;
  }

  void apply_on_follower() {
    Replica& follower = replicas_[1 - leader_];
    for (size_t i = pick(4); i > 0 && follower.applied < commit_; --i) apply_next(follower);
  }

  void on_answer(int64_t id, const Batch& batch, uint64_t offset) {
    if (id < 0) return;
    RandomProducer& producer = producers_[static_cast<size_t>(id - 100)];
    for (Batch& made : producer.batches) {
      if (made.epoch != batch.epoch || made.sequence != batch.sequence) continue;
      if (made.offset.has_value()) REQUIRE(*made.offset == offset);
      made.offset = offset;
    }
    while (producer.answered < producer.batches.size() &&
           producer.batches[producer.answered].offset.has_value()) {
      ++producer.answered;
    }
    producer.sent = std::max(producer.sent, producer.answered);
  }

  // The other replica leads; some of what wasn't committed is lost, the rest becomes committed.
  void change_leader() {
    const size_t kept = commit_ + pick(log_.size() - commit_ + 1);
    log_.resize(kept);
    next_index_ = (log_.empty() ? 0 : log_.back().entry.index) + 1 + 1;  // the new term's own entry
    leader().stream->on_leadership(term_, false);
    leader_ = 1 - leader_;
    ++term_;
    commit_ = kept;
    while (leader().applied < commit_) apply_next(leader());
    leader().stream->on_leadership(term_, true);
    // What is unanswered is sent again from the first on.
    for (RandomProducer& producer : producers_) {
      producer.sent = producer.answered;
      const size_t made = producer.batches.size();
      for (size_t i = producer.answered; i < made && i < producer.answered + 5; ++i) {
        send(producer, i);
        producer.sent = std::max(producer.sent, i + 1);
      }
    }
  }

  static void save_checkpoint(Replica& replica) {
    replica.checkpoint = replica.stream->save();
    replica.checkpoint_applied = replica.applied;
  }

  // From its last checkpoint, and the log behind it.
  void restart(size_t which) {
    Replica& replica = replicas_[which];
    const std::string before = replica.stream->save();
    const size_t applied = replica.applied;
    replica.stream = std::make_unique<StreamUnderTest>();
    REQUIRE(replica.stream->restore(replica.checkpoint) == CHRONIK_OK);
    replica.applied = replica.checkpoint_applied;
    while (replica.applied < applied) apply_next(replica);
    REQUIRE(replica.stream->save() == before);
  }

  void check_log() const {
    int64_t expected_offset = 0;
    std::vector<size_t> next(producers_.size(), 0);
    for (const Logged& logged : log_) {
      REQUIRE(format::validate(logged.entry.payload).ok());
      const RecordBatchHeader header = RecordBatchHeader::decode(logged.entry.payload);
      REQUIRE(header.base_offset == expected_offset);
      REQUIRE(logged.entry.key == static_cast<uint64_t>(expected_offset));
      REQUIRE(header.leader_epoch == static_cast<int32_t>(logged.entry.term));
      expected_offset += header.record_count;
      if (!header.has_producer()) continue;
      const auto which = static_cast<size_t>(header.producer_id - 100);
      const RandomProducer& producer = producers_[which];
      REQUIRE(next[which] < producer.batches.size());
      const Batch& batch = producer.batches[next[which]++];
      REQUIRE(header.base_sequence == batch.sequence);
      REQUIRE(header.producer_epoch == batch.epoch);
      REQUIRE(header.record_count == batch.records);
      REQUIRE(batch.offset == logged.entry.key);
    }
    for (size_t i = 0; i < producers_.size(); ++i) REQUIRE(next[i] == producers_[i].batches.size());
  }

  std::mt19937 random_;
  std::vector<RandomProducer> producers_;
  Replica replicas_[2];
  size_t leader_ = 0;
  uint64_t term_ = 1;
  std::vector<Logged> log_;
  size_t commit_ = 0;  // number of entries
  uint64_t next_index_ = 2;
};

TEST_CASE("each batch is stored once whatever producers and leaders go through") {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    for (int i = 0; i < 400; ++i) world.step();
    world.finish();
  }
}

TEST_CASE("replicas that forget producers forget the same ones") {
  std::mt19937 random(5);
  StreamUnderTest leader({.max_producers = 5});
  StreamUnderTest follower({.max_producers = 5});
  for (uint64_t index = 1; index < 3000; ++index) {
    const auto id = static_cast<int64_t>(random() % 12);
    const Prepared prepared =
        leader.prepare(numbered_batch(id, static_cast<int32_t>(random() % 4)), index);
    if (prepared.verdict != CHRONIK_PREPARE_PROPOSE) continue;
    leader.apply(prepared, index);
    follower.apply(prepared, index);
    if (index % 100 == 0) {
      StreamUnderTest restored({.max_producers = 5});
      REQUIRE(restored.restore(leader.save()) == CHRONIK_OK);
      REQUIRE(restored.save() == leader.save());
    }
  }
  CHECK(leader.save() == follower.save());
  CHECK(leader.end() > 500);
}

}  // namespace
}  // namespace chronik::stream_test
