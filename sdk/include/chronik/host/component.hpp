// Host side, C++20, header-only: what the typed proxies of all kinds share. A proxy owns one
// instance of a component and takes it through its life:
//
//   std::unique_ptr<LogStorage> log;
//   sdk::Status status = LogStorage::create(component, host, environment, config, log);
//   status = log->start();
//   ...
//   log->stop_and_wait();    // or stop(done), and wait for done
//   log.reset();             // destroy()
//
// The component, host and environment outlive the proxy; the config is needed until create()
// returned. create(), start(), stop() and destruction belong to the control thread. A proxy adds
// nothing to a call; with CHRONIK_DEBUG_CHECKS it also watches the plugin's side of the contract,
// and a broken promise ends the process with a line that names the component and the promise.
#pragma once

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "chronik/sdk/base.hpp"

namespace chronik::host {
inline namespace v0 {

[[noreturn]] inline void promise_broken(const char* component, const char* promise) {
  std::fprintf(stderr, "plugin component '%s' broke its contract: %s\n", component, promise);
  std::fflush(stderr);
  std::abort();
}

#ifdef CHRONIK_DEBUG_CHECKS
inline constexpr bool kChecked = true;
#else
inline constexpr bool kChecked = false;
#endif

// Room for a callee's error. Not cleared as a whole: the message is as long as the plugin says.
struct ErrorSpace {
  chronik_error error;
  ErrorSpace() {
    error.struct_size = sizeof error;
    error.code = CHRONIK_OK;
    error.detail = 0;
    error.message[0] = '\0';
  }
  sdk::Status status(int32_t code) {
    if (code == CHRONIK_OK) return {};
    error.message[sizeof error.message - 1] = '\0';
    return {code, error.message, error.detail};
  }
};

class Component {
 public:
  Component(const Component&) = delete;
  Component& operator=(const Component&) = delete;

  // Opens files or sockets, recovers. Blocks. After a failure only stop() and destruction are left.
  sdk::Status start() {
    if constexpr (kChecked) expect(state_ == State::kCreated, "start() is called once (host)");
    state_ = State::kStarted;
    ErrorSpace space;
    return checked(vtable_->start(instance_, &space.error), space);
  }

  // Begins the end; `done` is called on any thread when nothing of the instance runs any more.
  // Once.
  void stop(chronik_done done) {
    if constexpr (kChecked) expect(!stopping_, "stop() is called once (host)");
    stopping_ = true;
    user_done_ = done;
    vtable_->stop(instance_, {on_done, this});
  }

  // stop(), and waits for its end. Nothing happens if stop() was never needed. Idempotent.
  void stop_and_wait() {
    if (state_ == State::kCreated && !stopping_) return;
    if (!stopping_) stop({nullptr, nullptr});
    std::unique_lock lock(mutex_);
    stopped_changed_.wait(lock, [this] { return stopped_; });
  }

  // An extension of the instance by id; null if it has none of that id.
  template <typename Extension>
  const Extension* extension(const char* id) const {
    if (vtable_->get_extension == nullptr) return nullptr;
    return static_cast<const Extension*>(vtable_->get_extension(instance_, id));
  }

  const chronik_component& component() const { return component_; }
  void* instance() const { return instance_; }

 protected:
  explicit Component(const chronik_component& component)
      : component_(component),
        vtable_(static_cast<const chronik_component_vtable*>(component.vtable)) {}
  // Destroys the instance, stopping it first if nobody did.
  ~Component() { destroy(); }

  sdk::Status make(const chronik_host* host, const void* environment,
                   const chronik_config* config) {
    ErrorSpace space;
    sdk::Status status =
        checked(vtable_->create(host, environment, config, &instance_, &space.error), space);
    if constexpr (kChecked) {
      expect(status.ok() == (instance_ != nullptr),
             "create() leaves an instance exactly when it returns CHRONIK_OK");
    }
    if (!status.ok()) instance_ = nullptr;
    return status;
  }

  void destroy() {
    if (instance_ == nullptr) return;
    stop_and_wait();
    vtable_->destroy(instance_);
    instance_ = nullptr;
  }

  bool stopped() {
    std::lock_guard lock(mutex_);
    return stopped_;
  }

  void expect(bool kept, const char* promise) const {
    if (!kept) promise_broken(component_.name, promise);
  }

  // What a fallible call left: in checked builds, an error comes with its code and a message.
  sdk::Status checked(int32_t code, ErrorSpace& space) const {
    if (code == CHRONIK_OK) return {};
    if constexpr (kChecked) {
      expect(space.error.code == code, "a failing call fills error->code with what it returns");
      expect(space.error.message[0] != '\0', "a failing call fills error->message");
    }
    return space.status(code);
  }

 private:
  enum class State { kCreated, kStarted };

  static void on_done(void* context) noexcept {
    auto* self = static_cast<Component*>(context);
    // The owner may destroy this object as soon as it learns of the end: by the caller's callback,
    // or by `stopped_`. So `done` is copied before, and notified under the lock.
    const chronik_done done = self->user_done_;
    {
      std::lock_guard lock(self->mutex_);
      if constexpr (kChecked) self->expect(!self->stopped_, "stop() calls done once");
      self->stopped_ = true;
      self->stopped_changed_.notify_all();
    }
    if (done.call != nullptr) done.call(done.context);
  }

  const chronik_component& component_;
  const chronik_component_vtable* vtable_;
  void* instance_ = nullptr;
  State state_ = State::kCreated;
  bool stopping_ = false;
  chronik_done user_done_{};
  std::mutex
      mutex_;  // not a message: stop_and_wait() is for callers that have no loop of their own
  std::condition_variable stopped_changed_;
  bool stopped_ = false;  // guarded by mutex_
};

// Options that contradict each other; no instance is needed.
inline sdk::Status validate(const chronik_component& component, const chronik_config& config) {
  const auto* vtable = static_cast<const chronik_component_vtable*>(component.vtable);
  if (vtable->validate == nullptr) return {};
  ErrorSpace space;
  return space.status(vtable->validate(&config, &space.error));
}

}  // namespace v0
}  // namespace chronik::host
