// Produce and ProduceStream: from a message to the host's propose() and back.
//
// A batch's bytes are moved out of the parsed message into a BatchBuffer that the host may keep,
// and are never copied again. Results come back through a ReplyThread, which gathers those of one
// round into one message per stream.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "chronik/api/v1/api.pb.h"
#include "errors.h"
#include "runtime.h"

namespace chronik::grpc_api {

// A batch's bytes, counted. The host may write to them until the request is done, and may keep them
// for longer, even beyond the frontend's life.
struct BatchBuffer : chronik_buffer {
  static BatchBuffer* make(std::string bytes);

  std::string bytes;
  std::atomic<uint32_t> references{1};
};

struct PendingProduce;

// Who waits for a batch.
class ProduceWaiter {
 public:
  // Takes `pending` back; its `error` is set if it failed. Thread: the waiter's reply thread.
  virtual void on_produced(PendingProduce* pending, ReplyThread& thread) = 0;

 protected:
  ~ProduceWaiter() = default;
};

// One batch at the host. Owned by its waiter, except between propose() and on_produced().
struct PendingProduce final : chronik_propose_request, Reply {
  // Moves the batch out of `request`. Returns null and fills `error` if it can't be proposed: no
  // such topic or partition, or too large.
  static PendingProduce* make(Runtime& runtime, const sdk::RoutingRef& routing,
                              pb::ProduceRequest& request, ProduceWaiter* waiter,
                              ReplyThread& reply_thread, pb::Error& error);
  ~PendingProduce();
  PendingProduce(const PendingProduce&) = delete;
  PendingProduce& operator=(const PendingProduce&) = delete;

  // Hands it to the host. May be repeated after an answer.
  void propose();
  // The client's answer, from the host's.
  void fill(pb::ProduceResult& result);
  void deliver(ReplyThread& thread) override { waiter->on_produced(this, thread); }

  Runtime& runtime;
  ProduceWaiter* waiter;
  ReplyThread& reply_thread;
  uint64_t request_id;
  // The answer.
  int32_t status = CHRONIK_OK;
  uint64_t base_offset = 0;
  pb::Error error;  // if status isn't OK

 private:
  PendingProduce(Runtime& runtime_arg, ProduceWaiter* waiter_arg, ReplyThread& reply_thread_arg,
                 uint64_t request_id_arg)
      : chronik_propose_request{},
        runtime(runtime_arg),
        waiter(waiter_arg),
        reply_thread(reply_thread_arg),
        request_id(request_id_arg) {}
};

// Answers the unary call.
::grpc::ServerUnaryReactor* produce(Runtime& runtime, ::grpc::CallbackServerContext& context,
                                    const pb::ProduceRequest& request, pb::ProduceResult& result);

// One ProduceStream call.
//
// Reading stops while the stream or the frontend is over a bound, while results aren't taken, and
// while the host has no room: a batch refused with RESOURCE_EXHAUSTED is parked, and proposed again
// when another of this stream has been answered. With nothing under way there is no such event, and
// the client is told.
//
// Thread: reactions on gRPC's threads, on_produced and flush on the reply thread. Frees itself when
// gRPC and all requests at the host have let go of it.
class ProduceStream final
    : public ::grpc::ServerBidiReactor<pb::ProduceStreamRequest, pb::ProduceStreamResponse>,
      public Stream,
      public ProduceWaiter,
      public Flushable {
 public:
  explicit ProduceStream(Runtime& runtime);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void retain() override { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() override;
  void drain() override;
  void resume() override;

  void on_produced(PendingProduce* pending, ReplyThread& thread) override;
  void flush() override;

 private:
  ~ProduceStream();
  // Proposes a message's batches; what is wrong with one is answered at once.
  void submit(pb::ProduceStreamRequest& message);
  // Starts what the state allows: a write, a read, or the end of the call.
  void advance();
  ::grpc::Status end_status();

  // These need mutex_.
  bool may_read() const;
  bool may_finish() const;
  void answer(PendingProduce* pending);

  Runtime& runtime_;
  ReplyThread& reply_thread_;
  std::atomic<uint32_t> references_{1};
  pb::ProduceStreamRequest incoming_;  // of the read under way, then of OnReadDone
  pb::ProduceStreamResponse writing_;  // of the write under way

  // Guards what follows. Not a message to one thread: gRPC chooses the threads of its reactions.
  // Never held while calling gRPC.
  std::mutex mutex_;
  pb::ProduceStreamResponse gathering_;
  std::vector<PendingProduce*> parked_;
  uint64_t at_host_ = 0;         // requests proposed and not answered
  uint64_t inflight_bytes_ = 0;  // of those and the parked
  int busy_ = 0;          // threads that are about to use gRPC: it must not see Finish before that
  bool reading_ = false;  // a read is under way, or its message is being handled
  bool write_under_way_ = false;
  bool half_closed_ = false;
  bool cancelled_ = false;
  bool draining_ = false;
  bool finished_ = false;
  bool waits_for_runtime_ = false;     // the runtime will call resume()
  bool answered_since_flush_ = false;  // so the host has room again

  bool flush_queued_ = false;  // of the reply thread only
};

}  // namespace chronik::grpc_api
