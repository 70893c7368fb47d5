// Proposals: what a leader appends, and what a follower passes on to it.
#include "raft/input.h"

namespace chronik::raft {
namespace {

Entry entry_of(Proposal proposal) {
  Entry entry;
  entry.key = proposal.key;
  entry.time_ms = proposal.time_ms;
  entry.payload = std::move(proposal.payload);
  return entry;
}

Entry entry_of(const ConfChangeV2& change, const Proposal& meta, EntryType type) {
  Entry entry;
  entry.type = type;
  entry.key = meta.key;
  entry.time_ms = meta.time_ms;
  entry.payload = Payload::copy_of(change.encode());
  return entry;
}

Status check_form(const ConfChangeV2& change, EntryType type) {
  if (type == EntryType::kNormal)
    return Status(Code::kInvalidArgument, "a conf change needs an entry type of its own");
  if (type == EntryType::kConfChange &&
      (change.steps.size() != 1 || change.transition != ConfChangeTransition::kAuto))
    return Status(Code::kInvalidArgument, "a v1 conf change has one step and no transition");
  return Status();
}

}  // namespace

Status Raft::check_propose(uint64_t size) const {
  if (fence_.broken()) return Status(Code::kInternal, "this replica's core is fenced");
  const Leader* leader = leading();
  if (!leader) return Status(Code::kNotLeader, "not the leader");
  if (!leader->members.find(options_.id))
    return Status(Code::kNotLeader, "the leader has been removed from its group");
  if (leader->transferee != kNobody)
    return Status(Code::kUnavailable, "leadership is being transferred");
  // A single proposal is let through whatever its size, and empty ones always are: the group must
  // be able to leave a joint configuration.
  const uint64_t used = leader->uncommitted.bytes();
  if (used > 0 && size > 0 &&
      size > options_.max_uncommitted_size - std::min(used, options_.max_uncommitted_size))
    return Status(Code::kResourceExhausted, "too much is proposed and not yet applied");
  return Status();
}

Result<EntryId> Raft::propose(Proposal proposal) {
  CHRONIK_TRY(check_propose(proposal.payload.size));
  if (proposal.key < log_.last_key())
    return Status(Code::kInvalidArgument, "keys must not decrease");
  Input input(*this);
  wake();
  append_as_leader(*leading(), entry_of(std::move(proposal)));
  finish_append(*leading());
  return log_.last();
}

Result<EntryId> Raft::propose(std::vector<Proposal> proposals) {
  std::vector<Entry> entries;
  entries.reserve(proposals.size());
  uint64_t key = log_.last_key();
  for (Proposal& proposal : proposals) {
    if (proposal.key < key) return Status(Code::kInvalidArgument, "keys must not decrease");
    key = proposal.key;
    entries.push_back(entry_of(std::move(proposal)));
  }
  const EntryId first{term_, next_index()};
  Input input(*this);
  CHRONIK_TRY(propose_entries(std::move(entries)));
  return first;
}

Result<EntryId> Raft::propose_conf_change(const ConfChangeV2& change, Proposal meta,
                                          EntryType type) {
  CHRONIK_TRY(check_form(change, type));
  if (meta.key < log_.last_key()) meta.key = log_.last_key();
  Input input(*this);
  CHRONIK_TRY(propose_entries({entry_of(change, meta, type)}));
  return log_.last();
}

// All or none. Conf changes that can't be valid now are replaced by empty entries.
Status Raft::propose_entries(std::vector<Entry> entries) {
  if (entries.empty()) return Status(Code::kInvalidArgument, "nothing to propose");
  uint64_t size = 0;
  for (const Entry& entry : entries) size += entry.payload.size;
  CHRONIK_TRY(check_propose(size));
  Leader& leader = *leading();
  Index index = next_index();
  for (Entry& entry : entries) {
    if (entry.type != EntryType::kNormal) CHRONIK_TRY(admit_conf_change(leader, entry, index));
    ++index;
  }
  wake();
  for (Entry& entry : entries) append_as_leader(leader, std::move(entry));
  finish_append(leader);
  return Status();
}

void Raft::append_as_leader(Leader& leader, Entry entry) {
  entry.term = term_;
  entry.index = next_index();
  if (entry.payload.size > 0) leader.uncommitted.add(entry.index, entry.payload.size);
  log_.append(std::move(entry));
}

// Replicates what was appended. The leader's own copy counts as everybody's does: when it is
// durable, as the acknowledgement to itself then says (thesis 10.2.1).
void Raft::finish_append(Leader& leader) {
  note("Replicate");
  send_after_persist(options_.id, term_, AppendEntriesResponse{log_.last_index()});
  broadcast_append(leader);
}

// ---- Forwarding
// ----------------------------------------------------------------------------------

Status Raft::forward_proposal(Proposal proposal) {
  return forward(entry_of(std::move(proposal)));
}

Status Raft::forward_conf_change(const ConfChangeV2& change, Proposal meta, EntryType type) {
  CHRONIK_TRY(check_form(change, type));
  return forward(entry_of(change, meta, type));
}

Status Raft::forward(Entry entry) {
  if (fence_.broken()) return Status(Code::kInternal, "this replica's core is fenced");
  Input input(*this);
  ForwardedProposal body;
  body.entries.push_back(std::move(entry));
  return on(Message{options_.id, options_.id, Term(), {}}, body);
}

Status Raft::on(const Message& message, ForwardedProposal& body) {
  if (leading()) {
    // Who forwards can't know the leader's last key.
    for (Entry& entry : body.entries) entry.key = std::max(entry.key, log_.last_key());
    return propose_entries(std::move(body.entries));
  }
  if (leader() == kNobody) return Status(Code::kNotLeader, "no leader is known");
  if (options_.disable_proposal_forwarding)
    return Status(Code::kNotLeader, "not the leader, and forwarding is disabled");
  wake();
  messages_.push_back({message.from, leader(), Term(), std::move(body)});
  return Status();
}

}  // namespace chronik::raft
