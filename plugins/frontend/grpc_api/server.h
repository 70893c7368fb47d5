// Server: the grpc_api frontend as the host sees it: options, start, stop.
//
// start() listens and tells the host the address; stop() reports unhealthy, drains the open calls
// and shuts gRPC down in the only order that doesn't hang: Shutdown with a deadline, wait for our
// own calls, destroy.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>

#include "chronik/sdk/frontend.hpp"
#include "runtime.h"

namespace chronik::grpc_api {

class ApiService;

// Places in kOptions.
enum OptionIndex : size_t {
  kListen,
  kAdvertise,
  kMaxMessageBytes,
  kMaxInflightBytes,
  kMaxStreamInflightBytes,
  kMaxStreamResults,
  kMaxFetchBytes,
  kDrainTimeout,
  kReplyThreads,
};
extern const chronik_option kOptions[9];

class Server {
 public:
  Server(sdk::Host host, const chronik_frontend_environment& environment,
         const sdk::Config& config);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  static sdk::Status validate(const sdk::Config& config);
  sdk::Status start();
  void stop(chronik_done done);

 private:
  void shut_down(chronik_done done);

  const sdk::Host host_;
  const chronik_frontend_environment& environment_;
  const std::string listen_;
  const std::string advertise_;
  const uint64_t max_message_bytes_;
  const int64_t drain_timeout_ns_;
  Runtime runtime_;
  std::unique_ptr<ApiService> service_;
  std::unique_ptr<::grpc::Server> server_;
  std::thread stopper_;
};

}  // namespace chronik::grpc_api
