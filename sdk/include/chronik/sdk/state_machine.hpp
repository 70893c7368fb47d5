// Makes a state_machine component of a C++ class. The class T offers, beside what component.hpp
// asks (start() and stop() may be left out here):
//
//   uint32_t version();
//   Status apply(Array<chronik_entry> entries, chronik_result* results);
//   Status query(uint32_t kind, uint64_t arg, std::string_view body, const chronik_sink* sink,
//                chronik_answer& answer);
//   Status save(const chronik_sink& sink);
//   Status restore(std::string_view saved, uint64_t applied_index);
// and optionally
//   void prepare(chronik_proposal& proposal, chronik_prepared& prepared);
//   void on_leadership(uint64_t term, bool gained);
//
// with the contract of chronik/abi/state_machine.h, and the constructor
//   T(Host, const chronik_state_machine_environment&, const Config&).
#pragma once

#include "chronik/abi/state_machine.h"
#include "chronik/sdk/component.hpp"

namespace chronik::sdk {
inline namespace v0 {

// Gives a machine the start() and stop() that it doesn't need.
template <typename T>
class StateMachineShell : public T {
 public:
  using T::T;
  Status start() {
    if constexpr (requires(T & t) { t.T::start(); }) return T::start();
    return {};
  }
  void stop(chronik_done done) {
    if constexpr (requires(T & t) { t.T::stop(done); }) {
      T::stop(done);
    } else {
      done.call(done.context);
    }
  }
};

template <typename T>
constexpr chronik_state_machine_vtable make_state_machine_vtable() {
  using Shell = StateMachineShell<T>;
  chronik_state_machine_vtable v{};
  v.component = component_vtable<Shell, chronik_state_machine_environment>(sizeof v);
  v.version = [](void* instance) noexcept { return static_cast<Shell*>(instance)->version(); };
  if constexpr (requires(T & t, chronik_proposal & p, chronik_prepared & r) { t.prepare(p, r); }) {
    v.prepare = [](void* instance, chronik_proposal* proposal,
                   chronik_prepared* prepared) noexcept {
      // Nothing was proposed when it throws: refused, with the error of any other call.
      const int32_t code = guarded(&prepared->error, [&] {
        static_cast<Shell*>(instance)->prepare(*proposal, *prepared);
        return Status();
      });
      if (code != CHRONIK_OK) prepared->verdict = CHRONIK_PREPARE_REFUSE;
    };
  }
  if constexpr (requires(T & t) { t.on_leadership(uint64_t{}, true); }) {
    v.on_leadership = [](void* instance, uint64_t term, uint32_t gained) noexcept {
      static_cast<Shell*>(instance)->on_leadership(term, gained != 0);
    };
  }
  v.apply = [](void* instance, const chronik_entry* entries, uint32_t count, uint32_t stride,
               chronik_result* results, chronik_error* error) noexcept {
    return guarded(error, [&] {
      return static_cast<Shell*>(instance)->apply(Array<chronik_entry>(entries, count, stride),
                                                  results);
    });
  };
  v.query = [](void* instance, uint32_t kind, uint64_t arg, chronik_slice body,
               const chronik_sink* sink, chronik_answer* answer, chronik_error* error) noexcept {
    return guarded(error, [&] {
      return static_cast<Shell*>(instance)->query(kind, arg, view(body), sink, *answer);
    });
  };
  v.save = [](void* instance, const chronik_sink* sink) noexcept {
    return guarded(nullptr, [&] { return static_cast<Shell*>(instance)->save(*sink); });
  };
  v.restore = [](void* instance, chronik_slice saved, uint64_t applied_index,
                 chronik_error* error) noexcept {
    return guarded(
        error, [&] { return static_cast<Shell*>(instance)->restore(view(saved), applied_index); });
  };
  return v;
}

template <typename T>
inline constexpr chronik_state_machine_vtable state_machine_vtable = make_state_machine_vtable<T>();

template <typename T>
constexpr chronik_component state_machine(const char* name, const char* doc, uint64_t capabilities,
                                          OptionTable options = {}) {
  return {sizeof(chronik_component),
          CHRONIK_KIND_STATE_MACHINE,
          name,
          doc,
          CHRONIK_STATE_MACHINE_MAJOR,
          CHRONIK_STATE_MACHINE_MINOR,
          options.count,
          sizeof(chronik_option),
          0,
          capabilities,
          options.options,
          &state_machine_vtable<T>};
}

}  // namespace v0
}  // namespace chronik::sdk
