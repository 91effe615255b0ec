#include "control/translate/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace remora::translate {
namespace {

using catalog::Catalog;

class Compiler {
 public:
  Compiler(const Catalog& catalog, Chain& chain, std::string datacenter, const std::string& protocol)
      : catalog_(catalog),
        chain_(chain),
        datacenter_(std::move(datacenter)),
        spoken_(protocol.empty() ? std::nullopt : std::optional(catalog::protocol_of_word(protocol))) {}

  void run() {
    own_protocol_ = catalog_.protocol_of(chain_.service);
    chain_.protocol = spoken_.value_or(own_protocol_);
    services_.insert(chain_.service);
    chain_.router = routes_nothing() ? nullptr : catalog_.router_of(chain_.service);
    if (chain_.router != nullptr && !catalog::is_http(chain_.protocol)) {
      error(chain_.router->head.place, fmt::format("the service-router of '{0}' needs a protocol of http, http2 or "
                                                   "grpc, and '{0}' is {1}: say protocol in its service-defaults",
                                                   chain_.service, to_string(chain_.protocol)));
      chain_.router = nullptr;
    }
    if (chain_.router != nullptr) {
      for (std::size_t i = 0; i < chain_.router->routes.size(); ++i) {
        add_route(chain_.router->routes[i], i);
      }
    }
    ChainRoute rest;
    rest.service = chain_.service;
    split_or_resolve({chain_.service, {}, datacenter_}, rest);
    chain_.routes.push_back(std::move(rest));
    check_protocols();
  }

 private:
  // The caller chose bytes: nobody reads requests.
  bool routes_nothing() const { return spoken_ && !catalog::is_http(*spoken_); }

  void add_route(const catalog::Route& route, std::size_t index) {
    ChainRoute to;
    to.route = &route;
    to.index = index;
    const catalog::RouteDestination& destination = route.destination;
    to.service = destination.service.empty() ? chain_.service : destination.service;
    const Target target{to.service, destination.service_subset, datacenter_};
    if (target.subset.empty()) {
      split_or_resolve(target, to);
    } else {
      to.shares.push_back({10'000, {}, resolve(target, route.place)});
    }
    chain_.routes.push_back(std::move(to));
  }

  void split_or_resolve(const Target& target, ChainRoute& to) {
    to.splitter = routes_nothing() ? nullptr : catalog_.splitter_of(target.service);
    if (to.splitter == nullptr) {
      to.shares.push_back({10'000, {}, resolve(target, chain_.router == nullptr ? catalog::Place{} : place_of(to))});
      return;
    }
    std::vector<std::string> path{target.service};
    std::vector<const catalog::Split*> splits;
    split(*to.splitter, target, 1.0, path, splits, to.shares);
    settle_weights(to.shares);
  }

  static catalog::Place place_of(const ChainRoute& route) {
    return route.route == nullptr ? catalog::Place{} : route.route->place;
  }

  // A split that names another service follows that one's splitter; its shares are shares of the split's.
  void split(const catalog::ServiceSplitter& splitter, const Target& from, double fraction,
             std::vector<std::string>& path, std::vector<const catalog::Split*>& splits, std::vector<Share>& shares) {
    for (const catalog::Split& one : splitter.splits) {
      const Target target{one.service.empty() ? from.service : one.service, one.service_subset, from.datacenter};
      const double part = fraction * one.weight / 10'000.0;
      splits.push_back(&one);
      const catalog::ServiceSplitter* next =
          target.service != from.service && target.subset.empty() ? catalog_.splitter_of(target.service) : nullptr;
      if (next == nullptr) {
        shares.push_back({0, splits, resolve(target, one.place)});
        exact_.push_back(part * 10'000.0);
      } else if (std::ranges::find(path, target.service) != path.end()) {
        error(one.place,
              fmt::format("the splitters of {} and {} lead to each other", fmt::join(path, ", "), target.service));
      } else {
        services_.insert(target.service);
        path.push_back(target.service);
        split(*next, target, part, path, splits, shares);
        path.pop_back();
      }
      splits.pop_back();
    }
  }

  // Whole numbers whose sum is 10000: the largest remainders get what rounding down left over.
  void settle_weights(std::vector<Share>& shares) {
    std::uint32_t sum = 0;
    std::vector<std::pair<double, std::size_t>> remainders;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      shares[i].weight = static_cast<std::uint32_t>(exact_[i] + 1e-6);
      sum += shares[i].weight;
      remainders.emplace_back(exact_[i] - shares[i].weight, i);
    }
    std::ranges::stable_sort(remainders, [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& [remainder, index] : remainders) {
      if (sum >= 10'000 || remainder < 1e-6) {
        break;
      }
      ++shares[index].weight;
      ++sum;
    }
    exact_.clear();
    if (sum == 0 && !shares.empty()) {
      error(shares[0].splits[0]->place, fmt::format("the splits of '{}' have no weight at all", chain_.service));
    }
  }

  Destination resolve(Target target, const catalog::Place& asked_at) {
    Destination result;
    std::set<Target> seen{target};
    catalog::Place from = asked_at;
    while (const auto step = next_step(target)) {
      target = step->to;
      from = step->place;
      result.steps.push_back(*step);
      if (!seen.insert(target).second) {
        error(step->place, fmt::format("redirects lead back to '{}'", target.name()));
        break;
      }
    }
    normalise(target);
    services_.insert(target.service);
    result.target = target;
    result.resolver = catalog_.resolver_of(target.service);
    check_target(target, result.resolver, from);
    add_failover(result);
    return result;
  }

  std::optional<ResolverStep> next_step(const Target& target) const {
    const catalog::ServiceResolver* resolver = catalog_.resolver_of(target.service);
    if (resolver == nullptr) {
      return std::nullopt;
    }
    if (resolver->redirect) {
      const catalog::Redirect& redirect = *resolver->redirect;
      Target to = rewritten(target, redirect.service, redirect.service_subset, redirect.datacenter);
      if (to != target) {
        return ResolverStep{ResolverStep::Kind::redirect, redirect.place, std::move(to)};
      }
    }
    if (target.subset.empty() && !resolver->default_subset.empty()) {
      Target to = target;
      to.subset = resolver->default_subset;
      return ResolverStep{ResolverStep::Kind::default_subset, resolver->head.place, std::move(to)};
    }
    return std::nullopt;
  }

  // What is not said stays; the subset of another service means nothing here.
  Target rewritten(const Target& target, const std::string& service, const std::string& subset,
                   const std::string& datacenter) const {
    Target to = target;
    if (!service.empty() && service != target.service) {
      to.service = service;
      to.subset.clear();
    }
    if (!subset.empty()) {
      to.subset = subset;
    }
    if (!datacenter.empty()) {
      to.datacenter = datacenter;
    }
    normalise(to);
    return to;
  }

  void normalise(Target& target) const {
    if (target.datacenter == catalog_.datacenter) {
      target.datacenter.clear();
    }
  }

  void check_target(const Target& target, const catalog::ServiceResolver* resolver, const catalog::Place& place) {
    if (!target.subset.empty() && (resolver == nullptr || !resolver->subsets.contains(target.subset))) {
      std::string known;
      if (resolver != nullptr) {
        for (const auto& [name, subset] : resolver->subsets) {
          known += fmt::format("{}'{}'", known.empty() ? "" : ", ", name);
        }
      }
      error(place, fmt::format("service '{}' has no subset '{}': {}", target.service, target.subset,
                               known.empty() ? "no service-resolver gives it any" : "it has " + known));
    }
  }

  void add_failover(Destination& to) {
    if (to.resolver == nullptr || to.resolver->failover.empty()) {
      return;
    }
    const auto& all = to.resolver->failover;
    auto found = all.find(to.target.subset);
    if (found == all.end()) {
      found = all.find("*");
    }
    if (found == all.end()) {
      return;
    }
    const catalog::Failover& entry = found->second;
    to.failover_entry = &entry;
    if (!entry.targets.empty()) {
      for (const catalog::FailoverTarget& one : entry.targets) {
        add_failover_target(rewritten(to.target, one.service, one.service_subset, one.datacenter), one.place, to);
      }
    } else if (!entry.datacenters.empty()) {
      for (const std::string& datacenter : entry.datacenters) {
        add_failover_target(rewritten(to.target, entry.service, entry.service_subset, datacenter), entry.place, to);
      }
    } else {
      add_failover_target(rewritten(to.target, entry.service, entry.service_subset, {}), entry.place, to);
    }
  }

  // A failover target follows its own redirects and default subset, but not its own failover.
  void add_failover_target(Target target, const catalog::Place& place, Destination& to) {
    std::set<Target> seen{target};
    while (const auto step = next_step(target)) {
      target = step->to;
      if (!seen.insert(target).second) {
        error(step->place, fmt::format("redirects lead back to '{}'", target.name()));
        return;
      }
    }
    services_.insert(target.service);
    check_target(target, catalog_.resolver_of(target.service), place);
    if (target != to.target && std::ranges::find(to.failover, target) == to.failover.end()) {
      to.failover.push_back(std::move(target));
    }
  }

  // One chain speaks one protocol, as Consul demands: a client that expects answers of http gets some.
  void check_protocols() {
    for (const std::string& service : services_) {
      const catalog::Protocol protocol = catalog_.protocol_of(service);
      if (protocol != own_protocol_) {
        const catalog::ServiceDefaults* defaults = catalog_.defaults_of(service);
        error(
            defaults == nullptr ? catalog::Place{} : defaults->head.place,
            fmt::format("'{0}' is {1}, and '{2}', which leads to it, is {3}: one protocol is needed; say protocol: {3} "
                        "in the service-defaults of '{0}'",
                        service, to_string(protocol), chain_.service, to_string(own_protocol_)));
      }
    }
  }

  void error(const catalog::Place& place, std::string message) {
    Problem problem{Problem::Severity::error, place, std::move(message)};
    if (std::ranges::find(chain_.problems, problem) == chain_.problems.end()) {
      chain_.problems.push_back(std::move(problem));
    }
  }

  const Catalog& catalog_;
  Chain& chain_;
  std::string datacenter_;
  const std::optional<catalog::Protocol> spoken_;
  catalog::Protocol own_protocol_ = catalog::Protocol::tcp;
  std::set<std::string> services_;  // that the chain speaks of
  std::vector<double> exact_;       // weights of the shares being made
};

}  // namespace

bool Chain::broken() const {
  return std::ranges::any_of(problems, [](const Problem& one) { return one.severity == Problem::Severity::error; });
}

Chain compile_chain(const catalog::Catalog& catalog, const std::string& service, const std::string& datacenter,
                    const std::string& protocol) {
  Chain chain;
  chain.service = service;
  Compiler(catalog, chain, datacenter == catalog.datacenter ? std::string() : datacenter, protocol).run();
  return chain;
}

}  // namespace remora::translate
