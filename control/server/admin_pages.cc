#include "control/server/admin_pages.h"

#include <fmt/format.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/util/json_util.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <ctime>
#include <set>
#include <utility>
#include <vector>

#include "core/admin/json.h"

namespace remora::control {
namespace {

constexpr std::string_view kPages =
    "  /ready      200 once there is a mesh to serve\n"
    "  /metrics    for Prometheus\n"
    "  /nodes      who is connected, which version each has, its last ACK or NACK and why (?format=json)\n"
    "  /config     what a node gets: ?node=ID, and &type=clusters, endpoints, listeners, routes or secrets\n"
    "  /sources    where the mesh comes from, how old each answer is, and what is wrong (?format=json)\n";

std::string time_text(WallTime time) {
  const time_t seconds = std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string_view protocol(const AdsStream& stream) { return stream.kind().delta ? "delta" : "state-of-the-world"; }

std::string_view service(const AdsStream& stream) {
  return stream.kind().only ? type_name(*stream.kind().only) : std::string_view("aggregated");
}

// "acked", "refused", "waiting" for its answer, "nothing" sent.
std::string_view state_of(const Exchanged& exchanged) {
  if (exchanged.in_nack()) {
    return "refused";
  }
  if (exchanged.awaiting) {
    return "waiting";
  }
  return exchanged.acked_version.empty() ? "nothing" : "acked";
}

void write_type(admin::JsonWriter& json, const AdsStream& stream, Type type) {
  const Subscription& wanted = stream.subscription(type);
  const Exchanged& exchanged = stream.exchanged(type);
  json.begin_object();
  json.key("type").string(type_name(type));
  json.key("state").string(state_of(exchanged));
  json.key("wildcard").boolean(wanted.wildcard());
  json.key("names").number(static_cast<std::int64_t>(wanted.names().size()));
  json.key("resources").number(static_cast<std::int64_t>(wanted.resources()));
  json.key("sent_version").string(exchanged.version);
  json.key("acked_version").string(exchanged.acked_version);
  json.key("responses").number(static_cast<std::int64_t>(exchanged.responses));
  json.key("acks").number(static_cast<std::int64_t>(exchanged.acks));
  json.key("nacks").number(static_cast<std::int64_t>(exchanged.nacks));
  if (exchanged.acks > 0) {
    json.key("acked_at").string(time_text(exchanged.acked_at));
  }
  if (exchanged.nacks > 0) {
    json.key("last_nack").begin_object();
    json.key("version").string(exchanged.nacked_version);
    json.key("reason").string(exchanged.nack_reason);
    json.key("at").string(time_text(exchanged.nacked_at));
    json.end_object();
  }
  json.end_object();
}

// Why it gets less than it may expect; empty: nothing is wrong.
std::string problem_of(const AdsStream& stream) {
  if (!stream.node()) {
    return {};
  }
  if (stream.resources() == nullptr) {
    return "nothing is sent yet: not all is known of the services that it depends on";
  }
  const std::string& problem = stream.resources()->problem;
  return stream.resources()->withheld && stream.returns() ? problem + ": nothing is sent, so that it keeps what it has"
                                                          : problem;
}

void write_stream(admin::JsonWriter& json, const AdsStream& stream) {
  const Node node = stream.node().value_or(Node());
  json.begin_object();
  json.key("node").string(node.id);
  json.key("service").string(node.service);
  json.key("client").string(node.user_agent);
  json.key("address").string(stream.peer());
  json.key("protocol").string(protocol(stream));
  json.key("stream").string(service(stream));
  json.key("since").string(time_text(stream.since()));
  if (const std::string problem = problem_of(stream); !problem.empty()) {
    json.key("problem").string(problem);
  }
  json.key("types").begin_array();
  for (const Type type : kAllTypes) {
    if (stream.subscription(type).started()) {
      write_type(json, stream, type);
    }
  }
  json.end_array();
  json.end_object();
}

void print_stream(std::string& out, const AdsStream& stream) {
  const Node node = stream.node().value_or(Node());
  out += fmt::format("{} ({}{}{}) from {}, {}, {}, since {}\n", node.id.empty() ? "(not named yet)" : node.id,
                     node.service.empty() ? "no service" : node.service, node.user_agent.empty() ? "" : ", ",
                     node.user_agent, stream.peer(), protocol(stream), service(stream), time_text(stream.since()));
  if (const std::string problem = problem_of(stream); !problem.empty()) {
    out += fmt::format("  problem: {}\n", problem);
  }
  for (const Type type : kAllTypes) {
    const Subscription& wanted = stream.subscription(type);
    const Exchanged& exchanged = stream.exchanged(type);
    if (!wanted.started()) {
      continue;
    }
    out += fmt::format("  {:<10} {:<8} {:>6} resources, version {}", type_name(type), state_of(exchanged),
                       wanted.resources(), exchanged.version.empty() ? "none" : exchanged.version);
    if (exchanged.acks > 0) {
      out += fmt::format(", last ACK {} at {}", exchanged.acked_version, time_text(exchanged.acked_at));
    }
    if (exchanged.nacks > 0) {
      out += fmt::format(", last NACK {} at {}: {}", exchanged.nacked_version, time_text(exchanged.nacked_at),
                         exchanged.nack_reason);
    }
    out += '\n';
  }
}

std::string json_of_any(const std::string& bytes) {
  google::protobuf::Any message;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (message.ParseFromString(bytes) && google::protobuf::util::MessageToJsonString(message, &json, options).ok()) {
    return json;
  }
  // It holds a message that this program does not know.
  return fmt::format("{{\"@type\":{},\"bytes\":{}}}", admin::json_quote(message.type_url()), message.value().size());
}

std::string notice_line(const ResourceProvider& provider) {
  const std::string notice = provider.notice();
  return notice.empty() ? std::string() : fmt::format("notice: {}\n", notice);
}

class Families {
 public:
  void add(const std::string& name, const std::string& help, prometheus::MetricType type,
           const std::vector<std::pair<std::string, double>>& values, const std::string& label = {}) {
    prometheus::MetricFamily family{name, help, type, {}};
    for (const auto& [of, value] : values) {
      prometheus::ClientMetric metric;
      if (!label.empty()) {
        metric.label.push_back({label, of});
      }
      metric.gauge.value = metric.counter.value = value;
      family.metric.push_back(metric);
    }
    families_.push_back(std::move(family));
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace

admin::AdminResponse ControlPages::answer(const admin::AdminRequest& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    return admin::text("all pages are read by GET\n", 405);
  }
  if (request.path == "/") {
    return index();
  }
  if (request.path == "/ready") {
    return ready();
  }
  if (request.path == "/metrics") {
    return metrics();
  }
  if (request.path == "/nodes") {
    return nodes(request.wants_json());
  }
  if (request.path == "/config") {
    return config(request);
  }
  if (request.path == "/sources" && sources_) {
    return sources(request.wants_json());
  }
  return admin::text(fmt::format("there is no page {}; there are:\n{}", request.path, kPages), 404);
}

admin::AdminResponse ControlPages::index() const {
  return admin::text(fmt::format("remora-control\n{}{}", notice_line(provider_), kPages));
}

admin::AdminResponse ControlPages::ready() const {
  return provider_.ready() ? admin::text("LIVE\n") : admin::text("there is no mesh to serve yet\n", 503);
}

admin::AdminResponse ControlPages::nodes(bool as_json) const {
  if (!as_json) {
    std::string out = notice_line(provider_);
    for (const auto& [id, stream] : server_.streams()) {
      print_stream(out, *stream);
    }
    return admin::text(server_.streams().empty() ? out + "nobody is connected\n" : std::move(out));
  }
  admin::JsonWriter json;
  json.begin_object();
  if (const std::string notice = provider_.notice(); !notice.empty()) {
    json.key("notice").string(notice);
  }
  json.key("nodes").begin_array();
  for (const auto& [id, stream] : server_.streams()) {
    write_stream(json, *stream);
  }
  json.end_array().end_object();
  return admin::json(json.take());
}

admin::AdminResponse ControlPages::sources(bool as_json) const {
  const Sources now = sources_();
  return as_json ? admin::json(sources_json(now)) : admin::text(sources_text(now));
}

admin::AdminResponse ControlPages::config(const admin::AdminRequest& request) const {
  const auto id = request.find("node");
  if (!id) {
    return admin::text("which node? /config?node=ID; /nodes lists them\n", 400);
  }
  const auto type_asked = request.find("type");
  for (const auto& [number, stream] : server_.streams()) {
    if (!stream->node() || stream->node()->id != *id) {
      continue;
    }
    const NodeResourcesPtr resources = server_.resources_for(*stream->node());
    if (resources == nullptr) {
      return admin::text("nothing is served to it yet: not all is known of the services that it depends on\n", 503);
    }
    admin::JsonWriter json;
    json.begin_object();
    json.key("node").string(*id);
    json.key("service").string(stream->node()->service);
    if (!resources->problem.empty()) {
      json.key("problem").string(resources->problem);
    }
    for (const Type type : kAllTypes) {
      if (type_asked && *type_asked != type_name(type)) {
        continue;
      }
      json.key(type_name(type)).begin_object();
      json.key("version").string(version_text(resources->of(type)->version()));
      json.key("resources").begin_array();
      for (const auto& [name, resource] : resources->of(type)->all()) {
        json.begin_object();
        json.key("name").string(name).key("version").string(version_text(resource->hash));
        json.key("resource").raw(json_of_any(resource->any));
        json.end_object();
      }
      json.end_array().end_object();
    }
    json.end_object();
    return admin::json(json.take());
  }
  return admin::text(fmt::format("node '{}' is not connected; /nodes lists those that are\n", *id), 404);
}

admin::AdminResponse ControlPages::metrics() const {
  std::set<std::string> nodes;
  std::set<std::string> refusing;
  double delta = 0;
  double whole = 0;
  for (const auto& [id, stream] : server_.streams()) {
    (stream->kind().delta ? delta : whole) += 1;
    if (!stream->node()) {
      continue;
    }
    nodes.insert(stream->node()->id);
    for (const Type type : kAllTypes) {
      if (stream->exchanged(type).in_nack()) {
        refusing.insert(stream->node()->id);
      }
    }
  }
  using Kind = prometheus::MetricType;
  const AdsCounters& counters = std::as_const(server_).counters();
  const auto one = [](auto value) { return std::vector<std::pair<std::string, double>>{{"", double(value)}}; };
  Families families;
  families.add("remora_control_ready", "1 once there is a mesh to serve.", Kind::Gauge, one(provider_.ready() ? 1 : 0));
  families.add("remora_control_intentions_not_enforced",
               "1: intentions are written, and nobody enforces them (proxy-defaults: allow_unauthenticated).",
               Kind::Gauge, one(provider_.notice().empty() ? 0 : 1));
  families.add("remora_control_nodes", "Proxies that are connected.", Kind::Gauge, one(nodes.size()));
  families.add("remora_control_nodes_refusing", "Proxies whose last answer about some type was a NACK.", Kind::Gauge,
               one(refusing.size()));
  families.add("remora_control_streams", "Discovery streams that are open.", Kind::Gauge,
               {{"delta", delta}, {"state-of-the-world", whole}}, "protocol");
  families.add("remora_control_connections", "HTTP/2 connections that are open.", Kind::Gauge,
               one(server_.connections()));
  families.add("remora_control_streams_total", "Discovery streams ever opened.", Kind::Counter, one(counters.streams));
  families.add("remora_control_requests_total", "Discovery requests, ACKs and NACKs among them.", Kind::Counter,
               one(counters.requests));
  families.add("remora_control_responses_total", "Discovery responses.", Kind::Counter, one(counters.responses));
  families.add("remora_control_acks_total", "Responses that a proxy took.", Kind::Counter, one(counters.acks));
  families.add("remora_control_nacks_total", "Responses that a proxy refused.", Kind::Counter, one(counters.nacks));
  families.add("remora_control_translations_total", "Times that a proxy's part of the mesh was translated anew.",
               Kind::Counter, one(provider_.translations()));
  families.add("remora_control_pushes_total", "Times that a change of the mesh was brought to all proxies.",
               Kind::Counter, one(counters.pushes));
  if (const Sources now = sources_ ? sources_() : Sources(); now.consul) {
    families.add("remora_control_consul_failing", "Questions to Consul that fail now: the last good answers go on.",
                 Kind::Gauge, one(failing(now)));
    families.add("remora_control_consul_age_seconds", "Time since Consul last confirmed the oldest of its answers.",
                 Kind::Gauge, one(std::chrono::duration<double>(oldest(now)).count()));
  }
  return {.status = 200, .type = "text/plain; version=0.0.4; charset=utf-8", .body = families.text(), .after = {}};
}

}  // namespace remora::control
