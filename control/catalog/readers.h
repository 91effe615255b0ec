// The readers of the catalog's structs: one for each, by a table of its fields. Found by overload from fields.h.
// Pure functions over a Reading; main thread.
#pragma once

#include "control/catalog/catalog.h"
#include "control/catalog/fields.h"

namespace remora::catalog {

void read_value(const At& at, HeaderChanges& into, const Limits& = {});
void read_value(const At& at, Expose& into, const Limits& = {});
void read_value(const At& at, ExposePath& into, const Limits& = {});
void read_value(const At& at, TransparentProxy& into, const Limits& = {});

void read_value(const At& at, Fault& into, const Limits& = {});
void read_value(const At& at, Mirror& into, const Limits& = {});
void read_value(const At& at, RetryBudget& into, const Limits& = {});
void read_value(const At& at, Breaker& into, const Limits& = {});
void read_value(const At& at, DiscoverySettings& into, const Limits& = {});
void read_value(const At& at, RetryTuning& into, const Limits& = {});

void read_value(const At& at, UpstreamLimits& into, const Limits& = {});
void read_value(const At& at, PassiveHealthCheck& into, const Limits& = {});
void read_value(const At& at, UpstreamSettings& into, const Limits& = {});
void read_value(const At& at, ProxySettings& into, const Limits& = {});
void read_value(const At& at, AccessLogs& into, const Limits& = {});

void read_value(const At& at, Weights& into, const Limits& = {});
void read_value(const At& at, Check& into, const Limits& = {});
void read_value(const At& at, Upstream& into, const Limits& = {});
void read_value(const At& at, Proxy& into, const Limits& = {});
void read_value(const At& at, Sidecar& into, const Limits& = {});
void read_value(const At& at, Service& into, const Limits& = {});

void read_value(const At& at, ServiceDefaults& into, const Limits& = {});
void read_value(const At& at, Route& into, const Limits& = {});
void read_value(const At& at, RouteMatch& into, const Limits& = {});
void read_value(const At& at, RouteDestination& into, const Limits& = {});
void read_value(const At& at, ServiceRouter& into, const Limits& = {});
void read_value(const At& at, Split& into, const Limits& = {});
void read_value(const At& at, ServiceSplitter& into, const Limits& = {});
void read_value(const At& at, Subset& into, const Limits& = {});
void read_value(const At& at, Redirect& into, const Limits& = {});
void read_value(const At& at, Failover& into, const Limits& = {});
void read_value(const At& at, FailoverTarget& into, const Limits& = {});
void read_value(const At& at, HashPolicy& into, const Limits& = {});
void read_value(const At& at, LoadBalancer& into, const Limits& = {});
void read_value(const At& at, ServiceResolver& into, const Limits& = {});
void read_value(const At& at, Permission& into, const Limits& = {});
void read_value(const At& at, IntentionSource& into, const Limits& = {});
void read_value(const At& at, ServiceIntentions& into, const Limits& = {});
void read_value(const At& at, ProxyDefaults& into, const Limits& = {});

// The extensions that a `config` may hold, as rows of the table of whoever has the member `extensions`.
enum class ExtensionScope : std::uint8_t { route, all };
void read_extension_map(const At& at, Extensions& into, ExtensionScope scope);
// The same out of `meta.remora`, which is YAML or JSON in a string; `config`, read already, wins key by key.
void read_extension_meta(const At& at, const TextMap& meta, Extensions& into, ExtensionScope scope);

template <auto Member, typename Owner>
constexpr FieldRow extension(std::string_view name) {
  return {name, [](const At& at, void* into, const Limits&) {
            read_value(at, static_cast<Owner*>(into)->extensions.*Member, Limits{});
          }};
}

// `failover_policy: {mode: sequential}`, of proxy-defaults, and `policy` of a failover: the one mode that there is.
void read_failover_policy_words(const At& at);

// `mesh_gateway: {mode: …}` flat into its mode.
void read_mesh_gateway(const At& at, MeshGatewayMode& into);
template <typename Owner>
void read_mesh_gateway_of(const At& at, Owner& into) {
  read_mesh_gateway(at, into.mesh_gateway);
}

// A service's, or a subset's, name as Consul takes it: it becomes part of a DNS name. Reports what is wrong.
void check_name(const At& at, std::string_view key, std::string_view what, std::string_view name);
void check_meta(const At& at, const TextMap& meta);
// Of paths, rewrites: it begins with '/'.
void check_absolute(const At& at, std::string_view key, std::string_view path);
void check_methods(const At& at, std::vector<std::string>& methods);
void check_regex(const At& at, std::string_view key, std::string_view regex);

}  // namespace remora::catalog
