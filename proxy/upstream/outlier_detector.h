// OutlierDetector: takes an endpoint that keeps failing out of the load balancers' sight for a while. Counters are
// atomics in EndpointHealth, which any worker writes; the rare ejection, and the sweep that ends it, take a mutex. One
// a cluster, shared by the workers; the main thread calls `sweep` each interval and replaces the detector on a reload
// (the EndpointHealths stay, and their ejections with them). Semantics: Envoy's consecutive kinds, ejection times that
// multiply and decay, max_ejection_percent.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/base/random.h"
#include "core/base/time.h"
#include "proxy/model/cluster.h"
#include "proxy/upstream/endpoint_health.h"

namespace remora::upstream {

class OutlierDetector {
 public:
  enum class Kind : std::uint8_t { consecutive_5xx, consecutive_gateway_failure, consecutive_local_origin_failure };
  static constexpr std::size_t kKinds = 3;
  static std::string_view name(Kind kind);

  // What went wrong on our side of the wire: there is no response to judge.
  enum class LocalFailure : std::uint8_t { connect_failed, reset, timeout };

  struct Event {
    enum class What : std::uint8_t { ejected, not_enforced, overflow, unejected };
    What what;
    Kind kind;  // not for `unejected`
    const EndpointHealth& endpoint;
    MonotonicTime until{};  // for `ejected`
  };
  // Under the detector's mutex: log, count, but do not call back into it.
  using OnEvent = std::function<void(const Event&)>;

  // `generation` outlives the detector.
  OutlierDetector(const model::OutlierDetection& config, HealthGeneration& generation, OnEvent on_event = {});

  // All endpoints of the cluster, whose number max_ejection_percent is a share of. Main thread.
  void set_endpoints(std::vector<std::shared_ptr<EndpointHealth>> endpoints);

  // Any worker, for each outcome of an attempt.
  void on_response(EndpointHealth& endpoint, int status, MonotonicTime now, Random& random) {
    if (!config_.enabled) {
      return;
    }
    if (status < 500) [[likely]] {
      reset(endpoint.consecutive_5xx);
      reset(endpoint.consecutive_gateway_failure);
      return;
    }
    on_5xx(endpoint, status, now, random);
  }
  void on_local_failure(EndpointHealth& endpoint, LocalFailure failure, MonotonicTime now, Random& random);
  // A connection was established, new or pooled: matters only with split_external_local_origin_errors.
  void on_connected(EndpointHealth& endpoint) {
    if (config_.enabled && config_.split_external_local_origin_errors) {
      reset(endpoint.consecutive_local_origin_failure);
    }
  }

  // Takes back those whose time is over, and lets multipliers decay: once each interval, as Envoy does.
  void sweep(MonotonicTime now);
  // `sweep`, when an interval passed since the last one: any worker may call this as often as it likes.
  void sweep_if_due(MonotonicTime now);

  struct Counts {
    std::array<std::uint64_t, kKinds> detected{};
    std::array<std::uint64_t, kKinds> enforced{};
    std::uint64_t overflow = 0;
    std::uint32_t active = 0;
  };
  Counts counts() const;
  const model::OutlierDetection& config() const { return config_; }

 private:
  static void reset(std::atomic<std::uint32_t>& counter) {
    if (counter.load(std::memory_order_relaxed) != 0) {
      counter.store(0, std::memory_order_relaxed);
    }
  }
  void on_5xx(EndpointHealth& endpoint, int status, MonotonicTime now, Random& random);
  void detected(EndpointHealth& endpoint, Kind kind, MonotonicTime now, Random& random);
  void eject(EndpointHealth& endpoint, Kind kind, MonotonicTime now, Random& random);
  void uneject(EndpointHealth& endpoint, MonotonicTime now);
  std::uint32_t enforcing(Kind kind) const;
  void tell(const Event& event) const;

  const model::OutlierDetection config_;
  HealthGeneration& generation_;
  OnEvent on_event_;
  std::atomic<MonotonicTime> next_sweep_{MonotonicTime{}};

  mutable std::mutex mutex_;  // for what follows, and for ejections
  std::vector<std::shared_ptr<EndpointHealth>> endpoints_;
  Counts counts_;
};

}  // namespace remora::upstream
