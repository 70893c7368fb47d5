/* Plugin kind log_storage: durable logs of many Raft groups in one instance.
 *
 * An instance keeps, per group, a log of entries, a hard state (term, vote, commit) and an opaque
 * group meta (applied configuration, checkpoint of the state machine). The host hands it batches of
 * operations over many groups; one sync may cover any number of batches and groups.
 *
 * What an implementation promises:
 *   - Atomic: all operations of one group in one batch are kept, or none, after a crash. Nothing is
 *     promised across groups.
 *   - Ordered: per group, batch A before batch B, and completions in that order.
 *   - A completion with OK means: durable, unless the instance is VOLATILE. A batch of LAZY
 * operations only completes on acceptance.
 *   - Accepted entries are readable at once, before they are durable.
 *   - A failed write or sync makes the instance FAILED for good: it calls host->fatal, completes
 * what is pending with CHRONIK_E_FAILED, and every later call returns CHRONIK_E_FAILED. Nothing is
 * retried or rolled back. (A write that failed before it could have been acknowledged, into a fresh
 * area, may be repeated elsewhere once.)
 *   - Lack of space never fails an accepted batch: it waits, environment->on_space says so, and the
 *     batch goes on when space is back.
 *   - A compaction is durable before space is given back; a group's first index never goes back
 * below a value that was reported durable.
 *
 * An implementation knows nothing of Raft's rules, with one exception: entries at or below the hard
 * state's commit are final. So TRUNCATE_SUFFIX at or below it is CHRONIK_E_INVALID_ARGUMENT, and so
 * is a HARD_STATE that takes the commit back. (It lets a storage move committed entries to where
 * they are never changed again.)
 *
 * Group ids, indexes and terms are the kernel's. The log of a fresh group begins after index 0,
 * term 0.
 */
#ifndef CHRONIK_ABI_LOG_STORAGE_H
#define CHRONIK_ABI_LOG_STORAGE_H

#include "chronik/abi/base.h"

CHRONIK_EXTERN_C_BEGIN

#define CHRONIK_LOG_STORAGE_MAJOR 0
#define CHRONIK_LOG_STORAGE_MINOR 1

/* Capabilities. */
#define CHRONIK_LOG_STORAGE_CAP_VOLATILE (UINT64_C(1) << 0) /* forgets everything at stop */

/* One log entry. In a submit, `owner` keeps `payload` alive: an implementation that needs the bytes
 * past the call retains it. In a read result the whole is pinned by the result. */
typedef struct chronik_entry {
  uint32_t struct_size;
  uint32_t type; /* the kernel's; stored as given */
  uint64_t index;
  uint64_t term;
  uint64_t key;    /* non-decreasing within a group; a stream's base offset */
  int64_t time_ms; /* milliseconds since 1970; may go backwards */
  chronik_slice payload;
  chronik_buffer* owner; /* NULL if the payload is empty */
} chronik_entry;

enum {
  /* A group that must not exist. First operation on a group. */
  CHRONIK_LOG_CREATE = 1,
  /* `entries` follow (index, term), which must be the last entry, or the start of an empty log. The
   * entries' indexes are consecutive. */
  CHRONIK_LOG_APPEND = 2,
  /* Removes the entries at and after `index`. Replacing a suffix is TRUNCATE_SUFFIX and APPEND in
   * one batch. */
  CHRONIK_LOG_TRUNCATE_SUFFIX = 3,
  /* Sets `term`, `vote`, `commit`. With CHRONIK_LOG_LAZY it may ride on a later sync. */
  CHRONIK_LOG_HARD_STATE = 4,
  /* Removes the entries at and before `index`, whose term is `term`; `meta` is written with it. */
  CHRONIK_LOG_COMPACT_PREFIX = 5,
  /* Replaces the group's meta as a whole. */
  CHRONIK_LOG_GROUP_META = 6,
  /* Drops all entries; the log begins anew after (`index`, `term`); `meta` is written with it. */
  CHRONIK_LOG_RESET = 7,
  /* Removes the group with all it has. */
  CHRONIK_LOG_DELETE = 8
};

enum {
  CHRONIK_LOG_LAZY = 1u << 0 /* HARD_STATE and GROUP_META: needs no sync of its own */
};

typedef struct chronik_log_operation {
  uint32_t struct_size;
  uint32_t kind;
  uint32_t flags;
  uint32_t entry_count;
  uint32_t entry_stride;
  uint32_t reserved;
  uint64_t group;
  uint64_t index;
  uint64_t term;
  uint64_t vote;
  uint64_t commit;
  const chronik_entry* entries;
  chronik_slice meta;
} chronik_log_operation;

/* What an entry counts beside its payload, see group_batch_bytes_max. */
#define CHRONIK_LOG_ENTRY_OVERHEAD 64

typedef struct chronik_log_batch {
  uint32_t struct_size;
  uint32_t operation_count;
  uint32_t operation_stride;
  uint32_t reserved;
  const chronik_log_operation* operations; /* order is kept per group */
} chronik_log_batch;

typedef struct chronik_log_completion {
  uint64_t token;
  int32_t status; /* CHRONIK_OK, or CHRONIK_E_FAILED */
  uint32_t reserved;
} chronik_log_completion;

/* Where a read begins. */
enum {
  /* at entry `from` */
  CHRONIK_LOG_FROM_INDEX = 1,
  /* at the lowest index among the entries with the greatest key <= `from`. If there is none: at the
   * first entry of a log that was never compacted, else OUT_OF_RANGE */
  CHRONIK_LOG_FROM_KEY = 2,
  /* at the lowest index with time_ms >= `from` (as int64) */
  CHRONIK_LOG_FROM_TIME = 3
};

typedef struct chronik_log_read {
  uint32_t struct_size;
  uint32_t from_kind;
  uint64_t group;
  uint64_t from;
  uint64_t end_index; /* first index not to be returned */
  uint64_t
      max_bytes; /* of payload; at least one entry is returned if there is one, whatever its size */
  uint64_t token;
} chronik_log_read;

/* Entries of a read, consecutive, pinned until release(). There may be fewer than asked for: the
 * reader goes on behind the last one. An empty result with CHRONIK_OK means that nothing lies
 * between the start and end_index. CHRONIK_E_OUT_OF_RANGE: the start is compacted
 * away. CHRONIK_E_DATA_LOSS: stored bytes fail their checksum; wrong bytes are never returned. */
typedef struct chronik_log_read_result chronik_log_read_result;
struct chronik_log_read_result {
  uint32_t struct_size;
  int32_t status;
  uint64_t token;
  uint32_t entry_count;
  uint32_t entry_stride;
  const chronik_entry* entries;
  /* Gives the result back. [any] [nonblocking] [created], also after stop() was called. */
  void (*release)(chronik_log_read_result* self) CHRONIK_NOEXCEPT;
};

/* Consecutive entries of one term: from first_index up to the next run's first_index. */
typedef struct chronik_term_run {
  uint64_t first_index;
  uint64_t term;
} chronik_term_run;

enum {
  CHRONIK_LOG_GROUP_SUSPECT = 1u << 0 /* acknowledged data of this group is missing or damaged */
};

/* A group as the instance holds it. Pointers are valid during the visit only. */
typedef struct chronik_log_group {
  uint32_t struct_size;
  uint32_t flags;
  uint64_t group;
  uint64_t start_index; /* the log begins after it; 0 for a fresh group */
  uint64_t start_term;
  uint64_t last_index; /* start_index if the log is empty */
  uint64_t last_term;
  uint64_t last_key; /* of the last entry, 0 if the log is empty */
  int64_t last_time_ms;
  uint64_t durable_index; /* last entry known durable */
  uint64_t hard_term;
  uint64_t hard_vote;
  uint64_t hard_commit;
  chronik_slice meta;
  const chronik_term_run* term_runs; /* cover start_index+1 .. last_index, oldest first */
  uint32_t term_run_count;
  uint32_t reserved;
} chronik_log_group;

/* Called inside the call it was given to. Non-zero stops the scan. [serial] [nonblocking] */
typedef int32_t (*chronik_log_visitor)(void* context, const chronik_log_group* group);

/* What the host offers to a log storage. Callbacks may come on any thread, never inside a call into
 * the instance, and must return soon; none comes after stop() is done. */
typedef struct chronik_log_storage_environment {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  unsigned char store_uuid[16]; /* identifies the data of this instance; an existing store with
                                   another one is refused in start() */
  /* Submits that have completed, in order per group. [any] [nonblocking] */
  void (*on_complete)(void* context, const chronik_log_completion* completions,
                      uint32_t count) CHRONIK_NOEXCEPT;
  /* A read that has ended; the host releases the result. [any] [nonblocking] */
  void (*on_read)(void* context, chronik_log_read_result* result) CHRONIK_NOEXCEPT;
  /* low = 1: the disk is nearly full, the host should stop proposing; 0: space is back.
   * [any] [nonblocking] */
  void (*on_space)(void* context, uint32_t low) CHRONIK_NOEXCEPT;
} chronik_log_storage_environment;

typedef struct chronik_log_storage_vtable {
  chronik_component_vtable component; /* struct_size is that of this struct */

  /* Accepts a batch; its completion carries `token`. Either the whole batch is accepted or nothing.
   *   RESOURCE_EXHAUSTED: too much is in flight; retry after the next completion, which will come.
   *   INVALID_ARGUMENT: a gap, a mismatch of (index, term), an unknown group, operations on one
   *   group larger than the implementation's bound: a bug of the host.
   *   FAILED: the instance has failed.
   * Payload owners are retained as needed; all else is borrowed. [any] [nonblocking] [started] */
  int32_t (*submit)(void* instance, const chronik_log_batch* batch, uint64_t token,
                    chronik_error* error) CHRONIK_NOEXCEPT;

  /* Visits one group with its accepted (not only durable) state, inside the call; NOT_FOUND if it
   * doesn't exist. The visitor must not call into the instance. [any] [nonblocking] [started] */
  int32_t (*group)(void* instance, uint64_t group, chronik_log_visitor visitor,
                   void* context) CHRONIK_NOEXCEPT;

  /* Visits all groups, in no order. Returns what stopped it. The visitor must not call into the
   * instance. [any] [may-block] [started] */
  int32_t (*scan_groups)(void* instance, chronik_log_visitor visitor,
                         void* context) CHRONIK_NOEXCEPT;

  /* Begins a read; on_read follows with its token, also for errors found later. NOT_FOUND: no such
   * group; then no on_read follows. [any] [nonblocking] [started] */
  int32_t (*read)(void* instance, const chronik_log_read* request) CHRONIK_NOEXCEPT;

  /* Writes what the last start() found, for people: what was recovered, discarded, repaired; one
   * line each, nothing if all was well. Optional. [control] [nonblocking] [started] */
  int32_t (*recovery_report)(void* instance, const chronik_sink* sink) CHRONIK_NOEXCEPT;

  /* What one group may append in one batch: the sum of its payload bytes and of
   * CHRONIK_LOG_ENTRY_OVERHEAD per entry is at most this. Optional: without it there is no bound.
   * [any] [nonblocking] [created] */
  uint64_t (*group_batch_bytes_max)(void* instance) CHRONIK_NOEXCEPT;
} chronik_log_storage_vtable;

CHRONIK_EXTERN_C_END

#endif /* CHRONIK_ABI_LOG_STORAGE_H */
