#include "metadata/routing.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "chronik/sdk/base.hpp"

namespace chronik {
namespace {

MetadataImage image_with(uint64_t version, int topics) {
  MetadataImage image;
  image.version = version;
  for (int i = 0; i < topics; ++i) {
    TopicInfo topic;
    topic.id = static_cast<uint64_t>(i) + 1;
    topic.name = "topic" + std::to_string(i);
    topic.partitions = {{GroupId(topic.id), {}}};
    image.topics[topic.name] = topic;
  }
  return image;
}

TEST_CASE("a snapshot stays as it is while a newer one is published") {
  RoutingTable table;
  table.publish(image_with(1, 2), {{GroupId(1), NodeId(7)}});
  const chronik_routing* old = table.acquire();
  table.publish(image_with(2, 1), {});
  CHECK(old->version == 1);
  CHECK(old->topic_count == 2);
  CHECK(sdk::view(old->topics[1].name) == "topic1");
  CHECK(old->topics[0].partitions[0].leader_node == 7);
  const chronik_routing* current = table.acquire();
  CHECK(current->version == 2);
  CHECK(current->topics[0].partitions[0].leader_node == 0);
  RoutingTable::release(old);
  RoutingTable::release(current);
}

TEST_CASE("readers and a publisher at once see whole snapshots, never older than before") {
  RoutingTable table;
  std::atomic<bool> done{false};
  std::atomic<bool> good{true};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      uint64_t last = 0;
      while (!done.load()) {
        const chronik_routing* routing = table.acquire();
        if (routing->version < last || routing->topic_count != routing->version % 5) good = false;
        last = routing->version;
        RoutingTable::release(routing);
      }
    });
  }
  for (uint64_t version = 1; version <= 2000; ++version) {
    table.publish(image_with(version, static_cast<int>(version % 5)), {});
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(good);
}

}  // namespace
}  // namespace chronik
