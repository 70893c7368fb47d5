// Metrics: named 64-bit cells that are written without a call and read by whoever exposes them.
//
// A cell is found or made by (name, labels) and lives as long as the process, as the ABI promises;
// its owner updates it with relaxed atomic operations (chronik::sdk::add and set). Plugins' names
// get the prefix "chronik_<component>_" and the label instance="<instance>"; the kernel registers
// its own under "chronik_".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "chronik/abi/metrics.h"

namespace chronik {

// Thread: any, concurrently.
class Metrics {
 public:
  struct Metric {
    uint32_t type;            // CHRONIK_METRIC_*
    std::string_view name;    // full name
    std::string_view labels;  // instance="main", or empty
    std::string_view help;
    int64_t value;
  };

  // The kernel's own: `name` is the full name ("chronik_proposals_total"), `labels` as in an
  // exposition (group="7") or empty.
  int64_t* counter(std::string_view name, std::string_view help, std::string_view labels = {});
  int64_t* gauge(std::string_view name, std::string_view help, std::string_view labels = {});
  // A plugin instance's.
  int64_t* plugin_cell(uint32_t type, std::string_view component, std::string_view instance,
                       std::string_view name, std::string_view help);

  // Calls `visit` for every metric, sorted by name and labels. The views are valid as long as this
  // object. `visit` must not register metrics.
  void visit(const std::function<void(const Metric&)>& visit) const;

 private:
  struct Registered {
    uint32_t type;
    std::string help;
    int64_t* cell;
  };
  int64_t* find_or_make(uint32_t type, std::string name, std::string labels, std::string_view help);

  // A mutex, not a message: registration is rare and its callers need the cell at once.
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Registered> metrics_;  // guarded by mutex_
};

}  // namespace chronik
