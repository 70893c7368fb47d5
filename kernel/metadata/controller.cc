#include "metadata/controller.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/buffer.h"
#include "chronik/sdk/base.hpp"
#include "metadata/metadata_machine.h"
#include "replica/outcome.h"

namespace chronik {
namespace {

constexpr uint32_t kProducerIdBlock = 1000;

const Status& in_doubt() {
  static const Status status(Code::kUnknown, "the change is made, but the node is stopping");
  return status;
}

std::string text(chronik_slice slice) {
  return std::string(sdk::view(slice));
}

}  // namespace

// A command on its way through group 0; frees itself on the control thread.
class Controller::Proposal {
 public:
  Proposal(ControllerHost& host, const std::string& bytes,
           std::function<void(const chronik_outcome&)> done)
      : host_(host), payload_(Buffer::copy_of(bytes)), done_(std::move(done)) {
    request_.struct_size = sizeof request_;
    request_.acks = CHRONIK_ACKS_ALL;
    request_.payload = payload_.data();
    request_.payload_size = payload_.size();
    request_.owner = payload_.get();
    request_.done = [](chronik_propose_request* request, const chronik_outcome* outcome) noexcept {
      reinterpret_cast<Proposal*>(request)->on_done(*outcome);
    };
  }
  chronik_propose_request* request() { return &request_; }

 private:
  // The outcome is borrowed and this is a shard's thread: a copy travels on.
  void on_done(const chronik_outcome& outcome) {
    host_.post_control(
        [this, copy = chronik_outcome(outcome), message = text(outcome.message)]() mutable {
          copy.message = sdk::slice(message);
          copy.bytes = {};
          done_(copy);
          delete this;
        });
  }

  chronik_propose_request request_{};  // first: `done` gets its address
  ControllerHost& host_;
  Buffer payload_;
  std::function<void(const chronik_outcome&)> done_;
};

Controller::Controller(NodeId node, ControllerHost& host, RoutingTable& routing)
    : node_(node),
      host_(host),
      routing_(routing),
      image_(std::make_shared<const MetadataImage>()) {}

Controller::~Controller() = default;

// ---- Events -------------------------------------------------------------------------------------

void Controller::on_image(MetadataImagePtr image) {
  image_ = std::move(image);
  if (metadata_serving_) reconcile();
}

void Controller::on_serving(GroupId group, bool serving) {
  if (serving) {
    leaders_[group] = node_;
  } else {
    leaders_.erase(group);
  }
  if (group == GroupId(0)) {
    metadata_serving_ = serving;
    if (serving) {
      reconcile();
      if (when_serving_) std::exchange(when_serving_, nullptr)();
    }
    return;
  }
  if (const auto local = locals_.find(group); local != locals_.end()) {
    local->second.serving = serving;
  }
  publish_soon();
  answer_waiting();
}

void Controller::on_fenced(GroupId group, const Status& why) {
  const auto local = locals_.find(group);
  if (local == locals_.end()) return;
  local->second.broken = why;
  answer_waiting();
}

void Controller::when_serving(std::function<void()> ready) {
  when_serving_ = std::move(ready);
  if (metadata_serving_) std::exchange(when_serving_, nullptr)();
}

void Controller::register_node(NodeInfo self, std::function<void(Status)> done) {
  const auto registered = [this, done = std::move(done)](const Status& status) {
    registered_ = true;
    for (chronik_admin_request* request : std::exchange(waiting_admin_, {})) admin(request);
    done(status);
  };
  const auto known = image_->nodes.find(self.id);
  if (known != image_->nodes.end() && known->second == self) return registered({});
  propose(RegisterNode{std::move(self)}, [registered](const chronik_outcome& outcome) {
    registered(Status::from_abi(outcome.status, sdk::view(outcome.message)));
  });
}

void Controller::stop() {
  stopping_ = true;
  const Status why(Code::kUnavailable, "the node is stopping");
  for (const Waiting& waiting : std::exchange(waiting_creates_, {})) {
    answer(waiting.request, in_doubt());
  }
  for (const Waiting& waiting : std::exchange(waiting_deletes_, {})) {
    answer(waiting.request, in_doubt());
  }
  for (chronik_admin_request* request : std::exchange(waiting_producers_, {})) {
    answer(request, why);
  }
  for (chronik_admin_request* request : std::exchange(waiting_admin_, {})) answer(request, why);
}

// ---- Admin requests -----------------------------------------------------------------------------

void Controller::admin(chronik_admin_request* request) {
  if (stopping_) return answer(request, Status(Code::kUnavailable, "the node is stopping"));
  if (!registered_) return waiting_admin_.push_back(request);
  switch (request->kind) {
    case CHRONIK_ADMIN_TOPIC_CREATE: return create_topic(request);
    case CHRONIK_ADMIN_TOPIC_DELETE: return delete_topic(request);
    case CHRONIK_ADMIN_ALLOCATE_PRODUCER_ID: return allocate_producer_id(request);
    default:
      return answer(request, Status(Code::kUnimplemented, "an admin request of a later version"));
  }
}

void Controller::create_topic(chronik_admin_request* request) {
  CreateTopic command{text(request->name), request->partitions, request->replication,
                      text(request->state_machine), text(request->log_storage)};
  if (command.state_machine.empty()) command.state_machine = "stream";
  Status why = host_.check_state_machine(command.state_machine);
  if (why.ok() && !command.log_storage.empty()) why = host_.check_log_storage(command.log_storage);
  if (!why.ok()) return answer(request, why);
  const std::string name = command.name;
  propose(std::move(command), [this, request, name](const chronik_outcome& outcome) {
    if (outcome.status != CHRONIK_OK) return answer(request, outcome);
    if (stopping_) return answer(request, in_doubt());
    Waiting waiting{request, outcome.value, {}};
    // The image that has the topic came before this outcome, from the same thread.
    if (const auto topic = image_->topics.find(name);
        topic != image_->topics.end() && topic->second.id == outcome.value) {
      for (const PartitionInfo& partition : topic->second.partitions) {
        for (const ReplicaInfo& replica : partition.replicas) {
          if (replica.node == node_) waiting.groups.push_back(partition.group);
        }
      }
    }
    waiting_creates_.push_back(std::move(waiting));
    answer_waiting();
  });
}

void Controller::delete_topic(chronik_admin_request* request) {
  const std::string name = text(request->name);
  Waiting waiting{request, 0, {}};
  if (const auto topic = image_->topics.find(name); topic != image_->topics.end()) {
    for (const PartitionInfo& partition : topic->second.partitions) {
      waiting.groups.push_back(partition.group);
    }
  }
  propose(DeleteTopic{name},
          [this, request, waiting = std::move(waiting)](const chronik_outcome& outcome) mutable {
            if (outcome.status != CHRONIK_OK) return answer(request, outcome);
            if (stopping_) return answer(request, in_doubt());
            waiting.value = outcome.value;
            waiting_deletes_.push_back(std::move(waiting));
            answer_waiting();
          });
}

void Controller::allocate_producer_id(chronik_admin_request* request) {
  waiting_producers_.push_back(request);
  refill_producer_ids();
}

// Ids are handed out from a block, so that most producers don't cost an entry of group 0.
void Controller::refill_producer_ids() {
  while (!waiting_producers_.empty() && next_producer_ < end_producer_) {
    chronik_outcome outcome = make_outcome(CHRONIK_OK);
    outcome.value = next_producer_++;
    chronik_admin_request* request = waiting_producers_.front();
    waiting_producers_.pop_front();
    answer(request, outcome);
  }
  if (waiting_producers_.empty() || refilling_) return;
  refilling_ = true;
  propose(AllocateProducerIds{kProducerIdBlock}, [this](const chronik_outcome& outcome) {
    refilling_ = false;
    if (outcome.status != CHRONIK_OK) {
      for (chronik_admin_request* request : std::exchange(waiting_producers_, {})) {
        answer(request, outcome);
      }
      return;
    }
    next_producer_ = outcome.value;
    end_producer_ = outcome.value + kProducerIdBlock;
    refill_producer_ids();
  });
}

void Controller::propose(MetadataCommand command,
                         std::function<void(const chronik_outcome&)> done) {
  auto* proposal = new Proposal(host_, encode(command), std::move(done));
  host_.propose_metadata(proposal->request());
}

// ---- Reconciliation -----------------------------------------------------------------------------

void Controller::reconcile() {
  if (stopping_) return;
  problems_.clear();
  std::unordered_set<GroupId> wanted;
  for (const auto& [name, topic] : image_->topics) {
    for (uint32_t p = 0; p < topic.partitions.size(); ++p) {
      for (const ReplicaInfo& replica : topic.partitions[p].replicas) {
        if (replica.node != node_) continue;
        wanted.insert(topic.partitions[p].group);
        open(topic, p, replica);
      }
    }
  }
  std::vector<GroupId> surplus;
  for (const auto& [group, local] : locals_) {
    if (local.state != LocalState::kDeleting && !wanted.contains(group)) surplus.push_back(group);
  }
  if (!swept_) {
    // Once per start, and only with a complete image: what was deleted while the node was down.
    swept_ = true;
    for (const GroupId group : host_.stored_groups()) {
      if (!wanted.contains(group) && !locals_.contains(group)) surplus.push_back(group);
    }
  }
  for (const GroupId group : surplus) remove(group);
  publish();
  answer_waiting();
}

void Controller::open(const TopicInfo& topic, uint32_t partition, const ReplicaInfo& self) {
  const GroupId group = topic.partitions[partition].group;
  if (!host_.has_store(self.store)) {
    // A volatile store that was restarted is another store: its replica would be a voter that
    // forgot its vote, so it stays away.
    problems_.push_back({topic.name, partition, group,
                         "its log storage was volatile and has been restarted: the data is gone; "
                         "delete the topic and create it anew"});
    return;
  }
  if (const auto local = locals_.find(group); local != locals_.end()) {
    if (local->second.state == LocalState::kFailed) {
      problems_.push_back({topic.name, partition, group, local->second.broken.to_string()});
    }
    return;
  }
  locals_[group] = {};
  host_.open_partition(
      topic, partition, self, [this, group, name = topic.name, partition](Status status) {
        const auto local = locals_.find(group);
        if (local == locals_.end()) return;
        if (local->second.state != LocalState::kOpening) return;
        local->second.state = status.ok() ? LocalState::kOpen : LocalState::kFailed;
        if (!status.ok()) {
          local->second.broken = status;
          problems_.push_back({name, partition, group, status.to_string()});
        }
        answer_waiting();
      });
}

void Controller::remove(GroupId group) {
  locals_[group].state = LocalState::kDeleting;
  host_.delete_partition(group, [this, group] {
    locals_.erase(group);
    leaders_.erase(group);
    answer_waiting();
  });
}

void Controller::publish() {
  unpublished_ = false;
  routing_.publish(*image_, leaders_);
}

// Thousands of groups begin to serve at once when a node starts: one snapshot for all that are
// known.
void Controller::publish_soon() {
  if (std::exchange(unpublished_, true)) return;
  host_.post_control([this] {
    if (unpublished_) publish();
  });
}

bool Controller::settled(const Waiting& waiting) const {
  return std::all_of(waiting.groups.begin(), waiting.groups.end(), [&](GroupId group) {
    const auto local = locals_.find(group);
    return local == locals_.end() || local->second.serving || !local->second.broken.ok();
  });
}

// A topic that exists but can't be written to isn't what its creator asked for.
Status Controller::outcome_of(const Waiting& waiting) const {
  for (const GroupId group : waiting.groups) {
    const auto local = locals_.find(group);
    if (local == locals_.end() || local->second.broken.ok()) continue;
    return Status(Code::kFailedPrecondition,
                  "the topic was created, but group " + std::to_string(group.value) +
                      " of it can't serve: " + std::string(local->second.broken.message()));
  }
  return {};
}

void Controller::answer_waiting() {
  const auto answer_ok = [this](const Waiting& waiting) {
    if (unpublished_) publish();
    chronik_outcome outcome = make_outcome(CHRONIK_OK);
    outcome.value = waiting.value;
    answer(waiting.request, outcome);
  };
  std::erase_if(waiting_creates_, [&](const Waiting& waiting) {
    if (!settled(waiting)) return false;
    if (const Status why = outcome_of(waiting); !why.ok()) {
      answer(waiting.request, why);
    } else {
      answer_ok(waiting);
    }
    return true;
  });
  std::erase_if(waiting_deletes_, [&](const Waiting& waiting) {
    const bool gone = std::none_of(waiting.groups.begin(), waiting.groups.end(),
                                   [&](GroupId group) { return locals_.contains(group); });
    if (gone) answer_ok(waiting);
    return gone;
  });
}

}  // namespace chronik
