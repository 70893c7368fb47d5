// DataDir: the identity of a node's data directory, and the lock on it.
//
//   DATA_DIR/LOCK                 flock()ed while a node runs; holds its process id
//   DATA_DIR/node.meta            JSON: format, cluster id and name, node id, directory id, stores
//   DATA_DIR/last_failure         why the node gave up the last time, if it did (record_failure)
//   DATA_DIR/log_storage/NAME/    the files of [log_storage.NAME]
//
// A directory is formatted at the first start: empty, or only holding what an interrupted
// formatting left. From then on it belongs to one node of one cluster, and each of its stores to
// one plugin; open_data_dir() refuses whatever doesn't fit with one line that says what to do, and
// never starts empty under an old identity. node.meta is replaced atomically.
//
// A VOLATILE store forgets everything at stop, so it gets a fresh id at each start. If the default
// store is volatile, so is the cluster: it is a new one, with a fresh cluster id, at each start.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"

namespace chronik {

using Uuid = std::array<uint8_t, 16>;  // random (version 4)
std::string to_string(const Uuid& uuid);

struct NodeConfig;

struct StoreSpec {
  std::string name;    // "main"
  std::string plugin;  // "segment_wal"
  bool is_volatile = false;
};

struct DataDirSpec {
  std::string path;
  NodeId node;
  std::string cluster_name;
  std::vector<StoreSpec> stores;  // the first is the default; not empty
};
DataDirSpec data_dir_spec(const NodeConfig& config);

struct Store {
  std::string name;
  std::string plugin;
  bool is_volatile = false;
  Uuid id{};
  std::string directory;  // absolute, exists
};

// An opened and locked data directory. Owned by the node, which keeps it until everything that
// writes into it has stopped. Movable; the lock goes with it, and with the process.
class DataDir {
 public:
  DataDir(DataDir&&) noexcept;
  DataDir& operator=(DataDir&&) noexcept;
  ~DataDir();

  const std::string& path() const { return path_; }  // absolute
  NodeId node() const { return node_; }
  const Uuid& cluster_id() const { return cluster_id_; }
  const Uuid& directory_id() const { return directory_id_; }
  // In the order of the spec.
  const std::vector<Store>& stores() const { return stores_; }
  // True if this start began a new cluster: the directory was just formatted, or the default store
  // is volatile.
  bool is_new_cluster() const { return is_new_cluster_; }

  // Leaves a line for the next start to show; best effort, as the disk may be what failed.
  void record_failure(std::string_view why);
  // What the last run left, if it gave up; empty otherwise. Reading it doesn't remove it.
  const std::string& last_failure() const { return last_failure_; }
  // Says that the node has started: its stores have files now, so that a later start with an empty
  // one is refused; and the last failure is overcome. Errors: as open_data_dir()'s system calls.
  Status confirm_start();

 private:
  friend Result<DataDir> open_data_dir(const DataDirSpec& spec);
  DataDir() = default;

  std::string path_;
  int lock_fd_ = -1;
  NodeId node_;
  Uuid cluster_id_{};
  Uuid directory_id_{};
  std::vector<Store> stores_;
  bool is_new_cluster_ = false;
  std::string last_failure_;
};

// Opens `spec.path`, formatting it if it is new, and takes the lock.
// Errors, each one line: PERMISSION_DENIED (not writable), FAILED_PRECONDITION (another node's,
// another cluster's, not a data directory, a store's plugin changed, a store is gone), UNAVAILABLE
// (a running node holds it: its pid is named), DATA_LOSS (node.meta is damaged), INTERNAL or
// NO_SPACE (the system call that failed). After an error nothing has been changed on disk, unless
// the formatting itself failed.
Result<DataDir> open_data_dir(const DataDirSpec& spec);

// The checks of open_data_dir() but for the lock, for --check-config: changes nothing on disk.
Status check_data_dir(const DataDirSpec& spec);

}  // namespace chronik
