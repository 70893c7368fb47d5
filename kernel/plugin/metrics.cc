#include "plugin/metrics.h"

#include <deque>

namespace chronik {
namespace {

// One cache line each: cells of different threads lie side by side otherwise.
struct alignas(64) Cell {
  int64_t value = 0;
};

// Cells outlive every registry: plugins may write to them until the process ends.
int64_t* make_cell() {
  static std::mutex mutex;
  static auto& cells = *new std::deque<Cell>;
  std::lock_guard lock(mutex);
  return &cells.emplace_back().value;
}

}  // namespace

int64_t* Metrics::counter(std::string_view name, std::string_view help, std::string_view labels) {
  return find_or_make(CHRONIK_METRIC_COUNTER, std::string(name), std::string(labels), help);
}

int64_t* Metrics::gauge(std::string_view name, std::string_view help, std::string_view labels) {
  return find_or_make(CHRONIK_METRIC_GAUGE, std::string(name), std::string(labels), help);
}

int64_t* Metrics::plugin_cell(uint32_t type, std::string_view component, std::string_view instance,
                              std::string_view name, std::string_view help) {
  std::string full = "chronik_";
  full.append(component).append("_").append(name);
  std::string labels = "instance=\"";
  labels.append(instance).append("\"");
  return find_or_make(type, std::move(full), std::move(labels), help);
}

int64_t* Metrics::find_or_make(uint32_t type, std::string name, std::string labels,
                               std::string_view help) {
  std::lock_guard lock(mutex_);
  auto [at, is_new] = metrics_.try_emplace({std::move(name), std::move(labels)});
  if (is_new) at->second = {type, std::string(help), make_cell()};
  return at->second.cell;
}

void Metrics::visit(const std::function<void(const Metric&)>& visit) const {
  std::lock_guard lock(mutex_);
  for (const auto& [key, metric] : metrics_) {
    visit({metric.type, key.first, key.second, metric.help,
           __atomic_load_n(metric.cell, __ATOMIC_RELAXED)});
  }
}

}  // namespace chronik
