#include "proxy/upstream/outlier_detector.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace remora::upstream {
namespace {

constexpr MonotonicTime kNever{};

}  // namespace

OutlierDetector::OutlierDetector(const model::OutlierDetection& config, HealthGeneration& generation, OnEvent on_event)
    : generation_(generation), on_event_(std::move(on_event)) {
  configure(config);
}

void OutlierDetector::configure(const model::OutlierDetection& config) {
  config_ = config;
  hot_.enabled.store(config.enabled, std::memory_order_relaxed);
  hot_.split.store(config.split_external_local_origin_errors, std::memory_order_relaxed);
  const auto threshold = [this](Kind kind) -> auto& { return hot_.thresholds[static_cast<std::size_t>(kind)]; };
  threshold(Kind::consecutive_5xx).store(config.consecutive_5xx, std::memory_order_relaxed);
  threshold(Kind::consecutive_gateway_failure).store(config.consecutive_gateway_failure, std::memory_order_relaxed);
  threshold(Kind::consecutive_local_origin_failure)
      .store(config.consecutive_local_origin_failure, std::memory_order_relaxed);
}

std::string_view OutlierDetector::name(Kind kind) {
  switch (kind) {
    case Kind::consecutive_5xx:
      return "consecutive_5xx";
    case Kind::consecutive_gateway_failure:
      return "consecutive_gateway_failure";
    case Kind::consecutive_local_origin_failure:
      return "consecutive_local_origin_failure";
    case Kind::success_rate:
      return "success_rate";
    case Kind::failure_percentage:
      return "failure_percentage";
    case Kind::local_origin_success_rate:
      return "local_origin_success_rate";
    case Kind::local_origin_failure_percentage:
      return "local_origin_failure_percentage";
  }
  return "";
}

void OutlierDetector::set_endpoints(std::vector<std::shared_ptr<EndpointHealth>> endpoints) {
  reconfigure(config_, std::move(endpoints));
}

void OutlierDetector::reconfigure(const model::OutlierDetection& config,
                                  std::vector<std::shared_ptr<EndpointHealth>> endpoints) {
  const std::lock_guard lock(mutex_);
  configure(model::OutlierDetection(config));  // a copy: it may be our own
  endpoints_.swap(endpoints);
  compares_ = config_.enabled && endpoints_.size() >= std::min(config_.success_rate_minimum_hosts,
                                                               config_.failure_percentage_minimum_hosts);
  counts_.active = static_cast<std::uint32_t>(
      std::ranges::count_if(endpoints_, [](const auto& endpoint) { return endpoint->ejected.load(); }));
  if (!config_.enabled && counts_.active > 0) {  // the reload turned detection off: nobody would ever take them back
    for (const auto& endpoint : endpoints_) {
      if (endpoint->ejected.load()) {
        uneject(*endpoint, endpoint->ejected_at.load());
      }
    }
  }
}

// Past the threshold too: a reload may have lowered it below what was counted.
void OutlierDetector::count_consecutive(EndpointHealth& endpoint, Kind kind, MonotonicTime now, Random& random) {
  const std::uint32_t threshold = hot_.thresholds[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
  if (counter(endpoint, kind).fetch_add(1, std::memory_order_relaxed) + 1 >= threshold && threshold != 0) {
    detected(endpoint, kind, threshold, now, random);
  }
}

void OutlierDetector::on_5xx(EndpointHealth& endpoint, int status, MonotonicTime now, Random& random) {
  if (status >= 502 && status <= 504) {
    count_consecutive(endpoint, Kind::consecutive_gateway_failure, now, random);
  } else {
    reset(endpoint.consecutive_gateway_failure);
  }
  count_consecutive(endpoint, Kind::consecutive_5xx, now, random);
}

void OutlierDetector::on_local_failure(EndpointHealth& endpoint, LocalFailure failure, MonotonicTime now,
                                       Random& random) {
  if (!hot_.enabled.load(std::memory_order_relaxed)) {
    return;
  }
  if (!hot_.split.load(std::memory_order_relaxed)) {
    // Without the split our own failures count as the status that we answer with.
    count(endpoint.outcomes, false);
    on_5xx(endpoint, failure == LocalFailure::timeout ? 504 : 503, now, random);
    return;
  }
  count(endpoint.local_outcomes, false);
  count_consecutive(endpoint, Kind::consecutive_local_origin_failure, now, random);
}

// REQUIRES: a consecutive kind.
std::atomic<std::uint32_t>& OutlierDetector::counter(EndpointHealth& endpoint, Kind kind) {
  switch (kind) {
    case Kind::consecutive_5xx:
      return endpoint.consecutive_5xx;
    case Kind::consecutive_gateway_failure:
      return endpoint.consecutive_gateway_failure;
    default:
      return endpoint.consecutive_local_origin_failure;
  }
}

void OutlierDetector::detected(EndpointHealth& endpoint, Kind kind, std::uint32_t threshold, MonotonicTime now,
                               Random& random) {
  const std::lock_guard lock(mutex_);
  if (endpoint.ejected.load(std::memory_order_relaxed)) {
    return;  // requests that were under way when it was ejected; its counters begin anew when it comes back
  }
  if (counter(endpoint, kind).load(std::memory_order_relaxed) < threshold) {
    return;  // another worker saw it first
  }
  ++counts_.detected[static_cast<std::size_t>(kind)];
  eject(endpoint, kind, now, random);
  reset(counter(endpoint, kind));  // another bout counts from zero, whether this one was enforced or not
}

void OutlierDetector::eject(EndpointHealth& endpoint, Kind kind, MonotonicTime now, Random& random) {
  const bool known = std::ranges::any_of(endpoints_, [&](const auto& each) { return each.get() == &endpoint; });
  if (!known) {
    return;  // it left the cluster while a request was under way
  }
  const std::size_t share = std::size_t{100} * (counts_.active + 1);
  const bool room = share <= std::size_t{std::min(config_.max_ejection_percent, 100u)} * endpoints_.size();
  if (!room && !(config_.always_eject_one_host && counts_.active == 0)) {
    ++counts_.overflow;
    tell({Event::What::overflow, kind, endpoint});
    return;
  }
  if (random.below(100) >= enforcing(kind)) {
    tell({Event::What::not_enforced, kind, endpoint});
    return;
  }
  // One multiple longer each time, up to the maximum.
  std::uint32_t multiplier = endpoint.multiplier.load(std::memory_order_relaxed);
  if (multiplier * config_.base_ejection_time < config_.max_ejection_time + config_.base_ejection_time) {
    endpoint.multiplier.store(++multiplier, std::memory_order_relaxed);
  }
  const Milliseconds jitter(random.below(static_cast<std::uint64_t>(config_.max_ejection_time_jitter.count()) + 1));
  const Milliseconds time = std::min(multiplier * config_.base_ejection_time, config_.max_ejection_time) + jitter;
  endpoint.ejected_at.store(now);
  endpoint.ejected_until.store(now + time);
  endpoint.ejections.fetch_add(1, std::memory_order_relaxed);
  endpoint.ejected.store(true, std::memory_order_relaxed);
  ++counts_.active;
  ++counts_.enforced[static_cast<std::size_t>(kind)];
  generation_.fetch_add(1, std::memory_order_release);
  tell({Event::What::ejected, kind, endpoint, now + time});
}

void OutlierDetector::uneject(EndpointHealth& endpoint, MonotonicTime now) {
  reset(endpoint.consecutive_5xx);
  reset(endpoint.consecutive_gateway_failure);
  reset(endpoint.consecutive_local_origin_failure);
  endpoint.unejected_at.store(now);
  endpoint.ejected.store(false, std::memory_order_relaxed);
  --counts_.active;
  generation_.fetch_add(1, std::memory_order_release);
  tell({Event::What::unejected, {}, endpoint});
}

void OutlierDetector::sweep_if_due(MonotonicTime now, Random& random) {
  MonotonicTime due = next_sweep_.load(std::memory_order_relaxed);
  // The first call only begins the first interval; of workers that come at once, one sweeps.
  if (!hot_.enabled.load(std::memory_order_relaxed) || now < due) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (next_sweep_.compare_exchange_strong(due, now + config_.interval) && due != kNever) {
    sweep_locked(now, random);
  }
}

void OutlierDetector::sweep(MonotonicTime now, Random& random) {
  const std::lock_guard lock(mutex_);
  sweep_locked(now, random);
}

void OutlierDetector::sweep_locked(MonotonicTime now, Random& random) {
  for (const auto& endpoint : endpoints_) {
    if (endpoint->ejected.load(std::memory_order_relaxed) && endpoint->ejected_until.load() <= now) {
      uneject(*endpoint, now);
    }
  }
  compare(/*local_origin=*/false, now, random);
  compare(/*local_origin=*/true, now, random);
  for (const auto& endpoint : endpoints_) {
    const MonotonicTime back = endpoint->unejected_at.load();
    const std::uint32_t multiplier = endpoint->multiplier.load(std::memory_order_relaxed);
    if (!endpoint->ejected.load(std::memory_order_relaxed) && multiplier > 0 && back != kNever &&
        now - back >= config_.interval) {
      endpoint->multiplier.store(multiplier - 1, std::memory_order_relaxed);
    }
  }
}

// Success rates of the interval that ends now. An endpoint stands out when its rate is `stdev_factor` standard
// deviations below the average of all, or when too many of its requests failed whatever the others did.
void OutlierDetector::compare(bool local_origin, MonotonicTime now, Random& random) {
  Rates& rates = rates_[local_origin ? 1 : 0] = {};
  struct Rate {
    EndpointHealth* endpoint;
    double success;
  };
  std::vector<Rate> by_rate;
  std::vector<Rate> by_percentage;
  double sum = 0;
  for (const auto& endpoint : endpoints_) {
    auto& outcomes = local_origin ? endpoint->local_outcomes : endpoint->outcomes;
    const std::uint64_t both = outcomes.exchange(0, std::memory_order_relaxed);
    const auto all = static_cast<std::uint32_t>(both >> 32);
    auto& shown = local_origin ? endpoint->local_success_rate : endpoint->success_rate;
    shown.store(-1, std::memory_order_relaxed);
    if (all == 0 || endpoint->ejected.load(std::memory_order_relaxed) || !compares_.load(std::memory_order_relaxed)) {
      continue;
    }
    const double success = 100.0 * static_cast<double>(both & 0xffffffffU) / all;
    if (all >= std::min(config_.success_rate_request_volume, config_.failure_percentage_request_volume)) {
      shown.store(success, std::memory_order_relaxed);
    }
    if (all >= config_.success_rate_request_volume) {
      by_rate.push_back({endpoint.get(), success});
      sum += success;
    }
    if (all >= config_.failure_percentage_request_volume) {
      by_percentage.push_back({endpoint.get(), success});
    }
  }
  const auto stands_out = [&](EndpointHealth& endpoint, Kind kind) {
    if (!endpoint.ejected.load(std::memory_order_relaxed)) {
      ++counts_.detected[static_cast<std::size_t>(kind)];
      eject(endpoint, kind, now, random);
    }
  };
  if (!by_rate.empty() && by_rate.size() >= config_.success_rate_minimum_hosts) {
    const auto count = static_cast<double>(by_rate.size());
    rates.average = sum / count;
    double variance = 0;
    for (const Rate& rate : by_rate) {
      variance += (rate.success - rates.average) * (rate.success - rates.average) / count;
    }
    rates.threshold = rates.average - config_.success_rate_stdev_factor / 1000.0 * std::sqrt(variance);
    for (const Rate& rate : by_rate) {
      if (rate.success < rates.threshold) {
        stands_out(*rate.endpoint, local_origin ? Kind::local_origin_success_rate : Kind::success_rate);
      }
    }
  }
  if (!by_percentage.empty() && by_percentage.size() >= config_.failure_percentage_minimum_hosts) {
    for (const Rate& rate : by_percentage) {
      if (100.0 - rate.success >= config_.failure_percentage_threshold) {
        stands_out(*rate.endpoint, local_origin ? Kind::local_origin_failure_percentage : Kind::failure_percentage);
      }
    }
  }
}

OutlierDetector::Rates OutlierDetector::rates(bool local_origin) const {
  const std::lock_guard lock(mutex_);
  return rates_[local_origin ? 1 : 0];
}

std::uint32_t OutlierDetector::enforcing(Kind kind) const {
  switch (kind) {
    case Kind::consecutive_5xx:
      return config_.enforcing_consecutive_5xx;
    case Kind::consecutive_gateway_failure:
      return config_.enforcing_consecutive_gateway_failure;
    case Kind::consecutive_local_origin_failure:
      return config_.enforcing_consecutive_local_origin_failure;
    case Kind::success_rate:
      return config_.enforcing_success_rate;
    case Kind::failure_percentage:
      return config_.enforcing_failure_percentage;
    case Kind::local_origin_success_rate:
      return config_.enforcing_local_origin_success_rate;
    case Kind::local_origin_failure_percentage:
      return config_.enforcing_failure_percentage_local_origin;
  }
  return 0;
}

OutlierDetector::Counts OutlierDetector::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void OutlierDetector::tell(const Event& event) const {
  if (on_event_) {
    on_event_(event);
  }
}

}  // namespace remora::upstream
