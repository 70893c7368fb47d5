#include "fetch.h"

#include <fmt/format.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "chronik/format/record_batch.hpp"

namespace chronik::grpc_api {
namespace {

constexpr uint64_t kDefaultFetchBytes = 1 << 20;
// How long a query waits at the host before it is asked again; only bounds how long a call that
// nobody misses can linger.
constexpr int64_t kLongPollNs = std::chrono::nanoseconds(std::chrono::minutes(5)).count();
// Shorter batches are copied together: a slice and its bookkeeping cost more than the copy.
constexpr size_t kCopyBelowBytes = 4096;

// The entries of one answer, until the last slice that shows them is gone.
class Pin {
 public:
  Pin(Runtime& runtime, const chronik_query_reply& reply)
      : runtime_(runtime), pin_(reply.pin), release_(reply.release) {
    runtime_.enter();
  }
  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (pin_ != nullptr) release_(pin_);
    Runtime& runtime = runtime_;
    delete this;
    runtime.leave();
  }
  ::grpc::Slice slice(std::string_view bytes) {
    retain();
    return ::grpc::Slice(
        const_cast<char*>(bytes.data()), bytes.size(),
        [](void* self) { static_cast<Pin*>(self)->release(); }, this);
  }

 private:
  ~Pin() = default;
  Runtime& runtime_;
  void* pin_;
  void (*release_)(void*) noexcept;
  std::atomic<uint32_t> references_{1};
};

// Writes a FetchResponse field by field, so that the batches in it needn't be copied.
class ResponseWriter {
 public:
  explicit ResponseWriter(Pin* pin) : pin_(pin) {}

  void add_batch(std::string_view batch) {
    tag(pb::FetchResponse::kRecordBatchesFieldNumber, 2);
    varint(batch.size());
    if (pin_ == nullptr || batch.size() < kCopyBelowBytes) {
      copied_.append(batch);
      return;
    }
    cut();
    slices_.push_back(pin_->slice(batch));
  }
  void add_number(int field, uint64_t value) {
    tag(field, 0);
    varint(value);
  }
  ::grpc::ByteBuffer finish() {
    cut();
    return {slices_.data(), slices_.size()};
  }

 private:
  void tag(int field, uint32_t wire_type) { varint(static_cast<uint32_t>(field) << 3 | wire_type); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) copied_.push_back(static_cast<char>(value | 0x80));
    copied_.push_back(static_cast<char>(value));
  }
  void cut() {
    if (copied_.empty()) return;
    slices_.emplace_back(copied_);
    copied_.clear();
  }
  Pin* pin_;
  std::string copied_;
  std::vector<::grpc::Slice> slices_;
};

// A call that is refused before it begins.
class RefusedFetch final : public FetchReactor {
 public:
  RefusedFetch(Runtime& runtime, ::grpc::CallbackServerContext& context, const pb::Error& error)
      : runtime_(runtime) {
    runtime_.enter();
    runtime_.count_refused();
    Finish(end_with(context, error));
  }
  void OnDone() override {
    Runtime& runtime = runtime_;
    delete this;
    runtime.leave();
  }

 private:
  Runtime& runtime_;
};

}  // namespace

FetchReactor* fetch(Runtime& runtime, ::grpc::CallbackServerContext& context,
                    const ::grpc::ByteBuffer& request) {
  const auto refuse = [&](int32_t code, const std::string& message, int32_t detail = 0) {
    return new RefusedFetch(runtime, context, make_error(code, message, detail));
  };
  pb::FetchRequest parsed;
  ::grpc::ByteBuffer copy(request);  // parsing drains it
  if (!::grpc::SerializationTraits<pb::FetchRequest>::Deserialize(&copy, &parsed).ok())
    return refuse(CHRONIK_E_INVALID_ARGUMENT, "the request is no FetchRequest");
  if (runtime.stopping()) return refuse(CHRONIK_E_UNAVAILABLE, "the node is stopping");
  const sdk::RoutingRef routing(runtime.environment());
  const chronik_route_topic* topic = routing.find(parsed.topic());
  if (topic == nullptr)
    return refuse(CHRONIK_E_NOT_FOUND, fmt::format("no topic named '{}'", parsed.topic()),
                  kKafkaUnknownTopicOrPartition);
  const chronik_route_partition* partition = sdk::RoutingRef::partition(*topic, parsed.partition());
  if (partition == nullptr)
    return refuse(CHRONIK_E_INVALID_ARGUMENT,
                  fmt::format("topic '{}' has {} partitions, numbered from 0; there is no {}",
                              parsed.topic(), topic->partition_count, parsed.partition()),
                  kKafkaUnknownTopicOrPartition);
  if (sdk::view(topic->state_machine) != "stream")
    return refuse(CHRONIK_E_FAILED_PRECONDITION,
                  fmt::format("topic '{}' is no stream but a '{}'", parsed.topic(),
                              sdk::view(topic->state_machine)));
  auto* stream = new FetchStream(runtime, context, partition->group, parsed);
  stream->start();
  return stream;
}

FetchStream::FetchStream(Runtime& runtime, ::grpc::CallbackServerContext& context,
                         uint64_t group_id, const pb::FetchRequest& request)
    : chronik_query_request{},
      runtime_(runtime),
      context_(context),
      reply_thread_(runtime.pick_reply_thread()),
      request_(request) {
  struct_size = sizeof(chronik_query_request);
  group = group_id;
  done = &FetchStream::on_query_done;
  const uint64_t wanted =
      request.max_bytes() != 0 ? uint64_t{request.max_bytes()} : kDefaultFetchBytes;
  max_bytes = wanted_bytes_ = std::min(wanted, runtime.limits().max_fetch_bytes);
  runtime_.enter();
}

void FetchStream::start() {
  {
    const std::lock_guard lock(mutex_);
    want_query_ = true;
  }
  runtime_.add_stream(this);
  advance();
}

void FetchStream::release() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void FetchStream::OnDone() {
  runtime_.remove_stream(this);
  release();
}

void FetchStream::on_query_done(chronik_query_request* request,
                                const chronik_query_reply* reply) noexcept {
  auto* self = static_cast<FetchStream*>(request);
  self->reply_ = *reply;
  if (reply->status != CHRONIK_OK) self->reply_error_ = make_error(*reply);
  self->reply_thread_.push(self);
}

void FetchStream::deliver(ReplyThread&) {
  const chronik_query_reply reply = reply_;
  if (reply.status != CHRONIK_OK) {
    if (reply.pin != nullptr) reply.release(reply.pin);
    const std::lock_guard lock(mutex_);
    failure_ = std::move(reply_error_);
  } else if (!have_bounds_) {
    if (reply.pin != nullptr) reply.release(reply.pin);
    on_bounds(reply);
  } else {
    on_entries(reply);
  }
  {
    const std::lock_guard lock(mutex_);
    querying_ = false;
  }
  advance();
  release();  // the query's
}

void FetchStream::on_bounds(const chronik_query_reply& reply) {
  have_bounds_ = true;
  end_offset_ = reply.end_key;
  switch (request_.start_case()) {
    case pb::FetchRequest::kOffset: next_offset_ = request_.offset(); break;
    case pb::FetchRequest::kTimestampMs: by_time_ = true; break;
    case pb::FetchRequest::kPosition:
      next_offset_ = request_.position() == pb::POSITION_END ? reply.end_key : reply.start_key;
      break;
    case pb::FetchRequest::START_NOT_SET: next_offset_ = reply.start_key; break;
  }
  const std::lock_guard lock(mutex_);
  if (!by_time_ && (next_offset_ < reply.start_key || next_offset_ > reply.end_key)) {
    failure_ = make_error(CHRONIK_E_OUT_OF_RANGE,
                          fmt::format("offset {} lies outside of what is kept: {} up to {}",
                                      next_offset_, reply.start_key, reply.end_key),
                          format::kafka_error::kOffsetOutOfRange);
    return;
  }
  if (by_time_ ? reply.start_key == reply.end_key : next_offset_ == reply.end_key) {
    ResponseWriter writer(nullptr);
    writer.add_number(pb::FetchResponse::kStartOffsetFieldNumber, reply.start_key);
    writer.add_number(pb::FetchResponse::kEndOffsetFieldNumber, reply.end_key);
    writer.add_number(pb::FetchResponse::kNextOffsetFieldNumber, reply.end_key);
    ready_ = writer.finish();
    complete_ = !request_.follow();
  }
  want_query_ = !complete_;
}

void FetchStream::on_entries(const chronik_query_reply& reply) {
  Pin* pin = new Pin(runtime_, reply);
  ResponseWriter writer(pin);
  uint64_t bytes = 0;
  bool at_end = false;
  for (const chronik_entry& entry :
       sdk::Array<chronik_entry>(reply.entries, reply.entry_count, reply.entry_stride)) {
    const std::string_view batch = sdk::view(entry.payload);
    if (batch.size() < format::kHeaderBytes) continue;  // an entry of the kernel's own
    const auto header = format::RecordBatchHeader::decode(batch);
    if (header.magic != format::kMagic) continue;
    const uint64_t end = entry.key + static_cast<uint32_t>(header.last_offset_delta) + 1;
    if (end <= next_offset_) continue;  // the seek is by entry; it may begin one early
    if (!request_.follow() && entry.key >= end_offset_) {
      at_end = true;
      break;
    }
    writer.add_batch(batch);
    bytes += batch.size();
    next_offset_ = end;
    by_time_ = false;
  }
  writer.add_number(pb::FetchResponse::kStartOffsetFieldNumber, reply.start_key);
  writer.add_number(pb::FetchResponse::kEndOffsetFieldNumber, reply.end_key);
  writer.add_number(pb::FetchResponse::kNextOffsetFieldNumber, next_offset_);
  std::optional<::grpc::ByteBuffer> message;
  if (bytes > 0) message = writer.finish();
  pin->release();
  runtime_.count_fetched(bytes);

  const std::lock_guard lock(mutex_);
  ready_ = std::move(message);
  if (!request_.follow()) {
    // By time, no entry means that none is that young. By offset, it would be a wrong answer.
    complete_ = at_end || next_offset_ >= end_offset_ || (by_time_ && bytes == 0);
  }
  if (bytes > 0) {
    max_bytes = wanted_bytes_;
  } else if (!complete_ && !by_time_ && !draining_ && next_offset_ < reply.end_key) {
    // There is a batch, but what is in front of it (entries of the kernel's own) used up the bytes.
    const uint64_t most = std::max(wanted_bytes_, 2 * runtime_.limits().max_payload_bytes);
    if (max_bytes >= most) {
      failure_ = make_error(CHRONIK_E_INTERNAL,
                            fmt::format("no batch was read at offset {}, before the end {}",
                                        next_offset_, reply.end_key));
    }
    max_bytes = std::min(4 * max_bytes, most);
  }
  want_query_ = !complete_ && !failure_;
}

void FetchStream::OnWriteDone(bool ok) {
  writing_.Clear();
  {
    const std::lock_guard lock(mutex_);
    write_under_way_ = false;
    if (!ok) cancelled_ = true;
  }
  advance();
}

void FetchStream::stop_early(bool& why) {
  {
    const std::lock_guard lock(mutex_);
    why = true;
    if (querying_) runtime_.environment().cancel_query(runtime_.environment().context, this);
  }
  advance();
}

bool FetchStream::may_finish() const {
  if (finished_ || busy_ > 0 || write_under_way_) return false;
  if (cancelled_) return true;
  if (querying_ || ready_) return false;
  return complete_ || failure_ || draining_;
}

void FetchStream::advance() {
  bool write = false;
  bool finish = false;
  retain();
  {
    const std::lock_guard lock(mutex_);
    const bool going = !finished_ && !cancelled_;
    if (going && ready_ && !write_under_way_) {
      writing_.Swap(&*ready_);
      ready_.reset();
      write = write_under_way_ = true;
    }
    if (going && want_query_ && !querying_ && !ready_ && !draining_) {
      want_query_ = false;
      querying_ = true;
      kind = !have_bounds_ ? CHRONIK_QUERY_BOUNDS
             : by_time_    ? CHRONIK_QUERY_LOG_TIME
                           : CHRONIK_QUERY_LOG_KEY;
      arg = by_time_ ? static_cast<uint64_t>(request_.timestamp_ms()) : next_offset_;
      wait_ns = have_bounds_ && request_.follow() ? kLongPollNs : 0;
      retain();  // until deliver() has ended
      runtime_.environment().query(runtime_.environment().context, this);
    }
    ++busy_;
  }
  if (write) StartWrite(&writing_);
  {
    const std::lock_guard lock(mutex_);
    --busy_;
    finish = may_finish();
    if (finish) finished_ = true;
  }
  if (finish) Finish(end_status());
  release();
}

::grpc::Status FetchStream::end_status() {
  const std::lock_guard lock(mutex_);
  if (cancelled_) return ::grpc::Status::CANCELLED;
  if (failure_) {
    runtime_.count_refused();
    return end_with(context_, *failure_);
  }
  if (complete_) return ::grpc::Status::OK;
  return end_with(context_, make_error(CHRONIK_E_UNAVAILABLE, "the node is stopping"));
}

}  // namespace chronik::grpc_api
