#include "proxy/upstream/health_session.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

namespace remora::upstream {
namespace {

using Result = metrics::HealthCheckResult;

Nanoseconds random_part(Random& random, Nanoseconds most) {
  return Nanoseconds(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()))));
}

Result label(ProbeResult::Kind kind) {
  switch (kind) {
    case ProbeResult::Kind::passed:
      return Result::passed;
    case ProbeResult::Kind::failed:
      return Result::failed;
    case ProbeResult::Kind::network:
      return Result::network;
    case ProbeResult::Kind::timeout:
      break;
  }
  return Result::timeout;
}

}  // namespace

HealthSession::HealthSession(HealthChecker& checker, const CheckedCluster& cluster, std::size_t endpoint,
                             const HealthSession* former)
    : checker_(checker), health_(cluster.endpoints[endpoint]), first_(former == nullptr || former->first_) {
  interval_.bind<&HealthSession::begin_check>(this);
  timeout_.bind<&HealthSession::on_timeout>(this);
  adopt(cluster, endpoint);
  const bool failed = first_ || former->health_->failed_active_check.load(std::memory_order_relaxed);
  health_->failed_active_check.store(failed, std::memory_order_relaxed);
  generation_->fetch_add(1, std::memory_order_release);
  const auto& context = checker_.context_;
  context.connections.loop.arm(interval_, random_part(context.random, config_->health_check->initial_jitter));
}

HealthSession::~HealthSession() {
  if (probe_) {
    probe_->close();
  }
  // Nobody asks any more: what the last answer was says nothing from now on.
  if (health_->failed_active_check.exchange(false, std::memory_order_relaxed)) {
    generation_->fetch_add(1, std::memory_order_release);
  }
}

void HealthSession::adopt(const CheckedCluster& cluster, std::size_t endpoint) {
  if (config_) {
    const ProbeTarget before = target();
    const bool same = *config_->health_check == *cluster.config->health_check;
    config_ = cluster.config;
    endpoint_ = &config_->endpoints[endpoint];
    if (const ProbeTarget now = target(); !same || now.address != before.address || now.host != before.host) {
      drop_probe();
      timeout_.cancel();
      checker_.context_.connections.loop.arm(interval_, Nanoseconds(0));
    }
  }
  has_traffic_ = cluster.has_traffic;
  generation_ = cluster.generation;
  series_ = checker_.context_.metrics.cluster(cluster.config->alt_stat_name);
  config_ = cluster.config;
  endpoint_ = &config_->endpoints[endpoint];
}

ProbeTarget HealthSession::target() const {
  ProbeTarget target{endpoint_->address, config_->health_check->host};
  if (target.host.empty()) {
    target.host = config_->name;
  }
  if (const auto& own = endpoint_->health_check; own != nullptr) {
    if (own->address) {
      target.address = *own->address;
    }
    if (own->port != 0) {
      target.address = Address::parse(target.address.ip(), own->port).value_or(target.address);
    }
    if (!own->hostname.empty()) {
      target.host = own->hostname;
    }
  }
  return target;
}

void HealthSession::begin_check() {
  const auto& context = checker_.context_;
  context.connections.loop.arm(timeout_, config_->health_check->timeout);
  if (probe_ && !probe_->reusable()) {
    drop_probe();
  }
  if (!probe_) {
    auto made = make_probe(context.connections, context.network, *config_, target(), *this);
    if (!made) {
      settle({ProbeResult::Kind::network, std::strerror(made.error())});
      return;
    }
    probe_ = std::move(*made);
  }
  probe_->begin();
}

void HealthSession::on_probe(const ProbeResult& result) {
  if (!probe_->reusable()) {
    drop_probe();
  }
  settle(result);
}

void HealthSession::on_timeout() {
  drop_probe();
  settle({ProbeResult::Kind::timeout, fmt::format("no answer within {} ms", config_->health_check->timeout.count())});
}

void HealthSession::settle(const ProbeResult& result) {
  timeout_.cancel();
  series_->health_checks[label(result.kind)].add();
  const bool passed = result.kind == ProbeResult::Kind::passed;
  const bool pending = passed ? pass() : fail(result);
  if (std::exchange(first_, false)) {
    checker_.on_first_outcome();
  }
  rest(passed, pending);
}

bool HealthSession::pass() {
  failed_ = 0;
  if (!health_->failed_active_check.load(std::memory_order_relaxed)) {
    return false;
  }
  // The first answer decides: a start is not held up by thresholds.
  if (first_ || ++passed_ >= config_->health_check->healthy_threshold) {
    mark(false, first_ ? "its first check passed" : fmt::format("{} checks passed", passed_));
    return false;
  }
  return true;
}

bool HealthSession::fail(const ProbeResult& result) {
  passed_ = 0;
  if (health_->failed_active_check.load(std::memory_order_relaxed)) {
    if (first_) {
      checker_.context_.log(fmt::format("cluster '{}': endpoint {} fails its first health check: {}", config_->name,
                                        health_->name, result.why));
    }
    return false;
  }
  if (result.kind == ProbeResult::Kind::failed || ++failed_ >= config_->health_check->unhealthy_threshold) {
    mark(true, result.why);
    return false;
  }
  return true;
}

void HealthSession::mark(bool failed, const std::string& why) {
  passed_ = failed_ = 0;
  health_->failed_active_check.store(failed, std::memory_order_relaxed);
  generation_->fetch_add(1, std::memory_order_release);
  checker_.context_.log(fmt::format("cluster '{}': endpoint {} {}: {}", config_->name, health_->name,
                                    failed ? "fails its health check" : "is healthy", why));
}

void HealthSession::rest(bool passed, bool pending) {
  const model::HealthCheck& check = *config_->health_check;
  Milliseconds wait = passed ? (pending ? check.healthy_edge_interval : check.interval)
                             : (pending ? check.unhealthy_edge_interval : check.unhealthy_interval);
  if (has_traffic_ && !has_traffic_()) {
    wait = passed && !pending ? check.no_traffic_healthy_interval : check.no_traffic_interval;
  }
  Nanoseconds total = wait;
  Random& random = checker_.context_.random;
  total += random_part(random, Nanoseconds(wait) * check.interval_jitter_percent / 100);
  total += random_part(random, check.interval_jitter);
  checker_.context_.connections.loop.arm(interval_, total);
}

void HealthSession::drop_probe() {
  if (probe_) {
    probe_->close();
    checker_.context_.connections.loop.retire(std::move(probe_));
  }
}

}  // namespace remora::upstream
