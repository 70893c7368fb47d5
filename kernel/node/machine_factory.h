// MachineFactory: makes the state machine of a replica from the component that its topic names,
// with the options of [state_machine.NAME].
#pragma once

#include <map>
#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "node/config.h"
#include "plugin/host_services.h"
#include "plugin/options.h"
#include "plugin/registry.h"
#include "replica/machine.h"

namespace chronik {

// Thread: control.
class MachineFactory {
 public:
  // All outlive the machines.
  MachineFactory(const NodeConfig& config, const Registry& registry, HostServices& services);

  // Errors: kNotFound with the nearest name; what the plugin says.
  Status check(const std::string& name) const;
  Result<Machine> make(const std::string& name, GroupId group, const std::string& topic,
                       uint32_t partition);

 private:
  Result<const ConfigValues*> options_of_machine(const std::string& name,
                                                 const chronik_component& component);

  const NodeConfig& config_;
  const Registry& registry_;
  HostServices& services_;
  std::map<std::string, ConfigValues> options_;  // by name, parsed once
};

}  // namespace chronik
