#include "core/consul/sidecar_json.h"

#include <fmt/core.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/config/yaml_scalar.h"

namespace remora::consul {
namespace {

using config::YamlNode;
using Kind = YamlNode::Kind;
using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void put(Writer& json, std::string_view text) {
  json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

// "local_bind_port" → "LocalBindPort"; "LocalBindPort" stays.
std::string api_key(std::string_view key) {
  std::string out;
  bool upper = true;
  for (const char c : key) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return out;
}

bool holds_names(std::string_view key) {
  constexpr std::array<std::string_view, 4> kFree = {"Config", "Meta", "Header", "TaggedAddresses"};
  return std::ranges::find(kFree, key) != kFree.end();
}

void scalar(Writer& json, const YamlNode& node) {
  switch (config::scalar_kind(node)) {
    case config::ScalarKind::boolean:
      json.Bool(config::as_bool(node).value_or(false));
      return;
    case config::ScalarKind::number:
      if (const auto whole = config::as_int64(node)) {
        json.Int64(*whole);
      } else {
        json.Double(config::as_double(node).value_or(0));
      }
      return;
    case config::ScalarKind::string:
      put(json, node.text);
      return;
  }
}

void write(Writer& json, const YamlNode& node, bool names);

void members(Writer& json, const YamlNode& mapping, bool names) {
  for (const auto& [key, value] : mapping.map) {
    const std::string name = names ? key->text : api_key(key->text);
    json.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    write(json, *value, names || holds_names(name));
  }
}

void write(Writer& json, const YamlNode& node, bool names) {
  switch (node.kind) {
    case Kind::null:
      json.Null();
      return;
    case Kind::scalar:
      scalar(json, node);
      return;
    case Kind::sequence:
      json.StartArray();
      for (const YamlNode* item : node.items) {
        write(json, *item, names);
      }
      json.EndArray();
      return;
    case Kind::mapping:
      json.StartObject();
      members(json, node, names);
      json.EndObject();
      return;
  }
}

const YamlNode* find(const YamlNode& mapping, std::string_view api_name) {
  for (const auto& [key, value] : mapping.map) {
    if (api_key(key->text) == api_name) {
      return value;
    }
  }
  return nullptr;
}

// Those that Consul gives a sidecar without any, but that the first one begins well: whoever registers it listens.
void default_checks(Writer& json, const YamlNode& sidecar, const YamlNode& port, const SidecarOf& service) {
  const YamlNode* own = find(sidecar, "Address");
  const std::string address = own != nullptr ? own->text : service.address.empty() ? "127.0.0.1" : service.address;
  json.Key("Checks");
  json.StartArray();
  json.StartObject();
  json.Key("Name");
  put(json, "Connect Sidecar Listening");
  json.Key("TCP");
  put(json, fmt::format(fmt::runtime(address.contains(':') ? "[{}]:{}" : "{}:{}"), address, port.text));
  json.Key("Interval");
  put(json, "10s");
  json.Key("Status");
  put(json, "passing");
  json.EndObject();
  json.StartObject();
  json.Key("Name");
  put(json, "Connect Sidecar Aliasing " + service.id);
  json.Key("AliasService");
  put(json, service.id);
  json.EndObject();
  json.EndArray();
}

}  // namespace

std::string sidecar_json(const YamlNode& sidecar, const SidecarOf& service) {
  rapidjson::StringBuffer buffer;
  Writer json(buffer);
  json.StartObject();
  members(json, sidecar, false);
  const YamlNode* port = find(sidecar, "Port");
  if (port != nullptr && port->kind == Kind::scalar && find(sidecar, "Check") == nullptr &&
      find(sidecar, "Checks") == nullptr) {
    default_checks(json, sidecar, *port, service);
  }
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace remora::consul
