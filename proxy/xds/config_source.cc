#include "proxy/xds/config_source.h"

#include <fmt/format.h>

#include "envoy/config/core/v3/config_source.pb.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

using core_v3::ApiConfigSource;

constexpr Milliseconds kLeastRefresh{10};

void check_cluster(const Scope& scope, const std::string& name, const Environment& environment) {
  if (name.empty()) {
    scope.error("is required: a cluster of static_resources");
  } else if (environment.control_clusters != nullptr && !environment.control_clusters->contains(name)) {
    scope.error(
        fmt::format("there is no cluster '{}' in static_resources that is not of type EDS: who serves "
                    "resources must be known before there are any",
                    name));
  }
}

void read_grpc_services(const Scope& list, const ApiConfigSource& message, const Environment& environment,
                        ConfigSource& result) {
  if (message.grpc_services_size() == 0) {
    list.error("at least one is required");
  }
  for (int i = 0; i < message.grpc_services_size(); ++i) {
    const core_v3::GrpcService& service = message.grpc_services(i);
    const Scope at = list.item(static_cast<std::size_t>(i));
    if (!service.has_envoy_grpc()) {
      at.error("envoy_grpc", "is required");
      continue;
    }
    const Scope grpc = at.field("envoy_grpc");
    check_cluster(grpc.field("cluster_name"), service.envoy_grpc().cluster_name(), environment);
    result.clusters.push_back(service.envoy_grpc().cluster_name());
    if (i > 0) {
      continue;  // later ones are other addresses of the same service
    }
    result.authority = service.envoy_grpc().authority();
    const Scope metadata = at.field("initial_metadata");
    for (int j = 0; j < service.initial_metadata_size(); ++j) {
      const auto& from = service.initial_metadata(j);
      const Scope item = metadata.item(static_cast<std::size_t>(j));
      check_header_value(item.field("value"), from.value());
      result.initial_metadata.emplace_back(read_header_name(item.field("key"), from.key()), from.value());
    }
  }
}

void read_rest(const Scope& scope, const ApiConfigSource& message, const Environment& environment,
               ConfigSource& result) {
  const Scope list = scope.field("cluster_names");
  if (message.cluster_names_size() == 0) {
    list.error("at least one is required for REST");
  }
  for (int i = 0; i < message.cluster_names_size(); ++i) {
    check_cluster(list.item(static_cast<std::size_t>(i)), message.cluster_names(i), environment);
    result.clusters.push_back(message.cluster_names(i));
  }
  const Scope delay = scope.field("refresh_delay");
  if (!message.has_refresh_delay()) {
    delay.error("is required for REST");
    return;
  }
  result.refresh_delay = read_duration(delay, message.refresh_delay(), Sign::positive);
  if (result.refresh_delay < kLeastRefresh) {
    delay.error(fmt::format("must be at least {}ms", kLeastRefresh.count()));
  }
  if (message.has_request_timeout()) {
    result.request_timeout = read_duration(scope.field("request_timeout"), message.request_timeout(), Sign::positive);
  }
}

}  // namespace

std::string_view kind_name(ConfigSource::Kind kind) {
  switch (kind) {
    case ConfigSource::Kind::none:
      return "none";
    case ConfigSource::Kind::ads:
      return "ads";
    case ConfigSource::Kind::grpc:
      return "grpc";
    case ConfigSource::Kind::delta_grpc:
      return "delta_grpc";
    case ConfigSource::Kind::rest:
      return "rest";
    case ConfigSource::Kind::path:
      return "path";
  }
  return "";
}

ConfigSource read_api_config_source(const Scope& scope, const ApiConfigSource& message,
                                    const Environment& environment) {
  ConfigSource result;
  if (message.transport_api_version() != core_v3::V3) {
    scope.error("transport_api_version", "must be V3: this is the only version that there still is");
  }
  result.node_on_first_message_only = message.set_node_on_first_message_only();
  switch (message.api_type()) {
    case ApiConfigSource::REST:
      result.kind = ConfigSource::Kind::rest;
      read_rest(scope, message, environment, result);
      return result;
    case ApiConfigSource::GRPC:
    case ApiConfigSource::AGGREGATED_GRPC:
      result.kind = ConfigSource::Kind::grpc;
      break;
    case ApiConfigSource::DELTA_GRPC:
    case ApiConfigSource::AGGREGATED_DELTA_GRPC:
      result.kind = ConfigSource::Kind::delta_grpc;
      break;
    default:
      scope.error("api_type", "is required: GRPC, DELTA_GRPC or REST");
  }
  read_grpc_services(scope.field("grpc_services"), message, environment, result);
  return result;
}

ConfigSource read_config_source(const Scope& scope, const core_v3::ConfigSource& message,
                                const Environment& environment) {
  ConfigSource result;
  switch (message.config_source_specifier_case()) {
    case core_v3::ConfigSource::kPath:
      result.kind = ConfigSource::Kind::path;
      result.path = message.path();
      require(scope, "path", message.path());
      break;
    case core_v3::ConfigSource::kPathConfigSource: {
      result.kind = ConfigSource::Kind::path;
      result.path = message.path_config_source().path();
      result.watched_directory = message.path_config_source().watched_directory().path();
      const Scope at = scope.field("path_config_source");
      require(at, "path", result.path);
      break;
    }
    case core_v3::ConfigSource::kApiConfigSource: {
      const Scope at = scope.field("api_config_source");
      result = read_api_config_source(at, message.api_config_source(), environment);
      const auto type = message.api_config_source().api_type();
      if (type == ApiConfigSource::AGGREGATED_GRPC || type == ApiConfigSource::AGGREGATED_DELTA_GRPC) {
        at.error("api_type", "is for ads_config: say `ads: {}` here");
      }
      break;
    }
    case core_v3::ConfigSource::kAds:
      result.kind = ConfigSource::Kind::ads;
      if (!environment.has_ads) {
        scope.error("ads", "there is no dynamic_resources.ads_config in the bootstrap");
      }
      break;
    case core_v3::ConfigSource::CONFIG_SOURCE_SPECIFIER_NOT_SET:
      scope.error("one of ads, api_config_source, path_config_source is required");
      break;
  }
  if (message.resource_api_version() == core_v3::V2) {
    scope.error("resource_api_version", "must be V3");
  }
  if (message.has_initial_fetch_timeout()) {
    result.initial_fetch_timeout = read_duration(scope.field("initial_fetch_timeout"), message.initial_fetch_timeout());
  }
  return result;
}

}  // namespace remora::xds
