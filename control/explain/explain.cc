#include "control/explain/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/explain/route_finder.h"
#include "control/translate/access.h"
#include "control/translate/chain.h"
#include "control/translate/members.h"
#include "control/translate/routes.h"
#include "control/translate/settings.h"
#include "core/base/nearest.h"

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
      std::vector<std::string_view> names;
      for (const auto& [name, instances] : catalog_.services) {
        names.push_back(name);
      }
      result_.blocked = fmt::format("there is no service '{}'{}{}", question_.from,
                                    question_.from_id.empty() ? "" : " with the id " + question_.from_id,
                                    did_you_mean(question_.from, names));
      return std::move(result_);
    }
    static const catalog::Proxy kNoProxy{};
    const catalog::Proxy& proxy = service->sidecar ? service->sidecar->proxy : kNoProxy;
    find_upstream(proxy);
    result_.listener.place = upstream_.place;
    chain_ = translate::compile_chain(catalog_, upstream_.destination_name, upstream_.datacenter);
    result_.protocol = to_string(chain_.protocol);
    if (chain_.broken()) {
      for (const Problem& problem : chain_.problems) {
        result_.blocked +=
            fmt::format("{}{}{}", result_.blocked.empty() ? "" : "; ", problem.message, at(problem.place));
      }
      return std::move(result_);
    }
    const translate::Call call{catalog_, service->name, proxy, upstream_};
    if (catalog::is_http(chain_.protocol)) {
      explain_http(call);
    } else {
      result_.request = fmt::format("a connection to {}", upstream_.destination_name);
      explain_route(call, chain_.routes.back());
    }
    explain_intention();
    return std::move(result_);
  }

 private:
  // By name, with or without a port and ".virtual.consul"; or by the address at which it is called.
  void find_upstream(const catalog::Proxy& proxy) {
    const std::string& host = question_.host;
    std::string name = host.substr(0, host.rfind(':') == std::string::npos ? host.size() : host.rfind(':'));
    name = name.substr(0, name.find('.'));
    std::vector<std::string_view> known;
    for (const catalog::Upstream& one : proxy.upstreams) {
      const std::string address = one.local_bind_socket_path.empty()
                                      ? fmt::format("{}:{}", one.local_bind_address, one.local_bind_port)
                                      : one.local_bind_socket_path;
      known.push_back(one.destination_name);
      if (one.destination_name == name || host == address || host == fmt::format("localhost:{}", one.local_bind_port)) {
        upstream_ = one;
        result_.listener.text = fmt::format("outbound/{}{} on {}", one.destination_name,
                                            one.datacenter.empty() ? "" : "@" + one.datacenter, address);
        return;
      }
    }
    upstream_.destination_name = name;
    result_.listener.text = "none";
    result_.blocked = fmt::format(
        "'{}' declares no upstream '{}'{}", question_.from, name,
        known.empty() ? std::string(": it declares none")
                      : fmt::format("{}: it declares {}", did_you_mean(name, known), fmt::join(known, ", ")));
    result_.notes.push_back("what follows is what would happen if it did");
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

  void explain_intention() {
    const std::string& to = chain_.service;
    const auto found = translate::intention_between(catalog_, question_.from, to);
    const bool open = catalog_.proxy_defaults != nullptr && catalog_.proxy_defaults->allow_unauthenticated;
    if (found) {
      const catalog::IntentionSource& source = *found->source;
      std::string what = source.action == catalog::IntentionAction::allow ? "allow" : "deny";
      if (!source.permissions.empty()) {
        what = fmt::format("by {} permissions", source.permissions.size());
      }
      result_.intention = {fmt::format("{} → {}: {}", source.name, found->entry->head.name, what), source.place};
    } else {
      result_.intention.text = catalog_.allow_by_default ? "none matches, and the default is to allow"
                                                         : "none matches, and the default is to deny";
    }
    if (open) {
      result_.intention.text += "; not enforced: proxy-defaults says allow_unauthenticated";
    } else if (translate::closed_by_intentions(catalog_, to)) {
      result_.intention.text += "; cannot be enforced, so the sidecar of " + to + " lets nobody in";
    }
  }

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
