// What admin shows of the sidecar, and what it asks of it.
#include <fmt/format.h>

#include "core/admin/json.h"
#include "proxy/build_info.h"
#include "proxy/sidecar.h"

namespace remora::proxy {
namespace {

admin::EndpointFacts facts_of(const model::Endpoint& config, const upstream::EndpointShared& shared) {
  admin::EndpointFacts facts;
  facts.address = config.address;
  facts.hostname = config.hostname;
  facts.weight = config.weight;
  facts.priority = config.priority;
  facts.configured = config.health;
  facts.failed_outlier_check = shared.health.ejected.load(std::memory_order_relaxed);
  facts.success_rate = shared.health.success_rate.load(std::memory_order_relaxed);
  facts.local_success_rate = shared.health.local_success_rate.load(std::memory_order_relaxed);
  facts.failed_active_hc = shared.health.failed_active_check.load(std::memory_order_relaxed);
  shared.for_each_cells([&](const upstream::EndpointCells& cells) {
    facts.cx_active += static_cast<std::uint64_t>(cells.connections_active.value());
    facts.cx_connect_fail += cells.connect_failures.value();
    facts.cx_total += cells.connections_total.value();
    facts.rq_active += static_cast<std::uint64_t>(cells.requests_active.value());
    facts.rq_error += cells.requests_error.value();
    facts.rq_pending_active += static_cast<std::uint64_t>(cells.requests_pending.value());
    facts.rq_success += cells.requests_success.value();
    facts.rq_timeout += cells.requests_timeout.value();
    facts.rq_total += cells.requests_total.value();
  });
  return facts;
}

}  // namespace

admin::ServerFacts Sidecar::server() const {
  admin::ServerFacts facts;
  facts.state = lifecycle_.state_name();
  facts.ready = lifecycle_.is_ready();
  facts.uptime = std::chrono::duration_cast<Seconds>(loop_.now() - started_at_);
  facts.version = long_version();
  facts.hot_restart_version = "disabled";
  facts.command_line_options = command_line_options_;
  facts.node = snapshot_->node;
  facts.workers = concurrency_;
  facts.connections = active_connections();
  if (const auto& current = publisher_.current()) {
    for (const auto& cluster : current->clusters) {
      facts.requests += cluster->shared->limits.active(upstream::ClusterLimits::Kind::requests);
    }
  }
  return facts;
}

std::vector<admin::ClusterFacts> Sidecar::clusters() const {
  std::vector<admin::ClusterFacts> out;
  for (const std::string& name : snapshot_->cluster_order) {
    const auto cluster = shared_.find(name);
    if (!cluster) {
      continue;  // nothing has begun yet, or a configuration without it is on its way
    }
    const model::Cluster& config = *cluster->config;
    const upstream::Breaker& breaker = cluster->shared->breaker;
    admin::ClusterFacts facts;
    facts.name = config.name;
    facts.observability_name = config.alt_stat_name.empty() ? config.name : config.alt_stat_name;
    facts.thresholds = config.thresholds;
    facts.outlier_detection = config.outlier.enabled;
    const auto rates = cluster->shared->outliers.rates(false);
    const auto local = cluster->shared->outliers.rates(true);
    facts.success_rate_average = rates.average;
    facts.success_rate_threshold = rates.threshold;
    facts.local_success_rate_average = local.average;
    facts.local_success_rate_threshold = local.threshold;
    facts.breaker = breaker.enabled() ? upstream::Breaker::name(breaker.state()) : std::string_view();
    for (std::size_t i = 0; i < config.endpoints.size(); ++i) {
      facts.endpoints.push_back(facts_of(config.endpoints[i], *cluster->endpoints[i]));
    }
    if (discovery_ != nullptr) {
      facts.discovery = discovery_->facts_of(name);
    }
    out.push_back(std::move(facts));
  }
  return out;
}

// Each time that it becomes true of other listeners.
void Sidecar::tell_what_is_not_enforced() {
  std::string names;
  for (const auto& listener : snapshot_->listeners) {
    if (listener->intentions_not_enforced) {
      names += fmt::format("{}'{}'", names.empty() ? "" : ", ", listener->name);
    }
  }
  if (!names.empty() && names != unenforced_) {
    REMORA_LOG(log_, warn,
               "intentions are written for what listener {} lets in, and are not enforced: anybody may call it. "
               "The mesh accepts that by allow_unauthenticated in proxy-defaults",
               names);
  }
  unenforced_ = std::move(names);
}

std::vector<admin::ListenerFacts> Sidecar::listeners() const {
  std::vector<admin::ListenerFacts> out;
  for (const Publisher::Listening& listening : publisher_.listening()) {
    out.push_back({listening.config->name, listening.address, listening.config->intentions_not_enforced});
  }
  return out;
}

void Sidecar::quit() {
  REMORA_LOG(log_, warn, "/quitquitquit: ends at once, with {} connections open", active_connections());
  act(lifecycle_.quit());
}

void Sidecar::drain_listeners(const admin::DrainListeners& how) {
  REMORA_LOG(log_, warn, "/drain_listeners{}{}{}: {} connections open", how.graceful ? "?graceful" : "",
             how.never_stop ? "&skip_exit" : "", how.inbound_only ? ", inbound only" : "", active_connections());
  act(lifecycle_.drain_listeners(loop_.now(), how.graceful, how.never_stop, how.inbound_only));
}

void Sidecar::set_health_check_failed(bool failed) {
  REMORA_LOG(log_, warn, "/healthcheck/{}",
             failed ? "fail: /ready answers 503 and answers say `connection: close` from now on" : "ok");
  lifecycle_.set_health_check_failed(failed);
  for (const auto& worker : workers_) {
    worker->set_health_check_failed(failed);
  }
}

void Sidecar::set_log_level(std::string_view logger, std::string_view level) { logging_.set_level(logger, level); }

Result<void> Sidecar::reopen_logs() {
  access_log_.reopen();
  return logging_.reopen();
}

std::string options_json(const Options& options, unsigned concurrency) {
  admin::JsonWriter json;
  json.begin_object();
  json.key("base_id").string(fmt::format("{}", options.base_id));
  json.key("concurrency").number(concurrency);
  json.key("config_path").string(options.config_path);
  json.key("config_yaml").string(options.config_yaml);
  json.key("allow_unknown_static_fields").boolean(false);
  json.key("admin_address_path").string(options.admin_address_path);
  json.key("local_address_ip_version").string("v4");
  json.key("log_level").string(options.log_level);
  std::string components;
  for (const auto& [name, level] : options.component_log_levels) {
    components += fmt::format("{}{}:{}", components.empty() ? "" : ",", name, level);
  }
  json.key("component_log_level").string(components);
  json.key("log_format").string(options.log_format);
  json.key("log_path").string(options.log_path);
  json.key("service_cluster").string(options.service_cluster);
  json.key("service_node").string(options.service_node);
  json.key("service_zone").string(options.service_zone);
  json.key("drain_time").string(fmt::format("{}s", options.drain_time.count()));
  json.key("parent_shutdown_time").string(fmt::format("{}s", options.parent_shutdown_time.count()));
  json.key("mode").string("Serve");
  json.key("disable_hot_restart").boolean(true);
  json.key("restart_epoch").number(0);
  json.key("cpuset_threads").boolean(true);
  json.key("reject_unknown_dynamic_fields").boolean(true);
  json.key("log_format_escaped").boolean(options.log_format_escaped);
  json.key("disabled_extensions").begin_array().end_array();
  json.key("ignore_unknown_dynamic_fields").boolean(false);
  json.key("use_dynamic_base_id").boolean(options.use_dynamic_base_id);
  json.key("base_id_path").string(options.base_id_path);
  json.key("drain_strategy").string(options.drain_immediate ? "Immediate" : "Gradual");
  return json.end_object().take();
}

}  // namespace remora::proxy
