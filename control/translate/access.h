// Access: intentions as Envoy's RBAC: who may call a service, by the SPIFFE identity that a caller proves, and, of an
// HTTP service, which requests. Translation does not put it into listeners yet: no proxy proves who it is. Pure
// functions; any thread. Source: Consul's agent/xds/rbac.go; its documentation, "Service intentions".
#pragma once

#include "control/catalog/catalog.h"
#include "control/translate/problem.h"
#include "envoy/config/rbac/v3/rbac.pb.h"

namespace remora::translate {

// What decides about a caller: one source of an intentions entry. Highest precedence first.
struct Intention {
  const catalog::ServiceIntentions* entry = nullptr;
  const catalog::IntentionSource* source = nullptr;
};
std::vector<Intention> intentions_for(const catalog::Catalog& catalog, const std::string& destination);
// nullopt: none; the default holds.
std::optional<Intention> intention_between(const catalog::Catalog& catalog, const std::string& source,
                                           const std::string& destination);

// Allows what it names, and nothing else: action ALLOW, one policy for each intention that allows something. `http`:
// are there permissions to look at. `trust_domain`: of the identities.
envoy::config::rbac::v3::RBAC make_rbac(const catalog::Catalog& catalog, const std::string& destination, bool http,
                                        const std::string& trust_domain);

// That intentions are written and cannot be enforced; none where proxy-defaults says allow_unauthenticated.
Problems unenforced_intentions(const catalog::Catalog& catalog);
// That intentions are written, or Consul denies by default, and nobody enforces it, since proxy-defaults says
// allow_unauthenticated: words for people; empty: no such thing. The second: about this service.
std::string unenforced_notice(const catalog::Catalog& catalog);
bool is_unenforced(const catalog::Catalog& catalog, const std::string& destination);
// Must the inbound side of this service stay closed, since somebody restricts it and nobody can be recognised?
bool closed_by_intentions(const catalog::Catalog& catalog, const std::string& destination);

}  // namespace remora::translate
