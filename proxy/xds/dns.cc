#include <fmt/format.h>

#include "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

namespace cluster_v3 = envoy::config::cluster::v3;
using Cares = envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;

// A rate below this would keep a resolver busy for nothing; Envoy's limit.
constexpr Milliseconds kLeastRate{1};
constexpr Seconds kLongestQuery{300};
constexpr double kMostTries = 100;

Milliseconds read_rate(const Scope& scope, const pb::Duration& duration) {
  const Milliseconds rate = read_duration(scope, duration, Sign::positive);
  return std::max(rate, kLeastRate);
}

void read_resolver(const Scope& scope, const core_v3::TypedExtensionConfig& message, model::DnsDiscovery& dns) {
  const Scope config = scope.field("typed_config");
  Cares cares;
  if (!unpack_any(message.typed_config(), cares)) {
    config.error(fmt::format("{} is expected here, not {}", cares.GetDescriptor()->full_name(),
                             message.has_typed_config() ? any_type_name(message.typed_config()) : "nothing"));
    return;
  }
  const Scope resolvers = config.field("resolvers");
  for (int i = 0; i < cares.resolvers_size(); ++i) {
    const Scope at = resolvers.item(static_cast<std::size_t>(i));
    Address server = read_address(at, cares.resolvers(i));
    if (!server.is_ip()) {
      at.error("a DNS server has an IP address");
    } else if (server.port() == 0) {
      server = Address::parse(server.ip(), 53).value_or(server);
    }
    dns.servers.push_back(server);
  }
  if (cares.has_query_timeout_seconds()) {
    const std::uint64_t seconds = cares.query_timeout_seconds().value();
    check_range(config.field("query_timeout_seconds"), static_cast<double>(seconds), 1, kLongestQuery.count());
    dns.query_timeout = Seconds(std::min<std::uint64_t>(seconds, kLongestQuery.count()));
  }
  if (cares.has_query_tries()) {
    dns.query_tries = cares.query_tries().value();
    check_range(config.field("query_tries"), dns.query_tries, 1, kMostTries);
  }
  dns.tcp = cares.dns_resolver_options().use_tcp_for_dns_lookups();
  dns.search = !cares.dns_resolver_options().no_default_search_domain();
}

}  // namespace

void read_dns(const Scope& scope, const cluster_v3::Cluster& message, model::DnsDiscovery& dns) {
  using Family = model::DnsDiscovery::Family;
  switch (message.dns_lookup_family()) {
    case cluster_v3::Cluster::V4_ONLY:
      dns.family = Family::v4_only;
      break;
    case cluster_v3::Cluster::V6_ONLY:
      dns.family = Family::v6_only;
      break;
    case cluster_v3::Cluster::V4_PREFERRED:
      dns.family = Family::v4_preferred;
      break;
    case cluster_v3::Cluster::ALL:
      dns.family = Family::all;
      break;
    default:
      dns.family = Family::automatic;
  }
  if (message.has_dns_refresh_rate()) {
    dns.refresh_rate = read_rate(scope.field("dns_refresh_rate"), message.dns_refresh_rate());
  }
  dns.respect_ttl = message.respect_dns_ttl();
  if (message.has_dns_jitter()) {
    dns.jitter = read_duration(scope.field("dns_jitter"), message.dns_jitter());
  }
  if (message.has_dns_failure_refresh_rate()) {
    const Scope at = scope.field("dns_failure_refresh_rate");
    const auto& from = message.dns_failure_refresh_rate();
    if (!from.has_base_interval()) {
      at.error("base_interval", "is required");
    }
    dns.failure_refresh_base = read_rate(at.field("base_interval"), from.base_interval());
    dns.failure_refresh_max = dns.failure_refresh_base * 10;
    if (from.has_max_interval()) {
      dns.failure_refresh_max = read_rate(at.field("max_interval"), from.max_interval());
      if (dns.failure_refresh_max < dns.failure_refresh_base) {
        at.error("max_interval", "must not be shorter than base_interval");
      }
    }
  }
  if (message.has_typed_dns_resolver_config()) {
    read_resolver(scope.field("typed_dns_resolver_config"), message.typed_dns_resolver_config(), dns);
  }
}

}  // namespace remora::xds
