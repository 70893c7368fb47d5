#include "memory_log.h"

namespace {

namespace sdk = chronik::sdk;

constexpr chronik_option kOptions[] = {
    sdk::option({"max_bytes", CHRONIK_OPTION_BYTES, "1GiB",
                 "Bound of the memory that entries may take; beyond it, appends wait.", "1MiB",
                 nullptr}),
};

constexpr chronik_component kComponents[] = {
    sdk::log_storage<chronik::memory::MemoryLog>("memory",
                                                 "Keeps logs in memory, for as long as it runs.",
                                                 CHRONIK_LOG_STORAGE_CAP_VOLATILE, kOptions),
};

}  // namespace

CHRONIK_PLUGIN("org.chronik.memory", "0.1.0", "Chronik", "Apache-2.0",
               "Log storage in memory: volatile, for tests and demonstrations", kComponents)
