#include "control/translate/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "control/translate/access.h"
#include "control/translate/chain.h"
#include "control/translate/clusters.h"
#include "control/translate/exposed.h"
#include "control/translate/listeners.h"
#include "control/translate/protos.h"
#include "control/translate/routes.h"
#include "control/translate/unsupported.h"
#include "core/base/nearest.h"

namespace remora::translate {
namespace {

using Endpoints = ProxyIdentity::Endpoints;

class Translation {
 public:
  Translation(const catalog::Catalog& catalog, const ProxyIdentity& identity)
      : catalog_(catalog), identity_(identity) {}

  Resources run() {
    const catalog::Service* service = catalog_.find_instance(identity_.service, identity_.id);
    if (service == nullptr) {
      problem({}, identity_.id.empty()
                      ? fmt::format("there is no service '{}'{}", identity_.service, nearest_service())
                      : fmt::format("service '{}' has no instance '{}'", identity_.service, identity_.id));
    } else if (!service->sidecar) {
      problem(service->place,
              fmt::format("service '{}' has no sidecar: say connect: {{sidecar_service: {{…}}}}, with a "
                          "port, and the upstreams that it calls",
                          service->id));
    } else {
      warn_of_unsupported(catalog_, *service, result_.problems);
      inbound(*service, *service->sidecar);
      for (const catalog::ExposePath& path : expose_of(catalog_, *service).paths) {
        exposed(*service, path);
      }
      for (const catalog::Upstream& upstream : service->sidecar->proxy.upstreams) {
        outbound(*service, service->sidecar->proxy, upstream);
      }
    }
    settle_problems(result_.problems);
    return std::move(result_);
  }

  static void settle_problems(Problems& problems) {
    Problems once;
    // Places compare equal, whatever they say: they are no part of a value. Here they are.
    std::set<std::tuple<Problem::Severity, std::string, std::string>> seen;
    for (Problem& one : problems) {
      if (seen.emplace(one.severity, one.place.to_string(), one.message).second) {
        once.push_back(std::move(one));
      }
    }
    std::ranges::stable_sort(once, {}, &Problem::severity);
    problems = std::move(once);
  }

 private:
  std::string nearest_service() const {
    std::vector<std::string_view> names;
    for (const auto& [name, instances] : catalog_.services) {
      names.push_back(name);
    }
    return did_you_mean(identity_.service, names);
  }

  void inbound(const catalog::Service& service, const catalog::Sidecar& sidecar) {
    auto plan = plan_inbound(catalog_, service, sidecar, result_.problems);
    if (!plan) {
      return;
    }
    const bool http = catalog::is_http(catalog_.protocol_of(service.name));
    const std::string name = plan->name;
    if (closed_by_intentions(catalog_, service.name)) {
      // Who is not known cannot be let in: an HTTP caller is told why, another finds nobody.
      const Problems why = unenforced_intentions(catalog_);
      result_.problems.insert(result_.problems.end(), why.begin(), why.end());
      if (http) {
        result_.routes[name] = shared(make_broken_routes(name, service.name, why));
        result_.listeners[name] = shared(finish_http(std::move(*plan), result_.problems));
      }
      return;
    }
    result_.clusters[kLocalApp] = shared(make_local_app(catalog_, service, sidecar));
    if (!http) {
      TcpProxy tunnel;
      tunnel.set_cluster(kLocalApp);
      if (const auto idle = proxy_setting(sidecar, &catalog::ProxySettings::local_idle_timeout)) {
        set_duration(*tunnel.mutable_idle_timeout(), *idle);
      }
      result_.listeners[name] = shared(finish_tcp(std::move(*plan), std::move(tunnel), result_.problems));
      return;
    }
    result_.routes[name] =
        shared(make_inbound_routes(name, service.name, kLocalApp, local_request_timeout(service, sidecar),
                                   proxy_setting(sidecar, &catalog::ProxySettings::local_idle_timeout)));
    result_.listeners[name] = shared(finish_http(std::move(*plan), result_.problems));
  }

  void exposed(const catalog::Service& service, const catalog::ExposePath& path) {
    ListenerPlan plan = plan_exposed(catalog_, service, path);
    const std::string name = plan.name;
    result_.clusters[exposed_cluster(path)] = shared(make_exposed_app(catalog_, service, path, identity_));
    result_.routes[name] = shared(make_exposed_routes(service, path));
    result_.listeners[name] = shared(finish_http(std::move(plan), result_.problems));
  }

  // The proxy's own, else proxy-defaults'.
  template <typename T>
  std::optional<T> proxy_setting(const catalog::Sidecar& sidecar, std::optional<T> catalog::ProxySettings::* member) {
    const std::optional<T>& own = sidecar.proxy.config.*member;
    return own || catalog_.proxy_defaults == nullptr ? own : catalog_.proxy_defaults->config.*member;
  }

  std::optional<Nanoseconds> local_request_timeout(const catalog::Service& service, const catalog::Sidecar& sidecar) {
    if (sidecar.proxy.config.local_request_timeout) {
      return sidecar.proxy.config.local_request_timeout;
    }
    const catalog::ServiceDefaults* defaults = catalog_.defaults_of(service.name);
    if (defaults != nullptr && defaults->local_request_timeout) {
      return defaults->local_request_timeout;
    }
    return catalog_.proxy_defaults ? catalog_.proxy_defaults->config.local_request_timeout : std::nullopt;
  }

  void outbound(const catalog::Service& service, const catalog::Proxy& proxy, const catalog::Upstream& upstream) {
    if (upstream.local_bind_port == 0 && upstream.local_bind_socket_path.empty()) {
      problem(
          upstream.place,
          fmt::format("upstream '{}' has no local_bind_port, so the service cannot call it", upstream.destination_name),
          Problem::Severity::warning);
      return;
    }
    const Call call{catalog_, service.name, proxy, upstream};
    ListenerPlan plan = plan_outbound(catalog_, service.name, upstream);
    while (result_.listeners.contains(plan.name)) {  // a service that is called by two ports
      plan.name += "'";
      plan.listener.set_name(plan.name);
    }
    if (upstream.destination_type == catalog::Upstream::DestinationType::prepared_query) {
      outbound_query(call, std::move(plan));
      return;
    }
    const Chain chain = compile_chain(call);
    result_.problems.insert(result_.problems.end(), chain.problems.begin(), chain.problems.end());
    if (catalog::is_http(chain.protocol)) {
      outbound_http(call, chain, std::move(plan));
    } else {
      outbound_tcp(call, chain, std::move(plan));
    }
  }

  void outbound_query(const Call& call, ListenerPlan plan) {
    cluster_v3::Cluster cluster = make_query_cluster(call, identity_, result_.problems);
    const std::string name = take_cluster(call, std::move(cluster));
    const std::string listener = plan.name;
    const std::string& protocol = call.upstream.config.protocol;
    if (!protocol.empty() && catalog::is_http(catalog::protocol_of_word(protocol))) {
      result_.routes[listener] =
          shared(make_inbound_routes(listener, call.upstream.destination_name, name, std::nullopt));
      result_.listeners[listener] = shared(finish_http(std::move(plan), result_.problems));
      return;
    }
    TcpProxy tunnel;
    tunnel.set_cluster(name);
    result_.listeners[listener] = shared(finish_tcp(std::move(plan), std::move(tunnel), result_.problems));
  }

  void outbound_http(const Call& call, const Chain& chain, ListenerPlan plan) {
    const std::string name = plan.name;
    const auto cluster_of = [&](const Destination& destination) { return cluster(call, chain, destination); };
    result_.routes[name] =
        shared(chain.broken() ? make_broken_routes(name, chain.service, chain.problems)
                              : make_routes(call, identity_, chain, name, cluster_of, result_.problems));
    result_.listeners[name] = shared(finish_http(std::move(plan), result_.problems));
  }

  void outbound_tcp(const Call& call, const Chain& chain, ListenerPlan plan) {
    if (chain.broken()) {
      return;  // bytes cannot be told why: nobody listens
    }
    TcpProxy tunnel;
    const ChainRoute& route = chain.routes.back();
    if (route.splitter == nullptr) {
      tunnel.set_cluster(cluster(call, chain, route.shares.at(0).destination));
    } else {
      for (const Share& share : route.shares) {
        if (share.weight == 0) {
          continue;  // Envoy's tcp_proxy takes no weight of 0
        }
        auto& weighted = *tunnel.mutable_weighted_clusters()->add_clusters();
        weighted.set_name(cluster(call, chain, share.destination));
        weighted.set_weight(share.weight);
      }
    }
    set_hash_policy(route, tunnel);
    const std::string name = plan.name;
    result_.listeners[name] = shared(finish_tcp(std::move(plan), std::move(tunnel), result_.problems));
  }

  // Of a connection the address is all that there is to hash.
  static void set_hash_policy(const ChainRoute& route, TcpProxy& tunnel) {
    for (const Share& share : route.shares) {
      const catalog::ServiceResolver* resolver = share.destination.resolver;
      if (resolver != nullptr && resolver->load_balancer &&
          std::ranges::any_of(resolver->load_balancer->hash_policies,
                              [](const auto& one) { return one.kind == catalog::HashPolicy::Kind::source_ip; })) {
        tunnel.add_hash_policy()->mutable_source_ip();
        return;
      }
    }
  }

  std::string cluster(const Call& call, const Chain& chain, const Destination& destination) {
    const std::string target = destination.target.name();
    check_members(call, destination);
    std::string name = take_cluster(call, make_cluster(call, identity_, chain, destination, target, result_.problems));
    if (identity_.endpoints == Endpoints::eds && !result_.endpoints.contains(name)) {
      result_.endpoints[name] = shared(make_assignment(catalog_, destination, name, result_.problems));
    }
    return name;
  }

  // Two upstreams may want one target on different terms: the second's cluster says which it is.
  std::string take_cluster(const Call& call, cluster_v3::Cluster cluster) {
    std::string name = cluster.name();
    const auto found = result_.clusters.find(name);
    if (found == result_.clusters.end()) {
      result_.clusters[name] = shared(std::move(cluster));
    } else if (bytes_of(*found->second) != bytes_of(cluster)) {
      name += "~" + call.upstream.destination_name;
      cluster.set_name(name);
      if (cluster.has_load_assignment()) {
        cluster.mutable_load_assignment()->set_cluster_name(name);
      }
      result_.clusters[name] = shared(std::move(cluster));
    }
    return name;
  }

  void check_members(const Call& call, const Destination& destination) {
    if (!catalog_.complete || !catalog_.instances(destination.target.service).empty()) {
      return;
    }
    const catalog::Place place =
        destination.resolver != nullptr ? destination.resolver->head.place : call.upstream.place;
    problem(place,
            fmt::format("there is no service '{}', which calls of '{}' to '{}' are sent to", destination.target.service,
                        call.caller, call.upstream.destination_name),
            Problem::Severity::warning);
  }

  void problem(const catalog::Place& place, std::string message,
               Problem::Severity severity = Problem::Severity::error) {
    result_.problems.push_back({severity, place, std::move(message)});
  }

  const catalog::Catalog& catalog_;
  const ProxyIdentity& identity_;
  Resources result_;
};

}  // namespace

bool Resources::has_errors() const {
  return std::ranges::any_of(problems, [](const Problem& one) { return one.severity == Problem::Severity::error; });
}

Resources translate(const catalog::Catalog& catalog, const ProxyIdentity& identity) {
  return Translation(catalog, identity).run();
}

Problems check(const catalog::Catalog& catalog) {
  Problems result;
  for (const auto& [name, instances] : catalog.services) {
    for (const catalog::Service& service : *instances) {
      if (service.sidecar) {
        const Resources resources = translate(catalog, {.service = name, .id = service.id});
        result.insert(result.end(), resources.problems.begin(), resources.problems.end());
      }
    }
  }
  Translation::settle_problems(result);
  return result;
}

}  // namespace remora::translate
