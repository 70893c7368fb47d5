#include "chronik/sdk/component.hpp"
#include "stream.h"

namespace chronik::stream {
namespace {

// In the order of StreamOption.
constexpr chronik_option kOptions[] = {
    sdk::option({.name = "max_batch_bytes",
                 .type = CHRONIK_OPTION_BYTES,
                 .default_value = "16MiB",
                 .doc = "Largest record batch that producers may send, its header of 61 bytes "
                        "included, where the node's raft.max_proposal_bytes allows more.",
                 .min_value = "1KiB",
                 .max_value = "16MiB"}),
    sdk::option({.name = "max_producers",
                 .type = CHRONIK_OPTION_U64,
                 .default_value = "100000",
                 .doc = "Producers per partition whose last batches are remembered, to recognise "
                        "repetitions; give all nodes the same number.",
                 .min_value = "1",
                 .max_value = "10000000"}),
};

const chronik_component kComponents[] = {sdk::state_machine<Stream>(
    "stream", "A stream of records in Kafka's format, with dense offsets and idempotent producers.",
    CHRONIK_STATE_MACHINE_CAP_NONBLOCKING | CHRONIK_STATE_MACHINE_CAP_LOG_START, kOptions)};

}  // namespace
}  // namespace chronik::stream

CHRONIK_PLUGIN("org.chronik.stream", "0.1.0", "Chronik", "Apache-2.0",
               "Partitions as streams of records in Kafka's format.", chronik::stream::kComponents)
