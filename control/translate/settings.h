// Settings: what several places of the mesh say about one call, merged: proxy-defaults, the called service's
// service-defaults, the caller's upstream_config, the upstream's own config. The later of these wins, key by key.
// Values; any thread. Source: Consul's ResolveServiceConfig; docs/mesh_file.md for what is ours.
#pragma once

#include <optional>
#include <string>

#include "control/catalog/catalog.h"
#include "control/translate/chain.h"

namespace remora::translate {

// One upstream of one proxy, on its way into resources. Refers to the catalog and what stands in it.
struct Call {
  const catalog::Catalog& catalog;
  const std::string& caller;
  const catalog::Proxy& proxy;
  const catalog::Upstream& upstream;
};

struct CallSettings {
  std::string protocol;  // empty: what the called service says of itself
  std::optional<Nanoseconds> connect_timeout;
  catalog::UpstreamLimits limits;
  std::optional<catalog::PassiveHealthCheck> passive_health_check;
};

// How the caller calls by this upstream, whatever service its chain ends at.
CallSettings call_settings(const Call& call);

// What the call's name leads to, by the protocol that the caller speaks there.
Chain compile_chain(const Call& call);

// What Consul has no word for, for calls that end at `called`; and, with a route, for that route's requests.
catalog::Extensions call_extensions(const Call& call, const std::string& called,
                                    const catalog::Extensions* route = nullptr);

}  // namespace remora::translate
