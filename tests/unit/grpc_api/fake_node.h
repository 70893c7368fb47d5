// FakeNode: a host and a frontend environment that keep streams in memory, behind the real plugin.
//
// One thread plays the shards: every request is answered on it, in order, as on a node. Tests can
// withhold the answers to proposals, have the next ones refused, and look at what was asked.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "chronik/abi/frontend.h"

namespace chronik::test {

class FakeNode {
 public:
  // Values of the plugin's options that differ from their default.
  struct Options {
    std::string listen = "127.0.0.1:0";
    std::string advertise;
    uint64_t max_payload_bytes = 1 << 20;
    uint64_t max_inflight_bytes = 256 << 20;
    uint64_t max_stream_inflight_bytes = 64 << 20;
    uint64_t max_stream_results = 4096;
    uint64_t max_fetch_bytes = 2 << 20;
    int64_t drain_timeout_ns = 2'000'000'000;
  };

  FakeNode() : FakeNode(Options{}) {}
  explicit FakeNode(const Options& options);
  ~FakeNode();

  // Starts the frontend; its return value, and the error's message.
  int32_t start();
  std::string error;
  // Stops it and waits.
  void stop();
  // Begins to stop, without waiting.
  void begin_stop();
  void wait_stopped();
  std::string address();

  void add_topic(const std::string& name, uint32_t partitions,
                 const std::string& state_machine = "stream");

  // While held, proposals are taken, and answered by release_proposals().
  void hold_proposals(bool hold);
  // Waits until `count` proposals are held.
  void wait_held(size_t count);
  size_t held();
  void release_proposals(size_t count);
  // The next `count` proposals are refused so.
  void refuse_next(size_t count, int32_t status, const std::string& message, int32_t detail = 0);
  // Everything is refused with NOT_LEADER and this hint.
  void lead_elsewhere(uint64_t node, const std::string& address);

  size_t pinned();  // answers whose entries haven't been released
  void wait_pinned(size_t count);
  size_t long_polls();  // queries that wait
  void wait_long_polls(size_t count);
  uint64_t proposals();  // made so far
  std::string log();

 private:
  struct Group {
    std::vector<std::pair<uint64_t, std::string>> batches;  // base offset, bytes
    uint64_t start = 0;
    uint64_t end = 0;
    std::vector<chronik_query_request*> waiting;
  };
  struct Topic {
    std::string name;
    std::string state_machine;
    std::vector<chronik_route_partition> partitions;
    uint64_t id;
  };

  void run();
  void post(std::function<void()> work);
  void answer(chronik_propose_request* request);
  bool answer(chronik_query_request* request, bool may_wait);
  void change(chronik_admin_request* request);
  void report(chronik_status_request* request);
  void wake(Group& group);

  const Options options_;
  chronik_host host_{};
  int32_t log_level_ = CHRONIK_LOG_TRACE;
  chronik_frontend_environment environment_{};
  const chronik_frontend_vtable* vtable_;
  void* instance_ = nullptr;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool ending_ = false;
  bool stopped_ = false;
  std::string address_;
  std::string log_;
  std::map<std::string, Topic> topics_;
  std::map<uint64_t, Group> groups_;
  uint64_t next_group_ = 1;
  uint64_t next_producer_ = 1000;
  bool hold_ = false;
  std::deque<chronik_propose_request*> held_;
  size_t refusals_ = 0;
  int32_t refusal_status_ = 0;
  int32_t refusal_detail_ = 0;
  std::string refusal_message_;
  uint64_t other_leader_ = 0;
  std::string other_address_;
  size_t pinned_ = 0;
  uint64_t proposals_ = 0;
  std::thread thread_;
};

}  // namespace chronik::test
