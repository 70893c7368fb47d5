// The commit loop of Wal: takes what has gathered, writes it as one frame, syncs once, completes,
// and goes on while somebody waits. No timer, no thread of its own.
#include <algorithm>
#include <cstddef>

#include "wal.h"

namespace chronik::segment_wal {

using sdk::Status;

// Pre: locked, idle, frames_ isn't empty. The caller unlocks and calls write_frame().
void Wal::begin_commit() {
  commit_ = Commit::kWriting;
  writing_ = std::move(frames_.front());
  frames_.pop_front();
}

// Finds the place of writing_, then seals and submits it.
// Thread: the one that made commit_ kWriting; not locked.
void Wal::write_frame() {
  const uint64_t bytes = writing_->buffer.file_bytes();
  Lock lock(mutex_);
  JournalFile* file = &journal_.back();
  if (write_offset_ + bytes > file->size) {
    if (next_file_.seq == 0) {
      commit_ = Commit::kWaitingForFile;
      prepare_next_file();
      return;
    }
    // The old file is durable: the frame before this one was acknowledged.
    file->last_lsn = last_lsn_;
    journal_.push_back(next_file_);
    next_file_ = {};
    write_offset_ = kBlockSize;
    sdk::set(metrics_.files, static_cast<int64_t>(journal_.size()));
    prepare_next_file();
    file = &journal_.back();
  }
  FrameHeader header{};
  header.magic = FrameHeader::kMagic;
  header.lsn = ++last_lsn_;
  header.file_seq = file->seq;
  header.record_count = writing_->records;
  header.prev_crc = prev_crc_;
  header.prev_end = prev_end_;
  header.durable_lsn = durable_lsn_;
  commit_chain_.operations[0] = io_operation(CHRONIK_IO_WRITE);
  commit_chain_.operations[0].file = file->handle;
  commit_chain_.operations[0].offset = write_offset_;
  commit_chain_.operations[0].size = bytes;
  commit_chain_.operations[1] = io_operation(CHRONIK_IO_DATASYNC);
  commit_chain_.operations[1].file = file->handle;
  ++tasks_;
  lock.unlock();

  header.time_ms = host_.wall_ms();
  writing_crc_ = writing_->buffer.seal(header, crc_seed_);
  commit_chain_.operations[0].slices = writing_->buffer.slices().data();
  commit_chain_.operations[0].slice_count = static_cast<uint32_t>(writing_->buffer.slices().size());
  submit_chain();
}

void Wal::submit_chain() {
  chronik_io_chain& chain = commit_chain_.chain;
  chain = {};
  chain.struct_size = sizeof chain;
  chain.lane = CHRONIK_IO_LANE_COMMIT;
  chain.operation_count = 2;
  chain.operation_stride = sizeof(chronik_io_operation);
  chain.operations = commit_chain_.operations;
  chain.done = [](chronik_io_chain* done) noexcept {
    static_assert(offsetof(CommitChain, chain) == 0);
    reinterpret_cast<CommitChain*>(done)->wal->on_commit_done();
  };
  commit_chain_.wal = this;
  files_.raw()->submit(files_.raw()->context, &chain);
}

void Wal::on_commit_done() {
  if (commit_chain_.chain.status == CHRONIK_OK) {
    on_frame_durable();
  } else {
    on_commit_failed();
  }
  task_done();
}

void Wal::on_frame_durable() {
  const uint64_t bytes = commit_chain_.operations[0].size;
  sdk::add(metrics_.datasyncs, 1);
  sdk::add(metrics_.frames, 1);
  sdk::add(metrics_.journal_bytes, static_cast<int64_t>(bytes));
  sdk::add(metrics_.batches, static_cast<int64_t>(writing_->batches));
  sdk::add(metrics_.entries, static_cast<int64_t>(writing_->entries));

  Lock lock(mutex_);
  durable_lsn_ = last_lsn_;
  prev_crc_ = writing_crc_;
  write_offset_ += bytes;
  prev_end_ = write_offset_;
  for (const DurableMark& mark : writing_->marks) groups_.on_durable(mark);
  completions_.push(writing_->completions);
  pending_bytes_ -= writing_->buffer.content() - sizeof(FrameHeader);
  if (last_sync_frame_ == writing_.get()) last_sync_frame_ = nullptr;
  writing_->buffer.reset();
  writing_->completions.clear();
  writing_->marks.clear();
  writing_->records = 0;
  writing_->batches = writing_->entries = 0;
  writing_->must_sync = false;
  idle_frame_ = std::move(writing_);
  journal_bytes_ += bytes;
  if (journal_bytes_ >= options_.checkpoint_bytes) request_checkpoint();
  const bool more = last_sync_frame_ != nullptr;
  if (more) {
    begin_commit();
  } else {
    commit_ = Commit::kIdle;
  }
  lock.unlock();

  completions_.deliver();
  if (more) write_frame();
}

void Wal::on_commit_failed() {
  const chronik_io_chain& chain = commit_chain_.chain;
  Lock lock(mutex_);
  if (chain.status == CHRONIK_E_NO_SPACE && chain.failed_operation == 0 && !stopping_) {
    // Nothing of it was acknowledged, so the same bytes may be written to the same place again.
    commit_ = Commit::kWaitingForSpace;
    wait_for_space(kFullForCommit, &Wal::retry_commit);
    return;
  }
  const char* what = chain.failed_operation == 0 ? "write the journal" : "sync the journal";
  fail(lock, Status(CHRONIK_E_FAILED, describe_io_failure(what, chain.status, chain.os_error)));
}

void Wal::retry_commit() {
  Lock lock(mutex_);
  commit_ = Commit::kWriting;
  disk_full_ &= ~kFullForCommit;
  post_task([this] { tell_space(); });
  ++tasks_;
  lock.unlock();
  submit_chain();
}

// The store is no more: everything pending is in doubt, and nothing is written any more, as nobody
// knows what the disk holds after a failed sync. Pre: locked. Post: unlocked.
void Wal::fail(Lock& lock, const Status& status) {
  commit_ = Commit::kStopped;
  if (failed_.ok()) {
    failed_ = status;
    if (writing_ != nullptr) frames_.push_front(std::move(writing_));
    for (const std::unique_ptr<Frame>& frame : frames_)
      for (const chronik_log_completion& completion : frame->completions)
        completions_.push(completion.token, CHRONIK_E_FAILED);
    frames_.clear();
    last_sync_frame_ = nullptr;
    pending_bytes_ = 0;
    post_task([this, status] {
      host_.fatal(status);
      completions_.deliver();
    });
  }
  lock.unlock();
}

}  // namespace chronik::segment_wal
