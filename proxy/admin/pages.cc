#include "proxy/admin/pages.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <array>

#include "core/admin/json.h"
#include "core/base/nearest.h"
#include "metrics/process.h"
#include "metrics/registry.h"

namespace remora::admin {
namespace {

using Parameter = AdminPages::Parameter;
constexpr std::string_view kLevelNames = "trace debug info warning error critical off";
constexpr std::array kFormat = {Parameter{"format", "File format to use", "text json"}};
constexpr std::array kClusters = {Parameter{"filter", "Regular expression (RE2) that cluster names are to hold"},
                                  Parameter{"format", "File format to use", "text json"}};
constexpr std::array kConfigDump = {
    Parameter{"resource", "Only this list of the dump", "static_listeners static_clusters static_route_configs"},
    Parameter{"mask", "Only these fields, such as bootstrap.node; with resource, of each of its elements"},
    Parameter{"name_regex", "Only resources whose whole name matches this regular expression (RE2)"},
    Parameter{"include_eds", "Endpoints too, with their health as it is now", "", true}};
constexpr std::array kRoute = {
    Parameter{"url", "HOST[:PORT]/PATH; its listener is found by the port, or by the service that it names"},
    Parameter{"method", "GET unless said"}, Parameter{"header", "NAME: VALUE; may be given several times"},
    Parameter{"listener", "The listener's name, where the URL does not tell"},
    Parameter{"format", "File format to use", "text json"}};
constexpr std::array kLogging = {Parameter{"paths", "Change several: <logger1>:<level1>,<logger2>:<level2>"},
                                 Parameter{"level", "Change all loggers", kLevelNames}};
constexpr std::array kDrain = {
    Parameter{"graceful", "Answers say `connection: close` first; listeners stop after --drain-time-s", "", true},
    Parameter{"inboundonly", "Only listeners whose traffic_direction is INBOUND", "", true},
    Parameter{"skip_exit", "Answers say `connection: close`, and listeners never stop", "", true}};

constexpr std::array kLevels = {std::string_view("trace"),   std::string_view("debug"), std::string_view("info"),
                                std::string_view("warning"), std::string_view("error"), std::string_view("critical"),
                                std::string_view("off")};

AdminResponse logging_error(std::string_view words) {
  return text(fmt::format("error: {}\n\nusage: /logging?<name>=<level> (change single level)\n"
                          "usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n"
                          "usage: /logging?level=<level> (change all levels)\n"
                          "levels: {}\n",
                          words, fmt::join(kLevels, " ")),
              400);
}

}  // namespace

std::span<const AdminPages::Page> AdminPages::pages() {
  static const std::array kPages = {
      Page{"/", "Admin home page", false, &AdminPages::index},
      Page{"/certs", "print certs on machine", false, &AdminPages::certs},
      Page{"/clusters", "upstream cluster status", false, &AdminPages::clusters, kClusters},
      Page{"/config_dump", "dump current configuration", false, &AdminPages::config_dump, kConfigDump},
      Page{"/drain_listeners", "drain listeners", true, &AdminPages::drain_listeners, kDrain},
      Page{"/healthcheck/fail", "cause the server to fail health checks", true, &AdminPages::healthcheck_fail},
      Page{"/healthcheck/ok", "cause the server to pass health checks", true, &AdminPages::healthcheck_ok},
      Page{"/help", "print out list of admin commands", false, &AdminPages::help},
      Page{"/hot_restart_version", "print the hot restart compatibility version", false,
           &AdminPages::hot_restart_version},
      Page{"/listeners", "print listener info", false, &AdminPages::listeners, kFormat},
      Page{"/logging", "query (GET) or change logging levels", true, &AdminPages::logging, kLogging},
      Page{"/memory", "print current allocation/heap usage", false, &AdminPages::memory},
      Page{"/metrics", "print metrics in prometheus format", false, &AdminPages::metrics},
      Page{"/quitquitquit", "exit the server, at once; SIGTERM drains first", true, &AdminPages::quitquitquit},
      Page{"/ready", "print server state, return 200 if LIVE, otherwise return 503", false, &AdminPages::ready},
      Page{"/reopen_logs", "reopen log files, after a rotation", true, &AdminPages::reopen_logs},
      Page{"/reset_counters", "not supported: counters only rise, take rates of them instead", true,
           &AdminPages::reset_counters},
      Page{"/route", "what would become of a request: route, clusters, endpoints now, or the proxy's own answer", false,
           &AdminPages::route, kRoute},
      Page{"/server_info", "print server version/status information", false, &AdminPages::server_info},
      Page{"/stats/prometheus", "print metrics in prometheus format, as Envoy has it", false, &AdminPages::metrics}};
  return kPages;
}

AdminResponse AdminPages::answer(const AdminRequest& request) {
  const auto found = std::ranges::find(pages(), request.path, &Page::path);
  if (found == pages().end()) {
    if (request.path == "/stats" && request.find("format") == "prometheus") {
      return metrics(request);
    }
    std::vector<std::string_view> paths;
    std::ranges::transform(pages(), std::back_inserter(paths), &Page::path);
    return text(fmt::format("invalid path{}. admin commands are:\n{}",
                            request.path == "/stats" ? " (metrics are at /metrics)" : did_you_mean(request.path, paths),
                            page_list()),
                404);
  }
  // Reading the levels changes nothing: GET will do, though Envoy wants POST.
  const bool reads = found->path == "/logging" && request.query.empty() && request.method == "GET";
  if (found->mutates && !reads && request.method != "POST") {
    return text(fmt::format("Method {} not allowed, POST required.", request.method), 405);
  }
  return (this->*found->answer)(request);
}

std::string page_list() {
  std::string out;
  for (const auto& page : AdminPages::pages()) {
    out += fmt::format("  {}{}: {}\n", page.path, page.mutates ? " (POST)" : "", page.help);
    for (const auto& parameter : page.parameters) {
      std::string choices(parameter.choices);
      for (std::size_t at = 0; (at = choices.find(' ', at)) != std::string::npos; at += 2) {
        choices.replace(at, 1, ", ");
      }
      out += fmt::format("      {}: {}{}\n", parameter.name, parameter.help,
                         choices.empty() ? choices : fmt::format("; One of ({})", choices));
    }
  }
  return out;
}

AdminResponse AdminPages::help(const AdminRequest&) { return text("admin commands are:\n" + page_list()); }

AdminResponse AdminPages::ready(const AdminRequest&) {
  const ServerFacts server = facts_.server();
  return text(fmt::format("{}\n", server.state), server.ready ? 200 : 503);
}

AdminResponse AdminPages::server_info(const AdminRequest&) {
  const ServerFacts server = facts_.server();
  JsonWriter json_out;
  json_out.begin_object();
  json_out.key("version").string(server.version);
  json_out.key("state").string(server.state);
  json_out.key("uptime_current_epoch").string(fmt::format("{}s", server.uptime.count()));
  json_out.key("uptime_all_epochs").string(fmt::format("{}s", server.uptime.count()));
  json_out.key("hot_restart_version").string(server.hot_restart_version);
  json_out.key("command_line_options").raw(server.command_line_options);
  json_out.key("node").begin_object();
  json_out.key("id").string(server.node.id);
  json_out.key("cluster").string(server.node.cluster);
  json_out.key("locality").begin_object();
  json_out.key("region").string("").key("zone").string(server.node.zone).key("sub_zone").string("").end_object();
  json_out.key("user_agent_name").string("remora");
  json_out.key("extensions").begin_array().end_array();
  json_out.key("client_features").begin_array().end_array();
  json_out.key("listening_addresses").begin_array().end_array();
  json_out.key("dynamic_parameters").begin_object().end_object();
  json_out.end_object();
  json_out.key("hot_restart_initializing").boolean(false);
  return json(json_out.end_object().take());
}

AdminResponse AdminPages::metrics(const AdminRequest&) {
  return {.status = 200, .type = metrics::Registry::kContentType, .body = facts_.metrics(), .after = {}};
}

AdminResponse AdminPages::certs(const AdminRequest&) {
  return json(JsonWriter().begin_object().key("certificates").begin_array().end_array().end_object().take());
}

AdminResponse AdminPages::memory(const AdminRequest&) {
  const auto heap = mallinfo2();
  const auto number = [](std::size_t value) { return fmt::format("{}", value); };
  JsonWriter out;
  out.begin_object();
  out.key("allocated").string(number(heap.uordblks + heap.hblkhd));
  out.key("heap_size").string(number(heap.arena + heap.hblkhd));
  out.key("pageheap_unmapped").string("0");
  out.key("pageheap_free").string(number(heap.fordblks));
  out.key("total_thread_cache").string("0");
  out.key("total_physical_bytes")
      .string(number(static_cast<std::size_t>(remora::metrics::read_process().resident_bytes)));
  return json(out.end_object().take());
}

AdminResponse AdminPages::hot_restart_version(const AdminRequest&) { return text(facts_.server().hot_restart_version); }

AdminResponse AdminPages::log_levels() const {
  std::string out = "active loggers:\n";
  for (const auto& [name, level] : facts_.loggers()) {
    out += fmt::format("  {}: {}\n", name, level);
  }
  return text(out + "\n");
}

AdminResponse AdminPages::logging(const AdminRequest& request) {
  if (request.query.empty()) {
    return log_levels();
  }
  if (request.query.size() > 1) {
    return logging_error("invalid number of parameters");
  }
  // All or nothing: every change is checked before the first is made.
  std::vector<std::pair<std::string, std::string>> changes;
  const auto& [name, value] = request.query.front();
  if (name == "paths") {
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::string_view item = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), item.size() + 1));
      const std::size_t colon = item.find(':');
      if (colon == std::string_view::npos) {
        return logging_error(fmt::format("'{}' has no level", item));
      }
      changes.emplace_back(item.substr(0, colon), item.substr(colon + 1));
    }
  } else {
    changes.emplace_back(name == "level" ? std::string() : name, value);
  }
  const auto loggers = facts_.loggers();
  for (auto& [logger, level] : changes) {
    if (level == "warn") {
      level = "warning";
    }
    if (std::ranges::find(kLevels, level) == kLevels.end()) {
      return logging_error(fmt::format("unknown logger level{}", did_you_mean(level, kLevels)));
    }
    if (!logger.empty() &&
        std::ranges::find(loggers, logger, &std::pair<std::string, std::string>::first) == loggers.end()) {
      std::vector<std::string_view> names;
      std::ranges::transform(loggers, std::back_inserter(names), &std::pair<std::string, std::string>::first);
      return logging_error(fmt::format("unknown logger name{}", did_you_mean(logger, names)));
    }
  }
  for (const auto& [logger, level] : changes) {
    actions_.set_log_level(logger, level);
  }
  return log_levels();
}

AdminResponse AdminPages::drain_listeners(const AdminRequest& request) {
  actions_.drain_listeners({.graceful = request.find("graceful").has_value(),
                            .never_stop = request.find("skip_exit").has_value(),
                            .inbound_only = request.find("inboundonly").has_value()});
  return ok();
}

AdminResponse AdminPages::quitquitquit(const AdminRequest&) {
  AdminResponse response = ok();
  response.after = [this] { actions_.quit(); };
  return response;
}

AdminResponse AdminPages::healthcheck_fail(const AdminRequest&) {
  actions_.set_health_check_failed(true);
  return ok();
}

AdminResponse AdminPages::healthcheck_ok(const AdminRequest&) {
  actions_.set_health_check_failed(false);
  return ok();
}

AdminResponse AdminPages::reopen_logs(const AdminRequest&) {
  const auto done = actions_.reopen_logs();
  return done ? ok() : text(done.error().message + "\n", 500);
}

AdminResponse AdminPages::reset_counters(const AdminRequest&) {
  return text(
      "reset_counters is not supported: workers write their counters without locks, and a counter that falls "
      "misleads Prometheus. Take a rate, or the difference of two scrapes.\n",
      501);
}

}  // namespace remora::admin
