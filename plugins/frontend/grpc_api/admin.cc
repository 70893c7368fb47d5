#include "admin.h"

#include <fmt/format.h>

#include <functional>
#include <utility>

#include "errors.h"

namespace chronik::grpc_api {
namespace {

// A change at the metadata group. Frees itself when it has been answered.
class AdminCall final : public chronik_admin_request, public Reply {
 public:
  // `on_success` takes the outcome's value.
  AdminCall(Runtime& runtime, UnaryContext& context, uint32_t kind_arg,
            std::function<void(uint64_t)> on_success = {})
      : chronik_admin_request{},
        runtime_(runtime),
        context_(context),
        reactor_(context.DefaultReactor()),
        reply_thread_(runtime.pick_reply_thread()),
        on_success_(std::move(on_success)) {
    struct_size = sizeof(chronik_admin_request);
    kind = kind_arg;
    done = [](chronik_admin_request* self, const chronik_outcome* outcome) noexcept {
      auto* own = static_cast<AdminCall*>(self);
      own->status_ = outcome->status;
      own->value_ = outcome->value;
      if (own->status_ != CHRONIK_OK) own->error_ = make_error(*outcome);
      own->reply_thread_.push(own);
    };
  }
  // The slices of the request must live as long as the call does.
  Unary start() {
    Unary reactor = reactor_;
    runtime_.enter();
    runtime_.environment().admin(runtime_.environment().context, this);
    return reactor;
  }
  void deliver(ReplyThread&) override {
    Runtime& runtime = runtime_;
    if (status_ != CHRONIK_OK) {
      runtime.count_refused();
      reactor_->Finish(end_with(context_, error_));
    } else {
      if (on_success_) on_success_(value_);
      reactor_->Finish(::grpc::Status::OK);
    }
    delete this;
    runtime.leave();
  }

 private:
  Runtime& runtime_;
  UnaryContext& context_;
  Unary reactor_;
  ReplyThread& reply_thread_;
  std::function<void(uint64_t)> on_success_;
  int32_t status_ = CHRONIK_OK;
  uint64_t value_ = 0;
  pb::Error error_;
};

// A look at the node's status. Frees itself when it has been answered.
class StatusCall final : public chronik_status_request, public Reply {
 public:
  // `take` copies what it needs, on a thread of the host.
  StatusCall(Runtime& runtime, UnaryContext& context,
             std::function<void(const chronik_node_status&)> take)
      : chronik_status_request{},
        runtime_(runtime),
        reactor_(context.DefaultReactor()),
        reply_thread_(runtime.pick_reply_thread()),
        take_(std::move(take)) {
    struct_size = sizeof(chronik_status_request);
    done = [](chronik_status_request* self, const chronik_node_status* status) noexcept {
      auto* own = static_cast<StatusCall*>(self);
      own->take_(*status);
      own->reply_thread_.push(own);
    };
  }
  Unary start() {
    Unary reactor = reactor_;
    runtime_.enter();
    runtime_.environment().status(runtime_.environment().context, this);
    return reactor;
  }
  void deliver(ReplyThread&) override {
    Runtime& runtime = runtime_;
    reactor_->Finish(::grpc::Status::OK);
    delete this;
    runtime.leave();
  }

 private:
  Runtime& runtime_;
  Unary reactor_;
  ReplyThread& reply_thread_;
  std::function<void(const chronik_node_status&)> take_;
};

Unary refuse(Runtime& runtime, UnaryContext& context, const pb::Error& error) {
  Unary reactor = context.DefaultReactor();
  runtime.count_refused();
  reactor->Finish(end_with(context, error));
  return reactor;
}

std::string text(chronik_slice slice) {
  return std::string(sdk::view(slice));
}

void fill(pb::Topic& out, const chronik_route_topic& topic) {
  out.set_name(text(topic.name));
  out.set_id(topic.topic_id);
  out.set_partitions(topic.partition_count);
  out.set_replication(topic.replication);
  out.set_state_machine(text(topic.state_machine));
  out.set_log_storage(text(topic.log_storage));
}

void fill(pb::Replica& out, const chronik_group_status& group) {
  out.set_group(group.group);
  out.set_topic(text(group.topic));
  out.set_partition(group.partition);
  out.set_role(pb::Role_IsValid(static_cast<int>(group.role)) ? static_cast<pb::Role>(group.role)
                                                              : pb::ROLE_FENCED);
  out.set_term(group.term);
  out.set_leader_node(group.leader_node);
  out.set_first_index(group.first_index);
  out.set_last_index(group.last_index);
  out.set_durable_index(group.durable_index);
  out.set_commit_index(group.commit_index);
  out.set_applied_index(group.applied_index);
  out.set_start_offset(group.start_key);
  out.set_end_offset(group.end_key);
  out.set_message(text(group.message));
}

sdk::Array<chronik_group_status> groups(const chronik_node_status& status) {
  return {status.groups, status.group_count, status.group_stride};
}

sdk::Array<chronik_route_node> nodes(const sdk::RoutingRef& routing) {
  return {routing->nodes, routing->node_count, routing->node_stride};
}

std::string address_of(const sdk::RoutingRef& routing, uint64_t node) {
  for (const chronik_route_node& known : nodes(routing))
    if (known.node == node) return text(known.api_address);
  return {};
}

}  // namespace

Unary create_topic(Runtime& runtime, UnaryContext& context, const pb::CreateTopicRequest& request) {
  auto* call = new AdminCall(runtime, context, CHRONIK_ADMIN_TOPIC_CREATE);
  call->name = sdk::slice(request.name());
  call->partitions = request.partitions() != 0 ? request.partitions() : 1;
  call->replication = request.replication();
  call->state_machine = sdk::slice(request.state_machine());
  call->log_storage = sdk::slice(request.log_storage());
  return call->start();
}

Unary delete_topic(Runtime& runtime, UnaryContext& context, const pb::DeleteTopicRequest& request) {
  auto* call = new AdminCall(runtime, context, CHRONIK_ADMIN_TOPIC_DELETE);
  call->name = sdk::slice(request.name());
  return call->start();
}

Unary init_producer(Runtime& runtime, UnaryContext& context, pb::InitProducerResponse& response) {
  auto* call = new AdminCall(runtime, context, CHRONIK_ADMIN_ALLOCATE_PRODUCER_ID,
                             [&response](uint64_t id) { response.set_producer_id(id); });
  return call->start();
}

Unary list_topics(Runtime& runtime, UnaryContext& context, pb::ListTopicsResponse& response) {
  const sdk::RoutingRef routing(runtime.environment());
  for (const chronik_route_topic& topic : routing.topics()) fill(*response.add_topics(), topic);
  Unary reactor = context.DefaultReactor();
  reactor->Finish(::grpc::Status::OK);
  return reactor;
}

Unary describe_topic(Runtime& runtime, UnaryContext& context,
                     const pb::DescribeTopicRequest& request, pb::DescribeTopicResponse& response) {
  {
    const sdk::RoutingRef routing(runtime.environment());
    const chronik_route_topic* topic = routing.find(request.name());
    if (topic == nullptr)
      return refuse(
          runtime, context,
          make_error(CHRONIK_E_NOT_FOUND, fmt::format("no topic named '{}'", request.name()),
                     kKafkaUnknownTopicOrPartition));
    fill(*response.mutable_topic(), *topic);
    for (uint32_t i = 0; i < topic->partition_count; ++i) {
      const chronik_route_partition& partition = *sdk::RoutingRef::partition(*topic, i);
      pb::Partition& out = *response.add_partitions();
      out.set_partition(i);
      out.set_group(partition.group);
      out.mutable_leader()->set_node(partition.leader_node);
      out.mutable_leader()->set_api_address(address_of(routing, partition.leader_node));
    }
  }
  response.set_max_batch_bytes(runtime.limits().max_payload_bytes);
  auto* call = new StatusCall(runtime, context, [&response](const chronik_node_status& status) {
    // Both are few per topic, but groups are many per node: one walk over the groups.
    std::vector<std::pair<uint64_t, pb::Partition*>> wanted;
    for (pb::Partition& partition : *response.mutable_partitions())
      wanted.emplace_back(partition.group(), &partition);
    std::sort(wanted.begin(), wanted.end());
    for (const chronik_group_status& group : groups(status)) {
      const auto at = std::lower_bound(wanted.begin(), wanted.end(),
                                       std::pair<uint64_t, pb::Partition*>(group.group, nullptr));
      if (at == wanted.end() || at->first != group.group) continue;
      fill(*at->second->mutable_replica(), group);
    }
  });
  return call->start();
}

Unary status(Runtime& runtime, UnaryContext& context, const pb::StatusRequest& request,
             pb::StatusResponse& response) {
  {
    const sdk::RoutingRef routing(runtime.environment());
    for (const chronik_route_node& node : nodes(routing)) {
      pb::Node& out = *response.add_nodes();
      out.set_node(node.node);
      out.set_api_address(text(node.api_address));
    }
  }
  response.set_max_batch_bytes(runtime.limits().max_payload_bytes);
  const bool with_metrics = request.with_metrics();
  auto* call = new StatusCall(
      runtime, context, [&response, with_metrics](const chronik_node_status& status) {
        response.set_node(status.node);
        response.set_cluster_name(text(status.cluster_name));
        response.set_version(text(status.version));
        response.set_uptime_ms(static_cast<uint64_t>(status.uptime_ns / 1'000'000));
        for (const chronik_group_status& group : groups(status))
          fill(*response.add_replicas(), group);
        if (!with_metrics) return;
        for (const chronik_metric& metric : sdk::Array<chronik_metric>(
                 status.metrics, status.metric_count, status.metric_stride)) {
          pb::Metric& out = *response.add_metrics();
          out.set_name(text(metric.name));
          out.set_labels(text(metric.labels));
          out.set_help(text(metric.help));
          out.set_value(metric.value);
        }
      });
  return call->start();
}

}  // namespace chronik::grpc_api
