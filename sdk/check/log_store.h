// A log storage instance under test, on a TestHost: built from a plugin's descriptor as a kernel
// would, with its completions, reads and space signals recorded.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "check/sim_disk.h"
#include "check/test_host.h"
#include "chronik/abi/log_storage.h"

namespace chronik::check {

// An entry by value.
struct Entry {
  uint32_t type = 1;
  uint64_t index = 0;
  uint64_t term = 0;
  uint64_t key = 0;
  int64_t time_ms = 0;
  std::string payload;
  bool operator==(const Entry& other) const = default;
};

// Builds a chronik_log_batch; owns what the batch points to.
class Batch {
 public:
  Batch& create(uint64_t group);
  // `entries` follow (index, term).
  Batch& append(uint64_t group, uint64_t index, uint64_t term, std::vector<Entry> entries);
  Batch& truncate(uint64_t group, uint64_t index);
  Batch& hard_state(uint64_t group, uint64_t term, uint64_t vote, uint64_t commit,
                    bool lazy = false);
  Batch& compact(uint64_t group, uint64_t index, uint64_t term, std::string meta);
  Batch& meta(uint64_t group, std::string meta, bool lazy = false);
  Batch& reset(uint64_t group, uint64_t index, uint64_t term, std::string meta);
  Batch& remove(uint64_t group);

  struct Operation {
    chronik_log_operation raw;
    std::vector<Entry> entries;
    std::string meta;
  };
  const std::deque<Operation>& operations() const { return operations_; }
  bool lazy() const;

 private:
  Operation& add(uint32_t kind, uint64_t group);
  std::deque<Operation> operations_;
};

// What group() tells, by value.
struct GroupView {
  uint32_t flags = 0;
  uint64_t start_index = 0, start_term = 0, last_index = 0, last_term = 0, last_key = 0;
  int64_t last_time_ms = 0;
  uint64_t durable_index = 0, hard_term = 0, hard_vote = 0, hard_commit = 0;
  std::string meta;
  std::vector<chronik_term_run> term_runs;
};

struct ReadOutcome {
  int32_t status = 0;
  std::vector<Entry> entries;
};

class LogStore {
 public:
  // `options` by name, as in a config file; the others have their defaults.
  LogStore(const chronik_plugin& plugin, SimDisk* disk, std::map<std::string, std::string> options,
           uint64_t seed = 0);
  ~LogStore();
  LogStore(const LogStore&) = delete;

  TestHost& host() { return host_; }
  const std::string& error() const { return error_; }

  int32_t start();
  // Stops and destroys; the store can't be used any more.
  void close();
  // The machine stops here: the disk performs nothing more. Follow with SimDisk::power_cut() or
  // kill().
  void crash();

  int32_t submit(const Batch& batch, uint64_t token);
  // Submits, runs the host until the completion is there; its status, or submit's.
  int32_t write(const Batch& batch);
  bool completed(uint64_t token) const { return completions_.count(token) != 0; }
  const std::map<uint64_t, int32_t>& completions() const { return completions_; }
  const std::vector<uint64_t>& completion_order() const { return order_; }

  std::optional<GroupView> group(uint64_t group);
  std::vector<uint64_t> groups();
  // Reads and runs the host until the result is there; follows short results to the end.
  ReadOutcome read(uint64_t group, uint32_t from_kind, uint64_t from, uint64_t end_index,
                   uint64_t max_bytes = UINT64_MAX);
  ReadOutcome read_once(uint64_t group, uint32_t from_kind, uint64_t from, uint64_t end_index,
                        uint64_t max_bytes);
  ReadOutcome read_all(uint64_t group);
  std::vector<std::string> report();
  const std::vector<uint32_t>& space_signals() const { return space_; }

 private:
  void make(const chronik_plugin& plugin, std::map<std::string, std::string> options);
  void destroy();

  SimDisk* disk_;
  TestHost host_;
  chronik_log_storage_environment environment_{};
  const chronik_log_storage_vtable* vtable_ = nullptr;
  void* instance_ = nullptr;
  bool inside_call_ = false;  // no callback may come inside a call
  std::string error_;
  uint64_t next_token_ = 1'000'000'000;
  std::map<uint64_t, int32_t> completions_;
  std::vector<uint64_t> order_;
  std::map<uint64_t, ReadOutcome> reads_;
  std::vector<uint32_t> space_;
  std::vector<std::string> mistakes_;
};

}  // namespace chronik::check
