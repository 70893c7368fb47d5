/* Extension "chronik.file-io/1": files for plugins that keep them.
 *
 * Log storages and snapshot stores do all their file I/O through this service, so that the same
 * plugin runs on real files in a node and on a simulated disk, with faults, in tests.
 *
 * Work is submitted as a chain: a list of operations that one host thread performs in order,
 * stopping at the first that fails. A journal commit is one chain of writes and a datasync; its
 * `done` may submit the next one, so a busy journal runs without a change of thread.
 *
 * Paths are relative to the instance's directory, use '/', and may not leave it.
 */
#ifndef CHRONIK_ABI_FILE_IO_H
#define CHRONIK_ABI_FILE_IO_H

#include "chronik/abi/base.h"

CHRONIK_EXTERN_C_BEGIN

#define CHRONIK_FILE_IO_ID "chronik.file-io/1"

enum {
  /* path, flags -> file. */
  CHRONIK_IO_OPEN = 1,
  /* file. The handle is gone whatever the outcome. */
  CHRONIK_IO_CLOSE = 2,
  /* file, offset, buffer, size -> result: bytes read, less than size only at the end of the file.
   */
  CHRONIK_IO_READ = 3,
  /* file, offset, slices -> result: bytes written. Writes all or fails; a failed write may have
   * changed any part of the range. */
  CHRONIK_IO_WRITE = 4,
  /* file. Makes data and size durable. After a failure nothing about unsynced data is known: never
   * retried. */
  CHRONIK_IO_DATASYNC = 5,
  /* file, size. Cuts or extends with zeros. */
  CHRONIK_IO_TRUNCATE = 6,
  /* file, offset, size. Reserves space; fails with NO_SPACE. */
  CHRONIK_IO_ALLOCATE = 7,
  /* file -> result: size in bytes. */
  CHRONIK_IO_SIZE = 8,
  /* path, other_path. Atomic; replaces other_path. Durable after SYNC_DIRECTORY. */
  CHRONIK_IO_RENAME = 9,
  /* path. Durable after SYNC_DIRECTORY. */
  CHRONIK_IO_UNLINK = 10,
  /* path. It is no error if the directory exists. Durable after SYNC_DIRECTORY of its parent. */
  CHRONIK_IO_MAKE_DIRECTORY = 11,
  /* path, sink: receives each entry's name, one write per name, without "." and "..", unordered. */
  CHRONIK_IO_LIST = 12,
  /* path ("" is the instance's directory). Makes creations, renames and unlinks in it durable. */
  CHRONIK_IO_SYNC_DIRECTORY = 13,
  /* file. Exclusive lock, held until close; FAILED_PRECONDITION if another process holds it. */
  CHRONIK_IO_LOCK = 14,
  /* -> result: bytes free for this process on the file system, size: bytes in all. */
  CHRONIK_IO_SPACE = 15,
  /* Makes everything on the file system durable. */
  CHRONIK_IO_SYNC_ALL = 16
};

enum {
  CHRONIK_IO_CREATE = 1u << 0,    /* make the file if it is missing */
  CHRONIK_IO_EXCLUSIVE = 1u << 1, /* with CREATE: ALREADY_EXISTS if it is there */
  CHRONIK_IO_READ_ONLY = 1u << 2,
  /* Past the page cache: offsets, sizes and addresses are multiples of 4096. The host falls back to
   * ordinary I/O where the file system can't; see `result` of OPEN: 1 if direct, 0 if not. */
  CHRONIK_IO_DIRECT = 1u << 3
};

/* Chains of one lane share threads; lanes never wait for each other. */
enum {
  CHRONIK_IO_LANE_COMMIT = 0,     /* on the path of an acknowledgement; one thread, in order */
  CHRONIK_IO_LANE_READ = 1,       /* somebody waits for the bytes */
  CHRONIK_IO_LANE_BACKGROUND = 2, /* checkpoints, scrubbing, deletion */
  CHRONIK_IO_LANE_COUNT = 3
};

typedef struct chronik_io_operation {
  uint32_t struct_size;
  uint32_t kind;
  uint32_t flags;
  uint32_t slice_count;
  int64_t file; /* from OPEN; in a chain, operations after an OPEN may say CHRONIK_IO_OPENED */
  uint64_t offset;
  uint64_t size;
  uint8_t* buffer;
  const chronik_slice* slices; /* kept alive by the caller until done */
  chronik_slice path;
  chronik_slice other_path;
  chronik_sink sink;
  uint64_t result;
} chronik_io_operation;

/* The file that the nearest earlier OPEN of the same chain has opened. */
#define CHRONIK_IO_OPENED (-2)

typedef struct chronik_io_chain chronik_io_chain;
struct chronik_io_chain {
  uint32_t struct_size;
  uint32_t lane;
  uint32_t operation_count;
  uint32_t operation_stride;
  chronik_io_operation* operations; /* owned by the caller, alive until done */
  /* Called by the host, once, on a thread of the lane, when the chain has ended; may submit, and
   * may free the chain. Unused by run(). [any] [nonblocking] */
  void (*done)(chronik_io_chain* chain) CHRONIK_NOEXCEPT;
  /* Filled before done: */
  int32_t status;            /* of the first operation that failed, or CHRONIK_OK */
  uint32_t failed_operation; /* its place */
  int32_t os_error;          /* its errno, or 0 */
  uint32_t reserved;
  chronik_io_chain* next; /* the host's, until done */
};

typedef struct chronik_file_io {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  /* Takes the chain until `done`. [any] [nonblocking] [created] */
  void (*submit)(void* context, chronik_io_chain* chain) CHRONIK_NOEXCEPT;
  /* Performs the chain on the calling thread and returns its status; only in start(), in tasks of
   * post_blocking and in tools. [any] [may-block] [created] */
  int32_t (*run)(void* context, chronik_io_chain* chain) CHRONIK_NOEXCEPT;
} chronik_file_io;

CHRONIK_EXTERN_C_END

#endif /* CHRONIK_ABI_FILE_IO_H */
