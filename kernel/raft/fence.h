// Fence: where a core reports that an invariant is broken.
//
// The first report counts. In builds with CHRONIK_DEBUG_CHECKS it aborts the process; otherwise the
// core becomes inert and its driver fences the group, while the node lives on. Nothing is ever
// repaired here.
#pragma once

#include <sstream>
#include <string>

#include "base/check.h"
#include "base/ids.h"
#include "raft/types.h"

namespace chronik::raft {

template <typename Tag>
std::ostream& operator<<(std::ostream& out, StrongId<Tag> id) {
  return out << id.value;
}
inline std::ostream& operator<<(std::ostream& out, const EntryId& id) {
  return out << "(term " << id.term.value << ", index " << id.index.value << ")";
}

// The arguments one after the other, as text.
template <typename... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

class Fence {
 public:
  explicit Fence(bool abort_when_broken) : abort_when_broken_(abort_when_broken) {}

  bool broken() const { return !reason_.empty(); }
  const std::string& reason() const { return reason_; }
  void report(std::string reason) {
    CHRONIK_CHECK(!abort_when_broken_, reason);
    if (reason_.empty()) reason_ = std::move(reason);
  }

 private:
  bool abort_when_broken_;
  std::string reason_;
};

}  // namespace chronik::raft
