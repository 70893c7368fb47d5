// Host side of a log_storage instance; the contract of each call is in chronik/abi/log_storage.h.
// Life and threads: component.hpp.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include "chronik/abi/log_storage.h"
#include "chronik/host/component.hpp"

namespace chronik::host {
inline namespace v0 {

class LogStorage final : public Component {
 public:
  static sdk::Status create(const chronik_component& component, const chronik_host* host,
                            const chronik_log_storage_environment& environment,
                            const chronik_config& config, std::unique_ptr<LogStorage>& made) {
    std::unique_ptr<LogStorage> self(new LogStorage(component, environment));
    sdk::Status status = self->make(host, &self->passed_environment(), &config);
    if (status.ok()) made = std::move(self);
    return status;
  }
  ~LogStorage() { destroy(); }

  bool is_volatile() const {
    return (component().capabilities & CHRONIK_LOG_STORAGE_CAP_VOLATILE) != 0;
  }

  // Accepts a batch or nothing; on_complete follows with `token`, maybe before this returns.
  sdk::Status submit(const chronik_log_batch& batch, uint64_t token) {
    if constexpr (kChecked) begin_submit(token);
    ErrorSpace space;
    const int32_t code = vtable_->submit(instance(), &batch, token, &space.error);
    if constexpr (kChecked) {
      if (code != CHRONIK_OK) {
        expect(tokens_.end(token), "a refused submit has no completion");
      }
    }
    return checked(code, space);
  }

  // Calls `visit(const chronik_log_group&)` once, inside this call; NOT_FOUND without a group.
  template <typename Visit>
  sdk::Status group(uint64_t group, Visit&& visit) {
    Visiting<std::remove_reference_t<Visit>> visiting{*this, visit};
    const int32_t code = vtable_->group(instance(), group, &decltype(visiting)::call, &visiting);
    if constexpr (kChecked) {
      expect(visiting.count == 1 || (visiting.count == 0 && code != CHRONIK_OK),
             "group() visits the group once, or returns an error");
    }
    return plain(code, "reading a group's state");
  }

  // Calls `visit` for every group. A visit that returns int32_t stops the scan with non-zero, which
  // is returned; one that returns void sees all.
  template <typename Visit>
  sdk::Status scan_groups(Visit&& visit) {
    Visiting<std::remove_reference_t<Visit>> visiting{*this, visit};
    return plain(vtable_->scan_groups(instance(), &decltype(visiting)::call, &visiting),
                 "scanning the groups");
  }

  // Begins a read; on_read follows with its token if this returns OK.
  sdk::Status read(const chronik_log_read& request) {
    return plain(vtable_->read(instance(), &request), "reading the log");
  }

  // What one group may append in one batch; see the ABI. UINT64_MAX: no bound.
  uint64_t group_batch_bytes_max() const {
    constexpr size_t kEnd = offsetof(chronik_log_storage_vtable, group_batch_bytes_max) +
                            sizeof vtable_->group_batch_bytes_max;
    if (vtable_->component.struct_size < kEnd || vtable_->group_batch_bytes_max == nullptr) {
      return UINT64_MAX;
    }
    return vtable_->group_batch_bytes_max(instance());
  }

  // What the last start() found, for people; empty if all was well.
  std::string recovery_report() {
    std::string text;
    if (vtable_->recovery_report == nullptr) return text;
    const chronik_sink sink{&text, [](void* context, chronik_slice bytes) noexcept -> int32_t {
                              static_cast<std::string*>(context)->append(sdk::view(bytes));
                              return CHRONIK_OK;
                            }};
    vtable_->recovery_report(instance(), &sink);
    return text;
  }

 private:
  // The caller's environment, or in checked builds one that watches what comes back.
  LogStorage(const chronik_component& component, const chronik_log_storage_environment& environment)
      : Component(component),
        vtable_(static_cast<const chronik_log_storage_vtable*>(component.vtable)),
        environment_(environment),
        watching_(environment) {
    watching_.context = this;
    watching_.on_complete = on_complete;
    watching_.on_read = on_read;
    watching_.on_space = on_space;
  }
  const chronik_log_storage_environment& passed_environment() const {
    return kChecked ? watching_ : environment_;
  }

  template <typename Visit>
  struct Visiting {
    LogStorage& self;
    Visit& visit;
    uint32_t count = 0;
    static int32_t call(void* context, const chronik_log_group* group) {
      auto& v = *static_cast<Visiting*>(context);
      ++v.count;
      if constexpr (kChecked) v.self.check_group(*group);
      if constexpr (std::is_void_v<std::invoke_result_t<Visit&, const chronik_log_group&>>) {
        v.visit(*group);
        return CHRONIK_OK;
      } else {
        return v.visit(*group);
      }
    }
  };

  // Calls that return a bare code.
  static sdk::Status plain(int32_t code, const char* what) {
    if (code == CHRONIK_OK) return {};
    return {code, what};
  }

  // ---- Checked builds only ----------------------------------------------------------------------

  class Tokens {
   public:
    bool begin(uint64_t token) {
      std::lock_guard lock(mutex_);
      return open_.insert(token).second;
    }
    bool end(uint64_t token) {
      std::lock_guard lock(mutex_);
      return open_.erase(token) == 1;
    }

   private:
    std::mutex mutex_;
    std::unordered_set<uint64_t> open_;  // guarded by mutex_
  };

  void begin_submit(uint64_t token) {
    expect(tokens_.begin(token), "tokens in flight are distinct (host)");
  }

  void check_group(const chronik_log_group& group) const {
    expect(group.struct_size >= sizeof group, "a visited group carries its struct_size");
    expect(group.start_index <= group.last_index, "start_index <= last_index");
    expect(group.durable_index <= group.last_index, "durable_index <= last_index");
    uint64_t at = group.start_index;
    for (uint32_t i = 0; i < group.term_run_count; ++i) {
      const chronik_term_run& run = group.term_runs[i];
      expect(i == 0 ? run.first_index == at + 1 : run.first_index > at,
             "term runs begin at start_index + 1 and ascend");
      at = run.first_index;
    }
    expect(
        group.term_run_count == 0 ? group.last_index == group.start_index : at <= group.last_index,
        "term runs cover the log");
  }

  static void on_complete(void* context, const chronik_log_completion* completions,
                          uint32_t count) noexcept {
    auto* self = static_cast<LogStorage*>(context);
    self->expect(!self->stopped(), "no callback comes after stop() is done");
    for (uint32_t i = 0; i < count; ++i) {
      self->expect(self->tokens_.end(completions[i].token),
                   "each accepted submit completes once, with its own token");
      self->expect(completions[i].status == CHRONIK_OK || completions[i].status == CHRONIK_E_FAILED,
                   "a completion's status is OK or FAILED");
    }
    self->environment_.on_complete(self->environment_.context, completions, count);
  }

  static void on_read(void* context, chronik_log_read_result* result) noexcept {
    auto* self = static_cast<LogStorage*>(context);
    self->expect(!self->stopped(), "no callback comes after stop() is done");
    self->expect(result->struct_size >= sizeof *result, "a read result carries its struct_size");
    self->expect(result->release != nullptr, "a read result can be released");
    self->expect(result->status == CHRONIK_OK || result->entry_count == 0,
                 "a failed read has no entries");
    const sdk::Array<chronik_entry> entries(result->entries, result->entry_count,
                                            result->entry_stride);
    for (uint32_t i = 1; i < entries.size(); ++i) {
      self->expect(entries[i].index == entries[i - 1].index + 1, "read entries are consecutive");
    }
    self->environment_.on_read(self->environment_.context, result);
  }

  static void on_space(void* context, uint32_t low) noexcept {
    auto* self = static_cast<LogStorage*>(context);
    self->environment_.on_space(self->environment_.context, low);
  }

  const chronik_log_storage_vtable* vtable_;
  chronik_log_storage_environment environment_;
  chronik_log_storage_environment watching_;
  Tokens tokens_;
};

}  // namespace v0
}  // namespace chronik::host
