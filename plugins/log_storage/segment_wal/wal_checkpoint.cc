// Checkpoints of Wal: committed entries go to segments, the rest of the state to one file; then the
// journal's files are used again.
//
// A checkpoint is made while the store works. Each group is taken at a moment of its own, with the
// number of its last operation; at start, operations up to that number are skipped in the journal.
// Uncommitted entries go into the checkpoint itself, so that a group without quorum can't keep the
// journal from being recycled.
#include <algorithm>
#include <set>

#include "checkpoint_format.h"
#include "segment_writer.h"
#include "wal.h"

namespace chronik::segment_wal {

using sdk::Status;

namespace {

constexpr char kCheckpointPath[] = "checkpoint";
constexpr uint64_t kBatchBytes = 256 * 1024;
constexpr size_t kBatchEntries = 4096;
constexpr int kSegmentFailuresMax = 3;

}  // namespace

// Pre: locked.
void Wal::request_checkpoint() {
  if (checkpointing_ || !started_ || stop_finishing_ || !failed_.ok()) return;
  checkpointing_ = true;
  post_blocking_task([this] { run_checkpoint(); });
}

void Wal::run_checkpoint() {
  const Status status = checkpoint();
  Lock lock(mutex_);
  const bool retry =
      status.code() == CHRONIK_E_NO_SPACE ||
      (!status.ok() && segment_write_failed_ && ++segment_failures_ < kSegmentFailuresMax);
  if (retry && !stopping_) return wait_for_space(kFullForCheckpoint, &Wal::run_checkpoint);
  checkpointing_ = false;
  if (!status.ok() && (!retry || commit_ == Commit::kWaitingForFile)) return fail(lock, status);
  if (!status.ok()) return;  // stopping: the journal has everything
  if ((disk_full_ & kFullForCheckpoint) != 0) {
    disk_full_ &= ~kFullForCheckpoint;
    post_task([this] { tell_space(); });
  }
  prepare_next_file();
}

// Makes one. May block; one at a time.
//   NO_SPACE: nothing is lost, may be tried again
//   with segment_write_failed_: as NO_SPACE, the entries are still in memory and journal
//   others: the store must fail
Status Wal::checkpoint() {
  Lock lock(mutex_);
  CheckpointHeader header{};
  header.magic = CheckpointHeader::kMagic;
  header.version = kFormatVersion;
  header.store = store_;
  header.lsn = durable_lsn_;
  // Taken before any group is: this checkpoint and all later ones know nothing of them.
  std::vector<std::shared_ptr<Segment>> garbage = groups_.take_garbage();
  const uint64_t journal_bytes = std::exchange(journal_bytes_, 0);
  const std::vector<uint64_t> ids = groups_.ids();
  segment_write_failed_ = false;
  lock.unlock();

  SegmentWriter writer(files_, store_);
  std::vector<uint8_t> body;
  Status status;
  for (size_t i = 0; status.ok() && i < ids.size(); ++i)
    status = checkpoint_group(ids[i], writer, &body, &header.group_count);
  if (status.ok()) status = writer.sync();
  if (status.ok()) status = write_checkpoint(header, body);

  lock.lock();
  sdk::add(metrics_.segment_bytes, static_cast<int64_t>(writer.bytes_written()));
  if (!status.ok()) {
    journal_bytes_ += journal_bytes;
    for (std::shared_ptr<Segment>& segment : garbage) groups_.add_garbage(std::move(segment));
    return status;
  }
  checkpoint_lsn_ = header.lsn;
  segment_failures_ = 0;
  lock.unlock();
  sdk::add(metrics_.checkpoints, 1);
  for (const std::shared_ptr<Segment>& segment : garbage)
    (void)files_.unlink(segment->path());  // what stays is removed by the next start
  return recycle_journal();
}

// Takes the group as it is now, moves its committed entries to segments, and adds it to the body.
Status Wal::checkpoint_group(uint64_t id, SegmentWriter& writer, std::vector<uint8_t>* body,
                             uint64_t* count) {
  Lock lock(mutex_);
  Group* group = groups_.find(id);
  if (group == nullptr) return Status();
  GroupCapture capture;
  capture.state = group->state;
  capture.seq = group->seq;
  capture.generation = group->generation;
  capture.flushed_index = group->flushed_index;
  capture.flushed_key = group->flushed_key;
  capture.flushed_time_ms = group->flushed_time_ms;
  capture.segments = group->segments;
  for (uint64_t i = group->flushed_index + 1; i < group->tail.end_index(); ++i)
    capture.items.push_back(group->tail.at(i));
  const uint64_t final_index = std::min(capture.state.hard_commit, capture.state.durable_index);
  if (!capture.segments.empty()) capture.segments.back()->writing = true;
  lock.unlock();

  size_t written = 0;
  Status status;
  const size_t final_count =
      final_index > capture.flushed_index
          ? std::min<size_t>(final_index - capture.flushed_index, capture.items.size())
          : 0;
  while (status.ok() && written < final_count)
    status = flush_batch(capture, final_count, writer, &written);

  lock.lock();
  if (!capture.segments.empty()) capture.segments.back()->writing = false;
  group = groups_.find(id);
  if (group != nullptr && group->generation == capture.generation)
    groups_.drop_compacted_segments(*group);
  evict_tail_cache();
  lock.unlock();
  if (!status.ok()) return status;
  capture.items.erase(capture.items.begin(), capture.items.begin() + static_cast<long>(written));
  encode_group(capture, body);
  ++*count;
  return status;
}

// Writes the next batch of the capture's items and notes it in the segment and, if the log is still
// the one that was taken, in the group.
Status Wal::flush_batch(GroupCapture& capture, size_t final_count, SegmentWriter& writer,
                        size_t* written) {
  std::shared_ptr<Segment> segment = capture.segments.empty() ? nullptr : capture.segments.back();
  if (segment != nullptr && !segment->sealed && segment->bytes >= options_.segment_size) {
    Status status = seal(segment, writer);
    if (!status.ok()) return status;
  }
  const bool fresh = segment == nullptr || segment->sealed;
  if (fresh) {
    segment = std::make_shared<Segment>(capture.state.group, capture.generation,
                                        capture.flushed_index + 1);
    segment->bytes = sizeof(SegmentHeader);
    segment->writing = true;
  }
  size_t end = *written;
  for (uint64_t bytes = 0; end < final_count && end - *written < kBatchEntries; ++end) {
    bytes += capture.items[end].size;
    if (bytes > kBatchBytes && end != *written) break;
  }
  BatchHeader header;
  Status status = writer.write(*segment, capture.flushed_index + 1,
                               std::span(capture.items).subspan(*written, end - *written), &header);
  Lock lock(mutex_);
  if (!status.ok()) {
    if (status.code() != CHRONIK_E_NO_SPACE) {
      segment_write_failed_ = true;
      segment->sealed = true;  // the next try begins another file
    }
    segment->writing = false;
    return status;
  }
  uint64_t bytes = 0;
  for (size_t i = *written; i < end; ++i)
    bytes += capture.items[i].size + GroupTable::kEntryOverhead;
  *written = end;
  segment->add(header);
  capture.flushed_index = segment->last_index;
  capture.flushed_key = segment->last_key;
  capture.flushed_time_ms = capture.items[end - 1].time_ms;
  if (fresh) {
    if (!capture.segments.empty()) capture.segments.back()->writing = false;
    capture.segments.push_back(segment);
  }
  Group* group = groups_.find(capture.state.group);
  if (group == nullptr || group->generation != capture.generation) {
    if (fresh) groups_.add_garbage(segment);
    return status;
  }
  if (fresh) group->segments.push_back(segment);
  if (group->flushed_index < capture.flushed_index) {
    group->flushed_index = capture.flushed_index;
    group->flushed_key = capture.flushed_key;
    group->flushed_time_ms = capture.flushed_time_ms;
  }
  cached_.push_back({capture.state.group, capture.generation, capture.flushed_index, bytes});
  cached_bytes_ += bytes;
  evict_tail_cache();
  return status;
}

Status Wal::seal(const std::shared_ptr<Segment>& segment, SegmentWriter& writer) {
  Status status = load_index(segment);
  Lock lock(mutex_);
  if (!status.ok()) {  // damaged; it is kept as it is, and what can be read of it is
    segment->sealed = true;
    return Status();
  }
  const std::vector<SegmentBlock> blocks = segment->blocks;
  lock.unlock();
  status = writer.seal(*segment, blocks);
  lock.lock();
  segment_write_failed_ = !status.ok() && status.code() != CHRONIK_E_NO_SPACE;
  segment->sealed = status.ok() || segment_write_failed_;
  return status;
}

Status Wal::write_checkpoint(CheckpointHeader header, const std::vector<uint8_t>& body) {
  Lock lock(mutex_);
  header.max_seq = last_seq_;
  lock.unlock();
  header.body_bytes = body.size();
  header.body_crc = sdk::crc32c(body.data(), body.size());
  constexpr size_t kUnchecked = offsetof(CheckpointHeader, store);
  header.header_crc = sdk::crc32c(reinterpret_cast<const uint8_t*>(&header) + kUnchecked,
                                  sizeof header - kUnchecked);
  return files_.write_whole(kCheckpointPath,
                            {{&header, sizeof header}, {body.data(), body.size()}});
}

// Drops entries that segments hold from memory, oldest flush first, down to the budget.
// Pre: locked.
void Wal::evict_tail_cache() {
  while (cached_bytes_ > options_.tail_cache_bytes && !cached_.empty()) {
    const CachedRun run = cached_.front();
    cached_.pop_front();
    cached_bytes_ -= run.bytes;
    Group* group = groups_.find(run.group);
    if (group == nullptr || group->generation != run.generation) continue;
    group->tail.drop_before(run.last_index + 1);
    groups_.charge(*group);
  }
  sdk::set(metrics_.memory_bytes, static_cast<int64_t>(groups_.memory_bytes()));
}

// ---- Start -------------------------------------------------------------------------------------

// Loads the checkpoint, if there is one, and removes segments that it doesn't know.
Status Wal::load_checkpoint() {
  int64_t file = Files::kNone;
  Status status = files_.open(kCheckpointPath, CHRONIK_IO_READ_ONLY, &file);
  if (status.code() == CHRONIK_E_NOT_FOUND) return remove_orphans();
  uint64_t size = 0, got = 0;
  if (status.ok()) status = files_.size(file, &size);
  const sdk::BufferRef bytes = host_.allocate(std::max<uint64_t>(size, 1));
  if (status.ok()) status = files_.read(file, 0, bytes.data(), size, &got);
  files_.close(file);
  if (!status.ok()) return status;

  const Status damaged(CHRONIK_E_DATA_LOSS, "the checkpoint is damaged");
  CheckpointHeader header{};
  if (got < sizeof header) return damaged;
  header = load<CheckpointHeader>(bytes.data());
  constexpr size_t kUnchecked = offsetof(CheckpointHeader, store);
  if (header.magic != CheckpointHeader::kMagic ||
      header.header_crc != sdk::crc32c(bytes.data() + kUnchecked, sizeof header - kUnchecked))
    return damaged;
  if (header.version != kFormatVersion || !(header.store == store_))
    return Status(CHRONIK_E_FAILED_PRECONDITION,
                  "the checkpoint belongs to another store or format version");
  std::span<const uint8_t> rest(bytes.data() + sizeof header, got - sizeof header);
  if (rest.size() != header.body_bytes || header.body_crc != sdk::crc32c(rest.data(), rest.size()))
    return damaged;
  for (uint64_t i = 0; i < header.group_count; ++i) {
    Group group;
    if (!decode_group(&rest, bytes, &group)) return damaged;
    const uint64_t id = group.state.group;
    Group& kept = groups_.insert(id);
    kept = std::move(group);
    groups_.charge(kept);
  }
  checkpoint_lsn_ = header.lsn;
  checkpoint_max_seq_ = last_seq_ = header.max_seq;
  return remove_orphans();
}

// Files in p/ that the checkpoint doesn't name were written by one that never ended, or were no
// longer needed. A segment that is missing makes its group suspect.
Status Wal::remove_orphans() {
  std::set<std::string> known;
  for (const uint64_t id : groups_.ids())
    for (const std::shared_ptr<Segment>& segment : groups_.find(id)->segments)
      known.insert(segment->path());
  std::vector<std::string> names;
  for (uint32_t i = 0; i < 256; ++i) {
    const std::string directory = segment_directory(i);
    Status status = files_.list(directory, &names);
    if (status.code() == CHRONIK_E_NOT_FOUND) continue;
    if (!status.ok()) return status;
    for (const std::string& name : names)
      if (known.erase(directory + "/" + name) == 0)
        if (status = files_.unlink(directory + "/" + name); !status.ok()) return status;
  }
  for (const uint64_t id : groups_.ids()) {
    Group& group = *groups_.find(id);
    for (const std::shared_ptr<Segment>& segment : group.segments) {
      if (known.count(segment->path()) == 0) continue;
      group.flags |= CHRONIK_LOG_GROUP_SUSPECT;
      report_.push_back("group " + std::to_string(id) + ": segment " + segment->path() +
                        " is missing");
    }
  }
  return Status();
}

}  // namespace chronik::segment_wal
