// The state machine of a topic's partition that is a stream of records: Kafka RecordBatch v2, one
// batch per log entry, offsets dense, each record stored once.
//
// The log is the stream: the machine keeps no records, only where the stream starts and ends and
// the last batches of each producer. On the leader, prepare() gives each batch its offset,
// reckoning with the batches before it that are still in flight, and recognises what a producer
// sends twice. apply() takes the log as it is and only checks that the offsets have no gaps.
//
// States, and what holds in them:
//   following  in_flight_ is empty; nothing but apply() changes anything.
//   leading    in_flight_ holds what prepare() has let through and apply() hasn't seen yet; its
//   first
//              batch begins at state_.next_offset.
// on_leadership() switches between them; both forget what was in flight.
//
// Thread: calls are serial, on the shard's thread. Nothing waits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "chronik/format/record_batch.hpp"
#include "chronik/sdk/state_machine.hpp"
#include "in_flight.h"
#include "producer_table.h"
#include "saved_state.h"

namespace chronik::stream {

// Places in the component's table of options.
enum StreamOption : size_t { kMaxBatchBytes = 0, kMaxProducers = 1 };

class Stream {
 public:
  Stream(sdk::Host host, const chronik_state_machine_environment& environment,
         const sdk::Config& config);

  uint32_t version() const { return kStateVersion; }
  void prepare(chronik_proposal& proposal, chronik_prepared& prepared);
  void on_leadership(uint64_t term, bool gained);
  sdk::Status apply(sdk::Array<chronik_entry> entries, chronik_result* results);
  sdk::Status query(uint32_t kind, uint64_t arg, std::string_view body, const chronik_sink* sink,
                    chronik_answer& answer);
  sdk::Status save(const chronik_sink& sink);
  sdk::Status restore(std::string_view saved, uint64_t applied_index);

 private:
  // What prepare() finds of a batch with a producer.
  struct Judgement {
    uint32_t verdict = CHRONIK_PREPARE_PROPOSE;
    uint64_t follow_index = 0;
    int64_t base_offset = 0;
    sdk::Status refusal;
  };

  Judgement judge(const format::RecordBatchHeader& header) const;
  void forget_overtaken(const chronik_proposal& proposal);
  void apply_one(const chronik_entry& entry, chronik_result& result);
  void settle_in_flight(const chronik_entry& entry);
  void complain(const std::string& message);

  const sdk::Host host_;
  const std::string name_;  // "topic/partition (group 7)", for log lines
  const size_t max_batch_bytes_;
  const size_t max_producers_;
  int64_t* const duplicates_;
  int64_t* const refusals_;
  int64_t* const misfits_;

  StreamState state_;
  InFlight in_flight_;
  uint64_t complaints_ = 0;
};

}  // namespace chronik::stream
