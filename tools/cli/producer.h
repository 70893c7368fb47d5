// Producer: records in, acknowledged batches out, over one ProduceStream.
//
// Records are collected per partition: keyed ones by murmur2, keyless ones in one partition until
// its batch leaves, then in the next (sticky). A batch leaves when it is full, or as soon as its
// partition has a free slot: while up to five batches per partition are under way, the next ones
// fill. So nothing lingers, and batches grow by themselves when the node is the slower side.
//
// Every batch has a producer id and a sequence number, and keeps them: whatever isn't acknowledged
// is sent again, over a new connection if need be, and stored once. It gives up when nothing has
// been acknowledged for `timeout`.
//
// Threads: append() and finish() on the caller's; one thread sends, one per connection receives.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "chronik/format/record_batch.hpp"
#include "client.h"

namespace chronik::cli {

struct ProducerOptions {
  std::string topic;
  uint32_t partitions = 1;            // that the topic has
  std::optional<uint32_t> partition;  // all records go there
  pb::Acks acks = pb::ACKS_ALL;
  size_t batch_bytes = 256 << 10;  // a batch this long is full
  size_t max_batch_bytes =
      1 << 20;                      // the node's limit; a record longer than batch_bytes may use it
  size_t max_inflight_batches = 5;  // per partition; a node remembers as many of each producer
  size_t max_pending_bytes = 64 << 20;  // of records that aren't acknowledged; append() waits
  std::chrono::milliseconds timeout{60'000};
  std::chrono::milliseconds backoff_min{10};
  std::chrono::milliseconds backoff_max{1'000};
  uint64_t producer_id = 0;
  uint16_t producer_epoch = 0;
  bool keep_lines = false;  // Acknowledged::lines is wanted
};

struct InputRecord {
  std::optional<std::string_view> key;
  std::string_view value;
};

// One acknowledged batch.
struct Acknowledged {
  uint32_t partition;
  std::optional<uint64_t> base_offset;  // unknown with acks=0
  uint32_t records;
  const std::vector<uint64_t>& lines;  // of the records, if kept
};

struct ProducerCounts {
  uint64_t appended = 0;            // records taken by append()
  uint64_t acknowledged = 0;        // records
  uint64_t acknowledged_bytes = 0;  // of keys and values
  uint64_t refused = 0;             // sent, and certainly not stored
  uint64_t in_doubt = 0;            // sent, and maybe stored
  uint64_t unsent = 0;
  uint64_t batches = 0;  // acknowledged
  uint64_t resent = 0;   // batches sent more than once
};

class Producer {
 public:
  // `on_acknowledged` is called in the order of acknowledgements, by one thread at a time.
  Producer(std::string address, ProducerOptions options,
           std::function<void(const Acknowledged&)> on_acknowledged = {});
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Takes records that were read as lines first_line, first_line+1, ... Waits while too much is
  // pending, calling `while_waiting` every now and then. False if the producer has failed: append
  // no more, and finish().
  bool append(const std::vector<InputRecord>& records, uint64_t first_line,
              const std::function<void()>& while_waiting = {});

  // Waits until everything is acknowledged or given up. Nothing: all is well.
  std::optional<Failure> finish(const std::function<void()>& while_waiting = {});

  ProducerCounts counts();

 private:
  using Clock = std::chrono::steady_clock;

  struct Batch {
    format::RecordBatchBuilder builder;
    uint32_t partition = 0;
    uint64_t id = 0;      // grows along a partition
    uint64_t number = 0;  // within its partition, 0, 1, 2, ...
    int32_t base_sequence = 0;
    bool finished = false;  // the header is complete
    uint32_t sends = 0;
    bool in_doubt = false;  // an earlier send may have been stored
    uint64_t content_bytes = 0;
    uint64_t first_line = 0;
    std::vector<uint64_t> lines;
    explicit Batch(size_t max_bytes) : builder(max_bytes) {}
  };
  using BatchPtr = std::unique_ptr<Batch>;

  struct Partition {
    BatchPtr open;               // being filled
    std::deque<BatchPtr> ready;  // full, or to be sent again; by id
    size_t inflight = 0;
    // An answer was a refusal that calls for another try: nothing is sent until all that is under
    // way has been answered, so that the order stays that of the sequence numbers.
    bool settling = false;
    int32_t next_sequence = 0;
    // Answers may be lost while later ones arrive, so the slots are counted from the oldest batch
    // that isn't acknowledged: a node only remembers so many behind it.
    uint64_t next_number = 0;
    uint64_t oldest = 0;            // number of the oldest batch without acknowledgement
    std::deque<bool> acknowledged;  // of oldest, oldest + 1, ...; the first is false
    Clock::time_point not_before{};
    std::chrono::milliseconds backoff{0};
  };

  // One connection and its ProduceStream.
  struct Connection {
    ::grpc::ClientContext context;
    std::unique_ptr<::grpc::ClientReaderWriter<pb::ProduceStreamRequest, pb::ProduceStreamResponse>>
        stream;
    std::thread receiver;
  };

  // These need mutex_.
  void put(const InputRecord& record, uint64_t line, int64_t now_ms);
  void seal(uint32_t partition);
  bool take_message(std::vector<Batch*>& batches, Clock::time_point now, Clock::time_point& next);
  void put_back(BatchPtr batch);
  void fail(Failure failure);
  BatchPtr new_batch();
  Failure stalled() const;
  void wait_a_while(std::unique_lock<std::mutex>& lock, const std::function<void()>& while_waiting);

  void send_loop();
  void connect(Clock::time_point until);
  void disconnect();
  bool send(const std::vector<Batch*>& batches);
  void receive_loop();
  void on_result(const pb::ProduceResult& result);
  void on_error(BatchPtr batch, const pb::Error& error);

  const std::string home_;
  std::string address_;  // of the sending thread: home_, or a leader's
  const ProducerOptions options_;
  const std::function<void(const Acknowledged&)> on_acknowledged_;
  std::unique_ptr<Client> client_;          // of the sending thread
  std::unique_ptr<Connection> connection_;  // of the sending thread

  // Guards what follows: three threads share it, and each holds it for many records at a time.
  std::mutex mutex_;
  std::condition_variable work_;   // for the sending thread
  std::condition_variable space_;  // for append() and finish()
  std::vector<Partition> partitions_;
  uint32_t sticky_ = 0;
  uint32_t cursor_ = 0;  // whose turn it is to send
  std::unordered_map<uint64_t, BatchPtr> inflight_;
  std::vector<BatchPtr> spare_;
  uint64_t next_id_ = 1;
  uint64_t pending_bytes_ = 0;
  uint64_t pending_batches_ = 0;
  ProducerCounts counts_;
  bool finishing_ = false;
  bool broken_ = false;                            // the connection's stream has ended
  ::grpc::ClientContext* live_context_ = nullptr;  // of the connection
  bool unreachable_ = false;                       // the last trouble was that nobody answers
  std::string next_address_;                       // where a leader was said to be
  std::optional<Failure> failure_;
  bool ended_ = false;  // the sending thread is through
  Clock::time_point last_progress_{};
  std::chrono::milliseconds reconnect_backoff_{0};
  std::string last_error_;  // of a refusal that is being retried

  std::thread sender_;
};

}  // namespace chronik::cli
