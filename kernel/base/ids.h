// Strong integer types for the field's quantities, so that a term can't be passed as an index, nor
// an index (which counts Raft entries) as an offset (which counts stream records).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace chronik {

// A 64-bit integer that only mixes with its own kind. `value` is public on purpose: conversions are
// explicit and visible.
template <typename Tag>
struct StrongId {
  uint64_t value = 0;

  constexpr StrongId() = default;
  constexpr explicit StrongId(uint64_t v) : value(v) {}
  constexpr auto operator<=>(const StrongId&) const = default;

  static constexpr StrongId max() { return StrongId(std::numeric_limits<uint64_t>::max()); }
};

// A strong type for a position in a sequence: distances may be added and subtracted.
template <typename Tag>
struct StrongPosition : StrongId<Tag> {
  using StrongId<Tag>::StrongId;
  constexpr StrongPosition() = default;
  static constexpr StrongPosition max() {
    return StrongPosition(std::numeric_limits<uint64_t>::max());
  }
  constexpr StrongPosition operator+(uint64_t distance) const {
    return StrongPosition(this->value + distance);
  }
  constexpr StrongPosition operator-(uint64_t distance) const {
    return StrongPosition(this->value - distance);
  }
  // Pre: other <= *this.
  constexpr uint64_t operator-(StrongPosition other) const { return this->value - other.value; }
  constexpr StrongPosition& operator++() {
    ++this->value;
    return *this;
  }
};

using NodeId = StrongId<struct NodeIdTag>;    // a process of the cluster, from its config; never 0
using GroupId = StrongId<struct GroupIdTag>;  // a Raft group; 0 is the metadata group
using ReplicaId = StrongId<struct ReplicaIdTag>;  // a member of a group; never reused; 0 is nobody
using Term = StrongPosition<struct TermTag>;      // Raft term; 0 before the first election
using Index = StrongPosition<struct IndexTag>;    // Raft log index; the first entry has index 1
using Offset = StrongPosition<struct OffsetTag>;  // stream offset; the first record has offset 0

}  // namespace chronik

template <typename Tag>
struct std::hash<chronik::StrongId<Tag>> {
  size_t operator()(chronik::StrongId<Tag> id) const { return std::hash<uint64_t>()(id.value); }
};
template <typename Tag>
struct std::hash<chronik::StrongPosition<Tag>> {
  size_t operator()(chronik::StrongPosition<Tag> id) const {
    return std::hash<uint64_t>()(id.value);
  }
};
