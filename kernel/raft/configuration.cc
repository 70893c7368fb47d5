#include "raft/configuration.h"

#include <algorithm>
#include <initializer_list>

namespace chronik::raft {
namespace {

// First byte of both encodings. Readers refuse what they don't know.
constexpr char kVersion = 1;

bool has(const std::vector<ReplicaId>& sorted, ReplicaId id) {
  return std::binary_search(sorted.begin(), sorted.end(), id);
}

void put_varint(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

// Reads from the front of `bytes`; after a failure it stays failed and gives zeros.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  // A count of things that take at least one byte each.
  size_t count() {
    const uint64_t n = varint();
    if (n > bytes_.size()) failed_ = true;
    return failed_ ? 0 : n;
  }
  std::string_view take(size_t n) {
    const std::string_view taken = bytes_.substr(0, n);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  bool finished() const { return !failed_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

void put_ids(std::string* out, const std::vector<ReplicaId>& ids) {
  put_varint(out, ids.size());
  for (ReplicaId id : ids) put_varint(out, id.value);
}

void take_ids(Reader* reader, std::vector<ReplicaId>* ids) {
  const size_t n = reader->count();
  for (size_t i = 0; i < n; ++i) ids->push_back(ReplicaId(reader->varint()));
}

bool sorted_and_unique(const std::vector<ReplicaId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

Status malformed(const char* what) {
  return Status(Code::kDataLoss, std::string("malformed ") + what);
}

}  // namespace

bool Configuration::is_voter(ReplicaId id) const {
  return has(voters, id) || has(voters_outgoing, id);
}

bool Configuration::is_learner(ReplicaId id) const {
  return has(learners, id);
}

bool Configuration::contains(ReplicaId id) const {
  return is_voter(id) || is_learner(id);
}

void Configuration::normalize() {
  for (auto* ids : {&voters, &voters_outgoing, &learners, &learners_next}) {
    std::sort(ids->begin(), ids->end());
    ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
  }
}

std::string Configuration::encode() const {
  std::string out(1, kVersion);
  out.push_back(auto_leave ? 1 : 0);
  for (const auto* ids : {&voters, &voters_outgoing, &learners, &learners_next})
    put_ids(&out, *ids);
  return out;
}

Result<Configuration> Configuration::decode(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.varint() != kVersion) return malformed("configuration: unknown version");
  Configuration c;
  const uint64_t auto_leave = reader.varint();
  c.auto_leave = auto_leave == 1;
  for (auto* ids : {&c.voters, &c.voters_outgoing, &c.learners, &c.learners_next}) {
    take_ids(&reader, ids);
    if (!sorted_and_unique(*ids)) return malformed("configuration: unsorted members");
  }
  if (!reader.finished() || auto_leave > 1) return malformed("configuration");
  return c;
}

std::string ConfChangeV2::encode() const {
  if (*this == ConfChangeV2()) return {};
  std::string out(1, kVersion);
  put_varint(&out, static_cast<uint32_t>(transition));
  put_varint(&out, steps.size());
  for (const ConfChangeStep& step : steps) {
    put_varint(&out, static_cast<uint32_t>(step.type));
    put_varint(&out, step.replica.value);
  }
  put_varint(&out, context.size());
  return out + context;
}

Result<ConfChangeV2> ConfChangeV2::decode(std::string_view bytes) {
  ConfChangeV2 change;
  if (bytes.empty()) return change;
  Reader reader(bytes);
  if (reader.varint() != kVersion) return malformed("conf change: unknown version");
  const uint64_t transition = reader.varint();
  if (transition > static_cast<uint32_t>(ConfChangeTransition::kJointExplicit))
    return malformed("conf change: unknown transition");
  change.transition = static_cast<ConfChangeTransition>(transition);
  const size_t n = reader.count();
  for (size_t i = 0; i < n; ++i) {
    const uint64_t type = reader.varint();
    if (type > static_cast<uint32_t>(ConfChangeType::kAddLearner))
      return malformed("conf change: unknown type");
    change.steps.push_back({static_cast<ConfChangeType>(type), ReplicaId(reader.varint())});
  }
  change.context = reader.take(reader.count());
  if (!reader.finished()) return malformed("conf change");
  return change;
}

}  // namespace chronik::raft
