// Journal files of Wal: opening the store, recovery, files prepared ahead and recycled; space.
#include <cinttypes>
#include <cstdio>

#include "frame_reader.h"
#include "journal_recovery.h"
#include "wal.h"

namespace chronik::segment_wal {

using sdk::Status;

namespace {

constexpr int64_t kSpaceRetryNs = 200'000'000;
constexpr uint64_t kZeroChunk = 1024 * 1024;
constexpr size_t kSparesMax = 2;
constexpr char kBlankPath[] = "j/blank.tmp";

struct StoreMeta {
  static constexpr uint64_t kMagic = 0x3145524f54534843;  // "CHSTORE1"
  uint64_t magic;
  uint32_t version;
  uint32_t crc;  // of the uuid
  Uuid store;
};
static_assert(sizeof(StoreMeta) == 32);

}  // namespace

// ---- Start -------------------------------------------------------------------------------------

Status Wal::open_store() {
  Status status = files_.open("LOCK", CHRONIK_IO_CREATE, &lock_file_);
  if (status.ok()) status = files_.lock(lock_file_);
  if (status.code() == CHRONIK_E_FAILED_PRECONDITION)
    return Status(status.code(), "the store is in use by another process");
  bool fresh = false;
  if (status.ok()) status = check_store_meta(&fresh);
  if (status.ok() && fresh) {
    status = files_.make_directory("j");
    if (status.ok()) status = files_.make_directory("p");
    for (uint32_t i = 0; status.ok() && i < 256; ++i)
      status = files_.make_directory(segment_directory(i));
    if (status.ok()) status = files_.sync_directory("p");
    if (status.ok()) status = files_.sync_directory("");
  }
  if (status.ok()) status = recover(fresh);
  if (status.ok() && fresh) status = write_store_meta();
  return status;
}

Status Wal::check_store_meta(bool* fresh) {
  std::vector<uint8_t> bytes;
  Status status = files_.read_whole("store.meta", kBlockSize, &bytes);
  *fresh = status.code() == CHRONIK_E_NOT_FOUND;
  if (*fresh) return Status();
  if (!status.ok()) return status;
  StoreMeta meta{};
  if (bytes.size() == sizeof meta) meta = load<StoreMeta>(bytes.data());
  if (meta.magic != StoreMeta::kMagic || meta.crc != uuid_crc(meta.store))
    return Status(CHRONIK_E_DATA_LOSS, "store.meta is damaged");
  if (meta.version != kFormatVersion)
    return Status(CHRONIK_E_FAILED_PRECONDITION,
                  "the store has format version " + std::to_string(meta.version) +
                      ", this program reads version " + std::to_string(kFormatVersion));
  if (!(meta.store == store_))
    return Status(CHRONIK_E_FAILED_PRECONDITION,
                  "the directory holds another store; its identity is not the expected one");
  return Status();
}

Status Wal::write_store_meta() {
  const StoreMeta meta{StoreMeta::kMagic, kFormatVersion, crc_seed_, store_};
  return files_.write_whole("store.meta", {{&meta, sizeof meta}});
}

Status Wal::recover(bool fresh) {
  Status status = load_checkpoint();
  if (!status.ok()) return status;
  JournalEnd end;
  JournalRecovery recovery(files_, host_, store_, checkpoint_lsn_, options_.ambiguous_tail_refused,
                           [this](const FrameHeader&, std::span<const uint8_t> records,
                                  const sdk::BufferRef& owner) { return replay(records, owner); });
  status = recovery.run(&end);
  if (!status.ok()) return status;
  if (fresh && end.applied_frames != 0)
    return Status(CHRONIK_E_DATA_LOSS, "store.meta is missing beside a journal");
  if (!fresh && end.files.empty())
    return Status(CHRONIK_E_DATA_LOSS, "the journal's files are missing");
  for (const std::string& line : end.report) {
    host_.log(CHRONIK_LOG_WARN, line);
    report_.push_back(line);
  }
  groups_.set_all_durable();
  spares_ = end.spares;
  for (const FoundFile& file : end.files)
    journal_.push_back({file.seq, Files::kNone, file.size, file.last_lsn});
  status = begin_boot_file(end);
  if (!status.ok()) return status;
  // What was replayed becomes part of a checkpoint at once: should the former process have stopped
  // because of a failed sync, then some of it may be in the page cache only.
  if (end.applied_frames != 0) {
    status = checkpoint();
  } else if (checkpoint_lsn_ != 0) {
    status = recycle_journal();  // else each start would leave files behind
  }
  return status.code() == CHRONIK_E_NO_SPACE ? Status() : status;
}

// A start never appends to an old file: an unfinished frame at its end stays what it is.
Status Wal::begin_boot_file(const JournalEnd& end) {
  FileHeader header{};
  header.file_seq = end.next_file_seq;
  header.first_lsn = end.next_lsn;
  header.prev_last_lsn = end.last_lsn;
  JournalFile file;
  Status status = make_journal_file(header, &file);
  if (!status.ok()) return status;
  journal_.push_back(file);
  last_lsn_ = durable_lsn_ = header.first_lsn - 1;
  write_offset_ = kBlockSize;
  prev_crc_ = 0;
  prev_end_ = 0;
  return status;
}

Status Wal::replay(std::span<const uint8_t> records, const sdk::BufferRef& owner) {
  RecordReader reader(records);
  RecordView record;
  while (reader.next(&record))
    if (Status status = replay_record(record, owner); !status.ok()) return status;
  if (!reader.ok()) return Status(CHRONIK_E_DATA_LOSS, "holds a record that can't be read");
  return Status();
}

Status Wal::replay_record(const RecordView& record, const sdk::BufferRef& owner) {
  const RecordHeader& header = record.header;
  last_seq_ = std::max(last_seq_, header.seq);
  const Group* group = groups_.find(header.group);
  if (group != nullptr && header.seq <= group->seq) return Status();  // in the checkpoint
  // Deleted before the checkpoint came to it.
  if (group == nullptr && header.kind != CHRONIK_LOG_CREATE && header.seq <= checkpoint_max_seq_)
    return Status();
  chronik_log_operation operation;
  if (!parse_operation(record, owner.get(), &replayed_entries_, &operation))
    return Status(CHRONIK_E_DATA_LOSS, "holds a record that can't be read");
  const chronik_log_batch batch{sizeof batch, 1, sizeof operation, 0, &operation};
  Status status = validator_.check(batch, [&](uint64_t id) { return groups_.find_state(id); });
  if (!status.ok() || header.prev_seq != (group != nullptr ? group->seq : 0))
    return Status(CHRONIK_E_DATA_LOSS, "group " + std::to_string(header.group) +
                                           ": a record does not fit what precedes it " +
                                           status.message());
  groups_.apply(operation, header.seq);
  return Status();
}

void Wal::close_files() {
  for (JournalFile& file : journal_) files_.close(file.handle);
  files_.close(next_file_.handle);
  files_.close(lock_file_);
}

// ---- Journal files -----------------------------------------------------------------------------

// Makes a file ready to take frames, under its final name, durably. Uses a spare if there is one.
// May block.
Status Wal::make_journal_file(FileHeader header, JournalFile* file) {
  std::string path = kBlankPath;
  int64_t handle = Files::kNone;
  Status status;
  while (handle == Files::kNone) {
    Lock lock(mutex_);
    if (spares_.empty()) break;
    path = spares_.back();
    spares_.pop_back();
    lock.unlock();
    uint64_t size = 0;
    status = files_.open(path, CHRONIK_IO_DIRECT, &handle);
    if (status.ok()) status = files_.size(handle, &size);
    if (!status.ok()) return status;
    if (size == options_.journal_file_size) break;
    files_.close(handle);  // journal_file_size was changed
    if (status = files_.unlink(path); !status.ok()) return status;
    path = kBlankPath;
  }
  if (handle == Files::kNone) status = make_blank_file(path, &handle);
  if (!status.ok()) return status;

  header.magic = FileHeader::kMagic;
  header.version = kFormatVersion;
  header.block_size = kBlockSize;
  header.store = store_;
  header.file_size = options_.journal_file_size;
  header.crc = header_crc(header);
  const sdk::BufferRef block = host_.allocate(kBlockSize, kBlockSize);
  std::memset(block.data(), 0, kBlockSize);
  std::memcpy(block.data(), &header, sizeof header);
  const chronik_slice slice{block.data(), kBlockSize};
  status = files_.write(handle, 0, &slice, 1);
  if (status.ok()) status = files_.datasync(handle);
  if (status.ok()) status = files_.rename(path, journal_path(header.file_seq));
  if (status.ok()) status = files_.sync_directory("j");
  if (!status.ok()) {
    files_.close(handle);
    return status;
  }
  *file = {header.file_seq, handle, options_.journal_file_size, 0};
  return status;
}

// Writes zeros over the whole file: a commit then overwrites blocks that exist, and its sync has no
// metadata to write.
Status Wal::make_blank_file(const std::string& path, int64_t* handle) {
  Status status = files_.open(path, CHRONIK_IO_CREATE | CHRONIK_IO_DIRECT, handle);
  if (!status.ok()) return status;
  status = files_.truncate(*handle, 0);
  if (status.ok()) status = files_.allocate(*handle, options_.journal_file_size);
  if (status.code() == CHRONIK_E_UNIMPLEMENTED) status = Status();
  const sdk::BufferRef zeros = host_.allocate(kZeroChunk, kBlockSize);
  std::memset(zeros.data(), 0, kZeroChunk);
  for (uint64_t at = 0; status.ok() && at < options_.journal_file_size; at += kZeroChunk) {
    const chronik_slice slice{zeros.data(), std::min(kZeroChunk, options_.journal_file_size - at)};
    status = files_.write(*handle, at, &slice, 1);
  }
  if (status.ok()) status = files_.datasync(*handle);
  if (!status.ok()) {
    files_.close(*handle);
    (void)files_.unlink(path);
  }
  return status;
}

// Sees to it that the next file is ready before this one is full. Pre: locked.
void Wal::prepare_next_file() {
  if (preparing_ || next_file_.seq != 0 || !failed_.ok() || stop_finishing_) return;
  if (spares_.empty() && journal_.size() >= journal_files_max_) {
    request_checkpoint();  // comes back here when it has freed a file
    return;
  }
  preparing_ = true;
  post_blocking_task([this] { run_prepare(); });
}

void Wal::run_prepare() {
  Lock lock(mutex_);
  FileHeader header{};
  header.file_seq = journal_.back().seq + 1;
  lock.unlock();
  JournalFile file;
  const Status status = make_journal_file(header, &file);
  lock.lock();
  if (status.code() == CHRONIK_E_NO_SPACE && !stopping_)
    return wait_for_space(kFullForFile, &Wal::run_prepare);
  preparing_ = false;
  if (status.code() == CHRONIK_E_NO_SPACE && commit_ != Commit::kWaitingForFile) return;
  if (!status.ok()) return fail(lock, status);
  next_file_ = file;
  if ((disk_full_ & kFullForFile) != 0) {
    disk_full_ &= ~kFullForFile;
    post_task([this] { tell_space(); });
  }
  const bool resume = commit_ == Commit::kWaitingForFile;
  if (resume) commit_ = Commit::kWriting;
  lock.unlock();
  if (resume) write_frame();
  check_space();
}

// Gives files that the checkpoint covers back: a few are kept for use again. May block.
Status Wal::recycle_journal() {
  Lock lock(mutex_);
  std::vector<JournalFile> old;
  while (journal_.size() > 1 && journal_.front().last_lsn <= checkpoint_lsn_) {
    old.push_back(journal_.front());
    journal_.pop_front();
  }
  size_t spares = spares_.size();
  sdk::set(metrics_.files, static_cast<int64_t>(journal_.size()));
  lock.unlock();
  std::vector<std::string> made;
  Status status;
  for (JournalFile& file : old) {
    files_.close(file.handle);
    if (!status.ok()) continue;
    const std::string path = journal_path(file.seq);
    if (file.size == options_.journal_file_size && spares < kSparesMax) {
      made.push_back("j/spare-" + path.substr(2, 16));
      status = files_.rename(path, made.back());
      ++spares;
    } else {
      status = files_.unlink(path);
    }
    // One at a time, oldest first: a power cut keeps any subset of unsynced changes, and a gap
    // among the files would look like a lost one. Besides, a spare is written to only after its old
    // name is gone for good.
    if (status.ok()) status = files_.sync_directory("j");
  }
  lock.lock();
  if (!status.ok()) return status;
  spares_.insert(spares_.end(), made.begin(), made.end());
  return status;
}

// ---- Space -------------------------------------------------------------------------------------

// Something can't go on for want of space: says so and calls `retry` in a while, as a task that may
// block. Pre: locked.
void Wal::wait_for_space(uint32_t reason, void (Wal::*retry)()) {
  if ((disk_full_ & reason) == 0) {
    disk_full_ |= reason;
    post_task([this] { tell_space(); });
  }
  ++tasks_;
  host_.post_after(kSpaceRetryNs, sdk::make_task([this, retry] {
                     Lock lock(mutex_);
                     post_blocking_task([this, retry] { (this->*retry)(); });
                     lock.unlock();
                     task_done();
                   }));
}

// Compares the free space with min_free_bytes, and keeps looking while it is less. May block.
void Wal::check_space() {
  uint64_t free = 0, all = 0;
  const Status status = files_.space(&free, &all);
  Lock lock(mutex_);
  const bool low = status.ok() && free < options_.free_bytes_min;
  if (low != free_low_) {
    free_low_ = low;
    post_task([this] { tell_space(); });
  }
  if (!low || checking_space_ || stopping_ || !failed_.ok()) return;
  checking_space_ = true;
  ++tasks_;
  host_.post_after(5 * kSpaceRetryNs, sdk::make_task([this] {
                     Lock lock(mutex_);
                     checking_space_ = false;
                     post_blocking_task([this] { check_space(); });
                     lock.unlock();
                     task_done();
                   }));
}

}  // namespace chronik::segment_wal
