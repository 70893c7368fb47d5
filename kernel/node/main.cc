// chronikd: runs a node from its config file.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <string>

#include "metadata/metadata_machine.h"
#include "node/config.h"
#include "node/data_dir.h"
#include "node/node.h"

namespace chronik {
namespace {

int complain(const Status& status, int exit_code) {
  std::fprintf(stderr, "chronikd: %.*s\n", static_cast<int>(status.message().size()),
               status.message().data());
  return exit_code;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

// Blocked in all threads, so that only await_signal() sees them.
sigset_t stop_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  return signals;
}

int run(const NodeConfig& config, const Registry& registry) {
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  Result<DataDir> data_dir = open_data_dir(data_dir_spec(config));
  if (!data_dir.ok()) return complain(data_dir.status(), kExitUsage);
  LogSink sink(config.log_level);
  const Logger log(&sink, "node");
  if (!data_dir->last_failure().empty()) {
    log.warn("the last run ended with: " + data_dir->last_failure());
  }

  std::atomic<bool> failed{false};
  Status failure;
  Node node(config, registry, std::move(data_dir).value(), sink, [&](const Status& why) {
    failure = why;
    failed.store(true);
    ::kill(::getpid(), SIGTERM);
  });
  Status started = node.start();
  if (started.ok()) started = node.data_dir().confirm_start();
  if (started.ok()) {
    log.info("node " + std::to_string(config.id.value) + " is ready");
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (!failed.load()) log.info("stopping");
  }
  node.stop();
  if (failed.load()) {
    node.data_dir().record_failure(failure.to_string());
    return kExitStorage;
  }
  if (!started.ok()) return complain(started, kExitStart);
  log.info("stopped");
  return kExitOk;
}

int main_with_registry(const CommandLine& line) {
  Result<std::vector<std::string>> directories = plugin_directories(line.sources);
  if (!directories.ok()) return complain(directories.status(), kExitUsage);
  Registry registry(directories.value());
  Status status = registry.add_static(metadata_plugin());
  if (status.ok()) status = registry.load_allowed_directories();
  for (const Refusal& refusal : registry.refusals()) {
    if (refusal.status.code() == Code::kAlreadyExists) return complain(refusal.status, kExitUsage);
    complain(refusal.status, 0);
  }
  if (!status.ok()) return complain(status, kExitUsage);
  if (line.action == CommandLine::Action::kReference) {
    print(config_reference(registry));
    return kExitOk;
  }
  const Result<NodeConfig> config = load_config(line.sources, registry);
  if (!config.ok()) return complain(config.status(), kExitUsage);
  switch (line.action) {
    case CommandLine::Action::kPrintConfig: print(print_config(config.value())); return kExitOk;
    case CommandLine::Action::kCheckConfig: {
      const Status fits = check_data_dir(data_dir_spec(config.value()));
      if (!fits.ok()) return complain(fits, kExitUsage);
      print("the config is good\n");
      return kExitOk;
    }
    default: return run(config.value(), registry);
  }
}

}  // namespace
}  // namespace chronik

int main(int argc, char** argv) {
  using namespace chronik;
  const Result<CommandLine> line = parse_command_line(argc, argv, environ);
  if (!line.ok()) return complain(line.status(), kExitUsage);
  switch (line.value().action) {
    case CommandLine::Action::kHelp: print(command_line_help()); return kExitOk;
    case CommandLine::Action::kVersion:
      print(std::string("chronikd ") + kVersion + "\n");
      return kExitOk;
    default: return main_with_registry(line.value());
  }
}
