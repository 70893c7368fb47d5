// A component of one of the example plugins, loaded through the registry, and a host for it.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>

#include "plugin/host_services.h"
#include "plugin/options.h"
#include "plugin/registry.h"

namespace chronik {

struct LoadedComponent {
  Registry registry{{OUT_OF_TREE_DIRECTORY}};
  LogSink sink{CHRONIK_LOG_WARN};
  HostServices services{{}, &sink};
  const chronik_plugin* plugin = nullptr;
  const chronik_component* component = nullptr;
  std::unique_ptr<InstanceHost> host;
  std::unique_ptr<ConfigValues> config;

  LoadedComponent(uint32_t kind, const std::string& name,
                  const std::map<std::string, std::string>& options = {}) {
    REQUIRE(registry.load_allowed_directories().to_string() == "ok");
    for (const Refusal& refusal : registry.refusals()) INFO(refusal.status.message());
    REQUIRE(registry.refusals().empty());
    const ComponentEntry* entry = registry.find(kind, name);
    REQUIRE(entry != nullptr);
    plugin = entry->plugin;
    component = entry->component;
    host = services.make_host(kind, name, "test", "", nullptr);
    auto parsed = parse_options(options_of(*component), options, "test", "");
    REQUIRE(parsed.status().to_string() == "ok");
    config = std::make_unique<ConfigValues>(std::move(parsed).value());
  }
};

}  // namespace chronik
