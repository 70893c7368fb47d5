#include "fake_node.h"

#include <algorithm>
#include <cstring>

#include "chronik/format/record_batch.hpp"
#include "chronik/sdk/frontend.hpp"
#include "server.h"

extern "C" const chronik_plugin chronik_plugin_v0_grpc_api;

namespace chronik::test {
namespace {

FakeNode& self(void* context) {
  return *static_cast<FakeNode*>(context);
}

chronik_outcome outcome(int32_t status, uint64_t value = 0, std::string_view message = {}) {
  chronik_outcome made{};
  made.struct_size = sizeof made;
  made.status = status;
  made.value = value;
  made.message = sdk::slice(message);
  return made;
}

struct Snapshot {
  chronik_routing routing{};
  std::vector<chronik_route_topic> topics;
  std::vector<chronik_route_node> nodes;
  std::deque<std::string> names;
  std::deque<std::vector<chronik_route_partition>> partitions;
};

struct Pinned {
  FakeNode* node;
  std::deque<std::string> bytes;
  std::vector<chronik_entry> entries;
  std::function<void()> released;
};

}  // namespace

FakeNode::FakeNode(const Options& options) : options_(options) {
  host_.struct_size = sizeof host_;
  host_.context = this;
  host_.log_level = &log_level_;
  host_.log = [](void* context, int32_t, chronik_slice message) noexcept {
    FakeNode& node = self(context);
    const std::lock_guard lock(node.mutex_);
    node.log_ += std::string(sdk::view(message)) + "\n";
  };
  host_.now = [](void*, uint32_t) noexcept -> int64_t { return 0; };
  host_.random = [](void*) noexcept -> uint64_t { return 4; };
  host_.get_extension = [](void*, const char*) noexcept -> const void* { return nullptr; };

  environment_.struct_size = sizeof environment_;
  environment_.context = this;
  environment_.node = 1;
  environment_.max_payload_bytes = options_.max_payload_bytes;
  environment_.routing_acquire = [](void* context) noexcept -> const chronik_routing* {
    FakeNode& node = self(context);
    const std::lock_guard lock(node.mutex_);
    auto* made = new Snapshot();
    for (const auto& [name, topic] : node.topics_) {
      chronik_route_topic out{};
      out.struct_size = sizeof out;
      out.name = sdk::slice(made->names.emplace_back(topic.name));
      out.state_machine = sdk::slice(made->names.emplace_back(topic.state_machine));
      const auto& partitions = made->partitions.emplace_back(topic.partitions);
      out.partitions = partitions.data();
      out.partition_count = static_cast<uint32_t>(partitions.size());
      out.partition_stride = sizeof(chronik_route_partition);
      out.replication = 1;
      out.topic_id = topic.id;
      made->topics.push_back(out);
    }
    chronik_route_node one{};
    one.struct_size = sizeof one;
    one.node = 1;
    one.api_address = sdk::slice(made->names.emplace_back(node.address_));
    made->nodes.push_back(one);
    made->routing.struct_size = sizeof(chronik_routing);
    made->routing.topics = made->topics.data();
    made->routing.topic_count = static_cast<uint32_t>(made->topics.size());
    made->routing.topic_stride = sizeof(chronik_route_topic);
    made->routing.nodes = made->nodes.data();
    made->routing.node_count = 1;
    made->routing.node_stride = sizeof(chronik_route_node);
    return &made->routing;
  };
  environment_.routing_release = [](void*, const chronik_routing* routing) noexcept {
    // The routing is the first member.
    delete reinterpret_cast<const Snapshot*>(routing);
  };
  environment_.set_address = [](void* context, chronik_slice address) noexcept {
    FakeNode& node = self(context);
    const std::lock_guard lock(node.mutex_);
    node.address_ = std::string(sdk::view(address));
  };
  environment_.propose = [](void* context, chronik_propose_request* request) noexcept {
    FakeNode& node = self(context);
    node.post([&node, request] {
      std::unique_lock lock(node.mutex_);
      ++node.proposals_;
      if (node.hold_) {
        node.held_.push_back(request);
        node.changed_.notify_all();
        return;
      }
      lock.unlock();
      node.answer(request);
    });
  };
  environment_.query = [](void* context, chronik_query_request* request) noexcept {
    FakeNode& node = self(context);
    node.post([&node, request] { node.answer(request, true); });
  };
  environment_.admin = [](void* context, chronik_admin_request* request) noexcept {
    FakeNode& node = self(context);
    node.post([&node, request] { node.change(request); });
  };
  environment_.status = [](void* context, chronik_status_request* request) noexcept {
    FakeNode& node = self(context);
    node.post([&node, request] { node.report(request); });
  };
  environment_.cancel_query = [](void* context, chronik_query_request* request) noexcept {
    FakeNode& node = self(context);
    node.post([&node, request] {
      bool waited = false;
      {
        const std::lock_guard lock(node.mutex_);
        for (auto& [id, group] : node.groups_) waited |= std::erase(group.waiting, request) > 0;
        node.changed_.notify_all();
      }
      if (waited) node.answer(request, false);
    });
  };

  const chronik_component& component = chronik_plugin_v0_grpc_api.components[0];
  vtable_ = static_cast<const chronik_frontend_vtable*>(component.vtable);
  std::vector<chronik_value> values(component.option_count);
  values[grpc_api::kListen].text = sdk::slice(options_.listen);
  values[grpc_api::kAdvertise].text = sdk::slice(options_.advertise);
  values[grpc_api::kMaxMessageBytes].number.u64 = 64 << 10;
  values[grpc_api::kMaxInflightBytes].number.u64 = options_.max_inflight_bytes;
  values[grpc_api::kMaxStreamInflightBytes].number.u64 = options_.max_stream_inflight_bytes;
  values[grpc_api::kMaxStreamResults].number.u64 = options_.max_stream_results;
  values[grpc_api::kMaxFetchBytes].number.u64 = options_.max_fetch_bytes;
  values[grpc_api::kDrainTimeout].number.i64 = options_.drain_timeout_ns;
  values[grpc_api::kReplyThreads].number.u64 = 1;
  chronik_config config{};
  config.struct_size = sizeof config;
  config.value_count = component.option_count;
  config.value_stride = sizeof(chronik_value);
  config.values = values.data();
  config.instance_name = "api";
  chronik_error failed{};
  vtable_->component.create(&host_, &environment_, &config, &instance_, &failed);
  error = failed.message;
  thread_ = std::thread([this] { run(); });
}

FakeNode::~FakeNode() {
  if (instance_ != nullptr) {
    bool stopped = false;
    {
      const std::lock_guard lock(mutex_);
      stopped = stopped_;
    }
    if (!stopped) stop();
    vtable_->component.destroy(instance_);
  }
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

int32_t FakeNode::start() {
  chronik_error failed{};
  const int32_t status = vtable_->component.start(instance_, &failed);
  error = failed.message;
  return status;
}

void FakeNode::begin_stop() {
  chronik_done done{};
  done.context = this;
  done.call = [](void* context) noexcept {
    FakeNode& node = self(context);
    const std::lock_guard lock(node.mutex_);
    node.stopped_ = true;
    node.changed_.notify_all();
  };
  vtable_->component.stop(instance_, done);
}

void FakeNode::wait_stopped() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopped_; });
}

void FakeNode::stop() {
  begin_stop();
  wait_stopped();
}

std::string FakeNode::address() {
  const std::lock_guard lock(mutex_);
  return address_;
}

std::string FakeNode::log() {
  const std::lock_guard lock(mutex_);
  return log_;
}

void FakeNode::add_topic(const std::string& name, uint32_t partitions,
                         const std::string& state_machine) {
  const std::lock_guard lock(mutex_);
  Topic topic{name, state_machine, {}, next_group_};
  for (uint32_t i = 0; i < partitions; ++i) {
    topic.partitions.push_back({next_group_, 1});
    groups_[next_group_++];
  }
  topics_[name] = topic;
}

void FakeNode::hold_proposals(bool hold) {
  const std::lock_guard lock(mutex_);
  hold_ = hold;
}

void FakeNode::wait_held(size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return held_.size() >= count; });
}

size_t FakeNode::held() {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

void FakeNode::release_proposals(size_t count) {
  std::vector<chronik_propose_request*> requests;
  {
    const std::lock_guard lock(mutex_);
    for (; count > 0 && !held_.empty(); --count) {
      requests.push_back(held_.front());
      held_.pop_front();
    }
  }
  for (chronik_propose_request* request : requests) post([this, request] { answer(request); });
}

void FakeNode::refuse_next(size_t count, int32_t status, const std::string& message,
                           int32_t detail) {
  const std::lock_guard lock(mutex_);
  refusals_ = count;
  refusal_status_ = status;
  refusal_message_ = message;
  refusal_detail_ = detail;
}

void FakeNode::lead_elsewhere(uint64_t node, const std::string& address) {
  const std::lock_guard lock(mutex_);
  other_leader_ = node;
  other_address_ = address;
}

size_t FakeNode::pinned() {
  const std::lock_guard lock(mutex_);
  return pinned_;
}

void FakeNode::wait_pinned(size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return pinned_ == count; });
}

size_t FakeNode::long_polls() {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const auto& [id, group] : groups_) count += group.waiting.size();
  return count;
}

void FakeNode::wait_long_polls(size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    size_t waiting = 0;
    for (const auto& [id, group] : groups_) waiting += group.waiting.size();
    return waiting == count;
  });
}

uint64_t FakeNode::proposals() {
  const std::lock_guard lock(mutex_);
  return proposals_;
}

void FakeNode::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ending_ || !work_.empty(); });
    if (work_.empty()) return;
    auto work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

void FakeNode::post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  work_.push_back(std::move(work));
  changed_.notify_all();
}

void FakeNode::answer(chronik_propose_request* request) {
  chronik_outcome made{};
  std::string message;
  std::string leader;
  {
    const std::lock_guard lock(mutex_);
    Group& group = groups_[request->group];
    if (other_leader_ != 0) {
      message = "not the leader";
      leader = other_address_;
      made = outcome(CHRONIK_E_NOT_LEADER, 0, message);
      made.leader_node = other_leader_;
      made.leader_address = sdk::slice(leader);
    } else if (refusals_ > 0) {
      --refusals_;
      message = refusal_message_;
      made = outcome(refusal_status_, 0, message);
      made.detail = refusal_detail_;
    } else {
      format::set_base_offset(request->payload, static_cast<int64_t>(group.end));
      group.batches.emplace_back(
          group.end, std::string(reinterpret_cast<char*>(request->payload), request->payload_size));
      made = outcome(CHRONIK_OK, group.end);
      group.end += static_cast<uint32_t>(
          format::RecordBatchHeader::decode(group.batches.back().second).record_count);
    }
  }
  const uint64_t group = request->group;
  request->done(request, &made);
  wake(groups_[group]);
}

void FakeNode::wake(Group& group) {
  std::vector<chronik_query_request*> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(group.waiting);
  }
  for (chronik_query_request* request : waiting) answer(request, true);
}

bool FakeNode::answer(chronik_query_request* request, bool may_wait) {
  chronik_query_reply reply{};
  reply.struct_size = sizeof reply;
  std::string leader;
  {
    std::unique_lock lock(mutex_);
    Group& group = groups_[request->group];
    reply.start_key = group.start;
    reply.end_key = group.end;
    reply.high_watermark = group.end;
    if (other_leader_ != 0) {
      leader = other_address_;
      reply.status = CHRONIK_E_NOT_LEADER;
      reply.message = sdk::slice("not the leader");
      reply.leader_node = other_leader_;
      reply.leader_address = sdk::slice(leader);
    } else if (request->kind != CHRONIK_QUERY_BOUNDS) {
      auto* pinned = new Pinned{this, {}, {}, {}};
      uint64_t bytes = 0;
      for (const auto& [base, batch] : group.batches) {
        const auto header = format::RecordBatchHeader::decode(batch);
        const uint64_t end = base + static_cast<uint32_t>(header.record_count);
        if (request->kind == CHRONIK_QUERY_LOG_KEY
                ? end <= request->arg
                : header.max_timestamp < static_cast<int64_t>(request->arg))
          continue;
        if (bytes > 0 && bytes + batch.size() > request->max_bytes) break;
        bytes += batch.size();
        chronik_entry entry{};
        entry.struct_size = sizeof entry;
        entry.key = base;
        entry.payload = sdk::slice(pinned->bytes.emplace_back(batch));
        pinned->entries.push_back(entry);
      }
      if (pinned->entries.empty()) {
        delete pinned;
        if (may_wait && request->wait_ns > 0) {
          group.waiting.push_back(request);
          changed_.notify_all();
          return false;
        }
      } else {
        ++pinned_;
        pinned->released = [this] {
          const std::lock_guard relock(mutex_);
          --pinned_;
          changed_.notify_all();
        };
        reply.entries = pinned->entries.data();
        reply.entry_count = static_cast<uint32_t>(pinned->entries.size());
        reply.entry_stride = sizeof(chronik_entry);
        reply.pin = pinned;
        reply.release = [](void* pin) noexcept {
          std::unique_ptr<Pinned> own(static_cast<Pinned*>(pin));
          // Whoever still looks at the bytes shall notice.
          for (std::string& bytes : own->bytes) bytes.assign(bytes.size(), '!');
          own->released();
        };
      }
    }
  }
  request->done(request, &reply);
  return true;
}

void FakeNode::change(chronik_admin_request* request) {
  const std::string name(sdk::view(request->name));
  chronik_outcome made = outcome(CHRONIK_OK);
  std::string message;
  if (request->kind == CHRONIK_ADMIN_ALLOCATE_PRODUCER_ID) {
    made.value = next_producer_++;
  } else {
    bool exists = false;
    {
      const std::lock_guard lock(mutex_);
      exists = topics_.count(name) > 0;
      if (request->kind == CHRONIK_ADMIN_TOPIC_DELETE) topics_.erase(name);
    }
    if (request->kind == CHRONIK_ADMIN_TOPIC_CREATE) {
      if (exists) {
        message = "there is a topic named '" + name + "' already";
        made = outcome(CHRONIK_E_ALREADY_EXISTS, 0, message);
      } else {
        add_topic(name, request->partitions);
      }
    } else if (!exists) {
      message = "no topic named '" + name + "'";
      made = outcome(CHRONIK_E_NOT_FOUND, 0, message);
    }
  }
  request->done(request, &made);
}

void FakeNode::report(chronik_status_request* request) {
  std::vector<chronik_group_status> groups;
  std::deque<std::string> names;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, topic] : topics_) {
      for (size_t i = 0; i < topic.partitions.size(); ++i) {
        chronik_group_status status{};
        status.struct_size = sizeof status;
        status.group = topic.partitions[i].group;
        status.role = CHRONIK_ROLE_LEADER;
        status.partition = static_cast<uint32_t>(i);
        status.topic = sdk::slice(names.emplace_back(name));
        status.leader_node = 1;
        status.end_key = groups_[status.group].end;
        groups.push_back(status);
      }
    }
  }
  chronik_metric metric{};
  metric.struct_size = sizeof metric;
  metric.name = sdk::slice("chronik_test_total");
  metric.value = 42;
  chronik_node_status status{};
  status.struct_size = sizeof status;
  status.node = 1;
  status.cluster_name = sdk::slice("demo");
  status.version = sdk::slice("0.1.0");
  status.uptime_ns = 1'500'000'000;
  status.groups = groups.data();
  status.group_count = static_cast<uint32_t>(groups.size());
  status.group_stride = sizeof(chronik_group_status);
  status.metrics = &metric;
  status.metric_count = 1;
  status.metric_stride = sizeof metric;
  request->done(request, &status);
}

}  // namespace chronik::test
