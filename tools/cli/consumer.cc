#include "consumer.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

namespace chronik::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Memory for messages of all partitions together.
constexpr size_t kTotalBytes = 64 << 20;
constexpr size_t kMessageBytesMin = 64 << 10;
constexpr size_t kMessageBytesMax = 1 << 20;

class PartitionCall;

// What gRPC's threads have to say, for the consuming thread.
class Events {
 public:
  struct Event {
    PartitionCall* call;
    bool done;  // the call has ended; else a message is there
  };
  void push(Event event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    changed_.notify_one();
  }
  // The next event, or nothing at `until`.
  std::optional<Event> pop(std::optional<Clock::time_point> until) {
    std::unique_lock lock(mutex_);
    const auto some = [&] { return !events_.empty(); };
    if (!until) {
      changed_.wait(lock, some);
    } else if (!changed_.wait_until(lock, *until, some)) {
      return {};
    }
    const Event event = events_.front();
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;  // between gRPC's threads and ours
  std::condition_variable changed_;
  std::deque<Event> events_;
};

// One Fetch. Lives until its `done` event has been handled.
class PartitionCall final : public ::grpc::ClientReadReactor<pb::FetchResponse> {
 public:
  PartitionCall(Client& client, const pb::FetchRequest& request_arg, size_t index_arg,
                Events& events)
      : index(index_arg), request(request_arg), events_(events) {
    client.stub().async()->Fetch(&context, &request, this);
    AddHold();  // reads are started by the consuming thread, up to the first that fails
    StartRead(&message);
    StartCall();
  }
  void read_on() { StartRead(&message); }
  void OnReadDone(bool ok) override {
    if (ok) {
      events_.push({this, false});
    } else {
      RemoveHold();
    }
  }
  void OnDone(const ::grpc::Status& ended) override {
    status = ended;
    events_.push({this, true});
  }

  const size_t index;
  ::grpc::ClientContext context;
  const pb::FetchRequest request;
  pb::FetchResponse message;
  ::grpc::Status status;

 private:
  Events& events_;
};

struct PartitionState {
  uint32_t partition = 0;
  std::unique_ptr<PartitionCall> call;
  std::optional<uint64_t> next_offset;  // known once a message has come
  std::optional<uint64_t> end_offset;   // with until_end
  bool finished = false;
  Clock::time_point retry_at{};
  std::chrono::milliseconds backoff{0};
};

class Consumption {
 public:
  Consumption(Client& client, const ConsumerOptions& options, const RecordHandler& handler)
      : client_(client), options_(options), handler_(handler) {
    for (const uint32_t partition : options.partitions) {
      states_.emplace_back();
      states_.back().partition = partition;
    }
  }

  std::optional<Failure> run() {
    last_progress_ = Clock::now();
    for (size_t i = 0; i < states_.size(); ++i) open(i);
    while (!stopping_ || running_ > 0) {
      if (!stopping_ && running_ == 0 && waiting() == 0) break;
      const auto event = events_.pop(next_retry());
      if (!event) {
        retry();
      } else if (event->done) {
        on_done(*event->call);
      } else {
        on_message(*event->call);
      }
    }
    return failure_;
  }

 private:
  void open(size_t index) {
    PartitionState& state = states_[index];
    pb::FetchRequest request;
    request.set_topic(options_.topic);
    request.set_partition(state.partition);
    request.set_follow(!options_.until_end);
    request.set_max_bytes(static_cast<uint32_t>(
        std::clamp(kTotalBytes / states_.size(), kMessageBytesMin, kMessageBytesMax)));
    if (state.next_offset) {
      request.set_offset(*state.next_offset);
    } else {
      switch (options_.start.kind) {
        case StartAt::kBegin: request.set_position(pb::POSITION_BEGINNING); break;
        case StartAt::kEnd: request.set_position(pb::POSITION_END); break;
        case StartAt::kOffset:
          request.set_offset(static_cast<uint64_t>(options_.start.number));
          break;
        case StartAt::kTime: request.set_timestamp_ms(options_.start.number); break;
      }
    }
    state.retry_at = {};
    state.call = std::make_unique<PartitionCall>(client_, request, index, events_);
    ++running_;
  }

  void on_message(PartitionCall& call) {
    PartitionState& state = states_[call.index];
    state.backoff = std::chrono::milliseconds(0);
    last_progress_ = Clock::now();
    if (options_.until_end && !state.end_offset) state.end_offset = call.message.end_offset();
    if (!stopping_) handle(state, call.message);
    state.next_offset = call.message.next_offset();
    if (state.end_offset && *state.next_offset >= *state.end_offset) state.finished = true;
    if (state.finished) call.context.TryCancel();
    call.read_on();  // also when stopping: the read that fails lets the call end
  }

  void handle(PartitionState& state, const pb::FetchResponse& message) {
    for (const std::string& batch : message.record_batches()) {
      format::RecordReader reader(batch);
      for (format::Record record; reader.next(record);) {
        if (skipped(state, record)) continue;
        if (!handler_.on_record(state.partition, record)) {
          handler_.on_message();
          return stop();
        }
      }
      if (!reader.status().ok()) {
        handler_.on_message();
        return fail({kFailed, fmt::format("partition {}, offset {}: {}", state.partition,
                                          reader.header().base_offset, reader.status().message())});
      }
    }
    if (!handler_.on_message()) stop();
  }

  // The first batch may begin before the place that was asked for.
  bool skipped(const PartitionState& state, const format::Record& record) const {
    const auto offset = static_cast<uint64_t>(record.offset);
    if (state.next_offset) return offset < *state.next_offset;
    switch (options_.start.kind) {
      case StartAt::kOffset: return record.offset < options_.start.number;
      case StartAt::kTime: return record.timestamp_ms < options_.start.number;
      default: return false;
    }
  }

  void on_done(PartitionCall& call) {
    PartitionState& state = states_[call.index];
    --running_;
    const std::unique_ptr<PartitionCall> ended = std::move(state.call);
    if (stopping_ || state.finished) return;
    if (ended->status.ok()) {
      state.finished = true;
      return;
    }
    Failure failure = client_.describe(ended->status, ended->context);
    failure.message = fmt::format("partition {}: {}", state.partition, failure.message);
    // Reading again does no harm, so all that isn't certain to fail again is tried again; but a
    // node that never answered is reported at once.
    const bool again = failure.exit == kUnreachable || failure.exit == kInDoubt ||
                       ended->status.error_code() == ::grpc::StatusCode::UNAVAILABLE;
    const bool ever = std::any_of(states_.begin(), states_.end(), [](const PartitionState& s) {
      return s.next_offset.has_value();
    });
    if (!again || !ever) {
      if (failure.exit == kInDoubt) failure.exit = kFailed;
      return fail(std::move(failure));
    }
    if (Clock::now() >= last_progress_ + options_.timeout) return fail(std::move(failure));
    state.backoff = std::clamp(2 * state.backoff, options_.backoff_min, options_.backoff_max);
    state.retry_at = Clock::now() + state.backoff;
  }

  size_t waiting() const {
    return static_cast<size_t>(
        std::count_if(states_.begin(), states_.end(),
                      [](const PartitionState& s) { return s.retry_at != Clock::time_point{}; }));
  }
  std::optional<Clock::time_point> next_retry() const {
    std::optional<Clock::time_point> next;
    if (stopping_) return next;
    for (const PartitionState& state : states_)
      if (state.retry_at != Clock::time_point{} && (!next || state.retry_at < *next))
        next = state.retry_at;
    return next;
  }
  void retry() {
    for (size_t i = 0; i < states_.size(); ++i)
      if (states_[i].retry_at != Clock::time_point{} && states_[i].retry_at <= Clock::now())
        open(i);
  }

  void fail(Failure failure) {
    if (!failure_) failure_ = std::move(failure);
    stop();
  }
  void stop() {
    stopping_ = true;
    for (PartitionState& state : states_)
      if (state.call) state.call->context.TryCancel();
  }

  Client& client_;
  const ConsumerOptions& options_;
  const RecordHandler& handler_;
  Events events_;
  std::vector<PartitionState> states_;
  size_t running_ = 0;  // calls
  bool stopping_ = false;
  Clock::time_point last_progress_{};
  std::optional<Failure> failure_;
};

}  // namespace

std::optional<StartAt> parse_start(const std::string& text) {
  if (text == "begin" || text == "beginning") return StartAt{StartAt::kBegin, 0};
  if (text == "end") return StartAt{StartAt::kEnd, 0};
  const bool time = text.rfind('@', 0) == 0;
  const std::string digits = text.substr(time ? 1 : 0);
  if (digits.empty() || digits.size() > 18 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return {};
  return StartAt{time ? StartAt::kTime : StartAt::kOffset, std::stoll(digits)};
}

std::optional<Failure> consume_records(Client& client, const ConsumerOptions& options,
                                       const RecordHandler& handler) {
  return Consumption(client, options, handler).run();
}

}  // namespace chronik::cli
