// MetadataImage: what the metadata group says of the cluster: nodes, topics, where their replicas
// are.
//
// A value: the metadata machine changes its own copy and publishes immutable ones. It says where
// replicas belong, never who leads a group: that is read from the group itself.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"

namespace chronik {

struct StoreInfo {
  std::string name;    // of its config section
  std::string plugin;  // component name
  std::string id;      // 16 bytes; a volatile store has another at each start
  bool operator==(const StoreInfo&) const = default;
};

struct NodeInfo {
  NodeId id;
  std::string api_address;  // host:port that clients are told
  std::vector<StoreInfo> stores;
  bool operator==(const NodeInfo&) const = default;
};

struct ReplicaInfo {
  ReplicaId id;
  NodeId node;
  std::string store;  // id of the store that holds it
  bool operator==(const ReplicaInfo&) const = default;
};

struct PartitionInfo {
  GroupId group;
  std::vector<ReplicaInfo> replicas;
  bool operator==(const PartitionInfo&) const = default;
};

struct TopicInfo {
  uint64_t id = 0;  // never reused
  std::string name;
  uint32_t replication = 0;
  std::string state_machine;
  std::string log_storage;  // name of a section; empty: the first of each node
  std::vector<PartitionInfo> partitions;
  bool operator==(const TopicInfo&) const = default;
};

struct MetadataImage {
  uint64_t version = 0;        // index of the last entry applied
  uint32_t feature_level = 1;  // formats that all members know
  uint64_t next_topic = 1;
  uint64_t next_group = 1;  // 0 is the metadata group
  uint64_t next_replica = 1;
  uint64_t next_producer = 1;
  std::map<NodeId, NodeInfo> nodes;
  std::map<std::string, TopicInfo> topics;  // by name
  bool operator==(const MetadataImage&) const = default;
};

using MetadataImagePtr = std::shared_ptr<const MetadataImage>;

}  // namespace chronik
