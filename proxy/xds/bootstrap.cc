#include "proxy/xds/bootstrap.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <algorithm>

#include "core/config/json_tree.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "proxy/xds/proto_reader.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

namespace bootstrap_v3 = envoy::config::bootstrap::v3;

constexpr const char* kOverrideName = "--config-yaml";

void read_source(Context& context, std::string_view text, const std::string& name, bootstrap_v3::Bootstrap& into) {
  context.sources.push_back(config::parse_text(text, name, context.errors));
  ProtoReader(*context.sources.back()).read(Scope(context), into);
}

model::Node read_node(const core_v3::Node& message) {
  return {message.id(), message.cluster(), message.locality().zone()};
}

model::Admin read_admin(const Scope& scope, const bootstrap_v3::Admin& message) {
  model::Admin result;
  result.address = read_address(scope.field("address"), message.address());
  result.access_log_path = message.access_log_path();
  const auto logs = read_access_logs(scope.field("access_log"), message.access_log());
  if (logs.size() > 1) {
    scope.error("access_log", "one log is supported by this version of Remora");
  } else if (!logs.empty()) {
    result.access_log_path = logs[0].path;
  }
  return result;
}

std::set<std::string> read_clusters(const Scope& list, const bootstrap_v3::Bootstrap::StaticResources& message,
                                    const Environment& environment, Bootstrap& result) {
  std::set<std::string> names;
  for (int i = 0; i < message.clusters_size(); ++i) {
    const Scope at = list.item(static_cast<std::size_t>(i));
    ClusterResource read;
    read.cluster = read_cluster(at, message.clusters(i), environment, read.eds);
    if (read.cluster->name.empty()) {
      continue;
    }
    if (!names.insert(read.cluster->name).second) {
      at.error("name", fmt::format("there are two clusters '{}'", read.cluster->name));
      continue;
    }
    result.clusters.push_back(std::move(read));
  }
  return names;
}

void read_listeners(const Scope& list, const bootstrap_v3::Bootstrap::StaticResources& message,
                    const Environment& environment, Bootstrap& result) {
  std::set<std::string> names;
  std::set<std::string> addresses;
  for (int i = 0; i < message.listeners_size(); ++i) {
    const Scope at = list.item(static_cast<std::size_t>(i));
    ListenerResource read = read_listener_resource(at, message.listeners(i), environment);
    const model::Listener& listener = *read.listener;
    if (!listener.name.empty() && !names.insert(listener.name).second) {
      at.error("name", fmt::format("there are two listeners '{}'", listener.name));
    }
    const std::string address = listener.address.to_string();
    const bool shared = listener.address.is_ip() && listener.address.port() == 0;  // any free port
    if (listener.bind_to_port && !shared && !address.empty() && !addresses.insert(address).second) {
      at.error("address", fmt::format("another listener has the address {} already", address));
    }
    result.listeners.push_back(std::move(read));
  }
}

// The names alone, before anything is read: what is asked for may stand before who serves it.
std::set<std::string> control_clusters(const bootstrap_v3::Bootstrap::StaticResources& message) {
  std::set<std::string> result;
  for (const auto& cluster : message.clusters()) {
    if (cluster.type() != envoy::config::cluster::v3::Cluster::EDS && !cluster.has_cluster_type()) {
      result.insert(cluster.name());
    }
  }
  return result;
}

core_v3::Node node_to_send(core_v3::Node node, const LoadOptions& options) {
  if (node.user_agent_name().empty()) {
    node.set_user_agent_name("remora");
    if (node.user_agent_version_type_case() == core_v3::Node::USER_AGENT_VERSION_TYPE_NOT_SET) {
      node.set_user_agent_version(options.version);
    }
  }
  node.add_client_features("xds.config.resource-in-sotw");
  return node;
}

std::set<std::string> serving_clusters(const bootstrap_v3::Bootstrap::DynamicResources& message) {
  std::set<std::string> result;
  for (const auto* source :
       {&message.ads_config(), &message.cds_config().api_config_source(), &message.lds_config().api_config_source()}) {
    for (const auto& service : source->grpc_services()) {
      result.insert(service.envoy_grpc().cluster_name());
    }
  }
  return result;
}

void read_dynamic(const Scope& scope, const bootstrap_v3::Bootstrap::DynamicResources& message,
                  const Environment& environment, Bootstrap& result) {
  if (message.has_ads_config()) {
    result.ads = read_api_config_source(scope.field("ads_config"), message.ads_config(), environment);
    if (result.ads.kind == ConfigSource::Kind::rest) {
      const Scope at = scope.field("ads_config");
      at.error("api_type", "must be GRPC or DELTA_GRPC: REST has no aggregated form");
    }
  }
  if (message.has_cds_config()) {
    result.cds = read_config_source(scope.field("cds_config"), message.cds_config(), environment);
  }
  if (message.has_lds_config()) {
    result.lds = read_config_source(scope.field("lds_config"), message.lds_config(), environment);
  }
}

bool is_static(const model::Cluster& cluster) {
  return std::holds_alternative<model::StaticDiscovery>(cluster.discovery);
}

// What needs nothing else: the rest joins when it came.
std::shared_ptr<model::Snapshot> static_part(const Bootstrap& bootstrap) {
  auto snapshot = std::make_shared<model::Snapshot>();
  snapshot->version = 1;
  for (const ClusterResource& each : bootstrap.clusters) {
    if (is_static(*each.cluster)) {
      snapshot->cluster_order.push_back(each.cluster->name);
      snapshot->clusters.emplace(each.cluster->name, each.cluster);
    }
  }
  for (const ListenerResource& each : bootstrap.listeners) {
    if (!each.rds) {
      snapshot->listeners.push_back(each.listener);
    }
  }
  return snapshot;
}

// Canonical proto JSON, maps sorted, so that one configuration has one text.
std::string to_json(const Scope& scope, const bootstrap_v3::Bootstrap& bootstrap) {
  namespace util = google::protobuf::util;
  util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  const std::unique_ptr<util::TypeResolver> resolver(
      util::NewTypeResolverForDescriptorPool("type.googleapis.com", pb::DescriptorPool::generated_pool()));
  std::string json;
  const auto status =
      util::BinaryToJsonString(resolver.get(), "type.googleapis.com/" + bootstrap.GetDescriptor()->full_name(),
                               serialize(bootstrap), &json, options);
  if (!status.ok()) {
    scope.error(fmt::format("cannot be printed as JSON: {}", std::string(status.message())));
  }
  return json;
}

// Whether a meaning is missing only because the text there could not be read.
bool follows_from(const ConfigError& consequence, const ConfigErrors& causes) {
  return std::ranges::any_of(causes, [&](const ConfigError& cause) {
    const std::string& a = consequence.path;
    const std::string& b = cause.path;
    if (cause.path.empty() || a.starts_with(b)) {
      return a == b || (a.size() > b.size() && (b.empty() ? false : a[b.size()] == '.' || a[b.size()] == '['));
    }
    // The cause is a field of what the consequence speaks of.
    return b.starts_with(a) && b.find_first_of(".[", a.size() + 1) == std::string::npos &&
           (a.empty() || b[a.size()] == '.' || b[a.size()] == '[');
  });
}

void drop_consequences(ConfigErrors& errors, std::size_t first) {
  const ConfigErrors causes(errors.begin(), errors.begin() + static_cast<std::ptrdiff_t>(first));
  const auto rest = errors.begin() + static_cast<std::ptrdiff_t>(first);
  errors.erase(
      std::remove_if(rest, errors.end(), [&](const ConfigError& error) { return follows_from(error, causes); }),
      errors.end());
}

// As people read: by source, line, column; those of one place in the order in which they were found.
ConfigErrors sorted(ConfigErrors errors, const std::string& first_file) {
  using Key = std::tuple<bool, int, int, std::size_t>;
  std::vector<Key> order;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    order.emplace_back(errors[i].file != first_file, errors[i].line, errors[i].column, i);
  }
  std::ranges::sort(order);
  ConfigErrors result;
  for (const Key& key : order) {
    result.push_back(std::move(errors[std::get<3>(key)]));
  }
  return result;
}

}  // namespace

bool Bootstrap::dynamic() const {
  return lds.kind != ConfigSource::Kind::none || cds.kind != ConfigSource::Kind::none ||
         std::ranges::any_of(clusters, [](const ClusterResource& each) { return !is_static(*each.cluster); }) ||
         std::ranges::any_of(listeners, [](const ListenerResource& each) { return each.rds.has_value(); });
}

std::expected<Bootstrap, ConfigErrors> read_bootstrap(std::string_view text, const std::string& file_name,
                                                      const LoadOptions& options) {
  supported_extensions();  // the generated pool learns them
  Context context;
  bootstrap_v3::Bootstrap bootstrap;
  read_source(context, text, file_name, bootstrap);
  if (!options.config_yaml.empty()) {
    read_source(context, options.config_yaml, kOverrideName, bootstrap);
  }
  const std::size_t reading_errors = context.errors.size();
  if (!options.service_node.empty()) {
    bootstrap.mutable_node()->set_id(options.service_node);
  }
  if (!options.service_cluster.empty()) {
    bootstrap.mutable_node()->set_cluster(options.service_cluster);
  }
  if (!options.service_zone.empty()) {
    bootstrap.mutable_node()->mutable_locality()->set_zone(options.service_zone);
  }

  Bootstrap result;
  const Scope root(context);
  const Scope resources = root.field("static_resources");
  result.control_clusters = control_clusters(bootstrap.static_resources());
  const auto serving = serving_clusters(bootstrap.dynamic_resources());
  Environment environment{.clusters = nullptr,
                          .control_clusters = &result.control_clusters,
                          .serving = &serving,
                          .has_ads = bootstrap.dynamic_resources().has_ads_config(),
                          .default_service = bootstrap.node().cluster()};
  const auto clusters = read_clusters(resources.field("clusters"), bootstrap.static_resources(), environment, result);
  // With CDS a name that is not in the file may come later: until then its listener waits.
  environment.clusters = bootstrap.dynamic_resources().has_cds_config() ? nullptr : &clusters;
  read_listeners(resources.field("listeners"), bootstrap.static_resources(), environment, result);
  read_dynamic(root.field("dynamic_resources"), bootstrap.dynamic_resources(), environment, result);
  result.node = serialize(node_to_send(bootstrap.node(), options));
  auto snapshot = static_part(result);
  snapshot->node = read_node(bootstrap.node());
  if (bootstrap.has_admin() && bootstrap.admin().has_address()) {
    snapshot->admin = read_admin(root.field("admin"), bootstrap.admin());
  }

  if (context.errors.empty()) {
    snapshot->bootstrap_json = std::make_shared<const std::string>(to_json(root, bootstrap));
  }
  if (!context.errors.empty()) {
    drop_consequences(context.errors, reading_errors);
    return std::unexpected(sorted(std::move(context.errors), file_name));
  }
  result.snapshot = std::move(snapshot);
  return result;
}

std::expected<std::shared_ptr<const model::Snapshot>, ConfigErrors> load_bootstrap(std::string_view text,
                                                                                   const std::string& file_name,
                                                                                   const LoadOptions& options) {
  auto read = read_bootstrap(text, file_name, options);
  if (!read) {
    return std::unexpected(std::move(read.error()));
  }
  return std::move(read->snapshot);
}

}  // namespace remora::xds
