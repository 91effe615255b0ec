#include "control/catalog/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "control/catalog/findings.h"
#include "control/catalog/stable_order.h"

namespace remora::catalog {

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::note:
      return "note";
  }
  return "error";
}

bool has_errors(const Findings& findings) {
  return std::ranges::any_of(findings, [](const Finding& one) { return one.severity == Severity::error; });
}

Findings validate(const Catalog& catalog) {
  Findings findings;
  Report report(findings);
  check_references(catalog, report);
  check_subsets(catalog, report);
  check_protocols(catalog, report);
  check_circles(catalog, report);
  check_ports(catalog, report);
  check_reachable(catalog, report);
  check_intentions(catalog, report);
  sort_stably(findings, [](const Finding& one) { return std::tie(one.what.file, one.what.line, one.what.column); });
  return findings;
}

void check_protocols(const Catalog& catalog, Report& report) {
  const auto check = [&](const EntryHead& head, std::string_view kind, std::string_view does) {
    const Protocol protocol = catalog.protocol_of(head.name);
    if (!is_http(protocol)) {
      report.error(head.place,
                   fmt::format("{} {}, but the protocol of '{}' is tcp{}: write protocol: http (http2, grpc) in its "
                               "service-defaults, or in the `config` of proxy-defaults for all",
                               kind, does, head.name,
                               catalog.defaults_of(head.name) == nullptr ? " (nothing says another)" : ""));
    }
  };
  for (const auto& [name, router] : catalog.routers) {
    check(router->head, "a service-router", "reads paths and headers");
  }
  for (const auto& [name, splitter] : catalog.splitters) {
    check(splitter->head, "a service-splitter", "shares out requests");
  }
}

void check_intentions(const Catalog& catalog, Report& report) {
  for (const auto& [destination, intentions] : catalog.intentions) {
    if (!catalog.proxy_defaults->allow_unauthenticated) {
      report.error(intentions->head.place,
                   "intentions cannot be enforced yet, since no proxy can prove who it is before identities come: "
                   "leave them out, or accept that they are not enforced by writing `config: {allow_unauthenticated: "
                   "true}` in proxy-defaults");
    } else {
      report.note(intentions->head.place, "not enforced: proxy-defaults says allow_unauthenticated");
    }
    if (destination != "*" && !is_http(catalog.protocol_of(destination))) {
      for (const IntentionSource& source : intentions->sources) {
        if (!source.permissions.empty()) {
          report.error(source.place, fmt::format("permissions read HTTP, but the protocol of '{}' is tcp: write an "
                                                 "`action` instead, or protocol: http in its service-defaults",
                                                 destination));
        }
      }
    }
  }
}

}  // namespace remora::catalog
