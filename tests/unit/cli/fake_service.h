// FakeService: a node's API in this process, with a ledger that outlives its server.
//
// It keeps what was produced, judges sequence numbers as a node does (the last five batches of a
// producer and partition, out of order 45), and can be killed and started again on the same port,
// forget to answer, or refuse.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "chronik/api/v1/api.grpc.pb.h"
#include "chronik/format/record_batch.hpp"

namespace chronik::test {

namespace pb = ::chronik::api::v1;

class FakeService final : public pb::Chronik::Service {
 public:
  FakeService();
  ~FakeService() override;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void add_topic(const std::string& name, uint32_t partitions);
  void set_max_batch_bytes(uint64_t bytes) { max_batch_bytes_ = bytes; }

  // Cuts every connection; calls under way end. start() listens on the same port again.
  void kill();
  void start();

  // From now on, batches are stored but not answered.
  void withhold_answers(bool withhold);
  // Batches of these numbers, counted from 0 over all partitions, are refused once.
  void refuse(std::set<uint64_t> numbers, pb::Code code, int32_t detail = 0,
              const std::string& message = "refused by the test");
  // Batches are refused with NOT_LEADER and this address.
  void lead_elsewhere(const std::string& address);
  // Waits until so many batches were stored.
  void wait_stored(uint64_t batches);

  // What is stored, by partition.
  std::vector<std::vector<std::string>> values(const std::string& topic);
  std::vector<std::vector<std::string>> keys(const std::string& topic);
  std::vector<size_t> batch_sizes(const std::string& topic);  // records, in order of arrival
  uint64_t duplicates();                                      // batches that had been stored before
  uint64_t out_of_order();                                    // answers 45
  uint64_t batches();

  // pb::Chronik::Service
  using Context = ::grpc::ServerContext;
  ::grpc::Status CreateTopic(Context*, const pb::CreateTopicRequest*,
                             pb::CreateTopicResponse*) override;
  ::grpc::Status DeleteTopic(Context*, const pb::DeleteTopicRequest*,
                             pb::DeleteTopicResponse*) override;
  ::grpc::Status ListTopics(Context*, const pb::ListTopicsRequest*,
                            pb::ListTopicsResponse*) override;
  ::grpc::Status DescribeTopic(Context*, const pb::DescribeTopicRequest*,
                               pb::DescribeTopicResponse*) override;
  ::grpc::Status InitProducer(Context*, const pb::InitProducerRequest*,
                              pb::InitProducerResponse*) override;
  ::grpc::Status ProduceStream(
      Context*,
      ::grpc::ServerReaderWriter<pb::ProduceStreamResponse, pb::ProduceStreamRequest>*) override;
  ::grpc::Status Fetch(Context*, const pb::FetchRequest*,
                       ::grpc::ServerWriter<pb::FetchResponse>*) override;
  ::grpc::Status Status(Context*, const pb::StatusRequest*, pb::StatusResponse*) override;

  // Fetch ends with UNAVAILABLE after so many messages, once.
  void break_fetch_after(uint64_t messages);

 private:
  struct Sequence {
    int32_t first;
    int32_t last;
    uint64_t offset;
  };
  struct Partition {
    std::vector<std::string> batches;
    uint64_t end = 0;
    std::map<int64_t, std::vector<Sequence>> producers;
  };
  pb::ProduceResult store(const pb::ProduceRequest& request);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::vector<Partition>> topics_;
  std::vector<size_t> batch_sizes_;
  uint64_t max_batch_bytes_ = 1 << 20;
  int64_t next_producer_ = 1;
  bool withhold_ = false;
  std::set<uint64_t> refused_;
  pb::Code refusal_ = pb::CODE_OK;
  int32_t refusal_detail_ = 0;
  std::string refusal_message_;
  std::string leader_;
  uint64_t seen_ = 0;
  uint64_t stored_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t out_of_order_ = 0;
  uint64_t break_fetch_after_ = UINT64_MAX;
  int port_ = 0;
  std::unique_ptr<::grpc::Server> server_;
};

}  // namespace chronik::test
