// Calls about topics, producers and the node: one request, one answer, nothing hot.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "chronik/api/v1/api.pb.h"
#include "runtime.h"

namespace chronik::grpc_api {

namespace pb = ::chronik::api::v1;

using Unary = ::grpc::ServerUnaryReactor*;
using UnaryContext = ::grpc::CallbackServerContext;

Unary create_topic(Runtime& runtime, UnaryContext& context, const pb::CreateTopicRequest& request);
Unary delete_topic(Runtime& runtime, UnaryContext& context, const pb::DeleteTopicRequest& request);
Unary list_topics(Runtime& runtime, UnaryContext& context, pb::ListTopicsResponse& response);
Unary describe_topic(Runtime& runtime, UnaryContext& context,
                     const pb::DescribeTopicRequest& request, pb::DescribeTopicResponse& response);
Unary init_producer(Runtime& runtime, UnaryContext& context, pb::InitProducerResponse& response);
Unary status(Runtime& runtime, UnaryContext& context, const pb::StatusRequest& request,
             pb::StatusResponse& response);

}  // namespace chronik::grpc_api
