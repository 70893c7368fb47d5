#include "raft/membership.h"

#include <algorithm>

namespace chronik::raft::membership {
namespace {

using Ids = std::vector<ReplicaId>;

bool has(const Ids& ids, ReplicaId id) {
  return std::binary_search(ids.begin(), ids.end(), id);
}

void insert(Ids* ids, ReplicaId id) {
  const auto at = std::lower_bound(ids->begin(), ids->end(), id);
  if (at == ids->end() || *at != id) ids->insert(at, id);
}

void erase(Ids* ids, ReplicaId id) {
  const auto at = std::lower_bound(ids->begin(), ids->end(), id);
  if (at != ids->end() && *at == id) ids->erase(at);
}

Status refuse(const char* why) {
  return Status(Code::kInvalidArgument, why);
}

void make_voter(Configuration* c, ReplicaId id) {
  insert(&c->voters, id);
  erase(&c->learners, id);
  erase(&c->learners_next, id);
}

void remove(Configuration* c, ReplicaId id) {
  erase(&c->voters, id);
  erase(&c->learners, id);
  erase(&c->learners_next, id);
}

// A voter that the outgoing half still counts can't be a learner at the same time: it becomes one
// when the joint configuration is left.
void make_learner(Configuration* c, ReplicaId id) {
  remove(c, id);
  insert(has(c->voters_outgoing, id) ? &c->learners_next : &c->learners, id);
}

Status change_incoming(Configuration* c, const std::vector<ConfChangeStep>& steps) {
  for (const ConfChangeStep& step : steps) {
    if (step.replica == ReplicaId()) continue;
    switch (step.type) {
      case ConfChangeType::kAddVoter: make_voter(c, step.replica); break;
      case ConfChangeType::kAddLearner: make_learner(c, step.replica); break;
      case ConfChangeType::kRemove: remove(c, step.replica); break;
      case ConfChangeType::kUpdate: break;
    }
  }
  if (c->voters.empty()) return refuse("removed all voters");
  return Status();
}

size_t count_differences(const Ids& a, const Ids& b) {
  Ids different;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(),
                                std::back_inserter(different));
  return different.size();
}

Result<Configuration> checked(Configuration c) {
  CHRONIK_TRY(check(c));
  return c;
}

}  // namespace

Result<Configuration> simple_change(const Configuration& now,
                                    const std::vector<ConfChangeStep>& steps) {
  if (now.joint()) return refuse("can't apply simple config change in joint config");
  Configuration next = now;
  CHRONIK_TRY(change_incoming(&next, steps));
  if (count_differences(now.voters, next.voters) > 1)
    return refuse("more than one voter changed without entering joint config");
  return checked(std::move(next));
}

Result<Configuration> enter_joint(const Configuration& now,
                                  const std::vector<ConfChangeStep>& steps, bool auto_leave) {
  if (now.joint()) return refuse("config is already joint");
  if (now.voters.empty()) return refuse("can't make a zero-voter config joint");
  Configuration next = now;
  next.voters_outgoing = now.voters;
  CHRONIK_TRY(change_incoming(&next, steps));
  next.auto_leave = auto_leave;
  return checked(std::move(next));
}

Result<Configuration> leave_joint(const Configuration& now) {
  if (!now.joint()) return refuse("can't leave a non-joint config");
  Configuration next = now;
  for (ReplicaId id : now.learners_next) insert(&next.learners, id);
  next.learners_next.clear();
  next.voters_outgoing.clear();
  next.auto_leave = false;
  return checked(std::move(next));
}

Result<Configuration> apply(const Configuration& now, const ConfChangeV2& change) {
  if (change.leave_joint()) return leave_joint(now);
  if (change.enter_joint()) return enter_joint(now, change.steps, change.auto_leave());
  return simple_change(now, change.steps);
}

Status check(const Configuration& c) {
  for (ReplicaId id : c.learners)
    if (c.is_voter(id)) return refuse("a learner is also a voter");
  for (ReplicaId id : c.learners_next) {
    if (!has(c.voters_outgoing, id)) return refuse("a future learner is no outgoing voter");
    if (has(c.voters, id)) return refuse("a future learner is an incoming voter");
  }
  if (!c.joint() && c.auto_leave) return refuse("auto-leave outside of a joint config");
  return Status();
}

}  // namespace chronik::raft::membership
