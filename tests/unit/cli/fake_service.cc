#include "fake_service.h"

#include <chrono>
#include <stdexcept>

namespace chronik::test {

FakeService::FakeService() {
  start();
}
FakeService::~FakeService() {
  kill();
}

void FakeService::start() {
  ::grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port_),
                           ::grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  if (!server_) throw std::runtime_error("the fake service can't listen");
  port_ = port;
}

void FakeService::kill() {
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

void FakeService::add_topic(const std::string& name, uint32_t partitions) {
  const std::lock_guard lock(mutex_);
  topics_[name].resize(partitions);
}

void FakeService::withhold_answers(bool withhold) {
  const std::lock_guard lock(mutex_);
  withhold_ = withhold;
}

void FakeService::refuse(std::set<uint64_t> numbers, pb::Code code, int32_t detail,
                         const std::string& message) {
  const std::lock_guard lock(mutex_);
  refused_ = std::move(numbers);
  refusal_ = code;
  refusal_detail_ = detail;
  refusal_message_ = message;
}

void FakeService::lead_elsewhere(const std::string& address) {
  const std::lock_guard lock(mutex_);
  leader_ = address;
}

void FakeService::break_fetch_after(uint64_t messages) {
  const std::lock_guard lock(mutex_);
  break_fetch_after_ = messages;
}

void FakeService::wait_stored(uint64_t batches) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stored_ >= batches; });
}

std::vector<std::vector<std::string>> FakeService::values(const std::string& topic) {
  const std::lock_guard lock(mutex_);
  std::vector<std::vector<std::string>> all;
  for (const Partition& partition : topics_[topic]) {
    all.emplace_back();
    for (const std::string& batch : partition.batches) {
      format::RecordReader reader(batch);
      for (format::Record record; reader.next(record);) all.back().emplace_back(*record.value);
    }
  }
  return all;
}

std::vector<std::vector<std::string>> FakeService::keys(const std::string& topic) {
  const std::lock_guard lock(mutex_);
  std::vector<std::vector<std::string>> all;
  for (const Partition& partition : topics_[topic]) {
    all.emplace_back();
    for (const std::string& batch : partition.batches) {
      format::RecordReader reader(batch);
      for (format::Record record; reader.next(record);)
        all.back().emplace_back(record.key.value_or("(none)"));
    }
  }
  return all;
}

std::vector<size_t> FakeService::batch_sizes(const std::string&) {
  const std::lock_guard lock(mutex_);
  return batch_sizes_;
}

uint64_t FakeService::duplicates() {
  const std::lock_guard lock(mutex_);
  return duplicates_;
}

uint64_t FakeService::out_of_order() {
  const std::lock_guard lock(mutex_);
  return out_of_order_;
}

uint64_t FakeService::batches() {
  const std::lock_guard lock(mutex_);
  return stored_;
}

pb::ProduceResult FakeService::store(const pb::ProduceRequest& request) {
  const std::lock_guard lock(mutex_);
  pb::ProduceResult result;
  result.set_request_id(request.request_id());
  const auto fail = [&](pb::Code code, int32_t detail, const std::string& message) {
    result.mutable_error()->set_code(code);
    result.mutable_error()->set_detail(detail);
    result.mutable_error()->set_message(message);
    return result;
  };
  if (refused_.erase(seen_++) > 0) return fail(refusal_, refusal_detail_, refusal_message_);
  if (!leader_.empty()) {
    result.mutable_error()->mutable_leader()->set_node(2);
    result.mutable_error()->mutable_leader()->set_api_address(leader_);
    return fail(pb::CODE_NOT_LEADER, 0, "not the leader");
  }
  const std::string& bytes = request.record_batch();
  if (const auto status = format::validate(bytes, max_batch_bytes_); !status.ok())
    return fail(pb::CODE_INVALID_ARGUMENT, status.detail(), status.message());
  Partition& partition = topics_[request.topic()].at(request.partition());
  const auto header = format::RecordBatchHeader::decode(bytes);
  std::vector<Sequence>& known = partition.producers[header.producer_id];
  for (const Sequence& sequence : known) {
    if (sequence.first != header.base_sequence || sequence.last != header.last_sequence()) continue;
    ++duplicates_;
    result.set_base_offset(sequence.offset);
    return result;
  }
  const int32_t expected =
      known.empty() ? header.base_sequence : format::next_sequence(known.back().last);
  if (header.base_sequence != expected) {
    ++out_of_order_;
    return fail(pb::CODE_INVALID_ARGUMENT, 45, "out of order");
  }
  known.push_back({header.base_sequence, header.last_sequence(), partition.end});
  if (known.size() > 5) known.erase(known.begin());
  result.set_base_offset(partition.end);
  std::string stored = bytes;
  format::set_base_offset(stored.data(), static_cast<int64_t>(partition.end));
  partition.batches.push_back(std::move(stored));
  partition.end += static_cast<uint64_t>(header.record_count);
  batch_sizes_.push_back(static_cast<size_t>(header.record_count));
  ++stored_;
  changed_.notify_all();
  return result;
}

::grpc::Status FakeService::ProduceStream(
    Context*,
    ::grpc::ServerReaderWriter<pb::ProduceStreamResponse, pb::ProduceStreamRequest>* stream) {
  for (pb::ProduceStreamRequest message; stream->Read(&message);) {
    pb::ProduceStreamResponse response;
    for (const pb::ProduceRequest& request : message.requests()) {
      pb::ProduceResult result = store(request);
      const std::lock_guard lock(mutex_);
      if (!withhold_) *response.add_results() = std::move(result);
    }
    if (response.results_size() > 0 && !stream->Write(response)) break;
  }
  return ::grpc::Status::OK;
}

::grpc::Status FakeService::Fetch(Context*, const pb::FetchRequest* request,
                                  ::grpc::ServerWriter<pb::FetchResponse>* writer) {
  std::vector<std::string> batches;
  uint64_t end = 0;
  {
    const std::lock_guard lock(mutex_);
    const Partition& partition = topics_[request->topic()].at(request->partition());
    batches = partition.batches;
    end = partition.end;
  }
  uint64_t from = request->start_case() == pb::FetchRequest::kOffset ? request->offset() : 0;
  if (request->start_case() == pb::FetchRequest::kPosition &&
      request->position() == pb::POSITION_END)
    from = end;
  pb::FetchResponse response;
  response.set_end_offset(end);
  response.set_next_offset(from);
  if (from == end) writer->Write(response);
  for (const std::string& batch : batches) {
    const auto header = format::RecordBatchHeader::decode(batch);
    if (header.last_offset() < static_cast<int64_t>(from)) continue;
    if (request->start_case() == pb::FetchRequest::kTimestampMs &&
        header.max_timestamp < request->timestamp_ms())
      continue;
    {
      const std::lock_guard lock(mutex_);
      if (break_fetch_after_ == 0) {
        break_fetch_after_ = UINT64_MAX;
        return {::grpc::StatusCode::UNAVAILABLE, "Socket closed"};
      }
      --break_fetch_after_;
    }
    response.clear_record_batches();
    response.add_record_batches(batch);
    response.set_next_offset(static_cast<uint64_t>(header.last_offset()) + 1);
    if (!writer->Write(response)) break;
  }
  return ::grpc::Status::OK;
}

::grpc::Status FakeService::CreateTopic(Context*, const pb::CreateTopicRequest* request,
                                        pb::CreateTopicResponse*) {
  add_topic(request->name(), request->partitions());
  return ::grpc::Status::OK;
}

::grpc::Status FakeService::DeleteTopic(Context*, const pb::DeleteTopicRequest* request,
                                        pb::DeleteTopicResponse*) {
  const std::lock_guard lock(mutex_);
  topics_.erase(request->name());
  return ::grpc::Status::OK;
}

::grpc::Status FakeService::ListTopics(Context*, const pb::ListTopicsRequest*,
                                       pb::ListTopicsResponse* response) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, partitions] : topics_) {
    pb::Topic& topic = *response->add_topics();
    topic.set_name(name);
    topic.set_partitions(static_cast<uint32_t>(partitions.size()));
    topic.set_replication(1);
    topic.set_state_machine("stream");
  }
  return ::grpc::Status::OK;
}

::grpc::Status FakeService::DescribeTopic(Context*, const pb::DescribeTopicRequest* request,
                                          pb::DescribeTopicResponse* response) {
  const std::lock_guard lock(mutex_);
  const auto at = topics_.find(request->name());
  if (at == topics_.end()) return {::grpc::StatusCode::NOT_FOUND, "no such topic"};
  response->mutable_topic()->set_name(at->first);
  response->mutable_topic()->set_partitions(static_cast<uint32_t>(at->second.size()));
  response->mutable_topic()->set_replication(1);
  response->mutable_topic()->set_state_machine("stream");
  response->set_max_batch_bytes(max_batch_bytes_);
  for (size_t i = 0; i < at->second.size(); ++i) {
    pb::Partition& partition = *response->add_partitions();
    partition.set_partition(static_cast<uint32_t>(i));
    partition.mutable_leader()->set_node(1);
    partition.mutable_replica()->set_end_offset(at->second[i].end);
  }
  return ::grpc::Status::OK;
}

::grpc::Status FakeService::InitProducer(Context*, const pb::InitProducerRequest*,
                                         pb::InitProducerResponse* response) {
  const std::lock_guard lock(mutex_);
  response->set_producer_id(static_cast<uint64_t>(next_producer_++));
  return ::grpc::Status::OK;
}

::grpc::Status FakeService::Status(Context*, const pb::StatusRequest*,
                                   pb::StatusResponse* response) {
  response->set_node(1);
  response->set_cluster_name("demo");
  response->set_version("0.1.0");
  response->set_uptime_ms(61'000);
  pb::Replica& replica = *response->add_replicas();
  replica.set_group(3);
  replica.set_topic("t");
  replica.set_partition(2);
  replica.set_role(pb::ROLE_FENCED);
  replica.set_message("broken invariant");
  return ::grpc::Status::OK;
}

}  // namespace chronik::test
