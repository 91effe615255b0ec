#include "proxy/admin/route_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/random.h"
#include "proxy/exchange/forwarding.h"
#include "proxy/exchange/local_reply.h"
#include "proxy/exchange/normalize_path.h"
#include "proxy/exchange/retry.h"
#include "proxy/routing/rewrite.h"
#include "proxy/routing/route_table.h"
#include "proxy/routing/split.h"
#include "proxy/upstream/load_balancer.h"

namespace remora::admin {
namespace {

using proxy::LocalReply;

std::string time_text(Milliseconds time) {
  return time.count() <= 0          ? std::string("none")
         : time.count() % 1000 == 0 ? fmt::format("{}s", time.count() / 1000)
                                    : fmt::format("{}ms", time.count());
}

RouteReply reply_of(const LocalReply& from) {
  RouteReply to;
  to.status = from.status;
  to.reason = from.reason;
  to.flags = from.flags == 0 ? std::string() : proxy::flags_text(from.flags);
  to.body = from.body;
  to.cause = from.cause;
  to.evidence = from.evidence;
  to.way_out = from.way_out;
  return to;
}

std::string state_of(const EndpointFacts& endpoint) {
  using Health = model::Endpoint::Health;
  std::string out;
  const auto add = [&](std::string_view words) { out += fmt::format("{}{}", out.empty() ? "" : ", ", words); };
  if (endpoint.failed_active_hc) {
    add("fails its health check");
  }
  if (endpoint.failed_outlier_check) {
    add("ejected by outlier detection");
  }
  switch (endpoint.configured) {
    case Health::unhealthy:
    case Health::timeout:
      add("reported unhealthy");
      break;
    case Health::draining:
      add("draining");
      break;
    case Health::degraded:
      add("degraded");
      break;
    case Health::unknown:
    case Health::healthy:
      break;
  }
  return out.empty() ? "healthy" : out;
}

std::string_view balancer_of(model::LbPolicy policy) {
  switch (policy) {
    case model::LbPolicy::least_request:
      return "least_request";
    case model::LbPolicy::random:
      return "random";
    case model::LbPolicy::ring_hash:
      return "ring_hash";
    case model::LbPolicy::maglev:
      return "maglev";
    case model::LbPolicy::round_robin:
      break;
  }
  return "round_robin";
}

std::string conditions(std::uint32_t bits) {
  namespace on = model::retry_on;
  static constexpr std::array<std::pair<std::uint32_t, std::string_view>, 11> kNames = {
      {{on::k5xx, "5xx"},
       {on::kGatewayError, "gateway-error"},
       {on::kReset, "reset"},
       {on::kResetBeforeRequest, "reset-before-request"},
       {on::kConnectFailure, "connect-failure"},
       {on::kRetriable4xx, "retriable-4xx"},
       {on::kRefusedStream, "refused-stream"},
       {on::kRetriableStatusCodes, "retriable-status-codes"},
       {on::kRetriableHeaders, "retriable-headers"},
       {on::kEnvoyRatelimited, "envoy-ratelimited"},
       {on::kHttp3PostConnectFailure, "http3-post-connect-failure"}}};
  std::string out;
  for (const auto& [bit, name] : kNames) {
    if ((bits & bit) != 0) {
      out += fmt::format("{}{}", out.empty() ? "" : ", ", name);
    }
  }
  return out;
}

std::string retries_of(const std::optional<model::RetryPolicy>& policy) {
  if (!policy || policy->conditions == 0) {
    return "none";
  }
  std::string out = fmt::format("{}, on {}", policy->num_retries, conditions(policy->conditions));
  if (!policy->retriable_status_codes.empty()) {
    out += fmt::format(" ({})", fmt::join(policy->retriable_status_codes, ", "));
  }
  if (policy->per_try_timeout.count() > 0) {
    out += fmt::format("; {} for each try", time_text(policy->per_try_timeout));
  }
  return out;
}

// Whether any endpoint can be chosen, by the workers' own balancer over the health that they share.
struct Choice {
  bool any = false;
  bool panic = false;
};

Choice choose(const model::Cluster& config, const std::vector<EndpointFacts>& endpoints) {
  model::Cluster cluster = config;
  cluster.lb_policy = model::LbPolicy::random;  // who is in, not who is next
  std::vector<model::Endpoint> configs(endpoints.size());
  std::vector<upstream::EndpointHealth> health(endpoints.size());
  std::vector<upstream::LbEndpoint> candidates(endpoints.size());
  std::vector<upstream::LbEndpoint*> pointers;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    configs[i].weight = endpoints[i].weight;
    configs[i].priority = endpoints[i].priority;
    configs[i].health = endpoints[i].configured;
    health[i].ejected = endpoints[i].failed_outlier_check;
    health[i].failed_active_check = endpoints[i].failed_active_hc;
    candidates[i] = {.config = &configs[i], .health = &health[i]};
    pointers.push_back(&candidates[i]);
  }
  Random random(1);
  upstream::LoadBalancer balancer(cluster, nullptr);
  balancer.set_endpoints(pointers);
  return {balancer.pick({.random = random}) != nullptr, balancer.summary(random).panic};
}

class Answerer {
 public:
  Answerer(const Facts& facts, const RouteQuestion& question, const ListenerFacts& listener)
      : facts_(facts),
        snapshot_(facts.snapshot()),
        clusters_(facts.clusters()),
        question_(question),
        listener_(listener) {}

  RouteAnswer run() {
    result_.request = question_.text();
    result_.listener = fmt::format("{} on {}", listener_.name, listener_.address.to_string());
    const model::Listener* config = config_of_listener();
    if (config == nullptr) {
      result_.reply = RouteReply{.cause = "The listener is on its way out: the configuration has it no more.",
                                 .way_out = "See /config_dump."};
      return std::move(result_);
    }
    const DynamicFacts dynamic = facts_.dynamic();
    note_newer("listener", dynamic.listeners, config->name);
    if (const model::TcpProxy* tunnel = config->tcp()) {
      answer_tcp(*tunnel);
    } else {
      note_newer("route configuration", dynamic.routes, config->http().routes->name);
      answer_http(*config);
    }
    for (const RouteShare& share : result_.shares) {
      note_newer("cluster", dynamic.clusters, share.cluster);
    }
    return std::move(result_);
  }

 private:
  const model::Listener* config_of_listener() const {
    for (const auto& one : snapshot_->listeners) {
      if (one->name == listener_.name) {
        return one.get();
      }
    }
    return nullptr;
  }

  // A version that came, and that is not the one told of here.
  void note_newer(std::string_view what, const std::vector<DynamicResourceFacts>& all, std::string_view name) {
    const auto found = std::ranges::find(all, name, &DynamicResourceFacts::name);
    if (found == all.end()) {
      return;
    }
    if (!found->waits_for.empty()) {
      result_.notes.push_back(fmt::format("a newer version of the {} '{}' waits for {}", what, name, found->waits_for));
    }
    if (found->failure) {
      result_.notes.push_back(fmt::format("version {} of the {} '{}' was refused: {}", found->failure->version, what,
                                          name, found->failure->reason));
    }
  }

  void answer_tcp(const model::TcpProxy& tunnel) {
    result_.protocol = "tcp";
    result_.request = fmt::format("a connection to {}", listener_.address.to_string());
    double total = 0;
    for (const auto& target : tunnel.targets) {
      total += target.weight;
    }
    for (const auto& target : tunnel.targets) {
      add_share(target.cluster, 100 * target.weight / total, 503);
    }
    result_.idle_timeout = time_text(tunnel.idle_timeout);
  }

  // As Exchange does before it looks at its routes.
  http::RequestHead& make_head(const model::HttpConnectionManager& config) {
    auto& head = *arena_.make<http::RequestHead>(arena_);
    head.method = question_.method;
    head.method_id = http::method_id(question_.method);
    head.authority = question_.authority;
    head.path = question_.path;
    for (const auto& [name, value] : question_.headers) {
      if (name == "host") {
        head.authority = value;
      } else {
        head.headers.add(name, value);
      }
    }
    if (config.normalize_path) {
      head.path = proxy::normalize_path(head.path, arena_).value_or(head.path);
    }
    if (config.merge_slashes) {
      head.path = proxy::merge_slashes(head.path, arena_);
    }
    proxy::strip_host_port(head, config, listener_.address.is_ip() ? listener_.address.port() : std::uint16_t{0});
    return head;
  }

  void answer_http(const model::Listener& listener) {
    const model::HttpConnectionManager& config = listener.http();
    result_.protocol = "http";
    http::RequestHead& head = make_head(config);
    // A client on this machine: what its headers may say depends on that.
    connection_.remote = Address::parse("127.0.0.1", 0).value_or(Address());
    connection_.remote_text = "127.0.0.1:0";
    connection_.remote_ip = "127.0.0.1";
    connection_.local = listener_.address;
    info_.connection = &connection_;
    info_.request = &head;
    const proxy::Origin origin = proxy::apply_forwarding(head, config, "127.0.0.1", info_);
    const routing::RouteTable table(config.routes);
    const routing::Match match = table.match(head, 0);
    info_.route = match.route;
    if (match.virtual_host != nullptr) {
      result_.virtual_host = match.virtual_host->name;
      result_.routes = static_cast<std::uint32_t>(match.virtual_host->routes.size());
    }
    note_passed_over(match);
    if (match.route == nullptr) {
      const bool host = match.virtual_host != nullptr;
      result_.reply = reply_of(proxy::unrouted_reply(host, host ? head.path : head.authority));
      return;
    }
    result_.route = match.route->label;
    if (const auto fraction = match.route->match.runtime_fraction_per_million; fraction < 1'000'000) {
      result_.sampled = fmt::format("{} %", fraction / 10'000.0);
    }
    if (const auto* direct = std::get_if<model::DirectResponse>(&match.route->action)) {
      result_.reply = RouteReply{.configured = true, .status = direct->status, .body = direct->body};
    } else if (const auto* redirect = std::get_if<model::RedirectAction>(&match.route->action)) {
      const std::string_view scheme = head.headers.value(http::HeaderId::x_forwarded_proto);
      result_.reply = RouteReply{.configured = true,
                                 .status = redirect->response_code,
                                 .location = std::string(routing::redirect_location(
                                     *match.route, *redirect, head, scheme.empty() ? "http" : scheme, arena_))};
    } else {
      answer_action(config, *match.route, std::get<model::RouteAction>(match.route->action), head, origin);
    }
  }

  void note_passed_over(const routing::Match& match) {
    if (match.virtual_host == nullptr) {
      return;
    }
    const auto& routes = match.virtual_host->routes;
    const std::size_t end =
        match.route == nullptr ? routes.size() : static_cast<std::size_t>(match.route - routes.data());
    result_.index = static_cast<std::uint32_t>(end);
    for (std::size_t i = 0; i < end; ++i) {
      result_.passed_over.push_back(routes[i].label);
    }
  }

  void answer_action(const model::HttpConnectionManager& config, const model::Route& route,
                     const model::RouteAction& action, http::RequestHead& head, const proxy::Origin& origin) {
    const proxy::RetryState retry(action.retry ? &*action.retry : nullptr, head, origin.internal);
    result_.timeout = time_text(retry.request_timeout().value_or(action.timeout));
    result_.idle_timeout = time_text(action.idle_timeout.value_or(config.stream_idle_timeout));
    result_.retries = retries_of(action.retry);
    if (!action.cluster_header.empty()) {
      add_share(std::string(routing::split(action, head, 0).cluster), 100, action.cluster_not_found_code);
    }
    double total = 0;
    for (const auto& one : action.clusters) {
      total += action.clusters.size() == 1 ? 1 : one.weight;
    }
    for (const auto& one : action.clusters) {
      const double weight = action.clusters.size() == 1 ? 1 : one.weight;
      add_share(one.name, total > 0 ? 100 * weight / total : 0, action.cluster_not_found_code);
    }
    if (const auto path = routing::rewrite_path(route, action, head.path, arena_)) {
      result_.sent_path = *path;
    }
    if (const auto host = routing::rewrite_host(action, nullptr, head, {})) {
      result_.sent_host = *host;
    }
  }

  void add_share(const std::string& name, double percent, int not_found_status) {
    RouteShare& share = result_.shares.emplace_back();
    share.percent = percent;
    share.cluster = name;
    const auto facts = std::ranges::find(clusters_, name, &ClusterFacts::name);
    const auto config = snapshot_->clusters.find(name);
    if (facts == clusters_.end() || config == snapshot_->clusters.end()) {
      share.reply = reply_of(proxy::unknown_cluster_reply(not_found_status, name));
      return;
    }
    share.balancer = balancer_of(config->second->lb_policy);
    share.connect_timeout = time_text(config->second->connect_timeout);
    share.breaker = facts->breaker;
    share.outlier_detection = facts->outlier_detection;
    share.discovery = facts->discovery;
    for (const EndpointFacts& one : facts->endpoints) {
      share.endpoints.push_back({one.address.to_string(), one.hostname, state_of(one), one.priority, one.weight,
                                 result_.protocol == "tcp" ? one.cx_active : one.rq_active});
    }
    const Choice choice = choose(*config->second, facts->endpoints);
    share.panic = choice.panic;
    if (!choice.any || share.breaker == "open") {
      share.reply = failure(choice.any ? proxy::FailureKind::breaker_open : proxy::FailureKind::no_healthy_endpoint,
                            *config->second, *facts);
    }
  }

  RouteReply failure(proxy::FailureKind kind, const model::Cluster& config, const ClusterFacts& facts) {
    info_.cluster = &config;
    RouteReply reply = reply_of(proxy::reply_for({.kind = kind}, info_, false, {}, arena_));
    if (result_.protocol == "tcp") {
      reply.status = 0;  // bytes get no words: the connection closes
      reply.body.clear();
    }
    reply.evidence = fmt::format("cluster {}, {} endpoint{}", facts.name, facts.endpoints.size(),
                                 facts.endpoints.size() == 1 ? "" : "s");
    if (facts.discovery && !facts.discovery->failing.empty()) {
      reply.evidence += "; " + facts.discovery->failing;
    }
    return reply;
  }

  const Facts& facts_;
  const std::shared_ptr<const model::Snapshot> snapshot_;
  const std::vector<ClusterFacts> clusters_;
  const RouteQuestion& question_;
  const ListenerFacts& listener_;
  BlockPool pool_;
  Arena arena_{pool_};
  proxy::ConnectionFacts connection_;
  proxy::RequestInfo info_;
  RouteAnswer result_;
};

}  // namespace

bool RouteAnswer::blocked() const {
  if (reply) {
    return !reply->configured;
  }
  return !shares.empty() && std::ranges::all_of(shares, [](const RouteShare& share) {
    return share.reply.has_value() || share.percent == 0;
  });
}

RouteAnswer answer_route(const Facts& facts, const RouteQuestion& question, const ListenerFacts& listener) {
  return Answerer(facts, question, listener).run();
}

}  // namespace remora::admin
