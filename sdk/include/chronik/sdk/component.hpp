// Declares a plugin's descriptor and its components.
//
//   static constexpr chronik_option kOptions[] = {...};
//   static const chronik_component kComponents[] = {
//       chronik::sdk::log_storage<Wal>("wal", "One sentence.", 0, kOptions)};
//   CHRONIK_PLUGIN(.id = "org.example.wal", .version = "1.0.0", .vendor = "Example",
//                  .license = "Apache-2.0", .doc = "One sentence.", kComponents)
//
// With CHRONIK_STATIC_PLUGIN=name defined, the descriptor is called chronik_plugin_v0_name instead,
// so that several plugins can be linked into one program.
#pragma once

#include <iterator>

#include "chronik/sdk/base.hpp"

namespace chronik::sdk {
inline namespace v0 {

struct Option {
  const char* name;
  uint32_t type;
  const char* default_value;
  const char* doc;
  const char* min_value = nullptr;
  const char* max_value = nullptr;
  const char* enum_values = nullptr;
  uint32_t flags = 0;
};

constexpr chronik_option option(const Option& o) {
  return {
      sizeof(chronik_option), o.type, o.flags, 0, o.name, o.default_value, o.min_value, o.max_value,
      o.enum_values,          o.doc};
}

// What a table of options comes down to; made from an array, or empty.
struct OptionTable {
  const chronik_option* options = nullptr;
  uint32_t count = 0;
  constexpr OptionTable() = default;
  template <size_t N>
  constexpr OptionTable(const chronik_option (&table)[N]) : options(table), count(N) {}
};

// The head of every kind's vtable, for a class T that offers
//   T(Host, const Environment&, const Config&)   may throw nothing
//   Status start();
//   void stop(chronik_done done);                calls done once
// and optionally
//   static Status validate(const Config&);
//   static Status T::create(Host, const Environment&, const Config&, std::unique_ptr<T>&)
//                                                instead of the constructor, where it can fail
//   const void* get_extension(const char* id);
template <typename T, typename Environment>
constexpr chronik_component_vtable component_vtable(uint32_t vtable_size) {
  chronik_component_vtable v{};
  v.struct_size = vtable_size;
  if constexpr (requires(const Config& c) { T::validate(c); }) {
    v.validate = [](const chronik_config* config, chronik_error* error) noexcept {
      return guarded(error, [&] { return T::validate(Config(config)); });
    };
  }
  v.create = [](const chronik_host* host, const void* environment, const chronik_config* config,
                void** instance, chronik_error* error) noexcept {
    return guarded(error, [&] {
      const auto& env = *static_cast<const Environment*>(environment);
      std::unique_ptr<T> made;
      if constexpr (requires { T::create(Host(host), env, Config(config), made); }) {
        if (Status status = T::create(Host(host), env, Config(config), made); !status.ok())
          return status;
      } else {
        made = std::make_unique<T>(Host(host), env, Config(config));
      }
      *instance = made.release();
      return Status();
    });
  };
  v.start = [](void* instance, chronik_error* error) noexcept {
    return guarded(error, [&] { return static_cast<T*>(instance)->start(); });
  };
  v.stop = [](void* instance, chronik_done done) noexcept {
    static_cast<T*>(instance)->stop(done);
  };
  v.destroy = [](void* instance) noexcept { delete static_cast<T*>(instance); };
  if constexpr (requires(T & t) { t.get_extension(""); }) {
    v.get_extension = [](void* instance, const char* id) noexcept {
      return static_cast<T*>(instance)->get_extension(id);
    };
  }
  return v;
}

}  // namespace v0
}  // namespace chronik::sdk

#ifdef CHRONIK_STATIC_PLUGIN
#define CHRONIK_PLUGIN_NAME_INNER_(name) chronik_plugin_v0_##name
#define CHRONIK_PLUGIN_NAME_(name) CHRONIK_PLUGIN_NAME_INNER_(name)
#define CHRONIK_PLUGIN_NAME CHRONIK_PLUGIN_NAME_(CHRONIK_STATIC_PLUGIN)
#else
#define CHRONIK_PLUGIN_NAME chronik_plugin_v0
#endif

// Defines the plugin's one exported symbol. `components_` is an array of chronik_component.
#define CHRONIK_PLUGIN(id_, version_, vendor_, license_, doc_, components_)                  \
  extern "C" {                                                                               \
  CHRONIK_EXPORT extern const chronik_plugin CHRONIK_PLUGIN_NAME;                            \
  const chronik_plugin CHRONIK_PLUGIN_NAME = {sizeof(chronik_plugin),                        \
                                              CHRONIK_ABI_MAJOR,                             \
                                              CHRONIK_ABI_MINOR,                             \
                                              CHRONIK_ABI_MINOR,                             \
                                              0,                                             \
                                              static_cast<uint32_t>(std::size(components_)), \
                                              sizeof(chronik_component),                     \
                                              0,                                             \
                                              id_,                                           \
                                              version_,                                      \
                                              vendor_,                                       \
                                              license_,                                      \
                                              doc_,                                          \
                                              CHRONIK_BUILD_TAG,                             \
                                              components_};                                  \
  }
