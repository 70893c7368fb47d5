#include "produce.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "chronik/format/record_batch.hpp"

namespace chronik::grpc_api {
namespace {

uint32_t host_acks(pb::Acks acks) {
  switch (acks) {
    case pb::ACKS_NONE: return CHRONIK_ACKS_NONE;
    case pb::ACKS_LEADER: return CHRONIK_ACKS_LEADER;
    default: return CHRONIK_ACKS_ALL;
  }
}

}  // namespace

// ---- BatchBuffer
// ---------------------------------------------------------------------------------

BatchBuffer* BatchBuffer::make(std::string bytes) {
  auto* buffer = new BatchBuffer();
  buffer->bytes = std::move(bytes);
  buffer->struct_size = sizeof(chronik_buffer);
  buffer->reserved = 0;
  buffer->data = reinterpret_cast<uint8_t*>(buffer->bytes.data());
  buffer->size = buffer->bytes.size();
  buffer->retain = [](chronik_buffer* self) noexcept {
    static_cast<BatchBuffer*>(self)->references.fetch_add(1, std::memory_order_relaxed);
  };
  buffer->release = [](chronik_buffer* self) noexcept {
    auto* own = static_cast<BatchBuffer*>(self);
    if (own->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete own;
  };
  return buffer;
}

// ---- PendingProduce
// ------------------------------------------------------------------------------

PendingProduce* PendingProduce::make(Runtime& runtime, const sdk::RoutingRef& routing,
                                     pb::ProduceRequest& request, ProduceWaiter* waiter,
                                     ReplyThread& reply_thread, pb::Error& error) {
  if (runtime.stopping()) {
    error = make_error(CHRONIK_E_UNAVAILABLE, "the node is stopping");
    return nullptr;
  }
  const chronik_route_topic* topic = routing.find(request.topic());
  if (topic == nullptr) {
    error = make_error(CHRONIK_E_NOT_FOUND, fmt::format("no topic named '{}'", request.topic()),
                       kKafkaUnknownTopicOrPartition);
    return nullptr;
  }
  const chronik_route_partition* partition =
      sdk::RoutingRef::partition(*topic, request.partition());
  if (partition == nullptr) {
    error = make_error(CHRONIK_E_INVALID_ARGUMENT,
                       fmt::format("topic '{}' has {} partitions, numbered from 0; there is no {}",
                                   request.topic(), topic->partition_count, request.partition()),
                       kKafkaUnknownTopicOrPartition);
    return nullptr;
  }
  const uint64_t size = request.record_batch().size();
  if (size > runtime.limits().max_payload_bytes) {
    error = make_error(CHRONIK_E_INVALID_ARGUMENT,
                       fmt::format("batch of {} bytes is longer than the limit of {}", size,
                                   runtime.limits().max_payload_bytes),
                       format::kafka_error::kMessageTooLarge);
    return nullptr;
  }
  auto* pending = new PendingProduce(runtime, waiter, reply_thread, request.request_id());
  BatchBuffer* buffer = BatchBuffer::make(std::move(*request.mutable_record_batch()));
  pending->struct_size = sizeof(chronik_propose_request);
  pending->acks = host_acks(request.acks());
  pending->group = partition->group;
  pending->payload = buffer->data;
  pending->payload_size = buffer->size;
  pending->owner = buffer;
  pending->done = [](chronik_propose_request* self, const chronik_outcome* outcome) noexcept {
    auto* own = static_cast<PendingProduce*>(self);
    own->status = outcome->status;
    own->base_offset = outcome->value;
    if (own->status != CHRONIK_OK) own->error = make_error(*outcome);
    own->reply_thread.push(own);
  };
  runtime.enter();
  runtime.add_bytes(size);
  return pending;
}

PendingProduce::~PendingProduce() {
  runtime.remove_bytes(payload_size);
  owner->release(owner);
  runtime.leave();
}

void PendingProduce::propose() {
  runtime.environment().propose(runtime.environment().context, this);
}

void PendingProduce::fill(pb::ProduceResult& result) {
  result.set_request_id(request_id);
  if (status != CHRONIK_OK) {
    *result.mutable_error() = std::move(error);
    runtime.count_refused();
    return;
  }
  if (acks != CHRONIK_ACKS_NONE) result.set_base_offset(base_offset);
  runtime.count_produced(payload_size);
}

// ---- Unary
// ---------------------------------------------------------------------------------------

namespace {

// Waits for the one batch of a unary call, and frees itself.
class UnaryProduce final : public ProduceWaiter {
 public:
  UnaryProduce(::grpc::ServerUnaryReactor* reactor, pb::ProduceResult& result)
      : reactor_(reactor), result_(result) {}
  virtual ~UnaryProduce() = default;

  void on_produced(PendingProduce* pending, ReplyThread&) override {
    pending->fill(result_);
    delete pending;
    reactor_->Finish(::grpc::Status::OK);
    delete this;
  }

 private:
  ::grpc::ServerUnaryReactor* reactor_;
  pb::ProduceResult& result_;
};

}  // namespace

::grpc::ServerUnaryReactor* produce(Runtime& runtime, ::grpc::CallbackServerContext& context,
                                    const pb::ProduceRequest& request, pb::ProduceResult& result) {
  ::grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
  result.set_request_id(request.request_id());
  if (runtime.over_bytes()) {
    *result.mutable_error() =
        make_error(CHRONIK_E_RESOURCE_EXHAUSTED, "too many bytes are waiting to be written");
    reactor->Finish(::grpc::Status::OK);
    return reactor;
  }
  auto waiter = std::make_unique<UnaryProduce>(reactor, result);
  pb::Error error;
  PendingProduce* pending = nullptr;
  {
    const sdk::RoutingRef routing(runtime.environment());
    // gRPC parsed the message for this call alone, so its bytes may be moved out.
    pending = PendingProduce::make(runtime, routing, const_cast<pb::ProduceRequest&>(request),
                                   waiter.get(), runtime.pick_reply_thread(), error);
  }
  if (pending == nullptr) {
    runtime.count_refused();
    *result.mutable_error() = std::move(error);
    reactor->Finish(::grpc::Status::OK);
    return reactor;
  }
  waiter.release();
  pending->propose();
  return reactor;
}

// ---- Stream
// --------------------------------------------------------------------------------------

ProduceStream::ProduceStream(Runtime& runtime)
    : runtime_(runtime), reply_thread_(runtime.pick_reply_thread()) {
  runtime_.enter();
  runtime_.add_stream(this);
  advance();
}

ProduceStream::~ProduceStream() {
  runtime_.leave();
}

void ProduceStream::release() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void ProduceStream::OnReadDone(bool ok) {
  bool handle = false;
  {
    const std::lock_guard lock(mutex_);
    if (!ok) half_closed_ = true;
    handle = ok && !cancelled_ && !finished_;
    ++busy_;
  }
  if (handle) submit(incoming_);
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    --busy_;
  }
  advance();
}

void ProduceStream::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    write_under_way_ = false;
    if (!ok) cancelled_ = true;
  }
  advance();
}

void ProduceStream::OnCancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  advance();
}

void ProduceStream::drain() {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  advance();
}

void ProduceStream::resume() {
  {
    const std::lock_guard lock(mutex_);
    waits_for_runtime_ = false;
  }
  advance();
}

void ProduceStream::OnDone() {
  runtime_.remove_stream(this);
  release();
}

void ProduceStream::submit(pb::ProduceStreamRequest& message) {
  std::vector<PendingProduce*> accepted;
  accepted.reserve(static_cast<size_t>(message.requests_size()));
  {
    const sdk::RoutingRef routing(runtime_.environment());
    const std::lock_guard lock(mutex_);
    for (pb::ProduceRequest& request : *message.mutable_requests()) {
      pb::Error error;
      PendingProduce* pending =
          PendingProduce::make(runtime_, routing, request, this, reply_thread_, error);
      if (pending == nullptr) {
        pb::ProduceResult& result = *gathering_.add_results();
        result.set_request_id(request.request_id());
        *result.mutable_error() = std::move(error);
        runtime_.count_refused();
        continue;
      }
      ++at_host_;
      inflight_bytes_ += pending->payload_size;
      retain();
      accepted.push_back(pending);
    }
  }
  for (PendingProduce* pending : accepted) pending->propose();
}

void ProduceStream::on_produced(PendingProduce* pending, ReplyThread& thread) {
  if (!flush_queued_) {
    flush_queued_ = true;
    retain();  // until flush() has ended
    thread.flush_after_round(this);
  }
  {
    const std::lock_guard lock(mutex_);
    --at_host_;
    if (pending->status == CHRONIK_E_RESOURCE_EXHAUSTED && !cancelled_ && !draining_) {
      parked_.push_back(pending);
      return;
    }
    answer(pending);
  }
  delete pending;  // without the lock: it may resume streams
  release();
}

void ProduceStream::answer(PendingProduce* pending) {
  inflight_bytes_ -= pending->payload_size;
  answered_since_flush_ = true;
  if (!cancelled_) pending->fill(*gathering_.add_results());
}

void ProduceStream::flush() {
  flush_queued_ = false;
  std::vector<PendingProduce*> again;
  std::vector<PendingProduce*> refused;
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_ || draining_ || (at_host_ == 0 && !answered_since_flush_)) {
      refused.swap(parked_);
      for (PendingProduce* pending : refused) answer(pending);
    } else if (answered_since_flush_) {
      again.swap(parked_);
      at_host_ += again.size();
    }
    answered_since_flush_ = false;
  }
  for (PendingProduce* pending : again) pending->propose();
  for (PendingProduce* pending : refused) {
    delete pending;
    release();  // flush()'s own reference is still there
  }
  advance();
  release();
}

bool ProduceStream::may_read() const {
  const Limits& limits = runtime_.limits();
  return !half_closed_ && !cancelled_ && !draining_ && parked_.empty() &&
         inflight_bytes_ < limits.max_stream_inflight_bytes &&
         at_host_ + static_cast<uint64_t>(gathering_.results_size()) < limits.max_stream_results;
}

bool ProduceStream::may_finish() const {
  if (finished_ || busy_ > 0 || write_under_way_) return false;
  if (cancelled_) return true;
  return (half_closed_ || draining_) && at_host_ == 0 && parked_.empty() &&
         gathering_.results_size() == 0;
}

void ProduceStream::advance() {
  bool read = false;
  bool write = false;
  bool wait = false;
  bool finish = false;
  retain();
  {
    const std::lock_guard lock(mutex_);
    if (!finished_ && !cancelled_ && !write_under_way_ && gathering_.results_size() > 0) {
      writing_.Clear();
      writing_.Swap(&gathering_);
      write = write_under_way_ = true;
    }
    if (!finished_ && !reading_ && may_read()) {
      if (runtime_.over_bytes()) {
        wait = !waits_for_runtime_;
        waits_for_runtime_ = true;
      } else {
        read = reading_ = true;
      }
    }
    ++busy_;
  }
  if (write) StartWrite(&writing_);
  if (read) StartRead(&incoming_);
  {
    const std::lock_guard lock(mutex_);
    --busy_;
    finish = may_finish();
    if (finish) finished_ = true;
  }
  if (wait) runtime_.resume_when_under(this);
  if (finish) Finish(end_status());
  release();
}

::grpc::Status ProduceStream::end_status() {
  const std::lock_guard lock(mutex_);
  if (cancelled_) return ::grpc::Status::CANCELLED;
  if (half_closed_) return ::grpc::Status::OK;
  return {::grpc::StatusCode::UNAVAILABLE, "the node is stopping"};
}

}  // namespace chronik::grpc_api
