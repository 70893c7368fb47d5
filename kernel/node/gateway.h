// Gateway: the host side of chronik_frontend_environment: hands frontends' requests to the shard
// that owns the group, or to the controller.
//
// Thread: any. The data path (propose, query) is a bound check and a push into a mailbox.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "chronik/abi/frontend.h"
#include "metadata/controller.h"
#include "metadata/routing.h"
#include "node/control_thread.h"
#include "plugin/metrics.h"
#include "shard/shard.h"

namespace chronik {

class Gateway {
 public:
  struct Deps {
    NodeId node;
    std::string cluster_name;
    std::string version;
    uint64_t max_payload_bytes;
    std::vector<std::unique_ptr<Shard>>& shards;
    ControlThread& control;
    Controller& controller;
    RoutingTable& routing;
    Metrics& metrics;
  };
  // Everything in `deps` outlives the gateway.
  explicit Gateway(Deps deps);
  ~Gateway();

  // An environment for one frontend. `set_address` is called with the address that it tells.
  chronik_frontend_environment* make_environment(
      std::function<void(const std::string&)> set_address);

 private:
  struct Environment;
  class StatusCollection;

  Shard& shard_of(uint64_t group) { return *deps_.shards[group % deps_.shards.size()]; }
  void propose(chronik_propose_request* request);
  void query(chronik_query_request* request);

  Deps deps_;
  int64_t started_ns_;
  std::vector<std::unique_ptr<Environment>> environments_;
};

}  // namespace chronik
