// A log storage that is in order as VARIANT_GOOD, and breaks one rule in every other variant.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "chronik/sdk/log_storage.hpp"

namespace {

// Tells the test, which is in the same process, that code of this library has run.
[[maybe_unused]] const int kRan = ::setenv("CHRONIK_TEST_PLUGIN_CODE_RAN", "1", 1);

#if defined(VARIANT_CRASHES)
[[maybe_unused]] const int kCrashed = (std::abort(), 0);
#elif defined(VARIANT_EXITS)
[[maybe_unused]] const int kExited = (std::_Exit(7), 0);
#elif defined(VARIANT_PRINTS)
[[maybe_unused]] const int kPrinted = (std::puts("{\"plugin\": 1}"), std::fflush(stdout));
#endif

#ifdef VARIANT_UNRESOLVED
extern "C" int chronik_test_function_that_nobody_defines();
#endif

class Log {
 public:
  Log(chronik::sdk::Host, const chronik_log_storage_environment&, const chronik::sdk::Config&) {
#ifdef VARIANT_THROWS_IN_CREATE
    throw std::runtime_error("no luck today");
#endif
  }
  chronik::sdk::Status start() {
    return {};
  }
  void stop(chronik_done done) {
#ifdef VARIANT_UNRESOLVED
    chronik_test_function_that_nobody_defines();
#endif
    done.call(done.context);
  }
  chronik::sdk::Status submit(const chronik_log_batch&, uint64_t) {
    return {CHRONIK_E_FAILED, "this log keeps nothing"};
  }
  int32_t group(uint64_t, chronik_log_visitor, void*) {
    return CHRONIK_E_NOT_FOUND;
  }
  int32_t scan_groups(chronik_log_visitor, void*) {
    return CHRONIK_OK;
  }
  int32_t read(const chronik_log_read&) {
#ifdef VARIANT_THROWS_IN_READ
    throw 42;
#else
    return CHRONIK_E_NOT_FOUND;
#endif
  }
};

constexpr chronik_option kOptions[] = {chronik::sdk::option({.name = "capacity",
                                                             .type = CHRONIK_OPTION_BYTES,
#ifdef VARIANT_BAD_DEFAULT
                                                             .default_value = "1KiB",
#else
                                                             .default_value = "1MiB",
#endif
                                                             .doc = "How much to keep.",
                                                             .min_value = "1MiB"})};

#ifdef VARIANT_NO_FUNCTION
constexpr chronik_log_storage_vtable without_read() {
  chronik_log_storage_vtable vtable = chronik::sdk::make_log_storage_vtable<Log>();
  vtable.read = nullptr;
  return vtable;
}
constexpr chronik_log_storage_vtable kVtable = without_read();
#else
constexpr chronik_log_storage_vtable kVtable = chronik::sdk::make_log_storage_vtable<Log>();
#endif

// A name of its own for each variant; VARIANT_NAMESAKE takes that of VARIANT_GOOD.
constexpr chronik_component kComponents[] = {
    {sizeof(chronik_component), CHRONIK_KIND_LOG_STORAGE,
#if defined(VARIANT_GOOD) || defined(VARIANT_NAMESAKE)
     "good",
#else
     "bad",
#endif
     "Keeps nothing.", CHRONIK_LOG_STORAGE_MAJOR, CHRONIK_LOG_STORAGE_MINOR, 1,
     sizeof(chronik_option), 0, CHRONIK_LOG_STORAGE_CAP_VOLATILE, kOptions, &kVtable}};

#if defined(VARIANT_OTHER_SYMBOL)
#define DESCRIPTOR chronik_plugin_v7
#elif defined(VARIANT_NO_SYMBOL)
#define DESCRIPTOR my_own_descriptor
#else
#define DESCRIPTOR chronik_plugin_v0
#endif

#ifdef VARIANT_WRONG_MAJOR
constexpr uint16_t kMajor = 7;
#else
constexpr uint16_t kMajor = CHRONIK_ABI_MAJOR;
#endif
#ifdef VARIANT_SHORT_DESCRIPTOR
constexpr uint32_t kSize = 12;
#else
constexpr uint32_t kSize = sizeof(chronik_plugin);
#endif
#ifdef VARIANT_WRONG_SANITIZER
constexpr const char* kBuild = "12.2.0;msan";
#else
constexpr const char* kBuild = CHRONIK_BUILD_TAG;
#endif

}  // namespace

extern "C" {
CHRONIK_EXPORT extern const chronik_plugin DESCRIPTOR;
const chronik_plugin DESCRIPTOR = {kSize,
                                   kMajor,
                                   CHRONIK_ABI_MINOR,
                                   CHRONIK_ABI_MINOR,
                                   0,
                                   1,
                                   sizeof(chronik_component),
                                   0,
                                   "org.example.misbehaving",
                                   "1.0.0",
                                   "Example",
                                   "Apache-2.0",
                                   "For tests.",
                                   kBuild,
                                   kComponents};
}
