// The invariants that one replica can check by itself. Numbers and meaning: docs/RAFT.md.
#include "raft/input.h"
#include "raft/membership.h"

namespace chronik::raft {

std::string Raft::check_invariants() const {
  if (std::string wrong = log_.check_invariants(); !wrong.empty()) return wrong;
  // What the log begins after may come from a bootstrap, which has a term but no election.
  if (log_.last().term > term_ && log_.last() != log_.start())
    return text("I10: the log ends with ", log_.last(), " in term ", term_);
  if (Status status = membership::check(configuration_); !status.ok())
    return text("I10: ", status.message());
  if (std::holds_alternative<Candidate>(role_) && vote_ != options_.id)
    return text("I9: a candidate of term ", term_, " voted for ", vote_);

  const Leader* leader = leading();
  if (!leader) return "";
  if (leader->uncommitted.bytes() != leader->uncommitted.recount())
    return text("I12: uncommitted size is ", leader->uncommitted.bytes(), ", entries add up to ",
                leader->uncommitted.recount());
  if (leader->timeout_now_sent && has_lease(now_ns_)) return "I14: a lease after a transfer";
  for (const Progress& member : leader->members) {
    if (member.match() >= member.next())
      return text("I11: member ", member.replica(), " has match ", member.match(), ", next ",
                  member.next());
    if (member.match() > log_.last_index())
      return text("I11: member ", member.replica(), " matches ", member.match(), " of ",
                  log_.last_index());
    if (member.replica() == options_.id && member.match() > log_.handed())
      return text("I8: the leader counts its entries up to ", member.match(),
                  ", handed out for writing are ", log_.handed());
    if (member.inflight().bytes() != member.inflight().recount())
      return text("I12: bytes in flight to ", member.replica(), " don't add up");
    if (member.state() == ProgressState::kProbe && member.inflight().count() > 0)
      return text("I11: messages counted in flight to ", member.replica(), " while probing");
  }
  return "";
}

#ifdef CHRONIK_DEBUG_CHECKS
Raft::Input::~Input() {
  if (raft_.fence_.broken()) return;
  const HardState now = raft_.hard_state();
  std::string wrong = raft_.check_invariants();
  if (now.term < before_.term || now.commit < before_.commit)
    wrong = text("I7: term ", before_.term, " commit ", before_.commit, " went back to term ",
                 now.term, " commit ", now.commit);
  if (now.term == before_.term && before_.vote != kNobody && now.vote != before_.vote)
    wrong = text("I9: vote of term ", now.term, " changed from ", before_.vote, " to ", now.vote);
  if (!wrong.empty()) raft_.fence_.report(std::move(wrong));
}
#endif

}  // namespace chronik::raft
