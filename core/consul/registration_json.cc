#include <fmt/core.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "core/consul/registration.h"

namespace remora::consul {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void text(Writer& json, const char* key, const std::string& value) {
  json.Key(key);
  json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

void duration(Writer& json, const char* key, Milliseconds value) {
  text(json, key, fmt::format("{}ms", value.count()));
}

void own_check(Writer& json, const ServiceDefinition& service, const std::string& id) {
  json.StartObject();
  text(json, "CheckID", "app:" + id);
  text(json, "Name", service.name + ": the service itself");
  if (!service.check_http.empty()) {
    text(json, "HTTP", service.check_http);
  } else {
    text(json, "TCP", service.check_tcp);
  }
  duration(json, "Interval", service.interval);
  duration(json, "Timeout", service.timeout);
  if (service.deregister_critical_after.count() > 0) {
    duration(json, "DeregisterCriticalServiceAfter", service.deregister_critical_after);
  }
  json.EndObject();
}

void proxy_check(Writer& json, const ServiceDefinition& service, const std::string& id) {
  json.StartObject();
  text(json, "CheckID", "remora:" + id);
  text(json, "Name", service.name + ": its remora-proxy");
  duration(json, "TTL", service.ttl);
  text(json, "Status", "passing");
  if (service.deregister_critical_after.count() > 0) {
    duration(json, "DeregisterCriticalServiceAfter", service.deregister_critical_after);
  }
  json.EndObject();
}

void sidecar(Writer& json, const ServiceDefinition& service) {
  text(json, "Kind", "connect-proxy");
  json.Key("Proxy");
  json.StartObject();
  text(json, "DestinationServiceName", service.destination);
  json.EndObject();
}

}  // namespace

std::string registration_json(const ServiceDefinition& service) {
  const std::string id = service.id.empty() ? service.name : service.id;
  rapidjson::StringBuffer buffer;
  Writer json(buffer);
  json.StartObject();
  text(json, "Name", service.name);
  text(json, "ID", id);
  if (!service.address.empty()) {
    text(json, "Address", service.address);
  }
  json.Key("Port");
  json.Uint(service.port);
  json.Key("Tags");
  json.StartArray();
  for (const std::string& tag : service.tags) {
    json.String(tag.data(), static_cast<rapidjson::SizeType>(tag.size()));
  }
  json.EndArray();
  json.Key("Meta");
  json.StartObject();
  for (const auto& [key, value] : service.meta) {
    text(json, key.c_str(), value);
  }
  json.EndObject();
  json.Key("Weights");
  json.StartObject();
  json.Key("Passing");
  json.Uint(service.weight_passing);
  json.Key("Warning");
  json.Uint(service.weight_warning);
  json.EndObject();
  if (!service.destination.empty()) {
    sidecar(json, service);
  }
  if (!service.sidecar.empty()) {
    json.Key("Connect");
    json.StartObject();
    json.Key("SidecarService");
    json.RawValue(service.sidecar.data(), service.sidecar.size(), rapidjson::kObjectType);
    json.EndObject();
  }
  json.Key("Checks");
  json.StartArray();
  if (!service.check_http.empty() || !service.check_tcp.empty()) {
    own_check(json, service, id);
  }
  if (service.ttl.count() > 0) {
    proxy_check(json, service, id);
  }
  json.EndArray();
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace remora::consul
