#include "proxy/exchange/local_reply.h"

#include <fmt/format.h>

#include <cstring>
#include <iterator>
#include <string>

#include "proxy/filters/formatter.h"

namespace remora::proxy {
namespace {

std::string_view keep(Arena& arena, const fmt::memory_buffer& text) { return arena.copy({text.data(), text.size()}); }

// Envoy's words for a reset, the last part of its text and of its details.
std::string_view envoy_reason(FailureKind kind) {
  switch (kind) {
    case FailureKind::connect_failed:
      return "remote connection failure";
    case FailureKind::connect_timeout:
      return "connection timeout";
    case FailureKind::protocol_error:
      return "protocol error";
    case FailureKind::overflow_connections:
    case FailureKind::overflow_pending:
    case FailureKind::overflow_requests:
      return "overflow";
    default:
      return "connection termination";
  }
}

struct Words {
  ResponseFlags flags;
  std::string_view reason;
  std::string_view cause;
  std::string_view way_out;
};

// Of whoever looks for the cluster's endpoints: why there are none; empty: that is not the trouble.
std::string_view why_empty(const RequestInfo& info) {
  return info.cluster != nullptr && info.cluster->endpoints.empty() ? std::string_view(info.cluster->why_empty)
                                                                    : std::string_view();
}

Words no_endpoint_words(const RequestInfo& info) {
  if (why_empty(info).empty()) {
    return {flag::kNoHealthyUpstream, "no_healthy_endpoint", "The cluster has no endpoint that may be called.",
            "See /clusters on the admin port: endpoints that are ejected or unhealthy say why."};
  }
  if (std::holds_alternative<model::DnsDiscovery>(info.cluster->discovery)) {
    return {flag::kNoHealthyUpstream, "dns_failed", "DNS knows no address of the cluster's endpoints.",
            "Ask the same server for the name (dig). Is it spelled right in load_assignment? Does the server of "
            "typed_dns_resolver_config, else of /etc/resolv.conf, answer this host? It is asked again all the time."};
  }
  return {flag::kNoHealthyUpstream, "no_endpoint_found", "The cluster's endpoints are looked for, and none was found.",
          "See the cluster's ::discovery:: lines in /clusters on the admin port."};
}

Words words_for(const Failure& failure, const RequestInfo& info) {
  switch (failure.kind) {
    case FailureKind::no_healthy_endpoint:
      return no_endpoint_words(info);
    case FailureKind::breaker_open:
      return {
          flag::kUpstreamOverflow, "breaker_open",
          "The cluster's circuit breaker is open: its last requests failed, so none is sent for a while.",
          "Look at why the cluster failed (remora_requests_total by code and flags); it is probed again by itself."};
    case FailureKind::overflow_requests:
      return {flag::kUpstreamOverflow, "max_requests", "The cluster's limit of active requests is reached.",
              "Raise circuit_breakers.thresholds.max_requests, or find out why requests last so long."};
    case FailureKind::overflow_pending:
      return {flag::kUpstreamOverflow, "max_pending_requests",
              "The cluster's limit of requests that wait for a connection is reached.",
              "Raise circuit_breakers.thresholds.max_pending_requests or max_connections."};
    case FailureKind::overflow_connections:
      return {flag::kUpstreamOverflow, "max_connections", "The cluster's limit of connections is reached.",
              "Raise circuit_breakers.thresholds.max_connections."};
    case FailureKind::connect_failed:
      return {flag::kUpstreamConnectionFailure, "connect_failed", "No connection to the endpoint could be made.",
              "Is the service running and listening on that address? Connect to it from this host."};
    case FailureKind::connect_timeout:
      return {flag::kUpstreamConnectionFailure, "connect_timeout",
              "The endpoint did not accept a connection within connect_timeout.",
              "A host that drops packets, a firewall, or a full accept queue; else raise connect_timeout."};
    case FailureKind::closed_before_response:
      return {flag::kUpstreamConnectionTermination, "closed_before_response",
              "The endpoint closed the connection before it answered.",
              "Look in the service's log for a crash or restart at this time."};
    case FailureKind::reset_before_response:
      return {flag::kUpstreamConnectionTermination, "reset_before_response",
              "The endpoint reset the connection before it answered.",
              "Look in the service's log for a crash or restart at this time."};
    case FailureKind::protocol_error:
      return {flag::kUpstreamProtocolError, "upstream_protocol_error", "The endpoint's answer is not valid HTTP/1.1.",
              "Ask the endpoint directly and look at the raw answer."};
    case FailureKind::closed_mid_response:
      return {flag::kUpstreamConnectionTermination, "closed_mid_response",
              "The endpoint closed the connection in the middle of its answer.",
              "Look in the service's log for a crash at this time."};
    case FailureKind::per_try_timeout:
      return {
          flag::kUpstreamRequestTimeout, "per_try_timeout",
          "No attempt was answered within the route's per_try_timeout.",
          "See remora_upstream_duration_seconds for how slow the service is; raise per_try_timeout if that is normal."};
    case FailureKind::request_timeout:
      return {flag::kUpstreamRequestTimeout, "request_timeout",
              "The service did not answer within the route's timeout.",
              "See remora_upstream_duration_seconds for how slow the service is; raise the route's timeout if that is "
              "normal."};
  }
  return {};
}

std::string_view details_for(const Failure& failure, Arena& arena) {
  switch (failure.kind) {
    case FailureKind::no_healthy_endpoint:
      return "no_healthy_upstream";
    case FailureKind::per_try_timeout:
      return "upstream_per_try_timeout";
    case FailureKind::request_timeout:
      return "response_timeout";
    default: {
      fmt::memory_buffer text;
      fmt::format_to(std::back_inserter(text), "upstream_reset_before_response_started{{{}",
                     envoy_reason(failure.kind));
      if (failure.kind == FailureKind::connect_failed && failure.error != 0) {
        fmt::format_to(std::back_inserter(text), "|delayed connect error: {}", std::strerror(failure.error));
      }
      text.push_back('}');
      for (char& c : text) {
        c = c == ' ' ? '_' : c;
      }
      return keep(arena, text);
    }
  }
}

std::string_view body_for(const Failure& failure, bool retried, Arena& arena) {
  switch (failure.kind) {
    case FailureKind::no_healthy_endpoint:
      return "no healthy upstream";
    case FailureKind::per_try_timeout:
    case FailureKind::request_timeout:
      return "upstream request timeout";
    default: {
      fmt::memory_buffer text;
      fmt::format_to(std::back_inserter(text),
                     "upstream connect error or disconnect/reset before headers. {}reset reason: {}",
                     retried ? "retried and the latest " : "", envoy_reason(failure.kind));
      return keep(arena, text);
    }
  }
}

}  // namespace

LocalReply reply_for(const Failure& failure, const RequestInfo& info, bool retried, std::string_view note,
                     Arena& arena) {
  const Words words = words_for(failure, info);
  LocalReply reply;
  reply.status = 503;
  if (failure.kind == FailureKind::per_try_timeout || failure.kind == FailureKind::request_timeout) {
    reply.status = 504;
  } else if (failure.kind == FailureKind::protocol_error) {
    reply.status = 502;
  }
  reply.flags = words.flags;
  reply.reason = words.reason;
  reply.cause = words.cause;
  reply.way_out = words.way_out;
  reply.details = details_for(failure, arena);
  reply.body = body_for(failure, retried, arena);
  reply.overloaded = (words.flags & flag::kUpstreamOverflow) != 0;

  fmt::memory_buffer evidence;
  auto out = std::back_inserter(evidence);
  fmt::format_to(out, "cluster {}", info.cluster == nullptr ? "-" : info.cluster->name);
  if (!info.upstream_host_text.empty()) {
    fmt::format_to(out, ", endpoint {}", info.upstream_host_text);
  }
  if (failure.error != 0) {
    fmt::format_to(out, ", {}", std::strerror(failure.error));
  }
  if (!failure.cause.empty()) {
    fmt::format_to(out, ", {}", failure.cause);
  }
  if (const std::string_view why = why_empty(info); failure.kind == FailureKind::no_healthy_endpoint && !why.empty()) {
    fmt::format_to(out, ", {}", why);
  }
  fmt::format_to(out, ", {} attempt{}", info.attempts, info.attempts == 1 ? "" : "s");
  if (!note.empty()) {
    fmt::format_to(out, ", not tried again: {}", note);
  }
  reply.evidence = keep(arena, evidence);
  return reply;
}

LocalReply unrouted_reply(bool has_virtual_host, std::string_view evidence) {
  return {.status = 404,
          .flags = flag::kNoRouteFound,
          .details = "route_not_found",
          .reason = has_virtual_host ? "no_route" : "no_virtual_host",
          .cause = has_virtual_host ? "No route of the virtual host matches this request."
                                    : "No virtual host has this authority among its domains.",
          .evidence = evidence,
          .way_out = "See the listener's routes in /config_dump on the admin port."};
}

LocalReply unknown_cluster_reply(int status, std::string_view cluster) {
  return {.status = status,
          .flags = flag::kNoClusterFound,
          .details = "cluster_not_found",
          .reason = "no_cluster",
          .cause = "The route names a cluster that does not exist.",
          .evidence = cluster,
          .way_out = "See /clusters on the admin port for those that do."};
}

std::string_view render_json(const LocalReply& reply, const RequestInfo& info, Arena& arena) {
  std::string out = fmt::format("{{\"status\":{}", reply.status);
  const auto field = [&out](std::string_view name, std::string_view value) {
    out += ',';
    append_json_string(out, name);
    out += ':';
    append_json_string(out, value);
  };
  field("flag", flags_text(reply.flags));
  field("reason", reply.reason);
  field("details", reply.details);
  field("cause", reply.cause);
  field("evidence", reply.evidence);
  field("way_out", reply.way_out);
  if (info.route != nullptr) {
    field("route", info.route->label);
  }
  if (!info.request_id.empty()) {
    field("request_id", info.request_id);
  }
  out += "}\n";
  return arena.copy(out);
}

bool accepts_json(const http::RequestHead& head) {
  return head.headers.value(http::HeaderId::accept).find("application/json") != std::string_view::npos;
}

}  // namespace remora::proxy
