#include "control/translate/health_checks.h"

#include <fmt/format.h>

#include <charconv>

#include "control/translate/protos.h"

namespace remora::translate {
namespace {

using catalog::Check;

// "http://127.0.0.1:9001/health?x" or "127.0.0.1:9001", in parts.
struct CheckTarget {
  std::string host;  // with its port, as written
  std::uint16_t port = 0;
  std::string path;
};

std::optional<CheckTarget> parse_target(std::string_view text) {
  CheckTarget result;
  std::uint16_t port = 0;
  if (text.starts_with("http://")) {
    text.remove_prefix(7);
    port = 80;
  } else if (text.find("://") != std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t slash = text.find_first_of("/?");
  result.host = text.substr(0, slash);
  result.path = slash == std::string_view::npos ? "/" : text.substr(slash);
  if (result.path.starts_with('?')) {
    result.path.insert(0, "/");
  }
  const std::size_t colon = result.host.rfind(':');
  if (colon != std::string::npos && result.host.find(']', colon) == std::string::npos) {
    const char* begin = result.host.data() + colon + 1;
    const char* end = result.host.data() + result.host.size();
    if (const auto [at, error] = std::from_chars(begin, end, port); error != std::errc() || at != end) {
      return std::nullopt;
    }
  }
  result.port = port;
  return port == 0 || result.host.empty() ? std::nullopt : std::optional(result);
}

void set_times(core_v3::HealthCheck& to, const Check& check) {
  const Nanoseconds interval = check.interval.value_or(Seconds(10));
  set_duration(*to.mutable_interval(), interval);
  // Envoy asks idle clusters once a minute unless told.
  set_duration(*to.mutable_no_traffic_interval(), interval);
  set_duration(*to.mutable_timeout(), check.timeout.value_or(Seconds(10)));
  to.set_interval_jitter_percent(10);
  to.mutable_healthy_threshold()->set_value(std::max(1U, check.success_before_passing));
  to.mutable_unhealthy_threshold()->set_value(std::max(1U, check.failures_before_critical));
}

// Consul's passing: any 2xx.
void set_http(core_v3::HealthCheck::HttpHealthCheck& to, const Check& check, const CheckTarget& target) {
  to.set_host(target.host);
  to.set_path(target.path);
  auto& statuses = *to.add_expected_statuses();
  statuses.set_start(200);
  statuses.set_end(300);
  core_v3::RequestMethod method = core_v3::METHOD_UNSPECIFIED;
  if (!check.method.empty() && check.method != "GET" && core_v3::RequestMethod_Parse(check.method, &method)) {
    to.set_method(method);
  }
  for (const auto& [name, values] : check.header) {
    for (const std::string& value : values) {
      auto& header = *to.add_request_headers_to_add();
      header.mutable_header()->set_key(name);
      header.mutable_header()->set_value(value);
    }
  }
}

// Why a proxy cannot do it; empty: it can.
std::string obstacle(const Check& check, const std::optional<CheckTarget>& target) {
  if (check.kind != Check::Kind::http && check.kind != Check::Kind::tcp) {
    return "checks of kind http and tcp are carried out by proxies, others only by a Consul agent";
  }
  if (check.tls || check.target.starts_with("https://")) {
    return "checks over TLS are not supported by this version of Remora";
  }
  if (!check.body.empty()) {
    return "a body is not supported by this version of Remora";
  }
  return target ? "" : fmt::format("'{}' names no host and port", check.target);
}

}  // namespace

std::optional<ActiveCheck> active_check(const catalog::Service& service, Problems& problems) {
  for (const Check& check : service.checks) {
    const auto target = parse_target(check.target);
    if (const std::string why = obstacle(check, target); !why.empty()) {
      problems.push_back({Problem::Severity::warning, check.place,
                          fmt::format("a check of '{}' is not carried out: {}", service.id, why)});
      continue;
    }
    ActiveCheck result;
    result.port = target->port;
    set_times(result.check, check);
    if (check.kind == Check::Kind::http) {
      set_http(*result.check.mutable_http_health_check(), check, *target);
    } else {
      result.check.mutable_tcp_health_check();
    }
    return result;
  }
  return std::nullopt;
}

void HealthChecks::add(const Member& member, envoy::config::endpoint::v3::Endpoint& endpoint) {
  auto active = active_check(*member.service, problems_);
  if (!active) {
    if (check_) {
      endpoint.mutable_health_check_config()->set_disable_active_health_check(true);
    } else {
      unchecked_.push_back(&endpoint);
    }
    return;
  }
  // Which host the check's URL names is each instance's own affair.
  std::string host;
  if (active->check.has_http_health_check()) {
    host = std::exchange(*active->check.mutable_http_health_check()->mutable_host(), {});
  }
  const std::string bytes = bytes_of(active->check);
  if (!check_) {
    bytes_ = bytes;
    first_ = member.id();
    check_ = std::move(active->check);
    for (auto* other : unchecked_) {
      other->mutable_health_check_config()->set_disable_active_health_check(true);
    }
    unchecked_.clear();
  } else if (bytes != bytes_) {
    endpoint.mutable_health_check_config()->set_disable_active_health_check(true);
    problems_.push_back({Problem::Severity::warning, member.service->place,
                         fmt::format("the check of '{}' is not carried out, since it differs from that of '{}' in more "
                                     "than its host and port: a cluster has one kind of check",
                                     member.id(), first_)});
    return;
  }
  auto& config = *endpoint.mutable_health_check_config();
  config.set_port_value(active->port);
  // Its own address, which need not be its sidecar's.
  if (member.service->address != member.address && is_ip(member.service->address)) {
    set_address(*config.mutable_address(), member.service->address, active->port);
  }
  if (!host.empty()) {
    config.set_hostname(host);
  }
}

}  // namespace remora::translate
