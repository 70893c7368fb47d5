#include "producer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "chronik/format/partitioner.hpp"

namespace chronik::cli {
namespace {

// Batches that fit are put into one message up to this size: calls into gRPC cost more than copies.
constexpr size_t kMessageBytes = 1 << 20;
// More than a record's own numbers need.
constexpr size_t kRecordOverheadBytes = 32;
constexpr int32_t kKafkaDuplicateSequence = 46;
constexpr std::chrono::seconds kNoticeEvery{1};
constexpr std::chrono::seconds kConnectAttempt{1};
// A node that is just starting may not know its topics yet.
constexpr std::chrono::seconds kTopicGrace{5};

int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::chrono::milliseconds doubled(std::chrono::milliseconds backoff,
                                  const ProducerOptions& options) {
  return std::clamp(2 * backoff, options.backoff_min, options.backoff_max);
}

// Whether another try with the same sequence number may succeed.
bool worth_another_try(const pb::Error& error) {
  switch (error.code()) {
    case pb::CODE_CANCELLED:
    case pb::CODE_UNKNOWN:
    case pb::CODE_DEADLINE_EXCEEDED:
    case pb::CODE_RESOURCE_EXHAUSTED:
    case pb::CODE_ABORTED:
    case pb::CODE_UNAVAILABLE:
    case pb::CODE_NOT_LEADER:
    case pb::CODE_NO_SPACE:
    case pb::CODE_FAILED: return true;
    default: return false;
  }
}

}  // namespace

Producer::Producer(std::string address, ProducerOptions options,
                   std::function<void(const Acknowledged&)> on_acknowledged)
    : home_(std::move(address)),
      address_(home_),
      options_(std::move(options)),
      on_acknowledged_(std::move(on_acknowledged)),
      partitions_(options_.partitions) {
  sticky_ = static_cast<uint32_t>(options_.producer_id % options_.partitions);
  sender_ = std::thread([this] { send_loop(); });
}

Producer::~Producer() {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) fail({kFailed, "abandoned"});
  }
  sender_.join();
}

// ---- Collecting
// ----------------------------------------------------------------------------------

bool Producer::append(const std::vector<InputRecord>& records, uint64_t first_line,
                      const std::function<void()>& while_waiting) {
  const int64_t now_ms = wall_ms();
  std::unique_lock lock(mutex_);
  for (size_t i = 0; i < records.size(); ++i) {
    while (pending_bytes_ >= options_.max_pending_bytes && !failure_) {
      work_.notify_one();
      wait_a_while(lock, while_waiting);
    }
    if (failure_) return false;
    put(records[i], first_line + i, now_ms);
  }
  work_.notify_one();
  return !failure_;
}

// Waits for the other threads. The sending thread may be stuck in a write to a node that doesn't
// read, so a lack of progress is noticed here as well.
void Producer::wait_a_while(std::unique_lock<std::mutex>& lock,
                            const std::function<void()>& while_waiting) {
  Clock::time_point until = Clock::now() + kNoticeEvery;
  if (pending_batches_ > 0 && !failure_) until = std::min(until, last_progress_ + options_.timeout);
  if (space_.wait_until(lock, until) != std::cv_status::timeout) return;
  if (pending_batches_ > 0 && Clock::now() >= last_progress_ + options_.timeout) {
    fail(stalled());
    if (live_context_ != nullptr) live_context_->TryCancel();
  }
  if (while_waiting) {
    lock.unlock();
    while_waiting();
    lock.lock();
  }
}

Failure Producer::stalled() const {
  return {unreachable_ ? kUnreachable : kFailed,
          fmt::format("nothing was acknowledged for {} s{}{}",
                      std::chrono::duration<double>(options_.timeout).count(),
                      last_error_.empty() ? "" : "; last: ", last_error_)};
}

Producer::BatchPtr Producer::new_batch() {
  BatchPtr batch;
  if (spare_.empty()) {
    batch = std::make_unique<Batch>(options_.max_batch_bytes);
  } else {
    batch = std::move(spare_.back());
    spare_.pop_back();
    batch->builder.clear();
    batch->finished = batch->in_doubt = false;
    batch->sends = 0;
    batch->content_bytes = 0;
    batch->lines.clear();
  }
  return batch;
}

void Producer::put(const InputRecord& record, uint64_t line, int64_t now_ms) {
  const size_t bytes = record.value.size() + (record.key ? record.key->size() : 0);
  uint32_t number = sticky_;
  if (options_.partition) {
    number = *options_.partition;
  } else if (record.key) {
    number = format::partition_for_key(*record.key, options_.partitions);
  }
  Partition* partition = &partitions_[number];
  if (partition->open &&
      partition->open->builder.size() + bytes + kRecordOverheadBytes > options_.batch_bytes) {
    const bool sticky = !options_.partition && !record.key;
    seal(number);
    if (sticky) number = sticky_;
    partition = &partitions_[number];
  }
  if (!partition->open) {
    if (pending_bytes_ == 0) last_progress_ = Clock::now();
    partition->open = new_batch();
    partition->open->partition = number;
    partition->open->first_line = line;
    ++pending_batches_;
  }
  Batch& open = *partition->open;
  if (!open.builder.append(record.key, record.value, now_ms)) {
    // A fuller batch would have been sealed above, so this is the record's own size.
    if (open.builder.empty()) {
      --pending_batches_;
      spare_.push_back(std::move(partition->open));
    }
    fail({kFailed, fmt::format("line {} is too large for a record: {} bytes, and a batch may have "
                               "{}",
                               line, bytes, options_.max_batch_bytes)});
    return;
  }
  open.content_bytes += bytes;
  if (options_.keep_lines) open.lines.push_back(line);
  pending_bytes_ += bytes + kRecordOverheadBytes;
  ++counts_.appended;
}

// The partition's open batch gets its place in the sequence. Keyless records go on elsewhere.
void Producer::seal(uint32_t number) {
  Partition& partition = partitions_[number];
  partition.open->id = next_id_++;
  partition.open->number = partition.next_number++;
  partition.acknowledged.push_back(false);
  partition.open->base_sequence = partition.next_sequence;
  partition.next_sequence =
      format::sequence_plus(partition.next_sequence, partition.open->builder.count());
  partition.ready.push_back(std::move(partition.open));
  if (number == sticky_) sticky_ = (sticky_ + 1) % options_.partitions;
}

// ---- Sending
// -------------------------------------------------------------------------------------

// Fills `batches` with what may be sent now, one per partition and round; they are in inflight_
// then. If there is nothing, `next` is brought forward to when to look again.
bool Producer::take_message(std::vector<Batch*>& batches, Clock::time_point now,
                            Clock::time_point& next) {
  batches.clear();
  if (failure_) return false;
  size_t bytes = 0;
  for (bool found = true; found && bytes < kMessageBytes;) {
    found = false;
    for (uint32_t i = 0; i < options_.partitions && bytes < kMessageBytes; ++i) {
      const uint32_t number = (cursor_ + i) % options_.partitions;
      Partition& partition = partitions_[number];
      if (partition.ready.empty() && !partition.open) continue;
      const uint64_t number_next =
          partition.ready.empty() ? partition.next_number : partition.ready.front()->number;
      // The first batch goes alone: a node that doesn't know the producer takes any sequence
      // number for its first.
      const size_t slots = partition.oldest == 0 ? 1 : options_.max_inflight_batches;
      if (partition.settling || number_next >= partition.oldest + slots) continue;
      if (partition.not_before > now) {
        next = std::min(next, partition.not_before);
        continue;
      }
      if (partition.ready.empty()) seal(number);
      BatchPtr batch = std::move(partition.ready.front());
      const size_t size = batch->builder.size();
      if (bytes > 0 && bytes + size > kMessageBytes) {
        partition.ready.front() = std::move(batch);
        bytes = kMessageBytes;
        break;
      }
      partition.ready.pop_front();
      ++partition.inflight;
      bytes += size;
      if (++batch->sends > 1) ++counts_.resent;
      batches.push_back(batch.get());
      inflight_[batch->id] = std::move(batch);
      found = true;
    }
  }
  if (!batches.empty()) cursor_ = (batches.back()->partition + 1) % options_.partitions;
  return !batches.empty();
}

void Producer::fail(Failure failure) {
  if (!failure_) failure_ = std::move(failure);
  work_.notify_all();
  space_.notify_all();
}

void Producer::send_loop() {
  std::vector<Batch*> batches;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (broken_) {
      lock.unlock();
      disconnect();
      lock.lock();
      continue;
    }
    // Done, or failed with nothing left to hear about.
    if ((finishing_ && pending_batches_ == 0) || (failure_ && inflight_.empty())) break;
    const Clock::time_point now = Clock::now();
    Clock::time_point next = last_progress_ + options_.timeout;
    if (pending_batches_ > 0 && now >= next) {
      fail(stalled());
      break;
    }
    if (pending_batches_ > 0 && !connection_ && !failure_) {
      lock.unlock();
      connect(std::min(next, now + kConnectAttempt));
      lock.lock();
      continue;
    }
    if (take_message(batches, now, next)) {
      lock.unlock();
      const bool sent = send(batches);
      lock.lock();
      if (!sent) broken_ = true;
    } else if (pending_batches_ == 0) {
      work_.wait(lock);
    } else {
      work_.wait_until(lock, next);
    }
  }
  lock.unlock();
  disconnect();
  lock.lock();
  ended_ = true;
  space_.notify_all();
}

// Opens a stream to a node that answers. Nothing is handed to gRPC before: what was never sent
// isn't in doubt.
void Producer::connect(Clock::time_point until) {
  if (!client_) client_ = std::make_unique<Client>(address_);
  if (client_->channel().GetState(true) != GRPC_CHANNEL_READY) {
    const std::lock_guard lock(mutex_);
    unreachable_ = true;
    last_error_ = client_->unreachable("no connection").message;
  }
  const auto patience = std::max(until - Clock::now(), Clock::duration::zero());
  const bool connected = client_->channel().WaitForConnected(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::microseconds>(patience));
  if (!connected) {
    if (address_ != home_) {  // a leader that was named and isn't there
      address_ = home_;
      client_.reset();
    }
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    unreachable_ = false;
  }
  connection_ = std::make_unique<Connection>();
  connection_->stream = client_->stub().ProduceStream(&connection_->context);
  connection_->receiver = std::thread([this] { receive_loop(); });
  const std::lock_guard lock(mutex_);
  live_context_ = &connection_->context;
}

// Ends the connection. What was under way on it is to be sent again, after a while.
void Producer::disconnect() {
  if (connection_) {
    bool clean = false;
    {
      const std::lock_guard lock(mutex_);
      live_context_ = nullptr;
      clean = !broken_ && inflight_.empty() && !failure_;
    }
    if (clean) {
      connection_->stream->WritesDone();
    } else {
      connection_->context.TryCancel();
    }
    connection_->receiver.join();
    const ::grpc::Status status = connection_->stream->Finish();
    if (!status.ok() && status.error_code() != ::grpc::StatusCode::CANCELLED) {
      const Failure failure = client_->describe(status, connection_->context);
      const std::lock_guard lock(mutex_);
      last_error_ = failure.message;
      unreachable_ = failure.exit == kUnreachable;
    }
    connection_.reset();
  }
  std::unique_lock lock(mutex_);
  broken_ = false;
  for (auto& [id, batch] : inflight_) {
    batch->in_doubt = true;
    put_back(std::move(batch));
  }
  inflight_.clear();
  for (Partition& partition : partitions_) {
    partition.inflight = 0;
    partition.settling = false;
  }
  const std::string next_address = std::exchange(next_address_, {});
  if (!next_address.empty() && next_address != address_) {
    address_ = next_address;
    client_.reset();
  }
  if (failure_ || pending_batches_ == 0) return;
  reconnect_backoff_ = doubled(reconnect_backoff_, options_);
  const Clock::time_point until =
      std::min(Clock::now() + reconnect_backoff_, last_progress_ + options_.timeout);
  work_.wait_until(lock, until, [&] { return failure_.has_value(); });
}

bool Producer::send(const std::vector<Batch*>& batches) {
  pb::ProduceStreamRequest message;
  for (Batch* batch : batches) {
    // In flight, so nobody else touches it.
    pb::ProduceRequest& request = *message.add_requests();
    request.set_request_id(batch->id);
    request.set_topic(options_.topic);
    request.set_partition(batch->partition);
    request.set_acks(options_.acks);
    const std::string_view bytes =
        batch->builder.finish(static_cast<int64_t>(options_.producer_id),
                              static_cast<int16_t>(options_.producer_epoch), batch->base_sequence);
    request.set_record_batch(bytes.data(), bytes.size());
  }
  return connection_->stream->Write(message);
}

// Back among what is to be sent, in its place by id.
void Producer::put_back(BatchPtr batch) {
  std::deque<BatchPtr>& ready = partitions_[batch->partition].ready;
  const auto behind = std::find_if(ready.begin(), ready.end(),
                                   [&](const BatchPtr& other) { return other->id > batch->id; });
  ready.insert(behind, std::move(batch));
}

// ---- Receiving
// -----------------------------------------------------------------------------------

void Producer::receive_loop() {
  auto& stream = *connection_->stream;
  for (pb::ProduceStreamResponse response; stream.Read(&response);)
    for (const pb::ProduceResult& result : response.results()) on_result(result);
  const std::lock_guard lock(mutex_);
  broken_ = true;
  work_.notify_all();
}

void Producer::on_result(const pb::ProduceResult& result) {
  BatchPtr batch;
  {
    const std::lock_guard lock(mutex_);
    const auto at = inflight_.find(result.request_id());
    if (at == inflight_.end()) return;
    batch = std::move(at->second);
    inflight_.erase(at);
  }
  if (result.has_error() && result.error().detail() != kKafkaDuplicateSequence) {
    on_error(std::move(batch), result.error());
    return;
  }
  if (on_acknowledged_) {
    std::optional<uint64_t> offset;
    if (result.has_base_offset()) offset = result.base_offset();
    on_acknowledged_(
        {batch->partition, offset, static_cast<uint32_t>(batch->builder.count()), batch->lines});
  }
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[batch->partition];
  --partition.inflight;
  if (partition.inflight == 0) partition.settling = false;
  partition.acknowledged[batch->number - partition.oldest] = true;
  for (; !partition.acknowledged.empty() && partition.acknowledged.front(); ++partition.oldest)
    partition.acknowledged.pop_front();
  partition.backoff = std::chrono::milliseconds(0);
  reconnect_backoff_ = std::chrono::milliseconds(0);
  last_progress_ = Clock::now();
  last_error_.clear();
  unreachable_ = false;
  --pending_batches_;
  ++counts_.batches;
  const auto records = static_cast<uint64_t>(batch->builder.count());
  counts_.acknowledged += records;
  counts_.acknowledged_bytes += batch->content_bytes;
  pending_bytes_ -= batch->content_bytes + records * kRecordOverheadBytes;
  spare_.push_back(std::move(batch));
  work_.notify_one();
  space_.notify_all();
}

void Producer::on_error(BatchPtr batch, const pb::Error& error) {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[batch->partition];
  --partition.inflight;
  batch->in_doubt = batch->in_doubt || error.in_doubt();
  // Out of order because one before it is to be sent again: a consequence, not a cause.
  const auto earlier = [&](const BatchPtr& other) {
    return other->partition == batch->partition && other->id < batch->id;
  };
  const bool follows = std::any_of(partition.ready.begin(), partition.ready.end(), earlier) ||
                       std::any_of(inflight_.begin(), inflight_.end(),
                                   [&](const auto& other) { return earlier(other.second); });
  const bool consequence =
      error.detail() == format::kafka_error::kOutOfOrderSequenceNumber && follows;
  const bool starting = error.code() == pb::CODE_NOT_FOUND && counts_.acknowledged > 0 &&
                        Clock::now() < last_progress_ + kTopicGrace;
  if (!consequence && !starting && !worth_another_try(error)) {
    const int32_t others = batch->builder.count() - 1;
    fail({kFailed,
          fmt::format("line {}{} refused: {} ({})", batch->first_line,
                      others == 0 ? " was" : fmt::format(" and {} more of its batch were", others),
                      error.message(), code_text(error.code()))});
  } else if (!consequence) {
    last_error_ =
        fmt::format("{}{} ({})", error.message(), leader_text(error), code_text(error.code()));
    partition.backoff = doubled(partition.backoff, options_);
    partition.not_before = Clock::now() + partition.backoff;
    if (error.code() == pb::CODE_NOT_LEADER && !error.leader().api_address().empty()) {
      next_address_ = error.leader().api_address();
      broken_ = true;
    }
  }
  partition.settling = partition.inflight > 0;
  put_back(std::move(batch));
  work_.notify_one();
}

// ---- The end
// -------------------------------------------------------------------------------------

std::optional<Failure> Producer::finish(const std::function<void()>& while_waiting) {
  std::unique_lock lock(mutex_);
  finishing_ = true;
  work_.notify_all();
  while (!ended_) wait_a_while(lock, while_waiting);
  if (failure_) {
    for (const Partition& partition : partitions_) {
      for (const BatchPtr& batch : partition.ready) {
        const auto records = static_cast<uint64_t>(batch->builder.count());
        (batch->in_doubt    ? counts_.in_doubt
         : batch->sends > 0 ? counts_.refused
                            : counts_.unsent) += records;
      }
      if (partition.open) counts_.unsent += static_cast<uint64_t>(partition.open->builder.count());
    }
    if (counts_.in_doubt > 0) failure_->exit = kInDoubt;
  }
  return failure_;
}

ProducerCounts Producer::counts() {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace chronik::cli
