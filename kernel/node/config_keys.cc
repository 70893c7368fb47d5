// The kernel's keys: the one table that checking, printing and the reference are driven by.
#include "chronik/sdk/component.hpp"
#include "node/config.h"

namespace chronik {
namespace {

constexpr KernelKey kKeys[] = {
    {"node", sdk::option({"id", CHRONIK_OPTION_U64, nullptr,
                          "The node's number in the cluster. A data directory keeps it for ever.",
                          "1", nullptr, nullptr, CHRONIK_OPTION_REQUIRED})},
    {"node", sdk::option({"data_dir", CHRONIK_OPTION_PATH, nullptr,
                          "Where the node keeps its files; made at the first start. Relative to "
                          "the working directory.",
                          nullptr, nullptr, nullptr, CHRONIK_OPTION_REQUIRED})},
    {"node", sdk::option({"shards", CHRONIK_OPTION_U64, "0",
                          "Threads that run partitions. 0: one per core, at most 4.", "0", "64"})},

    {"cluster", sdk::option({"name", CHRONIK_OPTION_STRING, "chronik",
                             "The cluster's name. A data directory keeps it for ever."})},
    {"cluster",
     sdk::option({"peer", CHRONIK_OPTION_STRING, nullptr,
                  "A member: ID@scheme://host:port, with more addresses behind commas. In this "
                  "version only the node itself may be named; without any peer it is a cluster of "
                  "one as well."}),
     /*repeatable=*/true},

    {"raft",
     sdk::option({"election_timeout", CHRONIK_OPTION_DURATION, "1s",
                  "Silence of a leader after which others stand for election.", "10ms", "1h"})},
    {"raft", sdk::option({"heartbeat_interval", CHRONIK_OPTION_DURATION, "100ms",
                          "How often a leader speaks up; less than a third of election_timeout.",
                          "1ms", "10m"})},
    {"raft", sdk::option({"max_batch_bytes", CHRONIK_OPTION_BYTES, "1MiB",
                          "Entries in one message to a follower.", "1KiB", "64MiB"})},
    {"raft", sdk::option({"max_inflight_batches", CHRONIK_OPTION_U64, "256",
                          "Messages with entries on their way to one follower.", "1", "65536"})},
    {"raft", sdk::option({"max_proposal_bytes", CHRONIK_OPTION_BYTES, "1048588B",
                          "The largest proposal, which for a stream is a record batch; clients are "
                          "told. The default is Kafka's.",
                          "1KiB", "16MiB"})},
    {"raft", sdk::option({"max_inflight_bytes", CHRONIK_OPTION_BYTES, "64MiB",
                          "Proposals that the node has admitted and not answered yet; more are "
                          "refused until some are.",
                          "1MiB", "64GiB"})},
    {"raft", sdk::option({"checkpoint_bytes", CHRONIK_OPTION_BYTES, "64MiB",
                          "Entries that a group applies between two checkpoints of its state "
                          "machine; bounds what is replayed at a start.",
                          "64KiB", "64GiB"})},
    {"raft", sdk::option({"pre_vote", CHRONIK_OPTION_BOOL, "true",
                          "Ask whether an election could be won before starting one."})},
    {"raft", sdk::option({"check_quorum", CHRONIK_OPTION_BOOL, "true",
                          "A leader that hears from no majority steps down."})},

    {"plugins",
     sdk::option({"dir", CHRONIK_OPTION_PATH, nullptr,
                  "A directory that plugins are loaded from. Default: ../lib/chronik/plugins as "
                  "seen from the executable."}),
     /*repeatable=*/true},

    {"log",
     sdk::option({"level", CHRONIK_OPTION_ENUM, "info", "Messages below this level are dropped.",
                  nullptr, nullptr, "trace|debug|info|warn|error|off"})},

    {"log_storage",
     sdk::option({"plugin", CHRONIK_OPTION_STRING, nullptr,
                  "The plugin that serves this instance. The first log storage of the file is the "
                  "default, for topics that name none and for the cluster's metadata.",
                  nullptr, nullptr, nullptr, CHRONIK_OPTION_REQUIRED})},
    {"log_storage", sdk::option({"volatile", CHRONIK_OPTION_ENUM, "refuse",
                                 "Whether a plugin that forgets everything when the node stops is "
                                 "acceptable here. Other plugins don't mind.",
                                 nullptr, nullptr, "refuse|accept"})},
    {"frontend",
     sdk::option({"plugin", CHRONIK_OPTION_STRING, nullptr, "The plugin that serves this instance.",
                  nullptr, nullptr, nullptr, CHRONIK_OPTION_REQUIRED})},
    {"state_machine",
     sdk::option({"plugin", CHRONIK_OPTION_STRING, nullptr,
                  "The plugin that serves topics of this state machine. Default: the section's own "
                  "name. A state machine without options needs no section."})},
};

}  // namespace

std::span<const KernelKey> kernel_keys() {
  return kKeys;
}

}  // namespace chronik
