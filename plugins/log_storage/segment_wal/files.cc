#include "files.h"

#include <system_error>

namespace chronik::segment_wal {

using sdk::Status;

std::string describe_io_failure(std::string_view what, int32_t status, int32_t os_error) {
  std::string text = "cannot " + std::string(what) + ": ";
  if (os_error != 0) return text + std::generic_category().message(os_error);
  return text + "status " + std::to_string(status);
}

Status Files::run(chronik_io_operation& operation, std::string_view what) {
  chronik_io_chain chain{};
  chain.struct_size = sizeof chain;
  chain.lane = CHRONIK_IO_LANE_BACKGROUND;
  chain.operation_count = 1;
  chain.operation_stride = sizeof operation;
  chain.operations = &operation;
  const int32_t status = io_->run(io_->context, &chain);
  if (status == CHRONIK_OK) return Status();
  return Status(status, describe_io_failure(what, status, chain.os_error), chain.os_error);
}

Status Files::open(const std::string& path, uint32_t flags, int64_t* file, bool* direct) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_OPEN);
  operation.path = sdk::slice(path);
  operation.flags = flags;
  Status status = run(operation, "open " + path);
  *file = status.ok() ? operation.file : kNone;
  if (status.ok() && direct != nullptr) *direct = operation.result == 1;
  return status;
}

void Files::close(int64_t& file) {
  if (file == kNone) return;
  chronik_io_operation operation = io_operation(CHRONIK_IO_CLOSE);
  operation.file = file;
  file = kNone;
  (void)run(operation, "close");
}

Status Files::read(int64_t file, uint64_t offset, uint8_t* to, uint64_t size, uint64_t* got) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_READ);
  operation.file = file;
  operation.offset = offset;
  operation.buffer = to;
  operation.size = size;
  Status status = run(operation, "read");
  *got = status.ok() ? operation.result : 0;
  return status;
}

Status Files::write(int64_t file, uint64_t offset, const chronik_slice* slices, uint32_t count) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_WRITE);
  operation.file = file;
  operation.offset = offset;
  operation.slices = slices;
  operation.slice_count = count;
  for (uint32_t i = 0; i < count; ++i) operation.size += slices[i].size;
  return run(operation, "write");
}

Status Files::datasync(int64_t file) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_DATASYNC);
  operation.file = file;
  return run(operation, "sync");
}

Status Files::truncate(int64_t file, uint64_t size) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_TRUNCATE);
  operation.file = file;
  operation.size = size;
  return run(operation, "truncate");
}

Status Files::allocate(int64_t file, uint64_t size) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_ALLOCATE);
  operation.file = file;
  operation.size = size;
  return run(operation, "allocate");
}

Status Files::size(int64_t file, uint64_t* size) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_SIZE);
  operation.file = file;
  Status status = run(operation, "get the size");
  *size = status.ok() ? operation.result : 0;
  return status;
}

Status Files::rename(const std::string& from, const std::string& to) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_RENAME);
  operation.path = sdk::slice(from);
  operation.other_path = sdk::slice(to);
  return run(operation, "rename " + from);
}

Status Files::unlink(const std::string& path) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_UNLINK);
  operation.path = sdk::slice(path);
  return run(operation, "remove " + path);
}

Status Files::make_directory(const std::string& path) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_MAKE_DIRECTORY);
  operation.path = sdk::slice(path);
  return run(operation, "make directory " + path);
}

Status Files::list(const std::string& path, std::vector<std::string>* names) {
  names->clear();
  chronik_io_operation operation = io_operation(CHRONIK_IO_LIST);
  operation.path = sdk::slice(path);
  operation.sink = {
      names, [](void* context, chronik_slice name) noexcept -> int32_t {
        static_cast<std::vector<std::string>*>(context)->emplace_back(sdk::view(name));
        return CHRONIK_OK;
      }};
  return run(operation, "list directory " + path);
}

Status Files::sync_directory(const std::string& path) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_SYNC_DIRECTORY);
  operation.path = sdk::slice(path);
  return run(operation, "sync directory " + path);
}

Status Files::lock(int64_t file) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_LOCK);
  operation.file = file;
  return run(operation, "lock");
}

Status Files::space(uint64_t* free, uint64_t* all) {
  chronik_io_operation operation = io_operation(CHRONIK_IO_SPACE);
  Status status = run(operation, "get the free space");
  *free = operation.result;
  *all = operation.size;
  return status;
}

Status Files::sync_all() {
  chronik_io_operation operation = io_operation(CHRONIK_IO_SYNC_ALL);
  return run(operation, "sync the file system");
}

Status Files::write_whole(const std::string& path, const std::vector<chronik_slice>& slices) {
  const std::string temporary = path + ".tmp";
  int64_t file = kNone;
  Status status = open(temporary, CHRONIK_IO_CREATE, &file);
  if (status.ok()) status = truncate(file, 0);
  if (status.ok()) status = write(file, 0, slices.data(), static_cast<uint32_t>(slices.size()));
  if (status.ok()) status = datasync(file);
  close(file);
  if (status.ok()) status = rename(temporary, path);
  const size_t slash = path.rfind('/');
  if (status.ok()) status = sync_directory(slash == std::string::npos ? "" : path.substr(0, slash));
  return status;
}

Status Files::read_whole(const std::string& path, uint64_t max_size, std::vector<uint8_t>* bytes) {
  int64_t file = kNone;
  Status status = open(path, CHRONIK_IO_READ_ONLY, &file);
  uint64_t length = 0;
  if (status.ok()) status = size(file, &length);
  if (status.ok() && length > max_size)
    status = Status(CHRONIK_E_DATA_LOSS, path + " is larger than it can be");
  if (status.ok()) {
    bytes->resize(length);
    uint64_t got = 0;
    status = read(file, 0, bytes->data(), length, &got);
    bytes->resize(got);
  }
  close(file);
  return status;
}

}  // namespace chronik::segment_wal
