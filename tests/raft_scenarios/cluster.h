// Cluster: the environment that a scenario's commands act upon: nodes and the messages between
// them.
//
// Understands the commands of etcd-io/raft's interaction files and some of our own for faults; the
// list with their arguments is in docs/TESTING.md.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "raft_scenarios/node.h"
#include "raft_scenarios/scenario_file.h"

namespace chronik::raft::scenario {

class Cluster {
 public:
  Cluster();

  bool knows(const std::string& command) const { return handlers_.contains(command); }
  // The command's output; an error is a part of it.
  std::string run(const Command& command);

 private:
  // Returns an error's text, or nothing.
  using Handler = std::function<std::string(const Command&)>;

  std::string add_nodes(const Command& command);
  std::string deliver(const Command& command);
  std::string process_ready(const Command& command);
  std::string process_appends(const Command& command);
  std::string process_applies(const Command& command);
  std::string stabilize(const Command& command);
  std::string propose_conf_change(const Command& command);
  std::string raft_state();
  std::string status(Node& node);
  std::string send_snapshot(const Command& command);
  std::string set_log_level(const std::string& level);
  void tick(Node& node, uint32_t count);

  // The node named by the command's `position`-th word; null with *error set if there is none.
  Node* node_of(const Command& command, std::string* error, size_t position = 0);
  std::vector<Node*> nodes_of(const Command& command);
  // Runs `body` on each node named, under a heading if there are several.
  std::string for_each_node(const Command& command, const std::string& heading,
                            const std::function<std::string(Node&)>& body);
  // A command on one node, which must be up.
  Handler on_node(std::function<std::string(Node&, const Command&)> body);

  std::vector<Parcel> take_parcels(ReplicaId to, const std::string& type, bool drop);
  std::string deliver_to(ReplicaId to, const std::string& type, bool drop);
  void print(const std::string& text);
  void print_under(const std::string& heading, const std::string& text);
  void report_broken_nodes();

  std::map<std::string, Handler> handlers_;
  std::vector<std::unique_ptr<Node>> nodes_;  // ids 1, 2, ...
  std::vector<Parcel> network_;
  std::string output_;
  bool quiet_ = false;
  std::vector<bool> known_broken_;
};

}  // namespace chronik::raft::scenario
