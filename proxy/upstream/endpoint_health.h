// EndpointHealth: what all workers together know of one endpoint's health. Shared (shared_ptr) by each worker's
// EndpointState and the cluster's OutlierDetector; it outlives a Snapshot, so that an update forgets no ejection.
// Atomics, written only when something changed: a healthy endpoint's success is one relaxed load of each counter.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "core/base/time.h"
#include "proxy/model/cluster.h"

namespace remora::upstream {

struct EndpointHealth {
  EndpointHealth() = default;
  explicit EndpointHealth(std::string address) : name(std::move(address)) {}

  std::string name;  // for logs: "10.0.0.1:80"; constant after construction

  std::atomic<bool> ejected{false};
  std::atomic<bool> failed_active_check{false};  // written by HealthChecker, on the main thread
  std::atomic<std::uint32_t> consecutive_5xx{0};
  std::atomic<std::uint32_t> consecutive_gateway_failure{0};
  std::atomic<std::uint32_t> consecutive_local_origin_failure{0};

  // Outcomes of the interval that runs: all in the upper half, those that went well in the lower. Counted only where a
  // cluster has endpoints enough to compare. `local`: whether a connection came about, when that is told apart.
  std::atomic<std::uint64_t> outcomes{0};
  std::atomic<std::uint64_t> local_outcomes{0};

  // Written by OutlierDetector under its mutex; read by pages.
  std::atomic<double> success_rate{-1};  // of the last interval, per cent; -1: too few requests, or endpoints
  std::atomic<double> local_success_rate{-1};
  std::atomic<MonotonicTime> ejected_at{MonotonicTime{}};
  std::atomic<MonotonicTime> ejected_until{MonotonicTime{}};
  std::atomic<MonotonicTime> unejected_at{MonotonicTime{}};  // epoch: never
  std::atomic<std::uint32_t> multiplier{0};                  // of base_ejection_time; decays while healthy
  std::atomic<std::uint32_t> ejections{0};                   // ever
};

// One a cluster: grows whenever any endpoint's `ejected` or `failed_active_check` changed, so that load balancers know
// to look again.
using HealthGeneration = std::atomic<std::uint64_t>;

// What a load balancer needs of an endpoint. EndpointState derives from it; worker thread only, but for `health`.
struct LbEndpoint {
  const model::Endpoint* config = nullptr;
  EndpointHealth* health = nullptr;  // null: never ejected
  std::uint32_t active_requests = 0;
};

enum class Availability : std::uint8_t { healthy, degraded, unavailable };

inline Availability availability(const LbEndpoint& endpoint) {
  if (endpoint.health != nullptr && (endpoint.health->ejected.load(std::memory_order_relaxed) ||
                                     endpoint.health->failed_active_check.load(std::memory_order_relaxed))) {
    return Availability::unavailable;
  }
  switch (endpoint.config->health) {
    case model::Endpoint::Health::unknown:
    case model::Endpoint::Health::healthy:
      return Availability::healthy;
    case model::Endpoint::Health::degraded:
      return Availability::degraded;
    case model::Endpoint::Health::unhealthy:
    case model::Endpoint::Health::draining:
    case model::Endpoint::Health::timeout:
      break;
  }
  return Availability::unavailable;
}

}  // namespace remora::upstream
