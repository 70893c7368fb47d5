// NodeMeta: the content of node.meta, and its JSON.
#pragma once

#include <map>
#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "node/data_dir.h"

namespace chronik {

Uuid random_uuid();

struct StoreMeta {
  std::string plugin;
  bool is_volatile = false;
  bool in_use = false;  // a node has started with it: it isn't empty any more
  Uuid id{};
};

struct NodeMeta {
  Uuid cluster_id{};
  std::string cluster_name;
  NodeId node;
  Uuid directory_id{};
  std::string default_store;
  std::map<std::string, StoreMeta> stores;

  bool is_volatile() const {
    const auto found = stores.find(default_store);
    return found != stores.end() && found->second.is_volatile;
  }
};

std::string serialize(const NodeMeta& meta);
// `path`: for messages. Errors: DATA_LOSS: damaged; FAILED_PRECONDITION: of another version.
Result<NodeMeta> parse_meta(const std::string& path, const std::string& text);

}  // namespace chronik
