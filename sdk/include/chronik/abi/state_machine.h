/* Plugin kind state_machine: what a group's committed entries mean. One instance per replica.
 *
 * Every replica applies the same entries in the same order and must reach the same state: no clock,
 * no randomness, no address may influence it; times come in the entries. On the leader, prepare()
 * looks at each proposal just before the core takes it and may fill it in, answer it, or refuse it.
 *
 * The log is the data: a machine whose entries are themselves what clients read (a stream) keeps no
 * second copy, and answers a query with a range of the log, which the host reads and hands on.
 */
#ifndef CHRONIK_ABI_STATE_MACHINE_H
#define CHRONIK_ABI_STATE_MACHINE_H

#include "chronik/abi/log_storage.h"

CHRONIK_EXTERN_C_BEGIN

#define CHRONIK_STATE_MACHINE_MAJOR 0
#define CHRONIK_STATE_MACHINE_MINOR 1

/* No function ever waits or computes for long, so the host may call it on a shard thread. Mandatory
 * in version 0. */
#define CHRONIK_STATE_MACHINE_CAP_NONBLOCKING (UINT64_C(1) << 0)
/* save() is small and describes the state as of the log's start; all else is in the log. Without
 * this bit save() holds the whole content as of the applied index. */
#define CHRONIK_STATE_MACHINE_CAP_LOG_START (UINT64_C(1) << 1)

typedef struct chronik_state_machine_environment {
  uint32_t struct_size;
  uint32_t partition;
  uint64_t group;
  chronik_slice topic;
} chronik_state_machine_environment;

/* A proposal on its way into the log, seen by the leader. */
typedef struct chronik_proposal {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t term; /* the entry's, should it be proposed */
  uint64_t index;
  int64_t now_ms;   /* the leader's wall clock */
  uint8_t* payload; /* prepare may rewrite these bytes in place; nobody else sees them yet */
  uint64_t payload_size;
  uint64_t key;    /* out: the entry's key; preset to the last entry's */
  int64_t time_ms; /* out: the entry's time; preset to now_ms */
} chronik_proposal;

/* What became of a proposal: filled by apply() for each entry, or by prepare() for an ANSWER. */
typedef struct chronik_result {
  uint32_t struct_size;
  int32_t status;
  int32_t detail; /* as chronik_error.detail */
  uint32_t reserved;
  uint64_t value;      /* the machine's answer; a stream's base offset */
  chronik_slice bytes; /* a longer answer; valid until the next call into the instance */
} chronik_result;

/* Verdicts of prepare(). */
enum {
  CHRONIK_PREPARE_PROPOSE = 1, /* take it; key, time and payload are as left in the proposal */
  CHRONIK_PREPARE_ANSWER = 2,  /* already committed: answer with `result`, nothing is appended */
  CHRONIK_PREPARE_FOLLOW = 3, /* a duplicate of the entry at `follow_index`, still in flight: answer
                                 when that one is applied */
  CHRONIK_PREPARE_REFUSE = 4  /* answer with `error`, nothing is appended */
};

typedef struct chronik_prepared {
  uint32_t struct_size;
  uint32_t verdict;
  uint64_t follow_index;
  chronik_result result;
  chronik_error error;
} chronik_prepared;

/* Queries. `arg` and `body` depend on the kind; kinds from 1024 on belong to the machine. */
enum {
  CHRONIK_QUERY_BOUNDS = 1,  /* only the bounds */
  CHRONIK_QUERY_LOG_KEY = 2, /* the log from key `arg` on */
  CHRONIK_QUERY_LOG_TIME =
      3, /* the log from the first entry at or after time `arg` (int64 ms) on */
  CHRONIK_QUERY_OWN = 1024
};

enum {
  CHRONIK_ANSWER_VALUE = 1,     /* written to the sink (maybe nothing) */
  CHRONIK_ANSWER_LOG_RANGE = 2, /* the host reads the log: from_kind, from, up to what is applied */
  CHRONIK_ANSWER_NOT_YET = 3    /* nothing there yet: ask again after the next apply */
};

typedef struct chronik_answer {
  uint32_t struct_size;
  uint32_t kind;
  uint64_t start_key; /* bounds of what can be read: first key, and one past the last */
  uint64_t end_key;
  uint64_t from;
  uint32_t from_kind; /* CHRONIK_LOG_FROM_* */
  uint32_t reserved;
} chronik_answer;

typedef struct chronik_state_machine_vtable {
  chronik_component_vtable component; /* struct_size is that of this struct; start and stop may do
                                         nothing */

  /* Format version of entries and saved state that this code writes. [any] [nonblocking] */
  uint32_t (*version)(void* instance) CHRONIK_NOEXCEPT;

  /* Judges a proposal on the leader, in the same turn in which the core takes it; after PROPOSE it
   * will be in the log at (term, index). Optional: without it every proposal is taken as it is.
   * [serial] [nonblocking] [started] */
  void (*prepare)(void* instance, chronik_proposal* proposal,
                  chronik_prepared* prepared) CHRONIK_NOEXCEPT;

  /* gained = 1: this replica leads and has applied everything before its term. 0: it no longer
   * leads; what prepare() had assumed of entries not yet applied is void. Optional. [serial]
   * [nonblocking] [started] */
  void (*on_leadership)(void* instance, uint64_t term, uint32_t gained) CHRONIK_NOEXCEPT;

  /* Applies committed entries, consecutive, in order, each once; results[i] (zeroed) answers entry
   * i. Entries of the kernel's own (empty, configuration) aren't shown. Non-zero: the machine can't
   * go on, and its group is fenced; an entry that a machine can't make sense of is no such case but
   * a result with an error, the same on every replica. [serial] [nonblocking] [started] */
  int32_t (*apply)(void* instance, const chronik_entry* entries, uint32_t count, uint32_t stride,
                   chronik_result* results, chronik_error* error) CHRONIK_NOEXCEPT;

  /* Answers from applied state. OUT_OF_RANGE with bounds filled: `arg` lies outside.
   * [serial] [nonblocking] [started] */
  int32_t (*query)(void* instance, uint32_t kind, uint64_t arg, chronik_slice body,
                   const chronik_sink* sink, chronik_answer* answer,
                   chronik_error* error) CHRONIK_NOEXCEPT;

  /* Writes the state as of the last applied entry. [serial] [nonblocking] [started] */
  int32_t (*save)(void* instance, const chronik_sink* sink) CHRONIK_NOEXCEPT;

  /* Replaces the state by what save() wrote after entry `applied_index`; the next apply starts
   * behind it. DATA_LOSS: not what save() writes. [serial] [nonblocking] [started] */
  int32_t (*restore)(void* instance, chronik_slice saved, uint64_t applied_index,
                     chronik_error* error) CHRONIK_NOEXCEPT;
} chronik_state_machine_vtable;

CHRONIK_EXTERN_C_END

#endif /* CHRONIK_ABI_STATE_MACHINE_H */
