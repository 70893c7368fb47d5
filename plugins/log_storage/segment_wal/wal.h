// The log storage `segment_wal`: all groups of a node share one journal, and one sync covers what
// all of them wrote meanwhile. Checkpoints move committed entries to segments, one series per
// group, and the journal's files are used again.
//
// The class is written in topic files, around the state below:
//   wal.cc             life cycle, submit, lookups
//   wal_commit.cc      the commit loop: frame after frame to the journal
//   wal_journal.cc     journal files: made, prepared ahead, recycled; start and recovery
//   wal_checkpoint.cc  committed entries to segments, the checkpoint, what is left behind
//   wal_read.cc        reads, from memory and from segments
//
// Threads: calls come on any thread and take `mutex_` for short, never across I/O. The commit loop
// runs on the thread that finds it idle, then on file-io's commit lane, one frame at a time.
// Checkpoints and new journal files are made in tasks of post_blocking, at most one of each.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "chronik/sdk/log_group.hpp"
#include "chronik/sdk/log_storage.hpp"
#include "completion_queue.h"
#include "files.h"
#include "frame_buffer.h"
#include "group_table.h"
#include "options.h"

namespace chronik::segment_wal {

struct JournalEnd;
struct RecordView;
struct CheckpointHeader;
struct GroupCapture;
class SegmentWriter;

class Wal {
 public:
  Wal(sdk::Host host, const chronik_log_storage_environment& environment,
      const sdk::Config& config);

  static sdk::Status validate(const sdk::Config& config);
  sdk::Status start();
  void stop(chronik_done done);

  sdk::Status submit(const chronik_log_batch& batch, uint64_t token);
  int32_t group(uint64_t group, chronik_log_visitor visitor, void* context);
  int32_t scan_groups(chronik_log_visitor visitor, void* context);
  int32_t read(const chronik_log_read& request);
  void recovery_report(const chronik_sink& sink);
  // What fits in one journal file, less the room for a batch's other records.
  uint64_t group_batch_bytes_max() const { return frame_content_max_ - frame_content_max_ / 8; }

 private:
  using Lock = std::unique_lock<std::mutex>;

  // A group commit in the making.
  struct Frame {
    explicit Frame(sdk::Host host) : buffer(host) {}
    FrameBuffer buffer;
    std::vector<chronik_log_completion> completions;
    std::vector<DurableMark> marks;
    uint32_t records = 0;
    uint64_t batches = 0;
    uint64_t entries = 0;
    bool must_sync = false;  // somebody waits for it; a frame without is written with the next
  };

  struct JournalFile {
    uint64_t seq = 0;
    int64_t handle = Files::kNone;
    uint64_t size = 0;
    uint64_t last_lsn = 0;  // of the last frame in it; known when it is full
  };

  // What the commit loop is at:
  //   idle     nothing to sync
  //   writing  a chain is with file-io, or about to be
  //   file     the frame in writing_ needs a new journal file, which is being made
  //   space    the file system was full; a delayed task tries again
  //   stopped  for good: the store failed
  enum class Commit : uint8_t { kIdle, kWriting, kWaitingForFile, kWaitingForSpace, kStopped };

  // The chain of a commit: write, datasync. `chain` first, so that done finds the rest.
  struct CommitChain {
    chronik_io_chain chain;
    chronik_io_operation operations[2];
    Wal* wal;
  };

  struct ColdRead;

  // -- wal.cc
  sdk::Status failure() const;
  sdk::Status split(const chronik_log_batch& batch);
  void take_operation(Frame& frame, const chronik_log_operation& operation);
  Frame& frame_with_room(uint64_t bytes);
  template <typename Body>
  void post_task(Body body);
  template <typename Body>
  void post_blocking_task(Body body);
  void task_done();
  void advance_stop(Lock& lock);
  void finish_stop();
  void tell_space();

  // -- wal_commit.cc
  void begin_commit();
  void write_frame();
  void submit_chain();
  void retry_commit();
  void on_commit_done();
  void on_frame_durable();
  void on_commit_failed();
  void fail(Lock& lock, const sdk::Status& status);

  // -- wal_journal.cc
  sdk::Status open_store();
  sdk::Status check_store_meta(bool* fresh);
  sdk::Status write_store_meta();
  sdk::Status recover(bool fresh);
  sdk::Status begin_boot_file(const JournalEnd& end);
  sdk::Status replay(std::span<const uint8_t> records, const sdk::BufferRef& owner);
  sdk::Status replay_record(const RecordView& record, const sdk::BufferRef& owner);
  sdk::Status make_journal_file(FileHeader header, JournalFile* file);
  sdk::Status make_blank_file(const std::string& path, int64_t* handle);
  void prepare_next_file();
  void run_prepare();
  sdk::Status recycle_journal();
  void wait_for_space(uint32_t reason, void (Wal::*retry)());
  void check_space();
  void close_files();

  // -- wal_checkpoint.cc
  void request_checkpoint();
  void run_checkpoint();
  sdk::Status checkpoint();
  sdk::Status checkpoint_group(uint64_t id, SegmentWriter& writer, std::vector<uint8_t>* body,
                               uint64_t* count);
  sdk::Status flush_batch(GroupCapture& capture, size_t final_count, SegmentWriter& writer,
                          size_t* written);
  sdk::Status seal(const std::shared_ptr<Segment>& segment, SegmentWriter& writer);
  sdk::Status write_checkpoint(CheckpointHeader header, const std::vector<uint8_t>& body);
  void evict_tail_cache();
  sdk::Status load_checkpoint();
  sdk::Status remove_orphans();

  // -- wal_read.cc
  // Where a read goes on.
  struct Place {
    enum Kind : uint8_t { kTail, kEmpty, kOutOfRange, kBlock, kIndexMissing } kind;
    uint64_t index = 0;                // kTail
    std::shared_ptr<Segment> segment;  // kBlock, kIndexMissing
    size_t block = 0;                  // kBlock
  };
  Place locate(const Group& group, const ColdRead& read) const;
  Place locate_index(const Group& group, uint64_t index) const;
  Place locate_key(const Group& group, uint64_t key) const;
  Place locate_time(const Group& group, int64_t time_ms, uint64_t min_index) const;
  static Place in_segment(const std::shared_ptr<Segment>& segment, size_t block);
  void advance_read(std::unique_ptr<ColdRead> read);
  void read_block(std::unique_ptr<ColdRead> read, const Place& place);
  void on_block_read(ColdRead* raw);
  void take_block(std::unique_ptr<ColdRead> read);
  void finish_read(std::unique_ptr<ColdRead> read, int32_t status);
  sdk::Status load_index(const std::shared_ptr<Segment>& segment);
  sdk::Status read_footer(const Segment& segment, int64_t file, std::vector<SegmentBlock>* blocks);
  sdk::Status scan_segment(const Segment& segment, int64_t file, uint64_t end,
                           std::vector<SegmentBlock>* blocks);

  const sdk::Host host_;
  const chronik_log_storage_environment environment_;
  const Options options_;
  Files files_;
  Uuid store_;
  uint32_t crc_seed_;
  uint64_t frame_content_max_;  // what fits in one journal file
  size_t journal_files_max_;
  CompletionQueue completions_;
  std::vector<std::string> report_;  // of the last start
  int64_t lock_file_ = Files::kNone;

  struct Metrics {
    int64_t* datasyncs;
    int64_t* journal_bytes;
    int64_t* frames;
    int64_t* batches;
    int64_t* entries;
    int64_t* files;
    int64_t* memory_bytes;
    int64_t* checkpoints;
    int64_t* segment_bytes;
  } metrics_;

  // One lock for all groups: a batch spans many, and the critical sections are short.
  std::mutex mutex_;
  std::mutex space_mutex_;  // keeps on_space calls in order; taken before mutex_
  // ---- guarded by mutex_
  GroupTable groups_;
  sdk::BatchValidator validator_;
  std::vector<chronik_entry> replayed_entries_;  // scratch of recovery
  uint64_t last_seq_ = 0;                        // number of the last operation accepted
  std::deque<std::unique_ptr<Frame>> frames_;    // accepted, not begun; the last one is filling
  std::unique_ptr<Frame> writing_;               // the commit loop's
  std::unique_ptr<Frame> idle_frame_;            // kept for its memory
  Frame* last_sync_frame_ = nullptr;             // the last of writing_ and frames_ that must_sync
  uint64_t pending_bytes_ = 0;                   // of writing_ and frames_
  Commit commit_ = Commit::kIdle;
  sdk::Status failed_;
  bool started_ = false;
  bool stopping_ = false;
  bool stop_finishing_ = false;
  chronik_done stopped_{};
  uint64_t tasks_ = 0;  // posted tasks and chains that will still call back
  // What waits for space, and whether less than min_free_bytes is left.
  enum : uint32_t { kFullForCommit = 1, kFullForFile = 2, kFullForCheckpoint = 4 };
  uint32_t disk_full_ = 0;
  bool free_low_ = false;
  bool checking_space_ = false;
  bool space_told_ = false;  // what the host knows; guarded by space_mutex_

  std::deque<JournalFile> journal_;  // live files, oldest first; the last one takes frames
  JournalFile next_file_;            // prepared ahead; seq 0: none
  std::vector<std::string> spares_;  // blank or recyclable files
  bool preparing_ = false;
  uint64_t journal_bytes_ = 0;  // written since the last checkpoint began
  bool checkpointing_ = false;
  uint64_t checkpoint_lsn_ = 0;
  uint64_t checkpoint_max_seq_ = 0;  // last_seq_ when the loaded checkpoint was complete
  uint64_t durable_lsn_ = 0;
  bool segment_write_failed_ = false;
  int segment_failures_ = 0;  // in a row
  // Entries that are in segments and still in memory, oldest flush first.
  struct CachedRun {
    uint64_t group;
    uint64_t generation;
    uint64_t last_index;
    uint64_t bytes;
  };
  std::deque<CachedRun> cached_;
  uint64_t cached_bytes_ = 0;

  // ---- the commit loop's own
  CommitChain commit_chain_{};
  uint64_t write_offset_ = 0;  // in the last journal file
  uint64_t last_lsn_ = 0;      // of the last frame written or being written
  uint32_t prev_crc_ = 0;
  uint64_t prev_end_ = 0;
  uint32_t writing_crc_ = 0;
};

template <typename Body>
void Wal::post_task(Body body) {
  ++tasks_;
  host_.post(sdk::make_task([this, body = std::move(body)]() mutable {
    body();
    task_done();
  }));
}

template <typename Body>
void Wal::post_blocking_task(Body body) {
  ++tasks_;
  host_.post_blocking(sdk::make_task([this, body = std::move(body)]() mutable {
    body();
    task_done();
  }));
}

}  // namespace chronik::segment_wal
