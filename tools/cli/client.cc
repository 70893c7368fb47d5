#include "client.h"

#include <fmt/format.h>
#include <grpc/support/log.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/status.h"
#include "nearest.h"

namespace chronik::cli {
namespace {

constexpr std::chrono::seconds kCallTimeout{30};

// gRPC's own messages would stand between ours; what matters is in the statuses.
void silence_grpc() {
  static std::once_flag once;
  std::call_once(once, [] { gpr_set_log_function([](gpr_log_func_args*) {}); });
}

std::shared_ptr<::grpc::Channel> open_channel(const std::string& address) {
  silence_grpc();
  ::grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  // A node that comes back is found soon.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return ::grpc::CreateCustomChannel(address, ::grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

Client::Client(std::string address)
    : address_(std::move(address)),
      channel_(open_channel(address_)),
      stub_(pb::Chronik::NewStub(channel_)) {}

void Client::set_deadline(::grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
}

std::optional<pb::Error> Client::typed_error(const ::grpc::ClientContext& context) {
  const auto& trailing = context.GetServerTrailingMetadata();
  const auto at = trailing.find("chronik-error-bin");
  if (at == trailing.end()) return {};
  pb::Error error;
  if (!error.ParseFromArray(at->second.data(), static_cast<int>(at->second.size()))) return {};
  return error;
}

Failure Client::unreachable(const std::string& why) const {
  return {kUnreachable, fmt::format("no node answers at {} ({}). Start one with\n"
                                    "  chronikd --config configs/single-node.conf\n"
                                    "or say where it is with --api HOST:PORT",
                                    address_, why)};
}

Failure Client::describe(const ::grpc::Status& status, const ::grpc::ClientContext& context) const {
  if (const auto error = typed_error(context)) {
    const std::string text =
        fmt::format("{}{}", error->message().empty() ? code_text(error->code()) : error->message(),
                    leader_text(*error));
    if (error->in_doubt()) return {kInDoubt, text + " (it may have happened all the same)"};
    if (error->code() == pb::CODE_UNAVAILABLE) return {kUnreachable, text};
    return {kFailed, text};
  }
  switch (status.error_code()) {
    case ::grpc::StatusCode::UNAVAILABLE: {
      std::string why = status.error_message();
      for (const char* known : {"Connection refused", "Connection reset by peer", "Socket closed",
                                "DNS resolution failed", "Name or service not known",
                                "No route to host", "GOAWAY received"})
        if (status.error_message().find(known) != std::string::npos) why = known;
      return unreachable(why);
    }
    case ::grpc::StatusCode::UNIMPLEMENTED:
      return {kFailed, fmt::format("what listens at {} doesn't offer this call; is it a Chronik "
                                   "node's API?",
                                   address_)};
    case ::grpc::StatusCode::DEADLINE_EXCEEDED:
      return {kInDoubt, fmt::format("the node at {} didn't answer within {} seconds", address_,
                                    kCallTimeout.count())};
    default: return {kFailed, status.error_message()};
  }
}

std::optional<Failure> Client::describe_topic(const std::string& name,
                                              pb::DescribeTopicResponse& response) {
  pb::DescribeTopicRequest request;
  request.set_name(name);
  ::grpc::ClientContext context;
  set_deadline(context);
  const ::grpc::Status status = stub_->DescribeTopic(&context, request, &response);
  if (status.ok()) return {};
  if (status.error_code() != ::grpc::StatusCode::NOT_FOUND) return describe(status, context);
  std::vector<std::string> names;
  pb::ListTopicsResponse topics;
  if (!call(&pb::Chronik::Stub::ListTopics, pb::ListTopicsRequest(), topics))
    for (const pb::Topic& topic : topics.topics()) names.push_back(topic.name());
  std::string hint = did_you_mean(name, names);
  if (hint.empty()) {
    hint = names.empty() ? fmt::format("; there are none yet: chronik topic create {}", name)
                         : fmt::format("; chronik topic list shows the {} there {}", names.size(),
                                       names.size() == 1 ? "is" : "are");
  }
  return Failure{kFailed, fmt::format("no topic named '{}'{}", name, hint)};
}

std::string code_text(pb::Code code) {
  return std::string(code_name(static_cast<Code>(code)));
}

std::string leader_text(const pb::Error& error) {
  if (error.code() != pb::CODE_NOT_LEADER || error.leader().node() == 0) return {};
  return fmt::format("; node {} leads{}", error.leader().node(),
                     error.leader().api_address().empty()
                         ? ""
                         : fmt::format(" (--api {})", error.leader().api_address()));
}

}  // namespace chronik::cli
