#include "journal_recovery.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <limits>

namespace chronik::segment_wal {

using sdk::Status;

std::string journal_path(uint64_t seq) {
  char name[32];
  std::snprintf(name, sizeof name, "j/%016" PRIx64 ".wal", seq);
  return name;
}

namespace {

std::optional<uint64_t> sequence_of(const std::string& name) {
  if (name.size() != 20 || name.substr(16) != ".wal") return std::nullopt;
  uint64_t seq = 0;
  if (std::sscanf(name.c_str(), "%16" SCNx64, &seq) != 1) return std::nullopt;
  return journal_path(seq) == "j/" + name ? std::optional(seq) : std::nullopt;
}

}  // namespace

Status JournalRecovery::damaged(const FoundFile& file, const std::string& what) const {
  return Status(CHRONIK_E_DATA_LOSS, file.path + " at byte " + std::to_string(offset_) +
                                         ", frame " + std::to_string(last_lsn_ + 1) + ": " + what);
}

Status JournalRecovery::run(JournalEnd* end) {
  end_ = end;
  Status status = find_files();
  for (size_t place = 0; status.ok() && place < end->files.size(); ++place) {
    status = enter(place);
    if (status.ok()) status = walk(place);
    end->files[place].last_lsn = last_frame_;
  }
  end->last_lsn = std::max(last_frame_, checkpoint_lsn_);
  // One number is left out: that of a frame that may have been begun.
  if (!end->files.empty()) end->next_lsn = std::max(last_lsn_, checkpoint_lsn_) + 2;
  bytes_ = {};
  return status;
}

Status JournalRecovery::find_files() {
  std::vector<std::string> names;
  if (Status status = files_.list("j", &names); !status.ok()) return status;
  for (const std::string& name : names) {
    if (const auto seq = sequence_of(name); seq.has_value()) {
      end_->files.push_back({*seq, "j/" + name, {}, 0, 0});
    } else if (name.rfind("spare-", 0) == 0 && name.find('.') == std::string::npos) {
      end_->spares.push_back("j/" + name);
    } else if (Status status = files_.unlink("j/" + name); !status.ok()) {
      return status;  // something half made
    }
  }
  std::sort(end_->files.begin(), end_->files.end(),
            [](const FoundFile& a, const FoundFile& b) { return a.seq < b.seq; });
  for (size_t i = 0; i < end_->files.size(); ++i) {
    FoundFile& file = end_->files[i];
    if (i != 0 && file.seq != end_->files[i - 1].seq + 1)
      return Status(CHRONIK_E_DATA_LOSS,
                    "journal file " + journal_path(file.seq - 1) + " is missing");
    if (Status status = read_header(file); !status.ok()) return status;
    end_->next_file_seq = file.seq + 1;
  }
  return Status();
}

Status JournalRecovery::read_header(FoundFile& file) {
  int64_t handle = Files::kNone;
  Status status = files_.open(file.path, CHRONIK_IO_DIRECT, &handle);
  if (status.ok()) status = files_.datasync(handle);
  if (status.ok()) status = files_.size(handle, &file.size);
  const sdk::BufferRef block = host_.allocate(kBlockSize, kBlockSize);
  uint64_t got = 0;
  if (status.ok()) status = files_.read(handle, 0, block.data(), kBlockSize, &got);
  files_.close(handle);
  if (!status.ok()) return status;
  if (got == kBlockSize) file.header = segment_wal::load<FileHeader>(block.data());
  if (got < kBlockSize || file.header.magic != FileHeader::kMagic ||
      file.header.crc != header_crc(file.header) || file.header.file_seq != file.seq)
    return Status(CHRONIK_E_DATA_LOSS, "journal file " + file.path + " has a damaged header");
  if (file.header.version != kFormatVersion || file.header.block_size != kBlockSize)
    return Status(CHRONIK_E_FAILED_PRECONDITION,
                  "journal file " + file.path + " has format version " +
                      std::to_string(file.header.version) + ", this program reads version " +
                      std::to_string(kFormatVersion));
  if (!(file.header.store == store_))
    return Status(CHRONIK_E_FAILED_PRECONDITION,
                  "journal file " + file.path + " belongs to another store");
  // Full size is durable before the header is written: no torn write makes a file shorter.
  if (file.size < file.header.file_size)
    return Status(CHRONIK_E_DATA_LOSS, "journal file " + file.path + " has " +
                                           std::to_string(file.size) + " bytes, and had " +
                                           std::to_string(file.header.file_size));
  return Status();
}

Status JournalRecovery::load(const FoundFile& file) {
  bytes_ = {};
  bytes_ = host_.allocate(std::max(file.size, kBlockSize), kBlockSize);
  int64_t handle = Files::kNone;
  Status status = files_.open(file.path, CHRONIK_IO_READ_ONLY | CHRONIK_IO_DIRECT, &handle);
  if (status.ok()) status = files_.read(handle, 0, bytes_.data(), file.size, &size_);
  files_.close(handle);
  size_ -= size_ % kBlockSize;
  return status;
}

// Begins a file: learns from its header which frame is expected in it.
Status JournalRecovery::enter(size_t place) {
  const FoundFile& file = end_->files[place];
  offset_ = kBlockSize;
  if (file.header.first_lsn != 0) {
    if (begun_ && last_lsn_ < file.header.prev_last_lsn &&
        checkpoint_lsn_ < file.header.prev_last_lsn)
      return damaged(file, "frames up to " + std::to_string(file.header.prev_last_lsn) +
                               " had been there, but are missing before this file");
    if (!begun_ && file.header.first_lsn != 1 && checkpoint_lsn_ < file.header.prev_last_lsn)
      return damaged(file, "the journal before this file is missing");
    begun_ = true;
    last_lsn_ = file.header.first_lsn - 1;
    last_crc_ = 0;
    last_end_ = 0;
  } else if (!begun_ && place == 0 && checkpoint_lsn_ == 0) {
    return damaged(file, "the journal before this file is missing");
  }
  void_after_ = std::numeric_limits<uint64_t>::max();
  for (size_t later = place + 1; later < end_->files.size(); ++later) {
    if (end_->files[later].header.first_lsn == 0) continue;
    void_after_ = end_->files[later].header.prev_last_lsn;
    break;
  }
  return load(file);
}

std::optional<FrameHeader> JournalRecovery::expected_frame(const FoundFile& file) const {
  if (offset_ + kBlockSize > size_) return std::nullopt;
  const auto header = parse_frame_header(bytes_.data() + offset_, seed_);
  if (!header || header->blocks * kBlockSize > size_ - offset_) return std::nullopt;
  if (header->file_seq != file.seq) return std::nullopt;  // from the file's former life
  if (begun_ ? header->lsn != last_lsn_ + 1 : header->lsn > checkpoint_lsn_ + 1)
    return std::nullopt;
  return header;
}

Status JournalRecovery::walk(size_t place) {
  FoundFile& file = end_->files[place];
  for (;;) {
    if (begun_ && last_lsn_ >= void_after_) return Status();
    const auto header = expected_frame(file);
    if (header && header->lsn <= checkpoint_lsn_) {  // needn't be whole any more
      begun_ = true;
      last_lsn_ = last_frame_ = header->lsn;
      last_crc_ = tag_of(bytes_.data() + offset_).crc;
      offset_ += header->blocks * kBlockSize;
      last_end_ = offset_;
      continue;
    }
    if (header && judge(inspect(header->lsn)) == Verdict::kIntact) {
      if (Status status = take(file, *header); !status.ok()) return status;
      continue;
    }
    if ((!begun_ || last_lsn_ < checkpoint_lsn_) && skip_to_later_frame(file)) continue;
    return settle_end(place);
  }
}

// Where frames that the checkpoint covers are damaged: goes on at the next one that can be read.
bool JournalRecovery::skip_to_later_frame(const FoundFile& file) {
  for (uint64_t at = offset_; at + kBlockSize <= size_; at += kBlockSize) {
    const auto header = parse_frame_header(bytes_.data() + at, seed_);
    if (!header || header->file_seq != file.seq) continue;
    if (header->lsn <= last_lsn_ || header->lsn > checkpoint_lsn_ + 1) continue;
    offset_ = at;
    last_lsn_ = header->lsn - 1;
    last_crc_ = 0;
    begun_ = true;
    return true;
  }
  return false;
}

Status JournalRecovery::take(FoundFile& file, const FrameHeader& header) {
  if (last_crc_ != 0 && (header.prev_crc != last_crc_ || header.prev_end != last_end_))
    return damaged(file, "does not follow the frame before it");
  const sdk::BufferRef content = host_.allocate(header.blocks * kBlockContent);
  for (uint32_t i = 0; i < header.blocks; ++i)
    std::memcpy(content.data() + i * kBlockContent, bytes_.data() + offset_ + i * kBlockSize,
                kBlockContent);
  Status status = apply_(header, {content.data() + sizeof header, header.record_bytes}, content);
  if (!status.ok()) return damaged(file, status.message());
  begun_ = true;
  last_lsn_ = last_frame_ = header.lsn;
  last_crc_ = tag_of(bytes_.data() + offset_).crc;
  offset_ += header.blocks * kBlockSize;
  last_end_ = offset_;
  ++end_->applied_frames;
  return Status();
}

// The next frame isn't at offset_: says why, or that it can't be.
Status JournalRecovery::settle_end(size_t place) {
  const FoundFile& file = end_->files[place];
  const uint64_t lsn = std::max(last_lsn_, checkpoint_lsn_) + 1;
  if (continues_in(place + 1, lsn)) return Status();
  FrameEvidence evidence = inspect(lsn);
  // The checkpoint ends in a later file, and this one holds nothing behind it: what is covered may
  // end anywhere. (A file begun by a start is judged by its header instead.)
  const bool more = place + 1 < end_->files.size() && end_->files[place + 1].header.first_lsn == 0;
  if (more && begun_ && last_lsn_ < checkpoint_lsn_ && !evidence.later) return Status();
  if (!evidence.later) {
    if (Status status = proven_by_later_file(place, lsn, &evidence.later); !status.ok())
      return status;
  }
  const Verdict verdict = judge(evidence);
  const std::string where =
      file.path + " at byte " + std::to_string(offset_) + ", frame " + std::to_string(lsn) + ": ";
  switch (verdict) {
    case Verdict::kCleanEnd: return Status();
    case Verdict::kTorn:
      end_->report.push_back(where + "an unfinished write was discarded");
      return Status();
    case Verdict::kAmbiguous:
      if (ambiguous_refused_)
        return Status(CHRONIK_E_DATA_LOSS,
                      where +
                          "the last frame is torn or damaged, which can't be told apart; "
                          "ambiguous_tail = discard would drop it");
      end_->report.push_back(where + "the last frame is torn or damaged; it was discarded");
      return Status();
    case Verdict::kIntact: return Status(CHRONIK_E_DATA_LOSS, where + "out of place");
    case Verdict::kDamaged: break;
  }
  return Status(CHRONIK_E_DATA_LOSS,
                where + "damaged, although later writes prove that it had been durable");
}

FrameEvidence JournalRecovery::inspect(uint64_t lsn) const {
  FrameEvidence evidence;
  if (offset_ + kBlockSize > size_) return evidence;
  // Without its first block nobody knows how long the frame is: then all that follows counts.
  uint64_t blocks = (size_ - offset_) / kBlockSize;
  const auto header = parse_frame_header(bytes_.data() + offset_, seed_);
  const bool begins_here = header && header->lsn == lsn;
  if (begins_here && header->blocks > blocks) evidence.contradictory = true;
  const uint64_t frame_blocks = begins_here ? std::min<uint64_t>(header->blocks, blocks) : blocks;
  for (uint64_t i = 0; i < blocks; ++i) {
    const uint8_t* block = bytes_.data() + offset_ + i * kBlockSize;
    const BlockState state = classify_block(block, seed_, lsn, static_cast<uint32_t>(i));
    if (state == BlockState::kLater) evidence.later = true;
    if (i >= frame_blocks) {
      if (begins_here && frame_blocks == i && evidence.valid_blocks && !evidence.old_blocks &&
          !evidence.bad_blocks)
        break;  // intact: no need to look further
      continue;
    }
    evidence.valid_blocks |= state == BlockState::kValid;
    evidence.old_blocks |= state == BlockState::kOld;
    evidence.bad_blocks |= state == BlockState::kBad;
  }
  return evidence;
}

bool JournalRecovery::continues_in(size_t place, uint64_t lsn) {
  if (place >= end_->files.size() || end_->files[place].header.first_lsn != 0) return false;
  const FoundFile& file = end_->files[place];
  const sdk::BufferRef block = host_.allocate(kBlockSize, kBlockSize);
  int64_t handle = Files::kNone;
  uint64_t got = 0;
  Status status = files_.open(file.path, CHRONIK_IO_READ_ONLY | CHRONIK_IO_DIRECT, &handle);
  if (status.ok()) status = files_.read(handle, kBlockSize, block.data(), kBlockSize, &got);
  files_.close(handle);
  if (!status.ok() || got < kBlockSize) return false;
  const auto header = parse_frame_header(block.data(), seed_);
  return header && header->lsn == lsn && header->file_seq == file.seq;
}

// Looks in the files behind `place` for anything that was written after frame `lsn` was durable.
Status JournalRecovery::proven_by_later_file(size_t place, uint64_t lsn, bool* proven) {
  for (size_t later = place + 1; later < end_->files.size(); ++later) {
    const FoundFile& file = end_->files[later];
    if (file.header.first_lsn != 0) {
      *proven = file.header.prev_last_lsn >= lsn;
      return Status();
    }
    const sdk::BufferRef kept = bytes_;
    const uint64_t kept_size = size_;
    Status status = load(file);
    for (uint64_t at = kBlockSize; status.ok() && at + kBlockSize <= size_; at += kBlockSize)
      *proven |= classify_block(bytes_.data() + at, seed_, lsn, 0) == BlockState::kLater;
    bytes_ = kept;
    size_ = kept_size;
    if (!status.ok() || *proven) return status;
  }
  return Status();
}

}  // namespace chronik::segment_wal
