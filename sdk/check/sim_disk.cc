#include "check/sim_disk.h"

#include <algorithm>
#include <cstring>

namespace chronik::check {
namespace {
constexpr int kEio = 5;
}

SimDisk::SimDisk(uint64_t seed) : random_(seed) {
  service_ = {sizeof service_, 0, this,
              [](void* context, chronik_io_chain* chain) noexcept {
                static_cast<SimDisk*>(context)->queue_.push_back(chain);
              },
              [](void* context, chronik_io_chain* chain) noexcept {
                return static_cast<SimDisk*>(context)->perform(chain);
              }};
  directories_.insert("");
}

bool SimDisk::step() {
  for (auto at = queue_.begin(); at != queue_.end(); ++at) {
    chronik_io_chain* chain = *at;
    bool syncs = false;
    for (uint32_t i = 0; i < chain->operation_count; ++i)
      syncs |= chain->operations[i].kind == CHRONIK_IO_DATASYNC;
    if (syncs && syncs_held_) continue;
    queue_.erase(at);
    perform(chain);
    chain->done(chain);
    return true;
  }
  return false;
}

int32_t SimDisk::perform(chronik_io_chain* chain) {
  chain->status = CHRONIK_OK;
  chain->os_error = 0;
  int64_t opened = -1;
  for (uint32_t i = 0; i < chain->operation_count; ++i) {
    chain->status = perform(chain->operations[i], &opened);
    if (chain->status == CHRONIK_OK) continue;
    chain->failed_operation = i;
    if (chain->status == CHRONIK_E_UNKNOWN) chain->os_error = kEio;
    break;
  }
  return chain->status;
}

int32_t SimDisk::perform(chronik_io_operation& operation, int64_t* opened) {
  if (operations_++ >= crash_at_) crashed_ = true;
  if (crashed_) return CHRONIK_E_UNKNOWN;
  ++counts_[operation.kind];
  Fault fault{};
  if (takes_fault(operation.kind, &fault)) {
    const auto found = open_.find(operation.file == CHRONIK_IO_OPENED ? *opened : operation.file);
    if (fault.partly && found != open_.end())
      (void)write(operation, *found->second, operation.size / 2);
    if (fault.clean && found != open_.end()) {
      found->second->pending.clear();
      found->second->size_pending = false;
    }
    return fault.status;
  }
  const std::string path(static_cast<const char*>(operation.path.data), operation.path.size);
  switch (operation.kind) {
    case CHRONIK_IO_OPEN: return open(operation, path, opened);
    case CHRONIK_IO_CLOSE:
    case CHRONIK_IO_READ:
    case CHRONIK_IO_WRITE:
    case CHRONIK_IO_DATASYNC:
    case CHRONIK_IO_TRUNCATE:
    case CHRONIK_IO_ALLOCATE:
    case CHRONIK_IO_SIZE:
    case CHRONIK_IO_LOCK:
      return perform_on_file(operation,
                             operation.file == CHRONIK_IO_OPENED ? *opened : operation.file);
    default: return perform_on_path(operation, path);
  }
}

int32_t SimDisk::open(chronik_io_operation& operation, const std::string& path, int64_t* opened) {
  auto found = names_.find(path);
  if (found == names_.end()) {
    if ((operation.flags & CHRONIK_IO_CREATE) == 0) return CHRONIK_E_NOT_FOUND;
    if (directories_.count(directory_of(path)) == 0) return CHRONIK_E_NOT_FOUND;
    const NameChange change{NameChange::kCreate, path, "", std::make_shared<File>()};
    apply(change, &names_);
    pending_names_.push_back(change);
    found = names_.find(path);
  } else if ((operation.flags & CHRONIK_IO_EXCLUSIVE) != 0) {
    return CHRONIK_E_ALREADY_EXISTS;
  }
  *opened = operation.file = next_handle_++;
  open_[*opened] = found->second;
  operation.result = (operation.flags & CHRONIK_IO_DIRECT) != 0 ? 1 : 0;
  return CHRONIK_OK;
}

int32_t SimDisk::perform_on_file(chronik_io_operation& operation, int64_t handle) {
  const auto found = open_.find(handle);
  if (found == open_.end()) return CHRONIK_E_INVALID_ARGUMENT;
  File& file = *found->second;
  switch (operation.kind) {
    case CHRONIK_IO_CLOSE: open_.erase(found); return CHRONIK_OK;
    case CHRONIK_IO_READ: {
      const uint64_t from = std::min<uint64_t>(operation.offset, file.live.size());
      const uint64_t size = std::min<uint64_t>(operation.size, file.live.size() - from);
      if (size != 0) std::memcpy(operation.buffer, file.live.data() + from, size);
      operation.result = size;
      return CHRONIK_OK;
    }
    case CHRONIK_IO_WRITE: return write(operation, file, UINT64_MAX);
    case CHRONIK_IO_DATASYNC: sync(file); return CHRONIK_OK;
    case CHRONIK_IO_TRUNCATE: return resize(file, operation.size);
    case CHRONIK_IO_ALLOCATE:
      return operation.size > file.live.size() ? resize(file, operation.size) : CHRONIK_OK;
    case CHRONIK_IO_SIZE: operation.result = file.live.size(); return CHRONIK_OK;
    case CHRONIK_IO_LOCK:
      if (file.locked) return CHRONIK_E_FAILED_PRECONDITION;
      file.locked = true;
      return CHRONIK_OK;
    default: return CHRONIK_E_INVALID_ARGUMENT;
  }
}

int32_t SimDisk::perform_on_path(chronik_io_operation& operation, const std::string& path) {
  const std::string other(static_cast<const char*>(operation.other_path.data),
                          operation.other_path.size);
  switch (operation.kind) {
    case CHRONIK_IO_RENAME:
    case CHRONIK_IO_UNLINK: {
      if (names_.count(path) == 0) return CHRONIK_E_NOT_FOUND;
      const bool rename = operation.kind == CHRONIK_IO_RENAME;
      const NameChange change{rename ? NameChange::kRename : NameChange::kUnlink, path, other,
                              names_[path]};
      apply(change, &names_);
      pending_names_.push_back(change);
      return CHRONIK_OK;
    }
    case CHRONIK_IO_MAKE_DIRECTORY: directories_.insert(path); return CHRONIK_OK;
    case CHRONIK_IO_LIST:
      if (directories_.count(path) == 0) return CHRONIK_E_NOT_FOUND;
      for (const auto& [name, file] : names_) {
        if (directory_of(name) != path) continue;
        const size_t skip = path.empty() ? 0 : path.size() + 1;
        operation.sink.write(operation.sink.context, {name.data() + skip, name.size() - skip});
      }
      return CHRONIK_OK;
    case CHRONIK_IO_SYNC_DIRECTORY: sync_directory(path); return CHRONIK_OK;
    case CHRONIK_IO_SPACE:
      operation.size = capacity_;
      operation.result = capacity_ - std::min(capacity_, used());
      return CHRONIK_OK;
    case CHRONIK_IO_SYNC_ALL:
      for (auto& [name, file] : names_) sync(*file);
      durable_ = names_;
      pending_names_.clear();
      return CHRONIK_OK;
    default: return CHRONIK_E_UNIMPLEMENTED;
  }
}

int32_t SimDisk::write(chronik_io_operation& operation, File& file, uint64_t limit) {
  uint64_t size = 0;
  for (uint32_t i = 0; i < operation.slice_count; ++i) size += operation.slices[i].size;
  const uint64_t end = operation.offset + std::min(size, limit);
  if (end > file.live.size()) {
    if (const int32_t status = resize(file, end); status != CHRONIK_OK) return status;
  }
  uint64_t at = operation.offset;
  for (uint32_t i = 0; i < operation.slice_count && at < end; ++i) {
    const uint64_t part = std::min<uint64_t>(operation.slices[i].size, end - at);
    if (part != 0) std::memcpy(file.live.data() + at, operation.slices[i].data, part);
    at += part;
  }
  for (uint64_t block = operation.offset / kBlock; block * kBlock < end; ++block)
    file.pending.insert(block);
  operation.result = end - operation.offset;
  return CHRONIK_OK;
}

int32_t SimDisk::resize(File& file, uint64_t size) {
  if (size > file.live.size() && used() + size - file.live.size() > capacity_)
    return CHRONIK_E_NO_SPACE;
  file.live.resize(size);
  file.size_pending = true;
  return CHRONIK_OK;
}

void SimDisk::sync(File& file) {
  file.durable = file.live;
  file.pending.clear();
  file.size_pending = false;
}

void SimDisk::sync_directory(const std::string& directory) {
  std::vector<NameChange> rest;
  for (const NameChange& change : pending_names_) {
    if (directory_of(change.path) == directory) {
      apply(change, &durable_);
    } else {
      rest.push_back(change);
    }
  }
  pending_names_.swap(rest);
}

void SimDisk::apply(const NameChange& change, std::map<std::string, FileRef>* names) const {
  switch (change.kind) {
    case NameChange::kCreate: (*names)[change.path] = change.file; break;
    case NameChange::kRename:
      names->erase(change.path);
      (*names)[change.other] = change.file;
      break;
    case NameChange::kUnlink: names->erase(change.path); break;
    case NameChange::kDirectory: break;
  }
}

std::string SimDisk::directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// ---- Faults

void SimDisk::fail(uint32_t kind, uint64_t skip, int32_t status) {
  faults_.push_back({kind, skip, status, false, false});
}
void SimDisk::fail_write_partly(uint64_t skip) {
  faults_.push_back({CHRONIK_IO_WRITE, skip, CHRONIK_E_UNKNOWN, true, false});
}
void SimDisk::fail_sync_marking_clean(uint64_t skip) {
  faults_.push_back({CHRONIK_IO_DATASYNC, skip, CHRONIK_E_UNKNOWN, false, true});
}
void SimDisk::crash_after(uint64_t operations) {
  crash_at_ = operations_ + operations;
}

bool SimDisk::takes_fault(uint32_t kind, Fault* fault) {
  for (auto at = faults_.begin(); at != faults_.end(); ++at) {
    if (at->kind != 0 && at->kind != kind) continue;
    if (at->skip != 0) {
      --at->skip;
      continue;
    }
    *fault = *at;
    faults_.erase(at);
    return true;
  }
  return false;
}

uint64_t SimDisk::count(uint32_t kind) const {
  const auto found = counts_.find(kind);
  return found == counts_.end() ? 0 : found->second;
}

uint64_t SimDisk::used() const {
  uint64_t bytes = 0;
  for (const auto& [name, file] : names_) bytes += file->live.size();
  return bytes;
}

// ---- Between lives

void SimDisk::kill() {
  for (chronik_io_chain* chain : queue_) (void)chain;  // never done: the process is gone
  queue_.clear();
  open_.clear();
  for (auto& [name, file] : names_) file->locked = false;
  faults_.clear();
  crashed_ = false;
  crash_at_ = UINT64_MAX;
  syncs_held_ = false;
}

void SimDisk::power_cut() {
  kill();
  std::bernoulli_distribution coin(0.5);
  for (const NameChange& change : pending_names_)
    if (coin(random_)) apply(change, &durable_);
  pending_names_.clear();
  names_ = durable_;
  for (auto& [name, file] : names_) {
    if (file->size_pending && coin(random_)) file->durable.resize(file->live.size());
    for (const uint64_t block : file->pending) {
      if (coin(random_)) continue;
      const uint64_t from = block * kBlock;
      const uint64_t end = std::min<uint64_t>(from + kBlock, file->live.size());
      if (from >= end) continue;
      if (file->durable.size() < end) file->durable.resize(end);
      std::memcpy(file->durable.data() + from, file->live.data() + from, end - from);
    }
    file->live = file->durable;
    file->pending.clear();
    file->size_pending = false;
  }
}

std::vector<std::string> SimDisk::paths() const {
  std::vector<std::string> paths;
  for (const auto& [name, file] : names_) paths.push_back(name);
  return paths;
}
uint64_t SimDisk::size(const std::string& path) const {
  return names_.at(path)->live.size();
}
std::vector<uint8_t> SimDisk::content(const std::string& path) const {
  return names_.at(path)->live;
}
void SimDisk::overwrite(const std::string& path, uint64_t offset,
                        const std::vector<uint8_t>& bytes) {
  File& file = *names_.at(path);
  if (file.live.size() < offset + bytes.size()) file.live.resize(offset + bytes.size());
  std::copy(bytes.begin(), bytes.end(), file.live.begin() + static_cast<long>(offset));
  sync(file);
}
void SimDisk::flip(const std::string& path, uint64_t offset, uint8_t mask) {
  File& file = *names_.at(path);
  file.live.at(offset) ^= mask;
  sync(file);
}
void SimDisk::truncate(const std::string& path, uint64_t size) {
  File& file = *names_.at(path);
  file.live.resize(size);
  sync(file);
}
void SimDisk::remove(const std::string& path) {
  names_.erase(path);
  durable_.erase(path);
}

SimDisk::Snapshot SimDisk::snapshot() const {
  Snapshot snapshot;
  for (const auto& [name, file] : names_) snapshot.files[name] = file->live;
  snapshot.directories = directories_;
  return snapshot;
}

void SimDisk::restore(const Snapshot& snapshot) {
  kill();
  names_.clear();
  pending_names_.clear();
  for (const auto& [name, bytes] : snapshot.files) {
    auto file = std::make_shared<File>();
    file->live = file->durable = bytes;
    names_[name] = file;
  }
  durable_ = names_;
  directories_ = snapshot.directories;
}

}  // namespace chronik::check
