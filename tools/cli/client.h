// Client: one node's API, with its errors put into words.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chronik/api/v1/api.grpc.pb.h"
#include "io.h"

namespace chronik::cli {

namespace pb = ::chronik::api::v1;

// How an operation failed, for people and for the exit status.
struct Failure {
  int exit = kFailed;
  std::string message;
};

class Client {
 public:
  explicit Client(std::string address);

  const std::string& address() const { return address_; }
  pb::Chronik::Stub& stub() { return *stub_; }
  ::grpc::Channel& channel() { return *channel_; }

  // One call with one answer. On failure says why.
  template <typename Request, typename Response>
  std::optional<Failure> call(::grpc::Status (pb::Chronik::Stub::*method)(::grpc::ClientContext*,
                                                                          const Request&,
                                                                          Response*),
                              const Request& request, Response& response) {
    ::grpc::ClientContext context;
    set_deadline(context);
    const ::grpc::Status status = ((*stub_).*method)(&context, request, &response);
    if (status.ok()) return {};
    return describe(status, context);
  }

  // What a status means. Thread: any.
  Failure describe(const ::grpc::Status& status, const ::grpc::ClientContext& context) const;
  // The typed error in a call's trailing metadata, if the server sent one.
  static std::optional<pb::Error> typed_error(const ::grpc::ClientContext& context);
  Failure unreachable(const std::string& why) const;

  // The topic, or a failure that names similar ones.
  std::optional<Failure> describe_topic(const std::string& name,
                                        pb::DescribeTopicResponse& response);

 private:
  static void set_deadline(::grpc::ClientContext& context);

  const std::string address_;
  std::shared_ptr<::grpc::Channel> channel_;
  std::unique_ptr<pb::Chronik::Stub> stub_;
};

// "not_leader", from CODE_NOT_LEADER.
std::string code_text(pb::Code code);

// "leader_node 3 at host:port", for an error that carries one; else nothing.
std::string leader_text(const pb::Error& error);

}  // namespace chronik::cli
