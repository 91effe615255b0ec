// translate: the mesh as one proxy needs it: the catalog's values into xDS resources: outbound listeners for the
// upstreams that its service declares, an inbound one for itself, their routes and clusters, and endpoints where asked
// for. A pure function: the same catalog and identity give the same bytes. Any thread.
// Names: listeners and route configurations "outbound/api", "inbound/web"; clusters "api", "api/v2", "api/v2@dc2",
// "local_app". Source: Consul's agent/xds, which this follows where docs/translation.md does not say otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "control/catalog/catalog.h"
#include "control/translate/problem.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace remora::translate {

struct ProxyIdentity {
  // Where the proxy gets its endpoints: they stand in the clusters (one process, no control plane); by EDS; or from
  // Consul, which it watches by itself (a Remora that was given one).
  enum class Endpoints : std::uint8_t { inline_in_cluster, eds, consul };

  std::string service;
  std::string id = {};  // of the instance; empty: the first one
  Endpoints endpoints = Endpoints::inline_in_cluster;
  bool remora = true;  // false: an Envoy: gRPC's retry conditions are fine
  bool http2 = false;  // it can call an upstream by HTTP/2: services of protocol http2 and grpc are, then

  auto operator<=>(const ProxyIdentity&) const = default;
};

using MessagePtr = std::shared_ptr<const google::protobuf::Message>;
using ByName = std::map<std::string, MessagePtr, std::less<>>;

struct Resources {
  ByName clusters;   // envoy.config.cluster.v3.Cluster
  ByName endpoints;  // envoy.config.endpoint.v3.ClusterLoadAssignment; empty unless Endpoints::eds
  ByName listeners;  // envoy.config.listener.v3.Listener
  ByName routes;     // envoy.config.route.v3.RouteConfiguration
  Problems problems;

  bool has_errors() const;
};

Resources translate(const catalog::Catalog& catalog, const ProxyIdentity& identity);

// The problems of all proxies that the catalog holds, each once, errors first: for who looks over a mesh.
Problems check(const catalog::Catalog& catalog);

// The wire form, maps sorted by key: equal messages have equal bytes.
std::string bytes_of(const google::protobuf::Message& message);
// Proto JSON with Envoy's names, one line for each value, maps sorted.
std::string json_of(const google::protobuf::Message& message);

// The resources as a file that -c takes: routes stand in their listeners. `admin`: "127.0.0.1:15000", or empty. Only of
// resources without EDS. Proto JSON, which is YAML too.
std::string static_bootstrap(const Resources& resources, const ProxyIdentity& identity, const std::string& admin = {});

}  // namespace remora::translate
