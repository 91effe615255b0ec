#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

using Message = route_v3::RouteAction::HashPolicy;

void read_header(const Scope& scope, const Message::Header& from, model::HashPolicy& to) {
  to.kind = model::HashPolicy::Kind::header;
  require(scope, "header_name", from.header_name());
  to.name = lower_case(from.header_name());
  if (from.has_regex_rewrite()) {
    to.regex_rewrite = read_rewrite(scope.field("regex_rewrite"), from.regex_rewrite());
    to.regex_rewrite_substitution = from.regex_rewrite().substitution();
  }
}

void read_cookie(const Scope& scope, const Message::Cookie& from, model::HashPolicy& to) {
  to.kind = model::HashPolicy::Kind::cookie;
  require(scope, "name", from.name());
  check_header_value(scope.field("name"), from.name());
  check_header_value(scope.field("path"), from.path());
  to.name = from.name();
  to.cookie_path = from.path();
  if (from.has_ttl()) {
    to.cookie_ttl = std::chrono::duration_cast<Seconds>(read_duration(scope.field("ttl"), from.ttl()));
  }
}

model::HashPolicy read_one(const Scope& scope, const Message& message) {
  model::HashPolicy result;
  result.terminal = message.terminal();
  switch (message.policy_specifier_case()) {
    case Message::kHeader:
      read_header(scope.field("header"), message.header(), result);
      break;
    case Message::kCookie:
      read_cookie(scope.field("cookie"), message.cookie(), result);
      break;
    case Message::kConnectionProperties:
      result.kind = model::HashPolicy::Kind::source_ip;
      if (!message.connection_properties().source_ip()) {
        scope.error("connection_properties", "source_ip: true is required: there is nothing else to hash");
      }
      break;
    case Message::kQueryParameter: {
      const Scope parameter = scope.field("query_parameter");
      result.kind = model::HashPolicy::Kind::query_parameter;
      require(parameter, "name", message.query_parameter().name());
      result.name = message.query_parameter().name();
      break;
    }
    case Message::POLICY_SPECIFIER_NOT_SET:
      scope.error("one of header, cookie, connection_properties, query_parameter is required");
      break;
  }
  return result;
}

}  // namespace

std::vector<model::HashPolicy> read_hash_policies(const Scope& list, const route_v3::RouteAction& action) {
  std::vector<model::HashPolicy> result;
  for (int i = 0; i < action.hash_policy_size(); ++i) {
    result.push_back(read_one(list.item(static_cast<std::size_t>(i)), action.hash_policy(i)));
  }
  return result;
}

}  // namespace remora::xds
