#include "node/node.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "metadata/metadata_machine.h"
#include "plugin/abi_status.h"

namespace chronik {
namespace {

constexpr GroupId kMetadataGroup{0};

std::string bytes_of(const Uuid& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

}  // namespace

Node::Node(const NodeConfig& config, const Registry& registry, DataDir data_dir, LogSink& sink,
           std::function<void(const Status&)> on_failure)
    : config_(config),
      registry_(registry),
      data_dir_(std::move(data_dir)),
      sink_(sink),
      log_(&sink, "node"),
      on_failure_(std::move(on_failure)),
      services_({}, &sink_),
      machines_(config_, registry_, services_),
      budget_(config_.raft.max_inflight_bytes),
      controller_(config_.id, *this, routing_) {}

Node::~Node() {
  stop();
}

// ---- Start --------------------------------------------------------------------------------------

Status Node::start() {
  CHRONIK_TRY(start_stores());
  start_shards();
  CHRONIK_TRY(open_metadata_group());
  CHRONIK_TRY(wait_for_metadata());
  CHRONIK_TRY(start_frontends());
  return register_self();
}

Status Node::start_stores() {
  for (size_t i = 0; i < config_.log_storages.size(); ++i) {
    const InstanceConfig& instance = config_.log_storages[i];
    CHRONIK_TRY(start_store(instance, data_dir_.stores()[i])
                    .annotate("[log_storage." + instance.name + "] " + instance.plugin()));
  }
  return {};
}

Status Node::start_store(const InstanceConfig& instance, const Store& place) {
  const chronik_component& component = *instance.component->component;
  StoreRuntime& runtime = stores_.emplace_back();
  runtime.id = place.id;
  runtime.store = std::make_unique<LogStore>(instance.name, instance.is_volatile);
  runtime.host =
      services_.make_host(CHRONIK_KIND_LOG_STORAGE, instance.plugin(), instance.name,
                          place.directory, [this, name = instance.name](const Status& why) {
                            fail(why.annotate("log storage '" + name + "' has failed"));
                          });
  CHRONIK_ASSIGN_OR_RETURN(
      ConfigValues options,
      parse_options(options_of(component), instance.options, instance.name, place.directory));
  runtime.options = std::make_unique<ConfigValues>(std::move(options));
  CHRONIK_TRY(to_kernel(host::LogStorage::create(component, runtime.host->abi(),
                                                 *runtime.store->environment(place.id.data()),
                                                 *runtime.options->config(), runtime.storage)));
  runtime.store->attach(*runtime.storage);
  const uint64_t bound = runtime.store->group_batch_bytes_max();
  if (LogStore::append_bytes(config_.raft.max_proposal_bytes) > bound) {
    return Status(Code::kInvalidArgument,
                  "it takes at most " + format_bytes(bound) +
                      " of one group at a time, but raft.max_proposal_bytes is " +
                      format_bytes(config_.raft.max_proposal_bytes) + "; change one of the two");
  }
  CHRONIK_TRY(to_kernel(runtime.storage->start()));
  if (const std::string report = runtime.storage->recovery_report(); !report.empty()) {
    log_.warn("log storage '" + instance.name + "': " + report);
  }
  return {};
}

void Node::start_shards() {
  const uint32_t count = config_.shard_count(std::max(1u, std::thread::hardware_concurrency()));
  for (uint32_t i = 0; i < count; ++i) {
    ShardOptions options;
    options.number = i;
    options.node = config_.id;
    options.tick_interval_ns = config_.raft.heartbeat_interval_ns;
    options.random_seed = HostServices::random();
    shards_.push_back(
        std::make_unique<Shard>(options, budget_, static_cast<ShardObserver&>(*this)));
  }
  for (const auto& shard : shards_) shard_threads_.push_back(std::make_unique<ShardThread>(*shard));
}

ReplicaOptions Node::replica_options(GroupId group, ReplicaId id) const {
  ReplicaOptions options;
  options.group = group;
  options.raft.id = id;
  options.raft.election_tick = static_cast<uint32_t>(
      std::max<int64_t>(config_.raft.election_timeout_ns / config_.raft.heartbeat_interval_ns, 3));
  options.raft.heartbeat_tick = 1;
  options.raft.pre_vote = config_.raft.pre_vote;
  options.raft.check_quorum = config_.raft.check_quorum;
  options.raft.max_size_per_message = config_.raft.max_batch_bytes;
  options.raft.max_inflight_messages = config_.raft.max_inflight_batches;
  options.checkpoint_bytes = config_.raft.checkpoint_bytes;
  return options;
}

// Group 0 exists on every node from the first start; its replica's id is the node's.
Status Node::open_metadata_group() {
  ReplicaOptions options = replica_options(kMetadataGroup, ReplicaId(config_.id.value));
  options.initial_configuration.voters = {options.raft.id};
  CHRONIK_ASSIGN_OR_RETURN(Machine made,
                           machines_.make(MetadataMachine::kComponent, kMetadataGroup, "", 0));
  auto machine = std::make_shared<Machine>(std::move(made));
  auto* metadata = const_cast<MetadataMachine*>(
      machine->instance->extension<MetadataMachine>(MetadataMachine::kExtension));
  metadata->subscribe([this](MetadataImagePtr image) {
    control_.post([this, image = std::move(image)] { controller_.on_image(image); });
  });
  std::promise<Status> opened;
  shard_of(kMetadataGroup)
      .post([&opened, machine, options, store = stores_.front().store.get()](Shard& shard) {
        opened.set_value(shard.open_replica(options, *store, std::move(*machine)));
      });
  return opened.get_future().get().annotate("opening the metadata group");
}

Status Node::wait_for_metadata() {
  control_.post([this] { controller_.when_serving([this] { resolve_metadata({}); }); });
  return metadata_.get_future().get();
}

void Node::resolve_metadata(const Status& status) {
  if (!metadata_resolved_.exchange(true)) metadata_.set_value(status);
}

Status Node::start_frontends() {
  gateway_ = std::make_unique<Gateway>(
      Gateway::Deps{config_.id, config_.cluster_name, kVersion, config_.raft.max_proposal_bytes,
                    shards_, control_, controller_, routing_, services_.metrics()});
  for (const InstanceConfig& instance : config_.frontends) {
    const chronik_component& component = *instance.component->component;
    const std::string section = "[frontend." + instance.name + "] " + instance.plugin();
    FrontendRuntime& runtime = frontends_.emplace_back();
    runtime.host =
        services_.make_host(CHRONIK_KIND_FRONTEND, instance.plugin(), instance.name, "",
                            [this, section](const Status& why) { fail(why.annotate(section)); });
    CHRONIK_ASSIGN_OR_RETURN(
        ConfigValues options,
        parse_options(options_of(component), instance.options, instance.name, ""));
    runtime.options = std::make_unique<ConfigValues>(std::move(options));
    chronik_frontend_environment* environment =
        gateway_->make_environment([this, name = instance.name](const std::string& address) {
          if (api_address_.empty()) api_address_ = address;
          log_.info("frontend '" + name + "' listens on " + address);
        });
    CHRONIK_TRY(to_kernel(host::Frontend::create(component, runtime.host->abi(), *environment,
                                                 *runtime.options->config(), runtime.frontend))
                    .annotate(section));
    CHRONIK_TRY(to_kernel(runtime.frontend->start()).annotate(section));
  }
  return {};
}

Status Node::register_self() {
  NodeInfo self{config_.id, api_address_, {}};
  for (size_t i = 0; i < stores_.size(); ++i) {
    self.stores.push_back(
        {config_.log_storages[i].name, config_.log_storages[i].plugin(), bytes_of(stores_[i].id)});
  }
  std::promise<Status> registered;
  control_.post([&] {
    controller_.register_node(self, [&](Status status) { registered.set_value(status); });
  });
  return registered.get_future().get().annotate("registering with the metadata group");
}

// ---- Stop ---------------------------------------------------------------------------------------

void Node::stop() {
  // Frontends wait for their requests, so everything below begins at once to answer those, whatever
  // they wait for, and goes on answering until the frontends have ended.
  for (FrontendRuntime& runtime : frontends_) {
    if (runtime.host) runtime.host->begin_stop();
    if (runtime.frontend) runtime.frontend->stop({nullptr, nullptr});
  }
  control_.run([this] { controller_.stop(); });
  for (const auto& shard : shards_) shard->begin_drain();
  for (FrontendRuntime& runtime : frontends_) {
    if (runtime.frontend) runtime.frontend->stop_and_wait();
  }
  for (const auto& shard : shards_) shard->begin_stop();
  shard_threads_.clear();
  control_.run([] {});  // what the shards posted last
  for (FrontendRuntime& runtime : frontends_) {
    if (runtime.host) runtime.host->drain();
    runtime.frontend.reset();
  }
  frontends_.clear();
  gateway_.reset();
  for (auto runtime = stores_.rbegin(); runtime != stores_.rend(); ++runtime) {
    if (runtime->host) runtime->host->begin_stop();
    if (runtime->storage) runtime->storage->stop_and_wait();
    if (runtime->host) runtime->host->drain();
  }
  shards_.clear();  // not before: a storage that waited for space completes its writes as it stops
  for (auto runtime = stores_.rbegin(); runtime != stores_.rend(); ++runtime) {
    runtime->storage.reset();
  }
  stores_.clear();
}

void Node::fail(const Status& why) {
  if (failed_.exchange(true)) return;
  log_.error(why.to_string());
  resolve_metadata(why);
  on_failure_(why);
}

// ---- ShardObserver ------------------------------------------------------------------------------

void Node::on_serving(GroupId group, bool serving) {
  control_.post([this, group, serving] { controller_.on_serving(group, serving); });
}

void Node::on_fenced(GroupId group, const Status& why) {
  log_.error("group " + std::to_string(group.value) + " is out of service: " + why.to_string());
  if (group == kMetadataGroup) fail(why.annotate("the metadata group is out of service"));
  control_.post([this, group, why] { controller_.on_fenced(group, why); });
}

void Node::on_store_failed(LogStore& store) {
  fail(Status(Code::kFailed, "log storage '" + store.name() + "' has failed"));
}

// ---- ControllerHost -----------------------------------------------------------------------------

void Node::propose_metadata(chronik_propose_request* request) {
  request->group = kMetadataGroup.value;
  shard_of(kMetadataGroup).submit_proposal(request);
}

void Node::post_control(std::function<void()> work) {
  control_.post(std::move(work));
}

void Node::open_partition(const TopicInfo& topic, uint32_t partition, const ReplicaInfo& self,
                          std::function<void(Status)> opened) {
  const PartitionInfo& info = topic.partitions[partition];
  ReplicaOptions options = replica_options(info.group, self.id);
  options.topic = topic.name;
  options.partition = partition;
  for (const ReplicaInfo& replica : info.replicas) {
    options.initial_configuration.voters.push_back(replica.id);
  }
  options.initial_configuration.normalize();
  Result<Machine> made = machines_.make(topic.state_machine, info.group, topic.name, partition);
  if (!made.ok()) return opened(made.status());
  auto machine = std::make_shared<Machine>(std::move(made).value());
  shard_of(info.group)
      .post([this, options = std::move(options), store = find_store(self.store), machine,
             opened = std::move(opened)](Shard& shard) mutable {
        Status status = shard.open_replica(std::move(options), *store, std::move(*machine));
        control_.post([opened = std::move(opened), status = std::move(status)] { opened(status); });
      });
}

void Node::delete_partition(GroupId group, std::function<void()> deleted) {
  LogStore* store = nullptr;
  for (const StoreRuntime& runtime : stores_) {
    if (runtime.store->visit(group, [](const chronik_log_group&) {}).ok()) {
      store = runtime.store.get();
    }
  }
  // A replica that is just being created has no data yet; any store does to wait for its end.
  if (store == nullptr) store = stores_.front().store.get();
  shard_of(group).post([this, group, store, deleted = std::move(deleted)](Shard& shard) {
    shard.delete_replica(group, *store, [this, deleted] { control_.post(deleted); });
  });
}

std::vector<GroupId> Node::stored_groups() {
  std::vector<GroupId> groups;
  for (const StoreRuntime& runtime : stores_) {
    const Status scanned = runtime.store->visit_all([&](const chronik_log_group& group) {
      if (GroupId(group.group) != kMetadataGroup) groups.push_back(GroupId(group.group));
    });
    if (!scanned.ok()) log_.error("scanning the groups: " + scanned.to_string());
  }
  return groups;
}

LogStore* Node::find_store(const std::string& id) {
  for (const StoreRuntime& runtime : stores_) {
    if (bytes_of(runtime.id) == id) return runtime.store.get();
  }
  return nullptr;
}

bool Node::has_store(const std::string& id) const {
  return const_cast<Node*>(this)->find_store(id) != nullptr;
}

Status Node::check_state_machine(const std::string& name) const {
  return machines_.check(name);
}

Status Node::check_log_storage(const std::string& name) const {
  std::vector<std::string> names;
  for (const InstanceConfig& instance : config_.log_storages) {
    if (instance.name == name) return {};
    names.push_back(instance.name);
  }
  return Status(Code::kNotFound,
                "there is no log storage named '" + name + "'" + did_you_mean(name, names));
}

}  // namespace chronik
