#include "control/server/node_json.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "core/admin/json.h"
#include "envoy/config/core/v3/base.pb.h"

namespace remora::control {
namespace {

void append(std::string& out, const google::protobuf::Value& value);

void append(std::string& out, const google::protobuf::Struct& message) {
  std::map<std::string_view, const google::protobuf::Value*> sorted;
  for (const auto& [key, value] : message.fields()) {
    sorted.emplace(key, &value);
  }
  out += '{';
  bool first = true;
  for (const auto& [key, value] : sorted) {
    out += first ? "" : ",";
    first = false;
    out += admin::json_quote(key) + ":";
    append(out, *value);
  }
  out += '}';
}

void append(std::string& out, const google::protobuf::Value& value) {
  using Value = google::protobuf::Value;
  switch (value.kind_case()) {
    case Value::kNumberValue:
      out += std::isfinite(value.number_value()) ? fmt::format("{}", value.number_value()) : "null";
      break;
    case Value::kStringValue:
      out += admin::json_quote(value.string_value());
      break;
    case Value::kBoolValue:
      out += value.bool_value() ? "true" : "false";
      break;
    case Value::kStructValue:
      append(out, value.struct_value());
      break;
    case Value::kListValue: {
      out += '[';
      for (int i = 0; i < value.list_value().values_size(); ++i) {
        out += i > 0 ? "," : "";
        append(out, value.list_value().values(i));
      }
      out += ']';
      break;
    }
    default:
      out += "null";
  }
}

}  // namespace

std::string json_of(const google::protobuf::Struct& message) {
  std::string out;
  append(out, message);
  return out;
}

Node node_of(const envoy::config::core::v3::Node& message) {
  Node node;
  node.id = message.id();
  node.service = message.cluster();
  node.user_agent = message.user_agent_name();
  if (!message.user_agent_version().empty()) {
    node.user_agent += "/" + message.user_agent_version();
  }
  if (message.has_metadata()) {
    node.metadata = json_of(message.metadata());
  }
  return node;
}

}  // namespace remora::control
