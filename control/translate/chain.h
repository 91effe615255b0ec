// Chain: what a service's name means to who calls it: Consul's discovery chain, router → splitter → resolver, flattened
// to routes, each with the shares of its targets. Points into the catalog that it was compiled from, which outlives it.
// A value; any thread. Source: Consul's agent/consul/discoverychain/compile.go and its documentation, "Service mesh
// traffic management".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/catalog/catalog.h"
#include "control/translate/problem.h"
#include "control/translate/target.h"

namespace remora::translate {

// One step on the way to a target: a redirect, or a default subset.
struct ResolverStep {
  enum class Kind : std::uint8_t { redirect, default_subset };
  Kind kind = Kind::redirect;
  catalog::Place place;
  Target to;
};

struct Destination {
  Target target;
  std::vector<ResolverStep> steps;                     // from the name that was asked for
  const catalog::ServiceResolver* resolver = nullptr;  // of the target's service; null: it has none
  // Where nobody of the target answers, in order; and the entry's part that says so.
  std::vector<Target> failover;
  const catalog::Failover* failover_entry = nullptr;
};

// A share of a route's requests.
struct Share {
  std::uint32_t weight = 10'000;              // of 10000
  std::vector<const catalog::Split*> splits;  // which splits lead here, the outermost first; none: there is no splitter
  Destination destination;
};

struct ChainRoute {
  const catalog::Route* route = nullptr;  // null: what no route of the router takes, or all where there is no router
  std::size_t index = 0;                  // of `route`
  std::string service;                    // whose splitter and resolver decide
  const catalog::ServiceSplitter* splitter = nullptr;
  std::vector<Share> shares;
};

struct Chain {
  std::string service;
  catalog::Protocol protocol = catalog::Protocol::tcp;
  const catalog::ServiceRouter* router = nullptr;
  std::vector<ChainRoute> routes;  // the last one takes everything
  Problems problems;

  bool broken() const;  // has an error: nothing of it may be used
};

// `datacenter`: the upstream's; empty: the catalog's own. `protocol`: what the caller speaks, whatever the service says
// of itself; by tcp there are no routers and splitters. Empty: the service's.
Chain compile_chain(const catalog::Catalog& catalog, const std::string& service, const std::string& datacenter = {},
                    const std::string& protocol = {});

}  // namespace remora::translate
