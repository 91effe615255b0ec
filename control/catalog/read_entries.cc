// The readers of service-defaults, proxy-defaults and service-splitter.
#include <fmt/format.h>

#include <cmath>

#include "control/catalog/entry_rows.h"
#include "control/catalog/proxy_settings.h"
#include "control/catalog/readers.h"
#include "control/catalog/words.h"

namespace remora::catalog {
namespace {

void read_defaults_protocol(const At& at, ServiceDefaults& into) { read_protocol_word(at, into.protocol); }
void read_defaults_balance(const At& at, ServiceDefaults& into) {
  read_balance_word(at, into.balance_inbound_connections);
}

void read_upstream_config(const At& at, ServiceDefaults& into) {
  static constexpr std::array kRows = {row<&ServiceDefaults::upstream_defaults>("defaults"),
                                       row<&ServiceDefaults::upstream_overrides>("overrides")};
  read_rows(at, kRows, &into);
  if (into.upstream_defaults && !into.upstream_defaults->name.empty()) {
    at.error("defaults", "`defaults` are for every upstream: a name belongs into `overrides`");
  }
  for (std::size_t i = 0; i < into.upstream_overrides.size(); ++i) {
    if (into.upstream_overrides[i].name.empty() || into.upstream_overrides[i].name == "*") {
      at.error("overrides", fmt::format("the override at [{}] needs the name of one upstream", i));
    }
  }
}

void read_defaults_extensions(const At& at, ServiceDefaults& into) {
  read_extension_map(at, into.extensions, ExtensionScope::all);
}

constexpr std::string_view kNoMutualTls = "mutual_tls_mode is not supported yet";
constexpr std::string_view kNoDestination =
    "destinations outside of the mesh need a terminating gateway: not supported";
constexpr std::string_view kNoRateLimits = "rate limits of instances are Consul Enterprise's: not supported";
constexpr std::string_view kNoLocalityPriority = "localities are Consul Enterprise's: not supported";

void read_proxy_config(const At& at, ProxyDefaults& into) {
  struct Both {
    ProxySettings settings;  // first: a proxy's rows read into it
    bool allow_unauthenticated = false;
  } both;
  static_assert(offsetof(Both, settings) == 0);
  std::vector<FieldRow> rows = {row<&Both::allow_unauthenticated>("allow_unauthenticated")};
  rows.insert(rows.end(), proxy_settings_rows().begin(), proxy_settings_rows().end());
  both.settings.place = at.place();
  read_rows(at, rows, &both);
  into.config = std::move(both.settings);
  into.allow_unauthenticated = both.allow_unauthenticated;
}

void read_failover_policy(const At& at, ProxyDefaults&) { read_failover_policy_words(at); }

// A weight as Consul keeps it: to the hundredth of a percent.
void read_weight(const At& at, Split& into) {
  double weight = 0;
  read_value(at, weight, Limits{0, 100});
  into.weight = static_cast<std::uint32_t>(std::lround(weight * 100));
}

std::string percent(std::uint32_t hundredths) { return fmt::format("{}", hundredths / 100.0); }

}  // namespace

void read_value(const At& at, ServiceDefaults& into, const Limits&) {
  static constexpr auto kRows = entry_rows<ServiceDefaults>(
      std::array{custom<ServiceDefaults, read_defaults_protocol>("protocol"), row<&ServiceDefaults::mode>("mode"),
                 row<&ServiceDefaults::transparent_proxy>("transparent_proxy"),
                 custom<ServiceDefaults, read_mesh_gateway_of<ServiceDefaults>>("mesh_gateway"),
                 row<&ServiceDefaults::expose>("expose"),
                 row<&ServiceDefaults::external_sni>("external_sni", {}, "external_s_n_i"),
                 custom<ServiceDefaults, read_upstream_config>("upstream_config"),
                 nonzero<&ServiceDefaults::max_inbound_connections>("max_inbound_connections"),
                 milliseconds<&ServiceDefaults::local_connect_timeout>("local_connect_timeout_ms"),
                 milliseconds<&ServiceDefaults::local_request_timeout>("local_request_timeout_ms"),
                 custom<ServiceDefaults, read_defaults_balance>("balance_inbound_connections"),
                 custom<ServiceDefaults, read_defaults_extensions>("config"), refused("mutual_tls_mode", kNoMutualTls),
                 refused("destination", kNoDestination), refused("rate_limits", kNoRateLimits),
                 refused("envoy_extensions", kNoEnvoyExtensions)});
  read_mapping(at, into, kRows);
  settle_head(at, into.head);
  read_extension_meta(at, into.head.meta, into.extensions, ExtensionScope::all);
}

void read_value(const At& at, AccessLogs& into, const Limits&) {
  static constexpr std::array kRows = {row<&AccessLogs::enabled>("enabled"),
                                       row<&AccessLogs::disable_listener_logs>("disable_listener_logs"),
                                       row<&AccessLogs::type>("type"),
                                       row<&AccessLogs::path>("path"),
                                       row<&AccessLogs::json_format>("json_format"),
                                       row<&AccessLogs::text_format>("text_format")};
  read_mapping(at, into, kRows);
  if (into.type == AccessLogs::Type::file && into.path.empty()) {
    at.error("needs a path, since its type is file");
  } else if (into.type != AccessLogs::Type::file && !into.path.empty()) {
    at.error("path", "goes with type: file");
  }
  if (!into.json_format.empty() && !into.text_format.empty()) {
    at.error("write json_format or text_format, not both");
  }
}

void read_value(const At& at, ProxyDefaults& into, const Limits&) {
  static constexpr auto kRows = entry_rows<ProxyDefaults>(std::array{
      custom<ProxyDefaults, read_proxy_config>("config"), row<&ProxyDefaults::mode>("mode"),
      row<&ProxyDefaults::transparent_proxy>("transparent_proxy"),
      custom<ProxyDefaults, read_mesh_gateway_of<ProxyDefaults>>("mesh_gateway"), row<&ProxyDefaults::expose>("expose"),
      row<&ProxyDefaults::access_logs>("access_logs"), custom<ProxyDefaults, read_failover_policy>("failover_policy"),
      refused("prioritize_by_locality", kNoLocalityPriority), refused("mutual_tls_mode", kNoMutualTls),
      refused("envoy_extensions", kNoEnvoyExtensions)});
  read_mapping(at, into, kRows);
  into.head.place = at.place();
  if (into.head.name.empty()) {
    into.head.name = "global";
  } else if (into.head.name != "global") {
    at.error("name", fmt::format("the one name of proxy-defaults is 'global', not '{}'", into.head.name));
  }
  check_meta(at, into.head.meta);
}

void read_value(const At& at, Split& into, const Limits&) {
  static constexpr std::array kRows = {custom<Split, read_weight>("weight"),
                                       row<&Split::service>("service"),
                                       row<&Split::service_subset>("service_subset"),
                                       row<&Split::request_headers>("request_headers"),
                                       row<&Split::response_headers>("response_headers"),
                                       refused("namespace", kNoNamespaces),
                                       refused("partition", kNoPartitions)};
  read_mapping(at, into, kRows);
}

void read_value(const At& at, ServiceSplitter& into, const Limits&) {
  static constexpr auto kRows = entry_rows<ServiceSplitter>(std::array{row<&ServiceSplitter::splits>("splits")});
  read_mapping(at, into, kRows);
  settle_head(at, into.head);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < into.splits.size(); ++i) {
    const Split& split = into.splits[i];
    sum += split.weight;
    const auto name = [&](const Split& one) { return one.service.empty() ? into.head.name : one.service; };
    for (std::size_t j = 0; j < i; ++j) {
      if (name(into.splits[j]) == name(split) && into.splits[j].service_subset == split.service_subset) {
        at.error("splits", fmt::format("[{}] and [{}] are the same service and subset: add up their weights", j, i));
      }
    }
  }
  if (sum != 10000) {
    at.error("splits", into.splits.empty() ? std::string("needs splits, whose weights sum to 100")
                                           : fmt::format("the weights sum to {}, not to 100", percent(sum)));
  }
}

}  // namespace remora::catalog
