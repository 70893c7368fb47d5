// ShardFixture: a shard over the shipped `memory` log storage and `stream` machine, driven by hand.
//
// Completions of the storage are tasks of its host, so a test that doesn't run them withholds them.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chronik/format/record_batch.hpp"
#include "plugin/options.h"
#include "shard/shard.h"
#include "support/test_host.h"

extern "C" {
extern const chronik_plugin chronik_plugin_v0_memory;
extern const chronik_plugin chronik_plugin_v0_stream;
}

namespace chronik::test {

// A propose request with its outcome.
struct Produce {
  chronik_propose_request abi{};
  Buffer payload;
  std::optional<int32_t> status;
  uint64_t value = 0;
  std::string message;

  Produce(uint64_t group, uint32_t acks, std::string_view bytes) : payload(Buffer::copy_of(bytes)) {
    abi.struct_size = sizeof abi;
    abi.acks = acks;
    abi.group = group;
    abi.payload = payload.data();
    abi.payload_size = payload.size();
    abi.owner = payload.get();
    abi.done = [](chronik_propose_request* request, const chronik_outcome* outcome) noexcept {
      auto& self = *reinterpret_cast<Produce*>(request);
      if (self.status) std::abort();  // answered twice
      self.status = outcome->status;
      self.value = outcome->value;
      self.message = sdk::view(outcome->message);
    };
  }
  bool answered() const { return status.has_value(); }
};

// A query with its reply; entries as (index, payload) copies.
struct Query {
  chronik_query_request abi{};
  std::optional<int32_t> status;
  uint64_t start_key = 0;
  uint64_t end_key = 0;
  std::vector<std::string> payloads;

  Query(uint64_t group, uint32_t kind, uint64_t arg, int64_t wait_ns = 0) {
    abi.struct_size = sizeof abi;
    abi.kind = kind;
    abi.group = group;
    abi.arg = arg;
    abi.max_bytes = 1 << 20;
    abi.wait_ns = wait_ns;
    abi.done = [](chronik_query_request* request, const chronik_query_reply* reply) noexcept {
      auto& self = *reinterpret_cast<Query*>(request);
      if (self.status) std::abort();  // answered twice
      self.status = reply->status;
      self.start_key = reply->start_key;
      self.end_key = reply->end_key;
      for (const chronik_entry& entry :
           sdk::Array<chronik_entry>(reply->entries, reply->entry_count, reply->entry_stride)) {
        self.payloads.emplace_back(sdk::view(entry.payload));
      }
      if (reply->release != nullptr && reply->pin != nullptr) reply->release(reply->pin);
    };
  }
  bool answered() const { return status.has_value(); }
};

inline std::string batch_of(const std::vector<std::string>& values, int64_t producer = -1,
                            int32_t sequence = -1) {
  format::RecordBatchBuilder builder(1 << 20);
  for (const std::string& value : values) builder.append(std::nullopt, value, 1'000);
  return std::string(builder.finish(producer, producer < 0 ? -1 : 0, sequence));
}

class ShardFixture : public ShardObserver {
 public:
  ShardFixture() : store("main", true) {
    const chronik_component& memory = chronik_plugin_v0_memory.components[0];
    Result<ConfigValues> values = parse_options(options_of(memory), {}, "main", "");
    const unsigned char uuid[16] = {};
    REQUIRE(host::LogStorage::create(memory, storage_host.abi(), *store.environment(uuid),
                                     *values->config(), storage)
                .ok());
    store.attach(*storage);
    REQUIRE(storage->start().ok());
    make_shard();
  }
  ~ShardFixture() override {
    if (shard) stop_shard();
    storage_host.run();
    storage->stop({nullptr, nullptr});
    storage_host.run();
    storage.reset();
  }

  void make_shard() {
    shard = std::make_unique<Shard>(ShardOptions{.node = NodeId(1)}, budget, *this);
  }
  void stop_shard() {
    shard->begin_stop();
    for (int i = 0; i < 1000 && !shard->stopped(); ++i) {
      pass();
      storage_host.run();
    }
    REQUIRE(shard->stopped());
    shard.reset();
  }

  Machine make_stream() {
    const chronik_component& stream = chronik_plugin_v0_stream.components[0];
    Result<ConfigValues> values = parse_options(options_of(stream), {}, "stream", "");
    Machine machine;
    static const chronik_state_machine_environment environment{sizeof environment, 0, 0, {}};
    REQUIRE(host::StateMachine::create(stream, machine_host.abi(), environment, *values->config(),
                                       machine.instance)
                .ok());
    REQUIRE(machine->start().ok());
    return machine;
  }
  void open(uint64_t group) {
    ReplicaOptions options;
    options.group = GroupId(group);
    options.topic = "t";
    options.raft.id = ReplicaId(1);
    options.initial_configuration.voters = {ReplicaId(1)};
    options.checkpoint_bytes = checkpoint_bytes;
    options.append_bytes_max = append_bytes_max;
    REQUIRE(shard->open_replica(options, store, make_stream()).ok());
  }

  int64_t pass() { return shard->pass({storage_host.now_ns, storage_host.now_ns / 1'000'000}); }
  // Until nothing moves any more.
  void settle() {
    for (int i = 0; i < 1000; ++i) {
      const int64_t next = pass();
      const bool ran = storage_host.run();
      if (!ran && next != storage_host.now_ns && !storage_host.has_tasks()) return;
    }
    FAIL("the shard doesn't come to rest");
  }
  // Passes, but no completion of the storage.
  void settle_without_completions() {
    for (int i = 0; i < 10; ++i) pass();
  }

  void on_serving(GroupId group, bool is_serving) override { serving[group.value] = is_serving; }
  void on_fenced(GroupId group, const Status& why) override {
    fenced[group.value] = why.to_string();
  }
  void on_store_failed(LogStore&) override { store_failed = true; }

  TestHost storage_host;
  TestHost machine_host;
  LogStore store;
  std::unique_ptr<host::LogStorage> storage;
  InflightBudget budget{1 << 20};
  uint64_t checkpoint_bytes = 64 << 20;
  uint64_t append_bytes_max = 8 << 20;
  std::unique_ptr<Shard> shard;
  std::unordered_map<uint64_t, bool> serving;
  std::unordered_map<uint64_t, std::string> fenced;
  bool store_failed = false;
};

}  // namespace chronik::test
