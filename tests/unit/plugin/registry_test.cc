// Static registration, names, and descriptors that are refused.
#include "plugin/registry.h"

#include <catch2/catch.hpp>

#include "chronik/sdk/component.hpp"
#include "plugin/abi_status.h"
#include "plugin/inspect.h"
#include "plugin/loader.h"
#include "unit/plugin/sample_plugin.h"

namespace chronik {
namespace {

std::string refusal(const chronik_plugin& plugin) {
  return std::string(check_descriptor(plugin).message());
}

}  // namespace

TEST_CASE("a static plugin's components are found by kind and name") {
  const SamplePlugin sample;
  Registry registry;
  REQUIRE(registry.add_static(sample.plugin).ok());
  REQUIRE(registry.add_static(sample.plugin).ok());  // again changes nothing
  const ComponentEntry* found = registry.find(CHRONIK_KIND_LOG_STORAGE, "sample");
  REQUIRE(found != nullptr);
  CHECK(found->component == &sample.components[0]);
  CHECK(found->plugin == &sample.plugin);
  CHECK(found->path == "built in");
  CHECK(registry.find(CHRONIK_KIND_FRONTEND, "sample") == nullptr);
  CHECK(registry.components().size() == 2);
  REQUIRE(registry.plugins().size() == 1);
  CHECK(registry.plugins()[0].summary() ==
        "org.example.sample 1.2.3 (ABI 0.1, built with " CHRONIK_BUILD_TAG "), built in");
}

TEST_CASE("an unknown name is answered with the nearest, or with what there is") {
  const SamplePlugin sample;
  Registry registry;
  CHECK(registry.unknown(CHRONIK_KIND_LOG_STORAGE, "sampel").message() ==
        "no log_storage plugin named 'sampel'; there is none in this program");
  REQUIRE(registry.add_static(sample.plugin).ok());
  CHECK(registry.unknown(CHRONIK_KIND_LOG_STORAGE, "sampel").message() ==
        "no log_storage plugin named 'sampel': did you mean 'sample'?");
  CHECK(registry.unknown(CHRONIK_KIND_LOG_STORAGE, "rocksdb").message() ==
        "no log_storage plugin named 'rocksdb'; there is sample");
}

TEST_CASE("a name that is taken refuses the second plugin as a whole") {
  const SamplePlugin first;
  SamplePlugin second;
  second.components[1].name = "fresh";
  Registry registry;
  REQUIRE(registry.add_static(first.plugin).ok());
  const Status status = registry.add_static(second.plugin);
  CHECK(status.code() == Code::kAlreadyExists);
  CHECK(status.message() ==
        "plugin built in: its log_storage 'sample' has the name of one in built in; remove one of "
        "the two");
  CHECK(registry.find(CHRONIK_KIND_STATE_MACHINE, "fresh") == nullptr);
}

TEST_CASE("each fault of a descriptor has its own refusal") {
  SamplePlugin sample;
  REQUIRE(refusal(sample.plugin) == "");
  SECTION("size") {
    sample.plugin.struct_size = 8;
    CHECK(refusal(sample.plugin).find(" to 65536 bytes, found 8; ") != std::string::npos);
  }
  SECTION("major") {
    sample.plugin.abi_major = 3;
    CHECK(refusal(sample.plugin) ==
          "expected ABI 0.x, found ABI 3.1; build the plugin with this version's SDK");
  }
  SECTION("host too old") {
    sample.plugin.min_host_minor = 9;
    CHECK(refusal(sample.plugin) ==
          "expected a plugin content with host ABI 0.1, found one that needs 0.9; use a newer host "
          "or an older build of the plugin");
  }
  SECTION("a newer minor that asks for nothing loads") {
    sample.plugin.abi_minor = 9;
    CHECK(refusal(sample.plugin) == "");
  }
  SECTION("text") {
    sample.plugin.vendor = nullptr;
    CHECK(refusal(sample.plugin) == "expected a descriptor with a vendor, found NULL; fill it in");
  }
  SECTION("sanitizer") {
    sample.plugin.build = "12.2.0;msan";
    CHECK(refusal(sample.plugin).find("found one built with msan; build it like this program") !=
          std::string::npos);
  }
  SECTION("a plain plugin is fine in any host") {
    sample.plugin.build = "12.2.0;plain";
    CHECK(refusal(sample.plugin) == "");
  }
  SECTION("no components") {
    sample.plugin.component_count = 0;
    CHECK(refusal(sample.plugin) ==
          "expected 1 to 256 components, found 0; declare what the plugin offers");
  }
  SECTION("stride") {
    sample.plugin.component_stride = 4;
    CHECK(refusal(sample.plugin).find("expected a component_stride of ") == 0);
  }
  SECTION("kind") {
    sample.components[1].kind = CHRONIK_KIND_TRANSPORT;
    CHECK(refusal(sample.plugin) ==
          "component transport 'sample': expected a log_storage, state_machine or frontend, found "
          "transport; this version doesn't have that kind of plugin");
  }
  SECTION("interface") {
    sample.components[0].interface_major = 2;
    CHECK(
        refusal(sample.plugin) ==
        "component log_storage 'sample': expected interface 0.x, found 2.1; build the plugin with "
        "this version's SDK");
  }
  SECTION("mandatory function of the head") {
    sample.log.component.destroy = nullptr;
    CHECK(refusal(sample.plugin) ==
          "component log_storage 'sample': expected the function destroy, found NULL; it is "
          "mandatory for this kind: implement it");
  }
  SECTION("mandatory function of the kind") {
    sample.machine.restore = nullptr;
    CHECK(refusal(sample.plugin) ==
          "component state_machine 'sample': expected the function restore, found NULL; it is "
          "mandatory for this kind: implement it");
  }
  SECTION("optional functions may be missing") {
    sample.log.recovery_report = nullptr;
    sample.machine.prepare = nullptr;
    CHECK(refusal(sample.plugin) == "");
  }
  SECTION("short vtable") {
    sample.log.component.struct_size = 16;
    CHECK(refusal(sample.plugin).find("component log_storage 'sample': expected a vtable of ") ==
          0);
  }
  SECTION("a state machine must be nonblocking") {
    sample.components[1].capabilities = 0;
    CHECK(refusal(sample.plugin) ==
          "component state_machine 'sample': expected the capability NONBLOCKING, found a state "
          "machine without it; its calls run on a shard's thread: declare it");
  }
  SECTION("name") {
    sample.components[0].name = "Sample";
    CHECK(refusal(sample.plugin) ==
          "expected a component named [a-z][a-z0-9_]*, found 'Sample'; rename it");
  }
  SECTION("the same name twice") {
    sample.components[1] = sample.components[0];
    CHECK(refusal(sample.plugin) ==
          "component log_storage 'sample': expected unique names, found it declared twice; rename "
          "one");
  }
  SECTION("options") {
    sample.options[0].default_value = "none";
    CHECK(refusal(sample.plugin)
              .find("component log_storage 'sample': option 'capacity': default: "
                    "expected a size such as 64MiB") == 0);
  }
}

TEST_CASE("arrays with a longer stride are stepped through") {
  // A plugin of a later minor: its structs have a tail that this host doesn't know.
  struct LongComponent {
    chronik_component known;
    uint64_t tail[2];
  };
  const SamplePlugin sample;
  const LongComponent components[] = {{sample.components[0], {}}, {sample.components[1], {}}};
  chronik_plugin plugin = sample.plugin;
  plugin.components = &components[0].known;
  plugin.component_stride = sizeof(LongComponent);
  Registry registry;
  REQUIRE(registry.add_static(plugin).ok());
  CHECK(registry.find(CHRONIK_KIND_STATE_MACHINE, "sample") == &*registry.components().rbegin());
}

TEST_CASE("a description names everything a user may want to know") {
  const SamplePlugin sample;
  const std::string text = describe_plugin(sample.plugin, "/x/sample.so", false);
  for (const char* part :
       {"/x/sample.so", "org.example.sample", "1.2.3", "Example", "Apache-2.0", "0.1",
        CHRONIK_BUILD_SANITIZER, "log_storage sample", "volatile", "capacity", "bytes", "64MiB",
        "1MiB to 1GiB", "How much to keep.", "state_machine sample", "nonblocking"}) {
    INFO(part << " in\n" << text);
    CHECK(text.find(part) != std::string::npos);
  }
  const std::string json = describe_plugin(sample.plugin, "/x/sample.so", true);
  CHECK(json.find("\"default\": \"64MiB\"") != std::string::npos);
}

TEST_CASE("a status of the SDK becomes one of the kernel") {
  CHECK(to_kernel({}).ok());
  CHECK(to_kernel({CHRONIK_E_NO_SPACE, "full"}).to_string() == "no_space: full");
  CHECK(to_kernel({77, "odd"}).to_string() == "internal: unrecognised status 77: odd");
}

}  // namespace chronik
