#include "checkpoint_format.h"

namespace chronik::segment_wal {
namespace {

void put(std::vector<uint8_t>* to, const void* data, uint64_t size) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  to->insert(to->end(), bytes, bytes + size);
}

// Takes `size` bytes from the front, or fails.
bool take(std::span<const uint8_t>* rest, uint64_t size, const uint8_t** bytes) {
  if (rest->size() < size) return false;
  *bytes = rest->data();
  *rest = rest->subspan(size);
  return true;
}

template <typename T>
bool take_array(std::span<const uint8_t>* rest, uint64_t count, std::vector<T>* values) {
  const uint8_t* bytes = nullptr;
  if (count > rest->size() / sizeof(T) || !take(rest, count * sizeof(T), &bytes)) return false;
  values->resize(count);
  if (count != 0) std::memcpy(values->data(), bytes, count * sizeof(T));
  return true;
}

}  // namespace

void encode_group(const GroupCapture& capture, std::vector<uint8_t>* body) {
  const sdk::GroupState& state = capture.state;
  const GroupRecord record{state.group,
                           capture.generation,
                           capture.seq,
                           state.start_index,
                           state.start_term,
                           state.hard_term,
                           state.hard_vote,
                           state.hard_commit,
                           capture.flushed_index,
                           capture.flushed_key,
                           capture.flushed_time_ms,
                           static_cast<uint32_t>(state.meta.size()),
                           static_cast<uint32_t>(state.term_runs.size()),
                           static_cast<uint32_t>(capture.segments.size()),
                           static_cast<uint32_t>(capture.items.size())};
  put(body, &record, sizeof record);
  put(body, state.term_runs.data(), state.term_runs.size() * sizeof(chronik_term_run));
  for (const std::shared_ptr<Segment>& segment : capture.segments) {
    const SegmentRecord line{segment->base_index, segment->last_index,      segment->bytes,
                             segment->first_key,  segment->last_key,        segment->max_time_ms,
                             segment->generation, segment->sealed ? 1u : 0u};
    put(body, &line, sizeof line);
  }
  put(body, state.meta.data(), state.meta.size());
  for (const sdk::EntryTail::Item& item : capture.items) {
    const EntryHeader header{item.type, item.size, item.term, item.key, item.time_ms};
    put(body, &header, sizeof header);
  }
  for (const sdk::EntryTail::Item& item : capture.items) put(body, item.data, item.size);
  body->resize(padded(body->size()));
}

bool decode_group(std::span<const uint8_t>* rest, const sdk::BufferRef& owner, Group* group) {
  const uint64_t before = rest->size();
  const uint8_t* bytes = nullptr;
  if (!take(rest, sizeof(GroupRecord), &bytes)) return false;
  const auto record = load<GroupRecord>(bytes);
  sdk::GroupState& state = group->state;
  state.group = record.group;
  state.start_index = record.start_index;
  state.start_term = record.start_term;
  state.hard_term = record.hard_term;
  state.hard_vote = record.hard_vote;
  state.hard_commit = record.hard_commit;
  group->generation = record.generation;
  group->seq = record.seq;
  group->flushed_index = record.flushed_index;
  group->flushed_key = record.flushed_key;
  group->flushed_time_ms = record.flushed_time_ms;
  std::vector<SegmentRecord> segments;
  std::vector<EntryHeader> headers;
  if (record.flushed_index < record.start_index ||
      !take_array(rest, record.run_count, &state.term_runs) ||
      !take_array(rest, record.segment_count, &segments) || !take(rest, record.meta_bytes, &bytes))
    return false;
  state.set_meta({bytes, record.meta_bytes});
  if (!take_array(rest, record.entry_count, &headers)) return false;

  for (const SegmentRecord& line : segments) {
    auto segment = std::make_shared<Segment>(record.group, line.generation, line.base_index);
    segment->last_index = line.last_index;
    segment->bytes = segment->indexed_from = line.bytes;
    segment->first_key = line.first_key;
    segment->last_key = line.last_key;
    segment->max_time_ms = line.max_time_ms;
    segment->sealed = line.sealed != 0;
    group->segments.push_back(std::move(segment));
  }
  state.last_index = record.flushed_index + headers.size();
  state.last_term = state.term_at(state.last_index);
  state.last_key = record.flushed_key;
  state.last_time_ms = record.flushed_time_ms;
  group->tail.clear(record.flushed_index + 1);
  uint64_t index = record.flushed_index;
  for (const EntryHeader& header : headers) {
    if (!take(rest, header.size, &bytes)) return false;
    group->tail.append({sizeof(chronik_entry),
                        header.type,
                        ++index,
                        header.term,
                        header.key,
                        header.time_ms,
                        {bytes, header.size},
                        owner.get()});
    state.last_key = header.key;
    state.last_time_ms = header.time_ms;
  }
  return take(rest, (8 - (before - rest->size()) % 8) % 8, &bytes);
}

}  // namespace chronik::segment_wal
