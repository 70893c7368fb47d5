#include "replica/replica.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "chronik/sdk/base.hpp"
#include "plugin/abi_status.h"
#include "replica/outcome.h"

namespace chronik {
namespace {

constexpr std::string_view kLostLeadership =
    "leadership was lost before the entry was committed; it may or may not be";

chronik_entry to_abi(const raft::Entry& entry) {
  return {sizeof(chronik_entry),
          static_cast<uint32_t>(entry.type),
          entry.index.value,
          entry.term.value,
          entry.key,
          entry.time_ms,
          entry.payload.slice(),
          entry.payload.owner.get()};
}

raft::EntryId id_of(const chronik_entry& entry) {
  return {Term(entry.term), Index(entry.index)};
}

const chronik_entry& at(const chronik_entry* entries, uint32_t stride, uint32_t i) {
  return *reinterpret_cast<const chronik_entry*>(reinterpret_cast<const char*>(entries) +
                                                 size_t{i} * stride);
}

}  // namespace

PartitionReplica::PartitionReplica(ReplicaOptions options, LogStore& store, Machine machine,
                                   ReplicaHost& host, raft::InitialState initial, GroupMeta meta,
                                   bool exists)
    : options_(std::move(options)),
      store_(store),
      host_(host),
      machine_(std::move(machine)),
      core_(options_.raft, initial, host.random()),
      queries_(options_.group, *machine_.instance, store),
      meta_(std::move(meta)),
      must_create_(!exists),
      written_(initial.last_index),
      durable_(initial.last_index),
      applied_(initial.applied),
      committed_(initial.applied) {}

PartitionReplica::~PartitionReplica() = default;

void PartitionReplica::start() {
  maybe_campaign();
  host_.wake(*this);
}

// Nobody else could lead, so there is no timeout to wait for. What is known to be committed comes
// first: a membership change may be among it.
void PartitionReplica::maybe_campaign() {
  const raft::Configuration& configuration = core_.configuration();
  const bool alone = configuration.voters.size() == 1 && !configuration.joint() && core_.is_voter();
  if (!alone || core_.role() != raft::Role::kFollower || applied_ < core_.commit()) return;
  core_.campaign();
  check_core();
}

// ---- Proposals ----------------------------------------------------------------------------------

Status PartitionReplica::refusal() const {
  if (!fenced_.ok()) return Status(Code::kUnavailable, std::string(fenced_.message()));
  if (closed_) return closed_why_;
  return {};
}

void PartitionReplica::propose(chronik_propose_request* request) {
  if (Status why = refusal(); !why.ok()) return answer(request, why);
  if (Status why = check_admission(request->payload_size); !why.ok()) return answer(request, why);
  if (!host_.admit(request->payload_size)) {
    return answer(request, Status(Code::kResourceExhausted,
                                  "too many bytes are being written; retry when some are done"));
  }
  if (serving_ && waiting_.empty() && batch_has_room(request->payload_size)) {
    take(request);
  } else {
    waiting_.push_back(request);
    if (serving_) host_.wake(*this);
  }
}

// One group's part of a batch is bounded: it has to fit in a frame of the log storage.
bool PartitionReplica::batch_has_room(uint64_t bytes) const {
  const uint64_t bound = std::min(options_.append_bytes_max, store_.group_batch_bytes_max());
  return unwritten_bytes_ == 0 || unwritten_bytes_ + LogStore::append_bytes(bytes) <= bound;
}

void PartitionReplica::take_waiting() {
  while (serving_ && !waiting_.empty() && batch_has_room(waiting_.front()->payload_size)) {
    chronik_propose_request* request = waiting_.front();
    waiting_.pop_front();
    take(request);
  }
}

Status PartitionReplica::check_admission(uint64_t bytes) const {
  if (bytes == 0) return Status(Code::kInvalidArgument, "a proposal needs at least one byte");
  // The metadata group goes on: a topic's deletion is how space comes back.
  if (store_.low_space() && group() != GroupId(0)) {
    return Status(Code::kNoSpace, "the disk of log storage '" + store_.name() +
                                      "' is nearly full; free some space, then retry");
  }
  return {};
}

// Pre: serving_; the bytes are admitted. After prepare() said PROPOSE nothing may refuse any more,
// or the machine's next entry would follow one that doesn't exist.
void PartitionReplica::take(chronik_propose_request* request) {
  const uint64_t bytes = request->payload_size;
  if (Status why = core_.check_propose(bytes); !why.ok()) {
    host_.release(bytes);
    return answer(request, why);
  }
  chronik_proposal proposal{};
  proposal.struct_size = sizeof proposal;
  proposal.term = core_.term().value;
  proposal.index = core_.next_index().value;
  proposal.now_ms = host_.now().wall_ms;
  proposal.payload = request->payload;
  proposal.payload_size = bytes;
  proposal.key = core_.last_key();
  proposal.time_ms = proposal.now_ms;
  machine_->prepare(proposal, prepared_);
  switch (prepared_.verdict) {
    case CHRONIK_PREPARE_PROPOSE:
      if (Status why = append(request, proposal); !why.ok()) {
        host_.release(bytes);
        fence(why.annotate("the core refused a prepared proposal"));
        answer(request, refusal());
      }
      return;
    case CHRONIK_PREPARE_FOLLOW:
      host_.release(bytes);
      if (!proposals_.follow(Index(prepared_.follow_index), request)) {
        answer(request, Status(Code::kInternal, "the state machine named an entry not in flight"));
      }
      return;
    case CHRONIK_PREPARE_ANSWER: {
      host_.release(bytes);
      chronik_outcome outcome = make_outcome(prepared_.result.status);
      outcome.detail = prepared_.result.detail;
      outcome.value = prepared_.result.value;
      outcome.bytes = prepared_.result.bytes;
      return answer(request, outcome);
    }
    default: {
      host_.release(bytes);
      chronik_outcome outcome = make_outcome(
          prepared_.error.code == CHRONIK_OK ? CHRONIK_E_INTERNAL : prepared_.error.code,
          prepared_.error.message);
      outcome.detail = prepared_.error.detail;
      return answer(request, outcome);
    }
  }
}

Status PartitionReplica::append(chronik_propose_request* request,
                                const chronik_proposal& proposal) {
  Payload payload{request->payload, request->payload_size, Buffer::share(request->owner)};
  CHRONIK_ASSIGN_OR_RETURN(
      const raft::EntryId id,
      core_.propose(raft::Proposal{proposal.key, proposal.time_ms, std::move(payload)}));
  const uint64_t bytes = request->payload_size;
  if (request->acks == CHRONIK_ACKS_NONE) {
    chronik_outcome outcome = make_outcome(CHRONIK_OK);
    outcome.term = id.term.value;
    outcome.index = id.index.value;
    outcome.value = proposal.key;
    answer(std::exchange(request, nullptr), outcome);
  }
  proposals_.push(id, bytes, proposal.key, request);
  unwritten_bytes_ += LogStore::append_bytes(bytes);
  host_.wake(*this);
  return {};
}

// ---- Queries ------------------------------------------------------------------------------------

void PartitionReplica::query(chronik_query_request* request) {
  if (Status why = refusal(); !why.ok()) return answer(request, why);
  if (!serving_) return waiting_queries_.push_back(request);
  const int64_t deadline = queries_.query(request, applied_, host_.now().monotonic_ns);
  if (deadline != 0) host_.set_query_deadline(*this, deadline);
}

void PartitionReplica::cancel_query(chronik_query_request* request) {
  if (std::erase(waiting_queries_, request) > 0) {
    return answer(request, Status(Code::kCancelled, "cancelled by its reader"));
  }
  queries_.cancel(request, applied_);
}

void PartitionReplica::expire_queries() {
  queries_.expire(applied_, host_.now().monotonic_ns);
}

// ---- Ready --------------------------------------------------------------------------------------

void PartitionReplica::tick() {
  if (!fenced_.ok() || closed_) return;
  core_.tick();
  check_core();
  if (core_.has_ready()) host_.wake(*this);
}

bool PartitionReplica::wants_ticks() const {
  return fenced_.ok() && !closed_ &&
         !(core_.configuration().voters.size() == 1 && core_.is_leader());
}

bool PartitionReplica::collect(LogBatch& batch) {
  if (!fenced_.ok() || closed_) return false;
  take_waiting();
  bool wrote = false;
  while (core_.has_ready()) {
    core_.take_ready(&ready_);
    check_core();
    if (!fenced_.ok()) return wrote;
    if (ready_.snapshot || !ready_.messages.empty()) {
      fence(Status(Code::kInternal, "the core speaks to other members in a group of one"));
      return wrote;
    }
    const bool own_write = !ready_.entries.empty() || ready_.must_sync;
    if (!ready_.entries.empty()) unwritten_bytes_ = 0;
    if (own_write) {
      write_ready(ready_, batch);
      wrote = true;
    } else if (ready_.hard_state) {
      lazy_hard_state_ = ready_.hard_state;
    }
    if (ready_.needs_persist()) {
      in_flight_.push_back(
          {ready_.mark, std::move(ready_.messages_after_persist), written_, own_write});
      ready_.messages_after_persist.clear();
      if (!own_write) finish_riders();
    }
    if (!ready_.committed.empty()) committed_ = ready_.committed.hi - 1;
    // One own write per batch: its completion stands for exactly one of them.
    if (wrote) break;
  }
  if (!wrote && (meta_changed_ || checkpoint_due_) && !must_create_) {
    // A lazy meta needs no completion of its own; it is written in the order of the group's
    // batches.
    batch.group_meta(group(), meta_with_checkpoint().encode(), true);
    meta_changed_ = checkpoint_due_ = false;
    in_flight_.push_back({raft::PersistMark{}, {}, written_, true});
    wrote = true;
  }
  if (core_.has_ready() || (serving_ && !waiting_.empty())) host_.wake(*this);
  return wrote;
}

void PartitionReplica::write_ready(raft::Ready& ready, LogBatch& batch) {
  if (must_create_) {
    batch.create(group());
    batch.reset(group(), {meta_.start_term, meta_.start_index}, meta_.encode());
    must_create_ = false;
  } else if (meta_changed_ || checkpoint_due_) {
    batch.group_meta(group(), meta_with_checkpoint().encode(), true);
    meta_changed_ = checkpoint_due_ = false;
  }
  if (!ready.entries.empty()) {
    const Index first = ready.entries.front().index;
    if (first <= written_) batch.truncate_suffix(group(), first);
    const raft::EntryId previous{core_.term_of(first - 1).value_or(Term(0)), first - 1};
    batch.append(group(), previous, ready.entries);
    written_ = ready.entries.back().index;
  }
  if (ready.hard_state) {
    batch.hard_state(group(), *ready.hard_state, !ready.must_sync);
  } else if (lazy_hard_state_) {
    batch.hard_state(group(), *lazy_hard_state_, true);
  }
  lazy_hard_state_.reset();
  remember(ready.entries);
}

// Keeps written entries until they are applied: the storage need not be asked for them, and the
// batch may borrow their payloads.
void PartitionReplica::remember(std::vector<raft::Entry>& entries) {
  if (entries.empty()) return;
  while (!tail_.empty() && tail_.back().index >= entries.front().index) tail_.pop_back();
  for (raft::Entry& entry : entries) tail_.push_back(std::move(entry));
  entries.clear();
}

void PartitionReplica::on_log_written() {
  if (store_failed_) return;
  CHRONIK_CHECK(!in_flight_.empty() && in_flight_.front().own_write,
                "a completion without a write");
  finish_write(in_flight_.front());
  in_flight_.pop_front();
  finish_riders();
  proposals_.on_durable(durable_);
  host_.wake(*this);
}

void PartitionReplica::on_store_failed() {
  store_failed_ = true;
  in_flight_.clear();
}

void PartitionReplica::finish_riders() {
  while (!in_flight_.empty() && !in_flight_.front().own_write) {
    finish_write(in_flight_.front());
    in_flight_.pop_front();
  }
}

void PartitionReplica::finish_write(InFlight& write) {
  durable_ = std::max(durable_, write.last);
  if (!fenced_.ok() || write.mark.sequence == 0) return;
  core_.on_persisted(write.mark);
  for (raft::Message& message : write.after) {
    if (message.to != core_.id()) {
      return fence(Status(Code::kInternal, "the core speaks to another member in a group of one"));
    }
    if (Status status = core_.step(std::move(message)); !status.ok()) {
      return fence(status.annotate("stepping the core's message to itself"));
    }
  }
  check_core();
}

void PartitionReplica::check_core() {
  if (fenced_.ok() && !core_.broken().empty()) fence(Status(Code::kInternal, core_.broken()));
}

// ---- Applies ------------------------------------------------------------------------------------

void PartitionReplica::apply() {
  if (!fenced_.ok() || reading_) return;
  const Index before = applied_;
  if (applied_ < committed_) apply_tail();
  if (fenced_.ok() && applied_ < committed_ && !reading_) read_ahead();
  if (applied_ != before) after_apply();
  update_serving();
}

// From memory, as far as the tail goes.
void PartitionReplica::apply_tail() {
  if (tail_.empty() || tail_.front().index > applied_ + 1) return;
  while (!tail_.empty() && tail_.front().index <= applied_) tail_.pop_front();
  entries_.clear();
  for (const raft::Entry& entry : tail_) {
    if (entry.index > committed_) break;
    entries_.push_back(to_abi(entry));
  }
  if (entries_.empty()) return;
  apply_entries(entries_.data(), static_cast<uint32_t>(entries_.size()), sizeof(chronik_entry));
  while (!tail_.empty() && tail_.front().index <= applied_) tail_.pop_front();
}

// From the log storage: what an earlier incarnation wrote.
void PartitionReplica::read_ahead() {
  const Index end = tail_.empty() ? committed_ + 1 : std::min(committed_ + 1, tail_.front().index);
  chronik_log_read read{};
  read.from_kind = CHRONIK_LOG_FROM_INDEX;
  read.group = group().value;
  read.from = applied_.value + 1;
  read.end_index = end.value;
  read.max_bytes = options_.replay_read_bytes;
  reading_ = true;
  host_.read_log(*this, read);
}

void PartitionReplica::on_read_refused(const Status& why) {
  reading_ = false;
  if (closed_) return;
  fence(Status(Code::kDataLoss, std::string(why.message())).annotate("replay"));
}

void PartitionReplica::on_log_read(const chronik_log_read_result& result) {
  reading_ = false;
  if (!fenced_.ok() || closed_) return;
  if (result.status != CHRONIK_OK || result.entry_count == 0) {
    return fence(Status(Code::kDataLoss, "entry " + std::to_string(applied_.value + 1) +
                                             " can't be read from log storage '" + store_.name() +
                                             "' (" + std::string(code_name(Code(result.status))) +
                                             ")"));
  }
  apply_entries(result.entries, result.entry_count, result.entry_stride);
  after_apply();
  host_.wake(*this);
}

// Applies consecutive entries in order, handing runs of proposals to the machine. False: fenced.
bool PartitionReplica::apply_entries(const chronik_entry* entries, uint32_t count,
                                     uint32_t stride) {
  for (uint32_t i = 0; i < count;) {
    const chronik_entry& entry = at(entries, stride, i);
    if (entry.index != applied_.value + 1) {
      fence(Status(Code::kInternal, "entry " + std::to_string(entry.index) +
                                        " follows applied entry " +
                                        std::to_string(applied_.value)));
      return false;
    }
    if (!is_for_machine(entry)) {
      if (entry.type != static_cast<uint32_t>(raft::EntryType::kNormal)) apply_configuration(entry);
      applied_ = Index(entry.index);
      ++i;
      continue;
    }
    uint32_t run = 1;
    while (i + run < count && is_for_machine(at(entries, stride, i + run))) ++run;
    if (!apply_run(&entry, run, stride)) return false;
    i += run;
  }
  core_.on_applied(applied_);
  check_core();
  return fenced_.ok();
}

bool PartitionReplica::apply_run(const chronik_entry* entries, uint32_t count, uint32_t stride) {
  results_.assign(count, chronik_result{sizeof(chronik_result), 0, 0, 0, 0, {nullptr, 0}});
  if (Status status = to_kernel(machine_->apply(entries, count, stride, results_.data()));
      !status.ok()) {
    fence(status.annotate("the state machine can't apply entry " + std::to_string(entries->index)));
    return false;
  }
  uint64_t released = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const chronik_entry& entry = at(entries, stride, i);
    applied_bytes_ += entry.payload.size;
    released += proposals_.on_applied(id_of(entry), results_[i]);
  }
  applied_ = Index(at(entries, stride, count - 1).index);
  if (released != 0) host_.release(released);
  return true;
}

void PartitionReplica::apply_configuration(const chronik_entry& entry) {
  const Result<raft::ConfChangeV2> change = raft::ConfChangeV2::decode(sdk::view(entry.payload));
  if (!change.ok()) return fence(change.status().annotate("a committed membership change"));
  const Result<raft::Configuration> now = core_.apply_conf_change(change.value());
  if (now.ok()) checkpoint_due_ = true;
}

void PartitionReplica::after_apply() {
  if (applied_bytes_ >= options_.checkpoint_bytes) checkpoint_due_ = true;
  queries_.retry(applied_, host_.now().monotonic_ns);
  maybe_campaign();
  if (core_.has_ready() || applied_ < committed_ || checkpoint_due_) host_.wake(*this);
}

void PartitionReplica::update_serving() {
  const bool now = fenced_.ok() && !closed_ && core_.is_leader() && core_.has_applied_in_term();
  if (now == serving_) return;
  serving_ = now;
  machine_->on_leadership(core_.term().value, serving_);
  if (!serving_) host_.release(proposals_.abandon(kLostLeadership.data()));
  host_.on_serving(*this, serving_);
  if (!serving_) return;
  take_waiting();
  if (!waiting_.empty()) host_.wake(*this);
  for (chronik_query_request* request : std::exchange(waiting_queries_, {})) query(request);
}

GroupMeta PartitionReplica::meta_with_checkpoint() {
  std::string saved;
  if (machine_->save(saved).ok()) {
    meta_.checkpoint = Checkpoint{applied_, core_.configuration(), std::move(saved)};
    applied_bytes_ = 0;
  }
  return meta_;
}

// ---- End ----------------------------------------------------------------------------------------

void PartitionReplica::close(const Status& why) {
  if (closed_) return;
  closed_ = true;
  closed_why_ = why;
  for (chronik_propose_request* request : std::exchange(waiting_, {})) {
    host_.release(request->payload_size);
    answer(request, why);
  }
  for (chronik_query_request* request : std::exchange(waiting_queries_, {})) answer(request, why);
  queries_.fail_all(why);
  host_.release(proposals_.abandon("the node is stopping; the entry may or may not be committed"));
  update_serving();
}

void PartitionReplica::save_checkpoint(LogBatch& batch) {
  if (!fenced_.ok() || must_create_) return;
  batch.hard_state(group(), core_.hard_state(), true);
  batch.group_meta(group(), meta_with_checkpoint().encode(), false);
}

void PartitionReplica::fence(Status why) {
  if (!fenced_.ok()) return;
  fenced_ = std::move(why);
#ifdef CHRONIK_DEBUG_CHECKS
  CHRONIK_CHECK(fenced_.code() == Code::kDataLoss, fenced_.to_string());
#endif
  host_.on_fenced(*this, fenced_);
  const Status refused(Code::kUnavailable, std::string(fenced_.message()));
  for (chronik_propose_request* request : std::exchange(waiting_, {})) {
    host_.release(request->payload_size);
    answer(request, refused);
  }
  for (chronik_query_request* request : std::exchange(waiting_queries_, {})) {
    answer(request, refused);
  }
  queries_.fail_all(refused);
  host_.release(proposals_.abandon("the group was taken out of service"));
  update_serving();
}

void PartitionReplica::describe(chronik_group_status& status) {
  status = {};
  status.struct_size = sizeof status;
  status.group = group().value;
  status.partition = options_.partition;
  status.topic = sdk::slice(options_.topic);
  status.role = !fenced_.ok()                           ? CHRONIK_ROLE_FENCED
                : core_.is_leader()                     ? CHRONIK_ROLE_LEADER
                : core_.role() == raft::Role::kFollower ? CHRONIK_ROLE_FOLLOWER
                                                        : CHRONIK_ROLE_CANDIDATE;
  status.term = core_.term().value;
  status.first_index = core_.first_index().value;
  status.last_index = core_.last_index().value;
  status.durable_index = durable_.value;
  status.commit_index = core_.commit().value;
  status.applied_index = applied_.value;
  chronik_answer bounds;
  std::string ignored;
  if (machine_->query(CHRONIK_QUERY_BOUNDS, 0, {}, ignored, bounds).ok()) {
    status.start_key = bounds.start_key;
    status.end_key = bounds.end_key;
  }
  status_message_ = std::string(fenced_.message());
  status.message = sdk::slice(status_message_);
}

}  // namespace chronik
