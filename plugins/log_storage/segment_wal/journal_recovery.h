// Reads the journal at start: finds the files, walks the frames in order, decides where it ends.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "files.h"
#include "frame_reader.h"

namespace chronik::segment_wal {

// A file j/<seq>.wal as found.
struct FoundFile {
  uint64_t seq;
  std::string path;
  FileHeader header;
  uint64_t size;
  uint64_t last_lsn;  // of the last frame in it or before it
};

struct JournalEnd {
  uint64_t last_lsn = 0;        // of the last good frame, or of the checkpoint
  uint64_t next_lsn = 1;        // greater than any number that was ever used
  uint64_t applied_frames = 0;  // beyond the checkpoint
  uint64_t next_file_seq = 1;
  std::vector<FoundFile> files;
  std::vector<std::string> spares;  // files that may be recycled, by path
  std::vector<std::string> report;  // lines for people
};

// Walks the journal in directory "j" and gives each frame beyond `checkpoint_lsn` to `apply`, in
// order: its header and the records' bytes, which live in `owner`. Every file is synced before it
// is read, as what a former process wrote may be in the page cache only.
//
// Errors: DATA_LOSS with a sentence if acknowledged data is damaged or missing, or if
// `ambiguous_refused` and the tail is ambiguous; what I/O returns; what `apply` returns.
class JournalRecovery {
 public:
  using Apply = std::function<sdk::Status(
      const FrameHeader& header, std::span<const uint8_t> records, const sdk::BufferRef& owner)>;

  JournalRecovery(Files& files, sdk::Host host, const Uuid& store, uint64_t checkpoint_lsn,
                  bool ambiguous_refused, Apply apply)
      : files_(files),
        host_(host),
        store_(store),
        seed_(uuid_crc(store)),
        checkpoint_lsn_(checkpoint_lsn),
        ambiguous_refused_(ambiguous_refused),
        apply_(std::move(apply)) {}

  sdk::Status run(JournalEnd* end);

 private:
  sdk::Status find_files();
  sdk::Status read_header(FoundFile& file);
  sdk::Status load(const FoundFile& file);
  sdk::Status enter(size_t place);
  sdk::Status walk(size_t place);
  // The next expected frame if it begins at offset_.
  std::optional<FrameHeader> expected_frame(const FoundFile& file) const;
  sdk::Status take(FoundFile& file, const FrameHeader& header);
  sdk::Status settle_end(size_t place);
  bool skip_to_later_frame(const FoundFile& file);
  FrameEvidence inspect(uint64_t lsn) const;
  sdk::Status proven_by_later_file(size_t place, uint64_t lsn, bool* proven);
  bool continues_in(size_t place, uint64_t lsn);
  sdk::Status damaged(const FoundFile& file, const std::string& what) const;

  Files& files_;
  const sdk::Host host_;
  const Uuid store_;
  const uint32_t seed_;
  const uint64_t checkpoint_lsn_;
  const bool ambiguous_refused_;
  const Apply apply_;

  JournalEnd* end_ = nullptr;
  // The file being walked: all of it, and how far the walk has come.
  sdk::BufferRef bytes_;
  uint64_t size_ = 0;
  uint64_t offset_ = 0;
  bool begun_ = false;       // last_lsn_ says which frame is expected next
  uint64_t last_lsn_ = 0;    // of the last frame walked, or void numbers behind it
  uint64_t last_frame_ = 0;  // of the last frame walked
  uint64_t void_after_ = 0;  // frames beyond it were discarded by a former start
  uint32_t last_crc_ = 0;    // tag of the last frame's first block; 0: unknown
  uint64_t last_end_ = 0;
};

std::string journal_path(uint64_t seq);

}  // namespace chronik::segment_wal
