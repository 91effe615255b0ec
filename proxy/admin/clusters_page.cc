// /clusters and /listeners: what stands, and how it does.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "core/admin/json.h"
#include "proxy/admin/pages.h"

namespace remora::admin {
namespace {

using Health = model::Endpoint::Health;
using Out = std::back_insert_iterator<std::string>;

std::string health_flags(const EndpointFacts& endpoint) {
  std::string out;
  out += endpoint.failed_active_hc ? "/failed_active_hc" : "";
  out += endpoint.failed_outlier_check ? "/failed_outlier_check" : "";
  switch (endpoint.configured) {
    case Health::unhealthy:
    case Health::timeout:
      out += "/failed_eds_health";
      break;
    case Health::draining:
      out += "/eds_status_draining";
      break;
    case Health::degraded:
      out += "/degraded_eds_health";
      break;
    case Health::unknown:
    case Health::healthy:
      break;
  }
  return out.empty() ? "healthy" : out;
}

std::string_view eds_health(Health health) {
  switch (health) {
    case Health::unhealthy:
    case Health::timeout:
      return "UNHEALTHY";
    case Health::draining:
      return "DRAINING";
    case Health::degraded:
      return "DEGRADED";
    case Health::unknown:
    case Health::healthy:
      break;
  }
  return "HEALTHY";
}

double seconds(Nanoseconds time) { return std::chrono::duration<double>(time).count(); }

void write_text(std::string& page, const std::string& cluster, const DiscoveryFacts& discovery) {
  Out out(page);
  fmt::format_to(out, "{0}::discovery::source::{1}\n{0}::discovery::age_seconds::{2:.1f}\n", cluster, discovery.source,
                 seconds(discovery.age));
  if (!discovery.failing.empty()) {
    fmt::format_to(out, "{}::discovery::failing::{}\n", cluster, discovery.failing);
  }
  if (discovery.holding) {
    fmt::format_to(out, "{}::discovery::holding::true\n", cluster);
  }
  for (const std::string& skipped : discovery.skipped) {
    fmt::format_to(out, "{}::discovery::skipped::{}\n", cluster, skipped);
  }
}

void write_text(std::string& page, const ClusterFacts& cluster) {
  Out out(page);
  const std::string& name = cluster.name;
  fmt::format_to(out, "{}::observability_name::{}\n", name, cluster.observability_name);
  if (cluster.outlier_detection) {
    const std::array<std::pair<std::string_view, double>, 4> rates = {
        {{"success_rate_average", cluster.success_rate_average},
         {"success_rate_ejection_threshold", cluster.success_rate_threshold},
         {"local_origin_success_rate_average", cluster.local_success_rate_average},
         {"local_origin_success_rate_ejection_threshold", cluster.local_success_rate_threshold}}};
    for (const auto& [line, rate] : rates) {
      fmt::format_to(out, "{}::outlier::{}::{:g}\n", name, line, rate);
    }
  }
  // There is one priority: high-priority routes share its limits.
  for (const std::string_view priority : {"default_priority", "high_priority"}) {
    fmt::format_to(out, "{}::{}::max_connections::{}\n", name, priority, cluster.thresholds.max_connections);
    fmt::format_to(out, "{}::{}::max_pending_requests::{}\n", name, priority, cluster.thresholds.max_pending_requests);
    fmt::format_to(out, "{}::{}::max_requests::{}\n", name, priority, cluster.thresholds.max_requests);
    fmt::format_to(out, "{}::{}::max_retries::{}\n", name, priority, cluster.thresholds.max_retries);
  }
  fmt::format_to(out, "{}::added_via_api::{}\n", name, cluster.added_via_api);
  if (!cluster.breaker.empty()) {
    fmt::format_to(out, "{}::breaker::state::{}\n", name, cluster.breaker);
  }
  if (cluster.discovery) {
    write_text(page, name, *cluster.discovery);
  }
  for (const EndpointFacts& endpoint : cluster.endpoints) {
    const std::string at = fmt::format("{}::{}", name, endpoint.address.to_string());
    fmt::format_to(out, "{0}::cx_active::{1}\n{0}::cx_connect_fail::{2}\n{0}::cx_total::{3}\n", at, endpoint.cx_active,
                   endpoint.cx_connect_fail, endpoint.cx_total);
    fmt::format_to(out, "{0}::rq_active::{1}\n{0}::rq_error::{2}\n{0}::rq_pending_active::{3}\n", at,
                   endpoint.rq_active, endpoint.rq_error, endpoint.rq_pending_active);
    fmt::format_to(out, "{0}::rq_success::{1}\n{0}::rq_timeout::{2}\n{0}::rq_total::{3}\n", at, endpoint.rq_success,
                   endpoint.rq_timeout, endpoint.rq_total);
    fmt::format_to(out, "{0}::hostname::{1}\n{0}::health_flags::{2}\n{0}::weight::{3}\n", at, endpoint.hostname,
                   health_flags(endpoint), endpoint.weight);
    fmt::format_to(out, "{0}::region::\n{0}::zone::\n{0}::sub_zone::\n{0}::canary::false\n{0}::priority::{1}\n", at,
                   endpoint.priority);
    fmt::format_to(out, "{0}::success_rate::{1:g}\n{0}::local_origin_success_rate::{2:g}\n", at, endpoint.success_rate,
                   endpoint.local_success_rate);
  }
}

// envoy.admin.v3.SimpleMetric: defaults are left out, 64-bit numbers are strings.
void write_metric(JsonWriter& json, std::string_view name, std::uint64_t value, bool gauge) {
  json.begin_object();
  if (gauge) {
    json.key("type").string("GAUGE");
  }
  if (value != 0) {
    json.key("value").string(fmt::format("{}", value));
  }
  json.key("name").string(name).end_object();
}

// envoy.type.v3.Percent, where it is known.
void write_rate(JsonWriter& json, std::string_view name, double rate) {
  if (rate >= 0) {
    json.key(name).begin_object().key("value").raw(fmt::format("{:.6g}", rate)).end_object();
  }
}

void write_json(JsonWriter& json, const EndpointFacts& endpoint) {
  json.begin_object().key("address");
  write_address(json, endpoint.address);
  json.key("stats").begin_array();
  write_metric(json, "cx_connect_fail", endpoint.cx_connect_fail, false);
  write_metric(json, "cx_total", endpoint.cx_total, false);
  write_metric(json, "rq_error", endpoint.rq_error, false);
  write_metric(json, "rq_success", endpoint.rq_success, false);
  write_metric(json, "rq_timeout", endpoint.rq_timeout, false);
  write_metric(json, "rq_total", endpoint.rq_total, false);
  write_metric(json, "cx_active", endpoint.cx_active, true);
  write_metric(json, "rq_active", endpoint.rq_active, true);
  write_metric(json, "rq_pending_active", endpoint.rq_pending_active, true);
  json.end_array();
  json.key("health_status").begin_object();
  if (endpoint.failed_active_hc) {
    json.key("failed_active_health_check").boolean(true);
  }
  if (endpoint.failed_outlier_check) {
    json.key("failed_outlier_check").boolean(true);
  }
  json.key("eds_health_status").string(eds_health(endpoint.configured)).end_object();
  write_rate(json, "success_rate", endpoint.success_rate);
  json.key("weight").number(endpoint.weight);
  if (!endpoint.hostname.empty()) {
    json.key("hostname").string(endpoint.hostname);
  }
  if (endpoint.priority != 0) {
    json.key("priority").number(endpoint.priority);
  }
  write_rate(json, "local_origin_success_rate", endpoint.local_success_rate);
  json.key("locality").begin_object().end_object();
  json.end_object();
}

void write_json(JsonWriter& json, const ClusterFacts& cluster) {
  json.begin_object().key("name").string(cluster.name);
  if (cluster.added_via_api) {
    json.key("added_via_api").boolean(true);
  }
  write_rate(json, "success_rate_ejection_threshold", cluster.success_rate_threshold);
  write_rate(json, "local_origin_success_rate_ejection_threshold", cluster.local_success_rate_threshold);
  if (!cluster.endpoints.empty()) {
    json.key("host_statuses").begin_array();
    for (const EndpointFacts& endpoint : cluster.endpoints) {
      write_json(json, endpoint);
    }
    json.end_array();
  }
  json.key("circuit_breakers").begin_object().key("thresholds").begin_array();
  for (const bool high : {false, true}) {
    json.begin_object();
    if (high) {
      json.key("priority").string("HIGH");
    }
    json.key("max_connections").number(cluster.thresholds.max_connections);
    json.key("max_pending_requests").number(cluster.thresholds.max_pending_requests);
    json.key("max_requests").number(cluster.thresholds.max_requests);
    json.key("max_retries").number(cluster.thresholds.max_retries).end_object();
  }
  json.end_array().end_object();
  json.key("observability_name").string(cluster.observability_name);
  if (!cluster.breaker.empty() || cluster.discovery) {  // Envoy has no word for these
    json.key("remora").begin_object();
    if (!cluster.breaker.empty()) {
      json.key("breaker").string(cluster.breaker);
    }
    if (cluster.discovery) {
      json.key("discovery");
      write_discovery(json, *cluster.discovery);
    }
    json.end_object();
  }
  json.end_object();
}

}  // namespace

void write_discovery(JsonWriter& json, const DiscoveryFacts& discovery) {
  json.begin_object().key("source").string(discovery.source);
  json.key("age_seconds").raw(fmt::format("{:.1f}", seconds(discovery.age)));
  if (!discovery.failing.empty()) {
    json.key("failing").string(discovery.failing);
  }
  json.key("holding").boolean(discovery.holding);
  json.key("skipped").begin_array();
  for (const std::string& skipped : discovery.skipped) {
    json.string(skipped);
  }
  json.end_array().end_object();
}

void write_address(JsonWriter& json, const Address& address) {
  json.begin_object();
  if (address.is_ip()) {
    json.key("socket_address").begin_object().key("address").string(address.ip());
    json.key("port_value").number(address.port()).end_object();
  } else {
    json.key("pipe").begin_object().key("path").string(address.to_string()).end_object();
  }
  json.end_object();
}

AdminResponse AdminPages::clusters(const AdminRequest& request) {
  std::optional<model::Regex> filter;
  if (const auto pattern = request.find("filter"); pattern && !pattern->empty()) {
    auto compiled = model::Regex::compile(fmt::format("(?s).*(?:{}).*", *pattern));
    if (!compiled) {
      return text(fmt::format("Invalid re2 regex: {}\n", compiled.error().message), 400);
    }
    filter = std::move(*compiled);
  }
  JsonWriter out;
  out.begin_object().key("cluster_statuses").begin_array();
  std::string page;
  for (const ClusterFacts& cluster : facts_.clusters()) {
    if (filter && !filter->full_match(cluster.name)) {
      continue;
    }
    if (request.wants_json()) {
      write_json(out, cluster);
    } else {
      write_text(page, cluster);
    }
  }
  return request.wants_json() ? json(out.end_array().end_object().take()) : text(std::move(page));
}

AdminResponse AdminPages::listeners(const AdminRequest& request) {
  if (!request.wants_json()) {
    std::string page;
    for (const ListenerFacts& listener : facts_.listeners()) {
      page += fmt::format("{}::{}\n", listener.name, listener.address.to_string());
      if (listener.intentions_not_enforced) {
        page += fmt::format("{}::intentions_not_enforced::true\n", listener.name);
      }
    }
    return text(std::move(page));
  }
  JsonWriter out;
  out.begin_object().key("listener_statuses").begin_array();
  for (const ListenerFacts& listener : facts_.listeners()) {
    out.begin_object().key("name").string(listener.name).key("local_address");
    write_address(out, listener.address);
    if (listener.intentions_not_enforced) {
      out.key("remora").begin_object().key("intentions_not_enforced").boolean(true).end_object();
    }
    out.end_object();
  }
  return json(out.end_array().end_object().take());
}

}  // namespace remora::admin
