// GroupMeta: what a replica keeps in its log storage beside entries and hard state.
//
// Two halves, always written as one record. The first says where the log begins and which
// configuration was in force there. The second, optional, is the local checkpoint: state machine
// and configuration as of a later applied index, so that a restart replays only what follows. A
// restart takes configuration and machine from the same half: the checkpoint if there is one.
//
// Format (docs/FORMATS.md, "Group meta"): u8 version, start index, start term, configuration,
// u8 has_checkpoint, [index, configuration, machine bytes]; integers little-endian, byte strings
// with a length of 32 bits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "raft/configuration.h"

namespace chronik {

struct Checkpoint {
  Index index;                        // applied when it was taken
  raft::Configuration configuration;  // in force then
  std::string machine;                // what the state machine's save() wrote
};

struct GroupMeta {
  Index start_index;  // the log begins after it
  Term start_term;
  raft::Configuration configuration;  // in force at start_index
  std::optional<Checkpoint> checkpoint;

  std::string encode() const;
  // Errors: kDataLoss: not what encode() writes.
  static Result<GroupMeta> decode(std::string_view bytes);
};

}  // namespace chronik
