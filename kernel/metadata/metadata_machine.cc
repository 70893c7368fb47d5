#include "metadata/metadata_machine.h"

#include <algorithm>
#include <cstring>

#include "metadata/placement.h"

namespace chronik {
namespace {

constexpr chronik_component kComponents[] = {sdk::state_machine<MetadataMachine>(
    MetadataMachine::kComponent, "The cluster's nodes, topics and placements (group 0)",
    CHRONIK_STATE_MACHINE_CAP_NONBLOCKING)};

const chronik_plugin kPlugin = {sizeof(chronik_plugin),
                                CHRONIK_ABI_MAJOR,
                                CHRONIK_ABI_MINOR,
                                CHRONIK_ABI_MINOR,
                                0,
                                1,
                                sizeof(chronik_component),
                                0,
                                "org.chronik.metadata",
                                "0.1.0",
                                "Chronik",
                                "Apache-2.0",
                                "The metadata group's state machine",
                                CHRONIK_BUILD_TAG,
                                kComponents};

const StoreInfo* find_store(const NodeInfo& node, const std::string& name) {
  if (name.empty()) return node.stores.empty() ? nullptr : &node.stores.front();
  const auto at = std::find_if(node.stores.begin(), node.stores.end(),
                               [&](const StoreInfo& store) { return store.name == name; });
  return at == node.stores.end() ? nullptr : &*at;
}

}  // namespace

const chronik_plugin& metadata_plugin() {
  return kPlugin;
}

std::string topic_name_problem(std::string_view name) {
  if (name.empty()) return "a topic needs a name";
  if (name.size() > 249) return "a topic's name has at most 249 characters";
  if (name == "." || name == "..") return "'.' and '..' are no names for a topic";
  const bool valid = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  return valid ? "" : "a topic's name holds only letters, digits, '.', '_' and '-'";
}

MetadataMachine::MetadataMachine(sdk::Host host, const chronik_state_machine_environment&,
                                 const sdk::Config&)
    : host_(host) {}

void MetadataMachine::subscribe(Subscriber subscriber) {
  subscriber_ = std::move(subscriber);
  publish();
}

sdk::Status MetadataMachine::apply(sdk::Array<chronik_entry> entries, chronik_result* results) {
  messages_.clear();
  for (uint32_t i = 0; i < entries.size(); ++i) {
    const Result<MetadataCommand> command = decode_command(sdk::view(entries[i].payload));
    const Result<uint64_t> value =
        command.ok() ? std::visit([&](const auto& c) { return carry_out(c); }, command.value())
                     : Result<uint64_t>(command.status());
    image_.version = entries[i].index;
    if (value.ok()) {
      results[i].value = value.value();
      continue;
    }
    messages_.emplace_back(value.status().message());
    results[i].status = value.status().abi_code();
    results[i].bytes = sdk::slice(messages_.back());
  }
  publish();
  return {};
}

Result<uint64_t> MetadataMachine::carry_out(const CreateTopic& command) {
  if (const std::string problem = topic_name_problem(command.name); !problem.empty()) {
    return Status(Code::kInvalidArgument, problem);
  }
  if (command.partitions == 0 || command.partitions > kPartitionsPerTopicMax) {
    return Status(Code::kInvalidArgument,
                  "a topic has 1 to " + std::to_string(kPartitionsPerTopicMax) + " partitions");
  }
  if (image_.topics.contains(command.name)) {
    return Status(Code::kAlreadyExists, "topic '" + command.name + "' exists already");
  }
  std::vector<NodeId> nodes;
  for (const auto& [id, node] : image_.nodes) {
    if (find_store(node, command.log_storage) != nullptr) nodes.push_back(id);
  }
  if (nodes.empty()) {
    return Status(Code::kNotFound, "no node has a log storage named '" + command.log_storage + "'");
  }
  const uint32_t replication = command.replication != 0
                                   ? command.replication
                                   : static_cast<uint32_t>(std::min<size_t>(nodes.size(), 3));
  CHRONIK_ASSIGN_OR_RETURN(const auto placement,
                           place(nodes, command.partitions, replication, image_.next_topic - 1));
  TopicInfo topic{image_.next_topic++,   command.name,        replication,
                  command.state_machine, command.log_storage, {}};
  for (const std::vector<NodeId>& members : placement) {
    PartitionInfo& partition = topic.partitions.emplace_back();
    partition.group = GroupId(image_.next_group++);
    for (const NodeId node : members) {
      partition.replicas.push_back({ReplicaId(image_.next_replica++), node,
                                    find_store(image_.nodes.at(node), command.log_storage)->id});
    }
  }
  const uint64_t id = topic.id;
  image_.topics.emplace(command.name, std::move(topic));
  return id;
}

Result<uint64_t> MetadataMachine::carry_out(const DeleteTopic& command) {
  const auto at = image_.topics.find(command.name);
  if (at == image_.topics.end()) {
    return Status(Code::kNotFound, "there is no topic '" + command.name + "'");
  }
  const uint64_t id = at->second.id;
  image_.topics.erase(at);
  return id;
}

Result<uint64_t> MetadataMachine::carry_out(const AllocateProducerIds& command) {
  const uint64_t first = image_.next_producer;
  image_.next_producer += command.count;
  return first;
}

Result<uint64_t> MetadataMachine::carry_out(const RegisterNode& command) {
  image_.nodes[command.node.id] = command.node;
  return command.node.id.value;
}

void MetadataMachine::publish() {
  if (subscriber_) subscriber_(std::make_shared<const MetadataImage>(image_));
}

sdk::Status MetadataMachine::query(uint32_t kind, uint64_t, std::string_view, const chronik_sink*,
                                   chronik_answer& answer) {
  if (kind != CHRONIK_QUERY_BOUNDS) {
    return {CHRONIK_E_INVALID_ARGUMENT, "the metadata group is read through routing snapshots"};
  }
  answer.kind = CHRONIK_ANSWER_VALUE;
  return {};
}

sdk::Status MetadataMachine::save(const chronik_sink& sink) {
  const std::string bytes = encode(image_);
  sink.write(sink.context, sdk::slice(bytes));
  return {};
}

sdk::Status MetadataMachine::restore(std::string_view saved, uint64_t applied_index) {
  Result<MetadataImage> image = decode_image(saved);
  if (!image.ok()) return {image.status().abi_code(), std::string(image.status().message())};
  image_ = std::move(image).value();
  image_.version = applied_index;
  publish();
  return {};
}

const void* MetadataMachine::get_extension(const char* id) {
  return std::strcmp(id, kExtension) == 0 ? this : nullptr;
}

}  // namespace chronik
