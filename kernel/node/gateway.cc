#include "node/gateway.h"

#include <algorithm>
#include <utility>

#include "chronik/sdk/base.hpp"
#include "plugin/host_services.h"
#include "replica/outcome.h"

namespace chronik {

struct Gateway::Environment {
  chronik_frontend_environment abi{};
  Gateway* gateway = nullptr;
  std::function<void(const std::string&)> set_address;

  static Environment& of(void* context) { return *static_cast<Environment*>(context); }
};

// Gathers a node's status: the controller's view first, then shard after shard.
class Gateway::StatusCollection : public std::enable_shared_from_this<StatusCollection> {
 public:
  StatusCollection(Gateway& gateway, chronik_status_request* request)
      : gateway_(gateway), request_(request) {}

  void start() {
    gateway_.deps_.control.post([self = shared_from_this()] {
      for (const Controller::Problem& problem : self->gateway_.deps_.controller.problems()) {
        GroupStatus& status = self->groups_.emplace_back();
        status.abi.struct_size = sizeof status.abi;
        status.abi.group = problem.group.value;
        status.abi.partition = problem.partition;
        status.abi.role = CHRONIK_ROLE_FENCED;
        status.topic = problem.topic;
        status.message = problem.message;
      }
      self->visit(0);
    });
  }

 private:
  void visit(size_t shard) {
    if (shard == gateway_.deps_.shards.size()) {
      gateway_.deps_.control.post([self = shared_from_this()] { self->finish(); });
      return;
    }
    gateway_.deps_.shards[shard]->post([self = shared_from_this(), shard](Shard& here) {
      here.describe(self->groups_);
      self->visit(shard + 1);
    });
  }

  void finish() {
    std::sort(groups_.begin(), groups_.end(),
              [](const GroupStatus& a, const GroupStatus& b) { return a.abi.group < b.abi.group; });
    std::vector<chronik_group_status> groups;
    groups.reserve(groups_.size());
    for (GroupStatus& group : groups_) {
      group.abi.topic = sdk::slice(group.topic);
      group.abi.message = sdk::slice(group.message);
      groups.push_back(group.abi);
    }
    std::vector<chronik_metric> metrics;
    gateway_.deps_.metrics.visit([&](const Metrics::Metric& metric) {
      metrics.push_back({sizeof(chronik_metric), metric.type, sdk::slice(metric.name),
                         sdk::slice(metric.labels), sdk::slice(metric.help), metric.value});
    });
    chronik_node_status status{};
    status.struct_size = sizeof status;
    status.group_count = static_cast<uint32_t>(groups.size());
    status.group_stride = sizeof(chronik_group_status);
    status.metric_count = static_cast<uint32_t>(metrics.size());
    status.metric_stride = sizeof(chronik_metric);
    status.node = gateway_.deps_.node.value;
    status.cluster_name = sdk::slice(gateway_.deps_.cluster_name);
    status.version = sdk::slice(gateway_.deps_.version);
    status.uptime_ns = HostServices::now(CHRONIK_CLOCK_MONOTONIC) - gateway_.started_ns_;
    status.groups = groups.data();
    status.metrics = metrics.data();
    request_->done(request_, &status);
  }

  Gateway& gateway_;
  chronik_status_request* request_;
  std::vector<GroupStatus> groups_;
};

Gateway::Gateway(Deps deps)
    : deps_(std::move(deps)), started_ns_(HostServices::now(CHRONIK_CLOCK_MONOTONIC)) {}

Gateway::~Gateway() = default;

chronik_frontend_environment* Gateway::make_environment(
    std::function<void(const std::string&)> set_address) {
  Environment& made = *environments_.emplace_back(std::make_unique<Environment>());
  made.gateway = this;
  made.set_address = std::move(set_address);
  chronik_frontend_environment& abi = made.abi;
  abi.struct_size = sizeof abi;
  abi.context = &made;
  abi.node = deps_.node.value;
  abi.max_payload_bytes = deps_.max_payload_bytes;
  abi.routing_acquire = [](void* context) noexcept {
    return Environment::of(context).gateway->deps_.routing.acquire();
  };
  abi.routing_release = [](void*, const chronik_routing* routing) noexcept {
    RoutingTable::release(routing);
  };
  abi.set_address = [](void* context, chronik_slice address) noexcept {
    Environment::of(context).set_address(std::string(sdk::view(address)));
  };
  abi.propose = [](void* context, chronik_propose_request* request) noexcept {
    Environment::of(context).gateway->propose(request);
  };
  abi.query = [](void* context, chronik_query_request* request) noexcept {
    Environment::of(context).gateway->query(request);
  };
  abi.admin = [](void* context, chronik_admin_request* request) noexcept {
    Gateway& gateway = *Environment::of(context).gateway;
    gateway.deps_.control.post([&gateway, request] { gateway.deps_.controller.admin(request); });
  };
  abi.status = [](void* context, chronik_status_request* request) noexcept {
    std::make_shared<StatusCollection>(*Environment::of(context).gateway, request)->start();
  };
  abi.cancel_query = [](void* context, chronik_query_request* request) noexcept {
    Environment::of(context)
        .gateway->shard_of(request->group)
        .cancel_query(GroupId(request->group), request);
  };
  return &abi;
}

void Gateway::propose(chronik_propose_request* request) {
  if (request->payload_size > deps_.max_payload_bytes) {
    return answer(request,
                  Status(Code::kInvalidArgument,
                         "a proposal has at most " + std::to_string(deps_.max_payload_bytes) +
                             " bytes, this one has " + std::to_string(request->payload_size)));
  }
  shard_of(request->group).submit_proposal(request);
}

void Gateway::query(chronik_query_request* request) {
  shard_of(request->group).submit_query(request);
}

}  // namespace chronik
