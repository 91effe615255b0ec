#include "proxy/admin/dynamic_dump.h"

#include <fmt/format.h>
#include <time.h>

namespace remora::admin {
namespace {

using Wanted = std::function<bool(std::string_view)>;
using Resources = std::vector<DynamicResourceFacts>;

// How one kind of resource is shown.
struct Shape {
  std::string_view member;  // cluster
  std::string_view type;    // envoy.config.cluster.v3.Cluster
};
constexpr Shape kListener{"listener", "envoy.config.listener.v3.Listener"};
constexpr Shape kCluster{"cluster", "envoy.config.cluster.v3.Cluster"};
constexpr Shape kRoutes{"route_config", "envoy.config.route.v3.RouteConfiguration"};
constexpr Shape kEndpoints{"endpoint_config", "envoy.config.endpoint.v3.ClusterLoadAssignment"};

void write_good(JsonWriter& json, const DynamicResourceFacts& each, const Shape& shape) {
  json.key("version_info").string(each.version);
  json.key(shape.member).begin_object().key("@type").string(fmt::format("type.googleapis.com/{}", shape.type));
  if (!each.json.empty()) {
    json.raw_members(each.json);
  } else {
    json.key("name").string(each.name);
  }
  json.end_object();
  json.key("last_updated").string(timestamp(each.updated));
}

void write_error(JsonWriter& json, const DynamicResourceFacts& each) {
  if (each.failure) {
    json.key("error_state").begin_object();
    json.key("last_update_attempt").string(timestamp(each.failure->at));
    json.key("details").string(each.failure->reason);
    json.key("version_info").string(each.failure->version).end_object();
  } else if (!each.waits_for.empty()) {
    json.key("error_state").begin_object();
    json.key("last_update_attempt").string(timestamp(each.updated));
    json.key("details").string(fmt::format("waits for {}", each.waits_for));
    json.key("version_info").string(each.version).end_object();
  }
  json.key("client_status").string(each.failure ? "NACKED" : each.serving ? "ACKED" : "REQUESTED");
}

// Those that pass; no list when there are none.
template <typename Pass, typename Write>
void write_list(JsonWriter& json, std::string_view list, const Resources& resources, const Wanted& wanted, Pass&& pass,
                Write&& write) {
  bool any = false;
  for (const DynamicResourceFacts& each : resources) {
    if (!pass(each) || !wanted(each.name)) {
      continue;
    }
    if (!any) {
      json.key(list).begin_array();
      any = true;
    }
    json.begin_object();
    write(each);
    json.end_object();
  }
  if (any) {
    json.end_array();
  }
}

void write_plain_list(JsonWriter& json, std::string_view list, const Resources& resources, const Shape& shape,
                      const Wanted& wanted, bool serving, bool both) {
  write_list(
      json, list, resources, wanted, [&](const auto& each) { return both || each.serving == serving; },
      [&](const auto& each) {
        write_good(json, each, shape);
        write_error(json, each);
      });
}

void write_listeners(JsonWriter& json, const DynamicFacts& facts, const Wanted& wanted) {
  json.key("version_info").string(facts.listeners_version);
  write_list(
      json, "dynamic_listeners", facts.listeners, wanted, [](const auto&) { return true; },
      [&](const DynamicResourceFacts& each) {
        json.key("name").string(each.name);
        if (!each.json.empty()) {
          json.key(each.serving ? "active_state" : "warming_state").begin_object();
          write_good(json, each, kListener);
          json.end_object();
        }
        write_error(json, each);
      });
}

}  // namespace

std::string timestamp(WallTime time) {
  const auto since = time.time_since_epoch();
  const time_t seconds = std::chrono::duration_cast<Seconds>(since).count();
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", text, std::chrono::duration_cast<Milliseconds>(since).count() % 1000);
}

void write_dynamic(JsonWriter& json, std::string_view dump, const DynamicFacts& facts, const Wanted& wanted) {
  if (dump == "ClustersConfigDump" && !facts.clusters.empty()) {
    json.key("version_info").string(facts.clusters_version);
    write_plain_list(json, "dynamic_active_clusters", facts.clusters, kCluster, wanted, true, false);
    write_plain_list(json, "dynamic_warming_clusters", facts.clusters, kCluster, wanted, false, false);
  } else if (dump == "ListenersConfigDump" && !facts.listeners.empty()) {
    write_listeners(json, facts, wanted);
  } else if (dump == "RoutesConfigDump") {
    write_plain_list(json, "dynamic_route_configs", facts.routes, kRoutes, wanted, true, true);
  } else if (dump == "EndpointsConfigDump") {
    write_plain_list(json, "dynamic_endpoint_configs", facts.endpoints, kEndpoints, wanted, true, true);
  }
}

}  // namespace remora::admin
