#include "metadata/placement.h"

#include <string>

namespace chronik {

Result<std::vector<std::vector<NodeId>>> place(const std::vector<NodeId>& nodes,
                                               uint32_t partitions, uint32_t replication,
                                               uint64_t start) {
  if (replication == 0 || replication > nodes.size()) {
    return Status(Code::kInvalidArgument,
                  "replication " + std::to_string(replication) + " needs as many nodes, there " +
                      (nodes.size() == 1 ? "is 1" : "are " + std::to_string(nodes.size())));
  }
  std::vector<std::vector<NodeId>> placement(partitions);
  for (uint32_t p = 0; p < partitions; ++p) {
    for (uint32_t r = 0; r < replication; ++r) {
      placement[p].push_back(nodes[(start + p + r) % nodes.size()]);
    }
  }
  return placement;
}

}  // namespace chronik
