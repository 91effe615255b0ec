// The readers: protobuf messages into the model, one function a message, each reporting all that is wrong with its part
// to its Scope and going on. Only proxy/xds includes this; bootstrap.h is the way in. Main thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/scope.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/core/v3/protocol.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/type/v3/percent.pb.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"
#include "proxy/model/cluster.h"
#include "proxy/model/listener.h"
#include "proxy/model/route.h"
#include "proxy/xds/config_source.h"
#include "proxy/xds/resources.h"
#include "remora/clusters/consul/v3/consul.pb.h"

namespace remora::xds {

using config::Context;
using config::Scope;

namespace pb = google::protobuf;
namespace core_v3 = envoy::config::core::v3;
namespace route_v3 = envoy::config::route::v3;
namespace matcher_v3 = envoy::type::matcher::v3;
namespace type_v3 = envoy::type::v3;

// ---- values (values.cc) ----
enum class Sign : std::uint8_t { not_negative, positive };
// Rounded up to milliseconds, so that what is not zero stays so. Zero, once reported, when it is out of range.
Milliseconds read_duration(const Scope& scope, const pb::Duration& duration, Sign sign = Sign::not_negative);
// The file's content, the variable's value or the text itself.
std::string read_data_source(const Scope& scope, const core_v3::DataSource& source);
Address read_address(const Scope& scope, const core_v3::Address& address);
std::uint32_t per_million(const type_v3::FractionalPercent& percent);
model::Format read_format(const Scope& scope, const std::string& text);
std::string lower_case(std::string_view text);
// Lower case; reports what is no header's name.
std::string read_header_name(const Scope& scope, const std::string& name);
// Reports text that would end or break a header line.
void check_header_value(const Scope& scope, const std::string& value);
void require(const Scope& scope, std::string_view name, const std::string& text);  // not empty
void check_range(const Scope& scope, double value, double least, double most);

// Content of an Any whose type must be one of `Messages...`; the first that fits is passed to its overload of `visit`.
std::string any_type_name(const pb::Any& any);
bool unpack_any(const pb::Any& any, pb::Message& into);

// ---- matchers (matchers.cc) ----
std::optional<model::Regex> read_regex(const Scope& scope, const matcher_v3::RegexMatcher& regex);
std::optional<model::Regex> read_rewrite(const Scope& scope, const matcher_v3::RegexMatchAndSubstitute& rewrite);
model::StringMatch read_string_match(const Scope& scope, const matcher_v3::StringMatcher& matcher);
model::HeaderMatch read_header_match(const Scope& scope, const route_v3::HeaderMatcher& matcher);
model::RouteMatch read_route_match(const Scope& scope, const route_v3::RouteMatch& match);

// ---- header edits (header_edits.cc) ----
using HeaderOptions = pb::RepeatedPtrField<core_v3::HeaderValueOption>;
using HeaderNames = pb::RepeatedPtrField<std::string>;
std::vector<model::HeaderAdd> read_header_adds(const Scope& list, const HeaderOptions& options);
std::vector<std::string> read_header_removes(const Scope& list, const HeaderNames& names);
// RouteConfiguration, VirtualHost, Route and ClusterWeight name these fields alike.
template <typename Message>
model::HeaderEdits read_header_edits(const Scope& scope, const Message& message) {
  return {read_header_adds(scope.field("request_headers_to_add"), message.request_headers_to_add()),
          read_header_removes(scope.field("request_headers_to_remove"), message.request_headers_to_remove()),
          read_header_adds(scope.field("response_headers_to_add"), message.response_headers_to_add()),
          read_header_removes(scope.field("response_headers_to_remove"), message.response_headers_to_remove())};
}

// ---- filter_metadata.remora (remora_metadata.cc) ----
struct RouteExtras {
  bool retry_non_idempotent = false;
};
struct ListenerExtras {
  std::string service;
  std::uint64_t max_request_body_bytes = 0;
  model::Tracing::Begin trace_format = model::Tracing::Begin::w3c;
  bool intentions_not_enforced = false;
};
RouteExtras read_route_extras(const Scope& metadata, const core_v3::Metadata& message);
ListenerExtras read_listener_extras(const Scope& metadata, const core_v3::Metadata& message);
model::Breaker read_breaker(const Scope& metadata, const core_v3::Metadata& message);
void check_no_extras(const Scope& metadata, const core_v3::Metadata& message, std::string_view where);

// ---- resources ----
ConfigSource read_config_source(const Scope& scope, const core_v3::ConfigSource& message,
                                const Environment& environment);
ConfigSource read_api_config_source(const Scope& scope, const core_v3::ApiConfigSource& message,
                                    const Environment& environment);
// Reports, with their paths, fields and enum values that are not in our subset: binary resources carry them unseen.
void check_all_known(const Scope& scope, const pb::Message& message);

std::optional<model::RetryPolicy> read_retry_policy(const Scope& scope, const route_v3::RetryPolicy& policy);
// What a route's action takes from around it.
struct RouteDefaults {
  const std::set<std::string>* clusters = nullptr;  // those that exist; nullptr: not checked
  const std::optional<model::RetryPolicy>* retry = nullptr;
};
model::RouteAction read_route_action(const Scope& scope, const route_v3::RouteAction& action,
                                     const RouteDefaults& defaults);
std::vector<model::HashPolicy> read_hash_policies(const Scope& list, const route_v3::RouteAction& action);
model::DirectResponse read_direct_response(const Scope& scope, const route_v3::DirectResponseAction& action);
model::RedirectAction read_redirect(const Scope& scope, const route_v3::RedirectAction& action);
std::shared_ptr<const model::RouteConfiguration> read_routes(const Scope& scope,
                                                             const route_v3::RouteConfiguration& message,
                                                             const Environment& environment);
std::vector<model::AccessLog> read_access_logs(
    const Scope& list, const pb::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& messages);
model::TcpProxy read_tcp_proxy(const Scope& scope,
                               const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy& message,
                               const Environment& environment);
// With `rds` set, its routes are those of that resource: they are null in the listener.
std::shared_ptr<const model::Listener> read_listener(const Scope& scope,
                                                     const envoy::config::listener::v3::Listener& message,
                                                     const Environment& environment, std::optional<Reference>& rds);
ListenerResource read_listener_resource(const Scope& scope, const envoy::config::listener::v3::Listener& message,
                                        const Environment& environment);
// The cluster's dns_* settings; names come from its load_assignment.
void read_dns(const Scope& scope, const envoy::config::cluster::v3::Cluster& message, model::DnsDiscovery& dns);
std::shared_ptr<const model::HealthCheck> read_health_check(const Scope& scope, const core_v3::HealthCheck& message);
std::shared_ptr<const model::HealthCheckTarget> read_health_check_target(
    const Scope& scope, const envoy::config::endpoint::v3::Endpoint::HealthCheckConfig& message);
// With `eds` set, that resource brings its endpoints.
std::shared_ptr<const model::Cluster> read_cluster(const Scope& scope,
                                                   const envoy::config::cluster::v3::Cluster& message,
                                                   const Environment& environment, std::optional<Reference>& eds);
// Names go to `dns`; without one (EDS, static clusters) they are errors.
Endpoints read_endpoints(const Scope& scope, const envoy::config::endpoint::v3::ClusterLoadAssignment& message,
                         model::DnsDiscovery* dns);
model::ConsulDiscovery read_consul_cluster(const Scope& scope,
                                           const remora::clusters::consul::v3::ConsulCluster& message);

}  // namespace remora::xds
