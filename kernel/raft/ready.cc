// Collecting what a driver has to do; ready.h says what it owes.
#include "raft/input.h"

namespace chronik::raft {

bool Raft::has_ready() const {
  if (fence_.broken()) return false;
  return !messages_.empty() || !messages_after_persist_.empty() || log_.has_unhanded() ||
         hard_state() != reported_hard_ || SoftState{leader(), role()} != reported_soft_ ||
         !log_.next_committed(!options_.async_storage_writes).empty() || !fetches_.empty() ||
         !snapshot_requests_.empty() || !reads_.empty() || !failed_reads_.empty();
}

Ready Raft::take_ready() {
  Ready ready;
  take_ready(&ready);
  return ready;
}

namespace {

// Empties `out`, then gives it what is in `in`, and `in` the memory that `out` had.
template <typename T>
void hand_over(std::vector<T>* in, std::vector<T>* out) {
  out->clear();
  std::swap(*in, *out);
}

}  // namespace

void Raft::take_ready(Ready* ready) {
  ready->snapshot.reset();
  ready->snapshot_data = Payload();
  ready->entries.clear();
  ready->hard_state.reset();
  ready->soft_state.reset();
  ready->mark = PersistMark();
  ready->committed = CommittedRange();
  ready->must_sync = false;
  if (fence_.broken()) {
    *ready = Ready();
    return;
  }

  note("Ready");
  log_.hand_out(&ready->entries, &ready->snapshot);
  if (ready->snapshot) ready->snapshot_data = std::move(received_snapshot_);
  const HardState hard = hard_state();
  if (hard != reported_hard_) {
    ready->hard_state = hard;
    ready->must_sync = hard.term != reported_hard_.term || hard.vote != reported_hard_.vote;
    reported_hard_ = hard;
  }
  ready->must_sync |= !ready->entries.empty() || ready->snapshot.has_value();

  hand_over(&messages_, &ready->messages);
  hand_over(&messages_after_persist_, &ready->messages_after_persist);
  if (ready->needs_persist()) {
    ready->mark = {++writes_issued_, term_, log_.last_in_progress(),
                   ready->snapshot ? ready->snapshot->last.index : Index()};
  }

  const bool allow_unstable = !options_.async_storage_writes;
  ready->committed = log_.next_committed(allow_unstable);
  if (!ready->committed.empty()) log_.hand_out_committed(ready->committed, allow_unstable);

  hand_over(&fetches_, &ready->fetches);
  hand_over(&snapshot_requests_, &ready->snapshot_requests);
  hand_over(&reads_, &ready->reads);
  hand_over(&failed_reads_, &ready->failed_reads);
  read_round_open_ = false;
  if (const SoftState soft{leader(), role()}; soft != reported_soft_) {
    ready->soft_state = soft;
    reported_soft_ = soft;
  }
}

void Raft::advance(Ready done) {
  for (Message& message : done.messages_after_persist)
    if (message.to == options_.id) (void)step(std::move(message)).ok();
  if (done.needs_persist()) on_persisted(done.mark);
  if (!done.committed.empty()) on_applied(done.committed.hi - 1);
}

}  // namespace chronik::raft
