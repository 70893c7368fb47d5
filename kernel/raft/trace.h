// Trace: the events of a core as lines of JSON (NDJSON), for others' model checkers.
//
// The shape is the one that etcd-io/raft's TLA+ trace validation reads; docs/TESTING.md, "Traces
// for model checkers", lists events and fields. Off unless set, and then costs one comparison per
// event.
#pragma once

#include <string>
#include <string_view>

#include "raft/configuration.h"
#include "raft/message.h"

namespace chronik::raft {

class Raft;

class Trace {
 public:
  virtual ~Trace() = default;
  // One event, one JSON object, no newline. `line` is valid until return.
  virtual void write(std::string_view line) = 0;
};

// The event `name` as it looks from `raft` now. `message` and `change` may be null.
std::string trace_line(const Raft& raft, const char* name, const Message* message,
                       const ConfChangeV2* change);

// "SendAppendEntriesRequest" and so on; null for messages that traces leave out (pre-votes, reads,
// forwarded proposals, transfers, quiescence).
const char* trace_send_name(const MessageBody& body);
const char* trace_receive_name(const MessageBody& body);

}  // namespace chronik::raft
