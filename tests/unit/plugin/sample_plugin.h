// A well-formed descriptor of two components that tests copy and damage. Its functions do nothing.
#pragma once

#include "chronik/abi/log_storage.h"
#include "chronik/abi/state_machine.h"
#include "chronik/sdk/component.hpp"

namespace chronik {

struct SamplePlugin {
  chronik_option options[1];
  chronik_log_storage_vtable log;
  chronik_state_machine_vtable machine;
  chronik_component components[2];
  chronik_plugin plugin;

  SamplePlugin() {
    options[0] = sdk::option({.name = "capacity",
                              .type = CHRONIK_OPTION_BYTES,
                              .default_value = "64MiB",
                              .doc = "How much to keep.",
                              .min_value = "1MiB",
                              .max_value = "1GiB"});
    log = {};
    fill(log.component, sizeof log);
    log.submit = [](void*, const chronik_log_batch*, uint64_t, chronik_error*) noexcept {
      return int32_t{CHRONIK_OK};
    };
    log.group = [](void*, uint64_t, chronik_log_visitor, void*) noexcept {
      return int32_t{CHRONIK_E_NOT_FOUND};
    };
    log.scan_groups = [](void*, chronik_log_visitor, void*) noexcept {
      return int32_t{CHRONIK_OK};
    };
    log.read = [](void*, const chronik_log_read*) noexcept { return int32_t{CHRONIK_E_NOT_FOUND}; };
    machine = {};
    fill(machine.component, sizeof machine);
    machine.version = [](void*) noexcept { return uint32_t{1}; };
    machine.apply = [](void*, const chronik_entry*, uint32_t, uint32_t, chronik_result*,
                       chronik_error*) noexcept { return int32_t{CHRONIK_OK}; };
    machine.query = [](void*, uint32_t, uint64_t, chronik_slice, const chronik_sink*,
                       chronik_answer*, chronik_error*) noexcept { return int32_t{CHRONIK_OK}; };
    machine.save = [](void*, const chronik_sink*) noexcept { return int32_t{CHRONIK_OK}; };
    machine.restore = [](void*, chronik_slice, uint64_t, chronik_error*) noexcept {
      return int32_t{CHRONIK_OK};
    };
    components[0] = {sizeof(chronik_component),
                     CHRONIK_KIND_LOG_STORAGE,
                     "sample",
                     "Keeps nothing.",
                     CHRONIK_LOG_STORAGE_MAJOR,
                     CHRONIK_LOG_STORAGE_MINOR,
                     1,
                     sizeof(chronik_option),
                     0,
                     CHRONIK_LOG_STORAGE_CAP_VOLATILE,
                     options,
                     &log};
    components[1] = {sizeof(chronik_component),
                     CHRONIK_KIND_STATE_MACHINE,
                     "sample",
                     "Means nothing.",
                     CHRONIK_STATE_MACHINE_MAJOR,
                     CHRONIK_STATE_MACHINE_MINOR,
                     0,
                     0,
                     0,
                     CHRONIK_STATE_MACHINE_CAP_NONBLOCKING,
                     nullptr,
                     &machine};
    plugin = {sizeof(chronik_plugin),
              CHRONIK_ABI_MAJOR,
              CHRONIK_ABI_MINOR,
              CHRONIK_ABI_MINOR,
              0,
              2,
              sizeof(chronik_component),
              0,
              "org.example.sample",
              "1.2.3",
              "Example",
              "Apache-2.0",
              "Does nothing.",
              CHRONIK_BUILD_TAG,
              components};
  }
  SamplePlugin(const SamplePlugin&) = delete;
  SamplePlugin& operator=(const SamplePlugin&) = delete;

 private:
  static void fill(chronik_component_vtable& head, uint32_t size) {
    head = {};
    head.struct_size = size;
    head.create = [](const chronik_host*, const void*, const chronik_config*, void** instance,
                     chronik_error*) noexcept {
      static int nothing;
      *instance = &nothing;
      return int32_t{CHRONIK_OK};
    };
    head.start = [](void*, chronik_error*) noexcept { return int32_t{CHRONIK_OK}; };
    head.stop = [](void*, chronik_done done) noexcept { done.call(done.context); };
    head.destroy = [](void*) noexcept {};
  }
};

}  // namespace chronik
