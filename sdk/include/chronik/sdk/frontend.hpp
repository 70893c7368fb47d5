// Makes a frontend component of a C++ class with what component.hpp asks, and the constructor
//   T(Host, const chronik_frontend_environment&, const Config&).
#pragma once

#include "chronik/abi/frontend.h"
#include "chronik/sdk/component.hpp"

namespace chronik::sdk {
inline namespace v0 {

// Holds one routing snapshot for the length of a scope.
class RoutingRef {
 public:
  explicit RoutingRef(const chronik_frontend_environment& environment)
      : environment_(environment), routing_(environment.routing_acquire(environment.context)) {}
  ~RoutingRef() { environment_.routing_release(environment_.context, routing_); }
  RoutingRef(const RoutingRef&) = delete;
  RoutingRef& operator=(const RoutingRef&) = delete;

  Array<chronik_route_topic> topics() const {
    return {routing_->topics, routing_->topic_count, routing_->topic_stride};
  }
  // By name; null if there is none. O(log topics).
  const chronik_route_topic* find(std::string_view name) const {
    const Array<chronik_route_topic> all = topics();
    size_t low = 0;
    size_t high = all.size();
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      if (view(all[middle].name) < name) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < all.size() && view(all[low].name) == name ? &all[low] : nullptr;
  }
  // Null if the topic has no such partition.
  static const chronik_route_partition* partition(const chronik_route_topic& topic,
                                                  uint32_t number) {
    if (number >= topic.partition_count) return nullptr;
    return &Array<chronik_route_partition>(topic.partitions, topic.partition_count,
                                           topic.partition_stride)[number];
  }
  const chronik_routing& operator*() const { return *routing_; }
  const chronik_routing* operator->() const { return routing_; }

 private:
  const chronik_frontend_environment& environment_;
  const chronik_routing* routing_;
};

template <typename T>
constexpr chronik_frontend_vtable make_frontend_vtable() {
  chronik_frontend_vtable v{};
  v.component = component_vtable<T, chronik_frontend_environment>(sizeof v);
  return v;
}

template <typename T>
inline constexpr chronik_frontend_vtable frontend_vtable = make_frontend_vtable<T>();

template <typename T>
constexpr chronik_component frontend(const char* name, const char* doc, uint64_t capabilities,
                                     OptionTable options = {}) {
  return {sizeof(chronik_component),
          CHRONIK_KIND_FRONTEND,
          name,
          doc,
          CHRONIK_FRONTEND_MAJOR,
          CHRONIK_FRONTEND_MINOR,
          options.count,
          sizeof(chronik_option),
          0,
          capabilities,
          options.options,
          &frontend_vtable<T>};
}

}  // namespace v0
}  // namespace chronik::sdk
