#include "control/translate/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/translate/retries.h"

namespace remora::translate {
namespace {

namespace rbac_v3 = envoy::config::rbac::v3;
using catalog::IntentionAction;
using catalog::IntentionSource;

// RE2's own letters are taken literally.
std::string quoted(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (std::string_view(R"(\.+*?()|[]{}^$)").find(c) != std::string_view::npos) {
      result += '\\';
    }
    result += c;
  }
  return result;
}

// spiffe://<trust domain>/ns/<namespace>/dc/<datacenter>/svc/<service>
rbac_v3::Principal principal_of(const std::string& source, const std::string& trust_domain) {
  const std::string service = source == "*" ? "[^/]+" : quoted(source);
  rbac_v3::Principal result;
  result.mutable_authenticated()->mutable_principal_name()->mutable_safe_regex()->set_regex(
      fmt::format("^spiffe://{}/ns/default/dc/[^/]+/svc/{}$", quoted(trust_domain), service));
  return result;
}

void set_path(const catalog::PathMatch& from, rbac_v3::Permission::Set& all) {
  using Kind = catalog::PathMatch::Kind;
  if (from.kind == Kind::any) {
    return;
  }
  auto& path = *all.add_rules()->mutable_url_path()->mutable_path();
  if (from.kind == Kind::exact) {
    path.set_exact(from.value);
  } else if (from.kind == Kind::prefix) {
    path.set_prefix(from.value);
  } else {
    path.mutable_safe_regex()->set_regex(from.value);
  }
}

rbac_v3::Permission requests_of(const catalog::Permission& from) {
  rbac_v3::Permission result;
  rbac_v3::Permission::Set all;
  set_path(from.path, all);
  for (const catalog::ValueMatch& header : from.header) {
    set_header_match(header, *all.add_rules()->mutable_header());
  }
  if (!from.methods.empty()) {
    rbac_v3::Permission::Set methods;
    for (const std::string& method : from.methods) {
      auto& header = *methods.add_rules()->mutable_header();
      header.set_name(":method");
      header.mutable_string_match()->set_exact(method);
    }
    *all.add_rules()->mutable_or_rules() = methods;
  }
  if (all.rules_size() == 0) {
    result.set_any(true);
  } else if (all.rules_size() == 1) {
    result = all.rules(0);
  } else {
    *result.mutable_and_rules() = all;
  }
  return result;
}

// The requests that some permission allows and none before it denies.
std::vector<rbac_v3::Permission> allowed_requests(const IntentionSource& source, bool http) {
  std::vector<rbac_v3::Permission> result;
  if (source.permissions.empty()) {
    if (source.action == IntentionAction::allow) {
      result.emplace_back().set_any(true);
    }
    return result;
  }
  if (!http) {
    return result;  // permissions speak of requests: of bytes, none is allowed
  }
  std::vector<rbac_v3::Permission> before;
  for (const catalog::Permission& permission : source.permissions) {
    rbac_v3::Permission requests = requests_of(permission);
    if (permission.action == IntentionAction::allow) {
      rbac_v3::Permission allowed = requests;
      if (!before.empty()) {
        rbac_v3::Permission::Set all;
        *all.add_rules() = requests;
        for (const rbac_v3::Permission& denied : before) {
          *all.add_rules()->mutable_not_rule() = denied;
        }
        allowed.Clear();
        *allowed.mutable_and_rules() = all;
      }
      result.push_back(allowed);
    } else {
      before.push_back(requests);
    }
  }
  return result;
}

bool unauthenticated_allowed(const catalog::Catalog& catalog) {
  return catalog.proxy_defaults != nullptr && catalog.proxy_defaults->allow_unauthenticated;
}

}  // namespace

std::vector<Intention> intentions_for(const catalog::Catalog& catalog, const std::string& destination) {
  std::vector<Intention> result;
  for (const std::string_view name : {std::string_view(destination), std::string_view("*")}) {
    if (const catalog::ServiceIntentions* entry = catalog.intentions_of(name)) {
      for (const IntentionSource& source : entry->sources) {
        result.push_back({entry, &source});
      }
    }
  }
  // The one for "*" says nothing of a source that the destination's own names.
  std::ranges::stable_sort(result, [](const Intention& a, const Intention& b) {
    return std::pair(-a.source->precedence, std::string_view(a.source->name)) <
           std::pair(-b.source->precedence, std::string_view(b.source->name));
  });
  std::set<std::string_view> seen;
  std::erase_if(result, [&](const Intention& one) { return !seen.insert(one.source->name).second; });
  return result;
}

std::optional<Intention> intention_between(const catalog::Catalog& catalog, const std::string& source,
                                           const std::string& destination) {
  for (const Intention& one : intentions_for(catalog, destination)) {
    if (one.source->name == source || one.source->name == "*") {
      return one;
    }
  }
  return std::nullopt;
}

rbac_v3::RBAC make_rbac(const catalog::Catalog& catalog, const std::string& destination, bool http,
                        const std::string& trust_domain) {
  rbac_v3::RBAC result;
  result.set_action(rbac_v3::RBAC::ALLOW);
  const auto all = intentions_for(catalog, destination);
  // Whom an intention of higher precedence names is none of a later one's.
  std::vector<rbac_v3::Principal> named;
  const auto others = [&](rbac_v3::Principal principal) {
    if (named.empty()) {
      return principal;
    }
    rbac_v3::Principal both;
    *both.mutable_and_ids()->add_ids() = std::move(principal);
    for (const rbac_v3::Principal& one : named) {
      *both.mutable_and_ids()->add_ids()->mutable_not_id() = one;
    }
    return both;
  };
  const auto add = [&](const std::string& name, const rbac_v3::Principal& principal,
                       const std::vector<rbac_v3::Permission>& permissions) {
    if (permissions.empty()) {
      return;
    }
    rbac_v3::Policy& policy = (*result.mutable_policies())[name];
    *policy.add_principals() = principal;
    for (const rbac_v3::Permission& permission : permissions) {
      *policy.add_permissions() = permission;
    }
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    const rbac_v3::Principal principal = principal_of(all[i].source->name, trust_domain);
    const bool wild = all[i].source->name == "*";
    add(fmt::format("intention {:03} {} to {}", i, all[i].source->name, all[i].entry->head.name),
        wild ? others(principal) : principal, allowed_requests(*all[i].source, http));
    named.push_back(principal);
    if (wild) {
      return result;
    }
  }
  if (catalog.allow_by_default) {
    rbac_v3::Permission any;
    any.set_any(true);
    rbac_v3::Principal anybody;
    anybody.set_any(true);
    add("default", others(anybody), {any});
  }
  return result;
}

Problems unenforced_intentions(const catalog::Catalog& catalog) {
  Problems result;
  if (unauthenticated_allowed(catalog)) {
    return result;
  }
  if (catalog.intentions.empty() && !catalog.allow_by_default) {
    result.push_back({Problem::Severity::error,
                      {},
                      "nobody may call anybody by Consul's default policy, which cannot be enforced, since proxies do "
                      "not prove who they are yet: say in proxy-defaults config: {allow_unauthenticated: true} that "
                      "everybody may call everybody"});
  }
  for (const auto& [name, entry] : catalog.intentions) {
    result.push_back({Problem::Severity::error, entry->head.place,
                      fmt::format("the intentions for '{}' cannot be enforced, since proxies do not prove who they are "
                                  "yet: remove them, or say in proxy-defaults config: {{allow_unauthenticated: true}} "
                                  "that everybody may call everybody",
                                  name)});
  }
  return result;
}

std::string unenforced_notice(const catalog::Catalog& catalog) {
  if (!unauthenticated_allowed(catalog) || (catalog.intentions.empty() && catalog.allow_by_default)) {
    return {};
  }
  return fmt::format("{} not enforced, since proxy-defaults says allow_unauthenticated: everybody may call everybody",
                     catalog.intentions.empty() ? std::string("Consul's default policy, to deny, is")
                     : catalog.intentions.size() == 1
                         ? fmt::format("the intentions for '{}' are", catalog.intentions.begin()->first)
                         : fmt::format("the intentions for {} services are", catalog.intentions.size()));
}

bool is_unenforced(const catalog::Catalog& catalog, const std::string& destination) {
  return unauthenticated_allowed(catalog) &&
         (!catalog.allow_by_default || !intentions_for(catalog, destination).empty());
}

bool closed_by_intentions(const catalog::Catalog& catalog, const std::string& destination) {
  if (unauthenticated_allowed(catalog)) {
    return false;
  }
  return !catalog.allow_by_default || !intentions_for(catalog, destination).empty();
}

}  // namespace remora::translate
