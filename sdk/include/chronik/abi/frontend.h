/* Plugin kind frontend: how clients reach the node (gRPC, HTTP, Kafka's protocol, a benchmark).
 *
 * A frontend owns its sockets and threads. It finds partitions in an immutable routing snapshot and
 * hands requests to the host. A request is a struct that the frontend owns and keeps alive until
 * the host calls its `done`, exactly once, on a thread of the host, possibly before the call that
 * made the request has returned; `done` must not block. Nothing is allocated on the host's side per
 * request.
 */
#ifndef CHRONIK_ABI_FRONTEND_H
#define CHRONIK_ABI_FRONTEND_H

#include "chronik/abi/state_machine.h"

CHRONIK_EXTERN_C_BEGIN

#define CHRONIK_FRONTEND_MAJOR 0
#define CHRONIK_FRONTEND_MINOR 1

/* ---- Routing --------------------------------------------------------------------------------- */

typedef struct chronik_route_partition {
  uint64_t group;
  uint64_t leader_node; /* a hint, 0 if unknown; the group itself knows better */
} chronik_route_partition;

typedef struct chronik_route_topic {
  uint32_t struct_size;
  uint32_t partition_count;
  uint32_t partition_stride;
  uint32_t replication;
  uint64_t topic_id; /* never reused: tells a topic from a later one of the same name */
  chronik_slice name;
  chronik_slice state_machine;
  chronik_slice log_storage;
  const chronik_route_partition* partitions; /* by partition number */
} chronik_route_topic;

typedef struct chronik_route_node {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t node;
  chronik_slice api_address; /* host:port that clients are told; empty if unknown */
} chronik_route_node;

/* Immutable; valid until released. Topics are sorted by name, nodes by id. */
typedef struct chronik_routing {
  uint32_t struct_size;
  uint32_t topic_count;
  uint32_t topic_stride;
  uint32_t node_count;
  uint32_t node_stride;
  uint32_t reserved;
  uint64_t version; /* grows with every change */
  const chronik_route_topic* topics;
  const chronik_route_node* nodes;
} chronik_routing;

/* ---- Requests -------------------------------------------------------------------------------- */

enum {
  CHRONIK_ACKS_NONE = 0, /* answered on admission */
  CHRONIK_ACKS_LEADER =
      1, /* answered when the leader's own write is durable; may be lost on failover */
  CHRONIK_ACKS_ALL = 2 /* answered when committed and applied on the leader */
};

/* How a request ended. Valid during `done` only. */
typedef struct chronik_outcome {
  uint32_t struct_size;
  int32_t status;
  int32_t detail; /* as chronik_error.detail */
  uint32_t reserved;
  uint64_t term; /* of the entry, where there is one */
  uint64_t index;
  uint64_t value;        /* the machine's answer; a stream's base offset */
  chronik_slice bytes;   /* a longer answer */
  chronik_slice message; /* of an error */
  uint64_t leader_node;  /* with NOT_LEADER: who leads, 0 if unknown */
  chronik_slice leader_address;
} chronik_outcome;

typedef struct chronik_propose_request chronik_propose_request;
struct chronik_propose_request {
  uint32_t struct_size;
  uint32_t acks;
  uint64_t group;
  uint8_t* payload; /* inside `owner`; until done, the host may write to it */
  uint64_t payload_size;
  chronik_buffer* owner; /* the host retains it as long as it needs the bytes */
  /* Called by the host, once, on a thread of its own. [any] [nonblocking] */
  void (*done)(chronik_propose_request* request, const chronik_outcome* outcome) CHRONIK_NOEXCEPT;
  void* host[4]; /* the host's, until done */
};

/* The answer to a query. Entries are pinned until release(pin). */
typedef struct chronik_query_reply {
  uint32_t struct_size;
  int32_t status;
  uint64_t start_key;
  uint64_t end_key;
  uint64_t high_watermark; /* end of what is committed and applied; end_key of a stream */
  chronik_slice bytes;     /* during done only */
  chronik_slice message;   /* of an error; during done only */
  uint64_t leader_node;
  chronik_slice leader_address; /* during done only */
  uint32_t entry_count;
  uint32_t entry_stride;
  const chronik_entry* entries;
  void* pin;                                   /* NULL: nothing to release */
  void (*release)(void* pin) CHRONIK_NOEXCEPT; /* [any] [nonblocking] */
} chronik_query_reply;

typedef struct chronik_query_request chronik_query_request;
struct chronik_query_request {
  uint32_t struct_size;
  uint32_t kind; /* CHRONIK_QUERY_* */
  uint64_t group;
  uint64_t arg;
  chronik_slice body; /* kept alive by the caller until done */
  uint64_t max_bytes; /* of entries; at least one is returned if there is one */
  int64_t wait_ns;    /* how long to wait while there is nothing yet (long poll); 0: answer at once
                         with no entries */
  /* Called by the host, once, on a thread of its own. [any] [nonblocking] */
  void (*done)(chronik_query_request* request, const chronik_query_reply* reply) CHRONIK_NOEXCEPT;
  void* host[6]; /* the host's, until done */
};

enum {
  CHRONIK_ADMIN_TOPIC_CREATE = 1, /* name, partitions, replication, state_machine, log_storage */
  CHRONIK_ADMIN_TOPIC_DELETE = 2, /* name */
  CHRONIK_ADMIN_ALLOCATE_PRODUCER_ID =
      3 /* outcome.value: an id that no producer of the cluster had */
};

/* A change that the metadata group makes. `done` is called when it is committed and this node has
 * acted on it: a created topic then accepts records. */
typedef struct chronik_admin_request chronik_admin_request;
struct chronik_admin_request {
  uint32_t struct_size;
  uint32_t kind;
  chronik_slice name;
  uint32_t partitions;
  uint32_t replication;        /* 0: as many as there are nodes, at most 3 */
  chronik_slice state_machine; /* empty: "stream" */
  chronik_slice log_storage;   /* name of a [log_storage.NAME] section; empty: the first */
  /* Called by the host, once, on a thread of its own. [any] [nonblocking] */
  void (*done)(chronik_admin_request* request, const chronik_outcome* outcome) CHRONIK_NOEXCEPT;
  void* host[4]; /* the host's, until done */
};

/* ---- Status ---------------------------------------------------------------------------------- */

enum {
  CHRONIK_ROLE_FOLLOWER = 0,
  CHRONIK_ROLE_CANDIDATE = 1,
  CHRONIK_ROLE_LEADER = 2,
  CHRONIK_ROLE_LEARNER = 3,
  CHRONIK_ROLE_FENCED = 4 /* out of service after a broken invariant; `message` says which */
};

typedef struct chronik_group_status {
  uint32_t struct_size;
  uint32_t role;
  uint64_t group;
  uint32_t partition;
  uint32_t reserved;
  chronik_slice topic; /* empty for the metadata group */
  uint64_t term;
  uint64_t leader_node;
  uint64_t first_index;
  uint64_t last_index;
  uint64_t durable_index;
  uint64_t commit_index;
  uint64_t applied_index;
  uint64_t start_key;
  uint64_t end_key;
  chronik_slice message;
} chronik_group_status;

typedef struct chronik_metric {
  uint32_t struct_size;
  uint32_t type;
  chronik_slice name;   /* full name */
  chronik_slice labels; /* instance="main" */
  chronik_slice help;
  int64_t value;
} chronik_metric;

/* Everything about this node; valid during `done` only. */
typedef struct chronik_node_status {
  uint32_t struct_size;
  uint32_t group_count;
  uint32_t group_stride;
  uint32_t metric_count;
  uint32_t metric_stride;
  uint32_t reserved;
  uint64_t node;
  chronik_slice cluster_name;
  chronik_slice version;
  int64_t uptime_ns;
  const chronik_group_status* groups; /* sorted by group id */
  const chronik_metric* metrics;
} chronik_node_status;

typedef struct chronik_status_request chronik_status_request;
struct chronik_status_request {
  uint32_t struct_size;
  uint32_t reserved;
  /* Called by the host, once, on a thread of its own. [any] [nonblocking] */
  void (*done)(chronik_status_request* request, const chronik_node_status* status) CHRONIK_NOEXCEPT;
  void* host[4]; /* the host's, until done */
};

/* ---- Vtable and environment ------------------------------------------------------------------ */

typedef struct chronik_frontend_environment {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  uint64_t node;
  uint64_t max_payload_bytes; /* a longer proposal is refused with INVALID_ARGUMENT */

  /* The current routing snapshot; give it back soon. Never NULL. [any] [nonblocking] [started] */
  const chronik_routing* (*routing_acquire)(void* context)CHRONIK_NOEXCEPT;
  void (*routing_release)(void* context, const chronik_routing* routing) CHRONIK_NOEXCEPT;

  /* Tells the host (and through it, clients of other nodes) where this frontend listens. Called in
   * start(), once the port is known. [control] [nonblocking] [created] */
  void (*set_address)(void* context, chronik_slice address) CHRONIK_NOEXCEPT;

  /* Requests. `done` says all, also when the node is stopping. [any] [nonblocking] [started] */
  void (*propose)(void* context, chronik_propose_request* request) CHRONIK_NOEXCEPT;
  void (*query)(void* context, chronik_query_request* request) CHRONIK_NOEXCEPT;
  void (*admin)(void* context, chronik_admin_request* request) CHRONIK_NOEXCEPT;
  void (*status)(void* context, chronik_status_request* request) CHRONIK_NOEXCEPT;

  /* Ends a query's long poll early: its `done` comes soon with what there is (harmless if it has
   * come already; the request must still be alive). [any] [nonblocking] [started] */
  void (*cancel_query)(void* context, chronik_query_request* request) CHRONIK_NOEXCEPT;
} chronik_frontend_environment;

typedef struct chronik_frontend_vtable {
  /* start(): listen, and accept clients. stop(): refuse new requests, wait for those under way,
   * close, then done. */
  chronik_component_vtable component;
} chronik_frontend_vtable;

CHRONIK_EXTERN_C_END

#endif /* CHRONIK_ABI_FRONTEND_H */
