// ServiceRouter: the config entry `service-router`: routes by path, header, query and method; the first that matches
// wins, and behind them all stands the service itself. A value; any thread.
// Source: Consul's structs.ServiceRouterConfigEntry.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/catalog/common.h"
#include "control/catalog/extensions.h"
#include "control/catalog/http_match.h"

namespace remora::catalog {

struct RouteMatch {
  PathMatch path;
  bool case_insensitive = false;
  std::vector<std::string> methods;
  std::vector<ValueMatch> header;
  std::vector<ValueMatch> query_param;  // present, exact or regex

  bool operator==(const RouteMatch&) const = default;
};

struct RouteDestination {
  std::string service;  // empty: the router's own
  std::string service_subset;
  std::string prefix_rewrite;
  std::optional<Nanoseconds> request_timeout;  // negative: none at all
  std::optional<Nanoseconds> idle_timeout;     // negative: none at all
  std::uint32_t num_retries = 0;
  std::vector<std::string> retry_on;  // Envoy's words
  bool retry_on_connect_failure = false;
  std::vector<std::uint32_t> retry_on_status_codes;
  HeaderChanges request_headers;
  HeaderChanges response_headers;

  bool operator==(const RouteDestination&) const = default;
};

struct Route {
  Place place;
  RouteMatch match;
  RouteDestination destination;
  Extensions extensions;  // `config` beside match and destination: fault, request_mirror_policies, retry_policy

  bool operator==(const Route&) const = default;
};

struct ServiceRouter {
  EntryHead head;
  std::vector<Route> routes;

  bool operator==(const ServiceRouter&) const = default;
};

}  // namespace remora::catalog
