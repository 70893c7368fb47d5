#include "chronik/format/partitioner.hpp"

#include <catch2/catch.hpp>

namespace chronik::format {
namespace {

TEST_CASE("murmur2 agrees with Kafka's Java client") {
  // From its UtilsTest.testMurmur2.
  const auto java = [](std::string_view key) { return static_cast<int32_t>(murmur2(key)); };
  CHECK(java("21") == -973932308);
  CHECK(java("foobar") == -790332482);
  CHECK(java("a-little-bit-long-string") == -985981536);
  CHECK(java("a-little-bit-longer-string") == -1486304829);
  CHECK(java("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8") == -58897971);
  CHECK(java("abc") == 479470107);
}

TEST_CASE("murmur2 agrees with librdkafka") {
  // From its unittest_murmur2.
  CHECK(murmur2("kafka") == 0xd067cf64);
  CHECK(murmur2("giberish123456789") == 0x8f552b0c);
  CHECK(murmur2("1234") == 0x9fc97b14);
  CHECK(murmur2("234") == 0xe7c009ca);
  CHECK(murmur2("34") == 0x873930da);
  CHECK(murmur2("4") == 0x5a4b5ca1);
  CHECK(murmur2("PreAmbleWillBeRemoved,ThePrePartThatIs") == 0x78424f1c);
  CHECK(murmur2("reAmbleWillBeRemoved,ThePrePartThatIs") == 0x4a62b377);
  CHECK(murmur2("") == 0x106e08d9);
}

TEST_CASE("murmur2 takes bytes above 127 as unsigned") {
  // From a second implementation, in Python, that agrees with the values above.
  CHECK(murmur2("\xff") == 0xed6f615b);
  CHECK(murmur2("\xff\xfe\xfd\xfc\xfb\xfa\xf9") == 0xf6176f45);
}

TEST_CASE("a key's partition is its positive hash modulo the partitions") {
  CHECK(partition_for_key("kafka", 12) == (0x5067cf64u % 12));
  CHECK(partition_for_key("kafka", 1) == 0);
  CHECK(partition_for_key("21", 7) == 1173551340u % 7);
}

}  // namespace
}  // namespace chronik::format
