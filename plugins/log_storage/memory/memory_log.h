// The log storage `memory`: logs that live as long as the process.
//
// For tests, demonstrations and replicas that may start empty. It is VOLATILE, so a node refuses it
// unless its config says so in words. Payloads are never copied: an accepted entry holds a
// reference to the buffer it came in.
#pragma once

#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "chronik/sdk/log_group.hpp"
#include "chronik/sdk/log_storage.hpp"
#include "chronik/sdk/log_tail.hpp"

namespace chronik::memory {

// One lock covers all: nothing here waits or does I/O, and a message to an own thread would cost
// more than the critical sections.
//
// Space: entries count their payload and kEntryOverhead. From 90 % of max_bytes on, the host is
// told that space is low. Beyond max_bytes, batches that append wait, and all behind them, until a
// compaction, truncation or deletion has made room; what waits is bounded by max_bytes / 4.
class MemoryLog {
 public:
  static constexpr uint64_t kEntryOverhead = 80;

  MemoryLog(sdk::Host host, const chronik_log_storage_environment& environment,
            const sdk::Config& config);

  sdk::Status start() { return sdk::Status(); }
  void stop(chronik_done done);
  sdk::Status submit(const chronik_log_batch& batch, uint64_t token);
  int32_t group(uint64_t group, chronik_log_visitor visitor, void* context);
  int32_t scan_groups(chronik_log_visitor visitor, void* context);
  int32_t read(const chronik_log_read& request);

 private:
  struct Group {
    sdk::GroupState state;
    sdk::EntryTail tail;
    uint64_t charged = 0;  // what the group adds to bytes_
  };
  struct Waiting {
    uint64_t token;
    uint64_t bytes;
  };

  void apply(const chronik_log_operation& operation);
  void charge(Group& group);
  uint64_t resolve_start(const Group& group, const chronik_log_read& request) const;
  void release_waiting();
  void schedule_delivery();
  void deliver();

  const sdk::Host host_;
  const chronik_log_storage_environment environment_;
  const uint64_t bytes_max_;

  std::mutex mutex_;
  std::unordered_map<uint64_t, Group> groups_;
  sdk::BatchValidator validator_;
  uint64_t bytes_ = 0;
  uint64_t waiting_bytes_ = 0;
  std::deque<Waiting> waiting_;                      // accepted, in order, for want of space
  std::vector<chronik_log_completion> completions_;  // to be delivered
  bool delivering_ = false;  // one task at a time, so that completions keep their order
  bool stopping_ = false;
  bool space_low_ = false;
  bool space_told_ = false;
  uint64_t reads_posted_ = 0;
  chronik_done stopped_{};
};

}  // namespace chronik::memory
