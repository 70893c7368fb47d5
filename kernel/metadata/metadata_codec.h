// Bytes of the metadata group's entries and checkpoints: metadata.proto to and from the kernel's
// types. The only file that sees the generated code.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "metadata/image.h"

namespace chronik {

struct CreateTopic {
  std::string name;
  uint32_t partitions = 0;
  uint32_t replication = 0;  // 0: as many as there are nodes, at most 3
  std::string state_machine;
  std::string log_storage;
};
struct DeleteTopic {
  std::string name;
};
struct AllocateProducerIds {
  uint32_t count = 0;
};
struct RegisterNode {
  NodeInfo node;
};
using MetadataCommand = std::variant<CreateTopic, DeleteTopic, AllocateProducerIds, RegisterNode>;

std::string encode(const MetadataCommand& command);
// kUnimplemented: a command of a later version. kDataLoss: not a command.
Result<MetadataCommand> decode_command(std::string_view bytes);

// Without the version, which is the log's.
std::string encode(const MetadataImage& image);
Result<MetadataImage> decode_image(std::string_view bytes);

}  // namespace chronik
