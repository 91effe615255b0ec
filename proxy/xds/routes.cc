#include <fmt/format.h>

#include <unordered_map>

#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

// One RouteConfiguration on its way into the model.
class RoutesReader {
 public:
  RoutesReader(const std::set<std::string>* clusters, model::RouteConfiguration& result)
      : clusters_(clusters), result_(result) {}

  void virtual_host(const Scope& scope, const route_v3::VirtualHost& message) {
    require(scope, "name", message.name());
    if (!message.name().empty() && !names_.emplace(message.name()).second) {
      scope.error("name", fmt::format("there are two virtual hosts '{}'", message.name()));
    }
    model::VirtualHost& host = result_.virtual_hosts.emplace_back();
    host.name = message.name();
    domains(scope.field("domains"), message, host);
    host.edits = read_header_edits(scope, message);
    host.include_request_attempt_count = message.include_request_attempt_count();
    host.include_attempt_count_in_response = message.include_attempt_count_in_response();
    check_no_extras(scope.field("metadata"), message.metadata(), "a virtual host");
    std::optional<model::RetryPolicy> retry;
    if (message.has_retry_policy()) {
      retry = read_retry_policy(scope.field("retry_policy"), message.retry_policy());
    }
    const Scope list = scope.field("routes");
    for (int i = 0; i < message.routes_size(); ++i) {
      model::Route& to = host.routes.emplace_back();
      to.per_request_buffer_limit_bytes = message.per_request_buffer_limit_bytes().value();
      route(list.item(static_cast<std::size_t>(i)), message.routes(i), retry, host, to);
    }
  }

 private:
  void domains(const Scope& list, const route_v3::VirtualHost& message, model::VirtualHost& host) {
    if (message.domains_size() == 0) {
      list.error("at least one domain is required; '*' is all");
    }
    for (int i = 0; i < message.domains_size(); ++i) {
      const Scope at = list.item(static_cast<std::size_t>(i));
      std::string domain = lower_case(message.domains(i));
      const std::size_t star = domain.find('*');
      if (domain.empty()) {
        at.error("a domain is not empty; '*' is all");
      } else if (star != std::string::npos &&
                 (domain.find('*', star + 1) != std::string::npos || (star != 0 && star + 1 != domain.size()))) {
        at.error(fmt::format("'{}': one '*' may stand, at the beginning or at the end", message.domains(i)));
      } else if (const auto [other, fresh] = domains_.emplace(domain, message.name()); !fresh) {
        at.error(fmt::format("'{}' is already a domain of virtual host '{}'", message.domains(i), other->second));
      }
      host.domains.push_back(std::move(domain));
    }
  }

  void route(const Scope& scope, const route_v3::Route& message, const std::optional<model::RetryPolicy>& retry,
             const model::VirtualHost& host, model::Route& to) {
    to.index = result_.route_count++;
    to.name = message.name();
    if (message.has_match()) {
      to.match = read_route_match(scope.field("match"), message.match());
    } else {
      scope.error("match", "is required");
    }
    action(scope, message, retry, to);
    to.edits = read_header_edits(scope, message);
    if (message.has_per_request_buffer_limit_bytes()) {
      to.per_request_buffer_limit_bytes = message.per_request_buffer_limit_bytes().value();
    }
    const RouteExtras extras = read_route_extras(scope.field("metadata"), message.metadata());
    if (auto* forward = std::get_if<model::RouteAction>(&to.action); forward != nullptr && forward->retry) {
      forward->retry->retry_non_idempotent = extras.retry_non_idempotent;
    }
    to.label = label(host, to);
  }

  void action(const Scope& scope, const route_v3::Route& message, const std::optional<model::RetryPolicy>& retry,
              model::Route& to) {
    switch (message.action_case()) {
      case route_v3::Route::kRoute:
        to.action = read_route_action(scope.field("route"), message.route(), {clusters_, &retry});
        break;
      case route_v3::Route::kDirectResponse:
        to.action = read_direct_response(scope.field("direct_response"), message.direct_response());
        break;
      case route_v3::Route::kRedirect:
        to.action = read_redirect(scope.field("redirect"), message.redirect());
        break;
      case route_v3::Route::ACTION_NOT_SET:
        scope.error("one of route, redirect, direct_response is required");
        break;
    }
  }

  // Labels are unique, since two series of one name and label set are none: the second "web/" is "web/#2".
  std::string label(const model::VirtualHost& host, const model::Route& route) {
    std::string text = route.name;
    if (text.empty()) {
      const std::string match =
          route.match.path.kind == model::PathMatch::Kind::connect ? "CONNECT" : route.match.path.text;
      text = fmt::format("{}{}{}", host.name, match.starts_with('/') ? "" : "/", match);
    }
    const int count = ++labels_[text];
    return count == 1 ? text : fmt::format("{}#{}", text, count);
  }

  const std::set<std::string>* clusters_;
  model::RouteConfiguration& result_;
  std::set<std::string> names_;
  std::unordered_map<std::string, std::string> domains_;  // and whose they are
  std::unordered_map<std::string, int> labels_;
};

}  // namespace

std::shared_ptr<const model::RouteConfiguration> read_routes(const Scope& scope,
                                                             const route_v3::RouteConfiguration& message,
                                                             const Environment& environment) {
  auto result = std::make_shared<model::RouteConfiguration>();
  result->name = message.name();
  result->edits = read_header_edits(scope, message);
  result->most_specific_header_mutations_wins = message.most_specific_header_mutations_wins();
  result->internal_only_headers =
      read_header_removes(scope.field("internal_only_headers"), message.internal_only_headers());
  // Routes of a file name clusters of the same file, so a wrong name is a mistake, unless the file says otherwise.
  result->validate_clusters = !message.has_validate_clusters() || message.validate_clusters().value();
  RoutesReader reader(result->validate_clusters ? environment.clusters : nullptr, *result);
  const Scope hosts = scope.field("virtual_hosts");
  for (int i = 0; i < message.virtual_hosts_size(); ++i) {
    reader.virtual_host(hosts.item(static_cast<std::size_t>(i)), message.virtual_hosts(i));
  }
  return result;
}

}  // namespace remora::xds
