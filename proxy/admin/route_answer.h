// RouteAnswer: what this proxy would do with a request now: the route that its own table finds, the clusters and their
// shares, their endpoints with what is known of each, or the local reply that the client would get. Made of the
// snapshot and of facts, without asking a worker. Pure functions; main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/admin/facts.h"
#include "proxy/admin/route_question.h"

namespace remora::admin {

// What the proxy itself would answer.
struct RouteReply {
  bool configured = false;  // a direct response or a redirect: what the route is there for
  int status = 0;
  std::string reason = {};  // x-remora-reason
  std::string flags = {};   // of access logs: "UH"
  std::string body = {};
  std::string location = {};  // of a redirect
  std::string cause = {};
  std::string evidence = {};
  std::string way_out = {};
};

struct RouteEndpoint {
  std::string address;
  std::string hostname;
  std::string state;  // "healthy", "ejected by outlier detection", …
  std::uint32_t priority = 0;
  std::uint32_t weight = 1;
  std::uint64_t active = 0;  // requests, or connections of a tunnel
};

struct RouteShare {
  double percent = 100;
  std::string cluster;
  std::string balancer;
  std::string connect_timeout;
  std::vector<RouteEndpoint> endpoints;
  bool panic = false;  // too few are healthy: all are called
  std::string_view breaker;
  bool outlier_detection = false;
  std::optional<DiscoveryFacts> discovery;
  std::optional<RouteReply> reply;  // nothing would be sent there
};

struct RouteAnswer {
  std::string request;
  std::string listener;  // "outbound/api on 127.0.0.1:9191"
  std::string protocol;  // http, tcp
  std::string virtual_host;
  std::string route;         // its name, or what it matches
  std::uint32_t index = 0;   // in its virtual host, from 0
  std::uint32_t routes = 0;  // of the virtual host
  std::string sampled;       // "50 %": a runtime_fraction, of which this is the answer where it holds
  std::string sent_path;     // when a rewrite changes it
  std::string sent_host;
  std::vector<RouteShare> shares;
  std::string timeout;
  std::string idle_timeout;
  std::string retries;
  std::optional<RouteReply> reply;
  std::vector<std::string> passed_over;  // routes before it that do not match
  std::vector<std::string> notes;        // a newer version that is not served yet, and why

  // Would the client get an answer that nobody asked for?
  bool blocked() const;
};

RouteAnswer answer_route(const Facts& facts, const RouteQuestion& question, const ListenerFacts& listener);

std::string route_text(const RouteAnswer& answer);
std::string route_json(const RouteAnswer& answer);

}  // namespace remora::admin
