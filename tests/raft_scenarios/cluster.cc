#include "raft_scenarios/cluster.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <sstream>

namespace chronik::raft::scenario {
namespace {

constexpr const char* kDropped = "raft proposal dropped";

ReplicaId to_of(const Parcel& parcel) {
  if (const auto* message = std::get_if<Message>(&parcel)) return message->to;
  if (const auto* append = std::get_if<AppendDone>(&parcel)) return append->replica;
  return std::get<ApplyDone>(parcel).replica;
}

// Between a node and itself or its storage threads nothing gets lost.
bool is_local(const Parcel& parcel) {
  const auto* message = std::get_if<Message>(&parcel);
  return !message || message->from == message->to;
}

bool is_number(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

uint64_t number(const std::string& word) {
  return is_number(word) ? std::stoull(word) : 0;
}

bool is_true(const std::string& word) {
  return word == "true" || word == "1" || word == "t" || word == "T" || word == "TRUE" ||
         word == "True";
}

// What a core objects to a message, in the words of the published scenarios.
std::string describe_error(const Status& status) {
  if (status.ok()) return "";
  if (status.code() == Code::kNotFound) return "raft: cannot step as peer not found\n";
  if (status.code() == Code::kInternal) return "fenced\n";
  return std::string(kDropped) + "\n";
}

std::string indented(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out += "  " + line + "\n";
  return out;
}

bool same_ignoring_case(const std::string& a, const std::string& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

Options template_options() {
  Options options;
  options.election_tick = 3;
  options.heartbeat_tick = 1;
  options.pre_vote = false;
  options.check_quorum = false;
  options.max_size_per_message = kNoLimit;
  options.max_inflight_messages = std::numeric_limits<int32_t>::max();
  options.max_tail_bytes = kNoLimit;
  options.async_storage_writes = false;
  options.abort_when_broken = false;
  return options;
}

// One argument of add-nodes. Returns an error's text.
std::string set_option(const std::string& key, const std::string& value, Options* options,
                       Snapshot* snapshot) {
  Configuration& configuration = snapshot->meta.configuration;
  if (key == "voters") {
    configuration.voters.push_back(ReplicaId(number(value)));
  } else if (key == "learners") {
    configuration.learners.push_back(ReplicaId(number(value)));
  } else if (key == "index") {
    snapshot->meta.last.index = Index(number(value));
  } else if (key == "content") {
    snapshot->content = value;
  } else if (key == "inflight") {
    options->max_inflight_messages = static_cast<uint32_t>(number(value));
  } else if (key == "async-storage-writes") {
    options->async_storage_writes = is_true(value);
  } else if (key == "prevote") {
    options->pre_vote = is_true(value);
  } else if (key == "checkquorum") {
    options->check_quorum = is_true(value);
  } else if (key == "max-committed-size-per-ready") {
    options->max_committed_size_per_ready = number(value);
  } else if (key == "disable-conf-change-validation") {
    options->disable_conf_change_validation = is_true(value);
  } else if (key == "step-down-on-removal") {
    options->step_down_on_removal = is_true(value);
  } else if (key == "storage-stall-ticks") {
    options->storage_stall_ticks = static_cast<uint32_t>(number(value));
  } else if (key == "max-tail-bytes") {
    options->max_tail_bytes = number(value);
  } else if (key == "max-message-bytes") {
    options->max_size_per_message = number(value);
  } else if (key == "read-only") {
    if (value != "safe" && value != "lease-based")
      return "invalid read-only option \"" + value + "\"";
    options->read_only = value == "safe" ? ReadOnlyMode::kSafe : ReadOnlyMode::kLease;
  }
  return "";
}

}  // namespace

Cluster::Cluster() {
  handlers_["_breakpoint"] = [](const Command&) { return ""; };
  handlers_["add-nodes"] = [this](const Command& c) { return add_nodes(c); };
  handlers_["deliver-msgs"] = [this](const Command& c) { return deliver(c); };
  handlers_["process-ready"] = [this](const Command& c) { return process_ready(c); };
  handlers_["process-append-thread"] = [this](const Command& c) { return process_appends(c); };
  handlers_["process-apply-thread"] = [this](const Command& c) { return process_applies(c); };
  handlers_["stabilize"] = [this](const Command& c) { return stabilize(c); };
  handlers_["raft-state"] = [this](const Command&) { return raft_state(); };
  handlers_["send-snapshot"] = [this](const Command& c) { return send_snapshot(c); };
  handlers_["propose-conf-change"] = [this](const Command& c) { return propose_conf_change(c); };
  handlers_["log-level"] = [this](const Command& c) {
    return set_log_level(c.words().empty() ? "" : c.words().front());
  };
  handlers_["transfer-leadership"] = [this](const Command& c) -> std::string {
    const auto from = c.values_of("from"), to = c.values_of("to");
    if (from.empty() || to.empty()) return "from and to must be specified";
    const uint64_t id = number(from[0]);
    if (id == 0 || id > nodes_.size()) return "no node " + from[0];
    nodes_[id - 1]->raft()->transfer_leader(ReplicaId(number(to[0])));
    return "";
  };

  handlers_["campaign"] = on_node([](Node& node, const Command&) {
    node.raft()->campaign();
    return "";
  });
  handlers_["forget-leader"] = on_node([](Node& node, const Command&) {
    node.raft()->forget_leader();
    return "";
  });
  handlers_["tick-election"] = on_node([this](Node& node, const Command&) {
    tick(node, node.options().election_tick);
    return "";
  });
  handlers_["tick-heartbeat"] = on_node([this](Node& node, const Command&) {
    tick(node, node.options().heartbeat_tick);
    return "";
  });
  handlers_["set-randomized-election-timeout"] = on_node([](Node& node, const Command& c) {
    for (const std::string& value : c.values_of("timeout"))
      node.raft()->set_randomized_election_timeout_for_test(static_cast<uint32_t>(number(value)));
    return "";
  });
  handlers_["report-unreachable"] = on_node([](Node& node, const Command& c) {
    node.raft()->report_unreachable(ReplicaId(number(c.words().at(1))));
    return "";
  });
  handlers_["propose"] = on_node([](Node& node, const Command& c) {
    const std::string payload = c.words().size() > 1 ? c.words()[1] : "";
    const Status status = node.raft()->forward_proposal({0, 0, Payload::copy_of(payload)});
    return status.ok() ? "" : kDropped;
  });
  handlers_["raft-log"] = on_node([this](Node& node, const Command&) {
    print(node.describe_log());
    return "";
  });
  handlers_["compact"] = on_node([this](Node& node, const Command& c) {
    print(node.compact(Index(number(c.words().at(1)))));
    return "";
  });
  handlers_["status"] = on_node([this](Node& node, const Command&) { return status(node); });

  // Our own.
  handlers_["crash"] = on_node([](Node& node, const Command&) {
    node.crash();
    return "";
  });
  handlers_["quiesce"] = on_node(
      [](Node& node, const Command&) { return std::string(node.raft()->quiesce().message()); });
  handlers_["wake"] = on_node([](Node& node, const Command&) {
    node.raft()->wake();
    return "";
  });
  handlers_["read-index"] = on_node([](Node& node, const Command& c) {
    return std::string(node.raft()->read_index(number(c.words().at(1))).message());
  });
  handlers_["report-snapshot"] = on_node([](Node& node, const Command& c) {
    node.raft()->report_snapshot(ReplicaId(number(c.words().at(1))), c.words().at(2) == "ok");
    return "";
  });
  const auto while_down = [this](std::function<void(Node&, const Command&)> body) {
    return [this, body](const Command& c) -> std::string {
      std::string error;
      Node* node = node_of(c, &error);
      if (!node) return error;
      if (!node->down()) return "node is running";
      body(*node, c);
      return "";
    };
  };
  handlers_["restart"] = while_down([](Node& node, const Command&) { node.restart(); });
  handlers_["lose-tail"] =
      while_down([](Node& node, const Command& c) { node.lose_tail(number(c.words().at(1))); });
  handlers_["wipe"] = while_down([](Node& node, const Command&) { node.wipe(); });
}

std::string Cluster::run(const Command& command) {
  output_.clear();
  const auto handler = handlers_.find(command.name);
  const std::string error =
      handler == handlers_.end() ? "unknown command" : handler->second(command);
  report_broken_nodes();
  if (!error.empty()) {
    if (quiet_) return error;
    output_ += error;
  }
  return output_.empty() ? "ok" : output_;
}

void Cluster::print(const std::string& text) {
  if (!quiet_) output_ += text;
}

void Cluster::print_under(const std::string& heading, const std::string& text) {
  print(heading + "\n" + indented(text));
}

void Cluster::report_broken_nodes() {
  known_broken_.resize(nodes_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const bool broken = !nodes_[i]->down() && !nodes_[i]->raft()->broken().empty();
    if (broken && !known_broken_[i])
      output_ += text(i + 1, " is fenced: ", nodes_[i]->raft()->broken(), "\n");
    known_broken_[i] = broken;
  }
}

// ---- Nodes named in commands
// ---------------------------------------------------------------------

Node* Cluster::node_of(const Command& command, std::string* error, size_t position) {
  const std::vector<std::string> words = command.words();
  const uint64_t id = position < words.size() ? number(words[position]) : 0;
  if (id >= 1 && id <= nodes_.size()) return nodes_[id - 1].get();
  *error = position < words.size() ? "no node " + words[position] : "a node is missing";
  return nullptr;
}

std::vector<Node*> Cluster::nodes_of(const Command& command) {
  std::vector<Node*> nodes;
  for (const std::string& word : command.words())
    if (const uint64_t id = number(word); id >= 1 && id <= nodes_.size())
      nodes.push_back(nodes_[id - 1].get());
  return nodes;
}

Cluster::Handler Cluster::on_node(std::function<std::string(Node&, const Command&)> body) {
  return [this, body](const Command& command) -> std::string {
    std::string error;
    Node* node = node_of(command, &error);
    if (!node) return error;
    if (node->down()) return "node is down";
    return body(*node, command);
  };
}

std::string Cluster::for_each_node(const Command& command, const std::string& heading,
                                   const std::function<std::string(Node&)>& body) {
  const std::vector<Node*> nodes = nodes_of(command);
  for (Node* node : nodes) {
    if (node->down()) return "node is down";
    if (nodes.size() > 1) {
      print_under(text("> ", node->id(), " ", heading), body(*node));
    } else {
      print(body(*node));
    }
  }
  return "";
}

// ---- Commands
// ------------------------------------------------------------------------------------

std::string Cluster::add_nodes(const Command& command) {
  const std::vector<std::string> words = command.words();
  const uint64_t count = words.empty() ? 0 : number(words[0]);
  Options options = template_options();
  Snapshot snapshot;
  for (const Argument& argument : command.arguments)
    for (const std::string& value : argument.values)
      if (std::string error = set_option(argument.key, value, &options, &snapshot); !error.empty())
        return error;
  snapshot.meta.configuration.normalize();
  const bool bootstraps = snapshot.meta.last.index != Index() || !snapshot.content.empty() ||
                          snapshot.meta.configuration != Configuration();
  if (bootstraps) {
    if (snapshot.meta.last.index <= Index(1))
      return "index must be specified as > 1 due to bootstrap";
    snapshot.meta.last.term = Term(1);
  }
  for (uint64_t i = 0; i < count; ++i) {
    options.id = ReplicaId(nodes_.size() + 1);
    nodes_.push_back(std::make_unique<Node>(options, snapshot));
  }
  return "";
}

void Cluster::tick(Node& node, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) node.raft()->tick();
}

std::string Cluster::process_ready(const Command& command) {
  return for_each_node(command, "handling Ready",
                       [this](Node& node) { return node.process_ready(&network_); });
}

std::string Cluster::process_appends(const Command& command) {
  return for_each_node(command, "processing append thread",
                       [this](Node& node) { return node.process_append(&network_); });
}

std::string Cluster::process_applies(const Command& command) {
  return for_each_node(command, "processing apply thread",
                       [this](Node& node) { return node.process_apply(&network_); });
}

std::vector<Parcel> Cluster::take_parcels(ReplicaId to, const std::string& type, bool drop) {
  std::vector<Parcel> taken, left;
  for (Parcel& parcel : network_) {
    const bool matches = to_of(parcel) == to && !(drop && is_local(parcel)) &&
                         (type.empty() || line_of(parcel).type == type);
    (matches ? taken : left).push_back(std::move(parcel));
  }
  network_ = std::move(left);
  return taken;
}

std::string Cluster::deliver_to(ReplicaId to, const std::string& type, bool drop) {
  std::string out;
  Node* node = to.value <= nodes_.size() ? nodes_[to.value - 1].get() : nullptr;
  drop |= node && node->down();
  for (Parcel& parcel : take_parcels(to, type, drop)) {
    if (drop) out += "dropped: ";
    out += describe(line_of(parcel)) + "\n";
    if (drop) continue;
    if (!node) {
      out += "no such node\n";
      continue;
    }
    out += describe_error(node->receive(std::move(parcel)));
  }
  return out;
}

std::string Cluster::deliver(const Command& command) {
  const std::vector<std::string> types = command.values_of("type");
  const std::string type = types.empty() ? "" : types.back();
  std::string out;
  for (const Argument& argument : command.arguments) {
    if (argument.values.empty() && is_number(argument.key))
      out += deliver_to(ReplicaId(number(argument.key)), type, false);
    if (argument.key == "drop")
      for (const std::string& id : argument.values)
        out += deliver_to(ReplicaId(number(id)), type, true);
  }
  print(out.empty() ? "no messages\n" : out);
  return "";
}

std::string Cluster::stabilize(const Command& command) {
  const bool was_quiet = quiet_;
  for (const std::string& level : command.values_of("log-level"))
    if (std::string error = set_log_level(level); !error.empty()) return error;
  std::vector<Node*> nodes = nodes_of(command);
  if (nodes.empty())
    for (const auto& node : nodes_) nodes.push_back(node.get());
  std::erase_if(nodes, [](Node* node) { return node->down(); });

  for (bool done = false; !done;) {
    done = true;
    const auto act = [&](Node* node, const char* what, const std::string& text) {
      print_under("> " + std::to_string(node->id().value) + " " + what, text);
      done = false;
    };
    for (Node* node : nodes)
      if (node->raft()->has_ready()) act(node, "handling Ready", node->process_ready(&network_));
    for (Node* node : nodes)
      if (std::string text = deliver_to(node->id(), "", false); !text.empty())
        act(node, "receiving messages", text);
    for (Node* node : nodes) {
      std::string text;
      while (node->has_append_work()) text += node->process_append(&network_);
      if (!text.empty()) act(node, "processing append thread", text);
    }
    for (Node* node : nodes) {
      std::string text;
      while (node->has_apply_work()) text += node->process_apply(&network_);
      if (!text.empty()) act(node, "processing apply thread", text);
    }
  }
  quiet_ = was_quiet;
  return "";
}

std::string Cluster::set_log_level(const std::string& level) {
  static const std::array<std::string, 6> kLevels = {"DEBUG", "INFO",  "WARN",
                                                     "ERROR", "FATAL", "NONE"};
  for (const std::string& known : kLevels) {
    if (!same_ignoring_case(known, level)) continue;
    quiet_ = known == "NONE";
    return "";
  }
  return "log levels must be either of [DEBUG INFO WARN ERROR FATAL NONE]";
}

std::string Cluster::propose_conf_change(const Command& command) {
  std::string error;
  Node* node = node_of(command, &error);
  if (!node) return error;
  if (node->down()) return "node is down";
  ConfChangeV2 change;
  bool v1 = false;
  for (const Argument& argument : command.arguments) {
    for (const std::string& value : argument.values) {
      if (argument.key == "v1") {
        v1 = is_true(value);
      } else if (argument.key != "transition") {
        return "unknown command " + argument.key;
      } else if (value == "implicit") {
        change.transition = ConfChangeTransition::kJointImplicit;
      } else if (value == "explicit") {
        change.transition = ConfChangeTransition::kJointExplicit;
      } else if (value != "auto") {
        return "unknown transition " + value;
      }
    }
  }
  change.steps = parse_steps(command.input, &error);
  if (!error.empty()) return error;
  if (v1 && (change.steps.size() != 1 || change.transition != ConfChangeTransition::kAuto))
    return "v1 conf change can only have one operation and no transition";
  const EntryType type = v1 ? EntryType::kConfChange : EntryType::kConfChangeV2;
  return node->raft()->forward_conf_change(change, {}, type).ok() ? "" : kDropped;
}

std::string Cluster::raft_state() {
  for (const auto& node : nodes_) {
    if (node->down()) {
      print(text(node->id(), ": down\n"));
      continue;
    }
    const Raft& raft = *node->raft();
    print(text(node->id(), ": ", describe(raft.role()),
               raft.is_voter() ? " (Voter)" : " (Non-Voter)", " Term:", raft.term(),
               " Lead:", raft.leader(), raft.quiesced() ? " Quiesced" : "", "\n"));
  }
  return "";
}

std::string Cluster::status(Node& node) {
  for (const ProgressView& view : node.raft()->progress())
    print(text(view.replica, ": ", describe(view), "\n"));
  return "";
}

std::string Cluster::send_snapshot(const Command& command) {
  std::string error;
  Node* from = node_of(command, &error, 0);
  Node* to = node_of(command, &error, 1);
  if (!from || !to) return error;
  const Message message{from->id(), to->id(), from->raft()->term(),
                        InstallSnapshot{from->last_snapshot().meta, {}}};
  network_.push_back(message);
  print(describe(line_of(message)));
  return "";
}

}  // namespace chronik::raft::scenario
