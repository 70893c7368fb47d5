// Makes a log_storage component of a C++ class. The class T offers, beside what component.hpp asks:
//
//   Status submit(const chronik_log_batch& batch, uint64_t token);        [any] [nonblocking]
//   int32_t group(uint64_t group, chronik_log_visitor visitor, void* context);
//   int32_t scan_groups(chronik_log_visitor visitor, void* context);
//   int32_t read(const chronik_log_read& request);
//   void recovery_report(const chronik_sink& sink);                        optional
//   uint64_t group_batch_bytes_max();                                      optional
//
// with the contract of chronik/abi/log_storage.h, and the constructor
//   T(Host, const chronik_log_storage_environment&, const Config&).
#pragma once

#include "chronik/abi/log_storage.h"
#include "chronik/sdk/component.hpp"

namespace chronik::sdk {
inline namespace v0 {

template <typename T>
constexpr chronik_log_storage_vtable make_log_storage_vtable() {
  chronik_log_storage_vtable v{};
  v.component = component_vtable<T, chronik_log_storage_environment>(sizeof v);
  v.submit = [](void* instance, const chronik_log_batch* batch, uint64_t token,
                chronik_error* error) noexcept {
    return guarded(error, [&] { return static_cast<T*>(instance)->submit(*batch, token); });
  };
  v.group = [](void* instance, uint64_t group, chronik_log_visitor visitor,
               void* context) noexcept {
    return guarded_code([&] { return static_cast<T*>(instance)->group(group, visitor, context); });
  };
  v.scan_groups = [](void* instance, chronik_log_visitor visitor, void* context) noexcept {
    return guarded_code([&] { return static_cast<T*>(instance)->scan_groups(visitor, context); });
  };
  v.read = [](void* instance, const chronik_log_read* request) noexcept {
    return guarded_code([&] { return static_cast<T*>(instance)->read(*request); });
  };
  if constexpr (requires(T & t, const chronik_sink& s) { t.recovery_report(s); }) {
    v.recovery_report = [](void* instance, const chronik_sink* sink) noexcept -> int32_t {
      return guarded_code([&] {
        static_cast<T*>(instance)->recovery_report(*sink);
        return int32_t{CHRONIK_OK};
      });
    };
  }
  if constexpr (requires(T & t) { t.group_batch_bytes_max(); }) {
    v.group_batch_bytes_max = [](void* instance) noexcept -> uint64_t {
      return static_cast<T*>(instance)->group_batch_bytes_max();
    };
  }
  return v;
}

template <typename T>
inline constexpr chronik_log_storage_vtable log_storage_vtable = make_log_storage_vtable<T>();

template <typename T>
constexpr chronik_component log_storage(const char* name, const char* doc, uint64_t capabilities,
                                        OptionTable options = {}) {
  return {sizeof(chronik_component),
          CHRONIK_KIND_LOG_STORAGE,
          name,
          doc,
          CHRONIK_LOG_STORAGE_MAJOR,
          CHRONIK_LOG_STORAGE_MINOR,
          options.count,
          sizeof(chronik_option),
          0,
          capabilities,
          options.options,
          &log_storage_vtable<T>};
}

}  // namespace v0
}  // namespace chronik::sdk
