#include "chronik/sdk/crc32c.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

namespace chronik::sdk {
namespace {

uint32_t checksum(const std::string& bytes) {
  return crc32c(bytes.data(), bytes.size());
}

TEST_CASE("CRC-32C agrees with the examples of RFC 3720") {
  std::string ascending(32, '\0');
  for (size_t i = 0; i < ascending.size(); ++i) ascending[i] = static_cast<char>(i);
  const std::string descending(ascending.rbegin(), ascending.rend());
  CHECK(checksum(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(checksum(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(checksum(ascending) == 0x46dd794e);
  CHECK(checksum(descending) == 0x113fdb5c);
  CHECK(checksum("123456789") == 0xe3069283);
  CHECK(checksum("") == 0);
}

TEST_CASE("CRC-32C in hardware and by table agree at every size and alignment") {
  std::mt19937 random(3);
  std::string bytes(300, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  for (size_t start = 0; start < 9; ++start) {
    for (size_t size = 0; start + size <= bytes.size(); ++size) {
      const uint32_t by_table = ~detail::crc32c_portable(~0u, data + start, size);
      REQUIRE(crc32c(data + start, size) == by_table);
    }
  }
}

TEST_CASE("CRC-32C of a whole is that of its parts in a row") {
  const std::string bytes = "a batch of records in a journal of many groups";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const uint32_t head = crc32c(bytes.data(), cut);
    CHECK(crc32c(bytes.data() + cut, bytes.size() - cut, head) == checksum(bytes));
  }
}

}  // namespace
}  // namespace chronik::sdk
