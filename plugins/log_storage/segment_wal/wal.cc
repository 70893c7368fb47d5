#include "wal.h"

#include <algorithm>

namespace chronik::segment_wal {

using sdk::Status;

namespace {

constexpr uint64_t kFrameTarget = 4 * 1024 * 1024;
constexpr uint64_t kLazyBytesMax = 256 * 1024;

uint64_t encoded_size(const chronik_log_operation& operation) {
  uint64_t body = operation.meta.size;
  if (operation.kind == CHRONIK_LOG_HARD_STATE) body = sizeof(HardStateBody);
  if (operation.kind == CHRONIK_LOG_APPEND) {
    body = sizeof(uint64_t);
    for (const chronik_entry& entry : sdk::entries(operation))
      body += sizeof(EntryHeader) + entry.payload.size;
  }
  return sizeof(RecordHeader) + padded(body);
}

bool has_meta(uint32_t kind) {
  return kind == CHRONIK_LOG_COMPACT_PREFIX || kind == CHRONIK_LOG_GROUP_META ||
         kind == CHRONIK_LOG_RESET;
}

// Writes the record of an operation; payloads are copied here and nowhere else.
void encode(FrameBuffer& to, const chronik_log_operation& operation, uint64_t seq,
            uint64_t prev_seq) {
  RecordHeader header{};
  header.kind = static_cast<uint8_t>(operation.kind);
  header.flags = static_cast<uint8_t>(operation.flags);
  header.body_bytes = 0;
  header.group = operation.group;
  header.seq = seq;
  header.prev_seq = prev_seq;
  header.index = operation.index;
  header.term = operation.term;
  if (operation.kind == CHRONIK_LOG_APPEND) {
    uint64_t body = sizeof(uint64_t);
    for (const chronik_entry& entry : sdk::entries(operation))
      body += sizeof(EntryHeader) + entry.payload.size;
    header.body_bytes = static_cast<uint32_t>(body);
    to.append(&header, sizeof header);
    const uint64_t count = operation.entry_count;
    to.append(&count, sizeof count);
    for (const chronik_entry& entry : sdk::entries(operation)) {
      const EntryHeader item{entry.type, static_cast<uint32_t>(entry.payload.size), entry.term,
                             entry.key, entry.time_ms};
      to.append(&item, sizeof item);
    }
    for (const chronik_entry& entry : sdk::entries(operation))
      to.append(entry.payload.data, entry.payload.size);
  } else if (operation.kind == CHRONIK_LOG_HARD_STATE) {
    const HardStateBody body{operation.vote, operation.commit};
    header.body_bytes = sizeof body;
    to.append(&header, sizeof header);
    to.append(&body, sizeof body);
  } else {
    const uint64_t size = has_meta(operation.kind) ? operation.meta.size : 0;
    header.body_bytes = static_cast<uint32_t>(size);
    to.append(&header, sizeof header);
    to.append(operation.meta.data, size);
  }
  to.pad();
}

}  // namespace

Wal::Wal(sdk::Host host, const chronik_log_storage_environment& environment,
         const sdk::Config& config)
    : host_(host),
      environment_(environment),
      options_(config),
      files_(host.file_io()),
      completions_(environment_) {
  std::memcpy(store_.bytes, environment.store_uuid, sizeof store_.bytes);
  crc_seed_ = uuid_crc(store_);
  frame_content_max_ = (options_.journal_file_size / kBlockSize - 1) * kBlockContent;
  journal_files_max_ =
      std::max<size_t>(4, 2 * options_.checkpoint_bytes / options_.journal_file_size + 2);
  metrics_.datasyncs = host.counter("journal_datasyncs_total", "Syncs of the journal");
  metrics_.journal_bytes = host.counter("journal_bytes_total", "Bytes written to the journal");
  metrics_.frames = host.counter("journal_frames_total", "Group commits");
  metrics_.batches = host.counter("batches_total", "Batches made durable");
  metrics_.entries = host.counter("entries_total", "Entries made durable");
  metrics_.files = host.gauge("journal_files", "Journal files in use");
  metrics_.memory_bytes = host.gauge("memory_bytes", "Memory held for entries");
  metrics_.checkpoints = host.counter("checkpoints_total", "Checkpoints completed");
  metrics_.segment_bytes = host.counter("segment_bytes_total", "Bytes written to segments");
}

Status Wal::validate(const sdk::Config& config) {
  const Options options(config);
  if (options.checkpoint_bytes < options.journal_file_size)
    return Status(CHRONIK_E_INVALID_ARGUMENT, "checkpoint_bytes is less than journal_file_size");
  return Status();
}

Status Wal::start() {
  if (files_.raw() == nullptr)
    return Status(CHRONIK_E_FAILED_PRECONDITION, "the host offers no file-io");
  Status status = open_store();
  if (!status.ok()) {
    close_files();
    return status;
  }
  Lock lock(mutex_);
  started_ = true;
  prepare_next_file();
  return status;
}

// ---- Submit ------------------------------------------------------------------------------------

Status Wal::failure() const {
  if (!failed_.ok()) return Status(CHRONIK_E_FAILED, failed_.message());
  if (!started_ || stopping_) return Status(CHRONIK_E_FAILED, "the log storage is not running");
  return Status();
}

Status Wal::submit(const chronik_log_batch& batch, uint64_t token) {
  Lock lock(mutex_);
  Status status = failure();
  if (status.ok())
    status = validator_.check(batch, [&](uint64_t group) { return groups_.find_state(group); });
  if (!status.ok()) return status;

  uint64_t bytes = 0;
  for (const chronik_log_operation& operation : sdk::operations(batch))
    bytes += encoded_size(operation);
  if (last_sync_frame_ != nullptr && pending_bytes_ + bytes > options_.inflight_bytes_max)
    return Status(CHRONIK_E_RESOURCE_EXHAUSTED, "too many bytes are in flight");

  const bool lazy = sdk::is_lazy(batch);
  Frame* previous_sync = last_sync_frame_;
  if (bytes > frame_content_max_ - sizeof(FrameHeader)) {
    status = split(batch);
    if (!status.ok()) return status;
  } else {
    Frame& frame = frame_with_room(bytes);
    for (const chronik_log_operation& operation : sdk::operations(batch))
      take_operation(frame, operation);
  }
  Frame& frame = *frames_.back();
  ++frame.batches;
  if (lazy) {
    // Completes on acceptance, but not before batches that were accepted earlier.
    if (previous_sync != nullptr) {
      previous_sync->completions.push_back({token, CHRONIK_OK, 0});
    } else {
      completions_.push(token, CHRONIK_OK);
      post_task([this] { completions_.deliver(); });
    }
    if (frame.buffer.content() > kLazyBytesMax) frame.must_sync = true;
  } else {
    frame.must_sync = true;
    frame.completions.push_back({token, CHRONIK_OK, 0});
  }
  if (frame.must_sync) last_sync_frame_ = &frame;
  if (commit_ == Commit::kIdle && last_sync_frame_ != nullptr) {
    begin_commit();
    lock.unlock();
    write_frame();
  }
  return Status();
}

Wal::Frame& Wal::frame_with_room(uint64_t bytes) {
  const uint64_t target = std::min(kFrameTarget, frame_content_max_);
  if (frames_.empty() ||
      (frames_.back()->records != 0 && frames_.back()->buffer.content() + bytes > target)) {
    frames_.push_back(idle_frame_ != nullptr ? std::move(idle_frame_)
                                             : std::make_unique<Frame>(host_));
  }
  return *frames_.back();
}

// A batch that doesn't fit in a journal file: group by group into several frames, as nothing is
// promised across groups. The last frame carries the completion.
Status Wal::split(const chronik_log_batch& batch) {
  struct Piece {
    uint64_t group;
    uint64_t bytes;
  };
  std::vector<Piece> pieces;
  for (const chronik_log_operation& operation : sdk::operations(batch)) {
    auto piece = std::find_if(pieces.begin(), pieces.end(),
                              [&](const Piece& p) { return p.group == operation.group; });
    if (piece == pieces.end()) piece = pieces.insert(piece, {operation.group, 0});
    piece->bytes += encoded_size(operation);
    if (piece->bytes > frame_content_max_ - sizeof(FrameHeader))
      return Status(CHRONIK_E_INVALID_ARGUMENT,
                    "the operations of group " + std::to_string(operation.group) +
                        " don't fit in a journal file; see journal_file_size");
  }
  for (const Piece& piece : pieces) {
    Frame& frame = frame_with_room(piece.bytes);
    for (const chronik_log_operation& operation : sdk::operations(batch))
      if (operation.group == piece.group) take_operation(frame, operation);
    frame.must_sync = true;
    last_sync_frame_ = &frame;
  }
  return Status();
}

// Writes the operation into the frame and applies it to the group.
void Wal::take_operation(Frame& frame, const chronik_log_operation& operation) {
  const Group* group = groups_.find(operation.group);
  const uint64_t before = frame.buffer.content();
  encode(frame.buffer, operation, ++last_seq_, group != nullptr ? group->seq : 0);
  pending_bytes_ += frame.buffer.content() - before;
  ++frame.records;
  groups_.apply(operation, last_seq_);
  if (operation.kind == CHRONIK_LOG_APPEND) {
    frame.entries += operation.entry_count;
    frame.marks.push_back({operation.group, last_seq_, operation.index + operation.entry_count});
  }
}

// ---- Lookups -----------------------------------------------------------------------------------

int32_t Wal::group(uint64_t group, chronik_log_visitor visitor, void* context) {
  Lock lock(mutex_);
  const Group* found = groups_.find(group);
  if (found == nullptr) return CHRONIK_E_NOT_FOUND;
  const chronik_log_group view = found->state.to_abi(found->flags);
  return visitor(context, &view);
}

int32_t Wal::scan_groups(chronik_log_visitor visitor, void* context) {
  Lock lock(mutex_);
  const std::vector<uint64_t> ids = groups_.ids();
  lock.unlock();
  for (const uint64_t id : ids) {
    const int32_t stop = group(id, visitor, context);
    if (stop != CHRONIK_OK && stop != CHRONIK_E_NOT_FOUND) return stop;
  }
  return CHRONIK_OK;
}

void Wal::recovery_report(const chronik_sink& sink) {
  for (const std::string& line : report_)
    if (sink.write(sink.context, sdk::slice(line)) != CHRONIK_OK) return;
}

// ---- Space -------------------------------------------------------------------------------------

// Tells the host what it doesn't know yet. Never called inside a call into the instance.
void Wal::tell_space() {
  std::unique_lock space_lock(space_mutex_);
  Lock lock(mutex_);
  const bool low = disk_full_ != 0 || free_low_;
  lock.unlock();
  if (low == space_told_) return;
  space_told_ = low;
  environment_.on_space(environment_.context, low ? 1 : 0);
}

// ---- Stop --------------------------------------------------------------------------------------

void Wal::stop(chronik_done done) {
  Lock lock(mutex_);
  stopping_ = true;
  stopped_ = done;
  advance_stop(lock);
}

void Wal::task_done() {
  Lock lock(mutex_);
  --tasks_;
  if (stopping_) advance_stop(lock);
}

// Writes what is still pending, waits for all tasks, then ends in a task of its own.
void Wal::advance_stop(Lock& lock) {
  if (stop_finishing_) return;
  if (started_ && commit_ == Commit::kIdle && !frames_.empty()) {
    begin_commit();
    lock.unlock();
    write_frame();
    return;
  }
  if (tasks_ != 0) return;
  stop_finishing_ = true;
  host_.post_blocking(sdk::make_task([this] { finish_stop(); }));
}

void Wal::finish_stop() {
  if (started_ && failed_.ok() && journal_bytes_ != 0) {
    // Makes the next start short. Should it fail, the journal has everything.
    if (const Status status = checkpoint(); !status.ok())
      host_.log(CHRONIK_LOG_WARN, "no checkpoint at stop: " + status.message());
  }
  close_files();
  const chronik_done done = stopped_;
  done.call(done.context);  // may destroy this
}

}  // namespace chronik::segment_wal
