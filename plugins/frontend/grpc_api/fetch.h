// Fetch: one partition's committed batches, written without copying large ones.
//
// The answer of the host's query pins entries; their bytes become slices of the message that gRPC
// sends, and the pin is released when the last slice is gone. The next query runs while the
// previous message is being written; there is never more than that: the client's reading paces the
// call.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <mutex>
#include <optional>

#include "chronik/api/v1/api.pb.h"
#include "errors.h"
#include "runtime.h"

namespace chronik::grpc_api {

using FetchReactor = ::grpc::ServerWriteReactor<::grpc::ByteBuffer>;

// Starts the call. `request` is a serialised FetchRequest.
FetchReactor* fetch(Runtime& runtime, ::grpc::CallbackServerContext& context,
                    const ::grpc::ByteBuffer& request);

// One Fetch call. States: first a query for the bounds decides where to begin and end; then, until
// the end is reached, queries for entries, each answered by one message.
//
// Thread: reactions on gRPC's threads, deliver on the reply thread. Frees itself when gRPC and the
// query at the host have let go of it.
class FetchStream final : public FetchReactor,
                          public Stream,
                          private chronik_query_request,
                          private Reply {
 public:
  FetchStream(Runtime& runtime, ::grpc::CallbackServerContext& context, uint64_t group,
              const pb::FetchRequest& request);
  void start();

  void OnWriteDone(bool ok) override;
  void OnCancel() override { stop_early(cancelled_); }
  void OnDone() override;

  void retain() override { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() override;
  void drain() override { stop_early(draining_); }
  void resume() override {}

 private:
  ~FetchStream() { runtime_.leave(); }
  static void on_query_done(chronik_query_request* request,
                            const chronik_query_reply* reply) noexcept;
  void deliver(ReplyThread& thread) override;
  void on_bounds(const chronik_query_reply& reply);
  void on_entries(const chronik_query_reply& reply);
  void stop_early(bool& why);
  // Starts what the state allows: a query, a write, or the end of the call.
  void advance();
  bool may_finish() const;  // needs mutex_
  ::grpc::Status end_status();

  Runtime& runtime_;
  ::grpc::CallbackServerContext& context_;
  ReplyThread& reply_thread_;
  const pb::FetchRequest request_;
  std::atomic<uint32_t> references_{1};

  // Of the query under way; handed from the host's thread to the reply thread, then to the next.
  chronik_query_reply reply_{};
  pb::Error reply_error_;
  bool have_bounds_ = false;
  uint64_t next_offset_ = 0;
  uint64_t end_offset_ = 0;  // where to stop, unless following
  uint64_t wanted_bytes_ = 0;
  bool by_time_ = false;  // the next query seeks the time of the request

  ::grpc::ByteBuffer writing_;  // of the write under way

  // Guards what follows, as in ProduceStream. May be held while calling the host: its `done` only
  // pushes to the reply thread.
  std::mutex mutex_;
  std::optional<::grpc::ByteBuffer> ready_;  // waits for the write under way
  std::optional<pb::Error> failure_;         // ends the call behind what is ready
  bool want_query_ = false;                  // as soon as nothing is ready
  bool querying_ = false;
  bool write_under_way_ = false;
  bool complete_ = false;  // all that was asked for has been read
  bool cancelled_ = false;
  bool draining_ = false;
  bool finished_ = false;
  int busy_ = 0;
};

}  // namespace chronik::grpc_api
