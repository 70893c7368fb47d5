// HostServices: what the node offers to its plugin instances: executors, timers, files, log,
// metrics. InstanceHost: one instance's labelled view of it, whose chronik_host goes to create().
//
//   HostServices services({}, &sink);
//   auto host = services.make_host(CHRONIK_KIND_LOG_STORAGE, "segment_wal", "main", directory,
//                                  [&](const Status& why) { ... });
//   ... LogStorage::create(component, host->abi(), ...), start(), work ...
//   host->begin_stop();       // delayed tasks run now
//   storage->stop_and_wait();
//   host->drain();            // nothing of the instance runs on host threads any more
//   storage.reset();          // destroy()
//   host.reset();
//   services.stop();
//
// Threads: `executor_threads` run post() and due post_after() tasks, one timer thread, up to
// `blocking_threads` run post_blocking() tasks, and each instance with a directory has threads of
// its own per file lane (see real_file_io.h), so that instances on different disks never wait for
// each other. All are started when first needed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "chronik/abi/base.h"
#include "plugin/log.h"
#include "plugin/metrics.h"

namespace chronik {

class HostServices;

// Owned by the node; made before the plugin's instance and destroyed after it, before the services.
class InstanceHost {
 public:
  struct Impl;
  explicit InstanceHost(std::unique_ptr<Impl> impl);
  // Drains. Files that the plugin left open are closed.
  ~InstanceHost();
  InstanceHost(const InstanceHost&) = delete;
  InstanceHost& operator=(const InstanceHost&) = delete;

  const chronik_host* abi() const;
  const std::string& label() const;  // "segment_wal/main"

  // Runs pending delayed tasks now; later delays are cut to a millisecond. Call it just before the
  // instance's stop(). Thread: control. Idempotent.
  void begin_stop();
  // Waits until no task and no file chain of the instance is queued or running. Call it between the
  // end of stop() and destroy(), so that the callback that reported the end has returned as well.
  // Thread: control; never on a host thread.
  void drain();

 private:
  std::unique_ptr<Impl> impl_;
};

// Owned by the node. Thread: make_host() and stop() on the control thread, the rest anywhere.
class HostServices {
 public:
  struct Options {
    uint32_t executor_threads = 2;
    uint32_t blocking_threads = 4;
    uint32_t read_threads = 2;  // of each instance's READ lane; COMMIT and BACKGROUND have one
  };
  // Receives the first fatal() of an instance, once, on any thread; must not block, nor stop or
  // destroy the instance there.
  using OnFatal = std::function<void(const Status&)>;

  // `sink` outlives the services.
  HostServices(Options options, LogSink* sink);
  // Stops.
  ~HostServices();
  HostServices(const HostServices&) = delete;
  HostServices& operator=(const HostServices&) = delete;

  // `directory`: absolute path of an existing directory of the instance's own, or empty for none;
  // then the host offers no file-io. FAILED_PRECONDITION-like mistakes show at the first operation.
  std::unique_ptr<InstanceHost> make_host(uint32_t kind, std::string component,
                                          std::string instance, std::string directory,
                                          OnFatal on_fatal);

  // The kernel's own use of the same threads, with the contract of the chronik_host functions.
  void post(chronik_task* task);
  void post_after(int64_t delay_ns, chronik_task* task);
  void post_blocking(chronik_task* task);
  static int64_t now(uint32_t clock);  // CHRONIK_CLOCK_*
  static uint64_t random();

  Metrics& metrics();
  LogSink& sink();
  Logger logger(std::string label);

  // Runs what is queued, delayed tasks at once, then ends and joins all threads. Pre: all
  // InstanceHosts are gone. Nothing may be posted afterwards. Idempotent.
  void stop();

 private:
  friend class InstanceHost;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace chronik
