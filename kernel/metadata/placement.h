// Placement: which nodes hold the replicas of a new topic's partitions. A pure function of its
// arguments, so that every member of the metadata group decides alike.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/status.h"

namespace chronik {

// Nodes per partition; the first is the one preferred as leader. Round robin: partition p begins at
// nodes[(start + p) % n], so that consecutive partitions, and topics with consecutive `start`,
// spread evenly. Pre: nodes sorted and distinct. Errors: kInvalidArgument: replication is 0 or
// larger than the number of nodes.
Result<std::vector<std::vector<NodeId>>> place(const std::vector<NodeId>& nodes,
                                               uint32_t partitions, uint32_t replication,
                                               uint64_t start);

}  // namespace chronik
