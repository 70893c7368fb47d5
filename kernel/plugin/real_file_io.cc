#include "plugin/real_file_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "chronik/sdk/base.hpp"
#include "plugin/task_pool.h"

namespace chronik {
namespace {

static_assert(sizeof(chronik_slice) == sizeof(iovec) &&
                  offsetof(chronik_slice, data) == offsetof(iovec, iov_base) &&
                  offsetof(chronik_slice, size) == offsetof(iovec, iov_len),
              "slices are handed to pwritev() as they are");

constexpr uint64_t kDirectAlignment = 4096;
constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

// An operation's end: the ABI's code, and the errno behind it if there is one.
struct Outcome {
  int32_t status = CHRONIK_OK;
  int32_t os_error = 0;
  bool ok() const { return status == CHRONIK_OK; }
};

Outcome invalid() {
  return {CHRONIK_E_INVALID_ARGUMENT, 0};
}

Outcome from_errno(int error) {
  switch (error) {
    case ENOENT: return {CHRONIK_E_NOT_FOUND, error};
    case EEXIST: return {CHRONIK_E_ALREADY_EXISTS, error};
    case EACCES:
    case EPERM:
    case EROFS: return {CHRONIK_E_PERMISSION_DENIED, error};
    case ENOSPC:
    case EDQUOT: return {CHRONIK_E_NO_SPACE, error};
    case EMFILE:
    case ENFILE:
    case ENOMEM: return {CHRONIK_E_RESOURCE_EXHAUSTED, error};
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP: return {CHRONIK_E_INVALID_ARGUMENT, error};
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY: return {CHRONIK_E_FAILED_PRECONDITION, error};
    case EUCLEAN:
    case EBADMSG: return {CHRONIK_E_DATA_LOSS, error};
    default: return {CHRONIK_E_UNKNOWN, error};  // what is on the disk is in doubt
  }
}

// Calls until it isn't interrupted.
template <typename Call>
auto retrying(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// A file descriptor that is closed at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  int take() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Files that the instance has open. A handle is the slot and how often the slot was used before, so
// that a stale one is noticed.
class FileTable {
 public:
  struct File {
    int fd = -1;
    bool is_direct = false;
  };

  ~FileTable() {
    for (const Slot& slot : slots_) {
      if (slot.file.fd >= 0) ::close(slot.file.fd);
    }
  }

  int64_t add(File file) {
    std::lock_guard lock(mutex_);
    size_t at = 0;
    while (at < slots_.size() && slots_[at].file.fd >= 0) ++at;
    if (at == slots_.size()) slots_.emplace_back();
    slots_[at].file = file;
    return static_cast<int64_t>(uint64_t{slots_[at].uses} << 32 | at);
  }

  // fd -1 if there is no such file.
  File find(int64_t handle) {
    std::lock_guard lock(mutex_);
    const Slot* slot = slot_of(handle);
    return slot != nullptr ? slot->file : File();
  }

  File remove(int64_t handle) {
    std::lock_guard lock(mutex_);
    Slot* slot = slot_of(handle);
    if (slot == nullptr) return {};
    slot->uses = (slot->uses + 1) & 0x7fffffff;
    return std::exchange(slot->file, File());
  }

 private:
  struct Slot {
    File file;
    uint32_t uses = 1;
  };
  Slot* slot_of(int64_t handle) {
    const auto at = static_cast<uint64_t>(handle) & 0xffffffff;
    const auto uses = static_cast<uint64_t>(handle) >> 32;
    if (handle < 0 || at >= slots_.size() || slots_[at].uses != uses) return nullptr;
    return slots_[at].file.fd >= 0 ? &slots_[at] : nullptr;
  }

  std::mutex mutex_;         // not a message: held for a few loads next to a system call
  std::vector<Slot> slots_;  // guarded by mutex_
};

// The last part of a path and the directory it is in.
struct Place {
  Descriptor parent;  // -1 with an error
  std::string name;
  Outcome outcome;
};

// Continues a transfer of direct I/O at a multiple of the alignment.
uint64_t progress(const FileTable::File& file, uint64_t done) {
  return file.is_direct ? done / kDirectAlignment * kDirectAlignment : done;
}

Outcome read_all(const FileTable::File& file, chronik_io_operation& operation) {
  uint64_t done = 0;
  while (done < operation.size) {
    const ssize_t n = retrying([&] {
      return ::pread(file.fd, operation.buffer + done, operation.size - done,
                     static_cast<off_t>(operation.offset + done));
    });
    if (n < 0) {
      return errno == EIO ? Outcome{CHRONIK_E_DATA_LOSS, EIO} : from_errno(errno);
    }
    const uint64_t reached = done + static_cast<uint64_t>(n);
    const uint64_t next = reached == operation.size ? reached : progress(file, reached);
    if (next <= done) {  // the end of the file
      done = reached;
      break;
    }
    done = next;
  }
  operation.result = done;
  return {};
}

Outcome write_all(const FileTable::File& file, chronik_io_operation& operation) {
  const chronik_slice* slices = operation.slices;
  uint32_t at = 0;    // the slice to go on with
  uint64_t skip = 0;  // what is written of it
  uint64_t done = 0;
  while (at < operation.slice_count) {
    const uint64_t offset = operation.offset + done;
    ssize_t n = 0;
    if (skip != 0) {
      const auto* from = static_cast<const char*>(slices[at].data) + skip;
      n = retrying([&] {
        return ::pwrite(file.fd, from, slices[at].size - skip, static_cast<off_t>(offset));
      });
    } else {
      const auto count = static_cast<int>(std::min<uint32_t>(operation.slice_count - at, IOV_MAX));
      n = retrying([&] {
        return ::pwritev(file.fd, reinterpret_cast<const iovec*>(slices + at), count,
                         static_cast<off_t>(offset));
      });
    }
    if (n < 0) return from_errno(errno);
    const uint64_t moved = progress(file, static_cast<uint64_t>(n));
    done += moved;
    uint64_t left = moved + skip;
    while (at < operation.slice_count && left >= slices[at].size) left -= slices[at++].size;
    skip = left;
    if (moved == 0 && at < operation.slice_count) return {CHRONIK_E_UNKNOWN, EIO};
  }
  operation.result = done;
  return {};
}

Outcome allocate(int fd, const chronik_io_operation& operation) {
  const auto offset = static_cast<off_t>(operation.offset);
  const auto size = static_cast<off_t>(operation.size);
  if (retrying([&] { return ::fallocate(fd, 0, offset, size); }) == 0) return {};
  if (errno != EOPNOTSUPP && errno != ENOSYS) return from_errno(errno);
  const int error = ::posix_fallocate(fd, offset, size);
  return error == 0 ? Outcome() : from_errno(error);
}

Outcome list(int fd, const chronik_sink& sink) {
  DIR* directory = ::fdopendir(fd);
  if (directory == nullptr) {
    const int error = errno;
    ::close(fd);
    return from_errno(error);
  }
  Outcome outcome;
  errno = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      outcome.status = sink.write(sink.context, sdk::slice(name));
      if (!outcome.ok()) break;
    }
    errno = 0;
  }
  if (outcome.ok() && errno != 0) outcome = from_errno(errno);
  ::closedir(directory);
  return outcome;
}

}  // namespace

struct RealFileIo::Impl {
  // A lane's queue and threads. A chain's `next` links the queue.
  struct Lane {
    std::mutex mutex;  // not a message: this is the lane's mailbox
    std::condition_variable changed;
    // All guarded by mutex.
    chronik_io_chain* head = nullptr;
    chronik_io_chain* tail = nullptr;
    uint64_t queued = 0;
    uint64_t idle = 0;
    bool stopping = false;
    std::vector<std::thread> threads;
    uint32_t max_threads = 1;
    const char* name = "";
  };
  // The lane whose `done` this thread is in, and whether it has a chain to go on with already.
  struct Current {
    Lane* lane = nullptr;
    bool has_next = false;
  };
  static thread_local Current current;

  const std::string directory;
  PendingWork* const pending;
  Descriptor root;  // -1: the directory couldn't be opened, see root_error
  int root_error = 0;
  FileTable files;
  std::array<Lane, CHRONIK_IO_LANE_COUNT> lanes;
  chronik_file_io abi{};

  Impl(std::string directory_, uint32_t read_threads, PendingWork* pending_)
      : directory(std::move(directory_)), pending(pending_) {
    root = Descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    root_error = root.ok() ? 0 : errno;
    lanes[CHRONIK_IO_LANE_COMMIT].name = "ck-commit";
    lanes[CHRONIK_IO_LANE_READ].name = "ck-read";
    lanes[CHRONIK_IO_LANE_READ].max_threads = std::max<uint32_t>(read_threads, 1);
    lanes[CHRONIK_IO_LANE_BACKGROUND].name = "ck-backgr";
    abi = {sizeof(chronik_file_io), 0, this, submit, run};
  }

  ~Impl() {
    for (Lane& lane : lanes) {
      std::vector<std::thread> threads;
      {
        std::lock_guard lock(lane.mutex);
        lane.stopping = true;
        threads.swap(lane.threads);
        lane.changed.notify_all();
      }
      for (std::thread& thread : threads) thread.join();
    }
  }

  static void submit(void* context, chronik_io_chain* chain) noexcept {
    auto* self = static_cast<Impl*>(context);
    CHRONIK_CHECK(chain->lane < CHRONIK_IO_LANE_COUNT, "a chain names one of the lanes");
    if (self->pending != nullptr) self->pending->begin();
    self->enqueue(self->lanes[chain->lane], chain);
  }

  static int32_t run(void* context, chronik_io_chain* chain) noexcept {
    auto* self = static_cast<Impl*>(context);
    self->perform(*chain);
    return chain->status;
  }

  void enqueue(Lane& lane, chronik_io_chain* chain) {
    chain->next = nullptr;
    std::lock_guard lock(lane.mutex);
    (lane.tail != nullptr ? lane.tail->next : lane.head) = chain;
    lane.tail = chain;
    ++lane.queued;
    // This thread takes the first one itself when `done` returns.
    if (current.lane == &lane && !std::exchange(current.has_next, true)) return;
    if (lane.queued > lane.idle && lane.threads.size() < lane.max_threads) {
      lane.threads.emplace_back([this, &lane] {
        name_this_thread(lane.name);
        work(lane);
      });
    } else {
      lane.changed.notify_one();
    }
  }

  void work(Lane& lane) {
    std::unique_lock lock(lane.mutex);
    for (;;) {
      if (lane.head == nullptr) {
        ++lane.idle;
        lane.changed.wait(lock, [&] { return lane.head != nullptr || lane.stopping; });
        --lane.idle;
        if (lane.head == nullptr) return;
      }
      chronik_io_chain* chain = lane.head;
      lane.head = chain->next;
      if (lane.head == nullptr) lane.tail = nullptr;
      --lane.queued;
      lock.unlock();
      perform(*chain);
      current = {&lane, false};
      chain->done(chain);  // may free the chain
      current = {};
      if (pending != nullptr) pending->end();
      lock.lock();
    }
  }

  // Performs the operations in order and fills the chain's outcome.
  void perform(chronik_io_chain& chain) {
    int64_t opened = -1;
    chain.status = CHRONIK_OK;
    chain.failed_operation = 0;
    chain.os_error = 0;
    auto* bytes = reinterpret_cast<char*>(chain.operations);
    for (uint32_t i = 0; i < chain.operation_count; ++i) {
      auto& operation =
          *reinterpret_cast<chronik_io_operation*>(bytes + size_t{i} * chain.operation_stride);
      const Outcome outcome = perform(operation, opened);
      if (outcome.ok()) continue;
      chain.status = outcome.status;
      chain.failed_operation = i;
      chain.os_error = outcome.os_error;
      return;
    }
  }

  Outcome perform(chronik_io_operation& operation, int64_t& opened) {
    if (!root.ok()) return from_errno(root_error);
    switch (operation.kind) {
      case CHRONIK_IO_OPEN: return open_file(operation, opened);
      case CHRONIK_IO_RENAME: return rename(operation);
      case CHRONIK_IO_UNLINK: return unlink(operation);
      case CHRONIK_IO_MAKE_DIRECTORY: return make_directory(operation);
      case CHRONIK_IO_LIST:
      case CHRONIK_IO_SYNC_DIRECTORY: return on_directory(operation);
      case CHRONIK_IO_SPACE: {
        struct statvfs space {};
        if (::fstatvfs(root.get(), &space) != 0) return from_errno(errno);
        operation.result = uint64_t{space.f_bavail} * space.f_frsize;
        operation.size = uint64_t{space.f_blocks} * space.f_frsize;
        return {};
      }
      case CHRONIK_IO_SYNC_ALL: return ::syncfs(root.get()) == 0 ? Outcome() : from_errno(errno);
      default: return on_file(operation, opened);
    }
  }

  Outcome on_file(chronik_io_operation& operation, int64_t opened) {
    const int64_t handle = operation.file == CHRONIK_IO_OPENED ? opened : operation.file;
    if (operation.kind == CHRONIK_IO_CLOSE) {
      const FileTable::File file = files.remove(handle);
      if (file.fd < 0) return invalid();
      // Linux frees the number even when close() reports an error: never again.
      return ::close(file.fd) == 0 || errno == EINTR ? Outcome() : from_errno(errno);
    }
    const FileTable::File file = files.find(handle);
    if (file.fd < 0) return invalid();
    switch (operation.kind) {
      case CHRONIK_IO_READ: return read_all(file, operation);
      case CHRONIK_IO_WRITE: return write_all(file, operation);
      case CHRONIK_IO_DATASYNC: return ::fdatasync(file.fd) == 0 ? Outcome() : from_errno(errno);
      case CHRONIK_IO_TRUNCATE:
        return retrying([&] { return ::ftruncate(file.fd, static_cast<off_t>(operation.size)); }) ==
                       0
                   ? Outcome()
                   : from_errno(errno);
      case CHRONIK_IO_ALLOCATE: return allocate(file.fd, operation);
      case CHRONIK_IO_SIZE: {
        struct stat info {};
        if (::fstat(file.fd, &info) != 0) return from_errno(errno);
        operation.result = static_cast<uint64_t>(info.st_size);
        return {};
      }
      case CHRONIK_IO_LOCK:
        if (retrying([&] { return ::flock(file.fd, LOCK_EX | LOCK_NB); }) == 0) return {};
        if (errno == EWOULDBLOCK) return {CHRONIK_E_FAILED_PRECONDITION, errno};
        return from_errno(errno);
      default: return {CHRONIK_E_UNIMPLEMENTED, 0};
    }
  }

  Outcome open_file(chronik_io_operation& operation, int64_t& opened) {
    Place place = find(operation.path);
    if (!place.parent.ok()) return place.outcome;
    // NONBLOCK: a FIFO in our directory must not hang the lane; it means nothing to files.
    int flags = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    flags |= (operation.flags & CHRONIK_IO_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
    if ((operation.flags & CHRONIK_IO_CREATE) != 0) flags |= O_CREAT;
    if ((operation.flags & CHRONIK_IO_EXCLUSIVE) != 0) flags |= O_EXCL;
    const auto open_with = [&](int extra) {
      return retrying([&] {
        return ::openat(place.parent.get(), place.name.c_str(), flags | extra, kFileMode);
      });
    };
    bool is_direct = (operation.flags & CHRONIK_IO_DIRECT) != 0;
    Descriptor fd(open_with(is_direct ? O_DIRECT : 0));
    if (!fd.ok() && is_direct && errno == EINVAL) {
      // The file system can't. The failed call may have made the file, so it isn't exclusive now.
      is_direct = false;
      flags &= ~O_EXCL;
      fd = Descriptor(open_with(0));
    }
    if (!fd.ok()) return from_errno(errno);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return from_errno(errno);
    if (!S_ISREG(info.st_mode)) return {CHRONIK_E_FAILED_PRECONDITION, 0};
    operation.file = files.add({fd.take(), is_direct});
    operation.result = is_direct ? 1 : 0;
    opened = operation.file;
    return {};
  }

  Outcome rename(chronik_io_operation& operation) {
    const Place from = find(operation.path);
    if (!from.parent.ok()) return from.outcome;
    const Place to = find(operation.other_path);
    if (!to.parent.ok()) return to.outcome;
    return ::renameat(from.parent.get(), from.name.c_str(), to.parent.get(), to.name.c_str()) == 0
               ? Outcome()
               : from_errno(errno);
  }

  Outcome unlink(chronik_io_operation& operation) {
    const Place place = find(operation.path);
    if (!place.parent.ok()) return place.outcome;
    if (::unlinkat(place.parent.get(), place.name.c_str(), 0) == 0) return {};
    // Directories too: they were made by MAKE_DIRECTORY and go the same way, when they are empty.
    if (errno == EISDIR && ::unlinkat(place.parent.get(), place.name.c_str(), AT_REMOVEDIR) == 0) {
      return {};
    }
    return from_errno(errno);
  }

  Outcome make_directory(chronik_io_operation& operation) {
    const Place place = find(operation.path);
    if (!place.parent.ok()) return place.outcome;
    if (::mkdirat(place.parent.get(), place.name.c_str(), kDirectoryMode) == 0) return {};
    const int error = errno;
    struct stat info {};
    if (error == EEXIST &&
        ::fstatat(place.parent.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(info.st_mode)) {
      return {};
    }
    return from_errno(error);
  }

  Outcome on_directory(chronik_io_operation& operation) {
    Descriptor fd;
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    if (operation.path.size == 0) {
      fd = Descriptor(::openat(root.get(), ".", kFlags));
    } else {
      const Place place = find(operation.path);
      if (!place.parent.ok()) return place.outcome;
      fd = Descriptor(::openat(place.parent.get(), place.name.c_str(), kFlags));
    }
    if (!fd.ok()) return from_errno(errno);
    if (operation.kind == CHRONIK_IO_LIST) return list(fd.take(), operation.sink);
    return ::fsync(fd.get()) == 0 ? Outcome() : from_errno(errno);
  }

  // Walks down to the path's parent, one part at a time and never through a symbolic link, so that
  // nothing outside the instance's directory can be reached.
  Place find(chronik_slice slice) {
    Place place;
    std::string_view rest = sdk::view(slice);
    place.outcome = invalid();
    if (rest.find('\0') != std::string_view::npos) return place;
    Descriptor parent(::fcntl(root.get(), F_DUPFD_CLOEXEC, 0));
    for (;;) {
      if (!parent.ok()) {
        place.outcome = from_errno(errno);
        return place;
      }
      const size_t slash = rest.find('/');
      const std::string part(rest.substr(0, slash));
      if (part.empty() || part == "." || part == "..") return place;
      if (slash == std::string_view::npos) {
        place.name = part;
        place.parent = std::move(parent);
        place.outcome = {};
        return place;
      }
      parent = Descriptor(
          ::openat(parent.get(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      rest.remove_prefix(slash + 1);
    }
  }
};

thread_local RealFileIo::Impl::Current RealFileIo::Impl::current;

RealFileIo::RealFileIo(std::string directory, uint32_t read_threads, PendingWork* pending)
    : impl_(std::make_unique<Impl>(std::move(directory), read_threads, pending)) {}

RealFileIo::~RealFileIo() = default;

const chronik_file_io* RealFileIo::abi() const {
  return &impl_->abi;
}

}  // namespace chronik
