// A host for tests: one thread, a virtual clock, and work that runs only when the test says so.
#pragma once

#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "check/sim_disk.h"
#include "chronik/sdk/base.hpp"

namespace chronik::check {

// Tasks, blocking tasks and chains of the disk are performed by step(), in an order that the seed
// decides (seed 0: as they came).
class TestHost {
 public:
  explicit TestHost(SimDisk* disk, uint64_t seed = 0);
  ~TestHost();

  const chronik_host* raw() const { return &host_; }

  bool step();         // performs one thing; false if only delayed tasks are left
  void run();          // until nothing but delayed tasks is left
  void run_delayed();  // lets time pass until the next delayed task is due, and performs it
  bool has_delayed() const { return !delayed_.empty(); }
  // As at a stop: delayed tasks run at once.
  void flush_delayed();
  // Forgets all tasks, as when the process dies.
  void drop_all();

  const std::vector<std::string>& fatals() const { return fatals_; }
  const std::vector<std::string>& log_lines() const { return log_; }
  int64_t metric(const std::string& name) const;
  int64_t live_buffers() const { return live_buffers_; }

 private:
  struct Buffer;
  chronik_host host_{};
  chronik_metrics metrics_{};
  int32_t log_level_ = CHRONIK_LOG_INFO;
  SimDisk* disk_;
  std::mt19937_64 random_;
  bool shuffled_;
  int64_t now_ns_ = 1'700'000'000'000'000'000;
  std::deque<chronik_task*> tasks_;
  std::deque<chronik_task*> blocking_;
  std::multimap<int64_t, chronik_task*> delayed_;
  std::vector<std::string> fatals_;
  std::vector<std::string> log_;
  std::map<std::string, int64_t> cells_;
  int64_t live_buffers_ = 0;
};

}  // namespace chronik::check
