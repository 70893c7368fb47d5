#include "node/data_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "base/check.h"
#include "node/config.h"
#include "node/data_dir_meta.h"

namespace chronik {
namespace {

namespace fs = std::filesystem;

constexpr char kLock[] = "LOCK";
constexpr char kMeta[] = "node.meta";
constexpr char kMetaTemporary[] = "node.meta.tmp";
constexpr char kFailure[] = "last_failure";
constexpr char kStores[] = "log_storage";
constexpr mode_t kDirectoryMode = 0750;
constexpr mode_t kFileMode = 0640;

// ---- Small helpers over system calls

Status system_error(int error, std::string what) {
  const Code code = error == ENOSPC || error == EDQUOT                    ? Code::kNoSpace
                    : error == EACCES || error == EPERM || error == EROFS ? Code::kPermissionDenied
                                                                          : Code::kInternal;
  return Status(code, fmt::format("{}: {}", what, strerror(error)));
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Status sync_directory(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0)
    return system_error(errno, fmt::format("can't sync directory '{}'", path));
  return {};
}

// Makes `path` with all directories above it, each durable in its parent.
Status make_directories(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) return {};
  const std::string parent = fs::path(path).parent_path();
  if (parent != path) CHRONIK_TRY(make_directories(parent));
  if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
    return system_error(errno, fmt::format("can't make directory '{}'", path));
  return sync_directory(parent);
}

Status write_file(const std::string& path, std::string_view text) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kFileMode));
  if (fd.get() < 0) return system_error(errno, fmt::format("can't write '{}'", path));
  while (!text.empty()) {
    const ssize_t written = ::write(fd.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(errno, fmt::format("can't write '{}'", path));
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(fd.get()) != 0) return system_error(errno, fmt::format("can't sync '{}'", path));
  return {};
}

// The file's content; nullopt if there is no such file.
Result<std::optional<std::string>> read_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0 && errno == ENOENT) return std::optional<std::string>();
  if (fd.get() < 0) return system_error(errno, fmt::format("can't read '{}'", path));
  std::string text;
  char block[4096];
  while (true) {
    const ssize_t size = ::read(fd.get(), block, sizeof block);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error(errno, fmt::format("can't read '{}'", path));
    if (size == 0) return std::optional(std::move(text));
    text.append(block, static_cast<size_t>(size));
  }
}

// Names of a directory's entries; empty if it doesn't exist.
std::vector<std::string> entries_of(const std::string& path) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (fs::directory_iterator it(path, ignored), end; !ignored && it != end; it.increment(ignored))
    names.push_back(it->path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

bool is_directory(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// ---- What to do

struct Plan {
  NodeMeta meta;                // as it shall be
  bool is_new_cluster = false;  // formatted now, or volatile
  bool is_changed = false;      // node.meta has to be written
};

class Inspector {
 public:
  Inspector(const DataDirSpec& spec, std::string path) : spec_(spec), path_(std::move(path)) {}

  // Reads only.
  Result<Plan> run() const {
    CHRONIK_TRY(check_place());
    CHRONIK_ASSIGN_OR_RETURN(const auto text, read_file(path_ + "/" + kMeta));
    if (!text) {
      CHRONIK_TRY(check_unformatted());
      return format();
    }
    CHRONIK_ASSIGN_OR_RETURN(const NodeMeta old, parse_meta(path_ + "/" + kMeta, *text));
    CHRONIK_TRY(check_identity(old));
    CHRONIK_TRY(check_stores(old));
    return continue_from(old);
  }

 private:
  static Status refuse(std::string message) {
    return Status(Code::kFailedPrecondition, std::move(message));
  }
  std::string store_directory(const std::string& name) const {
    return fmt::format("{}/{}/{}", path_, kStores, name);
  }
  const StoreSpec* find_spec(const std::string& name) const {
    const auto found = std::find_if(spec_.stores.begin(), spec_.stores.end(),
                                    [&](const StoreSpec& store) { return store.name == name; });
    return found == spec_.stores.end() ? nullptr : &*found;
  }

  // The directory, or the nearest one above it that exists, can be written.
  Status check_place() const {
    fs::path existing = path_;
    struct stat info;
    while (::stat(existing.c_str(), &info) != 0) {
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
        return system_error(errno, fmt::format("data_dir '{}'", path_));
      if (existing == existing.parent_path()) break;
      existing = existing.parent_path();
    }
    if (!S_ISDIR(info.st_mode)) {
      return refuse(fmt::format("data_dir '{}' can't be used: '{}' isn't a directory", path_,
                                existing.string()));
    }
    if (::faccessat(AT_FDCWD, existing.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
      const int error = errno;
      return Status(
          Code::kPermissionDenied,
          fmt::format("data_dir '{}' isn't writable: '{}': {}: correct its owner and mode, "
                      "or use another data_dir",
                      path_, existing.string(), strerror(error)));
    }
    return {};
  }

  // Without node.meta there may be what an interrupted formatting leaves, and nothing else.
  Status check_unformatted() const {
    for (const std::string& entry : entries_of(path_)) {
      if (entry == kLock || entry == kMetaTemporary) continue;
      bool empty = entry == kStores;
      for (const std::string& store :
           empty ? entries_of(path_ + "/" + kStores) : std::vector<std::string>())
        empty = empty && is_directory(store_directory(store)) &&
                entries_of(store_directory(store)).empty();
      if (empty) continue;
      return refuse(
          fmt::format("'{}' isn't a data directory of Chronik (it has '{}' and no {}): use "
                      "an empty or a new data_dir",
                      path_, entry, kMeta));
    }
    return {};
  }

  Status check_identity(const NodeMeta& old) const {
    if (old.node != spec_.node) {
      return refuse(
          fmt::format("data_dir '{}' belongs to node {}, not to node {}: correct node.id, "
                      "or use another data_dir",
                      path_, old.node.value, spec_.node.value));
    }
    if (old.cluster_name != spec_.cluster_name) {
      return refuse(
          fmt::format("data_dir '{}' belongs to cluster '{}', not to cluster '{}': correct "
                      "cluster.name, or use another data_dir",
                      path_, old.cluster_name, spec_.cluster_name));
    }
    return {};
  }

  // What persistent stores hold must stay reachable under their names.
  Status check_stores(const NodeMeta& old) const {
    for (const auto& [name, store] : old.stores) {
      if (store.is_volatile) continue;
      const StoreSpec* now = find_spec(name);
      if (now == nullptr) {
        return refuse(
            fmt::format("data_dir '{}' has log storage '{}' (plugin '{}'), but the config "
                        "doesn't: put [log_storage.{}] back, or use another data_dir",
                        path_, name, store.plugin, name));
      }
      if (now->plugin != store.plugin || now->is_volatile) {
        return refuse(fmt::format(
            "log storage '{}' in '{}' was written by plugin '{}', which '{}' can't read: put "
            "'plugin "
            "= {}' back, or use another data_dir (or move this one aside) to start empty",
            name, path_, store.plugin, now->plugin, store.plugin));
      }
      if (!is_directory(store_directory(name))) {
        return refuse(
            fmt::format("the files of log storage '{}' are gone: '{}' is missing: bring it "
                        "back, or use another data_dir to start anew",
                        name, store_directory(name)));
      }
      if (store.in_use && entries_of(store_directory(name)).empty()) {
        return refuse(
            fmt::format("the files of log storage '{}' are gone: '{}' is empty: bring them "
                        "back, or use another data_dir to start anew",
                        name, store_directory(name)));
      }
    }
    const std::string& now_default = spec_.stores.front().name;
    if (!old.is_volatile() && old.default_store != now_default) {
      return refuse(
          fmt::format("the default log storage of '{}' is '{}' and can't become '{}': put "
                      "[log_storage.{}] first again",
                      path_, old.default_store, now_default, old.default_store));
    }
    for (const StoreSpec& store : spec_.stores) {
      const auto known = old.stores.find(store.name);
      const bool is_known = known != old.stores.end() && !known->second.is_volatile;
      if (is_known || store.is_volatile || entries_of(store_directory(store.name)).empty())
        continue;
      return refuse(
          fmt::format("log storage '{}' is new to '{}', but '{}' has files already: move "
                      "them away, or choose another name",
                      store.name, path_, store_directory(store.name)));
    }
    return {};
  }

  Plan format() const {
    Plan plan;
    plan.meta.cluster_id = random_uuid();
    plan.meta.cluster_name = spec_.cluster_name;
    plan.meta.node = spec_.node;
    plan.meta.directory_id = random_uuid();
    plan.meta.default_store = spec_.stores.front().name;
    for (const StoreSpec& store : spec_.stores)
      plan.meta.stores[store.name] = {store.plugin, store.is_volatile, false, random_uuid()};
    plan.is_new_cluster = true;
    plan.is_changed = true;
    return plan;
  }

  Plan continue_from(const NodeMeta& old) const {
    Plan plan;
    plan.meta = old;
    plan.is_new_cluster = old.is_volatile() || spec_.stores.front().is_volatile;
    if (plan.is_new_cluster) plan.meta.cluster_id = random_uuid();
    plan.meta.default_store = spec_.stores.front().name;
    plan.meta.stores.clear();
    for (const StoreSpec& store : spec_.stores) {
      const auto known = old.stores.find(store.name);
      const bool keeps_id =
          known != old.stores.end() && !known->second.is_volatile && !store.is_volatile;
      if (keeps_id) {
        plan.meta.stores[store.name] = known->second;
      } else {
        plan.meta.stores[store.name] = {store.plugin, store.is_volatile, false, random_uuid()};
      }
    }
    plan.is_changed = serialize(plan.meta) != serialize(old);
    return plan;
  }

  const DataDirSpec& spec_;
  const std::string path_;
};

std::string absolute_path(const std::string& path) {
  fs::path absolute = fs::absolute(path).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();  // "/srv/data/"
  return absolute.string();
}

Result<int> take_lock(const std::string& directory) {
  const std::string path = directory + "/" + kLock;
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (fd.get() < 0) return system_error(errno, fmt::format("can't open '{}'", path));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error(errno, fmt::format("can't lock '{}'", path));
    char text[32] = {};
    const ssize_t size = ::pread(fd.get(), text, sizeof text - 1, 0);
    const std::string pid(text, size > 0 ? std::strcspn(text, "\n") : 0);
    return Status(Code::kUnavailable,
                  fmt::format("data_dir '{}' is in use by process {}: stop that node first, or use "
                              "another data_dir",
                              directory, pid.empty() ? "unknown" : pid));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0 ||
      ::pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return system_error(errno, fmt::format("can't write '{}'", path));
  return fd.release();
}

Status write_meta(const std::string& directory, const NodeMeta& meta) {
  const std::string temporary = directory + "/" + kMetaTemporary;
  const std::string final = directory + "/" + kMeta;
  CHRONIK_TRY(write_file(temporary, serialize(meta)));
  if (::rename(temporary.c_str(), final.c_str()) != 0)
    return system_error(errno, fmt::format("can't rename '{}'", temporary));
  return sync_directory(directory);
}

}  // namespace

DataDirSpec data_dir_spec(const NodeConfig& config) {
  DataDirSpec spec{config.data_dir, config.id, config.cluster_name, {}};
  for (const InstanceConfig& instance : config.log_storages)
    spec.stores.push_back({instance.name, instance.plugin(), instance.is_volatile});
  return spec;
}

DataDir::DataDir(DataDir&& other) noexcept {
  *this = std::move(other);
}

DataDir& DataDir::operator=(DataDir&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_fd_, other.lock_fd_);
  std::swap(node_, other.node_);
  std::swap(cluster_id_, other.cluster_id_);
  std::swap(directory_id_, other.directory_id_);
  std::swap(stores_, other.stores_);
  std::swap(is_new_cluster_, other.is_new_cluster_);
  std::swap(last_failure_, other.last_failure_);
  return *this;
}

DataDir::~DataDir() {
  // The file stays: removing it would let a third node lock a file that has no name any more.
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

void DataDir::record_failure(std::string_view why) {
  std::string line(why);
  std::replace(line.begin(), line.end(), '\n', ' ');
  (void)write_file(path_ + "/" + kFailure, line + "\n");
}

Status DataDir::confirm_start() {
  last_failure_.clear();
  (void)::unlink((path_ + "/" + kFailure).c_str());
  const std::string path = path_ + "/" + kMeta;
  CHRONIK_ASSIGN_OR_RETURN(const auto text, read_file(path));
  CHRONIK_ASSIGN_OR_RETURN(NodeMeta meta, parse_meta(path, text.value_or("")));
  bool is_changed = false;
  for (auto& [name, store] : meta.stores) {
    const bool in_use = !store.is_volatile;
    is_changed = is_changed || store.in_use != in_use;
    store.in_use = in_use;
  }
  return is_changed ? write_meta(path_, meta) : Status();
}

Result<DataDir> open_data_dir(const DataDirSpec& spec) {
  CHRONIK_CHECK(!spec.stores.empty(), "a data directory needs a store");
  DataDir dir;
  dir.path_ = absolute_path(spec.path);
  const Inspector inspector(spec, dir.path_);
  // Once before the first byte is written, and once more under the lock, as another node may have
  // formatted the directory meanwhile.
  CHRONIK_TRY(inspector.run().status());
  CHRONIK_TRY(make_directories(dir.path_));
  CHRONIK_ASSIGN_OR_RETURN(dir.lock_fd_, take_lock(dir.path_));
  CHRONIK_ASSIGN_OR_RETURN(const Plan plan, inspector.run());

  dir.node_ = plan.meta.node;
  dir.cluster_id_ = plan.meta.cluster_id;
  dir.directory_id_ = plan.meta.directory_id;
  dir.is_new_cluster_ = plan.is_new_cluster;
  for (const StoreSpec& store : spec.stores) {
    dir.stores_.push_back({store.name, store.plugin, store.is_volatile,
                           plan.meta.stores.at(store.name).id,
                           fmt::format("{}/{}/{}", dir.path_, kStores, store.name)});
    CHRONIK_TRY(make_directories(dir.stores_.back().directory));
  }
  // Last: what node.meta knows exists.
  if (plan.is_changed) CHRONIK_TRY(write_meta(dir.path_, plan.meta));

  if (auto failure = read_file(dir.path_ + "/" + kFailure); failure.ok() && failure.value()) {
    dir.last_failure_ = *failure.value();
    while (dir.last_failure_.ends_with('\n')) dir.last_failure_.pop_back();
  }
  return dir;
}

Status check_data_dir(const DataDirSpec& spec) {
  CHRONIK_CHECK(!spec.stores.empty(), "a data directory needs a store");
  return Inspector(spec, absolute_path(spec.path)).run().status();
}

}  // namespace chronik
