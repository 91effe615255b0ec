#include "control/translate/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/translate/protos.h"
#include "control/translate/retries.h"

namespace remora::translate {
namespace {

using catalog::HeaderChanges;
using catalog::PathMatch;
using catalog::ValueMatch;

void set_path(const catalog::RouteMatch& from, route_v3::RouteMatch& to) {
  switch (from.path.kind) {
    case PathMatch::Kind::any:
      to.set_prefix("/");
      return;
    case PathMatch::Kind::exact:
      to.set_path(from.path.value);
      break;
    case PathMatch::Kind::prefix:
      to.set_prefix(from.path.value);
      break;
    case PathMatch::Kind::regex:
      // case_sensitive has no effect on a regular expression.
      to.mutable_safe_regex()->set_regex((from.case_insensitive ? "(?i)" : "") + from.path.value);
      return;
  }
  if (from.case_insensitive) {
    to.mutable_case_sensitive()->set_value(false);
  }
}

void set_methods(const std::vector<std::string>& methods, route_v3::RouteMatch& to) {
  if (methods.empty()) {
    return;
  }
  route_v3::HeaderMatcher& header = *to.add_headers();
  header.set_name(":method");
  if (methods.size() == 1) {
    header.mutable_string_match()->set_exact(methods[0]);
  } else {
    header.mutable_string_match()->mutable_safe_regex()->set_regex(fmt::format("{}", fmt::join(methods, "|")));
  }
}

// Without a matcher the parameter is present.
void set_query(const ValueMatch& from, route_v3::QueryParameterMatcher& to) {
  to.set_name(from.name);
  if (from.kind == ValueMatch::Kind::present) {
    to.set_present_match(true);
  } else if (from.kind == ValueMatch::Kind::regex) {
    to.mutable_string_match()->mutable_safe_regex()->set_regex(from.value);
  } else {
    to.mutable_string_match()->set_exact(from.value);
  }
}

// What an inner split says wins over what an outer one does.
HeaderChanges merged(const std::vector<const catalog::Split*>& splits, HeaderChanges catalog::Split::* member) {
  HeaderChanges result;
  for (const catalog::Split* split : splits) {
    for (const auto& [name, value] : (split->*member).add) {
      result.add[name] = value;
    }
    for (const auto& [name, value] : (split->*member).set) {
      result.set[name] = value;
    }
    for (const std::string& name : (split->*member).remove) {
      if (std::ranges::find(result.remove, name) == result.remove.end()) {
        result.remove.push_back(name);
      }
    }
  }
  return result;
}

void set_clusters(const ChainRoute& route, const ClusterNames& cluster_of, route_v3::RouteAction& to) {
  if (route.splitter == nullptr) {
    to.set_cluster(cluster_of(route.shares.at(0).destination));
    return;
  }
  for (const Share& share : route.shares) {
    auto& weighted = *to.mutable_weighted_clusters()->add_clusters();
    weighted.set_name(cluster_of(share.destination));
    weighted.mutable_weight()->set_value(share.weight);
    set_header_changes(weighted, merged(share.splits, &catalog::Split::request_headers),
                       merged(share.splits, &catalog::Split::response_headers));
  }
}

// The longest of what the resolvers of its targets say; a route's own wins.
std::optional<Nanoseconds> request_timeout(const ChainRoute& route) {
  if (route.route != nullptr && route.route->destination.request_timeout) {
    return route.route->destination.request_timeout;
  }
  std::optional<Nanoseconds> result;
  for (const Share& share : route.shares) {
    const catalog::ServiceResolver* resolver = share.destination.resolver;
    if (resolver != nullptr && resolver->request_timeout && (!result || *resolver->request_timeout > *result)) {
      result = resolver->request_timeout;
    }
  }
  return result;
}

void add_hash_policy(const catalog::HashPolicy& from, route_v3::RouteAction& action) {
  using Kind = catalog::HashPolicy::Kind;
  auto& to = *action.add_hash_policy();
  switch (from.kind) {
    case Kind::header:
      to.mutable_header()->set_header_name(from.field_value);
      break;
    case Kind::cookie:
      to.mutable_cookie()->set_name(from.field_value);
      if (from.generate_cookie) {
        set_duration(*to.mutable_cookie()->mutable_ttl(), from.cookie_ttl);
        to.mutable_cookie()->set_path(from.cookie_path);
      }
      break;
    case Kind::query_parameter:
      to.mutable_query_parameter()->set_name(from.field_value);
      break;
    case Kind::source_ip:
      to.mutable_connection_properties()->set_source_ip(true);
      break;
  }
  to.set_terminal(from.terminal);
}

// Of each resolver that its targets have, each once: a cluster whose balancer does not hash takes no notice.
void set_hash_policies(const ChainRoute& route, route_v3::RouteAction& to) {
  std::vector<const catalog::HashPolicy*> added;
  for (const Share& share : route.shares) {
    const catalog::ServiceResolver* resolver = share.destination.resolver;
    if (resolver == nullptr || !resolver->load_balancer) {
      continue;
    }
    for (const catalog::HashPolicy& policy : resolver->load_balancer->hash_policies) {
      if (std::ranges::none_of(added, [&](const auto* other) { return *other == policy; })) {
        added.push_back(&policy);
        add_hash_policy(policy, to);
      }
    }
  }
}

// Told where it is written, once, however many routes it is about.
void warn_of_extensions(const catalog::Extensions& extensions, Problems& problems) {
  if (extensions.fault) {
    problems.push_back({Problem::Severity::warning, extensions.fault->place,
                        "`fault` is not supported by this version of Remora: requests go on without it"});
  }
  if (extensions.request_mirror_policies && !extensions.request_mirror_policies->empty()) {
    problems.push_back({Problem::Severity::warning, extensions.request_mirror_policies->front().place,
                        "`request_mirror_policies` is not supported by this version of Remora: no copies are sent"});
  }
}

void set_action(const Call& call, const ProxyIdentity& identity, const ChainRoute& route,
                const ClusterNames& cluster_of, route_v3::Route& to, Problems& problems) {
  route_v3::RouteAction& action = *to.mutable_route();
  set_clusters(route, cluster_of, action);
  if (const auto timeout = request_timeout(route)) {
    set_duration(*action.mutable_timeout(), *timeout);
  }
  set_hash_policies(route, action);
  const catalog::Extensions extensions =
      call_extensions(call, route.service, route.route == nullptr ? nullptr : &route.route->extensions);
  warn_of_extensions(extensions, problems);
  if (route.route == nullptr) {
    return;
  }
  const catalog::RouteDestination& destination = route.route->destination;
  action.set_prefix_rewrite(destination.prefix_rewrite);
  if (destination.idle_timeout) {
    set_duration(*action.mutable_idle_timeout(), *destination.idle_timeout);
  }
  set_header_changes(to, destination.request_headers, destination.response_headers);
  set_retries(*route.route, extensions.retry_policy, identity, to, problems);
}

}  // namespace

void set_header_match(const ValueMatch& from, route_v3::HeaderMatcher& to) {
  to.set_name(from.name);
  to.set_invert_match(from.invert);
  switch (from.kind) {
    case ValueMatch::Kind::present:
      to.set_present_match(true);
      return;
    case ValueMatch::Kind::exact:
      to.mutable_string_match()->set_exact(from.value);
      break;
    case ValueMatch::Kind::prefix:
      to.mutable_string_match()->set_prefix(from.value);
      break;
    case ValueMatch::Kind::suffix:
      to.mutable_string_match()->set_suffix(from.value);
      break;
    case ValueMatch::Kind::contains:
      to.mutable_string_match()->set_contains(from.value);
      break;
    case ValueMatch::Kind::regex:
      to.mutable_string_match()->mutable_safe_regex()->set_regex((from.ignore_case ? "(?i)" : "") + from.value);
      return;
  }
  if (from.ignore_case) {
    to.mutable_string_match()->set_ignore_case(true);
  }
}

std::string RouteNames::next(const Chain& chain, const ChainRoute& route) {
  std::string name = chain.service + ":";
  const PathMatch path = route.route == nullptr ? PathMatch{} : route.route->match.path;
  switch (path.kind) {
    case PathMatch::Kind::any:
      name += "*";
      break;
    case PathMatch::Kind::exact:
      name += "=" + path.value;
      break;
    case PathMatch::Kind::prefix:
      name += path.value + "*";
      break;
    case PathMatch::Kind::regex:
      name += "~" + path.value;
      break;
  }
  const int count = ++used_[name];
  return count == 1 ? name : fmt::format("{}#{}", name, count);
}

route_v3::RouteConfiguration make_routes(const Call& call, const ProxyIdentity& identity, const Chain& chain,
                                         const std::string& name, const ClusterNames& cluster_of, Problems& problems) {
  route_v3::RouteConfiguration result;
  result.set_name(name);
  route_v3::VirtualHost& host = *result.add_virtual_hosts();
  host.set_name(chain.service);
  host.add_domains("*");
  RouteNames names;
  for (const ChainRoute& route : chain.routes) {
    route_v3::Route& to = *host.add_routes();
    to.set_name(names.next(chain, route));
    const catalog::RouteMatch match = route.route == nullptr ? catalog::RouteMatch{} : route.route->match;
    set_path(match, *to.mutable_match());
    for (const ValueMatch& header : match.header) {
      set_header_match(header, *to.mutable_match()->add_headers());
    }
    set_methods(match.methods, *to.mutable_match());
    for (const ValueMatch& parameter : match.query_param) {
      set_query(parameter, *to.mutable_match()->add_query_parameters());
    }
    set_action(call, identity, route, cluster_of, to, problems);
  }
  return result;
}

route_v3::RouteConfiguration make_broken_routes(const std::string& name, const std::string& service,
                                                const Problems& problems) {
  route_v3::RouteConfiguration result;
  result.set_name(name);
  route_v3::VirtualHost& host = *result.add_virtual_hosts();
  host.set_name(service);
  host.add_domains("*");
  route_v3::Route& route = *host.add_routes();
  route.set_name(service + ":broken");
  route.mutable_match()->set_prefix("/");
  route.mutable_direct_response()->set_status(503);
  std::string text = fmt::format("'{}' cannot be reached:\n", service);
  for (const Problem& problem : problems) {
    const std::string place = problem.place.to_string();
    text += fmt::format("- {}{}{}\n", place, place.empty() ? "" : ": ", problem.message);
  }
  route.mutable_direct_response()->mutable_body()->set_inline_string(text.substr(0, 4096));
  return result;
}

route_v3::RouteConfiguration make_inbound_routes(const std::string& name, const std::string& service,
                                                 const std::string& cluster, std::optional<Nanoseconds> request_timeout,
                                                 std::optional<Nanoseconds> idle_timeout) {
  route_v3::RouteConfiguration result;
  result.set_name(name);
  route_v3::VirtualHost& host = *result.add_virtual_hosts();
  host.set_name(service);
  host.add_domains("*");
  route_v3::Route& route = *host.add_routes();
  route.set_name(service + ":*");
  route.mutable_match()->set_prefix("/");
  route.mutable_route()->set_cluster(cluster);
  if (request_timeout) {
    set_duration(*route.mutable_route()->mutable_timeout(), *request_timeout);
  }
  if (idle_timeout) {
    set_duration(*route.mutable_route()->mutable_idle_timeout(), *idle_timeout);
  }
  return result;
}

}  // namespace remora::translate
