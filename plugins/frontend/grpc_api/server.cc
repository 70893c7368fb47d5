#include "server.h"

#include <fmt/format.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <mutex>

#include "service.h"

namespace chronik::grpc_api {
namespace {

// What gRPC adds around a batch in a message, generously.
constexpr uint64_t kMessageOverheadBytes = 64 << 10;

// Where gRPC's messages go: to the log of the instance that was started last. gRPC knows one place
// per process; the mutex is held while logging so that an instance isn't destroyed meanwhile.
std::mutex log_mutex;
const sdk::Host* log_host = nullptr;

void set_log_host(const sdk::Host* host, const sdk::Host* only_if) {
  const std::lock_guard lock(log_mutex);
  if (only_if == nullptr || log_host == only_if) log_host = host;
}

void log_from_grpc(gpr_log_func_args* args) {
  const int32_t level = args->severity == GPR_LOG_SEVERITY_ERROR  ? CHRONIK_LOG_WARN
                        : args->severity == GPR_LOG_SEVERITY_INFO ? CHRONIK_LOG_DEBUG
                                                                  : CHRONIK_LOG_TRACE;
  const std::lock_guard lock(log_mutex);
  if (log_host != nullptr) log_host->log(level, fmt::format("gRPC: {}", args->message));
}

// gRPC's own start-up, once per process and never undone: it can't be unloaded anyway, and its
// shutdown is another thread's race.
void initialise_grpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function(log_from_grpc);
    grpc_init();
    ::grpc::EnableDefaultHealthCheckService(true);
    ::grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

struct HostPort {
  std::string host;
  std::string port;
};

HostPort split(const std::string& endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos) return {endpoint, ""};
  return {endpoint.substr(0, colon), endpoint.substr(colon + 1)};
}

// gRPC doesn't say why it couldn't listen: tries it again by hand for the reason.
std::string why_not_listening(const std::string& endpoint) {
  HostPort at = split(endpoint);
  if (at.host.size() > 1 && at.host.front() == '[') at.host = at.host.substr(1, at.host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(at.host.c_str(), at.port.c_str(), &hints, &found); error != 0)
    return ::gai_strerror(error);
  std::string reason = "gRPC refused it";
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd < 0 || ::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, 1) != 0)
    reason = errno == EADDRINUSE ? "another process listens there already" : std::strerror(errno);
  if (fd >= 0) ::close(fd);
  ::freeaddrinfo(found);
  return reason;
}

Limits limits_from(const chronik_frontend_environment& environment, const sdk::Config& config) {
  return {environment.max_payload_bytes, config.bytes(kMaxInflightBytes),
          config.bytes(kMaxStreamInflightBytes), config.u64(kMaxStreamResults),
          config.bytes(kMaxFetchBytes)};
}

}  // namespace

constexpr chronik_option kOptions[9] = {
    sdk::option({"listen", CHRONIK_OPTION_ENDPOINT, "127.0.0.1:7001",
                 "Address and port to listen on; port 0 lets the system choose."}),
    sdk::option(
        {"advertise", CHRONIK_OPTION_ENDPOINT, nullptr,
         "Address that clients are told; the one of listen if absent. Port 0 stands for the "
         "port in use."}),
    sdk::option({"max_message_bytes", CHRONIK_OPTION_BYTES, "16MiB",
                 "Longest message taken from a client; raised to the node's longest batch if "
                 "shorter.",
                 "64KiB", "1GiB"}),
    sdk::option(
        {"max_inflight_bytes", CHRONIK_OPTION_BYTES, "256MiB",
         "Bytes of batches waiting to be written, over all clients; above it, reading stops.",
         "64KiB", "1TiB"}),
    sdk::option({"max_stream_inflight_bytes", CHRONIK_OPTION_BYTES, "64MiB",
                 "Bytes of batches waiting to be written, of one produce stream; above it, reading "
                 "from that stream stops.",
                 "64KiB", "1TiB"}),
    sdk::option({"max_stream_results", CHRONIK_OPTION_U64, "4096",
                 "Batches of one produce stream whose results its client hasn't taken; above it, "
                 "reading from that stream stops.",
                 "1", "1048576"}),
    sdk::option({"max_fetch_bytes", CHRONIK_OPTION_BYTES, "2MiB",
                 "Bytes of batches in one message to a consumer, at most; a longer batch travels "
                 "alone.",
                 "4KiB", "1GiB"}),
    sdk::option({"drain_timeout", CHRONIK_OPTION_DURATION, "5s",
                 "How long a stopping node waits for calls under way before it cuts them off.",
                 "0ms", "10m"}),
    sdk::option({"reply_threads", CHRONIK_OPTION_U64, "1",
                 "Threads that serialise answers and write them.", "1", "64"}),
};

Server::Server(sdk::Host host, const chronik_frontend_environment& environment,
               const sdk::Config& config)
    : host_(host),
      environment_(environment),
      listen_(config.text(kListen)),
      advertise_(config.text(kAdvertise)),
      max_message_bytes_(std::max(config.bytes(kMaxMessageBytes),
                                  environment.max_payload_bytes + kMessageOverheadBytes)),
      drain_timeout_ns_(config.duration_ns(kDrainTimeout)),
      runtime_(host, environment, limits_from(environment, config), config.u64(kReplyThreads)),
      service_(std::make_unique<ApiService>(runtime_)) {}

Server::~Server() {
  set_log_host(nullptr, &host_);
  if (!stopper_.joinable()) return;
  if (stopper_.get_id() == std::this_thread::get_id()) {
    stopper_.detach();
  } else {
    stopper_.join();
  }
}

sdk::Status Server::validate(const sdk::Config& config) {
  if (config.bytes(kMaxStreamInflightBytes) > config.bytes(kMaxInflightBytes))
    return {CHRONIK_E_INVALID_ARGUMENT,
            "max_stream_inflight_bytes is larger than max_inflight_bytes, which would never be "
            "reached"};
  return {};
}

sdk::Status Server::start() {
  initialise_grpc();
  set_log_host(&host_, nullptr);
  ::grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(listen_, ::grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<uint64_t>(max_message_bytes_, std::numeric_limits<int>::max())));
  builder.SetMaxSendMessageSize(-1);
  // Only reflection is synchronous: one thread is plenty.
  builder.SetSyncServerOption(::grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(::grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(::grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  if (!server_ || port == 0) {
    server_.reset();
    return {CHRONIK_E_UNAVAILABLE,
            fmt::format("can't listen on {}: {}", listen_, why_not_listening(listen_))};
  }
  if (auto* health = server_->GetHealthCheckService())
    health->SetServingStatus(pb::Chronik::service_full_name(), true);

  const HostPort told = split(advertise_.empty() ? listen_ : advertise_);
  const std::string address = fmt::format(
      "{}:{}", told.host, told.port.empty() || told.port == "0" ? std::to_string(port) : told.port);
  if (advertise_.empty() && (told.host == "0.0.0.0" || told.host == "[::]"))
    host_.log(CHRONIK_LOG_WARN,
              fmt::format("clients are told {}, which they can't reach from other machines: set "
                          "advertise",
                          address));
  environment_.set_address(environment_.context, sdk::slice(address));
  return {};
}

void Server::stop(chronik_done done) {
  stopper_ = std::thread([this, done] { shut_down(done); });
}

void Server::shut_down(chronik_done done) {
  if (server_) {
    if (auto* health = server_->GetHealthCheckService()) health->Shutdown();
    runtime_.begin_stop();
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::nanoseconds(drain_timeout_ns_));
  }
  runtime_.wait_until_idle();
  server_.reset();
  done.call(done.context);
}

}  // namespace chronik::grpc_api
