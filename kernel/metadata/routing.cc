#include "metadata/routing.h"

#include <thread>
#include <utility>

#include "chronik/sdk/base.hpp"

namespace chronik {

class RoutingTable::Snapshot {
 public:
  Snapshot(MetadataImage image, const std::unordered_map<GroupId, NodeId>& leaders)
      : image_(std::move(image)) {
    topics_.reserve(image_.topics.size());
    partitions_.reserve(image_.topics.size());
    for (const auto& [name, topic] : image_.topics) add(topic, leaders);
    for (const auto& [id, node] : image_.nodes) {
      nodes_.push_back({sizeof(chronik_route_node), 0, id.value, sdk::slice(node.api_address)});
    }
    abi_ = {sizeof abi_,
            static_cast<uint32_t>(topics_.size()),
            sizeof(chronik_route_topic),
            static_cast<uint32_t>(nodes_.size()),
            sizeof(chronik_route_node),
            0,
            image_.version,
            topics_.data(),
            nodes_.data()};
  }
  static Snapshot* from(const chronik_routing* routing) {
    return const_cast<Snapshot*>(reinterpret_cast<const Snapshot*>(routing));
  }
  const chronik_routing* abi() const { return &abi_; }
  void retain() { references_.fetch_add(1); }
  void release() {
    if (references_.fetch_sub(1) == 1) delete this;
  }

 private:
  void add(const TopicInfo& topic, const std::unordered_map<GroupId, NodeId>& leaders) {
    std::vector<chronik_route_partition>& partitions = partitions_.emplace_back();
    for (const PartitionInfo& partition : topic.partitions) {
      const auto leader = leaders.find(partition.group);
      partitions.push_back(
          {partition.group.value, leader == leaders.end() ? 0 : leader->second.value});
    }
    topics_.push_back({sizeof(chronik_route_topic), static_cast<uint32_t>(partitions.size()),
                       sizeof(chronik_route_partition), topic.replication, topic.id,
                       sdk::slice(topic.name), sdk::slice(topic.state_machine),
                       sdk::slice(topic.log_storage), partitions.data()});
  }

  chronik_routing abi_{};  // first: its address is the snapshot's
  const MetadataImage image_;
  std::vector<chronik_route_topic> topics_;
  std::vector<std::vector<chronik_route_partition>> partitions_;
  std::vector<chronik_route_node> nodes_;
  std::atomic<uint32_t> references_{1};
};

RoutingTable::RoutingTable() : current_(new Snapshot({}, {})) {}

RoutingTable::~RoutingTable() {
  current_.load()->release();
}

// A reader says that it is about to count itself before it looks, so that publish() can tell when
// nobody holds an uncounted pointer to the old snapshot any more.
const chronik_routing* RoutingTable::acquire() {
  acquiring_.fetch_add(1);
  Snapshot* snapshot = current_.load();
  snapshot->retain();
  acquiring_.fetch_sub(1);
  return snapshot->abi();
}

void RoutingTable::release(const chronik_routing* routing) {
  Snapshot::from(routing)->release();
}

void RoutingTable::publish(const MetadataImage& image,
                           const std::unordered_map<GroupId, NodeId>& leaders) {
  install(new Snapshot(image, leaders));
}

void RoutingTable::install(Snapshot* snapshot) {
  Snapshot* old = current_.exchange(snapshot);
  while (acquiring_.load() != 0) std::this_thread::yield();  // a few instructions of a reader
  old->release();
}

}  // namespace chronik
