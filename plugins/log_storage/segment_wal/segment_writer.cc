#include "segment_writer.h"

#include <algorithm>

namespace chronik::segment_wal {

using sdk::Status;

SegmentWriter::~SegmentWriter() {
  for (auto& [path, file] : open_) files_.close(file);
}

Status SegmentWriter::open(const Segment& segment, int64_t* file) {
  const std::string path = segment.path();
  for (const auto& [name, handle] : open_) {
    if (name != path) continue;
    *file = handle;
    return Status();
  }
  if (open_.size() == kOpenMax) {
    too_many_ = true;
    for (auto& [name, handle] : open_) files_.close(handle);
    open_.clear();
  }
  const bool fresh = segment.last_index < segment.base_index;
  Status status = files_.open(path, CHRONIK_IO_CREATE, file);
  // What lies behind the known end was written by a checkpoint that never ended.
  if (status.ok()) status = files_.truncate(*file, fresh ? 0 : segment.bytes);
  if (status.ok() && fresh) {
    SegmentHeader header{};
    header.magic = SegmentHeader::kMagic;
    header.version = kFormatVersion;
    header.store = store_;
    header.group = segment.group;
    header.generation = segment.generation;
    header.base_index = segment.base_index;
    constexpr size_t kUnchecked = offsetof(SegmentHeader, store);
    header.crc = sdk::crc32c(reinterpret_cast<const uint8_t*>(&header) + kUnchecked,
                             sizeof header - kUnchecked);
    const chronik_slice slice{&header, sizeof header};
    status = files_.write(*file, 0, &slice, 1);
    directories_.insert(segment_directory(segment.group));
  }
  if (!status.ok()) {
    files_.close(*file);
    return status;
  }
  open_.emplace_back(path, *file);
  return status;
}

Status SegmentWriter::write(const Segment& segment, uint64_t base_index,
                            std::span<const sdk::EntryTail::Item> items, BatchHeader* header) {
  static constexpr uint8_t kZeros[8] = {};
  headers_.clear();
  slices_.assign(2, {});
  *header = {};
  header->magic = BatchHeader::kMagic;
  header->base_index = base_index;
  header->count = static_cast<uint32_t>(items.size());
  header->first_key = items.front().key;
  header->last_key = items.back().key;
  header->max_time_ms = INT64_MIN;
  uint64_t body = items.size() * sizeof(EntryHeader);
  for (const sdk::EntryTail::Item& item : items) {
    headers_.push_back({item.type, item.size, item.term, item.key, item.time_ms});
    if (item.size != 0) slices_.push_back({item.data, item.size});
    body += item.size;
    header->max_time_ms = std::max(header->max_time_ms, item.time_ms);
  }
  if (padded(body) != body) slices_.push_back({kZeros, padded(body) - body});
  header->body_bytes = static_cast<uint32_t>(padded(body));
  slices_[1] = {headers_.data(), headers_.size() * sizeof(EntryHeader)};
  for (size_t i = 1; i < slices_.size(); ++i)
    header->body_crc = sdk::crc32c(slices_[i].data, slices_[i].size, header->body_crc);
  constexpr size_t kUnchecked = offsetof(BatchHeader, body_bytes);
  header->header_crc = sdk::crc32c(reinterpret_cast<const uint8_t*>(header) + kUnchecked,
                                   sizeof *header - kUnchecked);
  slices_[0] = {header, sizeof *header};

  int64_t file = Files::kNone;
  Status status = open(segment, &file);
  if (status.ok())
    status =
        files_.write(file, segment.bytes, slices_.data(), static_cast<uint32_t>(slices_.size()));
  if (status.ok()) bytes_written_ += sizeof *header + header->body_bytes;
  return status;
}

Status SegmentWriter::seal(const Segment& segment, const std::vector<SegmentBlock>& blocks) {
  const uint64_t size = blocks.size() * sizeof(SegmentBlock);
  const SegmentTrailer trailer{SegmentTrailer::kMagic, segment.bytes,
                               static_cast<uint32_t>(blocks.size()),
                               sdk::crc32c(blocks.data(), size)};
  const chronik_slice slices[2] = {{blocks.data(), size}, {&trailer, sizeof trailer}};
  int64_t file = Files::kNone;
  Status status = open(segment, &file);
  if (status.ok()) status = files_.write(file, segment.bytes, slices, 2);
  return status;
}

Status SegmentWriter::sync() {
  if (too_many_) return files_.sync_all();
  for (const auto& [path, file] : open_)
    if (Status status = files_.datasync(file); !status.ok()) return status;
  for (const std::string& directory : directories_)
    if (Status status = files_.sync_directory(directory); !status.ok()) return status;
  return Status();
}

}  // namespace chronik::segment_wal
