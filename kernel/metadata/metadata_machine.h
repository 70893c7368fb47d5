// MetadataMachine: the state machine of group 0, an ordinary component of the kernel's own.
//
// Deterministic: it decides from the log alone. A command that can't be carried out (a topic that
// exists already) is an entry with an error as its result, the same on every member. After each
// change the new image goes to the subscriber, on the shard's thread, before the proposers are
// answered.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "chronik/sdk/state_machine.hpp"
#include "metadata/image.h"
#include "metadata/metadata_codec.h"

namespace chronik {

inline constexpr uint32_t kPartitionsPerTopicMax = 10'000;

// Empty, or what is wrong with the name: 1 to 249 letters, digits, '.', '_' or '-', not "." or
// "..".
std::string topic_name_problem(std::string_view name);

class MetadataMachine {
 public:
  using Subscriber = std::function<void(MetadataImagePtr)>;
  static constexpr const char* kExtension = "chronik.metadata-machine/1";
  static constexpr const char* kComponent = "metadata";

  MetadataMachine(sdk::Host host, const chronik_state_machine_environment& environment,
                  const sdk::Config& config);

  // Is told the current image at once and every later one. Thread: the shard's.
  void subscribe(Subscriber subscriber);

  uint32_t version() { return 1; }
  sdk::Status apply(sdk::Array<chronik_entry> entries, chronik_result* results);
  sdk::Status query(uint32_t kind, uint64_t arg, std::string_view body, const chronik_sink* sink,
                    chronik_answer& answer);
  sdk::Status save(const chronik_sink& sink);
  sdk::Status restore(std::string_view saved, uint64_t applied_index);
  // kExtension: this object.
  const void* get_extension(const char* id);

 private:
  Result<uint64_t> carry_out(const CreateTopic& command);
  Result<uint64_t> carry_out(const DeleteTopic& command);
  Result<uint64_t> carry_out(const AllocateProducerIds& command);
  Result<uint64_t> carry_out(const RegisterNode& command);
  void publish();

  sdk::Host host_;
  MetadataImage image_;
  Subscriber subscriber_;
  std::deque<std::string> messages_;  // of failed commands; results borrow them until the next call
};

// The descriptor for static registration.
const chronik_plugin& metadata_plugin();

}  // namespace chronik
