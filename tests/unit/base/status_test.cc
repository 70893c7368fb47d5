#include "base/status.h"

#include <catch2/catch.hpp>

namespace chronik {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Status(Code::kInvalidArgument, "odd number");
  return n / 2;
}

Result<int> quarter(int n) {
  CHRONIK_ASSIGN_OR_RETURN(const int h, half(n));
  return half(h);
}

TEST_CASE("status keeps code and message, and annotate adds context in front") {
  const Status status(Code::kNotFound, "no topic named 'x'");
  CHECK(status.to_string() == "not_found: no topic named 'x'");
  CHECK(status.annotate("describing").to_string() == "not_found: describing: no topic named 'x'");
  CHECK(Status().annotate("anything").ok());
  CHECK(Status().to_string() == "ok");
}

TEST_CASE("status from the ABI keeps the number, even one it doesn't know") {
  CHECK(Status::from_abi(CHRONIK_OK).ok());
  CHECK(Status::from_abi(CHRONIK_E_NO_SPACE, "full").code() == Code::kNoSpace);
  CHECK(Status::from_abi(999, "odd").abi_code() == 999);
}

TEST_CASE("result passes values on and stops at the first error") {
  CHECK(quarter(8).value() == 2);
  CHECK(quarter(6).status().code() == Code::kInvalidArgument);
}

}  // namespace
}  // namespace chronik
