#include "control/explain/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/explain/route_finder.h"
#include "control/translate/access.h"
#include "control/translate/chain.h"
#include "control/translate/members.h"
#include "control/translate/routes.h"
#include "control/translate/settings.h"
#include "core/base/address.h"
#include "core/base/nearest.h"
#include "core/http/message.h"

namespace remora::explain {
namespace {

using catalog::Catalog;
using translate::Chain;
using translate::ChainRoute;
using translate::Problem;

std::string seconds(Nanoseconds value) {
  return value.count() <= 0 ? std::string("none") : fmt::format("{}s", std::chrono::duration<double>(value).count());
}

std::string at(const catalog::Place& place) {
  const std::string text = place.to_string();
  return text.empty() ? text : fmt::format(" ({})", text);
}

class Explainer {
 public:
  Explainer(const Catalog& catalog, const Question& question) : catalog_(catalog), question_(question) {}

  Explanation run() {
    result_.request = fmt::format("{} http://{}{}", question_.method, question_.host, question_.path);
    const catalog::Service* service = catalog_.find_instance(question_.from, question_.from_id);
    if (service == nullptr) {
      result_.blocked = nobody_asks();
      return std::move(result_);
    }
    static const catalog::Proxy kNoProxy{};
    const catalog::Proxy& proxy = service->sidecar ? service->sidecar->proxy : kNoProxy;
    find_upstream(*service, proxy);
    result_.listener.place = upstream_.place;
    if (upstream_.destination_name.empty()) {
      return std::move(result_);
    }
    if (upstream_.destination_type == catalog::Upstream::DestinationType::prepared_query) {
      result_.notes.push_back("a prepared query: Consul alone knows whom it leads to, and asks no router");
      return std::move(result_);
    }
    const translate::Call call{catalog_, service->name, proxy, upstream_};
    chain_ = translate::compile_chain(call);
    result_.protocol = to_string(chain_.protocol);
    if (chain_.broken()) {
      for (const Problem& problem : chain_.problems) {
        result_.blocked +=
            fmt::format("{}{}{}", result_.blocked.empty() ? "" : "; ", problem.message, at(problem.place));
      }
      return std::move(result_);
    }
    if (catalog::is_http(chain_.protocol)) {
      explain_http(call);
    } else {
      result_.request = fmt::format("a connection to {}", upstream_.destination_name);
      explain_route(call, chain_.routes.back());
      if (question_.path != "/" || !question_.headers.empty()) {
        result_.notes.push_back(fmt::format(
            "'{0}' is tcp{1}: its bytes pass as they are, and nobody reads a path or a "
            "header; protocol: http in the service-defaults of '{0}' changes that",
            chain_.service, catalog_.defaults_of(chain_.service) == nullptr ? " (nothing says another)" : ""));
      }
    }
    explain_intentions();
    explain_obstacles();
    return std::move(result_);
  }

 private:
  std::string nobody_asks() const {
    std::vector<std::string_view> names;
    for (const auto& [name, instances] : catalog_.services) {
      names.push_back(name);
    }
    std::vector<std::string_view> ids;
    for (const catalog::Service& one : catalog_.instances(question_.from)) {
      ids.push_back(one.id);
    }
    if (ids.empty()) {
      return fmt::format("there is no service '{}'{}", question_.from, did_you_mean(question_.from, names));
    }
    return fmt::format("service '{}' has no instance '{}'{}; it has {}", question_.from, question_.from_id,
                       did_you_mean(question_.from_id, ids), fmt::join(ids, ", "));
  }

  // By name, with or without a port and ".virtual.consul"; or by the address at which it is called.
  void find_upstream(const catalog::Service& service, const catalog::Proxy& proxy) {
    const std::string& host = question_.host;
    const std::string name = host.substr(0, host.rfind(':') == std::string::npos ? host.size() : host.rfind(':'));
    const std::string first = name.substr(0, name.find('.'));
    std::vector<std::string_view> known;
    std::string addresses;
    const catalog::Upstream* found = nullptr;
    for (const catalog::Upstream& one : proxy.upstreams) {
      const std::string address = address_of(one);
      known.push_back(one.destination_name);
      addresses += fmt::format("{}{} ({})", addresses.empty() ? "" : ", ", one.destination_name, address);
      if (host == address || host == fmt::format("localhost:{}", one.local_bind_port)) {
        found = &one;  // an address says it outright
        break;
      }
      if (found == nullptr && (one.destination_name == name || one.destination_name == first)) {
        found = &one;
      }
    }
    if (found != nullptr) {
      upstream_ = *found;
      result_.listener.text = fmt::format("outbound/{}{} on {}", found->destination_name,
                                          found->datacenter.empty() ? "" : "@" + found->datacenter, address_of(*found));
      return;
    }
    result_.listener.text = "none";
    const bool is_address = Address::parse_ip_port(host).has_value() || name == "localhost";
    if (!service.sidecar) {
      result_.blocked = fmt::format(
          "'{}' has no sidecar: say connect: {{sidecar_service: {{port: …, proxy: {{upstreams: "
          "[{{destination_name: {}, local_bind_port: …}}]}}}}}}{}",
          service.id, is_address ? "…" : first, at(service.place));
    } else if (is_address) {
      result_.blocked = fmt::format("no upstream of '{}' listens on {}: it declares {}", question_.from, host,
                                    addresses.empty() ? "none" : addresses);
    } else {
      result_.blocked = fmt::format("'{}' declares no upstream '{}'{}: it declares {}", question_.from, first,
                                    did_you_mean(first, known), addresses.empty() ? "none" : addresses);
    }
    if (!is_address && catalog_.knows(first)) {
      upstream_.destination_name = first;
      result_.notes.push_back("what follows is what would happen if it did");
    } else if (!is_address) {
      result_.blocked += "; nor is there a service of that name";
    }
  }

  static std::string address_of(const catalog::Upstream& upstream) {
    return upstream.local_bind_socket_path.empty()
               ? fmt::format("{}:{}", upstream.local_bind_address, upstream.local_bind_port)
               : upstream.local_bind_socket_path;
  }

  void explain_http(const translate::Call& call) {
    translate::Problems problems;
    // The names of clusters do not matter to the match, and shares are told from the chain.
    const auto routes = translate::make_routes(
        call, {}, chain_, "explained",
        [](const translate::Destination& destination) { return destination.target.name(); }, problems);
    auto found = find_route(routes, question_);
    if (!found) {
      result_.blocked = found.error().message;
      return;
    }
    const ChainRoute& route = chain_.routes.at(found->index);
    result_.route.text = found->name;
    result_.sent_path = found->sent_path;
    result_.passed_over = found->passed_over;
    if (route.route != nullptr) {
      result_.route.place = route.route->place;
      result_.route_entry = fmt::format("service-router/{} routes[{}]", chain_.service, route.index);
    }
    explain_route(call, route);
    explain_terms(route, routes.virtual_hosts(0).routes(static_cast<int>(found->index)));
    for (const Problem& problem : problems) {
      result_.notes.push_back(problem.message + at(problem.place));
    }
  }

  void explain_route(const translate::Call& call, const ChainRoute& route) {
    const translate::CallSettings settings = translate::call_settings(call);
    for (const translate::Share& from : route.shares) {
      Share& to = result_.shares.emplace_back();
      to.percent = from.weight / 100.0;
      to.cluster = from.destination.target.name();
      to.service = from.destination.target.service;
      for (const catalog::Split* split : from.splits) {
        to.way.push_back(fmt::format("split of {} %{}", split->weight / 100.0, at(split->place)));
      }
      for (const translate::ResolverStep& step : from.destination.steps) {
        to.way.push_back(fmt::format(
            "{} {}{}", step.kind == translate::ResolverStep::Kind::redirect ? "redirect to" : "default subset, so",
            step.to.name(), at(step.place)));
      }
      to.group = group(from.destination.target,
                       from.destination.resolver ? from.destination.resolver->head.place : catalog::Place{});
      for (const translate::Target& target : from.destination.failover) {
        to.failover.push_back(group(target, from.destination.failover_entry->place));
      }
      const catalog::ServiceResolver* resolver = from.destination.resolver;
      to.balancer = balancer(resolver);
      to.connect_timeout = seconds(settings.connect_timeout.value_or(
          resolver != nullptr && resolver->connect_timeout ? *resolver->connect_timeout : Seconds(5)));
    }
  }

  static std::string balancer(const catalog::ServiceResolver* resolver) {
    using Policy = catalog::LoadBalancer::Policy;
    switch (resolver != nullptr && resolver->load_balancer ? resolver->load_balancer->policy : Policy::unset) {
      case Policy::random:
        return "random";
      case Policy::least_request:
        return "least_request";
      case Policy::ring_hash:
        return "ring_hash";
      case Policy::maglev:
        return "maglev";
      default:
        return "round_robin";
    }
  }

  Group group(const translate::Target& target, catalog::Place place) {
    Group result;
    result.target = target.name();
    result.place = std::move(place);
    if (const catalog::ServiceResolver* resolver = catalog_.resolver_of(target.service)) {
      if (const auto subset = resolver->subsets.find(target.subset); subset != resolver->subsets.end()) {
        result.filter = subset->second.filter;
        result.place = subset->second.place;
      }
    }
    translate::Problems problems;
    for (const translate::Member& one : members_of(catalog_, target, problems)) {
      result.endpoints.push_back(
          {one.id(), one.socket_path.empty() ? fmt::format("{}:{}", one.address, one.port) : one.socket_path,
           state(one)});
    }
    for (const Problem& problem : problems) {
      result_.notes.push_back(problem.message + at(problem.place));
    }
    return result;
  }

  std::string state(const translate::Member& member) const {
    if (catalog_.complete) {
      const bool checked = std::ranges::any_of(member.service->checks, [](const catalog::Check& one) {
        return one.kind == catalog::Check::Kind::http || one.kind == catalog::Check::Kind::tcp;
      });
      return checked ? "checked by the proxy" : "";
    }
    return member.health == catalog::Health::passing   ? "passing"
           : member.health == catalog::Health::warning ? "warning"
                                                       : "critical";
  }

  void explain_terms(const ChainRoute& route, const translate::route_v3::Route& message) {
    const auto& action = message.route();
    if (action.has_timeout()) {
      result_.timeout.text = seconds(Seconds(action.timeout().seconds()) + Nanoseconds(action.timeout().nanos()));
      if (route.route != nullptr && route.route->destination.request_timeout) {
        result_.timeout.place = route.route->place;
      } else {
        for (const translate::Share& share : route.shares) {
          if (share.destination.resolver != nullptr && share.destination.resolver->request_timeout) {
            result_.timeout.place = share.destination.resolver->head.place;
          }
        }
      }
    } else {
      result_.timeout.text = "15s, the default";
    }
    if (action.has_retry_policy()) {
      const auto& policy = action.retry_policy();
      std::string on = policy.retry_on();
      for (std::size_t comma = on.find(','); comma != std::string::npos; comma = on.find(',', comma + 2)) {
        on.replace(comma, 1, ", ");
      }
      result_.retries.text = fmt::format("{}, on {}", policy.has_num_retries() ? policy.num_retries().value() : 1, on);
      result_.retries.place = route.route->place;
    } else {
      result_.retries.text = "none";
    }
  }

  // Of each service that a share ends at: its sidecar asks, not that of the name that was called.
  void explain_intentions() {
    std::vector<std::string> told;
    for (const Share& share : result_.shares) {
      const std::string to = share.service;
      if (std::ranges::find(told, to) != told.end()) {
        continue;
      }
      told.push_back(to);
      result_.intentions.push_back(intention(to));
    }
  }

  Fact intention(const std::string& to) {
    Fact result;
    const auto found = translate::intention_between(catalog_, question_.from, to);
    bool denied = !catalog_.allow_by_default;
    if (found) {
      const catalog::IntentionSource& source = *found->source;
      denied = source.permissions.empty() && source.action == catalog::IntentionAction::deny;
      std::string what = denied ? "deny" : "allow";
      if (!source.permissions.empty()) {
        what = fmt::format("by {} permission{}", source.permissions.size(), source.permissions.size() == 1 ? "" : "s");
      }
      result = {fmt::format("{} → {}: {}", source.name, found->entry->head.name, what), source.place};
    } else {
      result.text =
          fmt::format("{} → {}: none matches, and the default is to {}", question_.from, to, denied ? "deny" : "allow");
    }
    if (catalog_.proxy_defaults != nullptr && catalog_.proxy_defaults->allow_unauthenticated) {
      result.text += (found || denied) ? "; not enforced: proxy-defaults says allow_unauthenticated" : "";
    } else if (translate::closed_by_intentions(catalog_, to)) {
      result.text += "; cannot be enforced yet";
      block(
          fmt::format("the sidecar of '{}' lets nobody in: an intention protects it, and no caller can prove who it is "
                      "yet{}",
                      to, at(result.place)));
    }
    return result;
  }

  // Routed, and yet nobody there.
  void explain_obstacles() {
    const bool nobody = std::ranges::all_of(result_.shares, [](const Share& share) {
      return share.percent == 0 ||
             (share.group.endpoints.empty() &&
              std::ranges::all_of(share.failover, [](const Group& group) { return group.endpoints.empty(); }));
    });
    if (nobody && !result_.shares.empty()) {
      const Share& first = result_.shares.front();
      block(fmt::format(
          "'{}' has no instance{}{}: {}", first.group.target,
          first.group.filter.empty() ? "" : fmt::format(" with {}", first.group.filter), at(first.group.place),
          result_.route.text.empty() ? "the connection closes" : "the answer is 503 no healthy upstream"));
    }
    if (result_.retries.text != "none" && !result_.retries.text.empty() &&
        !http::is_idempotent(http::method_id(question_.method))) {
      result_.notes.push_back(
          fmt::format("{} is not idempotent: it is tried again only when nothing of it was sent", question_.method));
    }
  }

  void block(std::string why) { result_.blocked += (result_.blocked.empty() ? "" : "; ") + std::move(why); }

  const Catalog& catalog_;
  const Question& question_;
  catalog::Upstream upstream_;
  Chain chain_;
  Explanation result_;
};

}  // namespace

Result<void> set_url(Question& question, const std::string& url) {
  std::string rest = url;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string::npos) {
    const std::string name = rest.substr(0, scheme);
    if (name != "http" && name != "tcp" && name != "grpc" && name != "https") {
      return fail(fmt::format("'{}' is no URL that is explained: expected http://SERVICE/PATH or tcp://SERVICE", url));
    }
    rest = rest.substr(scheme + 3);
  }
  const std::size_t end = rest.find_first_of("/?#");
  question.host = rest.substr(0, end);
  question.path = end == std::string::npos ? "/" : rest.substr(end);
  if (!question.path.starts_with('/')) {
    question.path.insert(0, "/");
  }
  if (question.host.empty()) {
    return fail(fmt::format("'{}' names no service: expected http://SERVICE/PATH", url));
  }
  return {};
}

Result<void> add_header(Question& question, const std::string& line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos || colon == 0) {
    return fail(fmt::format("'{}' is no header: expected 'name: value'", line));
  }
  std::string name = line.substr(0, colon);
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const std::size_t value = line.find_first_not_of(" \t", colon + 1);
  question.headers.emplace_back(std::move(name), value == std::string::npos ? "" : line.substr(value));
  return {};
}

Explanation explain(const Catalog& catalog, const Question& question) { return Explainer(catalog, question).run(); }

}  // namespace remora::explain
