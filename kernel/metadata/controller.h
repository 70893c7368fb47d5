// Controller: makes this node be what the metadata group says, and carries out clients' wishes
// there.
//
// It receives images of the metadata machine and compares them with the node's replicas: opens
// those that belong here, deletes those that no longer do, publishes routing snapshots. Admin
// requests become commands proposed to group 0; a request is answered when its command was applied
// *and* this node has acted on it, so that a topic accepts records once its creation is
// acknowledged.
//
// Thread: everything runs on the node's control thread; events from elsewhere are posted there by
// the node. It never blocks: what takes time is a request to a shard, answered by a later event.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "chronik/abi/frontend.h"
#include "metadata/image.h"
#include "metadata/metadata_codec.h"
#include "metadata/routing.h"

namespace chronik {

// What the controller needs of its node.
class ControllerHost {
 public:
  virtual ~ControllerHost() = default;

  // Proposes to group 0 with acks=all. The request is the controller's, as the ABI says.
  virtual void propose_metadata(chronik_propose_request* request) = 0;
  // Runs `work` on the control thread. Any thread.
  virtual void post_control(std::function<void()> work) = 0;
  // Begins to open a replica; `opened` comes back on the control thread.
  virtual void open_partition(const TopicInfo& topic, uint32_t partition, const ReplicaInfo& self,
                              std::function<void(Status)> opened) = 0;
  // Begins to delete a replica with its data; `deleted` comes back on the control thread.
  virtual void delete_partition(GroupId group, std::function<void()> deleted) = 0;
  // Groups whose data is on this node, apart from group 0.
  virtual std::vector<GroupId> stored_groups() = 0;
  // Whether a store with this id is running here.
  virtual bool has_store(const std::string& id) const = 0;
  // Errors: kNotFound with the nearest name.
  virtual Status check_state_machine(const std::string& name) const = 0;
  virtual Status check_log_storage(const std::string& name) const = 0;
};

class Controller {
 public:
  Controller(NodeId node, ControllerHost& host, RoutingTable& routing);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // ---- Events ----------------------------------------------------------------------------------

  void on_image(MetadataImagePtr image);
  // A group of this node began or ceased to answer; group 0 too.
  void on_serving(GroupId group, bool serving);
  // A group of this node was taken out of service.
  void on_fenced(GroupId group, const Status& why);
  // Calls `ready` once group 0 serves and the first routing snapshot is out.
  void when_serving(std::function<void()> ready);
  // Registers this node (address, stores) with the metadata group, once that serves; `done`
  // follows.
  void register_node(NodeInfo self, std::function<void(Status)> done);
  void admin(chronik_admin_request* request);
  // Answers what waits; refuses from now on.
  void stop();

  // Replicas that metadata places here and that can't be opened, with the reason; for status.
  struct Problem {
    std::string topic;
    uint32_t partition;
    GroupId group;
    std::string message;
  };
  const std::vector<Problem>& problems() const { return problems_; }
  // Whether register_node() has ended: admin requests wait for it.
  bool registered() const { return registered_; }
  const MetadataImage& image() const { return *image_; }

 private:
  class Proposal;
  enum class LocalState { kOpening, kOpen, kFailed, kDeleting };
  struct Local {
    LocalState state = LocalState::kOpening;
    bool serving = false;
    Status broken;  // why it won't serve: it couldn't be opened, or was fenced
  };
  // An admin request whose command is applied and which waits for this node.
  struct Waiting {
    chronik_admin_request* request;
    uint64_t value;
    std::vector<GroupId> groups;  // until these serve or can't (create), or are gone (delete)
  };

  void propose(MetadataCommand command, std::function<void(const chronik_outcome&)> done);
  void create_topic(chronik_admin_request* request);
  void delete_topic(chronik_admin_request* request);
  void allocate_producer_id(chronik_admin_request* request);
  void refill_producer_ids();
  void reconcile();
  void open(const TopicInfo& topic, uint32_t partition, const ReplicaInfo& self);
  void remove(GroupId group);
  void publish();
  void publish_soon();
  void answer_waiting();
  bool settled(const Waiting& waiting) const;
  Status outcome_of(const Waiting& waiting) const;

  const NodeId node_;
  ControllerHost& host_;
  RoutingTable& routing_;
  MetadataImagePtr image_;
  bool metadata_serving_ = false;  // the image is as new as anything acknowledged
  bool swept_ = false;             // groups of topics deleted while the node was down are gone
  bool registered_ = false;
  bool stopping_ = false;
  bool unpublished_ = false;  // leaders_ is newer than the routing snapshot
  std::unordered_map<GroupId, Local> locals_;
  std::unordered_map<GroupId, NodeId> leaders_;
  std::vector<Problem> problems_;
  std::vector<Waiting> waiting_creates_;
  std::vector<Waiting> waiting_deletes_;
  std::function<void()> when_serving_;
  std::vector<chronik_admin_request*> waiting_admin_;  // until registered

  uint64_t next_producer_ = 0;  // of the block this node holds
  uint64_t end_producer_ = 0;
  bool refilling_ = false;
  std::deque<chronik_admin_request*> waiting_producers_;
};

}  // namespace chronik
