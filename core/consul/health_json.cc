#include "core/consul/health_json.h"

#include <fmt/core.h>
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <optional>

namespace remora::consul {
namespace {

using Json = rapidjson::Value;

std::string_view type_name(const Json& value) {
  switch (value.GetType()) {
    case rapidjson::kNullType:
      return "null";
    case rapidjson::kFalseType:
    case rapidjson::kTrueType:
      return "a boolean";
    case rapidjson::kObjectType:
      return "an object";
    case rapidjson::kArrayType:
      return "a list";
    case rapidjson::kStringType:
      return "text";
    default:
      return "a number";
  }
}

// Where a reader stands, and the first thing that was wrong. A field that is missing or null leaves what it is read
// into as it is: Consul leaves out what is empty, and says null for an empty list or map.
class Reader {
 public:
  Reader(std::optional<std::string>& error, const Json& value, std::string path)
      : error_(error), value_(value), path_(std::move(path)) {}

  void text(const char* name, std::string& out) const {
    if (const Json* found = field(name, "text", [](const Json& at) { return at.IsString(); })) {
      out.assign(found->GetString(), found->GetStringLength());
    }
  }
  void integer(const char* name, std::int64_t& out) const {
    if (const Json* found = field(name, "a whole number", [](const Json& at) { return at.IsInt64(); })) {
      out = found->GetInt64();
    }
  }
  void boolean(const char* name, bool& out) const {
    if (const Json* found = field(name, "a boolean", [](const Json& at) { return at.IsBool(); })) {
      out = found->GetBool();
    }
  }
  void texts(const char* name, std::vector<std::string>& out) const {
    items(name, [&](const Reader& item) {
      if (item.is("text", item.value_.IsString())) {
        out.emplace_back(item.value_.GetString(), item.value_.GetStringLength());
      }
    });
  }
  void map(const char* name, StringMap& out) const {
    members(name, [&](std::string_view key, const Reader& at) {
      if (at.is("text", at.value_.IsString())) {
        out.emplace_back(key, std::string(at.value_.GetString(), at.value_.GetStringLength()));
      }
    });
  }
  template <typename Visit>
  void object(const char* name, Visit&& visit) const {
    if (const Json* found = field(name, "an object", [](const Json& at) { return at.IsObject(); })) {
      visit(Reader(error_, *found, path_ + "." + name));
    }
  }
  template <typename Visit>
  void members(const char* name, Visit&& visit) const {
    object(name, [&](const Reader& map) {
      for (const auto& member : map.value_.GetObject()) {
        const std::string_view key(member.name.GetString(), member.name.GetStringLength());
        visit(key, Reader(error_, member.value, map.path_ + "." + std::string(key)));
      }
    });
  }
  template <typename Visit>
  void items(const char* name, Visit&& visit) const {
    if (const Json* found = field(name, "a list", [](const Json& at) { return at.IsArray(); })) {
      Reader(error_, *found, path_ + "." + name).each(visit);
    }
  }
  template <typename Visit>
  void each(Visit&& visit) const {  // REQUIRES: a list
    std::size_t index = 0;
    for (const Json& item : value_.GetArray()) {
      visit(Reader(error_, item, fmt::format("{}[{}]", path_, index++)));
    }
  }

  bool is(std::string_view expected, bool really) const {
    if (!really && !error_) {
      error_ = fmt::format("{}: expected {}, not {}", path_.empty() ? "the body" : path_, expected, type_name(value_));
    }
    return really;
  }
  bool is_object() const { return is("an object", value_.IsObject()); }
  bool is_list() const { return is("a list", value_.IsArray()); }

 private:
  template <typename Test>
  const Json* field(const char* name, std::string_view expected, Test&& test) const {
    const auto found = value_.FindMember(name);
    if (found == value_.MemberEnd() || found->value.IsNull()) {
      return nullptr;
    }
    return Reader(error_, found->value, path_ + "." + name).is(expected, test(found->value)) ? &found->value : nullptr;
  }

  std::optional<std::string>& error_;
  const Json& value_;
  std::string path_;
};

void read_node(const Reader& from, NodeEntry& node) {
  from.text("ID", node.id);
  from.text("Node", node.node);
  from.text("Address", node.address);
  from.text("Datacenter", node.datacenter);
  from.map("TaggedAddresses", node.tagged_addresses);
  from.map("Meta", node.meta);
}

void read_service(const Reader& from, ServiceEntry& service) {
  from.text("Kind", service.kind);
  from.text("ID", service.id);
  from.text("Service", service.service);
  from.texts("Tags", service.tags);
  from.text("Address", service.address);
  from.members("TaggedAddresses", [&](std::string_view name, const Reader& at) {
    if (at.is_object()) {
      auto& [key, address] = service.tagged_addresses.emplace_back(name, ServiceAddress{});
      at.text("Address", address.address);
      at.integer("Port", address.port);
    }
  });
  from.map("Meta", service.meta);
  from.integer("Port", service.port);
  from.text("SocketPath", service.socket_path);
  from.object("Weights", [&](const Reader& weights) {
    weights.integer("Passing", service.weight_passing);
    weights.integer("Warning", service.weight_warning);
  });
  from.boolean("EnableTagOverride", service.enable_tag_override);
  from.object("Proxy", [&](const Reader& proxy) {
    proxy.text("DestinationServiceName", service.destination_service_name);
    proxy.text("DestinationServiceID", service.destination_service_id);
    proxy.text("LocalServiceAddress", service.local_service_address);
    proxy.integer("LocalServicePort", service.local_service_port);
  });
  from.object("Connect", [&](const Reader& connect) { connect.boolean("Native", service.connect_native); });
}

void read_check(const Reader& from, CheckEntry& check, const HealthOptions& options) {
  from.text("Node", check.node);
  from.text("CheckID", check.check_id);
  from.text("Name", check.name);
  from.text("Status", check.status);
  from.text("Notes", check.notes);
  if (options.keep_output) {
    from.text("Output", check.output);
  }
  from.text("ServiceID", check.service_id);
  from.text("ServiceName", check.service_name);
  from.texts("ServiceTags", check.service_tags);
  from.text("Type", check.type);
}

void read_entry(const Reader& from, HealthEntry& entry, const HealthOptions& options) {
  from.object("Node", [&](const Reader& node) { read_node(node, entry.node); });
  from.object("Service", [&](const Reader& service) { read_service(service, entry.service); });
  from.items("Checks", [&](const Reader& check) {
    if (check.is_object()) {
      read_check(check, entry.checks.emplace_back(), options);
    }
  });
}

std::vector<HealthEntry> read_entries(const Reader& list, const HealthOptions& options) {
  std::vector<HealthEntry> entries;
  list.each([&](const Reader& item) {
    if (item.is_object()) {
      read_entry(item, entries.emplace_back(), options);
    }
  });
  entries.shrink_to_fit();
  return entries;
}

// `read(Reader)` over the whole body. Iterative: no depth of nesting can end our stack.
template <typename Read>
Result<std::vector<HealthEntry>> parse(std::string_view body, Read&& read) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(body.data(), body.size());
  if (document.HasParseError()) {
    return fail(fmt::format("the answer is not JSON: {} at byte {}",
                            rapidjson::GetParseError_En(document.GetParseError()), document.GetErrorOffset()));
  }
  std::optional<std::string> error;
  std::vector<HealthEntry> entries = read(Reader(error, document, ""));
  if (error) {
    return fail(std::move(*error));
  }
  return entries;
}

}  // namespace

Result<std::vector<HealthEntry>> parse_health(std::string_view body, const HealthOptions& options) {
  return parse(body, [&](const Reader& whole) {
    return whole.is_list() ? read_entries(whole, options) : std::vector<HealthEntry>{};
  });
}

Result<std::vector<HealthEntry>> parse_prepared_query(std::string_view body, const HealthOptions& options) {
  return parse(body, [&](const Reader& whole) {
    std::vector<HealthEntry> entries;
    if (whole.is_object()) {
      whole.items("Nodes", [&](const Reader& item) {
        if (item.is_object()) {
          read_entry(item, entries.emplace_back(), options);
        }
      });
    }
    return entries;
  });
}

}  // namespace remora::consul
