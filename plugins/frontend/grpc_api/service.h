// ApiService: which function answers which call of chronik.api.v1.Chronik.
#pragma once

#include "admin.h"
#include "chronik/api/v1/api.grpc.pb.h"
#include "fetch.h"
#include "produce.h"

namespace chronik::grpc_api {

// All calls are asynchronous; Fetch handles its bytes itself.
using ApiServiceBase = pb::Chronik::WithRawCallbackMethod_Fetch<
    pb::Chronik::WithCallbackMethod_CreateTopic<pb::Chronik::WithCallbackMethod_DeleteTopic<
        pb::Chronik::WithCallbackMethod_ListTopics<pb::Chronik::WithCallbackMethod_DescribeTopic<
            pb::Chronik::WithCallbackMethod_InitProducer<pb::Chronik::WithCallbackMethod_Produce<
                pb::Chronik::WithCallbackMethod_ProduceStream<
                    pb::Chronik::WithCallbackMethod_Status<pb::Chronik::Service>>>>>>>>>;

class ApiService final : public ApiServiceBase {
 public:
  explicit ApiService(Runtime& runtime) : runtime_(runtime) {}

  Unary CreateTopic(UnaryContext* context, const pb::CreateTopicRequest* request,
                    pb::CreateTopicResponse*) override {
    return create_topic(runtime_, *context, *request);
  }
  Unary DeleteTopic(UnaryContext* context, const pb::DeleteTopicRequest* request,
                    pb::DeleteTopicResponse*) override {
    return delete_topic(runtime_, *context, *request);
  }
  Unary ListTopics(UnaryContext* context, const pb::ListTopicsRequest*,
                   pb::ListTopicsResponse* response) override {
    return list_topics(runtime_, *context, *response);
  }
  Unary DescribeTopic(UnaryContext* context, const pb::DescribeTopicRequest* request,
                      pb::DescribeTopicResponse* response) override {
    return describe_topic(runtime_, *context, *request, *response);
  }
  Unary InitProducer(UnaryContext* context, const pb::InitProducerRequest*,
                     pb::InitProducerResponse* response) override {
    return init_producer(runtime_, *context, *response);
  }
  Unary Produce(UnaryContext* context, const pb::ProduceRequest* request,
                pb::ProduceResult* result) override {
    return produce(runtime_, *context, *request, *result);
  }
  ::grpc::ServerBidiReactor<pb::ProduceStreamRequest, pb::ProduceStreamResponse>* ProduceStream(
      UnaryContext*) override {
    return new grpc_api::ProduceStream(runtime_);
  }
  FetchReactor* Fetch(UnaryContext* context, const ::grpc::ByteBuffer* request) override {
    return fetch(runtime_, *context, *request);
  }
  Unary Status(UnaryContext* context, const pb::StatusRequest* request,
               pb::StatusResponse* response) override {
    return status(runtime_, *context, *request, *response);
  }

 private:
  Runtime& runtime_;
};

}  // namespace chronik::grpc_api
