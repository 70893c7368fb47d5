#include "node/machine_factory.h"

#include <memory>
#include <utility>

#include "plugin/abi_status.h"

namespace chronik {
namespace {

// What an instance refers to until it is destroyed.
struct MachineContext {
  std::string topic;
  chronik_state_machine_environment environment{};
  std::unique_ptr<InstanceHost> host;
};

}  // namespace

MachineFactory::MachineFactory(const NodeConfig& config, const Registry& registry,
                               HostServices& services)
    : config_(config), registry_(registry), services_(services) {}

Status MachineFactory::check(const std::string& name) const {
  const ComponentEntry* entry = registry_.find(CHRONIK_KIND_STATE_MACHINE, name);
  if (entry == nullptr) return registry_.unknown(CHRONIK_KIND_STATE_MACHINE, name);
  if ((entry->component->capabilities & CHRONIK_STATE_MACHINE_CAP_NONBLOCKING) == 0) {
    return Status(Code::kFailedPrecondition,
                  "state machine '" + name +
                      "' isn't NONBLOCKING; this version runs machines on the shard only");
  }
  return {};
}

Result<Machine> MachineFactory::make(const std::string& name, GroupId group,
                                     const std::string& topic, uint32_t partition) {
  CHRONIK_TRY(check(name));
  const chronik_component& component = *registry_.find(CHRONIK_KIND_STATE_MACHINE, name)->component;
  CHRONIK_ASSIGN_OR_RETURN(const ConfigValues* options, options_of_machine(name, component));

  auto context = std::make_shared<MachineContext>();
  context->topic = topic;
  context->environment = {sizeof context->environment, partition, group.value,
                          sdk::slice(context->topic)};
  const std::string label = topic.empty() ? "group-0" : topic + "/" + std::to_string(partition);
  context->host =
      services_.make_host(CHRONIK_KIND_STATE_MACHINE, name, label, "",
                          [logger = services_.logger(name + "/" + label)](const Status& why) {
                            logger.error("the state machine reports: " + why.to_string());
                          });
  Machine machine{context, nullptr};
  CHRONIK_TRY(
      to_kernel(host::StateMachine::create(component, context->host->abi(), context->environment,
                                           *options->config(), machine.instance)));
  CHRONIK_TRY(to_kernel(machine->start()));
  return machine;
}

Result<const ConfigValues*> MachineFactory::options_of_machine(const std::string& name,
                                                               const chronik_component& component) {
  auto at = options_.find(name);
  if (at == options_.end()) {
    const InstanceConfig* section = config_.find_state_machine(name);
    CHRONIK_ASSIGN_OR_RETURN(
        ConfigValues values,
        parse_options(options_of(component),
                      section != nullptr ? section->options : std::map<std::string, std::string>(),
                      name, ""));
    at = options_.emplace(name, std::move(values)).first;
  }
  return &at->second;
}

}  // namespace chronik
