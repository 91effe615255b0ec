#include <fmt/format.h>

#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

using model::HealthCheck;
using Message = core_v3::HealthCheck;

std::string read_payload(const Scope& scope, const Message::Payload& payload) {
  if (payload.payload_case() == Message::Payload::kBinary) {
    return payload.binary();
  }
  // Hex, two digits a byte.
  const std::string& text = payload.text();
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) {
      break;
    }
    bytes += static_cast<char>(high * 16 + low);
  }
  if (text.empty() || bytes.size() * 2 != text.size()) {
    scope.error("text", fmt::format("'{}' is no hexadecimal text: two digits a byte, as in 50494e47 for PING", text));
  }
  return bytes;
}

void read_http(const Scope& scope, const Message::HttpHealthCheck& from, HealthCheck& to) {
  to.kind = HealthCheck::Kind::http;
  require(scope, "path", from.path());
  check_header_value(scope.field("path"), from.path());
  check_header_value(scope.field("host"), from.host());
  to.path = from.path();
  to.host = from.host();
  if (from.method() != core_v3::METHOD_UNSPECIFIED) {
    to.method = core_v3::RequestMethod_Name(from.method());
    if (from.method() == core_v3::CONNECT) {
      scope.error("method", "CONNECT cannot check anything");
    }
  }
  const Scope headers = scope.field("request_headers_to_add");
  for (const model::HeaderAdd& add : read_header_adds(headers, from.request_headers_to_add())) {
    if (!add.value.is_literal()) {
      headers.error(fmt::format("'{}' has operators, and a health check has no request to take values from", add.name));
    }
    to.headers.emplace_back(add.name, add.value.source());
  }
  const Scope statuses = scope.field("expected_statuses");
  for (int i = 0; i < from.expected_statuses_size(); ++i) {
    const auto& range = from.expected_statuses(i);
    if (range.start() < 100 || range.end() > 600 || range.start() >= range.end()) {
      const Scope at = statuses.item(static_cast<std::size_t>(i));
      at.error(fmt::format("[{}, {}) is no range of statuses: from 100 to 600, and the end is not in it", range.start(),
                           range.end()));
    }
    to.expected_statuses.push_back({static_cast<int>(range.start()), static_cast<int>(range.end())});
  }
  if (to.expected_statuses.empty()) {
    to.expected_statuses.push_back({});
  }
}

void read_tcp(const Scope& scope, const Message::TcpHealthCheck& from, HealthCheck& to) {
  to.kind = HealthCheck::Kind::tcp;
  if (from.has_send()) {
    to.send = read_payload(scope.field("send"), from.send());
  }
  const Scope receive = scope.field("receive");
  for (int i = 0; i < from.receive_size(); ++i) {
    to.receive.push_back(read_payload(receive.item(static_cast<std::size_t>(i)), from.receive(i)));
  }
}

void read_times(const Scope& scope, const Message& from, HealthCheck& to) {
  const auto time = [&scope](bool has, std::string_view name, const pb::Duration& value, Milliseconds otherwise,
                             Sign sign = Sign::positive) {
    return has ? read_duration(scope.field(name), value, sign) : otherwise;
  };
  if (!from.has_timeout()) {
    scope.error("timeout", "is required");
  }
  if (!from.has_interval()) {
    scope.error("interval", "is required");
  }
  to.timeout = time(from.has_timeout(), "timeout", from.timeout(), {});
  to.interval = time(from.has_interval(), "interval", from.interval(), {});
  to.initial_jitter = time(from.has_initial_jitter(), "initial_jitter", from.initial_jitter(), {}, Sign::not_negative);
  to.interval_jitter =
      time(from.has_interval_jitter(), "interval_jitter", from.interval_jitter(), {}, Sign::not_negative);
  to.interval_jitter_percent = from.interval_jitter_percent();
  to.no_traffic_interval =
      time(from.has_no_traffic_interval(), "no_traffic_interval", from.no_traffic_interval(), to.no_traffic_interval);
  to.no_traffic_healthy_interval = to.no_traffic_interval;
  to.unhealthy_interval =
      time(from.has_unhealthy_interval(), "unhealthy_interval", from.unhealthy_interval(), to.interval);
  to.unhealthy_edge_interval = time(from.has_unhealthy_edge_interval(), "unhealthy_edge_interval",
                                    from.unhealthy_edge_interval(), to.unhealthy_interval);
  to.healthy_edge_interval =
      time(from.has_healthy_edge_interval(), "healthy_edge_interval", from.healthy_edge_interval(), to.interval);
}

std::uint32_t read_threshold(const Scope& scope, bool has, std::string_view name, const pb::UInt32Value& from) {
  if (!has) {
    scope.error(name, "is required");
    return 1;
  }
  if (from.value() == 0) {
    scope.error(name, "must be at least 1");
  }
  return from.value();
}

}  // namespace

std::shared_ptr<const HealthCheck> read_health_check(const Scope& scope, const Message& message) {
  auto result = std::make_shared<HealthCheck>();
  read_times(scope, message, *result);
  result->unhealthy_threshold =
      read_threshold(scope, message.has_unhealthy_threshold(), "unhealthy_threshold", message.unhealthy_threshold());
  result->healthy_threshold =
      read_threshold(scope, message.has_healthy_threshold(), "healthy_threshold", message.healthy_threshold());
  result->reuse_connection = !message.has_reuse_connection() || message.reuse_connection().value();
  switch (message.health_checker_case()) {
    case Message::kHttpHealthCheck:
      read_http(scope.field("http_health_check"), message.http_health_check(), *result);
      break;
    case Message::kTcpHealthCheck:
      read_tcp(scope.field("tcp_health_check"), message.tcp_health_check(), *result);
      break;
    case Message::HEALTH_CHECKER_NOT_SET:
      scope.error("one of http_health_check, tcp_health_check is required");
      break;
  }
  return result;
}

std::shared_ptr<const model::HealthCheckTarget> read_health_check_target(
    const Scope& scope, const envoy::config::endpoint::v3::Endpoint::HealthCheckConfig& message) {
  auto result = std::make_shared<model::HealthCheckTarget>();
  if (message.has_address()) {
    result->address = read_address(scope.field("address"), message.address());
  }
  check_range(scope.field("port_value"), message.port_value(), 0, 65535);
  result->port = static_cast<std::uint16_t>(message.port_value());
  result->hostname = message.hostname();
  result->disabled = message.disable_active_health_check();
  return result;
}

}  // namespace remora::xds
