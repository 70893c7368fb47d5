#include "check/log_store.h"

#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "chronik/sdk/base.hpp"

namespace chronik::check {

// ---- Batch

Batch::Operation& Batch::add(uint32_t kind, uint64_t group) {
  operations_.emplace_back();
  Operation& operation = operations_.back();
  operation.raw = {};
  operation.raw.struct_size = sizeof operation.raw;
  operation.raw.kind = kind;
  operation.raw.group = group;
  return operation;
}
Batch& Batch::create(uint64_t group) {
  add(CHRONIK_LOG_CREATE, group);
  return *this;
}
Batch& Batch::append(uint64_t group, uint64_t index, uint64_t term, std::vector<Entry> entries) {
  Operation& operation = add(CHRONIK_LOG_APPEND, group);
  operation.raw.index = index;
  operation.raw.term = term;
  for (Entry& entry : entries) entry.index = ++index;
  operation.entries = std::move(entries);
  return *this;
}
Batch& Batch::truncate(uint64_t group, uint64_t index) {
  add(CHRONIK_LOG_TRUNCATE_SUFFIX, group).raw.index = index;
  return *this;
}
Batch& Batch::hard_state(uint64_t group, uint64_t term, uint64_t vote, uint64_t commit, bool lazy) {
  Operation& operation = add(CHRONIK_LOG_HARD_STATE, group);
  operation.raw.term = term;
  operation.raw.vote = vote;
  operation.raw.commit = commit;
  operation.raw.flags = lazy ? CHRONIK_LOG_LAZY : 0;
  return *this;
}
Batch& Batch::compact(uint64_t group, uint64_t index, uint64_t term, std::string meta) {
  Operation& operation = add(CHRONIK_LOG_COMPACT_PREFIX, group);
  operation.raw.index = index;
  operation.raw.term = term;
  operation.meta = std::move(meta);
  return *this;
}
Batch& Batch::meta(uint64_t group, std::string meta, bool lazy) {
  Operation& operation = add(CHRONIK_LOG_GROUP_META, group);
  operation.raw.flags = lazy ? CHRONIK_LOG_LAZY : 0;
  operation.meta = std::move(meta);
  return *this;
}
Batch& Batch::reset(uint64_t group, uint64_t index, uint64_t term, std::string meta) {
  Operation& operation = add(CHRONIK_LOG_RESET, group);
  operation.raw.index = index;
  operation.raw.term = term;
  operation.meta = std::move(meta);
  return *this;
}
Batch& Batch::remove(uint64_t group) {
  add(CHRONIK_LOG_DELETE, group);
  return *this;
}
bool Batch::lazy() const {
  for (const Operation& operation : operations_)
    if ((operation.raw.flags & CHRONIK_LOG_LAZY) == 0) return false;
  return true;
}

// ---- LogStore

namespace {

uint64_t parse_number(const std::string& text) {
  char* end = nullptr;
  uint64_t value = std::strtoull(text.c_str(), &end, 10);
  const std::string unit = end;
  if (unit == "KiB") value <<= 10;
  if (unit == "MiB") value <<= 20;
  if (unit == "GiB") value <<= 30;
  return value;
}

}  // namespace

LogStore::LogStore(const chronik_plugin& plugin, SimDisk* disk,
                   std::map<std::string, std::string> options, uint64_t seed)
    : disk_(disk), host_(disk, seed) {
  environment_.struct_size = sizeof environment_;
  environment_.context = this;
  std::memcpy(environment_.store_uuid, "0123456789abcdef", 16);
  environment_.on_complete = [](void* context, const chronik_log_completion* completions,
                                uint32_t count) noexcept {
    auto* self = static_cast<LogStore*>(context);
    if (self->inside_call_) self->mistakes_.emplace_back("on_complete inside a call");
    for (uint32_t i = 0; i < count; ++i) {
      if (!self->completions_.emplace(completions[i].token, completions[i].status).second)
        self->mistakes_.emplace_back("a batch completed twice");
      self->order_.push_back(completions[i].token);
    }
  };
  environment_.on_read = [](void* context, chronik_log_read_result* result) noexcept {
    auto* self = static_cast<LogStore*>(context);
    if (self->inside_call_) self->mistakes_.emplace_back("on_read inside a call");
    ReadOutcome& outcome = self->reads_[result->token];
    outcome.status = result->status;
    for (const chronik_entry& entry :
         sdk::Array<chronik_entry>(result->entries, result->entry_count, result->entry_stride))
      outcome.entries.push_back({entry.type, entry.index, entry.term, entry.key, entry.time_ms,
                                 std::string(sdk::view(entry.payload))});
    result->release(result);
  };
  environment_.on_space = [](void* context, uint32_t low) noexcept {
    auto* self = static_cast<LogStore*>(context);
    if (self->inside_call_) self->mistakes_.emplace_back("on_space inside a call");
    self->space_.push_back(low);
  };
  make(plugin, std::move(options));
}

void LogStore::make(const chronik_plugin& plugin, std::map<std::string, std::string> options) {
  const chronik_component& component = plugin.components[0];
  vtable_ = static_cast<const chronik_log_storage_vtable*>(component.vtable);
  std::vector<chronik_value> values;
  std::deque<std::string> texts;
  for (const chronik_option& option : sdk::Array<chronik_option>(
           component.options, component.option_count, component.option_stride)) {
    const auto set = options.find(option.name);
    texts.push_back(set != options.end()              ? set->second
                    : option.default_value != nullptr ? option.default_value
                                                      : "");
    chronik_value value{};
    value.struct_size = sizeof value;
    value.is_set = set != options.end() ? 1 : 0;
    value.number.u64 = parse_number(texts.back());
    value.text = {texts.back().data(), texts.back().size()};
    values.push_back(value);
    options.erase(option.name);
  }
  if (!options.empty()) throw std::logic_error("no such option: " + options.begin()->first);
  const chronik_config config{sizeof config,
                              static_cast<uint32_t>(values.size()),
                              sizeof(chronik_value),
                              0,
                              values.data(),
                              "test",
                              "/"};
  chronik_error error{};
  if (vtable_->component.validate != nullptr &&
      vtable_->component.validate(&config, &error) != CHRONIK_OK)
    throw std::logic_error(error.message);
  if (vtable_->component.create(host_.raw(), &environment_, &config, &instance_, &error) !=
      CHRONIK_OK)
    throw std::logic_error(error.message);
}

LogStore::~LogStore() {
  if (instance_ != nullptr) crash();
}

int32_t LogStore::start() {
  chronik_error error{};
  const int32_t status = vtable_->component.start(instance_, &error);
  if (status != CHRONIK_OK) error_ = error.message;
  return status;
}

void LogStore::close() {
  destroy();
  if (!mistakes_.empty()) throw std::logic_error(mistakes_.front());
}

void LogStore::crash() {
  if (disk_ != nullptr) {
    disk_->hold_syncs(false);
    if (!disk_->crashed()) disk_->crash_after(0);
  }
  destroy();
}

void LogStore::destroy() {
  bool done = false;
  vtable_->component.stop(
      instance_, {[](void* context) noexcept { *static_cast<bool*>(context) = true; }, &done});
  while (!done) {
    host_.flush_delayed();
    if (!host_.step() && !host_.has_delayed() && !done) throw std::logic_error("stop() never ends");
  }
  vtable_->component.destroy(instance_);
  instance_ = nullptr;
}

int32_t LogStore::submit(const Batch& batch, uint64_t token) {
  std::vector<chronik_log_operation> operations;
  std::deque<std::vector<chronik_entry>> entries;
  std::vector<sdk::BufferRef> owners;
  for (const Batch::Operation& operation : batch.operations()) {
    operations.push_back(operation.raw);
    chronik_log_operation& raw = operations.back();
    raw.meta = {operation.meta.data(), operation.meta.size()};
    entries.emplace_back();
    for (const Entry& entry : operation.entries) {
      chronik_entry item{sizeof item, entry.type,    entry.index, entry.term,
                         entry.key,   entry.time_ms, {},          nullptr};
      if (!entry.payload.empty()) {
        chronik_buffer* owner =
            host_.raw()->buffer_alloc(host_.raw()->context, entry.payload.size(), 1);
        std::memcpy(owner->data, entry.payload.data(), entry.payload.size());
        item.payload = {owner->data, entry.payload.size()};
        item.owner = owner;
        owners.push_back(sdk::BufferRef::adopt(owner));
      }
      entries.back().push_back(item);
    }
    raw.entries = entries.back().data();
    raw.entry_count = static_cast<uint32_t>(entries.back().size());
    raw.entry_stride = sizeof(chronik_entry);
  }
  const chronik_log_batch raw{sizeof raw, static_cast<uint32_t>(operations.size()),
                              sizeof(chronik_log_operation), 0, operations.data()};
  chronik_error error{};
  inside_call_ = true;
  const int32_t status = vtable_->submit(instance_, &raw, token, &error);
  inside_call_ = false;
  if (status != CHRONIK_OK) error_ = error.message;
  return status;
}

int32_t LogStore::write(const Batch& batch) {
  const uint64_t token = next_token_++;
  if (const int32_t status = submit(batch, token); status != CHRONIK_OK) return status;
  while (!completed(token))
    if (!host_.step()) throw std::logic_error("a completion never comes");
  return completions_[token];
}

std::optional<GroupView> LogStore::group(uint64_t group) {
  GroupView view;
  inside_call_ = true;
  const int32_t status = vtable_->group(
      instance_, group,
      [](void* context, const chronik_log_group* found) -> int32_t {
        auto& to = *static_cast<GroupView*>(context);
        to = {found->flags,
              found->start_index,
              found->start_term,
              found->last_index,
              found->last_term,
              found->last_key,
              found->last_time_ms,
              found->durable_index,
              found->hard_term,
              found->hard_vote,
              found->hard_commit,
              std::string(sdk::view(found->meta)),
              {found->term_runs, found->term_runs + found->term_run_count}};
        return 0;
      },
      &view);
  inside_call_ = false;
  if (status != CHRONIK_OK) return std::nullopt;
  return view;
}

std::vector<uint64_t> LogStore::groups() {
  std::vector<uint64_t> ids;
  vtable_->scan_groups(
      instance_,
      [](void* context, const chronik_log_group* found) -> int32_t {
        static_cast<std::vector<uint64_t>*>(context)->push_back(found->group);
        return 0;
      },
      &ids);
  return ids;
}

ReadOutcome LogStore::read_once(uint64_t group, uint32_t from_kind, uint64_t from,
                                uint64_t end_index, uint64_t max_bytes) {
  const chronik_log_read request{sizeof request, from_kind, group,        from,
                                 end_index,      max_bytes, next_token_++};
  inside_call_ = true;
  const int32_t status = vtable_->read(instance_, &request);
  inside_call_ = false;
  if (status != CHRONIK_OK) return {status, {}};
  while (reads_.count(request.token) == 0)
    if (!host_.step()) throw std::logic_error("a read never ends");
  ReadOutcome outcome = std::move(reads_[request.token]);
  reads_.erase(request.token);
  return outcome;
}

ReadOutcome LogStore::read(uint64_t group, uint32_t from_kind, uint64_t from, uint64_t end_index,
                           uint64_t max_bytes) {
  ReadOutcome all = read_once(group, from_kind, from, end_index, max_bytes);
  while (all.status == CHRONIK_OK && !all.entries.empty()) {
    ReadOutcome more = read_once(group, CHRONIK_LOG_FROM_INDEX, all.entries.back().index + 1,
                                 end_index, max_bytes);
    if (more.status != CHRONIK_OK) return {more.status, {}};
    if (more.entries.empty()) break;
    all.entries.insert(all.entries.end(), more.entries.begin(), more.entries.end());
  }
  return all;
}

ReadOutcome LogStore::read_all(uint64_t id) {
  const auto view = group(id);
  if (!view) return {CHRONIK_E_NOT_FOUND, {}};
  return read(id, CHRONIK_LOG_FROM_INDEX, view->start_index + 1, UINT64_MAX);
}

std::vector<std::string> LogStore::report() {
  std::vector<std::string> lines;
  const chronik_sink sink{
      &lines, [](void* context, chronik_slice line) noexcept -> int32_t {
        static_cast<std::vector<std::string>*>(context)->emplace_back(sdk::view(line));
        return CHRONIK_OK;
      }};
  if (vtable_->recovery_report != nullptr) vtable_->recovery_report(instance_, &sink);
  return lines;
}

}  // namespace chronik::check
