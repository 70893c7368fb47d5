// Membership changes in the life of a group (thesis 4). What a change does to a configuration is in
// membership.h; here is when it may be proposed, and what happens when it takes effect.
//
// A change takes effect when its entry is applied, on each replica by itself. That is later than in
// the thesis, where it does when appended, and safe by three rules: a leader appends no change
// while an earlier one may be unapplied; a replica doesn't campaign while it has committed changes
// to apply; and neighbouring configurations share a majority (I13).
#include "raft/input.h"
#include "raft/membership.h"

namespace chronik::raft {

// Decides about a change at `index`, in the place where it will be appended.
Status Raft::admit_conf_change(Leader& leader, Entry& entry, Index index) {
  Result<ConfChangeV2> change = ConfChangeV2::decode(entry.payload.view());
  if (!change.ok()) return Status(Code::kInvalidArgument, std::string(change.status().message()));
  const bool may_be_pending = leader.pending_conf_change > log_.applied();
  const bool leaves = change->steps.empty();
  const bool possible = !may_be_pending && leaves == configuration_.joint();
  if (possible || options_.disable_conf_change_validation) {
    leader.pending_conf_change = index;
    note("ChangeConf", nullptr, &change.value());
  } else {
    // Not an error: its proposer sees under its name that nothing was changed.
    entry.type = EntryType::kNormal;
    entry.payload = Payload();
  }
  return Status();
}

Result<Configuration> Raft::apply_conf_change(const ConfChangeV2& change) {
  if (fence_.broken()) return Status(Code::kInternal, "this replica's core is fenced");
  Input input(*this);
  Result<Configuration> next = membership::apply(configuration_, change);
  if (!next.ok()) return next.status();
  switch_to(std::move(next).value());
  note("ApplyConfChange", nullptr, &change);
  return configuration_;
}

void Raft::switch_to(Configuration next) {
  configuration_ = std::move(next);
  Leader* leader = leading();
  if (!leader) return;
  leader->members.follow(configuration_, std::max(log_.last_index(), Index(1)));
  if (!configuration_.contains(options_.id) || configuration_.is_learner(options_.id)) {
    // A leader that isn't a voter manages on without counting itself (thesis 4.2.2), if so wished.
    if (options_.step_down_on_removal) become_follower(term_, kNobody);
    return;
  }
  if (maybe_commit(*leader)) {
    broadcast_append(*leader);
  } else {
    // Newcomers needn't wait for the next heartbeat.
    for (Progress& member : leader->members)
      if (member.replica() != options_.id) maybe_send_append(member, false);
  }
  if (leader->transferee != kNobody && !configuration_.is_voter(leader->transferee))
    leader->transferee = kNobody;
}

// Leaves a joint configuration that asked for it, once everything before is applied. A try that
// fails (leadership is being transferred) is made again with the next applied entry, by the next
// leader, or when the transfer is given up.
void Raft::maybe_auto_leave() {
  Leader* leader = leading();
  if (!leader || !configuration_.auto_leave || log_.applied() < leader->pending_conf_change) return;
  Entry leave;
  leave.type = EntryType::kConfChangeV2;
  leave.key = log_.last_key();
  leave.time_ms = log_.last_time_ms();
  std::vector<Entry> entries;
  entries.push_back(std::move(leave));
  (void)propose_entries(std::move(entries)).ok();
}

}  // namespace chronik::raft
