// chronik status: the node, its groups, and what stands out.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "client.h"
#include "verb.h"

namespace chronik::cli {
namespace {

const char* role_name(pb::Role role) {
  switch (role) {
    case pb::ROLE_LEADER: return "leader";
    case pb::ROLE_CANDIDATE: return "candidate";
    case pb::ROLE_LEARNER: return "learner";
    case pb::ROLE_FENCED: return "fenced";
    default: return "follower";
  }
}

nlohmann::ordered_json to_json(const pb::StatusResponse& status) {
  nlohmann::ordered_json json = {{"node", status.node()},
                                 {"cluster", status.cluster_name()},
                                 {"version", status.version()},
                                 {"uptime_ms", status.uptime_ms()},
                                 {"max_batch_bytes", status.max_batch_bytes()}};
  json["nodes"] = nlohmann::ordered_json::array();
  for (const pb::Node& node : status.nodes())
    json["nodes"].push_back({{"node", node.node()}, {"api_address", node.api_address()}});
  json["replicas"] = nlohmann::ordered_json::array();
  for (const pb::Replica& replica : status.replicas()) {
    nlohmann::ordered_json one = {{"group", replica.group()},
                                  {"topic", replica.topic()},
                                  {"partition", replica.partition()},
                                  {"role", role_name(replica.role())},
                                  {"term", replica.term()},
                                  {"leader_node", replica.leader_node()},
                                  {"first_index", replica.first_index()},
                                  {"last_index", replica.last_index()},
                                  {"durable_index", replica.durable_index()},
                                  {"commit_index", replica.commit_index()},
                                  {"applied_index", replica.applied_index()},
                                  {"start_offset", replica.start_offset()},
                                  {"end_offset", replica.end_offset()}};
    if (!replica.message().empty()) one["message"] = replica.message();
    json["replicas"].push_back(std::move(one));
  }
  if (status.metrics_size() > 0) {
    json["metrics"] = nlohmann::ordered_json::array();
    for (const pb::Metric& metric : status.metrics())
      json["metrics"].push_back(
          {{"name", metric.name()}, {"labels", metric.labels()}, {"value", metric.value()}});
  }
  return json;
}

std::string uptime(uint64_t ms) {
  const uint64_t seconds = ms / 1000;
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
}

std::string to_text(const pb::StatusResponse& status) {
  std::string text =
      fmt::format("node {} of cluster '{}', version {}, up {}\n", status.node(),
                  status.cluster_name(), status.version(), uptime(status.uptime_ms()));
  text += "\n  NODE  API\n";
  for (const pb::Node& node : status.nodes())
    text += fmt::format("{:>6}  {}\n", node.node(),
                        node.api_address().empty() ? "unknown" : node.api_address());
  size_t width = 9;
  for (const pb::Replica& replica : status.replicas())
    width = std::max(width, replica.topic().size() + 6);
  text += fmt::format("\n{:<{}}  {:>6}  {:<9}  {:>6}  {:>6}  {:>12}  {:>12}  {:>8}\n", "PARTITION",
                      width, "GROUP", "ROLE", "LEADER", "TERM", "START OFFSET", "END OFFSET",
                      "UNAPPLIED");
  for (const pb::Replica& replica : status.replicas()) {
    const std::string name = replica.topic().empty()
                                 ? (replica.group() == 0 ? "metadata" : "-")
                                 : fmt::format("{}/{}", replica.topic(), replica.partition());
    text +=
        fmt::format("{:<{}}  {:>6}  {:<9}  {:>6}  {:>6}  {:>12}  {:>12}  {:>8}\n", name, width,
                    replica.group(), role_name(replica.role()), replica.leader_node(),
                    replica.term(), replica.start_offset(), replica.end_offset(),
                    replica.last_index() - std::min(replica.applied_index(), replica.last_index()));
    if (!replica.message().empty()) text += fmt::format("    {}\n", replica.message());
  }
  for (const pb::Metric& metric : status.metrics())
    text += fmt::format("{}{} {}\n", metric.name(),
                        metric.labels().empty() ? "" : "{" + metric.labels() + "}", metric.value());
  return text;
}

int status(const Invocation& in) {
  Client client(in.api);
  pb::StatusRequest request;
  pb::StatusResponse response;
  request.set_with_metrics(in.get<bool>("metrics"));
  if (const auto failure = client.call(&pb::Chronik::Stub::Status, request, response))
    return in.fail(failure->exit, failure->message);
  in.io.out(in.json ? to_json(response).dump() + "\n" : to_text(response));
  return kOk;
}

}  // namespace

Verb status_verb() {
  return {"status",
          "[--metrics]",
          "Show the node, its partitions, their leaders and offsets.",
          "",
          "  chronik status\n  chronik --json status | python3 -m json.tool",
          {},
          [](po::options_description& options) {
            options.add_options()("metrics", po::bool_switch(), "show the node's metrics as well");
          },
          status};
}

}  // namespace chronik::cli
