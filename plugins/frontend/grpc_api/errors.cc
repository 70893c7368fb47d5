#include "errors.h"

#include "chronik/sdk/base.hpp"

namespace chronik::grpc_api {
namespace {

void set_leader(pb::Error& error, uint64_t node, chronik_slice address) {
  if (error.code() != pb::CODE_NOT_LEADER) return;
  error.mutable_leader()->set_node(node);
  error.mutable_leader()->set_api_address(std::string(sdk::view(address)));
}

::grpc::StatusCode grpc_code(pb::Code code) {
  switch (code) {
    case pb::CODE_NOT_LEADER: return ::grpc::StatusCode::UNAVAILABLE;
    case pb::CODE_NO_SPACE: return ::grpc::StatusCode::RESOURCE_EXHAUSTED;
    case pb::CODE_FAILED: return ::grpc::StatusCode::UNKNOWN;
    default: return static_cast<::grpc::StatusCode>(code);
  }
}

}  // namespace

bool in_doubt(int32_t code) {
  switch (code) {
    case CHRONIK_E_CANCELLED:
    case CHRONIK_E_UNKNOWN:
    case CHRONIK_E_DEADLINE_EXCEEDED:
    case CHRONIK_E_INTERNAL:
    case CHRONIK_E_DATA_LOSS:
    case CHRONIK_E_FAILED: return true;
    default: return false;
  }
}

pb::Error make_error(int32_t code, std::string_view message, int32_t detail) {
  pb::Error error;
  error.set_code(pb::Code_IsValid(code) ? static_cast<pb::Code>(code) : pb::CODE_UNKNOWN);
  error.set_message(std::string(message));
  error.set_detail(detail);
  error.set_in_doubt(in_doubt(error.code()));
  return error;
}

pb::Error make_error(const chronik_outcome& outcome) {
  pb::Error error = make_error(outcome.status, sdk::view(outcome.message), outcome.detail);
  set_leader(error, outcome.leader_node, outcome.leader_address);
  return error;
}

pb::Error make_error(const chronik_query_reply& reply) {
  pb::Error error = make_error(reply.status, sdk::view(reply.message));
  set_leader(error, reply.leader_node, reply.leader_address);
  return error;
}

::grpc::Status end_with(::grpc::CallbackServerContext& context, const pb::Error& error) {
  context.AddTrailingMetadata("chronik-error-bin", error.SerializeAsString());
  return {grpc_code(error.code()), error.message()};
}

}  // namespace chronik::grpc_api
