// A registry with plugins that only have options: enough for checking configs.
#pragma once

#include "chronik/sdk/frontend.hpp"
#include "chronik/sdk/log_storage.hpp"
#include "chronik/sdk/state_machine.hpp"
#include "plugin/registry.h"

namespace chronik::test {

namespace detail {

// A log storage that is never started.
struct InertLog {
  InertLog(sdk::Host, const chronik_log_storage_environment&, const sdk::Config&) {}
  sdk::Status start() { return {}; }
  void stop(chronik_done done) { done.call(done.context); }
  sdk::Status submit(const chronik_log_batch&, uint64_t) { return {}; }
  int32_t group(uint64_t, chronik_log_visitor, void*) { return CHRONIK_E_NOT_FOUND; }
  int32_t scan_groups(chronik_log_visitor, void*) { return CHRONIK_OK; }
  int32_t read(const chronik_log_read&) { return CHRONIK_E_NOT_FOUND; }
};

struct Wal : InertLog {
  using InertLog::InertLog;
  static sdk::Status validate(const sdk::Config& config) {
    if (config.bytes(0) < config.bytes(1))
      return {CHRONIK_E_INVALID_ARGUMENT, "journal_bytes is smaller than block_bytes"};
    return {};
  }
};

struct Memory : InertLog {
  using InertLog::InertLog;
};

struct Api {
  Api(sdk::Host, const chronik_frontend_environment&, const sdk::Config&) {}
  sdk::Status start() { return {}; }
  void stop(chronik_done done) { done.call(done.context); }
};

struct Stream {
  Stream(sdk::Host, const chronik_state_machine_environment&, const sdk::Config&) {}
  uint32_t version() { return 1; }
  sdk::Status apply(sdk::Array<chronik_entry>, chronik_result*) { return {}; }
  sdk::Status query(uint32_t, uint64_t, std::string_view, const chronik_sink*, chronik_answer&) {
    return {};
  }
  sdk::Status save(const chronik_sink&) { return {}; }
  sdk::Status restore(std::string_view, uint64_t) { return {}; }
};

inline constexpr chronik_option kWalOptions[] = {
    sdk::option({"journal_bytes", CHRONIK_OPTION_BYTES, "256MiB", "Size of one journal file.",
                 "1MiB", "4GiB"}),
    sdk::option({"block_bytes", CHRONIK_OPTION_BYTES, "64KiB", "Size of one block."}),
    sdk::option(
        {"sync", CHRONIK_OPTION_ENUM, "data", "What is synced.", nullptr, nullptr, "data|all"})};
inline constexpr chronik_option kMemoryOptions[] = {
    sdk::option({"limit_bytes", CHRONIK_OPTION_BYTES, "1GiB", "How much it may hold."})};
inline constexpr chronik_option kApiOptions[] = {
    sdk::option({"listen", CHRONIK_OPTION_ENDPOINT, nullptr, "Where it listens.", nullptr, nullptr,
                 nullptr, CHRONIK_OPTION_REQUIRED}),
    sdk::option({"token", CHRONIK_OPTION_STRING, nullptr, "What clients must say.", nullptr,
                 nullptr, nullptr, CHRONIK_OPTION_SECRET})};
inline constexpr chronik_option kStreamOptions[] = {
    sdk::option({"record_bytes", CHRONIK_OPTION_BYTES, "1MiB", "The longest record.", "1KiB"})};

inline const chronik_component kComponents[] = {
    sdk::log_storage<Wal>("segment_wal", "A journal.", 0, kWalOptions),
    sdk::log_storage<Memory>("memory", "Forgets.", CHRONIK_LOG_STORAGE_CAP_VOLATILE,
                             kMemoryOptions),
    sdk::frontend<Api>("grpc_api", "An API.", 0, kApiOptions),
    sdk::state_machine<Stream>("stream", "Records.", CHRONIK_STATE_MACHINE_CAP_NONBLOCKING,
                               kStreamOptions)};

inline const chronik_plugin kPlugin = {sizeof(chronik_plugin),
                                       CHRONIK_ABI_MAJOR,
                                       CHRONIK_ABI_MINOR,
                                       CHRONIK_ABI_MINOR,
                                       0,
                                       static_cast<uint32_t>(std::size(kComponents)),
                                       sizeof(chronik_component),
                                       0,
                                       "org.chronik.test",
                                       "1.0.0",
                                       "Chronik",
                                       "Apache-2.0",
                                       "Plugins of the config's tests.",
                                       CHRONIK_BUILD_TAG,
                                       kComponents};

}  // namespace detail

inline const Registry& registry() {
  static const Registry instance = [] {
    Registry made;
    const Status status = made.add_static(detail::kPlugin);
    CHRONIK_CHECK(status.ok(), status.to_string());
    return made;
  }();
  return instance;
}

}  // namespace chronik::test
