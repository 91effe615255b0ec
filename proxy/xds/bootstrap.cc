#include "proxy/xds/bootstrap.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <algorithm>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "proxy/xds/proto_reader.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

namespace bootstrap_v3 = envoy::config::bootstrap::v3;

constexpr const char* kOverrideName = "--config-yaml";

void read_source(Context& context, std::string_view text, const std::string& name, bootstrap_v3::Bootstrap& into) {
  context.sources.push_back(YamlTree::parse(text, name, context.errors));
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
                                    model::Snapshot& snapshot) {
  std::set<std::string> names;
  for (int i = 0; i < message.clusters_size(); ++i) {
    const Scope at = list.item(static_cast<std::size_t>(i));
    auto cluster = read_cluster(at, message.clusters(i));
    if (cluster->name.empty()) {
      continue;
    }
    if (!names.insert(cluster->name).second) {
      at.error("name", fmt::format("there are two clusters '{}'", cluster->name));
      continue;
    }
    snapshot.cluster_order.push_back(cluster->name);
    snapshot.clusters.emplace(cluster->name, std::move(cluster));
  }
  return names;
}

void read_listeners(const Scope& list, const bootstrap_v3::Bootstrap::StaticResources& message,
                    const std::set<std::string>& clusters, model::Snapshot& snapshot) {
  std::set<std::string> names;
  std::set<std::string> addresses;
  for (int i = 0; i < message.listeners_size(); ++i) {
    const Scope at = list.item(static_cast<std::size_t>(i));
    auto listener = read_listener(at, message.listeners(i), clusters, snapshot.node.cluster);
    if (!listener->name.empty() && !names.insert(listener->name).second) {
      at.error("name", fmt::format("there are two listeners '{}'", listener->name));
    }
    const std::string address = listener->address.to_string();
    const bool shared = listener->address.is_ip() && listener->address.port() == 0;  // any free port
    if (listener->bind_to_port && !shared && !address.empty() && !addresses.insert(address).second) {
      at.error("address", fmt::format("another listener has the address {} already", address));
    }
    snapshot.listeners.push_back(std::move(listener));
  }
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

std::expected<std::shared_ptr<const model::Snapshot>, ConfigErrors> load_bootstrap(std::string_view text,
                                                                                   const std::string& file_name,
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

  auto snapshot = std::make_shared<model::Snapshot>();
  const Scope root(context);
  const Scope resources = root.field("static_resources");
  snapshot->version = 1;
  snapshot->node = read_node(bootstrap.node());
  if (bootstrap.has_admin() && bootstrap.admin().has_address()) {
    snapshot->admin = read_admin(root.field("admin"), bootstrap.admin());
  }
  const auto clusters = read_clusters(resources.field("clusters"), bootstrap.static_resources(), *snapshot);
  read_listeners(resources.field("listeners"), bootstrap.static_resources(), clusters, *snapshot);

  if (context.errors.empty()) {
    snapshot->bootstrap_json = std::make_shared<const std::string>(to_json(root, bootstrap));
  }
  if (!context.errors.empty()) {
    drop_consequences(context.errors, reading_errors);
    return std::unexpected(sorted(std::move(context.errors), file_name));
  }
  return snapshot;
}

}  // namespace remora::xds
