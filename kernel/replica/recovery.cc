// Opens a replica: turns what the log storage holds of a group into the core's initial state.
#include "plugin/abi_status.h"
#include "replica/replica.h"

namespace chronik {
namespace {

struct Recovered {
  raft::InitialState initial;
  GroupMeta meta;
};

raft::InitialState initial_state(const chronik_log_group& group) {
  raft::InitialState initial;
  initial.hard_state = {Term(group.hard_term), ReplicaId(group.hard_vote),
                        Index(group.hard_commit)};
  initial.start_index = Index(group.start_index);
  initial.start_term = Term(group.start_term);
  initial.last_index = Index(group.last_index);
  initial.last_key = group.last_key;
  initial.last_time_ms = group.last_time_ms;
  for (uint32_t i = 0; i < group.term_run_count; ++i) {
    initial.terms.push_back({Index(group.term_runs[i].first_index), Term(group.term_runs[i].term)});
  }
  return initial;
}

Result<Recovered> recover(const chronik_log_group& group) {
  if ((group.flags & CHRONIK_LOG_GROUP_SUSPECT) != 0) {
    return Status(Code::kDataLoss, "acknowledged entries are missing or damaged");
  }
  Recovered recovered;
  recovered.initial = initial_state(group);
  CHRONIK_ASSIGN_OR_RETURN(
      recovered.meta,
      GroupMeta::decode({static_cast<const char*>(group.meta.data), group.meta.size}));
  const GroupMeta& meta = recovered.meta;
  raft::InitialState& initial = recovered.initial;
  const bool from_checkpoint = meta.checkpoint && meta.checkpoint->index >= initial.start_index;
  initial.applied = from_checkpoint ? meta.checkpoint->index : initial.start_index;
  initial.configuration = from_checkpoint ? meta.checkpoint->configuration : meta.configuration;
  if (initial.applied > initial.last_index) {
    return Status(Code::kDataLoss,
                  "the checkpoint stands at entry " + std::to_string(initial.applied.value) +
                      ", but the log ends at " + std::to_string(initial.last_index.value));
  }
  // Voters that vanished would make this replica elect itself alone (docs/ARCHITECTURE.md).
  if (initial.configuration.voters.empty()) {
    return Status(Code::kDataLoss, "the stored configuration has no voters");
  }
  // What was applied was committed, whatever the lazily written commit index says.
  if (initial.hard_state.commit < initial.applied) initial.hard_state.commit = initial.applied;
  return recovered;
}

}  // namespace

Result<std::unique_ptr<PartitionReplica>> PartitionReplica::open(ReplicaOptions options,
                                                                 LogStore& store, Machine machine,
                                                                 ReplicaHost& host) {
  Result<Recovered> recovered = Status(Code::kNotFound, "not visited");
  const Status visited = store.visit(
      options.group, [&](const chronik_log_group& group) { recovered = recover(group); });
  if (!visited.ok() && visited.code() != Code::kNotFound) return visited;
  if (!visited.ok()) {
    raft::InitialState initial = raft::InitialState::bootstrap(options.initial_configuration);
    GroupMeta meta;
    meta.start_index = initial.start_index;
    meta.start_term = initial.start_term;
    meta.configuration = options.initial_configuration;
    return std::unique_ptr<PartitionReplica>(
        new PartitionReplica(std::move(options), store, std::move(machine), host,
                             std::move(initial), std::move(meta), false));
  }
  const std::string where = "group " + std::to_string(options.group.value);
  if (!recovered.ok()) return recovered.status().annotate(where);
  const auto& checkpoint = recovered->meta.checkpoint;
  if (checkpoint && checkpoint->index == recovered->initial.applied) {
    CHRONIK_TRY(to_kernel(machine->restore(checkpoint->machine, checkpoint->index.value))
                    .annotate(where + ": restoring the state machine"));
  }
  return std::unique_ptr<PartitionReplica>(
      new PartitionReplica(std::move(options), store, std::move(machine), host,
                           std::move(recovered->initial), std::move(recovered->meta), true));
}

}  // namespace chronik
