#include "raft/raft_log.h"

#include <algorithm>

namespace chronik::raft {
namespace {

bool is_conf_change(const Entry& entry) {
  return entry.type != EntryType::kNormal;
}

// The first thing wrong with what a storage says about a log, or "".
std::string find_contradiction(const InitialState& s) {
  if (s.last_index < s.start_index) return "the log ends before it starts";
  if (s.applied < s.start_index) return "applied lies in the compacted part";
  if (s.hard_state.commit > s.last_index)
    return text("committed up to ", s.hard_state.commit, ", but the log ends at ", s.last_index,
                ": entries that were committed are gone");
  if (s.applied > std::max(s.hard_state.commit, s.start_index)) return "applied is not committed";
  if (s.terms.empty() != (s.last_index == s.start_index)) return "term runs don't cover the log";
  Index first = s.start_index + 1;
  Term term = s.start_term;
  for (size_t i = 0; i < s.terms.size(); ++i) {
    const TermRun& run = s.terms[i];
    const bool in_order = i == 0 ? run.first == first : run.first > first;
    if (!in_order || run.first > s.last_index) return "term runs are not in order";
    if (run.term < term) return "terms decrease along the log";
    first = run.first;
    term = run.term;
  }
  return "";
}

}  // namespace

RaftLog::RaftLog(InitialState state, const Options& options, Fence& fence)
    : fence_(fence),
      max_tail_bytes_(options.max_tail_bytes),
      max_applying_bytes_(options.max_committed_size_per_ready) {
  if (std::string wrong = find_contradiction(state); !wrong.empty()) {
    fence_.report("initial state: " + wrong);
    return;
  }
  start_ = {state.start_term, state.start_index};
  runs_ = std::move(state.terms);
  last_ = {runs_.empty() ? start_.term : runs_.back().term, state.last_index};
  last_key_ = state.last_key;
  last_time_ms_ = state.last_time_ms;
  stable_ = handed_ = last_.index;
  commit_ = std::max(state.hard_state.commit, start_.index);
  applied_ = applying_ = state.applied;
  types_unknown_until_ = last_.index;
}

std::optional<Term> RaftLog::term_of(Index index) const {
  if (index == last_.index) return last_.term;
  if (index < start_.index || index > last_.index) return std::nullopt;
  if (index == start_.index) return start_.term;
  auto after = std::upper_bound(runs_.begin(), runs_.end(), index,
                                [](Index key, const TermRun& run) { return key < run.first; });
  return std::prev(after)->term;
}

EntryId RaftLog::last_not_above(Index index, Term term) const {
  if (index < start_.index || index > last_.index) return {Term(), index};
  for (size_t i = runs_.size(); i-- > 0;) {
    if (runs_[i].first > index) continue;
    if (runs_[i].term <= term) return {runs_[i].term, index};
    index = runs_[i].first - 1;
  }
  if (start_.term <= term) return {start_.term, start_.index};
  // Below the start nothing is known.
  return {Term(), start_.index == Index() ? Index() : start_.index - 1};
}

void RaftLog::append(Entry entry) {
  if (entry.index != last_.index + 1 || entry.term < last_.term)
    return fence_.report(text("appending ", entry.id(), " to a log that ends at ", last_));
  push(std::move(entry));
}

void RaftLog::push(Entry entry) {
  if (entry.term != last_.term || runs_.empty()) runs_.push_back({entry.index, entry.term});
  last_ = entry.id();
  last_key_ = entry.key;
  last_time_ms_ = entry.time_ms;
  if (is_conf_change(entry)) conf_changes_.push_back(entry.index);
  tail_bytes_ += entry_bytes(entry);
  tail_.push_back(std::move(entry));
}

void RaftLog::merge(std::vector<Entry> entries) {
  size_t i = 0;
  while (i < entries.size() && matches(entries[i].id())) ++i;
  if (i == entries.size()) return;
  const Index conflict = entries[i].index;
  if (conflict <= commit_)
    return fence_.report(text("entry ", entries[i].id(),
                              " conflicts with a committed entry of term ",
                              term_of(conflict).value_or(Term()), " (commit ", commit_, ")"));
  truncate_from(conflict);
  for (; i < entries.size(); ++i) append(std::move(entries[i]));
}

void RaftLog::truncate_from(Index index) {
  while (!tail_.empty() && tail_.back().index >= index) {
    tail_bytes_ -= entry_bytes(tail_.back());
    if (tail_.back().index <= stable_) cached_bytes_ -= entry_bytes(tail_.back());
    tail_.pop_back();
  }
  while (!runs_.empty() && runs_.back().first >= index) runs_.pop_back();
  while (!conf_changes_.empty() && conf_changes_.back() >= index) conf_changes_.pop_back();
  types_unknown_until_ = std::min(types_unknown_until_, index - 1);
  last_ = {runs_.empty() ? start_.term : runs_.back().term, index - 1};
  stable_ = std::min(stable_, last_.index);
  handed_ = std::min(handed_, last_.index);
}

void RaftLog::commit_to(Index index) {
  if (index <= commit_) return;
  if (index > last_.index)
    return fence_.report(text("told to commit up to ", index, ", but the log ends at ", last_,
                              ": this replica has lost entries that it had acknowledged"));
  commit_ = index;
}

void RaftLog::restore(const SnapshotMeta& snapshot) {
  if (snapshot.last.index <= commit_)
    return fence_.report(text("snapshot ", snapshot.last, " isn't ahead of commit ", commit_));
  tail_.clear();
  tail_bytes_ = cached_bytes_ = 0;
  runs_.clear();
  conf_changes_.clear();
  types_unknown_until_ = Index();
  start_ = last_ = snapshot.last;
  last_key_ = snapshot.key;
  last_time_ms_ = snapshot.time_ms;
  stable_ = handed_ = commit_ = snapshot.last.index;
  snapshot_ = snapshot;
  snapshot_handed_ = false;
}

void RaftLog::compact(Index index, Term term) {
  if (index <= start_.index) return;
  if (index > applied_)
    return fence_.report(text("compacted up to ", index, ", applied only up to ", applied_));
  if (term_of(index) != term)
    return fence_.report(text("compacted up to ", EntryId{term, index},
                              ", but the entry there has term ", term_of(index).value_or(Term())));
  while (!tail_.empty() && tail_.front().index <= index && tail_.front().index <= stable_) {
    tail_bytes_ -= entry_bytes(tail_.front());
    cached_bytes_ -= entry_bytes(tail_.front());
    tail_.pop_front();
  }
  auto after = std::upper_bound(runs_.begin(), runs_.end(), index + 1,
                                [](Index key, const TermRun& run) { return key < run.first; });
  runs_.erase(runs_.begin(), std::prev(after));
  if (index == last_.index) {
    runs_.clear();
  } else {
    runs_.front().first = index + 1;
  }
  start_ = {term, index};
}

void RaftLog::hand_out(std::vector<Entry>* entries, std::optional<SnapshotMeta>* snapshot) {
  if (snapshot_ && !snapshot_handed_) {
    *snapshot = snapshot_;
    snapshot_handed_ = true;
  }
  if (handed_ < last_.index) copy(handed_ + 1, last_.index + 1, kNoLimit, entries);
  handed_ = last_.index;
}

EntryId RaftLog::last_in_progress() const {
  if (handed_ <= stable_) return {};
  return {*term_of(handed_), handed_};
}

void RaftLog::stable_to(EntryId id) {
  // Durable already, or overwritten since: the write that will say so is still to come.
  if (id.index <= stable_ || id.index > handed_ || !matches(id)) return;
  for (Index i = stable_ + 1; i <= id.index; ++i) cached_bytes_ += entry_bytes(at(i));
  stable_ = id.index;
  shrink_tail();
}

void RaftLog::shrink_tail() {
  while (cached_bytes_ > max_tail_bytes_) {
    tail_bytes_ -= entry_bytes(tail_.front());
    cached_bytes_ -= entry_bytes(tail_.front());
    tail_.pop_front();
  }
}

void RaftLog::snapshot_stable(Index index) {
  if (!snapshot_ || snapshot_->last.index != index)
    return;  // of an older one: a newer is on its way
  snapshot_.reset();
  applied_to(index);
}

Index RaftLog::appliable(bool allow_unstable) const {
  return allow_unstable ? commit_ : std::min(commit_, stable_);
}

CommittedRange RaftLog::next_committed(bool allow_unstable) const {
  const Index lo = applying_ + 1;
  const Index end = appliable(allow_unstable) + 1;
  if (applying_paused_ || snapshot_ || lo >= end) return {};
  if (max_applying_bytes_ == kNoLimit) return {lo, end};
  // What is no longer in memory is handed out as one piece of unknown size.
  if (lo < tail_first()) return {lo, std::min(end, tail_first())};
  const uint64_t room =
      max_applying_bytes_ - std::min(max_applying_bytes_, applying_sizes_.bytes());
  uint64_t bytes = entry_bytes(at(lo));
  Index hi = lo + 1;
  for (; hi < end; ++hi) {
    bytes += entry_bytes(at(hi));
    if (bytes > room) break;
  }
  return {lo, hi};
}

void RaftLog::hand_out_committed(CommittedRange range, bool allow_unstable) {
  applying_ = range.hi - 1;
  if (max_applying_bytes_ == kNoLimit) return;
  uint64_t bytes = 0;
  if (range.lo < tail_first()) {
    bytes = max_applying_bytes_;
  } else {
    for (Index i = range.lo; i < range.hi; ++i) bytes += entry_bytes(at(i));
  }
  applying_sizes_.add(applying_, bytes);
  // Also if the limit is what ended this range: the next entry wouldn't fit either.
  applying_paused_ =
      applying_sizes_.bytes() >= max_applying_bytes_ || applying_ < appliable(allow_unstable);
}

void RaftLog::applied_to(Index index) {
  if (index > commit_ || index < applied_)
    return fence_.report(
        text("applied up to ", index, " after ", applied_, ", committed up to ", commit_));
  applied_ = index;
  applying_ = std::max(applying_, applied_);
  applying_sizes_.release_to(index);
  applying_paused_ = applying_sizes_.bytes() >= max_applying_bytes_;
  conf_changes_.erase(conf_changes_.begin(),
                      std::upper_bound(conf_changes_.begin(), conf_changes_.end(), index));
}

bool RaftLog::has_unapplied_conf_change() const {
  if (applied_ < std::min(types_unknown_until_, commit_)) return true;
  return !conf_changes_.empty() && conf_changes_.front() <= commit_;
}

uint64_t RaftLog::copy(Index lo, Index hi, uint64_t max_bytes, std::vector<Entry>* out) const {
  uint64_t bytes = 0;
  for (Index i = lo; i < hi; ++i) {
    const Entry& entry = at(i);
    bytes += entry_bytes(entry);
    if (bytes > max_bytes && i > lo) return bytes - entry_bytes(entry);
    out->push_back(entry);
  }
  return bytes;
}

std::string RaftLog::check_invariants() const {
  if (snapshot_) {
    // Until it is installed, applied still counts in the log that it replaces.
    if (applied_ >= snapshot_->last.index) return text("I7: applied beyond a pending snapshot");
  } else if (applied_ < start_.index) {
    return text("I7: applied ", applied_, " before the log's start ", start_);
  }
  if (applied_ > applying_ || (applying_ > commit_) || commit_ > last_.index)
    return text("I7: applied ", applied_, ", applying ", applying_, ", commit ", commit_, ", last ",
                last_);
  if (start_.index > stable_ || stable_ > handed_ || handed_ > last_.index)
    return text("I15: start ", start_, ", stable ", stable_, ", handed ", handed_, ", last ",
                last_);
  if (stable_ + 1 < tail_first()) return text("I15: unstable entries are missing from memory");
  Term before = start_.term;
  for (const TermRun& run : runs_) {
    if (run.term < before) return text("I10: term ", run.term, " after ", before);
    before = run.term;
  }
  if (last_.term != before) return text("I10: last ", last_, ", but its run has term ", before);
  return "";
}

}  // namespace chronik::raft
