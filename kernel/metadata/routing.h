// RoutingTable: the routing snapshots that frontends read without locks.
//
// A snapshot is immutable and counted: it goes when a newer one was published and its last reader
// gave it back. Thread: acquire() and release() anywhere; publish() on the control thread.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "chronik/abi/frontend.h"
#include "metadata/image.h"

namespace chronik {

class RoutingTable {
 public:
  RoutingTable();
  ~RoutingTable();  // all snapshots have been released
  RoutingTable(const RoutingTable&) = delete;
  RoutingTable& operator=(const RoutingTable&) = delete;

  const chronik_routing* acquire();
  static void release(const chronik_routing* routing);

  // `leaders`: who leads a group, as far as this node knows.
  void publish(const MetadataImage& image, const std::unordered_map<GroupId, NodeId>& leaders);

 private:
  class Snapshot;
  void install(Snapshot* snapshot);

  std::atomic<Snapshot*> current_;
  std::atomic<uint32_t> acquiring_{0};  // readers between reading current_ and counting themselves
};

}  // namespace chronik
