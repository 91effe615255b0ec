#include "core/consul/health_entry.h"

namespace remora::consul {
namespace {

using Fields = Selectable::Children;
using Kind = Schema::Kind;

Selectable of(const std::string& text) { return Selectable::of_text(text); }
Selectable of(std::int64_t number) { return Selectable::of_integer(number); }

Selectable of(const StringMap& map) {
  Fields entries;
  for (const auto& [key, value] : map) {
    entries.emplace_back(key, of(value));
  }
  return Selectable::map(std::move(entries));
}

Selectable of(const std::vector<std::string>& items) {
  Fields list;
  for (const std::string& item : items) {
    list.emplace_back(std::string_view{}, of(item));
  }
  return Selectable::list(std::move(list));
}

Selectable of(const NodeEntry& node) {
  return Selectable::structure({{"ID", of(node.id)},
                                {"Node", of(node.node)},
                                {"Address", of(node.address)},
                                {"Datacenter", of(node.datacenter)},
                                {"TaggedAddresses", of(node.tagged_addresses)},
                                {"Meta", of(node.meta)}});
}

Selectable of(const std::vector<std::pair<std::string, ServiceAddress>>& addresses) {
  Fields entries;
  for (const auto& [name, address] : addresses) {
    entries.emplace_back(name, Selectable::structure({{"Address", of(address.address)}, {"Port", of(address.port)}}));
  }
  return Selectable::map(std::move(entries));
}

Selectable proxy_of(const ServiceEntry& service) {
  return Selectable::structure({{"DestinationServiceName", of(service.destination_service_name)},
                                {"DestinationServiceID", of(service.destination_service_id)},
                                {"LocalServiceAddress", of(service.local_service_address)},
                                {"LocalServicePort", of(service.local_service_port)}});
}

Selectable of(const ServiceEntry& service) {
  return Selectable::structure(
      {{"Kind", of(service.kind)},
       {"ID", of(service.id)},
       {"Service", of(service.service)},
       {"Tags", of(service.tags)},
       {"Address", of(service.address)},
       {"TaggedAddresses", of(service.tagged_addresses)},
       {"Meta", of(service.meta)},
       {"Port", of(service.port)},
       {"SocketPath", of(service.socket_path)},
       {"Weights",
        Selectable::structure({{"Passing", of(service.weight_passing)}, {"Warning", of(service.weight_warning)}})},
       {"EnableTagOverride", Selectable::of_boolean(service.enable_tag_override)},
       {"Proxy", proxy_of(service)},
       {"Connect", Selectable::structure({{"Native", Selectable::of_boolean(service.connect_native)}})}});
}

Selectable of(const CheckEntry& check) {
  return Selectable::structure({{"Node", of(check.node)},
                                {"CheckID", of(check.check_id)},
                                {"Name", of(check.name)},
                                {"Status", of(check.status)},
                                {"Notes", of(check.notes)},
                                {"Output", of(check.output)},
                                {"ServiceID", of(check.service_id)},
                                {"ServiceName", of(check.service_name)},
                                {"ServiceTags", of(check.service_tags)},
                                {"Type", of(check.type)}});
}

// ---- the schema of the same

Schema text() { return {Kind::text}; }
Schema integer() { return {Kind::integer}; }
Schema boolean() { return {Kind::boolean}; }
Schema list_of(Schema item) { return {Kind::list, {}, {std::move(item)}}; }
Schema map_of(Schema item) { return {Kind::map, {}, {std::move(item)}}; }
Schema structure(std::vector<std::pair<std::string_view, Schema>> fields) {
  return {Kind::structure, std::move(fields)};
}

Schema node_schema() {
  return structure({{"ID", text()},
                    {"Node", text()},
                    {"Address", text()},
                    {"Datacenter", text()},
                    {"TaggedAddresses", map_of(text())},
                    {"Meta", map_of(text())}});
}

Schema service_schema() {
  return structure({{"Kind", text()},
                    {"ID", text()},
                    {"Service", text()},
                    {"Tags", list_of(text())},
                    {"Address", text()},
                    {"TaggedAddresses", map_of(structure({{"Address", text()}, {"Port", integer()}}))},
                    {"Meta", map_of(text())},
                    {"Port", integer()},
                    {"SocketPath", text()},
                    {"Weights", structure({{"Passing", integer()}, {"Warning", integer()}})},
                    {"EnableTagOverride", boolean()},
                    {"Proxy", structure({{"DestinationServiceName", text()},
                                         {"DestinationServiceID", text()},
                                         {"LocalServiceAddress", text()},
                                         {"LocalServicePort", integer()}})},
                    {"Connect", structure({{"Native", boolean()}})}});
}

Schema check_schema() {
  return structure({{"Node", text()},
                    {"CheckID", text()},
                    {"Name", text()},
                    {"Status", text()},
                    {"Notes", text()},
                    {"Output", text()},
                    {"ServiceID", text()},
                    {"ServiceName", text()},
                    {"ServiceTags", list_of(text())},
                    {"Type", text()}});
}

}  // namespace

const Schema& health_entry_schema() {
  static const Schema schema =
      structure({{"Node", node_schema()}, {"Service", service_schema()}, {"Checks", list_of(check_schema())}});
  return schema;
}

Selectable selectable(const HealthEntry& entry) {
  Fields checks;
  for (const CheckEntry& check : entry.checks) {
    checks.emplace_back(std::string_view{}, of(check));
  }
  return Selectable::structure(
      {{"Node", of(entry.node)}, {"Service", of(entry.service)}, {"Checks", Selectable::list(std::move(checks))}});
}

}  // namespace remora::consul
