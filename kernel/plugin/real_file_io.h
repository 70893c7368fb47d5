// RealFileIo: the file-io extension on the real file system, for one instance's directory.
//
// Each lane has a queue and threads of its own, started with the first chain: COMMIT and BACKGROUND
// one, READ as many as asked for. A chain's operations run in order on one thread, which then calls
// `done`; a chain that `done` submits to the same lane is picked up by that thread, without waking
// another. Interrupted and short calls are continued. No path leaves the directory: "..", absolute
// paths and symbolic links inside it are refused.
//
// Handles are numbers of this object's own, not file descriptors; a handle that is closed or made
// up is INVALID_ARGUMENT.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "chronik/abi/file_io.h"
#include "plugin/pending_work.h"

namespace chronik {

class RealFileIo {
 public:
  // Chains count as `pending` work from submit() until `done` has returned; null: nobody counts.
  RealFileIo(std::string directory, uint32_t read_threads, PendingWork* pending = nullptr);
  // Waits for what was submitted, joins the threads, closes files that were left open.
  ~RealFileIo();
  RealFileIo(const RealFileIo&) = delete;
  RealFileIo& operator=(const RealFileIo&) = delete;

  const chronik_file_io* abi() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace chronik
