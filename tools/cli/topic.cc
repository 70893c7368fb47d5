// chronik topic create|list|describe|delete.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "client.h"
#include "verb.h"

namespace chronik::cli {
namespace {

nlohmann::ordered_json to_json(const pb::Topic& topic) {
  return {{"name", topic.name()},
          {"id", topic.id()},
          {"partitions", topic.partitions()},
          {"replication", topic.replication()},
          {"state_machine", topic.state_machine()},
          {"log_storage", topic.log_storage()}};
}

int create(const Invocation& in) {
  Client client(in.api);
  pb::CreateTopicRequest request;
  pb::CreateTopicResponse response;
  request.set_name(in.get<std::string>("NAME"));
  request.set_partitions(in.get<uint32_t>("partitions"));
  if (in.has("replication")) request.set_replication(in.get<uint32_t>("replication"));
  if (in.has("state-machine")) request.set_state_machine(in.get<std::string>("state-machine"));
  if (in.has("log-storage")) request.set_log_storage(in.get<std::string>("log-storage"));
  if (request.partitions() == 0) return in.fail(kUsage, "a topic has at least one partition");
  if (const auto failure = client.call(&pb::Chronik::Stub::CreateTopic, request, response))
    return in.fail(failure->exit, failure->message);
  pb::DescribeTopicResponse described;
  if (const auto failure = client.describe_topic(request.name(), described))
    return in.fail(failure->exit, failure->message);
  const pb::Topic& topic = described.topic();
  if (in.json) {
    in.io.out(to_json(topic).dump() + "\n");
  } else {
    in.io.out(fmt::format("created topic '{}': {} partition{}, replication {}\n", topic.name(),
                          topic.partitions(), topic.partitions() == 1 ? "" : "s",
                          topic.replication()));
  }
  return kOk;
}

int list(const Invocation& in) {
  Client client(in.api);
  pb::ListTopicsResponse response;
  if (const auto failure =
          client.call(&pb::Chronik::Stub::ListTopics, pb::ListTopicsRequest(), response))
    return in.fail(failure->exit, failure->message);
  if (in.json) {
    auto json = nlohmann::ordered_json::array();
    for (const pb::Topic& topic : response.topics()) json.push_back(to_json(topic));
    in.io.out(json.dump() + "\n");
    return kOk;
  }
  if (response.topics_size() == 0) {
    in.io.err("there are no topics yet: chronik topic create NAME\n");
    return kOk;
  }
  size_t width = 5;
  for (const pb::Topic& topic : response.topics()) width = std::max(width, topic.name().size());
  std::string text = fmt::format("{:<{}}  {:>10}  {:>11}  {}\n", "TOPIC", width, "PARTITIONS",
                                 "REPLICATION", "STATE MACHINE");
  for (const pb::Topic& topic : response.topics())
    text += fmt::format("{:<{}}  {:>10}  {:>11}  {}\n", topic.name(), width, topic.partitions(),
                        topic.replication(), topic.state_machine());
  in.io.out(text);
  return kOk;
}

int describe(const Invocation& in) {
  Client client(in.api);
  pb::DescribeTopicResponse response;
  if (const auto failure = client.describe_topic(in.get<std::string>("NAME"), response))
    return in.fail(failure->exit, failure->message);
  const pb::Topic& topic = response.topic();
  if (in.json) {
    auto json = to_json(topic);
    auto partitions = nlohmann::ordered_json::array();
    for (const pb::Partition& partition : response.partitions()) {
      nlohmann::ordered_json one = {{"partition", partition.partition()},
                                    {"group", partition.group()},
                                    {"leader_node", partition.leader().node()},
                                    {"leader_address", partition.leader().api_address()}};
      if (partition.has_replica()) {
        one["term"] = partition.replica().term();
        one["start_offset"] = partition.replica().start_offset();
        one["end_offset"] = partition.replica().end_offset();
        one["commit_index"] = partition.replica().commit_index();
        one["durable_index"] = partition.replica().durable_index();
      }
      partitions.push_back(std::move(one));
    }
    json["max_batch_bytes"] = response.max_batch_bytes();
    json["partition_states"] = std::move(partitions);
    in.io.out(json.dump() + "\n");
    return kOk;
  }
  std::string text = fmt::format(
      "topic '{}': {} partition{}, replication {}, state machine {}, batches up to {} bytes\n\n",
      topic.name(), topic.partitions(), topic.partitions() == 1 ? "" : "s", topic.replication(),
      topic.state_machine(), response.max_batch_bytes());
  text += fmt::format("{:>9}  {:>6}  {:>6}  {:>6}  {:>14}  {:>14}  {:>14}\n", "PARTITION", "GROUP",
                      "LEADER", "TERM", "START OFFSET", "END OFFSET", "RECORDS");
  uint64_t records = 0;
  for (const pb::Partition& partition : response.partitions()) {
    const std::string leader =
        partition.leader().node() != 0 ? std::to_string(partition.leader().node()) : "none";
    if (!partition.has_replica()) {
      text += fmt::format("{:>9}  {:>6}  {:>6}  kept on other nodes\n", partition.partition(),
                          partition.group(), leader);
      continue;
    }
    const pb::Replica& replica = partition.replica();
    records += replica.end_offset() - replica.start_offset();
    text +=
        fmt::format("{:>9}  {:>6}  {:>6}  {:>6}  {:>14}  {:>14}  {:>14}\n", partition.partition(),
                    partition.group(), leader, replica.term(), replica.start_offset(),
                    replica.end_offset(), replica.end_offset() - replica.start_offset());
  }
  text += fmt::format("\n{} records\n", records);
  in.io.out(text);
  return kOk;
}

int remove(const Invocation& in) {
  Client client(in.api);
  const std::string& name = in.get<std::string>("NAME");
  pb::DescribeTopicResponse described;  // for the nearest names
  if (const auto failure = client.describe_topic(name, described))
    return in.fail(failure->exit, failure->message);
  pb::DeleteTopicRequest request;
  pb::DeleteTopicResponse response;
  request.set_name(name);
  if (const auto failure = client.call(&pb::Chronik::Stub::DeleteTopic, request, response))
    return in.fail(failure->exit, failure->message);
  if (in.json) {
    in.io.out(nlohmann::ordered_json{{"deleted", name}}.dump() + "\n");
  } else {
    in.io.out(fmt::format("deleted topic '{}' and its records\n", name));
  }
  return kOk;
}

}  // namespace

std::vector<Verb> topic_verbs() {
  return {
      {"topic create",
       "NAME [--partitions N] [--replication R] ...",
       "Create a topic.",
       "Returns when the topic accepts records.",
       "  chronik topic create news\n"
       "  chronik topic create clicks --partitions 16 --replication 3",
       {"NAME"},
       [](po::options_description& options) {
         options.add_options()(
             "partitions", po::value<uint32_t>()->default_value(1)->value_name("N"),
             "how many partitions")("replication", po::value<uint32_t>()->value_name("R"),
                                    "on how many nodes each is kept; else on all, at most 3")(
             "state-machine", po::value<std::string>()->value_name("NAME"),
             "what the records mean; else stream")(
             "log-storage", po::value<std::string>()->value_name("NAME"),
             "a [log_storage.NAME] section of the nodes' configs; else the first");
       },
       create},
      {"topic list", "", "List the topics.", "", "  chronik topic list --json", {}, {}, list},
      {"topic describe",
       "NAME",
       "Show a topic's partitions, leaders and offsets.",
       "",
       "  chronik topic describe news",
       {"NAME"},
       {},
       describe},
      {"topic delete",
       "NAME",
       "Delete a topic and its records.",
       "",
       "  chronik topic delete news",
       {"NAME"},
       {},
       remove},
  };
}

}  // namespace chronik::cli
