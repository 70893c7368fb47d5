#include "metadata/metadata_machine.h"

#include <catch2/catch.hpp>

#include "support/test_host.h"

namespace chronik {
namespace {

// A machine and a log of one: applies commands as the entries 1, 2, 3...
class MetadataFixture {
 public:
  MetadataFixture() {
    machine.subscribe([this](MetadataImagePtr i) { image = std::move(i); });
  }

  struct Outcome {
    int32_t status;
    uint64_t value;
    std::string message;
  };
  Outcome apply_bytes(const std::string& bytes) {
    const chronik_entry entry{sizeof entry, 0, ++index, 1, 0, 0, sdk::slice(bytes), nullptr};
    chronik_result result{};
    REQUIRE(machine.apply(sdk::Array<chronik_entry>(&entry, 1, sizeof entry), &result).ok());
    return {result.status, result.value, std::string(sdk::view(result.bytes))};
  }
  Outcome apply(const MetadataCommand& command) { return apply_bytes(encode(command)); }
  void add_node(uint64_t id) {
    apply(RegisterNode{
        {NodeId(id), "host:1", {{"main", "segment_wal", "store" + std::to_string(id)}}}});
  }

  test::TestHost host;
  chronik_state_machine_environment environment{sizeof environment, 0, 0, {}};
  chronik_config config{};
  MetadataMachine machine{sdk::Host(host.abi()), environment, sdk::Config(&config)};
  MetadataImagePtr image;
  uint64_t index = 0;
};

TEST_CASE_METHOD(MetadataFixture, "a topic gets groups and replicas that nobody had before") {
  add_node(1);
  CHECK(apply(CreateTopic{"a", 2, 0, "stream", ""}).value == 1);
  CHECK(apply(CreateTopic{"b", 1, 1, "stream", "main"}).value == 2);
  const TopicInfo& a = image->topics.at("a");
  const TopicInfo& b = image->topics.at("b");
  CHECK(a.replication == 1);
  CHECK(a.partitions[0].group == GroupId(1));
  CHECK(a.partitions[1].group == GroupId(2));
  CHECK(b.partitions[0].group == GroupId(3));
  CHECK(b.partitions[0].replicas == std::vector<ReplicaInfo>{{ReplicaId(3), NodeId(1), "store1"}});
  CHECK(image->version == index);

  CHECK(apply(DeleteTopic{"a"}).status == CHRONIK_OK);
  CHECK(apply(CreateTopic{"a", 1, 0, "stream", ""}).value == 3);
  CHECK(image->topics.at("a").partitions[0].group == GroupId(4));
}

TEST_CASE_METHOD(MetadataFixture,
                 "what can't be done is a result with a sentence, and changes nothing") {
  const auto refused = [&](const MetadataCommand& command, int32_t status, const char* sentence) {
    const Outcome outcome = apply(command);
    CHECK(outcome.status == status);
    CHECK(outcome.message == sentence);
  };
  refused(CreateTopic{"a", 1, 0, "stream", ""}, CHRONIK_E_NOT_FOUND,
          "no node has a log storage named ''");
  add_node(1);
  apply(CreateTopic{"a", 1, 0, "stream", ""});
  const MetadataImage before = *image;
  refused(CreateTopic{"a", 1, 0, "stream", ""}, CHRONIK_E_ALREADY_EXISTS,
          "topic 'a' exists already");
  refused(CreateTopic{"b", 0, 0, "stream", ""}, CHRONIK_E_INVALID_ARGUMENT,
          "a topic has 1 to 10000 partitions");
  refused(CreateTopic{"b", 1, 2, "stream", ""}, CHRONIK_E_INVALID_ARGUMENT,
          "replication 2 needs as many nodes, there is 1");
  refused(CreateTopic{"b", 1, 0, "stream", "lmdb"}, CHRONIK_E_NOT_FOUND,
          "no node has a log storage named 'lmdb'");
  refused(CreateTopic{"no spaces", 1, 0, "stream", ""}, CHRONIK_E_INVALID_ARGUMENT,
          "a topic's name holds only letters, digits, '.', '_' and '-'");
  refused(DeleteTopic{"b"}, CHRONIK_E_NOT_FOUND, "there is no topic 'b'");
  CHECK(apply_bytes("\xff\xff garbage").status == CHRONIK_E_DATA_LOSS);
  MetadataImage after = *image;
  after.version = before.version;
  CHECK(after == before);
}

TEST_CASE_METHOD(MetadataFixture, "producer ids are handed out in blocks and never twice") {
  CHECK(apply(AllocateProducerIds{1000}).value == 1);
  CHECK(apply(AllocateProducerIds{1000}).value == 1001);
}

TEST_CASE_METHOD(MetadataFixture,
                 "a saved state restored elsewhere is the same, garbage is refused") {
  add_node(1);
  add_node(2);
  apply(CreateTopic{"a", 3, 2, "stream", ""});
  apply(AllocateProducerIds{10});
  std::string saved;
  const chronik_sink sink{&saved, [](void* context, chronik_slice bytes) noexcept -> int32_t {
                            static_cast<std::string*>(context)->append(sdk::view(bytes));
                            return CHRONIK_OK;
                          }};
  REQUIRE(machine.save(sink).ok());
  MetadataFixture other;
  REQUIRE(other.machine.restore(saved, index).ok());
  CHECK(*other.image == *image);
  CHECK(other.machine.restore("\x01\x02garbage", 1).code() == CHRONIK_E_DATA_LOSS);
}

TEST_CASE("topic names follow the field's rule") {
  CHECK(topic_name_problem("orders.eu-1_x").empty());
  CHECK_FALSE(topic_name_problem("").empty());
  CHECK_FALSE(topic_name_problem(".").empty());
  CHECK_FALSE(topic_name_problem("..").empty());
  CHECK_FALSE(topic_name_problem("a/b").empty());
  CHECK_FALSE(topic_name_problem(std::string(250, 'x')).empty());
  CHECK(topic_name_problem(std::string(249, 'x')).empty());
}

}  // namespace
}  // namespace chronik
