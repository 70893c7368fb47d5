#include "raft/progress.h"

#include <iterator>

namespace chronik::raft {

void Progress::reset(ProgressState state) {
  state_ = state;
  throttled_ = false;
  fetching = false;
  pending_snapshot_ = Index();
  inflight_.clear();
}

void Progress::become_probe() {
  // A snapshot that was sent is assumed to have arrived; abort_snapshot is for those that didn't.
  const Index base = std::max(match_, pending_snapshot_);
  reset(ProgressState::kProbe);
  next_ = base + 1;
  sent_commit_ = std::min(sent_commit_, next_ - 1);
}

void Progress::become_replicate() {
  reset(ProgressState::kReplicate);
  next_ = match_ + 1;
}

void Progress::become_snapshot(Index index) {
  reset(ProgressState::kSnapshot);
  pending_snapshot_ = index;
  next_ = index + 1;
  sent_commit_ = index;
}

void Progress::abort_snapshot() {
  pending_snapshot_ = Index();
  become_probe();
}

bool Progress::maybe_update(Index index) {
  if (index <= match_) return false;
  match_ = index;
  next_ = std::max(next_, index + 1);
  throttled_ = false;
  return true;
}

bool Progress::maybe_decrease(Index rejected, Index hint) {
  if (state_ == ProgressState::kReplicate) {
    // What it has acknowledged it can't have refused since: the message is old.
    if (rejected <= match_) return false;
    next_ = match_ + 1;
  } else {
    // While probing, one append is out at a time; an answer to any other is old.
    if (next_ - 1 != rejected) return false;
    next_ = std::max(std::min(rejected, hint + 1), match_ + 1);
    throttled_ = false;
  }
  sent_commit_ = std::min(sent_commit_, next_ - 1);
  return true;
}

void Progress::sent_entries(uint64_t count, uint64_t bytes) {
  if (state_ == ProgressState::kReplicate) {
    if (count > 0) {
      next_ = next_ + count;
      inflight_.add(next_ - 1, bytes);
    }
    // A full window lets one empty append through per heartbeat response, as a probe: if the whole
    // window was lost, its refusal gets things moving again.
    throttled_ = inflight_full();
  } else if (count > 0) {
    throttled_ = true;
  }
}

ProgressMap::ProgressMap(const Configuration& configuration, Index next, InflightLimits limits)
    : limits_(limits) {
  follow(configuration, next);
  for (Progress& member : members_) member.active = false;
}

Progress* ProgressMap::find(ReplicaId id) {
  return const_cast<Progress*>(std::as_const(*this).find(id));
}

const Progress* ProgressMap::find(ReplicaId id) const {
  const auto at = std::lower_bound(
      members_.begin(), members_.end(), id,
      [](const Progress& member, ReplicaId key) { return member.replica() < key; });
  return at != members_.end() && at->replica() == id ? &*at : nullptr;
}

void ProgressMap::follow(const Configuration& configuration, Index next) {
  std::vector<ReplicaId> ids = configuration.voters;
  for (const auto* more : {&configuration.voters_outgoing, &configuration.learners})
    ids.insert(ids.end(), more->begin(), more->end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());

  std::vector<Progress> members;
  members.reserve(ids.size());
  for (ReplicaId id : ids) {
    if (Progress* known = find(id)) {
      members.push_back(std::move(*known));
      members.back().learner = configuration.is_learner(id);
    } else {
      members.emplace_back(id, next, configuration.is_learner(id), limits_);
      members.back().active = true;
    }
  }
  members_ = std::move(members);
}

}  // namespace chronik::raft
