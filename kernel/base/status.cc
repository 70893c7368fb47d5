#include "base/status.h"

namespace chronik {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kOk: return "ok";
    case Code::kCancelled: return "cancelled";
    case Code::kUnknown: return "unknown";
    case Code::kInvalidArgument: return "invalid_argument";
    case Code::kDeadlineExceeded: return "deadline_exceeded";
    case Code::kNotFound: return "not_found";
    case Code::kAlreadyExists: return "already_exists";
    case Code::kPermissionDenied: return "permission_denied";
    case Code::kResourceExhausted: return "resource_exhausted";
    case Code::kFailedPrecondition: return "failed_precondition";
    case Code::kAborted: return "aborted";
    case Code::kOutOfRange: return "out_of_range";
    case Code::kUnimplemented: return "unimplemented";
    case Code::kInternal: return "internal";
    case Code::kUnavailable: return "unavailable";
    case Code::kDataLoss: return "data_loss";
    case Code::kNotLeader: return "not_leader";
    case Code::kNoSpace: return "no_space";
    case Code::kFailed: return "failed";
  }
  return "unrecognised";
}

Status::Status(Code code, std::string message) {
  if (code != Code::kOk) detail_ = std::make_shared<const Detail>(Detail{code, std::move(message)});
}

Status Status::from_abi(int32_t code, std::string_view message) {
  if (code == CHRONIK_OK) return {};
  return Status(static_cast<Code>(code), std::string(message));
}

std::string Status::to_string() const {
  if (ok()) return "ok";
  std::string text(code_name(code()));
  if (!message().empty()) text.append(": ").append(message());
  return text;
}

Status Status::annotate(std::string_view context) const {
  if (ok()) return {};
  std::string text(context);
  if (!message().empty()) text.append(": ").append(message());
  return Status(code(), std::move(text));
}

}  // namespace chronik
