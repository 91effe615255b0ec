#include "core/consul/health_json.h"

#include <fmt/core.h>

#include <optional>

#include "core/consul/json_value.h"

namespace remora::consul {
namespace {

using Json = JsonValue;
using Kind = JsonValue::Kind;

std::string_view type_name(const Json& value) {
  switch (value.kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "a boolean";
    case Kind::object:
      return "an object";
    case Kind::list:
      return "a list";
    case Kind::text:
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
    if (const Json* found = field(name, "text", Kind::text)) {
      out = found->text;
    }
  }
  void integer(const char* name, std::int64_t& out) const {
    if (const Json* found = field(name, "a whole number", Kind::integer)) {
      out = found->integer;
    }
  }
  void boolean(const char* name, bool& out) const {
    if (const Json* found = field(name, "a boolean", Kind::boolean)) {
      out = found->boolean;
    }
  }
  void texts(const char* name, std::vector<std::string>& out) const {
    items(name, [&](const Reader& item) {
      if (item.is("text", Kind::text)) {
        out.push_back(item.value_.text);
      }
    });
  }
  void map(const char* name, StringMap& out) const {
    members(name, [&](std::string_view key, const Reader& at) {
      if (at.is("text", Kind::text)) {
        out.emplace_back(key, at.value_.text);
      }
    });
  }
  template <typename Visit>
  void object(const char* name, Visit&& visit) const {
    if (const Json* found = field(name, "an object", Kind::object)) {
      visit(Reader(error_, *found, path_ + "." + name));
    }
  }
  template <typename Visit>
  void members(const char* name, Visit&& visit) const {
    object(name, [&](const Reader& map) {
      for (const auto& [key, value] : map.value_.members) {
        visit(key, Reader(error_, value, map.path_ + "." + key));
      }
    });
  }
  template <typename Visit>
  void items(const char* name, Visit&& visit) const {
    if (const Json* found = field(name, "a list", Kind::list)) {
      Reader(error_, *found, path_ + "." + name).each(visit);
    }
  }
  template <typename Visit>
  void each(Visit&& visit) const {  // REQUIRES: a list
    std::size_t index = 0;
    for (const Json& item : value_.items) {
      visit(Reader(error_, item, fmt::format("{}[{}]", path_, index++)));
    }
  }

  bool is(std::string_view expected, Kind kind) const {
    const bool really = value_.kind == kind;
    if (!really && !error_) {
      error_ = fmt::format("{}: expected {}, not {}", path_.empty() ? "the body" : path_, expected, type_name(value_));
    }
    return really;
  }
  bool is_object() const { return is("an object", Kind::object); }
  bool is_list() const { return is("a list", Kind::list); }

 private:
  const Json* field(const char* name, std::string_view expected, Kind kind) const {
    const Json* found = value_.find(name);
    if (found == nullptr || found->kind == Kind::null) {
      return nullptr;
    }
    return Reader(error_, *found, path_ + "." + name).is(expected, kind) ? found : nullptr;
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

Result<std::vector<HealthEntry>> finish(std::vector<HealthEntry>& entries, std::optional<std::string>& error) {
  if (error) {
    return fail(std::move(*error));
  }
  entries.shrink_to_fit();
  return std::move(entries);
}

}  // namespace

Result<std::vector<HealthEntry>> parse_health(std::string_view body, const HealthOptions& options) {
  std::optional<std::string> error;
  std::vector<HealthEntry> entries;
  const auto whole = parse_json(body, [&](std::size_t index, const Json& item) {
    const Reader reader(error, item, fmt::format("[{}]", index));
    if (reader.is_object()) {
      read_entry(reader, entries.emplace_back(), options);
    }
  });
  if (!whole) {
    return std::unexpected(whole.error());
  }
  (void)Reader(error, *whole, "").is_list();
  return finish(entries, error);
}

Result<std::vector<HealthEntry>> parse_prepared_query(std::string_view body, const HealthOptions& options) {
  std::optional<std::string> error;
  std::vector<HealthEntry> entries;
  const auto whole = parse_json(body);
  if (!whole) {
    return std::unexpected(whole.error());
  }
  const Reader reader(error, *whole, "");
  if (reader.is_object()) {
    reader.items("Nodes", [&](const Reader& item) {
      if (item.is_object()) {
        read_entry(item, entries.emplace_back(), options);
      }
    });
  }
  return finish(entries, error);
}

}  // namespace remora::consul
