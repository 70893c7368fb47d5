#include "metadata/controller.h"

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <optional>

#include "metadata/metadata_machine.h"
#include "replica/outcome.h"
#include "support/test_host.h"

namespace chronik {
namespace {

struct Admin {
  chronik_admin_request abi{};
  std::string name;
  std::optional<int32_t> status;
  uint64_t value = 0;

  Admin(uint32_t kind, std::string topic, uint32_t partitions = 0) : name(std::move(topic)) {
    abi.struct_size = sizeof abi;
    abi.kind = kind;
    abi.name = sdk::slice(name);
    abi.partitions = partitions;
    abi.done = [](chronik_admin_request* request, const chronik_outcome* outcome) noexcept {
      auto& self = *reinterpret_cast<Admin*>(request);
      self.status = outcome->status;
      self.value = outcome->value;
    };
  }
};

// A node of one in a single thread: group 0 is a machine that applies at once; replicas open and
// serve when the test says so.
class ControllerFixture : public ControllerHost {
 public:
  ControllerFixture() {
    machine.subscribe([this](MetadataImagePtr i) {
      post_control([this, i = std::move(i)] { controller.on_image(i); });
    });
    controller.on_serving(GroupId(0), true);
    controller.register_node({NodeId(1), "127.0.0.1:7001", {{"main", "memory", "store"}}},
                             [this](Status status) { registered = status.ok(); });
    run();
  }

  void run() {
    while (!work.empty()) {
      auto next = std::move(work.front());
      work.pop_front();
      next();
    }
  }
  void admin(Admin& request) {
    controller.admin(&request.abi);
    run();
  }

  void propose_metadata(chronik_propose_request* request) override {
    const chronik_entry entry{
        sizeof entry, 0, ++index, 1, 0, 0, {request->payload, request->payload_size}, nullptr};
    chronik_result result{};
    REQUIRE(machine.apply(sdk::Array<chronik_entry>(&entry, 1, sizeof entry), &result).ok());
    chronik_outcome outcome = make_outcome(result.status, sdk::view(result.bytes));
    outcome.value = result.value;
    request->done(request, &outcome);
  }
  void post_control(std::function<void()> w) override { work.push_back(std::move(w)); }
  void open_partition(const TopicInfo& topic, uint32_t partition, const ReplicaInfo&,
                      std::function<void(Status)> opened) override {
    opening[topic.partitions[partition].group.value] = topic.name;
    opened(open_status);
  }
  void delete_partition(GroupId group, std::function<void()> deleted) override {
    deleting[group.value] = std::move(deleted);
  }
  std::vector<GroupId> stored_groups() override { return stored; }
  bool has_store(const std::string& id) const override { return id == "store"; }
  Status check_state_machine(const std::string& name) const override {
    return name == "stream" ? Status() : Status(Code::kNotFound, "no such machine");
  }
  Status check_log_storage(const std::string&) const override { return {}; }

  test::TestHost host;
  chronik_state_machine_environment environment{sizeof environment, 0, 0, {}};
  chronik_config config{};
  MetadataMachine machine{sdk::Host(host.abi()), environment, sdk::Config(&config)};
  uint64_t index = 0;
  std::deque<std::function<void()>> work;
  std::vector<GroupId> stored = {GroupId(77)};
  std::map<uint64_t, std::string> opening;
  std::map<uint64_t, std::function<void()>> deleting;
  RoutingTable routing;
  Controller controller{NodeId(1), *this, routing};
  bool registered = false;
  Status open_status;
};

TEST_CASE_METHOD(ControllerFixture, "a creation is answered when all its partitions serve") {
  REQUIRE(registered);
  Admin create(CHRONIK_ADMIN_TOPIC_CREATE, "t", 2);
  admin(create);
  CHECK(opening.size() == 2);
  CHECK_FALSE(create.status);
  controller.on_serving(GroupId(1), true);
  run();
  CHECK_FALSE(create.status);
  controller.on_serving(GroupId(2), true);
  REQUIRE(create.status);
  CHECK(*create.status == CHRONIK_OK);
  // Whoever was told of the creation finds the topic with its leaders.
  const chronik_routing* snapshot = routing.acquire();
  REQUIRE(snapshot->topic_count == 1);
  CHECK(snapshot->topics[0].partitions[1].leader_node == 1);
  RoutingTable::release(snapshot);
}

TEST_CASE_METHOD(
    ControllerFixture,
    "a creation whose partition can't be opened is answered, and status keeps saying why") {
  open_status = Status(Code::kDataLoss, "no way");
  Admin create(CHRONIK_ADMIN_TOPIC_CREATE, "t", 1);
  admin(create);
  REQUIRE(create.status);
  CHECK(*create.status == CHRONIK_E_FAILED_PRECONDITION);
  REQUIRE(controller.problems().size() == 1);
  open_status = {};
  Admin other(CHRONIK_ADMIN_TOPIC_CREATE, "u", 1);
  admin(other);
  CHECK(controller.problems().size() == 1);  // after another reconciliation
  Admin remove(CHRONIK_ADMIN_TOPIC_DELETE, "t");
  admin(remove);
  REQUIRE(deleting.contains(1));
  CHECK(controller.problems().empty());
}

TEST_CASE_METHOD(ControllerFixture, "a creation whose partition is fenced at once is answered") {
  Admin create(CHRONIK_ADMIN_TOPIC_CREATE, "t", 1);
  admin(create);
  REQUIRE_FALSE(create.status);
  controller.on_fenced(GroupId(1), Status(Code::kInternal, "broken"));
  REQUIRE(create.status);
  CHECK(*create.status == CHRONIK_E_FAILED_PRECONDITION);
}

TEST_CASE_METHOD(ControllerFixture,
                 "a change that is applied after the stop is answered in doubt") {
  Admin create(CHRONIK_ADMIN_TOPIC_CREATE, "t", 1);
  controller.admin(&create.abi);  // proposed; the outcome is still on its way
  controller.stop();
  run();
  REQUIRE(create.status);
  CHECK(*create.status == CHRONIK_E_UNKNOWN);
  CHECK(opening.empty());
}

TEST_CASE_METHOD(ControllerFixture, "a deletion is answered when the data is gone") {
  Admin create(CHRONIK_ADMIN_TOPIC_CREATE, "t", 1);
  admin(create);
  controller.on_serving(GroupId(1), true);
  run();
  Admin remove(CHRONIK_ADMIN_TOPIC_DELETE, "t");
  admin(remove);
  CHECK_FALSE(remove.status);
  REQUIRE(deleting.contains(1));
  deleting[1]();
  run();
  CHECK(*remove.status == CHRONIK_OK);
}

TEST_CASE_METHOD(ControllerFixture,
                 "data of topics deleted while the node was down is swept at start") {
  CHECK(deleting.contains(77));
}

TEST_CASE_METHOD(ControllerFixture,
                 "an unknown state machine is refused before anything is logged") {
  const uint64_t before = index;
  Admin create(CHRONIK_ADMIN_TOPIC_CREATE, "t", 1);
  create.abi.state_machine = sdk::slice("strem");
  admin(create);
  CHECK(*create.status == CHRONIK_E_NOT_FOUND);
  CHECK(index == before);
}

TEST_CASE_METHOD(ControllerFixture,
                 "producer ids are distinct, and most cost no entry of group 0") {
  std::vector<uint64_t> ids;
  const uint64_t before = index;
  for (int i = 0; i < 1500; ++i) {
    Admin allocate(CHRONIK_ADMIN_ALLOCATE_PRODUCER_ID, "");
    admin(allocate);
    REQUIRE(*allocate.status == CHRONIK_OK);
    ids.push_back(allocate.value);
  }
  std::sort(ids.begin(), ids.end());
  CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  CHECK(index - before == 2);
}

TEST_CASE_METHOD(ControllerFixture,
                 "a replica whose volatile store was restarted stays away, and says so") {
  machine.subscribe([](MetadataImagePtr) {});
  MetadataImage image;
  image.version = 9;
  TopicInfo topic{1, "t", 1, "stream", "", {{GroupId(5), {{ReplicaId(1), NodeId(1), "another"}}}}};
  image.topics["t"] = topic;
  controller.on_image(std::make_shared<const MetadataImage>(image));
  CHECK(opening.empty());
  REQUIRE(controller.problems().size() == 1);
  CHECK(controller.problems()[0].group == GroupId(5));
}

TEST_CASE_METHOD(ControllerFixture, "a stop answers what waits") {
  Admin create(CHRONIK_ADMIN_TOPIC_CREATE, "t", 1);
  admin(create);
  controller.stop();
  CHECK(*create.status == CHRONIK_E_UNKNOWN);
  Admin late(CHRONIK_ADMIN_TOPIC_CREATE, "u", 1);
  admin(late);
  CHECK(*late.status == CHRONIK_E_UNAVAILABLE);
}

}  // namespace
}  // namespace chronik
