// /config_dump: what was loaded, cut out of the bootstrap's JSON and framed as Envoy frames it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "core/admin/json.h"
#include "proxy/admin/dynamic_dump.h"
#include "proxy/admin/field_mask.h"
#include "proxy/admin/pages.h"

namespace remora::admin {
namespace {

constexpr std::string_view kPackage = "type.googleapis.com/envoy.admin.v3.";
// Lists that Envoy has too, and that hold nothing here.
constexpr std::array<std::string_view, 5> kEmptyLists = {"dynamic_active_clusters", "dynamic_warming_clusters",
                                                         "dynamic_listeners", "dynamic_route_configs",
                                                         "dynamic_endpoint_configs"};

// One entry of a static list: its resource's type, and the resource.
struct Entry {
  std::string_view wrapper;  // StaticListener
  std::string_view member;   // listener
  std::string_view type;     // envoy.config.listener.v3.Listener
  std::string_view resource;
};

struct Section {
  std::string_view type;  // ListenersConfigDump
  std::string_view list;  // static_listeners
  std::vector<Entry> entries;
};

std::vector<std::string_view> inline_routes(std::string_view listener) {
  std::vector<std::string_view> out;
  for (std::string_view chain : json_elements(json_member(listener, "filter_chains"))) {
    for (std::string_view filter : json_elements(json_member(chain, "filters"))) {
      const std::string_view routes = json_member(json_member(filter, "typed_config"), "route_config");
      if (!routes.empty()) {
        out.push_back(routes);
      }
    }
  }
  return out;
}

std::vector<Section> sections_of(std::string_view bootstrap, const std::function<bool(std::string_view)>& wanted) {
  Section clusters{"ClustersConfigDump", "static_clusters", {}};
  Section listeners{"ListenersConfigDump", "static_listeners", {}};
  Section routes{"RoutesConfigDump", "static_route_configs", {}};
  const auto add = [&](Section& section, Entry entry) {
    if (wanted(json_text(json_member(entry.resource, "name")))) {
      section.entries.push_back(entry);
    }
  };
  const std::string_view resources = json_member(bootstrap, "static_resources");
  for (std::string_view cluster : json_elements(json_member(resources, "clusters"))) {
    add(clusters, {"ClustersConfigDump.StaticCluster", "cluster", "envoy.config.cluster.v3.Cluster", cluster});
  }
  for (std::string_view listener : json_elements(json_member(resources, "listeners"))) {
    add(listeners, {"ListenersConfigDump.StaticListener", "listener", "envoy.config.listener.v3.Listener", listener});
    for (std::string_view config : inline_routes(listener)) {
      add(routes,
          {"RoutesConfigDump.StaticRouteConfig", "route_config", "envoy.config.route.v3.RouteConfiguration", config});
    }
  }
  return {std::move(clusters), std::move(listeners), std::move(routes)};
}

void write_entry(JsonWriter& json, const Entry& entry, const std::string& loaded, bool with_wrapper) {
  json.begin_object();
  if (with_wrapper) {
    json.key("@type").string(fmt::format("{}{}", kPackage, entry.wrapper));
  }
  json.key(entry.member).begin_object().key("@type").string(fmt::format("type.googleapis.com/{}", entry.type));
  json.raw_members(entry.resource).end_object();
  json.key("last_updated").string(loaded).end_object();
}

std::string_view health_name(const EndpointFacts& endpoint) {
  using Health = model::Endpoint::Health;
  if (endpoint.failed_outlier_check || endpoint.failed_active_hc || endpoint.configured == Health::unhealthy) {
    return "UNHEALTHY";
  }
  return endpoint.configured == Health::degraded   ? "DEGRADED"
         : endpoint.configured == Health::draining ? "DRAINING"
                                                   : "HEALTHY";
}

void write_endpoints(JsonWriter& json, const std::vector<ClusterFacts>& clusters, const DynamicFacts& dynamic,
                     const std::function<bool(std::string_view)>& wanted) {
  json.begin_object().key("@type").string(fmt::format("{}EndpointsConfigDump", kPackage));
  json.key("static_endpoint_configs").begin_array();
  for (const ClusterFacts& cluster : clusters) {
    if (!wanted(cluster.name)) {
      continue;
    }
    json.begin_object().key("endpoint_config").begin_object();
    json.key("@type").string("type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment");
    json.key("cluster_name").string(cluster.name);
    json.key("endpoints").begin_array().begin_object();
    json.key("locality").begin_object().end_object().key("lb_endpoints").begin_array();
    for (const EndpointFacts& endpoint : cluster.endpoints) {
      json.begin_object().key("endpoint").begin_object().key("address");
      write_address(json, endpoint.address);
      if (!endpoint.hostname.empty()) {
        json.key("hostname").string(endpoint.hostname);
      }
      json.end_object();
      json.key("health_status").string(health_name(endpoint));
      json.key("load_balancing_weight").number(endpoint.weight).end_object();
    }
    json.end_array().end_object().end_array().end_object().end_object();
  }
  json.end_array();
  write_dynamic(json, "EndpointsConfigDump", dynamic, wanted);
  json.end_object();
}

// A whole dump, or what the mask leaves of it; nothing when that is nothing.
void write_masked(JsonWriter& json, const FieldMask& mask, const std::function<void(JsonWriter&)>& write) {
  if (mask.empty()) {
    write(json);
    return;
  }
  JsonWriter whole;
  write(whole);
  const std::optional<std::string> rest = mask.trim(whole.take());
  if (rest && json_members(*rest).size() > 1) {  // more than @type
    json.raw(*rest);
  }
}

void write_section(JsonWriter& json, const Section& section, const std::string& loaded, const DynamicFacts& dynamic,
                   const std::function<bool(std::string_view)>& wanted) {
  json.begin_object().key("@type").string(fmt::format("{}{}", kPackage, section.type));
  if (!section.entries.empty()) {
    json.key(section.list).begin_array();
    for (const Entry& entry : section.entries) {
      write_entry(json, entry, loaded, false);
    }
    json.end_array();
  }
  write_dynamic(json, section.type, dynamic, wanted);
  json.end_object();
}

// One list, element by element.
AdminResponse dump_list(const std::vector<Section>& sections, std::string_view name, const FieldMask& mask,
                        std::string_view mask_text, const std::string& loaded) {
  if (name == "bootstrap") {
    return text("bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field\n", 400);
  }
  const auto found = std::ranges::find(sections, name, &Section::list);
  if (found == sections.end()) {
    return std::ranges::find(kEmptyLists, name) == kEmptyLists.end()
               ? text(fmt::format("{} not found in config dump", name), 404)
               : json("{}\n");
  }
  if (found->entries.empty()) {
    return json("{}\n");
  }
  JsonWriter out;
  out.begin_object().key("configs").begin_array();
  for (const Entry& entry : found->entries) {
    if (mask.empty()) {
      write_entry(out, entry, loaded, true);
      continue;
    }
    JsonWriter whole;
    write_entry(whole, entry, loaded, true);
    const std::optional<std::string> rest = mask.trim(whole.take());
    if (!rest || !mask.begins_with(entry.member, "last_updated")) {
      return text(
          fmt::format("FieldMask {} could not be successfully used: its paths begin with {} or last_updated, and "
                      "none leads through a list or a plain value\n",
                      mask_text, entry.member),
          400);
    }
    out.raw(*rest);
  }
  return json(out.end_array().end_object().take());
}

}  // namespace

AdminResponse AdminPages::config_dump(const AdminRequest& request) {
  const auto snapshot = facts_.snapshot();
  if (snapshot == nullptr || snapshot->bootstrap_json == nullptr) {
    return text("no configuration is loaded yet\n", 503);
  }
  std::optional<model::Regex> regex;
  if (const auto pattern = request.find("name_regex"); pattern && !pattern->empty()) {
    auto compiled = model::Regex::compile(std::string(*pattern));
    if (!compiled) {
      return text(fmt::format("Error while parsing name_regex from {}: {}\n", *pattern, compiled.error().message), 400);
    }
    regex = std::move(*compiled);
  }
  const auto wanted = [&](std::string_view name) { return !regex || regex->full_match(name); };
  const std::string& bootstrap = *snapshot->bootstrap_json;
  const std::string loaded = timestamp(facts_.snapshot_loaded());
  const std::vector<Section> sections = sections_of(bootstrap, wanted);

  const std::string mask_text(request.find("mask").value_or(""));
  const FieldMask mask(mask_text);
  if (const auto resource = request.find("resource")) {
    return dump_list(sections, *resource, mask, mask_text, loaded);
  }
  JsonWriter out;
  out.begin_object().key("configs").begin_array();
  if (!regex) {
    write_masked(out, mask, [&](JsonWriter& to) {
      to.begin_object().key("@type").string(fmt::format("{}BootstrapConfigDump", kPackage));
      to.key("bootstrap").raw(bootstrap).key("last_updated").string(loaded).end_object();
    });
  }
  const DynamicFacts dynamic = facts_.dynamic();
  write_masked(out, mask, [&](JsonWriter& to) { write_section(to, sections[0], loaded, dynamic, wanted); });
  if (request.find("include_eds")) {
    write_masked(out, mask, [&](JsonWriter& to) { write_endpoints(to, facts_.clusters(), dynamic, wanted); });
  }
  write_masked(out, mask, [&](JsonWriter& to) { write_section(to, sections[1], loaded, dynamic, wanted); });
  write_masked(out, mask, [&](JsonWriter& to) { write_section(to, sections[2], loaded, dynamic, wanted); });
  const std::string page = out.end_array().end_object().take();
  if (!mask.empty() && json_elements(json_member(page, "configs")).empty()) {
    return text(fmt::format("FieldMask {} could not be successfully applied to any configs.", mask_text), 400);
  }
  return json(page);
}

}  // namespace remora::admin
