// Blocking calls on the file-io service, for start() and tasks of post_blocking.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "chronik/abi/file_io.h"
#include "chronik/sdk/base.hpp"

namespace chronik::segment_wal {

// An operation with its size filled in.
inline chronik_io_operation io_operation(uint32_t kind) {
  chronik_io_operation operation{};
  operation.struct_size = sizeof operation;
  operation.kind = kind;
  return operation;
}

// Each call performs one chain on the calling thread. Statuses name the path or what was tried.
// Thread: [any], as the service.
class Files {
 public:
  static constexpr int64_t kNone = -1;

  explicit Files(const chronik_file_io* io) : io_(io) {}
  const chronik_file_io* raw() const { return io_; }

  // `direct`, if given, tells whether the file system took CHRONIK_IO_DIRECT.
  sdk::Status open(const std::string& path, uint32_t flags, int64_t* file, bool* direct = nullptr);
  void close(int64_t& file);  // no-op for kNone; sets it
  sdk::Status read(int64_t file, uint64_t offset, uint8_t* to, uint64_t size, uint64_t* got);
  sdk::Status write(int64_t file, uint64_t offset, const chronik_slice* slices, uint32_t count);
  sdk::Status datasync(int64_t file);
  sdk::Status truncate(int64_t file, uint64_t size);
  sdk::Status allocate(int64_t file, uint64_t size);
  sdk::Status size(int64_t file, uint64_t* size);
  sdk::Status rename(const std::string& from, const std::string& to);
  sdk::Status unlink(const std::string& path);
  sdk::Status make_directory(const std::string& path);
  sdk::Status list(const std::string& path, std::vector<std::string>* names);
  sdk::Status sync_directory(const std::string& path);
  sdk::Status lock(int64_t file);
  sdk::Status space(uint64_t* free, uint64_t* all);
  sdk::Status sync_all();

  // Writes a small file so that it is there whole or not at all, and durable.
  sdk::Status write_whole(const std::string& path, const std::vector<chronik_slice>& slices);
  // Reads a file of at most `max_size` bytes.
  sdk::Status read_whole(const std::string& path, uint64_t max_size, std::vector<uint8_t>* bytes);

 private:
  sdk::Status run(chronik_io_operation& operation, std::string_view what);
  const chronik_file_io* io_;
};

// "no space", "permission denied", ... with the errno, for messages.
std::string describe_io_failure(std::string_view what, int32_t status, int32_t os_error);

}  // namespace chronik::segment_wal
