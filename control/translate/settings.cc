#include "control/translate/settings.h"

namespace remora::translate {
namespace {

using catalog::Extensions;
using catalog::UpstreamSettings;

template <typename T>
void take(std::optional<T>& to, const std::optional<T>& from) {
  if (from) {
    to = from;
  }
}

// What the caller wrote about its upstreams, the weakest first.
std::vector<const UpstreamSettings*> written(const Call& call) {
  std::vector<const UpstreamSettings*> result;
  if (const catalog::ServiceDefaults* defaults = call.catalog.defaults_of(call.caller)) {
    if (defaults->upstream_defaults) {
      result.push_back(&*defaults->upstream_defaults);
    }
    for (const UpstreamSettings& one : defaults->upstream_overrides) {
      if (one.name == call.upstream.destination_name) {
        result.push_back(&one);
      }
    }
  }
  result.push_back(&call.upstream.config);
  return result;
}

void merge(CallSettings& to, const UpstreamSettings& from) {
  to.protocol = from.protocol.empty() ? to.protocol : from.protocol;
  take(to.connect_timeout, from.connect_timeout);
  if (from.limits) {
    take(to.limits.max_connections, from.limits->max_connections);
    take(to.limits.max_pending_requests, from.limits->max_pending_requests);
    take(to.limits.max_concurrent_requests, from.limits->max_concurrent_requests);
  }
  if (from.passive_health_check) {
    catalog::PassiveHealthCheck check = to.passive_health_check.value_or(catalog::PassiveHealthCheck{});
    take(check.interval, from.passive_health_check->interval);
    take(check.max_failures, from.passive_health_check->max_failures);
    take(check.enforcing_consecutive_5xx, from.passive_health_check->enforcing_consecutive_5xx);
    take(check.max_ejection_percent, from.passive_health_check->max_ejection_percent);
    take(check.base_ejection_time, from.passive_health_check->base_ejection_time);
    to.passive_health_check = check;
  }
}

template <typename T>
void take_all(std::optional<T>& to, const std::optional<T>& from, auto... members) {
  if (from) {
    T merged = to.value_or(T{});
    (take(merged.*members, (*from).*members), ...);
    to = merged;
  }
}

void merge(Extensions& to, const Extensions& from) {
  using catalog::Breaker;
  using catalog::RetryBudget;
  using catalog::RetryTuning;
  take(to.fault, from.fault);
  take(to.request_mirror_policies, from.request_mirror_policies);
  take_all(to.retry_policy, from.retry_policy, &RetryTuning::per_try_timeout, &RetryTuning::base_interval,
           &RetryTuning::max_interval, &RetryTuning::retry_non_idempotent);
  take_all(to.retry_budget, from.retry_budget, &RetryBudget::budget_percent, &RetryBudget::min_retry_concurrency);
  take_all(to.breaker, from.breaker, &Breaker::failure_threshold, &Breaker::recovery_time, &Breaker::probes);
  take_all(to.discovery, from.discovery, &catalog::DiscoverySettings::hold_empty);
}

}  // namespace

CallSettings call_settings(const Call& call) {
  CallSettings result;
  for (const UpstreamSettings* one : written(call)) {
    merge(result, *one);
  }
  return result;
}

Chain compile_chain(const Call& call) {
  return compile_chain(call.catalog, call.upstream.destination_name, call.upstream.datacenter,
                       call_settings(call).protocol);
}

Extensions call_extensions(const Call& call, const std::string& called, const Extensions* route) {
  Extensions result;
  if (call.catalog.proxy_defaults != nullptr) {
    merge(result, call.catalog.proxy_defaults->config.extensions);
  }
  if (const catalog::ServiceDefaults* defaults = call.catalog.defaults_of(called)) {
    merge(result, defaults->extensions);
  }
  if (route != nullptr) {
    merge(result, *route);
  }
  merge(result, call.proxy.config.extensions);
  for (const UpstreamSettings* one : written(call)) {
    merge(result, one->extensions);
  }
  return result;
}

}  // namespace remora::translate
