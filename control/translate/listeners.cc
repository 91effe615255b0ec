#include "control/translate/listeners.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include "control/translate/access.h"
#include "control/translate/exposed.h"
#include "control/translate/protos.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace remora::translate {
namespace {

namespace accesslog_v3 = envoy::config::accesslog::v3;
namespace ext = envoy::extensions;
using Hcm = ext::filters::network::http_connection_manager::v3::HttpConnectionManager;
using FormatString = core_v3::SubstitutionFormatString;

bool set_format(const catalog::AccessLogs& logs, FormatString& format, Problems& problems) {
  if (!logs.text_format.empty()) {
    format.set_text_format(logs.text_format + (logs.text_format.ends_with('\n') ? "" : "\n"));
    return true;
  }
  if (logs.json_format.empty()) {
    return false;
  }
  if (!pb::util::JsonStringToMessage(logs.json_format, format.mutable_json_format()).ok()) {
    problems.push_back({Problem::Severity::error, logs.place, "access_logs.json_format is not a JSON object"});
    format.clear_json_format();
    return false;
  }
  return true;
}

template <typename Repeated>
void set_access_log(const catalog::Catalog& catalog, Repeated& to, Problems& problems) {
  if (catalog.proxy_defaults == nullptr || !catalog.proxy_defaults->access_logs ||
      !catalog.proxy_defaults->access_logs->enabled) {
    return;
  }
  const catalog::AccessLogs& logs = *catalog.proxy_defaults->access_logs;
  FormatString format;
  const bool formatted = set_format(logs, format, problems);
  const auto fill = [&](auto message, const char* name) {
    if (formatted) {
      *message.mutable_log_format() = format;
    }
    accesslog_v3::AccessLog& log = *to.Add();
    log.set_name(name);
    *log.mutable_typed_config() = pack(message);
  };
  switch (logs.type) {
    case catalog::AccessLogs::Type::standard_output:
      fill(ext::access_loggers::stream::v3::StdoutAccessLog(), "envoy.access_loggers.stdout");
      break;
    case catalog::AccessLogs::Type::standard_error:
      fill(ext::access_loggers::stream::v3::StderrAccessLog(), "envoy.access_loggers.stderr");
      break;
    case catalog::AccessLogs::Type::file: {
      ext::access_loggers::file::v3::FileAccessLog file;
      file.set_path(logs.path);
      fill(std::move(file), "envoy.access_loggers.file");
      break;
    }
  }
}

// "outbound.api", "exposed.web.21500": '/' and ':' in a metric's name would be read as something else.
std::string stat_prefix(const std::string& name) {
  std::string result = name;
  std::ranges::replace(result, '/', '.');
  std::ranges::replace(result, ':', '.');
  return result;
}

listener_v3::Listener finish(ListenerPlan plan, const std::string& filter, const pb::Message& config) {
  listener_v3::Filter& to = *plan.listener.add_filter_chains()->add_filters();
  to.set_name(filter);
  *to.mutable_typed_config() = pack(config);
  return std::move(plan.listener);
}

ListenerPlan make_plan(const catalog::Catalog& catalog, std::string name, const std::string& service,
                       core_v3::TrafficDirection direction) {
  ListenerPlan plan{catalog, std::move(name), service, {}};
  plan.listener.set_name(plan.name);
  plan.listener.set_traffic_direction(direction);
  (*remora_settings(*plan.listener.mutable_metadata()).mutable_fields())["service"].set_string_value(service);
  return plan;
}

// Where it says so; else where others look for it; else, as Consul, everywhere: Consul's address is the node's, which
// need not be this machine's own.
std::string inbound_address(const catalog::Catalog& catalog, const catalog::Service& service,
                            const catalog::Sidecar& sidecar) {
  const catalog::ProxySettings* global = catalog.proxy_defaults ? &catalog.proxy_defaults->config : nullptr;
  std::string address = sidecar.proxy.config.bind_address;
  if (address.empty() && global != nullptr) {
    address = global->bind_address;
  }
  if (address.empty()) {
    address = sidecar.address;
  }
  if (address.empty() && catalog.complete) {
    address = service.address;
  }
  return is_ip(address) ? address : "0.0.0.0";
}

}  // namespace

ListenerPlan plan_outbound(const catalog::Catalog& catalog, const std::string& service,
                           const catalog::Upstream& upstream) {
  const Target target{
      upstream.destination_name, {}, upstream.datacenter == catalog.datacenter ? "" : upstream.datacenter};
  ListenerPlan plan = make_plan(catalog, "outbound/" + target.name(), service, core_v3::OUTBOUND);
  if (!upstream.local_bind_socket_path.empty()) {
    plan.listener.mutable_address()->mutable_pipe()->set_path(upstream.local_bind_socket_path);
  } else {
    set_address(*plan.listener.mutable_address(), upstream.local_bind_address, upstream.local_bind_port);
  }
  return plan;
}

std::optional<ListenerPlan> plan_inbound(const catalog::Catalog& catalog, const catalog::Service& service,
                                         const catalog::Sidecar& sidecar, Problems& problems) {
  const catalog::ProxySettings& own = sidecar.proxy.config;
  const std::uint16_t port = own.bind_port != 0 ? own.bind_port : sidecar.port;
  if (port == 0) {
    problems.push_back({Problem::Severity::warning, sidecar.place,
                        fmt::format("the sidecar of '{}' has no port, so nobody can call it by its proxy: say "
                                    "connect.sidecar_service.port",
                                    service.id)});
    return std::nullopt;
  }
  ListenerPlan plan = make_plan(catalog, "inbound/" + service.name, service.name, core_v3::INBOUND);
  if (is_unenforced(catalog, service.name)) {  // the proxy says so wherever people look
    (*remora_settings(*plan.listener.mutable_metadata()).mutable_fields())["intentions_not_enforced"].set_bool_value(
        true);
  }
  set_address(*plan.listener.mutable_address(), inbound_address(catalog, service, sidecar), port);
  return plan;
}

ListenerPlan plan_exposed(const catalog::Catalog& catalog, const catalog::Service& service,
                          const catalog::ExposePath& path) {
  ListenerPlan plan = make_plan(catalog, exposed_name(service, path), service.name, core_v3::INBOUND);
  set_address(*plan.listener.mutable_address(), inbound_address(catalog, service, *service.sidecar),
              path.listener_port);
  return plan;
}

listener_v3::Listener finish_http(ListenerPlan plan, Problems& problems) {
  Hcm manager;
  manager.set_stat_prefix(stat_prefix(plan.name));
  manager.mutable_rds()->set_route_config_name(plan.name);
  set_ads(*manager.mutable_rds()->mutable_config_source());
  manager.mutable_tracing();  // traces go on, and begin here
  auto& upgrade = *manager.add_upgrade_configs();
  upgrade.set_upgrade_type("websocket");
  set_access_log(plan.catalog, *manager.mutable_access_log(), problems);
  auto& router = *manager.add_http_filters();
  router.set_name("envoy.filters.http.router");
  *router.mutable_typed_config() = pack(ext::filters::http::router::v3::Router());
  return finish(std::move(plan), "envoy.filters.network.http_connection_manager", manager);
}

listener_v3::Listener finish_tcp(ListenerPlan plan, TcpProxy tunnel, Problems& problems) {
  tunnel.set_stat_prefix(stat_prefix(plan.name));
  set_access_log(plan.catalog, *tunnel.mutable_access_log(), problems);
  return finish(std::move(plan), "envoy.filters.network.tcp_proxy", tunnel);
}

}  // namespace remora::translate
