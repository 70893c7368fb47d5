// For authors of log storages: what every one of them must know of a group in order to answer
// submit() at once, and the check that decides whether a batch may be accepted.
//
//   GroupState      where the log starts and ends, term runs, hard state, meta. A few hundred
//   bytes;
//                   an idle group allocates nothing else.
//   BatchValidator  walks a batch over drafts of the groups it names and says OK or
//                   INVALID_ARGUMENT, before anything is applied: all or nothing costs no undo.
//
// Neither knows where entries are kept. Not thread-safe: the storage's own lock covers both.
#pragma once

#include <string>
#include <vector>

#include "chronik/abi/log_storage.h"
#include "chronik/sdk/base.hpp"

namespace chronik::sdk {
inline namespace v0 {

inline Array<chronik_log_operation> operations(const chronik_log_batch& batch) {
  return {batch.operations, batch.operation_count, batch.operation_stride};
}
inline Array<chronik_entry> entries(const chronik_log_operation& operation) {
  return {operation.entries, operation.entry_count, operation.entry_stride};
}

// True if the batch completes on acceptance: it has nothing that must be synced.
inline bool is_lazy(const chronik_log_batch& batch) {
  for (const chronik_log_operation& operation : operations(batch)) {
    const bool may_be =
        operation.kind == CHRONIK_LOG_HARD_STATE || operation.kind == CHRONIK_LOG_GROUP_META;
    if (!may_be || (operation.flags & CHRONIK_LOG_LAZY) == 0) return false;
  }
  return true;
}

// The term of `index` in runs that cover it; runs are sorted by first_index.
inline uint64_t term_in_runs(const std::vector<chronik_term_run>& runs, uint64_t index) {
  const auto after =
      std::upper_bound(runs.begin(), runs.end(), index,
                       [](uint64_t i, const chronik_term_run& run) { return i < run.first_index; });
  return after == runs.begin() ? 0 : std::prev(after)->term;
}

struct GroupState {
  uint64_t group = 0;
  // Invariant: start_index <= last_index; term_runs cover exactly start_index+1 .. last_index.
  uint64_t start_index = 0;
  uint64_t start_term = 0;
  uint64_t last_index = 0;
  uint64_t last_term = 0;
  uint64_t last_key = 0;
  int64_t last_time_ms = 0;
  uint64_t durable_index = 0;  // Invariant: <= last_index
  uint64_t hard_term = 0;
  uint64_t hard_vote = 0;
  uint64_t hard_commit = 0;
  std::string meta;
  std::vector<chronik_term_run> term_runs;

  // Pre: start_index <= index <= last_index.
  uint64_t term_at(uint64_t index) const {
    return index == start_index ? start_term : term_in_runs(term_runs, index);
  }

  void append(const chronik_entry& entry) {
    if (term_runs.empty() || term_runs.back().term != entry.term)
      term_runs.push_back({entry.index, entry.term});
    last_index = entry.index;
    last_term = entry.term;
    last_key = entry.key;
    last_time_ms = entry.time_ms;
  }

  // Removes the entries at and after `index`; `key` and `time_ms` are those of the entry that is
  // then the last (0 if none is left). Pre: start_index < index <= last_index.
  void truncate_suffix(uint64_t index, uint64_t key, int64_t time_ms) {
    while (!term_runs.empty() && term_runs.back().first_index >= index) term_runs.pop_back();
    last_index = index - 1;
    last_term = term_at(last_index);
    last_key = key;
    last_time_ms = time_ms;
    durable_index = std::min(durable_index, last_index);
  }

  // Pre: start_index <= index <= last_index and term == term_at(index).
  void compact_prefix(uint64_t index, uint64_t term) {
    start_index = index;
    start_term = term;
    durable_index = std::max(durable_index, index);
    auto first = term_runs.begin();
    while (first != term_runs.end() && std::next(first) != term_runs.end() &&
           std::next(first)->first_index <= index + 1)
      ++first;
    term_runs.erase(term_runs.begin(), first);
    if (index == last_index) {
      term_runs.clear();
      last_key = 0;
      last_time_ms = 0;
    } else {
      term_runs.front().first_index = std::max(term_runs.front().first_index, index + 1);
    }
  }

  void reset(uint64_t index, uint64_t term) {
    start_index = last_index = index;
    start_term = last_term = term;
    last_key = 0;
    last_time_ms = 0;
    durable_index = index;
    term_runs.clear();
  }

  void set_meta(chronik_slice bytes) {
    meta.assign(static_cast<const char*>(bytes.size != 0 ? bytes.data : ""), bytes.size);
  }

  // Borrows from this; valid until the next change.
  chronik_log_group to_abi(uint32_t flags = 0) const {
    return {sizeof(chronik_log_group),
            flags,
            group,
            start_index,
            start_term,
            last_index,
            last_term,
            last_key,
            last_time_ms,
            durable_index,
            hard_term,
            hard_vote,
            hard_commit,
            slice(meta),
            term_runs.data(),
            static_cast<uint32_t>(term_runs.size()),
            0};
  }
};

// Checks batches. Keeps its scratch memory from call to call, so a check allocates nothing once it
// has seen a batch of that size.
class BatchValidator {
 public:
  // `find(group)` gives the accepted GroupState, or null. Returns OK, or INVALID_ARGUMENT with a
  // sentence that names the operation.
  template <typename Find>
  Status check(const chronik_log_batch& batch, Find&& find) {
    begin(batch.operation_count);
    for (uint32_t i = 0; i < batch.operation_count; ++i) {
      const chronik_log_operation& operation = operations(batch)[i];
      Draft& draft = draft_of(operation.group, find);
      if (const char* wrong = step(draft, operation); wrong != nullptr) {
        return Status(CHRONIK_E_INVALID_ARGUMENT, "operation " + std::to_string(i) + " (kind " +
                                                      std::to_string(operation.kind) + ", group " +
                                                      std::to_string(operation.group) + ", index " +
                                                      std::to_string(operation.index) +
                                                      "): " + wrong);
      }
    }
    return Status();
  }

 private:
  // A group as the operations seen so far would leave it.
  struct Draft {
    uint64_t group;
    const GroupState* base;  // null if the draft began from nothing
    bool exists;
    uint64_t start_index, start_term, last_index, last_term, last_key, commit;
    uint64_t kept;                        // up to here, terms are those of `base`
    std::vector<chronik_term_run> added;  // behind it, these
    uint64_t term_at(uint64_t index) const {
      if (index == start_index) return start_term;
      return index <= kept ? base->term_at(index) : term_in_runs(added, index);
    }
    void clear_log(uint64_t index, uint64_t term) {
      start_index = last_index = kept = index;
      start_term = last_term = term;
      last_key = 0;
      added.clear();
    }
  };

  void begin(uint32_t operation_count) {
    used_ = 0;
    size_t size = 16;
    while (size < 2 * size_t{operation_count}) size *= 2;
    slots_.assign(size, 0);
  }

  template <typename Find>
  Draft& draft_of(uint64_t group, Find&& find) {
    size_t at = (group * 0x9e3779b97f4a7c15u) >> 32;
    for (;; ++at) {
      uint32_t& slot = slots_[at & (slots_.size() - 1)];
      if (slot != 0) {
        if (drafts_[slot - 1].group == group) return drafts_[slot - 1];
        continue;
      }
      if (used_ == drafts_.size()) drafts_.emplace_back();
      slot = static_cast<uint32_t>(++used_);
      Draft& draft = drafts_[used_ - 1];
      draft.group = group;
      draft.base = find(group);
      draft.exists = draft.base != nullptr;
      draft.clear_log(0, 0);
      draft.commit = 0;
      if (draft.exists) load(draft);
      return draft;
    }
  }

  static void load(Draft& draft) {
    const GroupState& base = *draft.base;
    draft.start_index = base.start_index;
    draft.start_term = base.start_term;
    draft.last_index = draft.kept = base.last_index;
    draft.last_term = base.last_term;
    draft.last_key = base.last_key;
    draft.commit = base.hard_commit;
  }

  // Applies the operation to the draft, or says what is wrong with it.
  static const char* step(Draft& draft, const chronik_log_operation& operation) {
    if (operation.kind == CHRONIK_LOG_CREATE) {
      if (draft.exists) return "the group exists";
      draft.exists = true;
      draft.base = nullptr;
      draft.clear_log(0, 0);
      draft.commit = 0;
      return nullptr;
    }
    if (!draft.exists) return "no such group";
    switch (operation.kind) {
      case CHRONIK_LOG_APPEND: return append(draft, operation);
      case CHRONIK_LOG_TRUNCATE_SUFFIX: return truncate(draft, operation.index);
      case CHRONIK_LOG_HARD_STATE:
        if (operation.commit < draft.commit) return "the commit index goes back";
        draft.commit = operation.commit;
        return nullptr;
      case CHRONIK_LOG_COMPACT_PREFIX:
        if (operation.index < draft.start_index || operation.index > draft.last_index)
          return "not in the log";
        if (operation.term != draft.term_at(operation.index)) return "the term does not match";
        draft.start_index = operation.index;
        draft.start_term = operation.term;
        if (draft.start_index == draft.last_index) draft.last_key = 0;
        return nullptr;
      case CHRONIK_LOG_GROUP_META: return nullptr;
      case CHRONIK_LOG_RESET:
        if (operation.index < draft.start_index) return "the first index goes back";
        draft.clear_log(operation.index, operation.term);
        return nullptr;
      case CHRONIK_LOG_DELETE: draft.exists = false; return nullptr;
      default: return "unknown kind";
    }
  }

  static const char* append(Draft& draft, const chronik_log_operation& operation) {
    if (operation.entry_count == 0) return "no entries";
    if (operation.index != draft.last_index || operation.term != draft.last_term)
      return "does not follow the last entry";
    for (const chronik_entry& entry : entries(operation)) {
      if (entry.index != draft.last_index + 1) return "a gap between entries";
      if (entry.term < draft.last_term) return "the term goes back";
      if (entry.key < draft.last_key) return "the key goes back";
      if (entry.payload.size != 0 && entry.owner == nullptr) return "a payload without owner";
      if (entry.payload.size > UINT32_MAX) return "a payload of 4 GiB or more";
      if (draft.added.empty() || draft.added.back().term != entry.term)
        draft.added.push_back({entry.index, entry.term});
      draft.last_index = entry.index;
      draft.last_term = entry.term;
      draft.last_key = entry.key;
    }
    return nullptr;
  }

  static const char* truncate(Draft& draft, uint64_t index) {
    if (index <= draft.commit) return "would remove committed entries";
    if (index <= draft.start_index) return "not in the log";
    if (index > draft.last_index) return nullptr;
    draft.last_term = draft.term_at(index - 1);
    draft.last_index = index - 1;
    draft.last_key = 0;  // not known here; an append in the same batch goes unchecked
    draft.kept = std::min(draft.kept, index - 1);
    while (!draft.added.empty() && draft.added.back().first_index >= index) draft.added.pop_back();
    return nullptr;
  }

  std::vector<Draft> drafts_;
  size_t used_ = 0;
  std::vector<uint32_t> slots_;  // open addressing; place in drafts_ + 1, or 0
};

}  // namespace v0
}  // namespace chronik::sdk
