// /route: what this proxy would do with a request, for people and, as JSON, for programs.
#include <fmt/format.h>

#include "core/admin/json.h"
#include "proxy/admin/pages.h"
#include "proxy/admin/route_answer.h"

namespace remora::admin {
namespace {

std::string line(std::string_view name, std::string_view words) {
  return words.empty() ? std::string() : fmt::format("  {:<10} {}\n", name, words);
}

std::string first_line(std::string_view body) { return std::string(body.substr(0, body.find('\n'))); }

// Wherever a client gets an answer that is not a service's.
std::string text_of(const RouteReply& reply) {
  std::string out = reply.status == 0 ? "closes the connection" : fmt::format("{}", reply.status);
  if (!reply.location.empty()) {
    out += fmt::format(", location: {}", reply.location);
  } else if (!reply.body.empty()) {
    out += fmt::format(" {}", first_line(reply.body));
  }
  if (!reply.reason.empty()) {
    out += fmt::format(" ({}{}{})", reply.reason, reply.flags.empty() ? "" : ", ", reply.flags);
  }
  out = line("answers", out);
  if (reply.location.empty() && first_line(reply.body).size() < reply.body.size()) {  // a story of several lines
    for (std::string_view rest = std::string_view(reply.body).substr(first_line(reply.body).size() + 1); !rest.empty();
         rest.remove_prefix(std::min(rest.size(), first_line(rest).size() + 1))) {
      out += line("", first_line(rest));
    }
  }
  return out + line("cause", reply.cause) + line("evidence", reply.evidence) + line("way out", reply.way_out);
}

std::string text_of(const RouteEndpoint& endpoint, bool several_priorities) {
  std::string out = fmt::format("{} {}, {} active", endpoint.address, endpoint.state, endpoint.active);
  if (!endpoint.hostname.empty() && !endpoint.address.starts_with(endpoint.hostname)) {
    out += fmt::format(", {}", endpoint.hostname);
  }
  if (endpoint.weight != 1) {
    out += fmt::format(", weight {}", endpoint.weight);
  }
  if (several_priorities) {
    out += fmt::format(", priority {}", endpoint.priority);
  }
  return out;
}

std::string text_of(const DiscoveryFacts& discovery) {
  std::string out = line("", fmt::format("by {}, confirmed {:.1f} s ago", discovery.source,
                                         std::chrono::duration<double>(discovery.age).count()));
  if (!discovery.failing.empty()) {
    out += line("", fmt::format("failing: {}", discovery.failing));
  }
  if (discovery.holding) {
    out += line("", "an answer without any instance is not believed yet");
  }
  for (const std::string& skipped : discovery.skipped) {
    out += line("", fmt::format("left out: {}", skipped));
  }
  return out;
}

std::string text_of(const RouteShare& share, bool only) {
  std::string out =
      line("cluster", fmt::format("{}{}", share.cluster, only ? "" : fmt::format(", {:.4g} %", share.percent)));
  if (share.balancer.empty()) {
    return out + (share.reply ? text_of(*share.reply) : "");
  }
  bool several = false;
  for (const RouteEndpoint& endpoint : share.endpoints) {
    several = several || endpoint.priority != 0;
  }
  std::string_view name = "endpoints";
  for (const RouteEndpoint& endpoint : share.endpoints) {
    out += line(name, text_of(endpoint, several));
    name = "";
  }
  if (share.endpoints.empty()) {
    out += line("endpoints", "none");
  }
  if (share.discovery) {
    out += text_of(*share.discovery);
  }
  if (share.panic) {
    out += line("", "too few are healthy: all are called (healthy_panic_threshold)");
  }
  out += line("balanced", fmt::format("{}, connected within {}", share.balancer, share.connect_timeout));
  out += line("breaker", share.breaker);
  return out + (share.reply ? text_of(*share.reply) : "");
}

void write(JsonWriter& json, std::string_view key, std::string_view value) {
  if (!value.empty()) {
    json.key(key).string(value);
  }
}

void write(JsonWriter& json, std::string_view key, const std::vector<std::string>& values) {
  if (!values.empty()) {
    json.key(key).begin_array();
    for (const std::string& value : values) {
      json.string(value);
    }
    json.end_array();
  }
}

void write(JsonWriter& json, const RouteReply& reply) {
  json.key("reply").begin_object();
  json.key("configured").boolean(reply.configured);
  json.key("status").number(reply.status);
  write(json, "reason", reply.reason);
  write(json, "flags", reply.flags);
  write(json, "location", reply.location);
  write(json, "body", reply.body);
  write(json, "cause", reply.cause);
  write(json, "evidence", reply.evidence);
  write(json, "way_out", reply.way_out);
  json.end_object();
}

void write(JsonWriter& json, const RouteEndpoint& endpoint) {
  json.begin_object();
  json.key("address").string(endpoint.address);
  write(json, "hostname", endpoint.hostname);
  json.key("state").string(endpoint.state);
  json.key("active").number(static_cast<std::int64_t>(endpoint.active));
  json.key("weight").number(endpoint.weight);
  json.key("priority").number(endpoint.priority);
  json.end_object();
}

void write(JsonWriter& json, const RouteShare& share) {
  json.begin_object();
  json.key("percent").raw(fmt::format("{:.6g}", share.percent));
  json.key("cluster").string(share.cluster);
  write(json, "balancer", share.balancer);
  write(json, "connect_timeout", share.connect_timeout);
  json.key("endpoints").begin_array();
  for (const RouteEndpoint& endpoint : share.endpoints) {
    write(json, endpoint);
  }
  json.end_array();
  json.key("panic").boolean(share.panic);
  json.key("outlier_detection").boolean(share.outlier_detection);
  write(json, "breaker", share.breaker);
  if (share.discovery) {
    json.key("discovery");
    write_discovery(json, *share.discovery);
  }
  if (share.reply) {
    write(json, *share.reply);
  }
  json.end_object();
}

}  // namespace

std::string route_text(const RouteAnswer& answer) {
  std::string out = answer.request + "\n";
  if (answer.blocked()) {
    out += line("BLOCKED", "nothing would be sent");
  }
  if (answer.reply && !answer.reply->configured) {
    out += text_of(*answer.reply);
  }
  for (const std::string& note : answer.notes) {
    out += line("note", note);
  }
  out += line("listener", answer.listener);
  out += line("host", answer.virtual_host);
  if (!answer.route.empty()) {
    out += line("route", fmt::format("{} (number {} of {}){}", answer.route, answer.index + 1, answer.routes,
                                     answer.sampled.empty() ? "" : fmt::format(", of {} of requests", answer.sampled)));
  }
  if (!answer.passed_over.empty()) {
    out += line("", fmt::format("not {}", fmt::join(answer.passed_over, ", ")));
  }
  if (answer.reply && answer.reply->configured) {
    out += text_of(*answer.reply);
  }
  if (!answer.sent_path.empty() || !answer.sent_host.empty()) {
    const std::string host = answer.sent_host.empty() ? "" : fmt::format("to host {}", answer.sent_host);
    out += line("sent as",
                fmt::format("{}{}{}", answer.sent_path, !answer.sent_path.empty() && !host.empty() ? " " : "", host));
  }
  for (const RouteShare& share : answer.shares) {
    out += text_of(share, answer.shares.size() == 1);
  }
  out += line("timeout",
              answer.timeout.empty() ? "" : fmt::format("{}; {} without a byte", answer.timeout, answer.idle_timeout));
  if (answer.timeout.empty()) {
    out += line("idle", answer.idle_timeout);
  }
  return out + line("retries", answer.retries);
}

std::string route_json(const RouteAnswer& answer) {
  JsonWriter json;
  json.begin_object();
  json.key("request").string(answer.request);
  json.key("blocked").boolean(answer.blocked());
  write(json, "notes", answer.notes);
  write(json, "listener", answer.listener);
  write(json, "protocol", answer.protocol);
  write(json, "virtual_host", answer.virtual_host);
  if (!answer.route.empty()) {
    json.key("route").begin_object().key("name").string(answer.route).key("index").number(answer.index);
    write(json, "sampled", answer.sampled);
    json.end_object();
  }
  write(json, "passed_over", answer.passed_over);
  write(json, "sent_path", answer.sent_path);
  write(json, "sent_host", answer.sent_host);
  if (answer.reply) {
    write(json, *answer.reply);
  }
  json.key("shares").begin_array();
  for (const RouteShare& share : answer.shares) {
    write(json, share);
  }
  json.end_array();
  write(json, "timeout", answer.timeout);
  write(json, "idle_timeout", answer.idle_timeout);
  write(json, "retries", answer.retries);
  return json.end_object().take();
}

AdminResponse AdminPages::route(const AdminRequest& request) {
  if (request.query.empty()) {  // the index leads here
    return text("which request? /route?url=http://HOST[:PORT]/PATH, and method=, header=NAME: VALUE, listener=NAME\n");
  }
  if (facts_.snapshot() == nullptr || facts_.listeners().empty()) {
    return text("no configuration is served yet: see /ready and /config_dump\n", 503);
  }
  const auto question = parse_route_question(request);
  if (!question) {
    return text(question.error().message + "\n", 400);
  }
  const auto listener = find_listener(*question, facts_.listeners());
  if (!listener) {
    return text(listener.error().message + "\n", 404);
  }
  const RouteAnswer answer = answer_route(facts_, *question, *listener);
  return request.wants_json() ? json(route_json(answer)) : text(route_text(answer));
}

}  // namespace remora::admin
