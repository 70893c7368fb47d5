// Reads of Wal. What is in memory is answered from there; else one block of a segment is read on
// file-io's read lane, checked, and answered from. Whenever something has changed meanwhile, the
// read looks for its place again.
#include <algorithm>

#include "wal.h"

namespace chronik::segment_wal {

using sdk::Status;

namespace {

constexpr uint64_t kReadMax = 8 * 1024 * 1024;
constexpr uint64_t kScanChunk = 256 * 1024;

// An entry in a batch that was read.
struct StoredEntry {
  EntryHeader header;
  uint64_t index;
  const uint8_t* payload;
};

// Calls `visit` for each entry of the batches in the buffer until it returns false. False if a
// batch doesn't check.
template <typename Visit>
bool visit_entries(const uint8_t* bytes, uint64_t size, Visit visit) {
  while (size != 0) {
    BatchHeader batch;
    if (parse_batch(bytes, size, true, &batch) == nullptr) return false;
    const uint8_t* table = bytes + sizeof batch;
    const uint8_t* end = table + batch.body_bytes;
    const uint8_t* payload = table + batch.count * sizeof(EntryHeader);
    for (uint32_t i = 0; i < batch.count; ++i) {
      StoredEntry entry{load<EntryHeader>(table + i * sizeof(EntryHeader)), batch.base_index + i,
                        payload};
      if (entry.header.size > static_cast<uint64_t>(end - payload)) return false;
      payload += entry.header.size;
      if (!visit(entry)) return true;
    }
    bytes = end;
    size -= sizeof batch + batch.body_bytes;
  }
  return true;
}

}  // namespace

struct Wal::ColdRead {
  chronik_io_chain chain{};  // first, so that done finds the rest
  chronik_io_operation operations[3]{};
  Wal* wal = nullptr;
  chronik_log_read request{};  // `from` of a search by key may be lowered to the key it found
  uint64_t min_index = 0;      // a search by time has looked at everything before it
  std::unique_ptr<sdk::ReadResult> result;
  std::shared_ptr<Segment> segment;
  uint64_t generation = 0;
  std::string path;
  sdk::BufferRef buffer;
};

int32_t Wal::read(const chronik_log_read& request) {
  Lock lock(mutex_);
  if (!failure().ok()) return CHRONIK_E_FAILED;
  const Group* group = groups_.find(request.group);
  if (group == nullptr) return CHRONIK_E_NOT_FOUND;
  auto read = std::make_unique<ColdRead>();
  read->wal = this;
  read->request = request;
  read->result = sdk::ReadResult::make(request.token);
  const Place place = locate(*group, *read);
  if (place.kind == Place::kBlock) {
    read->generation = group->generation;
    read_block(std::move(read), place);
    return CHRONIK_OK;
  }
  if (place.kind == Place::kTail)  // now: what is accepted is readable, also if truncated at once
    read->result->add_tail(group->tail, place.index, request.end_index, request.max_bytes);
  post_task([this, read = std::move(read), kind = place.kind]() mutable {
    if (kind == Place::kIndexMissing) return advance_read(std::move(read));
    finish_read(std::move(read), kind == Place::kOutOfRange ? CHRONIK_E_OUT_OF_RANGE : CHRONIK_OK);
  });
  return CHRONIK_OK;
}

// Finds the read's place and does the next step.
void Wal::advance_read(std::unique_ptr<ColdRead> read) {
  Lock lock(mutex_);
  const Group* group = groups_.find(read->request.group);
  if (!failed_.ok() || group == nullptr) {
    const int32_t status = group == nullptr ? CHRONIK_E_NOT_FOUND : CHRONIK_E_FAILED;
    lock.unlock();
    return finish_read(std::move(read), status);
  }
  const Place place = locate(*group, *read);
  switch (place.kind) {
    case Place::kBlock:
      read->generation = group->generation;
      return read_block(std::move(read), place);
    case Place::kIndexMissing:
      post_blocking_task([this, read = std::move(read), segment = place.segment]() mutable {
        const Status status = load_index(segment);
        if (status.ok()) return advance_read(std::move(read));
        finish_read(std::move(read), CHRONIK_E_DATA_LOSS);
      });
      return;
    case Place::kTail:
      read->result->add_tail(group->tail, place.index, read->request.end_index,
                             read->request.max_bytes);
      break;
    case Place::kOutOfRange: read->result->set_status(CHRONIK_E_OUT_OF_RANGE); break;
    case Place::kEmpty: break;
  }
  lock.unlock();
  const int32_t status = read->result->status();
  finish_read(std::move(read), status);
}

void Wal::finish_read(std::unique_ptr<ColdRead> read, int32_t status) {
  read->result->set_status(status);
  sdk::ReadResult::finish(std::move(read->result), environment_);
}

// ---- Finding the place. Pre: locked. ------------------------------------------------------------

Wal::Place Wal::locate(const Group& group, const ColdRead& read) const {
  const sdk::GroupState& state = group.state;
  if (read.request.from_kind == CHRONIK_LOG_FROM_INDEX) {
    if (read.request.from <= state.start_index) return {Place::kOutOfRange, 0, nullptr, 0};
    if (read.request.from >= read.request.end_index) return {Place::kEmpty, 0, nullptr, 0};
    return locate_index(group, read.request.from);
  }
  if (state.last_index == state.start_index) return {Place::kEmpty, 0, nullptr, 0};
  if (read.request.from_kind == CHRONIK_LOG_FROM_TIME)
    return locate_time(group, static_cast<int64_t>(read.request.from), read.min_index);
  return locate_key(group, read.request.from);
}

Wal::Place Wal::in_segment(const std::shared_ptr<Segment>& segment, size_t block) {
  return {segment->indexed() ? Place::kBlock : Place::kIndexMissing, 0, segment, block};
}

Wal::Place Wal::locate_index(const Group& group, uint64_t index) const {
  if (index > group.state.last_index) return {Place::kEmpty, 0, nullptr, 0};
  if (group.tail.holds(index)) return {Place::kTail, index, nullptr, 0};
  const auto after = std::upper_bound(
      group.segments.begin(), group.segments.end(), index,
      [](uint64_t i, const std::shared_ptr<Segment>& s) { return i < s->base_index; });
  if (after == group.segments.begin()) return {Place::kEmpty, 0, nullptr, 0};
  const std::shared_ptr<Segment>& segment = *std::prev(after);
  const auto& blocks = segment->blocks;
  const auto next =
      std::upper_bound(blocks.begin(), blocks.end(), index,
                       [](uint64_t i, const SegmentBlock& block) { return i < block.first_index; });
  return in_segment(segment, next == blocks.begin() ? 0 : next - blocks.begin() - 1);
}

Wal::Place Wal::locate_key(const Group& group, uint64_t key) const {
  const Place before_all = group.state.start_index != 0
                               ? Place{Place::kOutOfRange, 0, nullptr, 0}
                               : locate_index(group, group.state.start_index + 1);
  const sdk::EntryTail& tail = group.tail;
  bool at_tail = !tail.empty() && tail.at(tail.first_index()).key <= key;
  if (at_tail) {
    const uint64_t found = tail.seek_key(key);
    if (found != tail.first_index()) return {Place::kTail, found, nullptr, 0};
    key = tail.at(found).key;  // entries before the tail may have it too
  }
  const Place in_tail = at_tail ? Place{Place::kTail, tail.first_index(), nullptr, 0} : before_all;
  // The last segment, then the last block, that begins with a key that isn't greater.
  size_t s = group.segments.size();
  while (s != 0 && group.segments[s - 1]->first_key > key) --s;
  if (s == 0) return in_tail;
  if (at_tail &&
      (group.segments[s - 1]->last_key < key || tail.first_index() == group.state.start_index + 1))
    return in_tail;
  const Segment* segment = group.segments[--s].get();
  if (!segment->indexed()) return in_segment(group.segments[s], 0);
  size_t b = segment->blocks.size();
  while (b != 0 && segment->blocks[b - 1].first_key > key) --b;
  --b;
  // Entries with the same key may begin further back.
  while (segment->blocks[b].first_key == key &&
         segment->blocks[b].first_index > group.state.start_index + 1) {
    if (b != 0) {
      if (segment->blocks[b - 1].last_key != key) break;
      --b;
    } else {
      if (s == 0 || group.segments[s - 1]->last_key != key) break;
      segment = group.segments[--s].get();
      if (!segment->indexed()) return in_segment(group.segments[s], 0);
      b = segment->blocks.size() - 1;
    }
  }
  return in_segment(group.segments[s], b);
}

Wal::Place Wal::locate_time(const Group& group, int64_t time_ms, uint64_t min_index) const {
  min_index = std::max(min_index, group.state.start_index + 1);
  for (const std::shared_ptr<Segment>& segment : group.segments) {
    if (segment->last_index < min_index || segment->max_time_ms < time_ms) continue;
    if (!segment->indexed()) return in_segment(segment, 0);
    for (size_t b = 0; b < segment->blocks.size(); ++b) {
      const uint64_t end = b + 1 < segment->blocks.size() ? segment->blocks[b + 1].first_index
                                                          : segment->last_index + 1;
      if (end > min_index && segment->blocks[b].max_time_ms >= time_ms)
        return in_segment(segment, b);
    }
  }
  if (group.tail.empty()) return {Place::kEmpty, 0, nullptr, 0};
  const uint64_t found = group.tail.seek_time(time_ms);
  return {found == group.tail.end_index() ? Place::kEmpty : Place::kTail, found, nullptr, 0};
}

// ---- Reading a block ---------------------------------------------------------------------------

// Reads from the place's block on, as much as the request may want. Pre: locked.
void Wal::read_block(std::unique_ptr<ColdRead> read, const Place& place) {
  const Segment& segment = *place.segment;
  const uint64_t position = segment.blocks[place.block].position;
  const uint64_t wanted = position + std::min(kReadMax, read->request.max_bytes) + kIndexInterval;
  uint64_t end = segment.bytes;
  for (size_t b = place.block + 1; b < segment.blocks.size(); ++b) {
    if (segment.blocks[b].position < wanted &&
        segment.blocks[b].first_index < read->request.end_index)
      continue;
    end = segment.blocks[b].position;
    break;
  }
  read->segment = place.segment;
  read->path = segment.path();
  read->buffer = host_.allocate(end - position);
  read->operations[0] = io_operation(CHRONIK_IO_OPEN);
  read->operations[0].path = sdk::slice(read->path);
  read->operations[0].flags = CHRONIK_IO_READ_ONLY;
  read->operations[1] = io_operation(CHRONIK_IO_READ);
  read->operations[1].file = CHRONIK_IO_OPENED;
  read->operations[1].offset = position;
  read->operations[1].buffer = read->buffer.data();
  read->operations[1].size = end - position;
  read->operations[2] = io_operation(CHRONIK_IO_CLOSE);
  read->operations[2].file = CHRONIK_IO_OPENED;
  read->chain = {};
  read->chain.struct_size = sizeof read->chain;
  read->chain.lane = CHRONIK_IO_LANE_READ;
  read->chain.operation_count = 3;
  read->chain.operation_stride = sizeof(chronik_io_operation);
  read->chain.operations = read->operations;
  read->chain.done = [](chronik_io_chain* chain) noexcept {
    auto* self = reinterpret_cast<ColdRead*>(chain);
    self->wal->on_block_read(self);
  };
  ++tasks_;
  ColdRead* raw = read.release();
  files_.raw()->submit(files_.raw()->context, &raw->chain);
}

void Wal::on_block_read(ColdRead* raw) {
  std::unique_ptr<ColdRead> read(raw);
  const bool whole =
      read->chain.status == CHRONIK_OK && read->operations[1].result == read->operations[1].size;
  Lock lock(mutex_);
  if (read->chain.status != CHRONIK_OK && read->chain.failed_operation == 1)
    post_blocking_task([this, file = read->operations[0].file]() mutable { files_.close(file); });
  const Group* group = groups_.find(read->request.group);
  const bool same = group != nullptr && group->generation == read->generation;
  const bool there = same && std::find(group->segments.begin(), group->segments.end(),
                                       read->segment) != group->segments.end();
  lock.unlock();
  if (!there) {
    advance_read(std::move(read));  // compacted, reset or deleted meanwhile
  } else if (!whole) {
    finish_read(std::move(read), CHRONIK_E_DATA_LOSS);
  } else {
    take_block(std::move(read));
  }
  task_done();
}

// Answers from the block in the buffer, or goes on searching.
void Wal::take_block(std::unique_ptr<ColdRead> read) {
  Lock lock(mutex_);
  const Group* group = groups_.find(read->request.group);
  const uint64_t first = group != nullptr ? group->state.start_index + 1 : 1;
  lock.unlock();
  const uint8_t* bytes = read->buffer.data();
  const uint64_t size = read->operations[1].size;
  chronik_log_read& request = read->request;

  uint64_t from = request.from_kind == CHRONIK_LOG_FROM_INDEX ? request.from : 0;
  uint64_t begins = 0, ends = 0, first_key = 0, found_key = 0;
  const bool sound = visit_entries(bytes, size, [&](const StoredEntry& entry) {
    if (begins == 0) {
      begins = entry.index;
      first_key = entry.header.key;
    }
    ends = entry.index + 1;
    if (entry.index < first) return true;
    if (request.from_kind == CHRONIK_LOG_FROM_KEY && entry.header.key <= request.from &&
        (from == 0 || entry.header.key > found_key)) {
      from = entry.index;
      found_key = entry.header.key;
    }
    if (request.from_kind == CHRONIK_LOG_FROM_TIME && from == 0 && entry.index >= read->min_index &&
        entry.header.time_ms >= static_cast<int64_t>(request.from))
      from = entry.index;
    return true;
  });
  if (!sound) return finish_read(std::move(read), CHRONIK_E_DATA_LOSS);
  if (request.from_kind == CHRONIK_LOG_FROM_KEY && from == begins && found_key == first_key &&
      request.from != found_key) {
    request.from = found_key;  // entries before this block may have it too
    return advance_read(std::move(read));
  }
  if (request.from_kind == CHRONIK_LOG_FROM_TIME && from == 0) {
    read->min_index = std::max(ends, read->min_index + 1);
    return advance_read(std::move(read));
  }
  // All keys of a log that was never compacted are greater.
  if (request.from_kind == CHRONIK_LOG_FROM_KEY && from == 0 && first == 1) from = begins;
  if (from < first) return finish_read(std::move(read), CHRONIK_E_OUT_OF_RANGE);
  (void)visit_entries(bytes, size, [&](const StoredEntry& entry) {
    if (entry.index < from) return true;
    if (entry.index >= request.end_index) return false;
    const chronik_entry item{sizeof item,
                             entry.header.type,
                             entry.index,
                             entry.header.term,
                             entry.header.key,
                             entry.header.time_ms,
                             {entry.payload, entry.header.size},
                             nullptr};
    return read->result->add(item, read->buffer, request.max_bytes);
  });
  // The bytes checked, but they aren't the ones that were looked for.
  const bool misplaced = from < request.end_index && read->result->size() == 0;
  finish_read(std::move(read), misplaced ? CHRONIK_E_DATA_LOSS : CHRONIK_OK);
}

// ---- Indexes of segments -----------------------------------------------------------------------

// Fills the part of the segment's index that isn't in memory. May block.
Status Wal::load_index(const std::shared_ptr<Segment>& segment) {
  Lock lock(mutex_);
  if (segment->indexed()) return Status();
  const uint64_t end = segment->indexed_from;
  const bool sealed = segment->sealed;
  lock.unlock();
  int64_t file = Files::kNone;
  std::vector<SegmentBlock> blocks;
  Status status = files_.open(segment->path(), CHRONIK_IO_READ_ONLY, &file);
  if (status.ok()) {
    if (!sealed || !read_footer(*segment, file, &blocks).ok())
      status = scan_segment(*segment, file, end, &blocks);
  }
  files_.close(file);
  if (!status.ok()) return status;
  lock.lock();
  if (segment->indexed()) return Status();
  segment->blocks.insert(segment->blocks.begin(), blocks.begin(), blocks.end());
  segment->indexed_from = sizeof(SegmentHeader);
  return Status();
}

Status Wal::read_footer(const Segment& segment, int64_t file, std::vector<SegmentBlock>* blocks) {
  const Status damaged(CHRONIK_E_DATA_LOSS, "the index of " + segment.path() + " is damaged");
  uint64_t size = 0, got = 0;
  Status status = files_.size(file, &size);
  if (!status.ok() || size < segment.bytes + sizeof(SegmentTrailer)) return damaged;
  std::vector<uint8_t> bytes(size - segment.bytes);
  if (bytes.size() > kReadMax) return damaged;
  status = files_.read(file, segment.bytes, bytes.data(), bytes.size(), &got);
  if (!status.ok() || got != bytes.size()) return damaged;
  const uint64_t blocks_size = bytes.size() - sizeof(SegmentTrailer);
  const auto trailer = load<SegmentTrailer>(bytes.data() + blocks_size);
  if (trailer.magic != SegmentTrailer::kMagic || trailer.blocks_position != segment.bytes ||
      trailer.block_count * sizeof(SegmentBlock) != blocks_size ||
      trailer.crc != sdk::crc32c(bytes.data(), blocks_size))
    return damaged;
  blocks->resize(trailer.block_count);
  if (blocks_size != 0) std::memcpy(blocks->data(), bytes.data(), blocks_size);
  return Status();
}

// Makes the index by stepping through the batches' headers up to `end`.
Status Wal::scan_segment(const Segment& segment, int64_t file, uint64_t end,
                         std::vector<SegmentBlock>* blocks) {
  std::vector<uint8_t> window(kScanChunk);
  uint64_t window_at = 0, window_size = 0;
  for (uint64_t at = sizeof(SegmentHeader); at < end;) {
    if (at < window_at || at + sizeof(BatchHeader) > window_at + window_size) {
      window_at = at;
      Status status = files_.read(file, at, window.data(),
                                  std::min<uint64_t>(window.size(), end - at), &window_size);
      if (!status.ok()) return status;
    }
    BatchHeader batch;
    if (at + sizeof batch > window_at + window_size ||
        parse_batch(window.data() + (at - window_at), end - at, false, &batch) == nullptr)
      return Status(CHRONIK_E_DATA_LOSS,
                    segment.path() + " is damaged at byte " + std::to_string(at));
    add_to_blocks(blocks, batch, at);
    at += sizeof batch + batch.body_bytes;
  }
  return Status();
}

}  // namespace chronik::segment_wal
