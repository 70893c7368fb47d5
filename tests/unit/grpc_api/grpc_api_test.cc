// The frontend over real gRPC on loopback, in front of a fake node.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "chronik/api/v1/api.grpc.pb.h"
#include "chronik/format/record_batch.hpp"
#include "fake_node.h"

namespace chronik::test {
namespace {

namespace pb = ::chronik::api::v1;

std::unique_ptr<pb::Chronik::Stub> connect(FakeNode& node) {
  ::grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return pb::Chronik::NewStub(
      ::grpc::CreateCustomChannel(node.address(), ::grpc::InsecureChannelCredentials(), arguments));
}

std::string batch(const std::vector<std::string>& values, int64_t time_ms = 1000,
                  size_t max_bytes = 16 << 20) {
  format::RecordBatchBuilder builder(max_bytes);
  for (const std::string& value : values) REQUIRE(builder.append({}, value, time_ms));
  return std::string(builder.finish());
}

pb::ProduceRequest produce_request(uint64_t id, const std::string& topic, uint32_t partition,
                                   const std::string& bytes) {
  pb::ProduceRequest request;
  request.set_request_id(id);
  request.set_topic(topic);
  request.set_partition(partition);
  request.set_record_batch(bytes);
  return request;
}

pb::ProduceResult produce(pb::Chronik::Stub& stub, const pb::ProduceRequest& request) {
  ::grpc::ClientContext context;
  pb::ProduceResult result;
  const ::grpc::Status status = stub.Produce(&context, request, &result);
  REQUIRE(status.ok());
  return result;
}

// Reads a Fetch to its end.
struct Fetched {
  std::vector<std::string> values;
  std::vector<pb::FetchResponse> messages;
  ::grpc::Status status;
  pb::Error error;
};

void add_values(const pb::FetchResponse& message, std::vector<std::string>& values) {
  for (const std::string& bytes : message.record_batches()) {
    REQUIRE(format::validate(bytes, 16 << 20).ok());
    format::RecordReader reader(bytes);
    for (format::Record record; reader.next(record);) values.emplace_back(*record.value);
    REQUIRE(reader.status().ok());
  }
}

pb::Error trailing_error(const ::grpc::ClientContext& context) {
  pb::Error error;
  const auto& trailing = context.GetServerTrailingMetadata();
  const auto at = trailing.find("chronik-error-bin");
  if (at != trailing.end())
    REQUIRE(error.ParseFromArray(at->second.data(), static_cast<int>(at->second.size())));
  return error;
}

Fetched fetch(pb::Chronik::Stub& stub, const pb::FetchRequest& request) {
  Fetched fetched;
  ::grpc::ClientContext context;
  auto reader = stub.Fetch(&context, request);
  for (pb::FetchResponse message; reader->Read(&message);) {
    add_values(message, fetched.values);
    fetched.messages.push_back(message);
  }
  fetched.status = reader->Finish();
  fetched.error = trailing_error(context);
  return fetched;
}

pb::FetchRequest fetch_request(const std::string& topic, uint32_t partition = 0) {
  pb::FetchRequest request;
  request.set_topic(topic);
  request.set_partition(partition);
  return request;
}

struct Session {
  explicit Session(const FakeNode::Options& options = {}) : node(options) {
    node.add_topic("t", 2);
    REQUIRE(node.start() == CHRONIK_OK);
    stub = connect(node);
  }
  FakeNode node;
  std::unique_ptr<pb::Chronik::Stub> stub;
};

}  // namespace

TEST_CASE("listens_on_a_free_port_and_tells_the_host_which") {
  FakeNode node;
  REQUIRE(node.start() == CHRONIK_OK);
  CHECK(node.address().rfind("127.0.0.1:", 0) == 0);
  CHECK(node.address() != "127.0.0.1:0");
}

TEST_CASE("advertises_what_the_option_says") {
  FakeNode::Options options;
  options.advertise = "kurt.example:7070";
  FakeNode node(options);
  REQUIRE(node.start() == CHRONIK_OK);
  CHECK(node.address() == "kurt.example:7070");
}

TEST_CASE("a_port_in_use_fails_with_a_sentence") {
  FakeNode first;
  REQUIRE(first.start() == CHRONIK_OK);
  FakeNode::Options options;
  options.listen = first.address();
  FakeNode second(options);
  CHECK(second.start() == CHRONIK_E_UNAVAILABLE);
  CHECK(second.error ==
        "can't listen on " + first.address() + ": another process listens there already");
}

TEST_CASE("a_batch_comes_back_byte_for_byte") {
  Session session;
  const std::string binary("\0\n\xff\x80 value", 10);
  const std::string bytes = batch({binary, "", "third"});
  const pb::ProduceResult first = produce(*session.stub, produce_request(7, "t", 1, bytes));
  CHECK(first.request_id() == 7);
  CHECK_FALSE(first.has_error());
  CHECK(first.base_offset() == 0);
  CHECK(produce(*session.stub, produce_request(8, "t", 1, bytes)).base_offset() == 3);

  const Fetched fetched = fetch(*session.stub, fetch_request("t", 1));
  REQUIRE(fetched.status.ok());
  CHECK(fetched.values == std::vector<std::string>{binary, "", "third", binary, "", "third"});
  // Only the leader's two fields differ.
  const std::string& second = fetched.messages.back().record_batches(1);
  CHECK(second.substr(format::kMagicAt) == bytes.substr(format::kMagicAt));
  CHECK(fetched.messages.back().end_offset() == 6);
  CHECK(fetched.messages.back().next_offset() == 6);
}

TEST_CASE("results_of_a_stream_carry_the_ids_of_their_requests") {
  Session session;
  ::grpc::ClientContext context;
  auto stream = session.stub->ProduceStream(&context);
  constexpr uint64_t kRequests = 300;
  for (uint64_t id = 0; id < kRequests; id += 3) {
    pb::ProduceStreamRequest message;
    for (uint64_t i = id; i < id + 3; ++i)
      *message.add_requests() = produce_request(i, "t", i % 2, batch({std::to_string(i)}));
    REQUIRE(stream->Write(message));
  }
  REQUIRE(stream->WritesDone());
  std::map<uint64_t, uint64_t> offsets;
  for (pb::ProduceStreamResponse response; stream->Read(&response);) {
    for (const pb::ProduceResult& result : response.results()) {
      CHECK_FALSE(result.has_error());
      offsets[result.request_id()] = result.base_offset();
    }
  }
  CHECK(stream->Finish().ok());
  REQUIRE(offsets.size() == kRequests);
  for (const auto& [id, offset] : offsets) CHECK(offset == id / 2);
}

TEST_CASE("results_come_as_they_are_ready") {
  Session session;
  session.node.hold_proposals(true);
  ::grpc::ClientContext context;
  auto stream = session.stub->ProduceStream(&context);
  pb::ProduceStreamRequest message;
  for (uint64_t i = 0; i < 3; ++i)
    *message.add_requests() = produce_request(i, "t", 0, batch({"x"}));
  REQUIRE(stream->Write(message));
  session.node.wait_held(3);
  session.node.release_proposals(1);
  pb::ProduceStreamResponse response;
  REQUIRE(stream->Read(&response));
  REQUIRE(response.results_size() == 1);
  CHECK(response.results(0).request_id() == 0);
  session.node.release_proposals(2);
  std::vector<uint64_t> ids;
  while (ids.size() < 2 && stream->Read(&response))
    for (const pb::ProduceResult& result : response.results()) ids.push_back(result.request_id());
  CHECK(ids == std::vector<uint64_t>{1, 2});
  REQUIRE(stream->WritesDone());
  CHECK_FALSE(stream->Read(&response));
  CHECK(stream->Finish().ok());
}

TEST_CASE("what_is_wrong_with_one_batch_is_told_of_that_one") {
  FakeNode::Options options;
  options.max_payload_bytes = 4096;
  Session session(options);
  ::grpc::ClientContext context;
  auto stream = session.stub->ProduceStream(&context);
  pb::ProduceStreamRequest message;
  *message.add_requests() = produce_request(1, "missing", 0, batch({"x"}));
  *message.add_requests() = produce_request(2, "t", 5, batch({"x"}));
  *message.add_requests() = produce_request(3, "t", 0, batch({std::string(5000, 'x')}));
  *message.add_requests() = produce_request(4, "t", 0, batch({"x"}));
  REQUIRE(stream->Write(message));
  REQUIRE(stream->WritesDone());
  std::map<uint64_t, pb::ProduceResult> results;
  for (pb::ProduceStreamResponse response; stream->Read(&response);)
    for (const pb::ProduceResult& result : response.results())
      results[result.request_id()] = result;
  CHECK(stream->Finish().ok());
  REQUIRE(results.size() == 4);
  CHECK(results[1].error().code() == pb::CODE_NOT_FOUND);
  CHECK(results[1].error().detail() == 3);
  CHECK(results[1].error().message() == "no topic named 'missing'");
  CHECK(results[2].error().code() == pb::CODE_INVALID_ARGUMENT);
  CHECK(results[2].error().message() ==
        "topic 't' has 2 partitions, numbered from 0; there is no 5");
  CHECK(results[3].error().detail() == 10);
  CHECK_FALSE(results[3].error().in_doubt());
  CHECK_FALSE(results[4].has_error());
}

TEST_CASE("errors_of_the_host_keep_code_detail_doubt_and_leader") {
  Session session;
  session.node.refuse_next(1, CHRONIK_E_INVALID_ARGUMENT, "out of order", 45);
  pb::Error error = produce(*session.stub, produce_request(1, "t", 0, batch({"x"}))).error();
  CHECK(error.code() == pb::CODE_INVALID_ARGUMENT);
  CHECK(error.detail() == 45);
  CHECK(error.message() == "out of order");
  CHECK_FALSE(error.in_doubt());

  session.node.refuse_next(1, CHRONIK_E_FAILED, "fsync failed");
  error = produce(*session.stub, produce_request(1, "t", 0, batch({"x"}))).error();
  CHECK(error.code() == pb::CODE_FAILED);
  CHECK(error.in_doubt());

  session.node.lead_elsewhere(3, "10.0.0.3:7001");
  error = produce(*session.stub, produce_request(1, "t", 0, batch({"x"}))).error();
  CHECK(error.code() == pb::CODE_NOT_LEADER);
  CHECK(error.leader().node() == 3);
  CHECK(error.leader().api_address() == "10.0.0.3:7001");

  const Fetched fetched = fetch(*session.stub, fetch_request("t"));
  CHECK(fetched.status.error_code() == ::grpc::StatusCode::UNAVAILABLE);
  CHECK(fetched.error.leader().api_address() == "10.0.0.3:7001");
}

TEST_CASE("a_batch_without_room_waits_for_another_of_its_stream") {
  Session session;
  session.node.hold_proposals(true);
  ::grpc::ClientContext context;
  auto stream = session.stub->ProduceStream(&context);
  pb::ProduceStreamRequest message;
  *message.add_requests() = produce_request(1, "t", 0, batch({"a"}));
  *message.add_requests() = produce_request(2, "t", 1, batch({"b"}));
  REQUIRE(stream->Write(message));
  session.node.wait_held(2);
  // The first has no room while the second is under way: it is proposed again afterwards.
  session.node.refuse_next(1, CHRONIK_E_RESOURCE_EXHAUSTED, "full");
  session.node.release_proposals(1);
  session.node.release_proposals(1);
  session.node.wait_held(1);
  session.node.release_proposals(1);
  REQUIRE(stream->WritesDone());
  std::vector<uint64_t> ids;
  for (pb::ProduceStreamResponse response; stream->Read(&response);) {
    for (const pb::ProduceResult& result : response.results()) {
      CHECK_FALSE(result.has_error());
      ids.push_back(result.request_id());
    }
  }
  CHECK(stream->Finish().ok());
  CHECK(ids == std::vector<uint64_t>{2, 1});
  CHECK(session.node.proposals() == 3);
}

TEST_CASE("a_batch_without_room_is_refused_if_nothing_is_under_way") {
  Session session;
  session.node.refuse_next(1, CHRONIK_E_RESOURCE_EXHAUSTED, "full");
  ::grpc::ClientContext context;
  auto stream = session.stub->ProduceStream(&context);
  pb::ProduceStreamRequest message;
  *message.add_requests() = produce_request(1, "t", 0, batch({"a"}));
  REQUIRE(stream->Write(message));
  pb::ProduceStreamResponse response;
  REQUIRE(stream->Read(&response));
  CHECK(response.results(0).error().code() == pb::CODE_RESOURCE_EXHAUSTED);
  CHECK_FALSE(response.results(0).error().in_doubt());
  REQUIRE(stream->Write(message));
  REQUIRE(stream->Read(&response));
  CHECK_FALSE(response.results(0).has_error());
  REQUIRE(stream->WritesDone());
  CHECK(stream->Finish().ok());
}

TEST_CASE("reading_stops_while_a_bound_is_exceeded") {
  const std::string value(10'000, 'x');
  FakeNode::Options options;
  SECTION("of the stream") {
    options.max_stream_inflight_bytes = 15'000;
  }
  SECTION("of the server") {
    options.max_inflight_bytes = 15'000;
  }
  SECTION("of results") {
    options.max_stream_results = 2;
  }
  Session session(options);
  session.node.hold_proposals(true);
  constexpr int kRequests = 40;
  ::grpc::ClientContext context;
  auto stream = session.stub->ProduceStream(&context);
  std::thread writer([&] {
    for (int i = 0; i < kRequests; ++i) {
      pb::ProduceStreamRequest message;
      *message.add_requests() = produce_request(static_cast<uint64_t>(i), "t", 0, batch({value}));
      if (!stream->Write(message)) return;
    }
    stream->WritesDone();
  });
  int answered = 0;
  pb::ProduceStreamResponse response;
  while (answered < kRequests) {
    session.node.wait_held(1);
    CHECK(session.node.held() <= 2);
    session.node.release_proposals(1);
    REQUIRE(stream->Read(&response));
    answered += response.results_size();
  }
  writer.join();
  CHECK_FALSE(stream->Read(&response));
  CHECK(stream->Finish().ok());
}

TEST_CASE("fetch_begins_where_it_is_told") {
  Session session;
  for (int i = 0; i < 10; ++i) {
    const std::string at = std::to_string(i);
    produce(*session.stub, produce_request(1, "t", 0, batch({at + "a", at + "b"}, 1000 + i * 100)));
  }
  pb::FetchRequest request = fetch_request("t");
  SECTION("at the beginning") {
    CHECK(fetch(*session.stub, request).values.size() == 20);
  }
  SECTION("at an offset, with the whole batch that holds it") {
    request.set_offset(15);
    const Fetched fetched = fetch(*session.stub, request);
    REQUIRE(fetched.status.ok());
    CHECK(fetched.values.front() == "7a");
    CHECK(fetched.values.size() == 6);
  }
  SECTION("at a time") {
    request.set_timestamp_ms(1750);
    const Fetched fetched = fetch(*session.stub, request);
    REQUIRE(fetched.status.ok());
    CHECK(fetched.values == std::vector<std::string>{"8a", "8b", "9a", "9b"});
  }
  SECTION("at a time in the future: nothing") {
    request.set_timestamp_ms(9999);
    const Fetched fetched = fetch(*session.stub, request);
    CHECK(fetched.status.ok());
    CHECK(fetched.values.empty());
  }
  SECTION("at the end: the offsets and nothing else") {
    request.set_position(pb::POSITION_END);
    const Fetched fetched = fetch(*session.stub, request);
    REQUIRE(fetched.status.ok());
    REQUIRE(fetched.messages.size() == 1);
    CHECK(fetched.values.empty());
    CHECK(fetched.messages[0].end_offset() == 20);
    CHECK(fetched.messages[0].next_offset() == 20);
  }
  SECTION("outside of what there is: an error") {
    request.set_offset(21);
    const Fetched fetched = fetch(*session.stub, request);
    CHECK(fetched.status.error_code() == ::grpc::StatusCode::OUT_OF_RANGE);
    CHECK(fetched.error.code() == pb::CODE_OUT_OF_RANGE);
    CHECK(fetched.error.detail() == 1);
    CHECK(fetched.error.message() == "offset 21 lies outside of what is kept: 0 up to 20");
  }
  SECTION("in small messages if wanted") {
    request.set_max_bytes(1);
    const Fetched fetched = fetch(*session.stub, request);
    CHECK(fetched.values.size() == 20);
    CHECK(fetched.messages.size() == 10);
  }
}

TEST_CASE("large_batches_are_pinned_until_they_are_sent") {
  FakeNode::Options options;
  options.max_payload_bytes = 4 << 20;
  options.max_fetch_bytes = 1 << 20;
  Session session(options);
  std::vector<std::string> sent;
  for (char letter = 'a'; letter <= 'p'; ++letter) {
    sent.emplace_back(300'000, letter);
    produce(*session.stub, produce_request(1, "t", 0, batch({sent.back()})));
  }
  const Fetched fetched = fetch(*session.stub, fetch_request("t"));
  REQUIRE(fetched.status.ok());
  CHECK(fetched.values == sent);  // a pin that goes too early leaves '!' in the bytes
  session.node.wait_pinned(0);
}

TEST_CASE("a_following_fetch_gets_what_is_produced_later_and_can_be_cancelled") {
  Session session;
  pb::FetchRequest request = fetch_request("t");
  request.set_follow(true);
  ::grpc::ClientContext context;
  auto reader = session.stub->Fetch(&context, request);
  pb::FetchResponse message;
  REQUIRE(reader->Read(&message));  // caught up
  CHECK(message.record_batches_size() == 0);
  std::vector<std::string> values;
  for (const char* value : {"one", "two", "three"}) {
    session.node.wait_long_polls(1);
    produce(*session.stub, produce_request(1, "t", 0, batch({value})));
    REQUIRE(reader->Read(&message));
    add_values(message, values);
  }
  CHECK(values == std::vector<std::string>{"one", "two", "three"});
  session.node.wait_long_polls(1);
  context.TryCancel();
  session.node.wait_long_polls(0);
  CHECK_FALSE(reader->Read(&message));
  CHECK(reader->Finish().error_code() == ::grpc::StatusCode::CANCELLED);
}

TEST_CASE("a_client_that_goes_away_leaves_its_batches_to_the_host") {
  Session session;
  session.node.hold_proposals(true);
  {
    ::grpc::ClientContext context;
    auto stream = session.stub->ProduceStream(&context);
    pb::ProduceStreamRequest message;
    for (uint64_t i = 0; i < 3; ++i)
      *message.add_requests() = produce_request(i, "t", 0, batch({"x"}));
    REQUIRE(stream->Write(message));
    session.node.wait_held(3);
    context.TryCancel();
    CHECK(stream->Finish().error_code() == ::grpc::StatusCode::CANCELLED);
  }
  session.node.hold_proposals(false);
  session.node.release_proposals(3);
  CHECK(produce(*session.stub, produce_request(1, "t", 0, batch({"y"}))).base_offset() == 3);
}

TEST_CASE("stop_waits_for_what_is_under_way_and_ends_the_rest") {
  Session session;
  session.node.hold_proposals(true);
  ::grpc::ClientContext produce_context;
  auto stream = session.stub->ProduceStream(&produce_context);
  pb::ProduceStreamRequest message;
  *message.add_requests() = produce_request(1, "t", 0, batch({"x"}));
  REQUIRE(stream->Write(message));
  session.node.wait_held(1);
  pb::FetchRequest request = fetch_request("t", 1);
  request.set_follow(true);
  ::grpc::ClientContext fetch_context;
  auto reader = session.stub->Fetch(&fetch_context, request);
  session.node.wait_long_polls(1);

  session.node.begin_stop();
  pb::FetchResponse fetched;
  while (reader->Read(&fetched)) {
  }
  CHECK(reader->Finish().error_code() == ::grpc::StatusCode::UNAVAILABLE);
  session.node.release_proposals(1);
  pb::ProduceStreamResponse response;
  REQUIRE(stream->Read(&response));
  CHECK_FALSE(response.results(0).has_error());
  CHECK_FALSE(stream->Read(&response));
  const ::grpc::Status status = stream->Finish();
  CHECK(status.error_code() == ::grpc::StatusCode::UNAVAILABLE);
  CHECK(status.error_message() == "the node is stopping");
  session.node.wait_stopped();
}

TEST_CASE("stop_cuts_off_what_outlasts_the_drain_timeout") {
  FakeNode::Options options;
  options.drain_timeout_ns = 1'000'000;
  Session session(options);
  session.node.hold_proposals(true);
  ::grpc::ClientContext context;
  auto stream = session.stub->ProduceStream(&context);
  pb::ProduceStreamRequest message;
  *message.add_requests() = produce_request(1, "t", 0, batch({"x"}));
  REQUIRE(stream->Write(message));
  session.node.wait_held(1);
  session.node.begin_stop();
  pb::ProduceStreamResponse response;
  CHECK_FALSE(stream->Read(&response));
  CHECK_FALSE(stream->Finish().ok());
  session.node.release_proposals(1);  // only then may the host take the frontend down
  session.node.wait_stopped();
}

TEST_CASE("stop_after_a_failed_start_is_done_at_once") {
  FakeNode first;
  REQUIRE(first.start() == CHRONIK_OK);
  FakeNode::Options options;
  options.listen = first.address();
  FakeNode second(options);
  REQUIRE(second.start() != CHRONIK_OK);
  second.stop();
}

TEST_CASE("topics_are_created_listed_described_and_deleted") {
  Session session;
  {
    ::grpc::ClientContext context;
    pb::CreateTopicRequest request;
    pb::CreateTopicResponse response;
    request.set_name("news");
    request.set_partitions(3);
    REQUIRE(session.stub->CreateTopic(&context, request, &response).ok());
  }
  {
    ::grpc::ClientContext context;
    pb::CreateTopicRequest request;
    pb::CreateTopicResponse response;
    request.set_name("news");
    const ::grpc::Status status = session.stub->CreateTopic(&context, request, &response);
    CHECK(status.error_code() == ::grpc::StatusCode::ALREADY_EXISTS);
    CHECK(status.error_message() == "there is a topic named 'news' already");
    CHECK(trailing_error(context).code() == pb::CODE_ALREADY_EXISTS);
  }
  {
    ::grpc::ClientContext context;
    pb::ListTopicsResponse response;
    REQUIRE(session.stub->ListTopics(&context, {}, &response).ok());
    REQUIRE(response.topics_size() == 2);
    CHECK(response.topics(0).name() == "news");
    CHECK(response.topics(0).partitions() == 3);
    CHECK(response.topics(1).name() == "t");
  }
  produce(*session.stub, produce_request(1, "news", 2, batch({"x", "y"})));
  {
    ::grpc::ClientContext context;
    pb::DescribeTopicRequest request;
    pb::DescribeTopicResponse response;
    request.set_name("news");
    REQUIRE(session.stub->DescribeTopic(&context, request, &response).ok());
    CHECK(response.max_batch_bytes() == 1 << 20);
    REQUIRE(response.partitions_size() == 3);
    CHECK(response.partitions(2).leader().node() == 1);
    CHECK(response.partitions(2).leader().api_address() == session.node.address());
    CHECK(response.partitions(2).replica().end_offset() == 2);
    CHECK(response.partitions(1).replica().end_offset() == 0);
  }
  {
    ::grpc::ClientContext context;
    pb::DeleteTopicRequest request;
    pb::DeleteTopicResponse response;
    request.set_name("news");
    REQUIRE(session.stub->DeleteTopic(&context, request, &response).ok());
  }
  {
    ::grpc::ClientContext context;
    pb::DescribeTopicRequest request;
    pb::DescribeTopicResponse response;
    request.set_name("news");
    const ::grpc::Status status = session.stub->DescribeTopic(&context, request, &response);
    CHECK(status.error_code() == ::grpc::StatusCode::NOT_FOUND);
  }
}

TEST_CASE("only_streams_can_be_fetched") {
  Session session;
  session.node.add_topic("accounts", 1, "kv");
  CHECK(fetch(*session.stub, fetch_request("accounts")).status.error_code() ==
        ::grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_CASE("producer_ids_differ") {
  Session session;
  std::set<uint64_t> ids;
  for (int i = 0; i < 3; ++i) {
    ::grpc::ClientContext context;
    pb::InitProducerResponse response;
    REQUIRE(session.stub->InitProducer(&context, {}, &response).ok());
    ids.insert(response.producer_id());
  }
  CHECK(ids.size() == 3);
}

TEST_CASE("status_tells_of_node_groups_and_metrics") {
  Session session;
  ::grpc::ClientContext context;
  pb::StatusRequest request;
  pb::StatusResponse response;
  request.set_with_metrics(true);
  REQUIRE(session.stub->Status(&context, request, &response).ok());
  CHECK(response.node() == 1);
  CHECK(response.cluster_name() == "demo");
  CHECK(response.uptime_ms() == 1500);
  REQUIRE(response.nodes_size() == 1);
  CHECK(response.nodes(0).api_address() == session.node.address());
  REQUIRE(response.replicas_size() == 2);
  CHECK(response.replicas(1).topic() == "t");
  CHECK(response.replicas(1).role() == pb::ROLE_LEADER);
  REQUIRE(response.metrics_size() == 1);
  CHECK(response.metrics(0).value() == 42);
}

namespace {

// Calls a method that this program has no generated code for: one message out, one back.
std::string raw_call(FakeNode& node, const std::string& method, const std::string& request) {
  ::grpc::GenericStub stub(
      ::grpc::CreateChannel(node.address(), ::grpc::InsecureChannelCredentials()));
  ::grpc::ClientContext context;
  ::grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  auto call = stub.PrepareCall(&context, method, &queue);
  call->StartCall(nullptr);
  REQUIRE(queue.Next(&tag, &ok));
  const ::grpc::Slice slice(request);
  call->Write(::grpc::ByteBuffer(&slice, 1), nullptr);
  REQUIRE(queue.Next(&tag, &ok));
  ::grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  REQUIRE(queue.Next(&tag, &ok));
  REQUIRE(ok);
  call->WritesDone(nullptr);
  REQUIRE(queue.Next(&tag, &ok));
  ::grpc::Status status;
  call->Finish(&status, nullptr);
  REQUIRE(queue.Next(&tag, &ok));
  CHECK(status.ok());
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  std::vector<::grpc::Slice> slices;
  REQUIRE(answer.Dump(&slices).ok());
  std::string bytes;
  for (const ::grpc::Slice& part : slices)
    bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
  return bytes;
}

}  // namespace

TEST_CASE("the_health_service_says_serving") {
  Session session;
  const std::string serving("\x08\x01", 2);  // status = SERVING
  CHECK(raw_call(session.node, "/grpc.health.v1.Health/Check", "") == serving);
  const std::string name = "chronik.api.v1.Chronik";
  CHECK(raw_call(session.node, "/grpc.health.v1.Health/Check",
                 std::string("\x0a") + static_cast<char>(name.size()) + name) == serving);
}

TEST_CASE("reflection_knows_the_service") {
  Session session;
  const std::string list_services("\x3a\x01*", 3);
  const std::string answer =
      raw_call(session.node, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
               list_services);
  CHECK(answer.find("chronik.api.v1.Chronik") != std::string::npos);
  CHECK(answer.find("grpc.health.v1.Health") != std::string::npos);
  const std::string symbol = "chronik.api.v1.FetchResponse";
  const std::string file =
      raw_call(session.node, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
               std::string("\x22") + static_cast<char>(symbol.size()) + symbol);
  CHECK(file.find("record_batches") != std::string::npos);
}

}  // namespace chronik::test
