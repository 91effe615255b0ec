#include "proxy/exchange/forwarding.h"

#include <array>
#include <charconv>
#include <optional>

#include "core/base/address.h"

namespace remora::proxy {
namespace {

using http::HeaderId;

constexpr std::array kInsiderHeaders = {
    HeaderId::x_envoy_retry_on,
    HeaderId::x_envoy_max_retries,
    HeaderId::x_envoy_retriable_status_codes,
    HeaderId::x_envoy_upstream_rq_timeout_alt_response,
    HeaderId::x_envoy_upstream_rq_timeout_ms,
    HeaderId::x_envoy_upstream_rq_per_try_timeout_ms,
    HeaderId::x_envoy_expected_rq_timeout_ms,
    HeaderId::x_envoy_decorator_operation,
    HeaderId::x_envoy_internal,
    HeaderId::x_envoy_original_path,
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// The address `hops` places from the right of x-forwarded-for.
std::optional<std::string_view> forwarded_address(std::string_view list, std::uint32_t hops) {
  for (;;) {
    const std::size_t comma = list.rfind(',');
    const std::string_view last = trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
    if (hops == 0) {
      return last.empty() ? std::nullopt : std::optional(last);
    }
    if (comma == std::string_view::npos) {
      return std::nullopt;
    }
    list = list.substr(0, comma);
    --hops;
  }
}

void clean_outsider(http::RequestHead& head) {
  head.headers.remove("x-envoy-upstream-alt-stat-name");
  head.headers.remove_if([](const http::Header& header) {
    for (const HeaderId id : kInsiderHeaders) {
      if (header.id == id) {
        return true;
      }
    }
    return false;
  });
}

}  // namespace

bool is_internal_address(std::string_view ip, const model::HttpConnectionManager& config) {
  if (config.internal_ranges.empty()) {
    return false;
  }
  const auto address = Address::parse(ip, 0);
  if (!address) {
    return false;
  }
  for (const auto& range : config.internal_ranges) {
    if (range.contains(*address)) {
      return true;
    }
  }
  return false;
}

Origin apply_forwarding(http::RequestHead& head, const model::HttpConnectionManager& config, std::string_view own_ip,
                        RequestInfo& info) {
  Origin origin;
  http::HeaderList& headers = head.headers;
  const std::string_view remote_ip = info.connection->remote_ip;
  const std::string_view forwarded = headers.joined("x-forwarded-for");  // several lines are one list
  info.downstream_remote_ip = remote_ip;

  if (config.use_remote_address) {
    if (config.xff_num_trusted_hops > 0) {
      if (const auto address = forwarded_address(forwarded, config.xff_num_trusted_hops - 1)) {
        info.downstream_remote_ip = *address;
      }
    }
    origin.internal = forwarded.empty() && (is_internal_address(remote_ip, config) ||
                                            (config.internal_unix_sockets && !info.connection->remote.is_ip()));
    if (!config.skip_xff_append) {
      const std::string_view peer = info.connection->remote.is_loopback() ? own_ip : remote_ip;
      headers.append(HeaderId::x_forwarded_for, peer, ",");
    }
    headers.set(HeaderId::x_forwarded_proto, "http");
    origin.edge = !origin.internal;
    if (origin.edge) {
      headers.remove(HeaderId::x_envoy_decorator_operation);
      headers.remove("x-envoy-downstream-service-cluster");
      headers.remove("x-envoy-downstream-service-node");
      headers.set(HeaderId::x_envoy_external_address, info.downstream_remote_ip);
    }
  } else {
    if (!forwarded.empty()) {
      if (const auto address = forwarded_address(forwarded, config.xff_num_trusted_hops)) {
        info.downstream_remote_ip = *address;
        origin.internal = forwarded.find(',') == std::string_view::npos && is_internal_address(*address, config);
      }
    }
    if (headers.find(HeaderId::x_forwarded_proto) == nullptr) {
      headers.add(HeaderId::x_forwarded_proto, "http");
    }
  }

  if (origin.internal) {
    headers.set(HeaderId::x_envoy_internal, "true");
  } else {
    clean_outsider(head);
  }
  if (!config.via.empty()) {
    headers.append(HeaderId::via, config.via, ", ");
  }
  return origin;
}

void strip_host_port(http::RequestHead& head, const model::HttpConnectionManager& config, std::uint16_t local_port) {
  if (!config.strip_any_host_port && !config.strip_matching_host_port) {
    return;
  }
  const std::size_t colon = head.authority.rfind(':');
  if (colon == std::string_view::npos || head.authority.find(']', colon) != std::string_view::npos) {
    return;
  }
  const std::string_view port = head.authority.substr(colon + 1);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (error != std::errc() || end != port.data() + port.size()) {
    return;
  }
  if (config.strip_any_host_port || value == local_port) {
    head.authority = head.authority.substr(0, colon);
  }
}

}  // namespace remora::proxy
