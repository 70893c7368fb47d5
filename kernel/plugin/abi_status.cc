#include "plugin/abi_status.h"

#include <string>

namespace chronik {

Status to_kernel(const sdk::Status& status) {
  if (status.ok()) return {};
  const auto code = static_cast<Code>(status.code());
  if (code_name(code) != "unrecognised") return Status(code, status.message());
  return Status(Code::kInternal,
                "unrecognised status " + std::to_string(status.code()) + ": " + status.message());
}

}  // namespace chronik
