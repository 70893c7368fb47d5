#include "stream.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace chronik::stream {
namespace {

using format::RecordBatchHeader;
using sdk::Status;
namespace kafka_error = format::kafka_error;

std::string number(int64_t value) {
  return std::to_string(value);
}

std::string describe(const chronik_state_machine_environment& environment) {
  return std::string(sdk::view(environment.topic)) + "/" + std::to_string(environment.partition) +
         " (group " + std::to_string(environment.group) + ")";
}

std::string describe_producer(const RecordBatchHeader& header) {
  return "producer " + number(header.producer_id) + " epoch " + number(header.producer_epoch);
}

Status out_of_order(const RecordBatchHeader& header, int32_t expected) {
  return {CHRONIK_E_FAILED_PRECONDITION,
          describe_producer(header) + ": sequence " + number(expected) + " expected; found " +
              number(header.base_sequence) + " to " + number(header.last_sequence()) +
              ", which is no repetition of the last batches either",
          kafka_error::kOutOfOrderSequenceNumber};
}

// Terms count from 1 and fit for any real cluster; beyond that the epoch stays at its largest.
int32_t leader_epoch(uint64_t term) {
  return static_cast<int32_t>(std::min<uint64_t>(term, std::numeric_limits<int32_t>::max()));
}

// The header of a batch found in the log. False if the entry is no such thing: its leader let
// something through that prepare() had not seen.
bool decode_entry(std::string_view payload, RecordBatchHeader& header) {
  if (payload.empty() || format::front_batch_size(payload) != payload.size()) return false;
  header = RecordBatchHeader::decode(payload);
  return header.magic == format::kMagic && header.record_count > 0 &&
         header.last_offset_delta == header.record_count - 1;
}

}  // namespace

Stream::Stream(sdk::Host host, const chronik_state_machine_environment& environment,
               const sdk::Config& config)
    : host_(host),
      name_(describe(environment)),
      max_batch_bytes_(config.bytes(kMaxBatchBytes)),
      max_producers_(config.u64(kMaxProducers)),
      duplicates_(host.counter("duplicate_batches_total",
                               "Batches sent again by a producer and recognised")),
      refusals_(host.counter("refused_batches_total", "Batches refused before the log")),
      misfits_(host.counter("misfit_entries_total",
                            "Log entries that don't continue the stream: always a bug")),
      state_(max_producers_) {}

// ---- Leader: before the log
// ----------------------------------------------------------------------

void Stream::prepare(chronik_proposal& proposal, chronik_prepared& prepared) {
  const auto refuse = [&](const Status& status) {
    sdk::add(refusals_, 1);
    prepared.verdict = CHRONIK_PREPARE_REFUSE;
    status.fill(prepared.error);
  };

  const std::string_view batch(reinterpret_cast<const char*>(proposal.payload),
                               proposal.payload_size);
  if (Status status = format::validate(batch, max_batch_bytes_); !status.ok()) {
    return refuse(status);
  }
  if (Status status = format::validate_records(batch); !status.ok()) return refuse(status);
  const RecordBatchHeader header = RecordBatchHeader::decode(batch);

  forget_overtaken(proposal);
  const Judgement judgement = judge(header);
  switch (judgement.verdict) {
    case CHRONIK_PREPARE_REFUSE: return refuse(judgement.refusal);
    case CHRONIK_PREPARE_FOLLOW:
      sdk::add(duplicates_, 1);
      prepared.verdict = CHRONIK_PREPARE_FOLLOW;
      prepared.follow_index = judgement.follow_index;
      return;
    case CHRONIK_PREPARE_ANSWER:
      sdk::add(duplicates_, 1);
      prepared.verdict = CHRONIK_PREPARE_ANSWER;
      prepared.result = {};
      prepared.result.struct_size = sizeof prepared.result;
      prepared.result.value = static_cast<uint64_t>(judgement.base_offset);
      return;
    default: break;
  }

  const int64_t base_offset =
      in_flight_.empty() ? state_.next_offset : in_flight_.last().end_offset;
  format::set_base_offset(proposal.payload, base_offset);
  format::set_leader_epoch(proposal.payload, leader_epoch(proposal.term));
  proposal.key = static_cast<uint64_t>(base_offset);
  // Without timestamps of its own the batch keeps the leader's time: age counts from somewhere.
  if (header.max_timestamp >= 0) proposal.time_ms = header.max_timestamp;
  in_flight_.push({.index = proposal.index,
                   .term = proposal.term,
                   .end_offset = base_offset + header.record_count,
                   .producer_id = header.has_producer() ? header.producer_id : -1,
                   .producer_epoch = header.producer_epoch,
                   .batch = {.base_offset = base_offset,
                             .first_sequence = header.base_sequence,
                             .last_sequence = header.last_sequence()}});
  prepared.verdict = CHRONIK_PREPARE_PROPOSE;
}

// The rules of Kafka's brokers, with the batches in flight taken for written.
Stream::Judgement Stream::judge(const RecordBatchHeader& header) const {
  if (!header.has_producer()) return {};
  const Producer* applied = state_.producers.find(header.producer_id);
  const std::vector<InFlightBatch>* in_flight = in_flight_.of_producer(header.producer_id);

  // Whoever isn't known may begin anywhere: a producer outlives what is remembered of it.
  if (applied == nullptr && in_flight == nullptr) return {};

  const int16_t epoch = in_flight != nullptr ? in_flight->back().producer_epoch : applied->epoch();
  if (header.producer_epoch < epoch) {
    return {.verdict = CHRONIK_PREPARE_REFUSE,
            .refusal = {CHRONIK_E_FAILED_PRECONDITION,
                        describe_producer(header) + ": epoch " + number(epoch) +
                            " or later expected, a newer instance of this producer is at work",
                        kafka_error::kInvalidProducerEpoch}};
  }
  if (header.producer_epoch > epoch) {
    if (header.base_sequence == 0) return {};
    return {.verdict = CHRONIK_PREPARE_REFUSE, .refusal = out_of_order(header, 0)};
  }

  const int32_t last_sequence =
      in_flight != nullptr ? in_flight->back().batch.last_sequence : applied->last().last_sequence;
  const int32_t expected = format::next_sequence(last_sequence);
  if (header.base_sequence == expected) return {};

  if (in_flight != nullptr) {
    for (auto sent = in_flight->rbegin(); sent != in_flight->rend(); ++sent) {
      if (sent->producer_epoch == header.producer_epoch &&
          sent->batch.first_sequence == header.base_sequence &&
          sent->batch.last_sequence == header.last_sequence()) {
        return {.verdict = CHRONIK_PREPARE_FOLLOW, .follow_index = sent->index};
      }
    }
  }
  if (applied != nullptr && applied->epoch() == header.producer_epoch) {
    const ProducerBatch* written = applied->find(header.base_sequence, header.last_sequence());
    if (written != nullptr) {
      return {.verdict = CHRONIK_PREPARE_ANSWER, .base_offset = written->base_offset};
    }
  }
  return {.verdict = CHRONIK_PREPARE_REFUSE, .refusal = out_of_order(header, expected)};
}

// What was let through before this proposal stands before it in the log, in the same term. Anything
// else shows that it never got there.
void Stream::forget_overtaken(const chronik_proposal& proposal) {
  if (in_flight_.empty()) return;
  if (in_flight_.last().term != proposal.term) {
    complain("a proposal of term " + std::to_string(proposal.term) + " follows one of term " +
             std::to_string(in_flight_.last().term) + " without a change of leadership");
    in_flight_.clear();
    return;
  }
  while (!in_flight_.empty() && in_flight_.last().index >= proposal.index) {
    complain("two proposals for index " + std::to_string(in_flight_.last().index) +
             ": the first was dropped after it had its offset");
    in_flight_.pop_last();
  }
}

void Stream::on_leadership(uint64_t /*term*/, bool /*gained*/) {
  in_flight_.clear();
}

// ---- Every replica: the log
// ----------------------------------------------------------------------

Status Stream::apply(sdk::Array<chronik_entry> entries, chronik_result* results) {
  for (const chronik_entry& entry : entries) {
    results->struct_size = sizeof *results;
    apply_one(entry, *results);
    settle_in_flight(entry);
    ++results;
  }
  return {};
}

void Stream::apply_one(const chronik_entry& entry, chronik_result& result) {
  RecordBatchHeader header;
  const bool is_batch = decode_entry(sdk::view(entry.payload), header);
  if (!is_batch || header.base_offset != state_.next_offset) {
    sdk::add(misfits_, 1);
    complain("entry " + std::to_string(entry.index) + " of term " + std::to_string(entry.term) +
             (is_batch ? " has base offset " + number(header.base_offset) + ", expected " +
                             number(state_.next_offset)
                       : std::string(" is no record batch")) +
             "; it is left out of the stream");
    static constexpr std::string_view kLeftOut =
        "the entry doesn't continue the stream and is left out of it: a bug of its leader";
    result.status = CHRONIK_E_INTERNAL;
    result.bytes = sdk::slice(kLeftOut);
    return;
  }
  state_.next_offset += header.record_count;
  state_.max_time_ms = std::max(state_.max_time_ms, entry.time_ms);
  if (header.has_producer()) {
    state_.producers.record(header.producer_id, header.producer_epoch,
                            {.base_offset = header.base_offset,
                             .first_sequence = header.base_sequence,
                             .last_sequence = header.last_sequence()});
  }
  result.status = CHRONIK_OK;
  result.value = static_cast<uint64_t>(header.base_offset);
}

// Takes an applied entry off the front of what is in flight.
void Stream::settle_in_flight(const chronik_entry& entry) {
  if (in_flight_.empty() || entry.index < in_flight_.first().index) {
    // Nothing of ours, unless it moved the end of the stream under what is in flight.
    if (in_flight_.empty() || in_flight_.first().batch.base_offset == state_.next_offset) return;
  } else if (entry.index == in_flight_.first().index && entry.term == in_flight_.first().term &&
             in_flight_.first().end_offset == state_.next_offset) {
    in_flight_.pop_first();
    return;
  }
  complain("entry " + std::to_string(entry.index) + " of term " + std::to_string(entry.term) +
           " isn't what was proposed; " + std::to_string(in_flight_.size()) +
           " batches in flight are given up");
  in_flight_.clear();
}

// ---- Questions
// -----------------------------------------------------------------------------------

Status Stream::query(uint32_t kind, uint64_t arg, std::string_view /*body*/,
                     const chronik_sink* /*sink*/, chronik_answer& answer) {
  const auto start = static_cast<uint64_t>(state_.start_offset);
  const auto end = static_cast<uint64_t>(state_.next_offset);
  answer.start_key = start;
  answer.end_key = end;
  switch (kind) {
    case CHRONIK_QUERY_BOUNDS: answer.kind = CHRONIK_ANSWER_VALUE; return {};
    case CHRONIK_QUERY_LOG_KEY:
      if (arg < start || arg > end) {
        return {CHRONIK_E_OUT_OF_RANGE,
                "offset " + std::to_string(arg) + " isn't in the stream, which has " +
                    std::to_string(start) + " up to " + std::to_string(end) + ", exclusive",
                kafka_error::kOffsetOutOfRange};
      }
      answer.kind = arg == end ? CHRONIK_ANSWER_NOT_YET : CHRONIK_ANSWER_LOG_RANGE;
      answer.from = arg;
      answer.from_kind = CHRONIK_LOG_FROM_KEY;
      return {};
    case CHRONIK_QUERY_LOG_TIME: {
      const bool nothing = start == end || static_cast<int64_t>(arg) > state_.max_time_ms;
      answer.kind = nothing ? CHRONIK_ANSWER_NOT_YET : CHRONIK_ANSWER_LOG_RANGE;
      answer.from = arg;
      answer.from_kind = CHRONIK_LOG_FROM_TIME;
      return {};
    }
    default:
      return {CHRONIK_E_UNIMPLEMENTED,
              "a stream answers no queries of kind " + std::to_string(kind)};
  }
}

// ---- State
// ---------------------------------------------------------------------------------------

Status Stream::save(const chronik_sink& sink) {
  return write_state(state_, sink);
}

Status Stream::restore(std::string_view saved, uint64_t /*applied_index*/) {
  StreamState state(max_producers_);
  if (Status status = read_state(saved, state); !status.ok()) return status;
  state_ = std::move(state);
  in_flight_.clear();
  return {};
}

// Loud, but a log full of the same trouble doesn't fill the disk: the 1st, 2nd, 4th, 8th, ... time.
void Stream::complain(const std::string& message) {
  ++complaints_;
  if ((complaints_ & (complaints_ - 1)) != 0) return;
  host_.log(CHRONIK_LOG_ERROR, "stream " + name_ + ": " + message + " (complaint " +
                                   std::to_string(complaints_) + ")");
}

}  // namespace chronik::stream
