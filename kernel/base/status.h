// Status and Result<T>: operating errors as values.
//
// A Status is OK or a code with a message; OK costs one null pointer. The codes are those of the
// plugin ABI (chronik/abi/base.h), so an error keeps its meaning from a plugin to a client.
// Messages are one line, without a final full stop; each layer that passes an error on adds one
// line of context in front with `annotate`.
//
//   Status s = open(path);
//   CHRONIK_TRY(s.annotate("opening the journal"));
//   CHRONIK_ASSIGN_OR_RETURN(auto file, open_file(path));
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "chronik/abi/base.h"

namespace chronik {

enum class Code : int32_t {
  kOk = CHRONIK_OK,
  kCancelled = CHRONIK_E_CANCELLED,
  kUnknown = CHRONIK_E_UNKNOWN,
  kInvalidArgument = CHRONIK_E_INVALID_ARGUMENT,
  kDeadlineExceeded = CHRONIK_E_DEADLINE_EXCEEDED,
  kNotFound = CHRONIK_E_NOT_FOUND,
  kAlreadyExists = CHRONIK_E_ALREADY_EXISTS,
  kPermissionDenied = CHRONIK_E_PERMISSION_DENIED,
  kResourceExhausted = CHRONIK_E_RESOURCE_EXHAUSTED,
  kFailedPrecondition = CHRONIK_E_FAILED_PRECONDITION,
  kAborted = CHRONIK_E_ABORTED,
  kOutOfRange = CHRONIK_E_OUT_OF_RANGE,
  kUnimplemented = CHRONIK_E_UNIMPLEMENTED,
  kInternal = CHRONIK_E_INTERNAL,
  kUnavailable = CHRONIK_E_UNAVAILABLE,
  kDataLoss = CHRONIK_E_DATA_LOSS,
  kNotLeader = CHRONIK_E_NOT_LEADER,
  kNoSpace = CHRONIK_E_NO_SPACE,
  kFailed = CHRONIK_E_FAILED,
};

// The code's name as it appears in messages and JSON: "not_found".
std::string_view code_name(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message);

  // From an ABI call: the return value and the error struct it filled. `message` may be empty.
  static Status from_abi(int32_t code, std::string_view message = {});

  bool ok() const { return detail_ == nullptr; }
  explicit operator bool() const = delete;
  Code code() const { return detail_ ? detail_->code : Code::kOk; }
  int32_t abi_code() const { return static_cast<int32_t>(code()); }
  std::string_view message() const {
    return detail_ ? std::string_view(detail_->message) : std::string_view();
  }
  // "not_found: no topic named 'x'", or "ok".
  std::string to_string() const;

  // The same code with `context: ` in front of the message. OK stays OK.
  Status annotate(std::string_view context) const;

 private:
  struct Detail {
    Code code;
    std::string message;
  };
  std::shared_ptr<const Detail> detail_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {
    CHRONIK_CHECK(!status_.ok(), "a Result without a value needs an error");
  }
  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & {
    CHRONIK_CHECK(ok(), "Result holds an error");
    return *value_;
  }
  const T& value() const& {
    CHRONIK_CHECK(ok(), "Result holds an error");
    return *value_;
  }
  T&& value() && {
    CHRONIK_CHECK(ok(), "Result holds an error");
    return std::move(*value_);
  }
  T* operator->() { return &value(); }
  T& operator*() & { return value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace chronik

#define CHRONIK_TRY(expression)                                                  \
  do {                                                                           \
    if (::chronik::Status chronik_status_ = (expression); !chronik_status_.ok()) \
      return chronik_status_;                                                    \
  } while (false)

#define CHRONIK_CONCAT_INNER_(a, b) a##b
#define CHRONIK_CONCAT_(a, b) CHRONIK_CONCAT_INNER_(a, b)
#define CHRONIK_ASSIGN_OR_RETURN(declaration, expression) \
  CHRONIK_ASSIGN_OR_RETURN_(CHRONIK_CONCAT_(chronik_result_, __LINE__), declaration, expression)
#define CHRONIK_ASSIGN_OR_RETURN_(result, declaration, expression) \
  auto result = (expression);                                      \
  if (!result.ok()) return result.status();                        \
  declaration = std::move(result).value()
