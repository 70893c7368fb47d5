// Answers requests of frontends: fills the ABI's outcome structs and calls `done`.
#pragma once

#include <string_view>

#include "base/status.h"
#include "chronik/abi/frontend.h"

namespace chronik {

inline chronik_outcome make_outcome(int32_t status, std::string_view message = {}) {
  chronik_outcome outcome{};
  outcome.struct_size = sizeof outcome;
  outcome.status = status;
  outcome.message = {message.data(), message.size()};
  return outcome;
}

template <typename Request>
void answer(Request* request, const chronik_outcome& outcome) {
  request->done(request, &outcome);
}

template <typename Request>
void answer(Request* request, const Status& status) {
  answer(request, make_outcome(status.abi_code(), status.message()));
}

inline chronik_query_reply make_reply(const Status& status) {
  chronik_query_reply reply{};
  reply.struct_size = sizeof reply;
  reply.status = status.abi_code();
  reply.message = {status.message().data(), status.message().size()};
  reply.entry_stride = sizeof(chronik_entry);
  return reply;
}

inline void answer(chronik_query_request* request, const Status& status) {
  const chronik_query_reply reply = make_reply(status);
  request->done(request, &reply);
}

}  // namespace chronik
