/* ram_log: a log storage in plain C11 that keeps everything in memory.
 *
 * An example to copy from. It needs the C headers of the SDK and a POSIX system, nothing else:
 *
 *   cc -std=c11 -O2 -fPIC -fvisibility=hidden -shared -I sdk/include -o ram_log.so ram_log.c
 *
 * How it works
 *   - One mutex guards everything. No function waits for anything else.
 *   - submit() first plays the batch on a copy of each group's outline (bounds, terms, hard state),
 *     which is small, and refuses the batch if a step doesn't fit. Only then it changes entries,
 * and that can't fail. So a batch is accepted as a whole or not at all.
 *   - Payloads are not copied: an entry keeps a reference to the buffer that holds its payload.
 *   - A callback may not happen inside a call into the instance. So completions and read results go
 *     to a queue, and a task on the host's executor delivers them, one task at a time, in order.
 *   - Nothing is durable: the component says VOLATILE, and a batch completes once it is accepted.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chronik/abi/log_storage.h"

/* ---- Small helpers --------------------------------------------------------------------------- */

/* Fills the caller's error, which may be NULL, and returns the code: `return fail(error, ...)`. */
static int32_t fail(chronik_error* error, int32_t code, const char* format, ...) {
  if (error != NULL) {
    va_list arguments;
    error->struct_size = sizeof *error;
    error->code = code;
    error->detail = 0;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
  }
  return code;
}

/* Without memory a process can't go on, so there is no error to return. */
static void* allocate(size_t size) {
  void* memory = calloc(1, size);
  if (memory == NULL) abort();
  return memory;
}

/* Makes room for one more element of `size` bytes in an array that doubles as it grows. */
static void* grow(void* array, uint64_t count, uint64_t* capacity, size_t size) {
  if (count < *capacity) return array;
  *capacity = *capacity == 0 ? 8 : *capacity * 2;
  array = realloc(array, *capacity * size);
  if (array == NULL) abort();
  return array;
}

/* Element `i` of an array in the ABI: the host's structs may be longer than the ones known here. */
static const chronik_log_operation* operation_at(const chronik_log_batch* batch, uint32_t i) {
  const char* bytes = (const char*)batch->operations;
  return (const chronik_log_operation*)(bytes + (size_t)i * batch->operation_stride);
}
static const chronik_entry* entry_at(const chronik_log_operation* operation, uint32_t i) {
  const char* bytes = (const char*)operation->entries;
  return (const chronik_entry*)(bytes + (size_t)i * operation->entry_stride);
}

/* ---- Groups ---------------------------------------------------------------------------------- */

/* All that is needed to tell whether an operation fits. */
typedef struct outline {
  int exists;
  uint64_t start_index; /* the log begins after it */
  uint64_t start_term;
  uint64_t last_index;
  uint64_t hard_term;
  uint64_t hard_vote;
  uint64_t hard_commit;
  chronik_term_run* runs; /* cover start_index + 1 .. last_index */
  uint64_t run_count;
  uint64_t run_capacity;
} outline;

typedef struct group group;
struct group {
  uint64_t id;
  outline now;            /* as accepted */
  outline next;           /* as it will be if the batch in hand is accepted */
  uint64_t batch;         /* the batch that `next` belongs to */
  chronik_entry* entries; /* entries[i] has index start_index + 1 + i */
  uint64_t entry_count;
  uint64_t entry_capacity;
  void* meta;
  size_t meta_size;
  group* next_in_bucket;
};

/* Term of the entry at `index`, or of the start. Returns 0 if the log doesn't have it. */
static int term_at(const outline* o, uint64_t index, uint64_t* term) {
  if (index == o->start_index) {
    *term = o->start_term;
    return 1;
  }
  if (index < o->start_index || index > o->last_index) return 0;
  for (uint64_t i = o->run_count; i > 0; --i) {
    if (o->runs[i - 1].first_index <= index) {
      *term = o->runs[i - 1].term;
      return 1;
    }
  }
  return 0;
}

static void add_term(outline* o, uint64_t index, uint64_t term) {
  if (o->run_count == 0 || o->runs[o->run_count - 1].term != term) {
    o->runs = grow(o->runs, o->run_count, &o->run_capacity, sizeof *o->runs);
    o->runs[o->run_count].first_index = index;
    o->runs[o->run_count].term = term;
    ++o->run_count;
  }
  o->last_index = index;
}

static void copy_outline(outline* to, const outline* from) {
  chronik_term_run* runs = to->runs;
  uint64_t capacity = to->run_capacity;
  while (capacity < from->run_count) runs = grow(runs, capacity, &capacity, sizeof *runs);
  if (from->run_count != 0) memcpy(runs, from->runs, from->run_count * sizeof *runs);
  *to = *from;
  to->runs = runs;
  to->run_capacity = capacity;
}

static void release_entries(group* g, uint64_t from, uint64_t end) {
  for (uint64_t i = from; i < end; ++i) {
    if (g->entries[i].owner != NULL) g->entries[i].owner->release(g->entries[i].owner);
  }
}

static void set_meta(group* g, chronik_slice meta) {
  free(g->meta);
  g->meta = NULL;
  g->meta_size = meta.size;
  if (meta.size != 0) g->meta = memcpy(allocate(meta.size), meta.data, meta.size);
}

/* ---- The instance ---------------------------------------------------------------------------- */

enum { BUCKETS = 1024 };

/* A read's result and its entries, in one piece of memory that belongs to nobody but the reader: it
 * may be released after the instance has stopped. */
typedef struct read_result read_result;
struct read_result {
  chronik_log_read_result base; /* first, so that a pointer to one is a pointer to the other */
  read_result* next;
  chronik_entry entries[];
};

typedef struct ram_log {
  const chronik_host* host;
  const chronik_log_storage_environment* environment;
  uint64_t max_in_flight;
  pthread_mutex_t mutex; /* guards everything below */
  group* buckets[BUCKETS];
  uint64_t batches;
  chronik_task delivery;
  int delivering; /* the task is posted or running */
  chronik_log_completion* completions;
  uint64_t completion_count;
  uint64_t completion_capacity;
  read_result* first_result;
  read_result* last_result;
  int stopping;
  chronik_done stopped;
} ram_log;

/* The options of the component, by their place in its table. */
enum { OPTION_MAX_IN_FLIGHT = 0 };

static group* find_group(ram_log* log, uint64_t id) {
  group* g = log->buckets[id % BUCKETS];
  while (g != NULL && g->id != id) g = g->next_in_bucket;
  return g;
}

/* A group that doesn't exist, or no longer, is an empty one whose outline says so. */
static group* find_or_make_group(ram_log* log, uint64_t id) {
  group* g = find_group(log, id);
  if (g == NULL) {
    g = allocate(sizeof *g);
    g->id = id;
    g->next_in_bucket = log->buckets[id % BUCKETS];
    log->buckets[id % BUCKETS] = g;
  }
  return g;
}

/* Hands over what is queued. Runs on a thread of the host; never twice at a time. */
static void deliver(chronik_task* task) {
  ram_log* log = (ram_log*)((char*)task - offsetof(ram_log, delivery));
  pthread_mutex_lock(&log->mutex);
  while (log->completion_count != 0 || log->first_result != NULL) {
    chronik_log_completion* completions = log->completions;
    const uint64_t count = log->completion_count;
    read_result* result = log->first_result;
    log->completions = NULL;
    log->completion_count = 0;
    log->completion_capacity = 0;
    log->first_result = NULL;
    log->last_result = NULL;
    pthread_mutex_unlock(&log->mutex);

    if (count != 0) {
      log->environment->on_complete(log->environment->context, completions, (uint32_t)count);
    }
    free(completions);
    while (result != NULL) {
      read_result* next = result->next; /* the host may release the result at once */
      log->environment->on_read(log->environment->context, &result->base);
      result = next;
    }
    pthread_mutex_lock(&log->mutex);
  }
  log->delivering = 0;
  const int stopped = log->stopping;
  const chronik_done done = log->stopped;
  pthread_mutex_unlock(&log->mutex);
  /* From here on the instance may be gone. */
  if (stopped) done.call(done.context);
}

/* With the mutex held, after something was queued. */
static void deliver_soon(ram_log* log) {
  if (log->delivering) return;
  log->delivering = 1;
  log->delivery.run = deliver;
  log->host->post(log->host->context, &log->delivery);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static int32_t ram_create(const chronik_host* host, const void* environment,
                          const chronik_config* config, void** instance, chronik_error* error) {
  (void)error;
  ram_log* log = allocate(sizeof *log);
  log->host = host;
  log->environment = environment;
  log->max_in_flight = config->values[OPTION_MAX_IN_FLIGHT].number.u64;
  pthread_mutex_init(&log->mutex, NULL);
  *instance = log;
  return CHRONIK_OK;
}

static int32_t ram_start(void* instance, chronik_error* error) {
  (void)instance;
  (void)error;
  return CHRONIK_OK; /* nothing to open, nothing to recover */
}

static void ram_stop(void* instance, chronik_done done) {
  ram_log* log = instance;
  pthread_mutex_lock(&log->mutex);
  log->stopping = 1;
  log->stopped = done;
  const int delivering = log->delivering;
  pthread_mutex_unlock(&log->mutex);
  if (!delivering) done.call(done.context); /* else deliver() does */
}

static void ram_destroy(void* instance) {
  ram_log* log = instance;
  for (size_t i = 0; i < BUCKETS; ++i) {
    group* g = log->buckets[i];
    while (g != NULL) {
      group* next = g->next_in_bucket;
      release_entries(g, 0, g->entry_count);
      free(g->entries);
      free(g->meta);
      free(g->now.runs);
      free(g->next.runs);
      free(g);
      g = next;
    }
  }
  pthread_mutex_destroy(&log->mutex);
  free(log);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Plays one operation on the outline; the entries themselves stay as they are. */
static int32_t check(const chronik_log_operation* op, outline* o, chronik_error* error) {
  const unsigned long long id = op->group;
  uint64_t term = 0;
  if (op->kind == CHRONIK_LOG_CREATE) {
    if (o->exists) return fail(error, CHRONIK_E_INVALID_ARGUMENT, "group %llu exists already", id);
    o->exists = 1; /* all else is as a new or deleted group leaves it: zero */
    o->hard_term = o->hard_vote = o->hard_commit = 0;
    return CHRONIK_OK;
  }
  if (!o->exists) return fail(error, CHRONIK_E_INVALID_ARGUMENT, "there is no group %llu", id);

  switch (op->kind) {
    case CHRONIK_LOG_APPEND:
      if (op->index != o->last_index || !term_at(o, op->index, &term) || term != op->term) {
        return fail(error, CHRONIK_E_INVALID_ARGUMENT,
                    "group %llu: entries can't follow (%llu, %llu): the log ends at %llu", id,
                    (unsigned long long)op->index, (unsigned long long)op->term,
                    (unsigned long long)o->last_index);
      }
      for (uint32_t i = 0; i < op->entry_count; ++i) {
        const chronik_entry* entry = entry_at(op, i);
        if (entry->index != o->last_index + 1) {
          return fail(error, CHRONIK_E_INVALID_ARGUMENT, "group %llu: a gap before entry %llu", id,
                      (unsigned long long)entry->index);
        }
        add_term(o, entry->index, entry->term);
      }
      return CHRONIK_OK;

    case CHRONIK_LOG_TRUNCATE_SUFFIX:
      if (op->index <= o->start_index || op->index <= o->hard_commit) {
        return fail(error, CHRONIK_E_INVALID_ARGUMENT,
                    "group %llu: can't remove entry %llu: compacted or committed", id,
                    (unsigned long long)op->index);
      }
      if (op->index > o->last_index) return CHRONIK_OK;
      o->last_index = op->index - 1;
      while (o->run_count != 0 && o->runs[o->run_count - 1].first_index >= op->index) {
        --o->run_count;
      }
      return CHRONIK_OK;

    case CHRONIK_LOG_HARD_STATE:
      if (op->commit < o->hard_commit) {
        return fail(error, CHRONIK_E_INVALID_ARGUMENT,
                    "group %llu: the commit can't go back from %llu to %llu", id,
                    (unsigned long long)o->hard_commit, (unsigned long long)op->commit);
      }
      o->hard_term = op->term;
      o->hard_vote = op->vote;
      o->hard_commit = op->commit;
      return CHRONIK_OK;

    case CHRONIK_LOG_COMPACT_PREFIX: {
      if (!term_at(o, op->index, &term) || term != op->term) {
        return fail(error, CHRONIK_E_INVALID_ARGUMENT,
                    "group %llu: can't compact to (%llu, %llu): not in the log", id,
                    (unsigned long long)op->index, (unsigned long long)op->term);
      }
      uint64_t gone = 0; /* runs that end at or before op->index */
      while (gone < o->run_count && (gone + 1 < o->run_count ? o->runs[gone + 1].first_index - 1
                                                             : o->last_index) <= op->index) {
        ++gone;
      }
      o->run_count -= gone;
      if (o->run_count != 0) {
        memmove(o->runs, o->runs + gone, o->run_count * sizeof *o->runs);
        if (o->runs[0].first_index <= op->index) o->runs[0].first_index = op->index + 1;
      }
      o->start_index = op->index;
      o->start_term = op->term;
      return CHRONIK_OK;
    }

    case CHRONIK_LOG_GROUP_META: return CHRONIK_OK;

    case CHRONIK_LOG_RESET:
      if (op->index < o->start_index) {
        return fail(error, CHRONIK_E_INVALID_ARGUMENT,
                    "group %llu: the log's start can't go back to %llu", id,
                    (unsigned long long)op->index);
      }
      o->start_index = o->last_index = op->index;
      o->start_term = op->term;
      o->run_count = 0;
      return CHRONIK_OK;

    case CHRONIK_LOG_DELETE:
      o->exists = 0;
      o->start_index = o->start_term = o->last_index = 0;
      o->run_count = 0;
      return CHRONIK_OK;

    default:
      return fail(error, CHRONIK_E_INVALID_ARGUMENT, "unknown kind of operation %u", op->kind);
  }
}

/* Changes the entries and the meta as the operation says. It fits: check() has seen it. `start` is
 * the index before entries[0] and moves along. */
static void apply(const chronik_log_operation* op, group* g, uint64_t* start) {
  switch (op->kind) {
    case CHRONIK_LOG_APPEND:
      for (uint32_t i = 0; i < op->entry_count; ++i) {
        const chronik_entry* entry = entry_at(op, i);
        g->entries = grow(g->entries, g->entry_count, &g->entry_capacity, sizeof *g->entries);
        g->entries[g->entry_count] = *entry;
        g->entries[g->entry_count].struct_size = sizeof *g->entries;
        ++g->entry_count;
        if (entry->owner != NULL) entry->owner->retain(entry->owner);
      }
      break;
    case CHRONIK_LOG_TRUNCATE_SUFFIX:
      if (op->index <= *start + g->entry_count) {
        release_entries(g, op->index - *start - 1, g->entry_count);
        g->entry_count = op->index - *start - 1;
      }
      break;
    case CHRONIK_LOG_COMPACT_PREFIX: {
      const uint64_t gone = op->index - *start;
      release_entries(g, 0, gone);
      g->entry_count -= gone;
      if (g->entry_count != 0) {
        memmove(g->entries, g->entries + gone, g->entry_count * sizeof *g->entries);
      }
      *start = op->index;
      set_meta(g, op->meta);
      break;
    }
    case CHRONIK_LOG_GROUP_META: set_meta(g, op->meta); break;
    case CHRONIK_LOG_RESET:
      release_entries(g, 0, g->entry_count);
      g->entry_count = 0;
      *start = op->index;
      set_meta(g, op->meta);
      break;
    case CHRONIK_LOG_DELETE: {
      const chronik_slice nothing = {NULL, 0};
      release_entries(g, 0, g->entry_count);
      g->entry_count = 0;
      *start = 0;
      set_meta(g, nothing);
      break;
    }
    default: break; /* CREATE and HARD_STATE are all outline */
  }
}

static int32_t ram_submit(void* instance, const chronik_log_batch* batch, uint64_t token,
                          chronik_error* error) {
  ram_log* log = instance;
  int32_t status = CHRONIK_OK;
  pthread_mutex_lock(&log->mutex);
  if (log->completion_count >= log->max_in_flight) {
    status = fail(error, CHRONIK_E_RESOURCE_EXHAUSTED, "%llu batches are in flight",
                  (unsigned long long)log->completion_count);
  }
  ++log->batches;
  for (uint32_t i = 0; status == CHRONIK_OK && i < batch->operation_count; ++i) {
    const chronik_log_operation* op = operation_at(batch, i);
    group* g = find_or_make_group(log, op->group);
    if (g->batch != log->batches) {
      g->batch = log->batches;
      copy_outline(&g->next, &g->now);
    }
    status = check(op, &g->next, error);
  }
  if (status == CHRONIK_OK) {
    for (uint32_t i = 0; i < batch->operation_count; ++i) {
      const chronik_log_operation* op = operation_at(batch, i);
      group* g = find_group(log, op->group);
      apply(op, g, &g->now.start_index);
    }
    for (uint32_t i = 0; i < batch->operation_count; ++i) {
      group* g = find_group(log, operation_at(batch, i)->group);
      copy_outline(&g->now, &g->next);
    }
    log->completions = grow(log->completions, log->completion_count, &log->completion_capacity,
                            sizeof *log->completions);
    chronik_log_completion* completion = &log->completions[log->completion_count++];
    completion->token = token;
    completion->status = CHRONIK_OK;
    completion->reserved = 0;
    deliver_soon(log);
  }
  pthread_mutex_unlock(&log->mutex);
  return status;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int32_t visit(const group* g, chronik_log_visitor visitor, void* context) {
  chronik_log_group seen;
  memset(&seen, 0, sizeof seen);
  seen.struct_size = sizeof seen;
  seen.group = g->id;
  seen.start_index = g->now.start_index;
  seen.start_term = g->now.start_term;
  seen.last_index = g->now.last_index;
  seen.last_term = g->now.start_term;
  if (g->entry_count != 0) {
    const chronik_entry* last = &g->entries[g->entry_count - 1];
    seen.last_term = last->term;
    seen.last_key = last->key;
    seen.last_time_ms = last->time_ms;
  }
  seen.durable_index = g->now.last_index; /* as durable as it gets here */
  seen.hard_term = g->now.hard_term;
  seen.hard_vote = g->now.hard_vote;
  seen.hard_commit = g->now.hard_commit;
  seen.meta.data = g->meta;
  seen.meta.size = g->meta_size;
  seen.term_runs = g->now.runs;
  seen.term_run_count = (uint32_t)g->now.run_count;
  return visitor(context, &seen);
}

static int32_t ram_group(void* instance, uint64_t id, chronik_log_visitor visitor, void* context) {
  ram_log* log = instance;
  int32_t status = CHRONIK_E_NOT_FOUND;
  pthread_mutex_lock(&log->mutex);
  const group* g = find_group(log, id);
  if (g != NULL && g->now.exists) status = visit(g, visitor, context);
  pthread_mutex_unlock(&log->mutex);
  return status;
}

static int32_t ram_scan_groups(void* instance, chronik_log_visitor visitor, void* context) {
  ram_log* log = instance;
  int32_t status = CHRONIK_OK;
  pthread_mutex_lock(&log->mutex);
  for (size_t i = 0; status == CHRONIK_OK && i < BUCKETS; ++i) {
    for (const group* g = log->buckets[i]; status == CHRONIK_OK && g != NULL;
         g = g->next_in_bucket) {
      if (g->now.exists) status = visit(g, visitor, context);
    }
  }
  pthread_mutex_unlock(&log->mutex);
  return status;
}

/* Number of entries at the front whose key is below `key`; keys don't decrease. */
static uint64_t count_below(const group* g, uint64_t key) {
  uint64_t low = 0;
  uint64_t high = g->entry_count;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (g->entries[middle].key < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* Place of the first entry to be read; entry_count if there is none. */
static int32_t find_start(const group* g, const chronik_log_read* request, uint64_t* place) {
  const uint64_t start = g->now.start_index;
  *place = g->entry_count;
  switch (request->from_kind) {
    case CHRONIK_LOG_FROM_INDEX:
      if (request->from <= start) return CHRONIK_E_OUT_OF_RANGE;
      if (request->from - start - 1 < g->entry_count) *place = request->from - start - 1;
      return CHRONIK_OK;
    case CHRONIK_LOG_FROM_KEY:
      if (g->entry_count == 0) return CHRONIK_OK;
      if (g->entries[0].key > request->from) {
        if (start != 0) return CHRONIK_E_OUT_OF_RANGE;
        *place = 0;
        return CHRONIK_OK;
      }
      /* The last entry with a key <= from, then the first one with the same key. */
      *place = request->from == UINT64_MAX ? g->entry_count : count_below(g, request->from + 1);
      *place = count_below(g, g->entries[*place - 1].key);
      return CHRONIK_OK;
    case CHRONIK_LOG_FROM_TIME:
      for (uint64_t i = 0; i < g->entry_count; ++i) {
        if (g->entries[i].time_ms >= (int64_t)request->from) {
          *place = i;
          break;
        }
      }
      return CHRONIK_OK;
    default: return CHRONIK_E_INVALID_ARGUMENT;
  }
}

static void release_result(chronik_log_read_result* base) {
  read_result* result = (read_result*)base;
  for (uint32_t i = 0; i < base->entry_count; ++i) {
    chronik_buffer* owner = result->entries[i].owner;
    if (owner != NULL) owner->release(owner);
  }
  free(result);
}

static int32_t ram_read(void* instance, const chronik_log_read* request) {
  ram_log* log = instance;
  pthread_mutex_lock(&log->mutex);
  const group* g = find_group(log, request->group);
  if (g == NULL || !g->now.exists) {
    pthread_mutex_unlock(&log->mutex);
    return CHRONIK_E_NOT_FOUND;
  }
  uint64_t place = 0;
  const int32_t status = find_start(g, request, &place);
  uint64_t count = 0;
  uint64_t bytes = 0;
  while (status == CHRONIK_OK && place + count < g->entry_count && count < UINT32_MAX) {
    const chronik_entry* entry = &g->entries[place + count];
    if (entry->index >= request->end_index) break;
    if (count != 0 && bytes + entry->payload.size > request->max_bytes) break;
    bytes += entry->payload.size;
    ++count;
  }

  read_result* result = allocate(sizeof *result + count * sizeof(chronik_entry));
  result->base.struct_size = sizeof result->base;
  result->base.status = status;
  result->base.token = request->token;
  result->base.entry_count = (uint32_t)count;
  result->base.entry_stride = sizeof(chronik_entry);
  result->base.entries = result->entries;
  result->base.release = release_result;
  for (uint64_t i = 0; i < count; ++i) {
    result->entries[i] = g->entries[place + i];
    if (result->entries[i].owner != NULL)
      result->entries[i].owner->retain(result->entries[i].owner);
  }
  if (log->last_result != NULL) {
    log->last_result->next = result;
  } else {
    log->first_result = result;
  }
  log->last_result = result;
  deliver_soon(log);
  pthread_mutex_unlock(&log->mutex);
  return CHRONIK_OK;
}

/* ---- Descriptor ------------------------------------------------------------------------------ */

static const chronik_log_storage_vtable vtable = {
    .component = {.struct_size = sizeof(chronik_log_storage_vtable),
                  .create = ram_create,
                  .start = ram_start,
                  .stop = ram_stop,
                  .destroy = ram_destroy},
    .submit = ram_submit,
    .group = ram_group,
    .scan_groups = ram_scan_groups,
    .read = ram_read};

static const chronik_option options[] = {
    [OPTION_MAX_IN_FLIGHT] = {.struct_size = sizeof(chronik_option),
                              .type = CHRONIK_OPTION_U64,
                              .name = "max_in_flight",
                              .default_value = "65536",
                              .min_value = "1",
                              .doc = "Batches accepted and not yet reported as complete."}};

static const chronik_component components[] = {
    {.struct_size = sizeof(chronik_component),
     .kind = CHRONIK_KIND_LOG_STORAGE,
     .name = "ram_log",
     .doc = "Keeps logs in memory and forgets them at stop.",
     .interface_major = CHRONIK_LOG_STORAGE_MAJOR,
     .interface_minor = CHRONIK_LOG_STORAGE_MINOR,
     .option_count = sizeof options / sizeof *options,
     .option_stride = sizeof *options,
     .capabilities = CHRONIK_LOG_STORAGE_CAP_VOLATILE,
     .options = options,
     .vtable = &vtable}};

CHRONIK_EXPORT extern const chronik_plugin chronik_plugin_v0;
const chronik_plugin chronik_plugin_v0 = {.struct_size = sizeof(chronik_plugin),
                                          .abi_major = CHRONIK_ABI_MAJOR,
                                          .abi_minor = CHRONIK_ABI_MINOR,
                                          .min_host_minor = CHRONIK_ABI_MINOR,
                                          .component_count = sizeof components / sizeof *components,
                                          .component_stride = sizeof *components,
                                          .id = "org.example.ram_log",
                                          .version = "1.0.0",
                                          .vendor = "Example",
                                          .license = "Apache-2.0",
                                          .doc = "A log storage in plain C.",
                                          .build = CHRONIK_BUILD_TAG,
                                          .components = components};
