#include "shard/shard.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "chronik/sdk/base.hpp"
#include "replica/outcome.h"
#include "shard/pending.h"

namespace chronik {
namespace {

const Status& stopping() {
  static const Status status(Code::kUnavailable, "the node is stopping");
  return status;
}

Status unknown_group(uint64_t group) {
  return Status(Code::kNotFound, "group " + std::to_string(group) + " has no replica on this node");
}

}  // namespace

Shard::Shard(ShardOptions options, InflightBudget& budget, ShardObserver& observer)
    : options_(options),
      budget_(budget),
      observer_(observer),
      random_(std::make_unique<SeededRandom>(options.random_seed)) {}

// What came too late: requests are refused, the rest is only freed.
Shard::~Shard() {
  for (const auto& write : writes_) write->store().forget_room(this);
  for (Mail* mail = mailbox_.take_all(); mail != nullptr;) {
    Mail* next = mail->next;
    switch (mail->kind) {
      case MailKind::kWritten: break;
      case MailKind::kRead: delete PendingRead::from(mail); break;
      case MailKind::kPropose:
        answer(RequestMail<chronik_propose_request>::from(mail), stopping());
        break;
      case MailKind::kQuery:
        answer(RequestMail<chronik_query_request>::from(mail), stopping());
        break;
      default: delete static_cast<CommandMail*>(mail); break;
    }
    mail = next;
  }
}

raft::Random& Shard::random() {
  return *random_;
}

// ---- From anywhere ------------------------------------------------------------------------------

void Shard::submit_proposal(chronik_propose_request* request) {
  mailbox_.push(RequestMail<chronik_propose_request>::make(request, MailKind::kPropose));
}

void Shard::submit_query(chronik_query_request* request) {
  mailbox_.push(RequestMail<chronik_query_request>::make(request, MailKind::kQuery));
}

void Shard::cancel_query(GroupId group, chronik_query_request* request) {
  // The pointer is only compared: the request may be answered and gone by then.
  post([group, request](Shard& shard) {
    if (PartitionReplica* replica = shard.find(group)) replica->cancel_query(request);
  });
}

void Shard::post(std::function<void(Shard&)> command) {
  mailbox_.push(new CommandMail(std::move(command)));
}

void Shard::begin_drain() {
  drain_wanted_.store(true, std::memory_order_relaxed);
  post([](Shard&) {});
}

void Shard::begin_stop() {
  drain_wanted_.store(true, std::memory_order_relaxed);
  stop_wanted_.store(true, std::memory_order_relaxed);
  post([](Shard&) {});
}

// ---- The pass -----------------------------------------------------------------------------------

int64_t Shard::pass(Now now) {
  now_ = now;
  take_mail();
  complete_writes();
  complete_reads();
  tick();
  expire_queries();
  handle_requests();
  collect();
  apply();
  delete_closed();
  advance_stop();
  return ready_.empty() ? next_deadline() : now_.monotonic_ns;
}

void Shard::take_mail() {
  for (Mail* mail = mailbox_.take_all(); mail != nullptr;) {
    Mail* next = mail->next;
    switch (mail->kind) {
      case MailKind::kWritten: written_.push_back(PendingWrite::from(mail)); break;
      case MailKind::kRead: read_.push_back(PendingRead::from(mail)); break;
      default: requests_.push_back(mail); break;
    }
    mail = next;
  }
}

void Shard::complete_writes() {
  for (PendingWrite* write : written_) {
    --writes_under_way_;
    if (write->status() != CHRONIK_OK) {
      fail_store(write->store());
    } else {
      for (const GroupId group : write->groups()) {
        if (PartitionReplica* replica = find(group)) replica->on_log_written();
      }
      if (write->after()) std::exchange(write->after(), nullptr)();
    }
    write->reset();
    free_writes_.push_back(write);
  }
  const bool room = !written_.empty();
  written_.clear();
  if (room) retry_blocked();
}

void Shard::complete_reads() {
  for (PendingRead* read : read_) {
    --reads_under_way_;
    if (PartitionReplica* replica = find(read->group())) {
      if (read->result()->status == CHRONIK_E_FAILED) fail_store(replica->store());
      replica->on_log_read(*read->result());
    }
    delete read;
  }
  read_.clear();
}

// Groups of one that lead need no ticks, so an idle node has no timer.
void Shard::tick() {
  const bool due = next_tick_ns_ != 0 && now_.monotonic_ns >= next_tick_ns_;
  if (!due && !std::exchange(recheck_ticks_, false)) return;
  bool wanted = false;
  for (auto& [group, replica] : replicas_) {
    if (!replica->wants_ticks()) continue;
    wanted = true;
    if (due) replica->tick();
  }
  if (!wanted) {
    next_tick_ns_ = 0;
  } else if (due || next_tick_ns_ == 0) {
    next_tick_ns_ = now_.monotonic_ns + options_.tick_interval_ns;
  }
}

void Shard::expire_queries() {
  while (!query_deadlines_.empty() && query_deadlines_.top().at_ns <= now_.monotonic_ns) {
    const GroupId group = query_deadlines_.top().group;
    query_deadlines_.pop();
    if (PartitionReplica* replica = find(group)) replica->expire_queries();
  }
}

void Shard::handle_requests() {
  for (Mail* mail : requests_) {
    switch (mail->kind) {
      case MailKind::kPropose: route(RequestMail<chronik_propose_request>::from(mail)); break;
      case MailKind::kQuery: route(RequestMail<chronik_query_request>::from(mail)); break;
      default: {
        std::unique_ptr<CommandMail> command(static_cast<CommandMail*>(mail));
        command->run(*this);
      }
    }
  }
  requests_.clear();
}

void Shard::route(chronik_propose_request* request) {
  if (phase_ != Phase::kRunning) return answer(request, stopping());
  PartitionReplica* replica = find(GroupId(request->group));
  if (replica == nullptr) return answer(request, unknown_group(request->group));
  replica->propose(request);
}

void Shard::route(chronik_query_request* request) {
  if (phase_ != Phase::kRunning) return answer(request, stopping());
  PartitionReplica* replica = find(GroupId(request->group));
  if (replica == nullptr) return answer(request, unknown_group(request->group));
  replica->query(request);
}

// Everything that the woken groups want written goes out as one batch per storage.
void Shard::collect() {
  working_.swap(ready_);
  for (PartitionReplica* replica : working_) replica->queued = false;
  for (PartitionReplica* replica : working_) {
    PendingWrite& write = batch_for(replica->store());
    if (replica->collect(write.batch())) write.add(replica->group());
  }
  for (PendingWrite* write : std::exchange(filling_, {})) submit(*write);
}

void Shard::apply() {
  for (PartitionReplica* replica : working_) replica->apply();
  working_.clear();
}

// ---- Log writes ---------------------------------------------------------------------------------

Shard::PendingWrite& Shard::batch_for(LogStore& store) {
  for (PendingWrite* write : filling_) {
    if (&write->store() == &store) return *write;
  }
  if (free_writes_.empty()) {
    writes_.push_back(std::make_unique<PendingWrite>(mailbox_));
    free_writes_.push_back(writes_.back().get());
  }
  PendingWrite* write = free_writes_.back();
  free_writes_.pop_back();
  write->begin(store);
  filling_.push_back(write);
  return *write;
}

void Shard::submit(PendingWrite& write) {
  if (write.batch().empty()) {
    write.reset();
    free_writes_.push_back(&write);
    return;
  }
  const bool queue = std::any_of(blocked_.begin(), blocked_.end(),
                                 [&](PendingWrite* b) { return &b->store() == &write.store(); });
  if (!queue) {
    ++writes_under_way_;
    Status status = write.store().submit(write.batch(), &write);
    if (status.code() == Code::kResourceExhausted) {
      // The room may be taken by other shards' writes, whose completions don't come here.
      write.store().await_room(this);
      status = write.store().submit(write.batch(), &write);
    }
    if (status.ok()) return write.batch().clear();
    --writes_under_way_;
    if (status.code() == Code::kFailed) {
      LogStore& store = write.store();
      write.reset();
      free_writes_.push_back(&write);
      return fail_store(store);
    }
    if (status.code() != Code::kResourceExhausted) return refuse(write, status);
  }
  write.batch().retain_payloads();
  blocked_.push_back(&write);
}

// The storage calls the batch invalid, which is a bug on either side: nobody knows which of its
// groups is at fault, so all of them stop.
void Shard::refuse(PendingWrite& write, const Status& why) {
  for (const GroupId group : write.groups()) {
    PartitionReplica* replica = find(group);
    if (replica == nullptr) continue;
    replica->fence(why.annotate("log storage '" + write.store().name() + "' refused a write"));
    replica->on_store_failed();
  }
  write.reset();
  free_writes_.push_back(&write);
}

void Shard::on_room() noexcept {
  post([](Shard& shard) { shard.retry_blocked(); });
}

void Shard::retry_blocked() {
  for (PendingWrite* write : std::exchange(blocked_, {})) submit(*write);
}

// Nothing in flight will become durable, and nothing more may be acknowledged: the node is told,
// and goes down with the reason.
void Shard::fail_store(LogStore& store) {
  const Status why(Code::kUnavailable, "log storage '" + store.name() + "' has failed");
  for (auto& [group, replica] : replicas_) {
    if (&replica->store() != &store) continue;
    replica->close(why);
    replica->on_store_failed();
  }
  std::erase_if(blocked_, [&](PendingWrite* write) {
    if (&write->store() != &store) return false;
    write->reset();
    free_writes_.push_back(write);
    return true;
  });
  observer_.on_store_failed(store);
}

// ---- Replicas -----------------------------------------------------------------------------------

Status Shard::open_replica(ReplicaOptions options, LogStore& store, Machine machine) {
  const GroupId group = options.group;
  CHRONIK_CHECK(find(group) == nullptr, "a group has one replica per node");
  if (phase_ != Phase::kRunning) return stopping();
  CHRONIK_ASSIGN_OR_RETURN(
      std::unique_ptr<PartitionReplica> replica,
      PartitionReplica::open(std::move(options), store, std::move(machine), *this));
  PartitionReplica& opened = *replica;
  replicas_.emplace(group, std::move(replica));
  recheck_ticks_ = true;
  opened.start();
  return {};
}

void Shard::delete_replica(GroupId group, LogStore& store, std::function<void()> done) {
  if (PartitionReplica* replica = find(group)) {
    replica->close(Status(Code::kNotFound, "the topic was deleted"));
  }
  deletions_.push_back({group, &store, std::move(done)});
}

// A closed replica goes once its writes have ended; its data goes with the same turn's deletion.
void Shard::delete_closed() {
  std::erase_if(deletions_, [&](Deletion& deletion) {
    PartitionReplica* replica = find(deletion.group);
    if (replica != nullptr) {
      if (!replica->idle()) return false;
      deletion.store = &replica->store();
      std::erase(ready_, replica);
      replicas_.erase(deletion.group);
    }
    // A replica that was closed before its first write has left nothing to delete.
    if (deletion.store->visit(deletion.group, [](const chronik_log_group&) {}).code() ==
        Code::kNotFound) {
      deletion.done();
      return true;
    }
    PendingWrite& write = batch_for(*deletion.store);
    write.batch().remove(deletion.group);
    write.after() = std::move(deletion.done);
    submit(*std::exchange(filling_, {}).front());
    return true;
  });
}

PartitionReplica* Shard::find(GroupId group) {
  const auto at = replicas_.find(group);
  return at == replicas_.end() ? nullptr : at->second.get();
}

void Shard::describe(std::vector<GroupStatus>& out) {
  for (auto& [group, replica] : replicas_) {
    GroupStatus& status = out.emplace_back();
    replica->describe(status.abi);
    if (status.abi.role == CHRONIK_ROLE_LEADER) status.abi.leader_node = options_.node.value;
    status.topic = sdk::view(status.abi.topic);
    status.message = sdk::view(status.abi.message);
  }
}

void Shard::wake(PartitionReplica& replica) {
  if (replica.queued) return;
  replica.queued = true;
  ready_.push_back(&replica);
}

void Shard::read_log(PartitionReplica& replica, const chronik_log_read& request) {
  auto read = std::make_unique<PendingRead>(mailbox_, replica.group());
  ++reads_under_way_;
  if (Status status = replica.store().read(request, read.get()); !status.ok()) {
    --reads_under_way_;
    if (status.code() == Code::kFailed) fail_store(replica.store());
    replica.on_read_refused(status);
    return;
  }
  (void)read.release();  // comes back as mail
}

void Shard::set_query_deadline(PartitionReplica& replica, int64_t deadline_ns) {
  query_deadlines_.push({deadline_ns, replica.group()});
}

void Shard::on_serving(PartitionReplica& replica, bool serving) {
  recheck_ticks_ = true;
  observer_.on_serving(replica.group(), serving);
}

void Shard::on_fenced(PartitionReplica& replica, const Status& why) {
  observer_.on_fenced(replica.group(), why);
}

// ---- Stop ---------------------------------------------------------------------------------------

// running -> draining:  new requests are refused, proposals under way may end.
// draining -> closing:  all have, or the time is up: what is left is in doubt.
// closing -> saving:    a stop is wanted and no write is under way: checkpoints are written.
// saving -> stopped:    they are durable.
// From closing on a time is set as well: a write that waits for space may wait for ever.
void Shard::advance_stop() {
  if (phase_ == Phase::kRunning && drain_wanted_.load(std::memory_order_relaxed)) {
    phase_ = Phase::kDraining;
    drain_until_ns_ = now_.monotonic_ns + options_.drain_ns;
  }
  if (phase_ == Phase::kDraining &&
      (all(&PartitionReplica::drained) || now_.monotonic_ns >= drain_until_ns_)) {
    for (auto& [group, replica] : replicas_) replica->close(stopping());
    phase_ = Phase::kClosing;
    drain_until_ns_ = now_.monotonic_ns + options_.drain_ns;
  }
  if (phase_ < Phase::kClosing || !stop_wanted_.load(std::memory_order_relaxed)) return;
  if (phase_ == Phase::kClosing && writes_under_way_ == 0 && reads_under_way_ == 0 &&
      blocked_.empty() && all(&PartitionReplica::idle)) {
    save_checkpoints();
    phase_ = Phase::kSaving;
  }
  const bool saved = phase_ == Phase::kSaving && writes_under_way_ == 0 && blocked_.empty();
  if (saved || now_.monotonic_ns >= drain_until_ns_) phase_ = Phase::kStopped;
}

bool Shard::all(bool (PartitionReplica::*predicate)() const) const {
  return std::all_of(replicas_.begin(), replicas_.end(),
                     [&](const auto& entry) { return ((*entry.second).*predicate)(); });
}

void Shard::save_checkpoints() {
  for (auto& [group, replica] : replicas_) {
    replica->save_checkpoint(batch_for(replica->store()).batch());
  }
  for (PendingWrite* write : std::exchange(filling_, {})) submit(*write);
}

int64_t Shard::next_deadline() const {
  int64_t deadline = next_tick_ns_;
  const auto earlier = [&deadline](int64_t at) {
    if (at != 0 && (deadline == 0 || at < deadline)) deadline = at;
  };
  if (!query_deadlines_.empty()) earlier(query_deadlines_.top().at_ns);
  const bool stopping = phase_ != Phase::kRunning && stop_wanted_.load(std::memory_order_relaxed);
  if (phase_ == Phase::kDraining || stopping) earlier(drain_until_ns_);
  return deadline;
}

}  // namespace chronik
