// A disk for tests: chronik.file-io/1 on files in memory, with a difference between what was
// written and what is durable, and with faults on demand.
//
// Each file has two images: what reads see, and what would be left after a power cut. A write
// touches the first and marks 4 KiB blocks pending; DATASYNC copies them to the second. Creations,
// renames and unlinks are pending until their directory is synced. power_cut() keeps a random
// subset of both kinds of pending changes.
//
// Deterministic: same seed, same calls, same disk. One thread. Chains wait in a queue until step().
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "chronik/abi/file_io.h"

namespace chronik::check {

class SimDisk {
 public:
  static constexpr uint64_t kBlock = 4096;

  explicit SimDisk(uint64_t seed = 1);

  const chronik_file_io* service() const { return &service_; }

  // ---- Chains
  bool idle() const { return queue_.empty(); }
  // Performs the oldest chain that isn't held. False if there is none.
  bool step();
  // While held, chains with a DATASYNC don't run.
  void hold_syncs(bool held) { syncs_held_ = held; }

  // ---- Faults. `kind` is CHRONIK_IO_*, or 0 for any.
  // The operation after `skip` more of that kind fails with `status` and does nothing.
  void fail(uint32_t kind, uint64_t skip, int32_t status = 2 /* UNKNOWN */);
  // A failing write leaves a part of its range written.
  void fail_write_partly(uint64_t skip);
  // A failing DATASYNC whose pages are marked clean, so that the next one succeeds in vain.
  void fail_sync_marking_clean(uint64_t skip);
  // From the n-th operation on (counted from now), nothing is performed any more.
  void crash_after(uint64_t operations);
  bool crashed() const { return crashed_; }
  uint64_t operations() const { return operations_; }
  uint64_t count(uint32_t kind) const;  // operations of that kind so far
  void set_capacity(uint64_t bytes) { capacity_ = bytes; }
  uint64_t used() const;

  // ---- Between two lives of the store
  // Loses a random subset of what wasn't synced, and all open files.
  void power_cut();
  // The process died: everything written is still there, all files are closed.
  void kill();

  // ---- Files, as they would be found by a new process
  std::vector<std::string> paths() const;
  bool exists(const std::string& path) const { return names_.count(path) != 0; }
  uint64_t size(const std::string& path) const;
  std::vector<uint8_t> content(const std::string& path) const;
  void overwrite(const std::string& path, uint64_t offset, const std::vector<uint8_t>& bytes);
  void flip(const std::string& path, uint64_t offset, uint8_t mask);
  void truncate(const std::string& path, uint64_t size);
  void remove(const std::string& path);
  // A copy of everything as it is, to try several continuations from one state.
  struct Snapshot {
    std::map<std::string, std::vector<uint8_t>> files;
    std::set<std::string> directories;
  };
  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);

 private:
  struct File {
    std::vector<uint8_t> live;
    std::vector<uint8_t> durable;
    std::set<uint64_t> pending;  // blocks
    bool size_pending = false;
    bool locked = false;
  };
  using FileRef = std::shared_ptr<File>;
  struct NameChange {
    enum Kind { kCreate, kRename, kUnlink, kDirectory } kind;
    std::string path, other;
    FileRef file;
  };
  struct Fault {
    uint32_t kind;
    uint64_t skip;
    int32_t status;
    bool partly;
    bool clean;
  };

  int32_t perform(chronik_io_chain* chain);
  int32_t perform(chronik_io_operation& operation, int64_t* opened);
  int32_t perform_on_file(chronik_io_operation& operation, int64_t handle);
  int32_t perform_on_path(chronik_io_operation& operation, const std::string& path);
  int32_t open(chronik_io_operation& operation, const std::string& path, int64_t* opened);
  int32_t write(chronik_io_operation& operation, File& file, uint64_t limit);
  int32_t resize(File& file, uint64_t size);
  void sync(File& file);
  void sync_directory(const std::string& directory);
  void apply(const NameChange& change, std::map<std::string, FileRef>* names) const;
  static std::string directory_of(const std::string& path);
  bool takes_fault(uint32_t kind, Fault* fault);

  chronik_file_io service_;
  std::mt19937_64 random_;
  std::deque<chronik_io_chain*> queue_;
  bool syncs_held_ = false;
  std::map<std::string, FileRef> names_;    // as seen
  std::map<std::string, FileRef> durable_;  // after a power cut
  std::set<std::string> directories_;
  std::vector<NameChange> pending_names_;
  std::map<int64_t, FileRef> open_;
  int64_t next_handle_ = 1;
  std::vector<Fault> faults_;
  uint64_t operations_ = 0;
  std::map<uint32_t, uint64_t> counts_;
  uint64_t crash_at_ = UINT64_MAX;
  bool crashed_ = false;
  uint64_t capacity_ = UINT64_MAX;
};

}  // namespace chronik::check
