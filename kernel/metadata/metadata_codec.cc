#include "metadata/metadata_codec.h"

#include "metadata.pb.h"

namespace chronik {
namespace {

namespace pb = ::chronik::metadata::v1;

void put(const NodeInfo& node, pb::Node& out) {
  out.set_id(node.id.value);
  out.set_api_address(node.api_address);
  for (const StoreInfo& store : node.stores) {
    pb::Store& s = *out.add_stores();
    s.set_name(store.name);
    s.set_plugin(store.plugin);
    s.set_id(store.id);
  }
}

NodeInfo get(const pb::Node& in) {
  NodeInfo node{NodeId(in.id()), in.api_address(), {}};
  for (const pb::Store& store : in.stores()) {
    node.stores.push_back({store.name(), store.plugin(), store.id()});
  }
  return node;
}

void put(const TopicInfo& topic, pb::Topic& out) {
  out.set_id(topic.id);
  out.set_name(topic.name);
  out.set_replication(topic.replication);
  out.set_state_machine(topic.state_machine);
  out.set_log_storage(topic.log_storage);
  for (const PartitionInfo& partition : topic.partitions) {
    pb::Partition& p = *out.add_partitions();
    p.set_group(partition.group.value);
    for (const ReplicaInfo& replica : partition.replicas) {
      pb::Replica& r = *p.add_replicas();
      r.set_id(replica.id.value);
      r.set_node(replica.node.value);
      r.set_store(replica.store);
    }
  }
}

TopicInfo get(const pb::Topic& in) {
  TopicInfo topic{in.id(), in.name(), in.replication(), in.state_machine(), in.log_storage(), {}};
  for (const pb::Partition& partition : in.partitions()) {
    PartitionInfo& p = topic.partitions.emplace_back();
    p.group = GroupId(partition.group());
    for (const pb::Replica& replica : partition.replicas()) {
      p.replicas.push_back({ReplicaId(replica.id()), NodeId(replica.node()), replica.store()});
    }
  }
  return topic;
}

struct CommandEncoder {
  pb::Command& out;
  void operator()(const CreateTopic& command) const {
    pb::CreateTopic& c = *out.mutable_create_topic();
    c.set_name(command.name);
    c.set_partitions(command.partitions);
    c.set_replication(command.replication);
    c.set_state_machine(command.state_machine);
    c.set_log_storage(command.log_storage);
  }
  void operator()(const DeleteTopic& command) const {
    out.mutable_delete_topic()->set_name(command.name);
  }
  void operator()(const AllocateProducerIds& command) const {
    out.mutable_allocate_producer_ids()->set_count(command.count);
  }
  void operator()(const RegisterNode& command) const {
    put(command.node, *out.mutable_register_node()->mutable_node());
  }
};

}  // namespace

std::string encode(const MetadataCommand& command) {
  pb::Command message;
  std::visit(CommandEncoder{message}, command);
  return message.SerializeAsString();
}

Result<MetadataCommand> decode_command(std::string_view bytes) {
  pb::Command message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Status(Code::kDataLoss, "not a metadata command");
  }
  switch (message.kind_case()) {
    case pb::Command::kCreateTopic: {
      const pb::CreateTopic& c = message.create_topic();
      return MetadataCommand(CreateTopic{c.name(), c.partitions(), c.replication(),
                                         c.state_machine(), c.log_storage()});
    }
    case pb::Command::kDeleteTopic:
      return MetadataCommand(DeleteTopic{message.delete_topic().name()});
    case pb::Command::kAllocateProducerIds:
      return MetadataCommand(AllocateProducerIds{message.allocate_producer_ids().count()});
    case pb::Command::kRegisterNode:
      return MetadataCommand(RegisterNode{get(message.register_node().node())});
    case pb::Command::KIND_NOT_SET: break;
  }
  return Status(Code::kUnimplemented, "a metadata command that this version doesn't know");
}

std::string encode(const MetadataImage& image) {
  pb::Image message;
  message.set_feature_level(image.feature_level);
  message.set_next_topic(image.next_topic);
  message.set_next_group(image.next_group);
  message.set_next_replica(image.next_replica);
  message.set_next_producer(image.next_producer);
  for (const auto& [id, node] : image.nodes) put(node, *message.add_nodes());
  for (const auto& [name, topic] : image.topics) put(topic, *message.add_topics());
  return message.SerializeAsString();
}

Result<MetadataImage> decode_image(std::string_view bytes) {
  pb::Image message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Status(Code::kDataLoss, "not a metadata checkpoint");
  }
  MetadataImage image;
  image.feature_level = message.feature_level();
  image.next_topic = message.next_topic();
  image.next_group = message.next_group();
  image.next_replica = message.next_replica();
  image.next_producer = message.next_producer();
  for (const pb::Node& node : message.nodes()) image.nodes[NodeId(node.id())] = get(node);
  for (const pb::Topic& topic : message.topics()) image.topics[topic.name()] = get(topic);
  return image;
}

}  // namespace chronik
