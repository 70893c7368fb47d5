// What travels between a shard and other threads: requests, commands, writes and reads under way.
// Internal to shard.cc.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "shard/shard.h"

namespace chronik {

// A frontend's request in the mailbox, linked through the words that the ABI reserves for the host.
template <typename Request>
struct RequestMail {
  static_assert(sizeof(Mail) <= sizeof(Request::host));
  static Mail* make(Request* request, MailKind kind) {
    return new (static_cast<void*>(request->host)) Mail{nullptr, kind};
  }
  static Request* from(Mail* mail) {
    return reinterpret_cast<Request*>(reinterpret_cast<char*>(mail) - offsetof(Request, host));
  }
};

// Rare control work; frees itself.
class CommandMail : public Mail {
 public:
  explicit CommandMail(std::function<void(Shard&)> command) : command_(std::move(command)) {
    kind = MailKind::kCommand;
  }
  void run(Shard& shard) { command_(shard); }

 private:
  std::function<void(Shard&)> command_;
};

// One submit: the batch while it is filled or blocked, and who has to be told. Reused.
class Shard::PendingWrite final : public WriteListener, private Mail {
 public:
  explicit PendingWrite(Mailbox& mailbox) : mailbox_(mailbox) { kind = MailKind::kWritten; }
  static PendingWrite* from(Mail* mail) { return static_cast<PendingWrite*>(mail); }

  void begin(LogStore& store) { store_ = &store; }
  void reset() {
    batch_.clear();
    groups_.clear();
    after_ = nullptr;
  }
  LogStore& store() { return *store_; }
  LogBatch& batch() { return batch_; }
  void add(GroupId group) { groups_.push_back(group); }
  const std::vector<GroupId>& groups() const { return groups_; }
  std::function<void()>& after() { return after_; }
  int32_t status() const { return status_; }

  void on_written(int32_t status) noexcept override {
    status_ = status;
    mailbox_.push(this);
  }

 private:
  Mailbox& mailbox_;
  LogStore* store_ = nullptr;
  LogBatch batch_;
  std::vector<GroupId> groups_;  // by id: a replica may be gone when the write ends
  std::function<void()> after_;
  int32_t status_ = CHRONIK_OK;
};

// One read of a replica's own log.
class Shard::PendingRead final : public ReadListener, private Mail {
 public:
  PendingRead(Mailbox& mailbox, GroupId group) : mailbox_(mailbox), group_(group) {
    kind = MailKind::kRead;
  }
  ~PendingRead() override {
    if (result_ != nullptr) result_->release(result_);
  }
  static PendingRead* from(Mail* mail) { return static_cast<PendingRead*>(mail); }
  GroupId group() const { return group_; }
  const chronik_log_read_result* result() const { return result_; }

  void on_read(chronik_log_read_result* result) noexcept override {
    result_ = result;
    mailbox_.push(this);
  }

 private:
  Mailbox& mailbox_;
  const GroupId group_;
  chronik_log_read_result* result_ = nullptr;
};

// xorshift64*: election timeouts need no more.
class Shard::SeededRandom final : public raft::Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed | 1) {}
  uint64_t below(uint64_t bound) override {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return (state_ * 0x2545f4914f6cdd1dULL >> 16) % bound;
  }

 private:
  uint64_t state_;
};

}  // namespace chronik
