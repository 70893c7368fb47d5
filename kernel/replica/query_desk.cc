#include "replica/query_desk.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "plugin/abi_status.h"
#include "replica/machine.h"
#include "replica/outcome.h"

namespace chronik {
namespace {

// The entries of a read that are the machine's: those of the kernel's own (empty, configuration)
// are left out. Holds the payloads until the reader gives them back.
struct Pin {
  explicit Pin(chronik_log_read_result* read) : result(read) {
    entries.reserve(read->entry_count);
    for (const chronik_entry& entry :
         sdk::Array<chronik_entry>(read->entries, read->entry_count, read->entry_stride)) {
      if (is_for_machine(entry)) entries.push_back(entry);
    }
  }
  ~Pin() { result->release(result); }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  chronik_log_read_result* result;
  std::vector<chronik_entry> entries;
};

// One read on behalf of a query; frees itself.
class QueryRead final : public ReadListener {
 public:
  QueryRead(chronik_query_request* request, const chronik_answer& answer, LogStore& store,
            GroupId group, Index applied)
      : request_(request), answer_(answer), store_(store) {
    read_.from_kind = answer.from_kind;
    read_.group = group.value;
    read_.from = answer.from;
    read_.end_index = applied.value + 1;
    read_.max_bytes = request->max_bytes;
  }

  // After an error nothing is under way, and the request isn't answered.
  Status begin() { return store_.read(read_, this); }

  void on_read(chronik_log_read_result* result) noexcept override {
    chronik_query_reply reply = make_reply(Status());
    reply.status = result->status;
    reply.start_key = answer_.start_key;
    reply.end_key = answer_.end_key;
    reply.high_watermark = answer_.end_key;
    if (result->status == CHRONIK_OK) {
      auto* pin = new Pin(result);
      if (pin->entries.empty() && go_on_behind(*result)) return delete pin;
      reply.entry_count = static_cast<uint32_t>(pin->entries.size());
      reply.entries = pin->entries.data();
      reply.pin = pin;
      reply.release = [](void* p) noexcept { delete static_cast<Pin*>(p); };
    } else {
      static constexpr std::string_view kMessage = "the log storage couldn't read the range";
      reply.message = {kMessage.data(), kMessage.size()};
      result->release(result);
    }
    request_->done(request_, &reply);
    delete this;
  }

 private:
  // A short read may hold nothing but entries of the kernel's own: the reader, who doesn't see
  // those, would ask for the same again and again. True if another read is under way.
  bool go_on_behind(const chronik_log_read_result& result) {
    if (result.entry_count == 0) return false;
    const sdk::Array<chronik_entry> entries(result.entries, result.entry_count,
                                            result.entry_stride);
    const uint64_t next = entries[result.entry_count - 1].index + 1;
    if (next >= read_.end_index) return false;
    read_.from_kind = CHRONIK_LOG_FROM_INDEX;
    read_.from = next;
    return begin().ok();
  }

  chronik_query_request* request_;
  chronik_answer answer_;
  LogStore& store_;
  chronik_log_read read_{};
};

}  // namespace

int64_t QueryDesk::query(chronik_query_request* request, Index applied, int64_t now_ns) {
  const bool wait = request->wait_ns > 0;
  if (try_answer(request, applied, wait) == Outcome::kAnswered) return 0;
  parked_.push_back({request, now_ns + request->wait_ns});
  return parked_.back().deadline_ns;
}

void QueryDesk::retry(Index applied, int64_t now_ns) {
  if (parked_.empty()) return;
  std::erase_if(parked_, [&](const Parked& parked) {
    return try_answer(parked.request, applied, parked.deadline_ns > now_ns) == Outcome::kAnswered;
  });
}

void QueryDesk::expire(Index applied, int64_t now_ns) {
  std::erase_if(parked_, [&](const Parked& parked) {
    if (parked.deadline_ns > now_ns) return false;
    try_answer(parked.request, applied, false);
    return true;
  });
}

bool QueryDesk::cancel(chronik_query_request* request, Index applied) {
  const auto at = std::find_if(parked_.begin(), parked_.end(),
                               [&](const Parked& p) { return p.request == request; });
  if (at == parked_.end()) return false;
  parked_.erase(at);
  try_answer(request, applied, false);
  return true;
}

void QueryDesk::fail_all(const Status& why) {
  for (const Parked& parked : std::exchange(parked_, {})) answer(parked.request, why);
}

QueryDesk::Outcome QueryDesk::try_answer(chronik_query_request* request, Index applied, bool wait) {
  value_.clear();
  chronik_answer machine_answer;
  const Status status = to_kernel(machine_.query(request->kind, request->arg,
                                                 sdk::view(request->body), value_, machine_answer));
  if (status.ok() && machine_answer.kind == CHRONIK_ANSWER_LOG_RANGE) {
    read_range(request, machine_answer, applied);
    return Outcome::kAnswered;
  }
  if (status.ok() && machine_answer.kind == CHRONIK_ANSWER_NOT_YET && wait) return Outcome::kNotYet;
  chronik_query_reply reply = make_reply(status);
  reply.start_key = machine_answer.start_key;
  reply.end_key = machine_answer.end_key;
  reply.high_watermark = machine_answer.end_key;
  reply.bytes = {value_.data(), value_.size()};
  request->done(request, &reply);
  return Outcome::kAnswered;
}

void QueryDesk::read_range(chronik_query_request* request, const chronik_answer& machine_answer,
                           Index applied) {
  auto listener = std::make_unique<QueryRead>(request, machine_answer, store_, group_, applied);
  if (Status status = listener->begin(); !status.ok()) {
    answer(request, status.annotate("reading the log"));
    return;
  }
  (void)listener.release();  // frees itself in on_read
}

}  // namespace chronik
