// Node: the composition root. Makes everything in the order in which it is needed, and takes it
// down so that whatever a part waits for still runs; nothing else knows all the parts.
//
//   start: data directory -> host services -> log storages (recovery) -> shards -> group 0 ->
//          first reconciliation -> frontends -> registration
//   stop:  frontends begin -> controller and shards answer what is under way -> frontends end ->
//          shards (checkpoints) -> log storages -> host services
//
// Thread: made, started and stopped by the main thread.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "chronik/host/frontend.hpp"
#include "metadata/controller.h"
#include "node/config.h"
#include "node/control_thread.h"
#include "node/data_dir.h"
#include "node/gateway.h"
#include "node/machine_factory.h"
#include "plugin/host_services.h"
#include "replica/log_store.h"
#include "shard/shard_thread.h"

namespace chronik {

inline constexpr const char* kVersion = "0.1.0";

class Node final : private ShardObserver, private ControllerHost {
 public:
  // `on_failure` is called once, on any thread, when the node can't go on (a log storage failed);
  // the owner then calls stop(). `config`, `registry` and `sink` outlive the node.
  Node(const NodeConfig& config, const Registry& registry, DataDir data_dir, LogSink& sink,
       std::function<void(const Status&)> on_failure);
  ~Node() override;

  // Blocks until the node answers clients. After an error, stop() is still due.
  Status start();
  void stop();
  DataDir& data_dir() { return data_dir_; }

 private:
  struct StoreRuntime {
    std::unique_ptr<InstanceHost> host;
    std::unique_ptr<LogStore> store;
    std::unique_ptr<ConfigValues> options;
    std::unique_ptr<host::LogStorage> storage;
    Uuid id;
  };
  struct FrontendRuntime {
    std::unique_ptr<InstanceHost> host;
    std::unique_ptr<ConfigValues> options;
    std::unique_ptr<host::Frontend> frontend;
  };

  Status start_stores();
  Status start_store(const InstanceConfig& instance, const Store& place);
  void start_shards();
  Status open_metadata_group();
  Status wait_for_metadata();
  Status start_frontends();
  Status register_self();
  void fail(const Status& why);
  void resolve_metadata(const Status& status);

  ReplicaOptions replica_options(GroupId group, ReplicaId id) const;
  LogStore* find_store(const std::string& id);
  Shard& shard_of(GroupId group) { return *shards_[group.value % shards_.size()]; }

  // ShardObserver.
  void on_serving(GroupId group, bool serving) override;
  void on_fenced(GroupId group, const Status& why) override;
  void on_store_failed(LogStore& store) override;

  // ControllerHost.
  void propose_metadata(chronik_propose_request* request) override;
  void post_control(std::function<void()> work) override;
  void open_partition(const TopicInfo& topic, uint32_t partition, const ReplicaInfo& self,
                      std::function<void(Status)> opened) override;
  void delete_partition(GroupId group, std::function<void()> deleted) override;
  std::vector<GroupId> stored_groups() override;
  bool has_store(const std::string& id) const override;
  Status check_state_machine(const std::string& name) const override;
  Status check_log_storage(const std::string& name) const override;

  const NodeConfig& config_;
  const Registry& registry_;
  DataDir data_dir_;
  LogSink& sink_;
  Logger log_;
  std::function<void(const Status&)> on_failure_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> metadata_resolved_{false};
  std::promise<Status> metadata_;  // group 0 serves, or the node has failed before it did

  // In the order of start; destroyed in reverse.
  HostServices services_;
  MachineFactory machines_;
  std::vector<StoreRuntime> stores_;
  InflightBudget budget_;
  RoutingTable routing_;
  Controller controller_;
  std::vector<std::unique_ptr<Shard>> shards_;
  ControlThread control_;
  std::vector<std::unique_ptr<ShardThread>> shard_threads_;
  std::unique_ptr<Gateway> gateway_;
  std::vector<FrontendRuntime> frontends_;
  std::string api_address_;
};

}  // namespace chronik
