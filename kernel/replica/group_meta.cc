#include "replica/group_meta.h"

#include "base/codec.h"

namespace chronik {
namespace {
constexpr uint8_t kVersion = 1;
}

std::string GroupMeta::encode() const {
  ByteWriter out;
  out.put(kVersion);
  out.put(start_index.value);
  out.put(start_term.value);
  out.put_bytes(configuration.encode());
  out.put(static_cast<uint8_t>(checkpoint.has_value()));
  if (checkpoint) {
    out.put(checkpoint->index.value);
    out.put_bytes(checkpoint->configuration.encode());
    out.put_bytes(checkpoint->machine);
  }
  return out.take();
}

Result<GroupMeta> GroupMeta::decode(std::string_view bytes) {
  ByteReader in(bytes);
  if (const auto version = in.get<uint8_t>(); in.ok() && version != kVersion) {
    return Status(Code::kDataLoss, "group meta has version " + std::to_string(version) +
                                       ", this build reads version " + std::to_string(kVersion));
  }
  GroupMeta meta;
  meta.start_index = Index(in.get<uint64_t>());
  meta.start_term = Term(in.get<uint64_t>());
  const std::string_view configuration = in.get_bytes();
  Checkpoint checkpoint;
  std::string_view checkpoint_configuration;
  const bool has_checkpoint = in.get<uint8_t>() != 0;
  if (has_checkpoint) {
    checkpoint.index = Index(in.get<uint64_t>());
    checkpoint_configuration = in.get_bytes();
    checkpoint.machine = in.get_bytes();
  }
  if (!in.done()) return Status(Code::kDataLoss, "group meta is cut off or too long");
  CHRONIK_ASSIGN_OR_RETURN(meta.configuration, raft::Configuration::decode(configuration));
  if (has_checkpoint) {
    CHRONIK_ASSIGN_OR_RETURN(checkpoint.configuration,
                             raft::Configuration::decode(checkpoint_configuration));
    meta.checkpoint = std::move(checkpoint);
  }
  return meta;
}

}  // namespace chronik
