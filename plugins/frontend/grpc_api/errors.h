// Errors of the host as clients see them: the typed Error of api.proto, and gRPC statuses that
// carry one in their trailing metadata.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <string>
#include <string_view>

#include "chronik/abi/frontend.h"
#include "chronik/api/v1/api.pb.h"

namespace chronik::grpc_api {

namespace pb = ::chronik::api::v1;

// True if a request that ended with `code` may have been carried out all the same.
bool in_doubt(int32_t code);

// Kafka's number for what the frontend itself finds.
inline constexpr int32_t kKafkaUnknownTopicOrPartition = 3;

pb::Error make_error(int32_t code, std::string_view message, int32_t detail = 0);
pb::Error make_error(const chronik_outcome& outcome);
pb::Error make_error(const chronik_query_reply& reply);

// The status to end a call with; adds the Error to the trailing metadata of `context`.
::grpc::Status end_with(::grpc::CallbackServerContext& context, const pb::Error& error);

}  // namespace chronik::grpc_api
