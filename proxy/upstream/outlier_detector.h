// OutlierDetector: takes an endpoint that keeps failing out of the load balancers' sight for a while. Counters are
// atomics in EndpointHealth, which any worker writes; the rare ejection, and the sweep that ends it, take a mutex. One
// a cluster, shared by the workers; the main thread calls `sweep` each interval and replaces the detector on a reload
// (the EndpointHealths stay, and their ejections with them). Semantics: Envoy's consecutive kinds, success rates and
// failure percentages compared each interval, ejection times that multiply and decay, max_ejection_percent.
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
  enum class Kind : std::uint8_t {
    consecutive_5xx,
    consecutive_gateway_failure,
    consecutive_local_origin_failure,
    success_rate,
    failure_percentage,
    local_origin_success_rate,
    local_origin_failure_percentage
  };
  static constexpr std::size_t kKinds = 7;
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
  // Other numbers, and other endpoints, from now on; those that are ejected stay so until their time is over, unless
  // detection is off now. Main thread, while workers report.
  void reconfigure(const model::OutlierDetection& config, std::vector<std::shared_ptr<EndpointHealth>> endpoints);

  // Any worker, for each outcome of an attempt.
  void on_response(EndpointHealth& endpoint, int status, MonotonicTime now, Random& random) {
    if (!hot_.enabled.load(std::memory_order_relaxed)) {
      return;
    }
    count(endpoint.outcomes, status < 500);
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
    if (hot_.enabled.load(std::memory_order_relaxed) && hot_.split.load(std::memory_order_relaxed)) {
      count(endpoint.local_outcomes, true);
      reset(endpoint.consecutive_local_origin_failure);
    }
  }

  // Once each interval, as Envoy does: takes back those whose time is over, compares what the others did in it, and
  // lets multipliers decay.
  void sweep(MonotonicTime now, Random& random);
  // `sweep`, when an interval passed since the last one: any worker may call this as often as it likes.
  void sweep_if_due(MonotonicTime now, Random& random);

  // What the endpoints' success rates of the last interval were compared with, per cent; -1: they were not.
  struct Rates {
    double average = -1;
    double threshold = -1;  // below it an endpoint stands out
  };
  Rates rates(bool local_origin) const;

  struct Counts {
    std::array<std::uint64_t, kKinds> detected{};
    std::array<std::uint64_t, kKinds> enforced{};
    std::uint64_t overflow = 0;
    std::uint32_t active = 0;
  };
  Counts counts() const;

 private:
  void count(std::atomic<std::uint64_t>& outcomes, bool well) {
    if (compares_.load(std::memory_order_relaxed)) {
      outcomes.fetch_add((std::uint64_t{1} << 32) | (well ? 1 : 0), std::memory_order_relaxed);
    }
  }
  // What each outcome is held against.
  struct Hot {
    std::atomic<bool> enabled{false};
    std::atomic<bool> split{false};
    std::array<std::atomic<std::uint32_t>, 3> thresholds{};  // of the consecutive kinds; 0: off
  };
  void configure(const model::OutlierDetection& config);
  static std::atomic<std::uint32_t>& counter(EndpointHealth& endpoint, Kind kind);
  void count_consecutive(EndpointHealth& endpoint, Kind kind, MonotonicTime now, Random& random);
  void sweep_locked(MonotonicTime now, Random& random);
  void compare(bool local_origin, MonotonicTime now, Random& random);
  static void reset(std::atomic<std::uint32_t>& counter) {
    if (counter.load(std::memory_order_relaxed) != 0) {
      counter.store(0, std::memory_order_relaxed);
    }
  }
  void on_5xx(EndpointHealth& endpoint, int status, MonotonicTime now, Random& random);
  void detected(EndpointHealth& endpoint, Kind kind, std::uint32_t threshold, MonotonicTime now, Random& random);
  void eject(EndpointHealth& endpoint, Kind kind, MonotonicTime now, Random& random);
  void uneject(EndpointHealth& endpoint, MonotonicTime now);
  std::uint32_t enforcing(Kind kind) const;
  void tell(const Event& event) const;

  Hot hot_;
  HealthGeneration& generation_;
  OnEvent on_event_;
  std::atomic<MonotonicTime> next_sweep_{MonotonicTime{}};
  std::atomic<bool> compares_{false};  // there are endpoints enough

  mutable std::mutex mutex_;  // for what follows, and for ejections
  model::OutlierDetection config_;
  std::vector<std::shared_ptr<EndpointHealth>> endpoints_;
  Counts counts_;
  std::array<Rates, 2> rates_{};  // of responses, of local origin
};

}  // namespace remora::upstream
