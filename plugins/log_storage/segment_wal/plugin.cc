#include "options.h"
#include "wal.h"

namespace {

namespace sdk = chronik::sdk;

// In the order of Options::Place.
constexpr chronik_option kOptions[] = {
    sdk::option({"journal_file_size", CHRONIK_OPTION_BYTES, "32MiB",
                 "Size of a journal file; what one group writes in one batch must fit in one.",
                 "64KiB", "1GiB"}),
    sdk::option({"checkpoint_bytes", CHRONIK_OPTION_BYTES, "128MiB",
                 "Journal bytes after which committed entries are moved to segments; bounds the "
                 "memory for entries and the time to start.",
                 "64KiB", "64GiB"}),
    sdk::option({"segment_size", CHRONIK_OPTION_BYTES, "64MiB",
                 "Size at which a segment is sealed; space is given back in whole segments.",
                 "64KiB", "1GiB"}),
    sdk::option({"tail_cache_bytes", CHRONIK_OPTION_BYTES, "64MiB",
                 "Memory for entries that are already in segments.", "0", nullptr}),
    sdk::option({"max_inflight_bytes", CHRONIK_OPTION_BYTES, "64MiB",
                 "Accepted bytes that aren't durable yet; beyond it, submits are refused.", "64KiB",
                 nullptr}),
    sdk::option({"min_free_bytes", CHRONIK_OPTION_BYTES, "256MiB",
                 "Free space of the file system below which the host is told to stop proposing.",
                 "0", nullptr}),
    sdk::option({"ambiguous_tail", CHRONIK_OPTION_ENUM, "discard",
                 "What to do at start with a last frame that is either torn or damaged.", nullptr,
                 nullptr, "discard|refuse"}),
};

constexpr chronik_component kComponents[] = {
    sdk::log_storage<chronik::segment_wal::Wal>(
        "segment_wal", "Shared journal with one sync for all groups, and segments per group.", 0,
        kOptions),
};

}  // namespace

CHRONIK_PLUGIN("org.chronik.segment_wal", "0.1.0", "Chronik", "Apache-2.0",
               "Log storage on a shared journal and per-group segments", kComponents)
