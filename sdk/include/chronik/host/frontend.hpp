// Host side of a frontend instance: only its life, see component.hpp; the calls go the other way,
// through chronik_frontend_environment.
#pragma once

#include <memory>
#include <utility>

#include "chronik/abi/frontend.h"
#include "chronik/host/component.hpp"

namespace chronik::host {
inline namespace v0 {

class Frontend final : public Component {
 public:
  static sdk::Status create(const chronik_component& component, const chronik_host* host,
                            const chronik_frontend_environment& environment,
                            const chronik_config& config, std::unique_ptr<Frontend>& made) {
    std::unique_ptr<Frontend> self(new Frontend(component));
    sdk::Status status = self->make(host, &environment, &config);
    if (status.ok()) made = std::move(self);
    return status;
  }
  ~Frontend() { destroy(); }

 private:
  explicit Frontend(const chronik_component& component) : Component(component) {}
};

}  // namespace v0
}  // namespace chronik::host
