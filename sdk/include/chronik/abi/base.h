/* Chronik plugin ABI, version 0: the vocabulary that every plugin kind shares.
 *
 * This file and its neighbours (log_storage.h, state_machine.h, frontend.h, file_io.h, metrics.h)
 * are the specification of the boundary between the kernel and its plugins. They are plain C11 and
 * also compile as C++20; nothing else is needed to write a plugin, in any language that can call C.
 *
 * Rules that hold for every declaration in these files:
 *   - Structs hold fixed-width integers, pointers and other such structs; `struct_size` comes first
 *     in every struct that may grow. A reader asks CHRONIK_HAS(p, field) before it reads a field
 *     that was added later; a writer zero-fills. Arrays of structs carry a pointer, a count and a
 *     stride, so that a reader built with an older, shorter struct can still step through them.
 *   - Strings on calls are UTF-8 with a length and may hold any byte; strings in static descriptors
 *     end in NUL.
 *   - Memory belongs to whoever allocated it and is given back to that party. Arguments are
 *     borrowed until the call returns unless the function says otherwise.
 *   - No function may let a C++ exception, longjmp or panic cross the boundary.
 *   - Each function names the threads it may be called on:
 *       [control] the host's control thread; one call at a time per instance;
 *       [any] any thread, concurrently;
 *       [serial] one call at a time per instance; the thread may change, and each call happens
 *       after the one before;
 *     then whether it may wait:
 *       [nonblocking] returns without I/O and without waiting for another thread;
 *       [may-block] may do I/O or wait;
 *     and from which state of the instance on it may be called: [created] after create(), [started]
 *     after start().
 *
 * The ABI is version 0: it may change between commits until 1.0 is frozen.
 */
#ifndef CHRONIK_ABI_BASE_H
#define CHRONIK_ABI_BASE_H

#include <stddef.h>
#include <stdint.h>

#define CHRONIK_ABI_MAJOR 0
#define CHRONIK_ABI_MINOR 1

#ifdef __cplusplus
#define CHRONIK_NOEXCEPT noexcept
#define CHRONIK_EXTERN_C_BEGIN extern "C" {
#define CHRONIK_EXTERN_C_END }
#else
#define CHRONIK_NOEXCEPT
#define CHRONIK_EXTERN_C_BEGIN
#define CHRONIK_EXTERN_C_END
#endif

/* True if the struct at `p`, which starts with `struct_size`, is long enough to hold `field`. */
#define CHRONIK_HAS(p, field) \
  ((p)->struct_size >= offsetof(__typeof__(*(p)), field) + sizeof((p)->field))

CHRONIK_EXTERN_C_BEGIN

/* ---- Status ---------------------------------------------------------------------------------- */

/* Outcome of a call. 0 is success; the others keep the meaning they have in gRPC and Abseil, and
 * add three of our own. Functions return it as int32_t. */
enum {
  CHRONIK_OK = 0,
  CHRONIK_E_CANCELLED = 1,
  CHRONIK_E_UNKNOWN = 2,           /* the outcome is in doubt: it may or may not have happened */
  CHRONIK_E_INVALID_ARGUMENT = 3,  /* wrong whatever the state: don't retry */
  CHRONIK_E_DEADLINE_EXCEEDED = 4, /* the caller's deadline passed; the outcome is in doubt */
  CHRONIK_E_NOT_FOUND = 5,
  CHRONIK_E_ALREADY_EXISTS = 6,
  CHRONIK_E_PERMISSION_DENIED = 7,
  CHRONIK_E_RESOURCE_EXHAUSTED = 8,  /* a bound was reached and nothing was done: retry later */
  CHRONIK_E_FAILED_PRECONDITION = 9, /* wrong in this state: change the state before a retry */
  CHRONIK_E_ABORTED = 10,            /* lost against a concurrent change and nothing was done */
  CHRONIK_E_OUT_OF_RANGE = 11,       /* compacted away, or past the end */
  CHRONIK_E_UNIMPLEMENTED = 12,
  CHRONIK_E_INTERNAL = 13,    /* a bug on the side that answers */
  CHRONIK_E_UNAVAILABLE = 14, /* not now; nothing was done: retry */
  CHRONIK_E_DATA_LOSS = 15,   /* stored bytes are damaged or gone */
  CHRONIK_E_NOT_LEADER = 32,  /* nothing was done: ask the leader */
  CHRONIK_E_NO_SPACE = 33,    /* the disk is too full to accept more; nothing was done */
  CHRONIK_E_FAILED = 34       /* the instance failed for good (say, a failed fsync): it accepts
                                 nothing more, and what was in flight is in doubt */
};

/* Detail of a failure. The message lives inside the struct, so it outlives its maker. A function
 * that takes `chronik_error* error` accepts NULL, and fills it exactly when it returns non-zero. */
typedef struct chronik_error {
  uint32_t struct_size;
  int32_t code;      /* same value that the function returns */
  int32_t detail;    /* a code of the component's own, or 0; the stream machine uses Kafka's */
  char message[500]; /* UTF-8, NUL-terminated, one line, no final full stop */
} chronik_error;

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* A borrowed run of bytes. Same layout as POSIX `struct iovec`, so that arrays of slices can be
 * handed to writev() as they are. */
typedef struct chronik_slice {
  const void* data;
  size_t size;
} chronik_slice;

/* A refcounted run of bytes. Whoever allocates one embeds this struct and supplies retain/release;
 * holders only call those. The bytes are immutable while more than one party holds the buffer,
 * except where a function says who may write. */
typedef struct chronik_buffer chronik_buffer;
struct chronik_buffer {
  uint32_t struct_size;
  uint32_t reserved;
  uint8_t* data;
  uint64_t size;
  void (*retain)(chronik_buffer* self) CHRONIK_NOEXCEPT;  /* [any] [nonblocking] */
  void (*release)(chronik_buffer* self) CHRONIK_NOEXCEPT; /* [any] [nonblocking] frees at zero */
};

/* Receives bytes in pieces; used where the length isn't known beforehand. */
typedef struct chronik_sink {
  void* context;
  /* Takes a copy of `bytes`; only inside the call that was given the sink. Non-zero: stop, and
   * return it. [serial] [nonblocking] */
  int32_t (*write)(void* context, chronik_slice bytes) CHRONIK_NOEXCEPT;
} chronik_sink;

/* A unit of work for a host executor. The caller owns the task and keeps it alive until `run` is
 * called, exactly once; `run` may reuse or free it. `next` and `reserved` belong to the host
 * meanwhile. */
typedef struct chronik_task chronik_task;
struct chronik_task {
  /* Called by the host, once. [any]; [nonblocking] or [may-block] as the executor it went to says
   */
  void (*run)(chronik_task* self) CHRONIK_NOEXCEPT;
  chronik_task* next;
  uint64_t reserved;
};

/* ---- Options --------------------------------------------------------------------------------- */

enum {
  CHRONIK_OPTION_BOOL = 1, /* true | false */
  CHRONIK_OPTION_I64 = 2,
  CHRONIK_OPTION_U64 = 3,
  CHRONIK_OPTION_F64 = 4,
  CHRONIK_OPTION_STRING = 5,
  CHRONIK_OPTION_BYTES = 6,    /* 64MiB; delivered as u64 bytes */
  CHRONIK_OPTION_DURATION = 7, /* 5ms; delivered as i64 nanoseconds */
  CHRONIK_OPTION_PATH = 8,
  CHRONIK_OPTION_ENDPOINT = 9, /* host:port */
  CHRONIK_OPTION_ENUM = 10     /* one word of enum_values */
};

enum {
  CHRONIK_OPTION_REQUIRED = 1u << 0,
  CHRONIK_OPTION_SECRET = 1u << 1 /* never printed */
};

/* Declares one configuration key of a component. Values are written as in a config file. */
typedef struct chronik_option {
  uint32_t struct_size;
  uint32_t type;
  uint32_t flags;
  uint32_t reserved;
  const char* name;          /* [a-z][a-z0-9_]* ; unsafe settings start with "unsafe_" */
  const char* default_value; /* NULL: none (then an absent key reads as zero or empty) */
  const char* min_value;     /* inclusive; NULL: unbounded */
  const char* max_value;     /* inclusive; NULL: unbounded */
  const char* enum_values;   /* "a|b|c" for ENUM, else NULL */
  const char* doc;           /* one sentence */
} chronik_option;

/* A validated value, in the place of its declaration: values[i] belongs to options[i]. */
typedef struct chronik_value {
  uint32_t struct_size;
  uint32_t is_set; /* 1: named by file, environment or flag; 0: default */
  union {
    uint64_t u64; /* BOOL, U64, BYTES */
    int64_t i64;  /* I64, DURATION (nanoseconds) */
    double f64;
  } number;
  chronik_slice
      text; /* the text as written, NUL-terminated behind `size`; lives as long as the config */
} chronik_value;

/* The options of one instance. Valid until create() returns. */
typedef struct chronik_config {
  uint32_t struct_size;
  uint32_t value_count;
  uint32_t value_stride;
  uint32_t reserved;
  const chronik_value* values;
  const char* instance_name; /* "main" in [log_storage.main] */
  const char* directory;     /* absolute path of a directory of this instance's own, exists; or NULL
                                for kinds that keep no files. file-io paths are relative to it */
} chronik_config;

/* ---- Host ------------------------------------------------------------------------------------ */

enum {
  CHRONIK_LOG_TRACE = 0,
  CHRONIK_LOG_DEBUG = 1,
  CHRONIK_LOG_INFO = 2,
  CHRONIK_LOG_WARN = 3,
  CHRONIK_LOG_ERROR = 4,
  CHRONIK_LOG_OFF = 5
};

enum {
  CHRONIK_CLOCK_MONOTONIC = 0, /* nanoseconds, never goes back */
  CHRONIK_CLOCK_WALL = 1       /* nanoseconds since 1970-01-01 UTC, may jump */
};

/* What the host offers to one component instance; valid from create() until destroy() returns.
 * Every function takes `context` as its first argument. */
typedef struct chronik_host {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  void* context;

  /* Messages below this level are dropped; reading it first saves formatting. */
  const int32_t* log_level;

  /* Writes one structured line, labelled with the instance. Never per record. [any] [nonblocking]
   */
  void (*log)(void* context, int32_t level, chronik_slice message) CHRONIK_NOEXCEPT;

  /* Time in nanoseconds; virtual under simulation. [any] [nonblocking] */
  int64_t (*now)(void* context, uint32_t clock) CHRONIK_NOEXCEPT;

  /* 64 random bits; reproducible under simulation. [any] [nonblocking] */
  uint64_t (*random)(void* context) CHRONIK_NOEXCEPT;

  /* Runs `task` soon on a host thread; tasks may run concurrently and must not block.
   * [any] [nonblocking] */
  void (*post)(void* context, chronik_task* task) CHRONIK_NOEXCEPT;

  /* As post, not before `delay_ns` have passed. Pending delayed tasks are run early, once, when the
   * instance is being stopped. [any] [nonblocking] */
  void (*post_after)(void* context, int64_t delay_ns, chronik_task* task) CHRONIK_NOEXCEPT;

  /* As post, on a thread that may block (file I/O outside of file-io, long computation). [any]
   * [nonblocking] */
  void (*post_blocking)(void* context, chronik_task* task) CHRONIK_NOEXCEPT;

  /* A buffer of `size` bytes, uninitialised, aligned to `alignment` (a power of two up to 4096),
   * with one reference. The bytes may be written by the caller until it shares the buffer. Aborts
   * the process when memory is exhausted, so never NULL. [any] [nonblocking] */
  chronik_buffer* (*buffer_alloc)(void* context, uint64_t size, uint32_t alignment)CHRONIK_NOEXCEPT;

  /* Reports that this instance can't go on (a failed fsync, a broken invariant). Returns at once;
   * the host then takes the instance out of service. The first report counts. [any] [nonblocking]
   */
  void (*fatal)(void* context, const chronik_error* error) CHRONIK_NOEXCEPT;

  /* An extension's struct by id ("chronik.file-io/1"), or NULL. Lives as long as the host.
   * [any] [nonblocking] */
  const void* (*get_extension)(void* context, const char* id)CHRONIK_NOEXCEPT;
} chronik_host;

/* ---- Descriptor ------------------------------------------------------------------------------ */

enum {
  CHRONIK_KIND_TRANSPORT = 1,
  CHRONIK_KIND_LOG_STORAGE = 2,
  CHRONIK_KIND_SNAPSHOT_STORE = 3,
  CHRONIK_KIND_STATE_MACHINE = 4,
  CHRONIK_KIND_FRONTEND = 5
};

/* Tells that everything begun before stop() has ended. */
typedef struct chronik_done {
  /* Called by the plugin, once; none of its callbacks follows. [any] [nonblocking] */
  void (*call)(void* context) CHRONIK_NOEXCEPT;
  void* context;
} chronik_done;

/* First part of every component's vtable. All functions are mandatory unless marked optional. */
typedef struct chronik_component_vtable {
  uint32_t struct_size; /* of the whole vtable of the kind */
  uint32_t reserved;

  /* Checks options against each other without side effects; optional (NULL). Also run by
   * `chronikd --check-config`. [control] [nonblocking] */
  int32_t (*validate)(const chronik_config* config, chronik_error* error) CHRONIK_NOEXCEPT;

  /* Makes an instance; starts nothing and touches no file. `environment` is the kind's own struct
   * of callbacks and facts (chronik_log_storage_environment, ...), valid until destroy() returns.
   * On failure *instance stays NULL. [control] [nonblocking] */
  int32_t (*create)(const chronik_host* host, const void* environment, const chronik_config* config,
                    void** instance, chronik_error* error) CHRONIK_NOEXCEPT;

  /* Opens files or sockets, recovers. [control] [may-block] [created] */
  int32_t (*start)(void* instance, chronik_error* error) CHRONIK_NOEXCEPT;

  /* Ends what runs, makes accepted work durable where it can, then calls `done`. Also legal after a
   * failed start. [control] [nonblocking] [created|started] */
  void (*stop)(void* instance, chronik_done done) CHRONIK_NOEXCEPT;

  /* Frees the instance. Only after `done`, or if start() was never called. [control] [nonblocking]
   */
  void (*destroy)(void* instance) CHRONIK_NOEXCEPT;

  /* An extension of the instance by id, or NULL; optional (NULL). [any] [nonblocking] [created] */
  const void* (*get_extension)(void* instance, const char* id)CHRONIK_NOEXCEPT;
} chronik_component_vtable;

typedef struct chronik_component {
  uint32_t struct_size;
  uint32_t kind;            /* CHRONIK_KIND_* */
  const char* name;         /* used in configs: "segment_wal"; [a-z][a-z0-9_]* */
  const char* doc;          /* one sentence */
  uint16_t interface_major; /* CHRONIK_<KIND>_MAJOR it was compiled with */
  uint16_t interface_minor;
  uint32_t option_count;
  uint32_t option_stride;
  uint32_t reserved;
  uint64_t capabilities; /* CHRONIK_<KIND>_CAP_* bits */
  const chronik_option* options;
  const void* vtable; /* chronik_<kind>_vtable */
} chronik_component;

/* The one symbol that a plugin library exports: a constant object named CHRONIK_PLUGIN_SYMBOL.
 * Being data, it is read without running the plugin's code. */
typedef struct chronik_plugin {
  uint32_t struct_size;
  uint16_t abi_major; /* of the headers it was compiled with */
  uint16_t abi_minor;
  uint16_t min_host_minor; /* refuse to load on an older host */
  uint16_t flags;
  uint32_t component_count;
  uint32_t component_stride;
  uint32_t reserved;
  const char* id;      /* "org.example.wal" */
  const char* version; /* of the plugin */
  const char* vendor;
  const char* license; /* SPDX */
  const char* doc;     /* one sentence */
  const char* build;   /* CHRONIK_BUILD_TAG */
  const chronik_component* components;
} chronik_plugin;

#define CHRONIK_PLUGIN_SYMBOL "chronik_plugin_v0"

/* What must agree between host and plugin beyond the ABI: the sanitizer runtime. */
#if defined(__SANITIZE_ADDRESS__)
#define CHRONIK_BUILD_SANITIZER "asan"
#elif defined(__SANITIZE_THREAD__)
#define CHRONIK_BUILD_SANITIZER "tsan"
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHRONIK_BUILD_SANITIZER "asan"
#elif __has_feature(thread_sanitizer)
#define CHRONIK_BUILD_SANITIZER "tsan"
#endif
#endif
#ifndef CHRONIK_BUILD_SANITIZER
#define CHRONIK_BUILD_SANITIZER "plain"
#endif
#define CHRONIK_STRINGIFY_(x) #x
#define CHRONIK_STRINGIFY(x) CHRONIK_STRINGIFY_(x)
/* "compiler;sanitizer", e.g. "12.2.0;plain" */
#define CHRONIK_BUILD_TAG __VERSION__ ";" CHRONIK_BUILD_SANITIZER

#if defined(__GNUC__)
#define CHRONIK_EXPORT __attribute__((visibility("default")))
#else
#define CHRONIK_EXPORT
#endif

CHRONIK_EXTERN_C_END

#endif /* CHRONIK_ABI_BASE_H */
