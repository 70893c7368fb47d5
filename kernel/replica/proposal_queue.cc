#include "replica/proposal_queue.h"

#include <algorithm>

#include "base/check.h"
#include "replica/outcome.h"

namespace chronik {

void ProposalQueue::push(raft::EntryId id, uint64_t bytes, uint64_t key,
                         chronik_propose_request* request) {
  CHRONIK_DCHECK(pending_.empty() || pending_.back().id.index < id.index, "proposals in log order");
  pending_.push_back({id, bytes, key, request});
}

bool ProposalQueue::follow(Index index, chronik_propose_request* request) {
  const auto at =
      std::lower_bound(pending_.begin(), pending_.end(), index,
                       [](const Pending& pending, Index i) { return pending.id.index < i; });
  if (at == pending_.end() || at->id.index != index) return false;
  followers_.push_back({index, request});
  return true;
}

void ProposalQueue::on_durable(Index index) {
  for (; durable_count_ < pending_.size(); ++durable_count_) {
    Pending& pending = pending_[durable_count_];
    if (pending.id.index > index) break;
    if (pending.request == nullptr || pending.request->acks != CHRONIK_ACKS_LEADER) continue;
    chronik_outcome outcome = make_outcome(CHRONIK_OK);
    outcome.term = pending.id.term.value;
    outcome.index = pending.id.index.value;
    outcome.value = pending.key;
    answer(std::exchange(pending.request, nullptr), outcome);
  }
}

uint64_t ProposalQueue::on_applied(raft::EntryId id, const chronik_result& result) {
  uint64_t bytes = 0;
  while (!pending_.empty() && pending_.front().id.index <= id.index) {
    const Pending pending = pending_.front();
    pending_.pop_front();
    if (durable_count_ > 0) --durable_count_;
    bytes += pending.bytes;
    chronik_outcome outcome{};
    if (pending.id == id) {
      outcome = make_outcome(result.status);
      outcome.detail = result.detail;
      outcome.term = id.term.value;
      outcome.index = id.index.value;
      outcome.value = result.value;
      outcome.bytes = result.bytes;
      if (result.status != CHRONIK_OK) outcome.message = result.bytes;
    } else {
      outcome = make_outcome(CHRONIK_E_ABORTED, "another leader's entry took its place in the log");
    }
    if (pending.request != nullptr) answer(pending.request, outcome);
    answer_followers(pending.id.index, outcome);
  }
  return bytes;
}

uint64_t ProposalQueue::abandon(const char* why) {
  uint64_t bytes = 0;
  const chronik_outcome outcome = make_outcome(CHRONIK_E_UNKNOWN, why);
  std::deque<Pending> pending = std::exchange(pending_, {});
  std::vector<Follower> followers = std::exchange(followers_, {});
  durable_count_ = 0;
  for (const Pending& p : pending) {
    bytes += p.bytes;
    if (p.request != nullptr) answer(p.request, outcome);
  }
  for (const Follower& f : followers) answer(f.request, outcome);
  return bytes;
}

void ProposalQueue::answer_followers(Index index, const chronik_outcome& outcome) {
  if (followers_.empty()) return;
  std::erase_if(followers_, [&](const Follower& follower) {
    if (follower.index != index) return false;
    answer(follower.request, outcome);
    return true;
  });
}

}  // namespace chronik
