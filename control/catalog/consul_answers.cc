#include "control/catalog/consul_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "control/catalog/readers.h"
#include "core/config/json_tree.h"
#include "core/config/yaml_scalar.h"

namespace remora::catalog {
namespace {

using config::YamlNode;
using Kind = YamlNode::Kind;
using Tree = std::unique_ptr<config::YamlTree>;

Result<Tree> parse(std::string_view body) {
  config::ConfigErrors errors;
  Tree tree = config::parse_json(body, "answer", errors, config::JsonPlaces::none);
  if (!errors.empty()) {
    return fail(errors.front().message);
  }
  return tree;
}

std::string text_of(const At& at, std::string_view key) {
  const YamlNode* node = at.find(key);
  return node != nullptr && node->kind == Kind::scalar ? node->text : std::string();
}

template <typename T>
T number_of(const At& at, std::string_view key, T otherwise = 0) {
  const YamlNode* node = at.find(key);
  const auto value = node == nullptr ? std::nullopt : config::as_uint64(*node);
  return value && *value <= std::numeric_limits<T>::max() ? static_cast<T>(*value) : otherwise;
}

TextMap map_of(const At& at, std::string_view key) {
  TextMap map;
  if (const YamlNode* node = at.find(key); node != nullptr) {
    for (const auto& [name, value] : node->map) {
      map.emplace(name->text, value->text);
    }
  }
  return map;
}

std::vector<std::string> list_of(const At& at, std::string_view key) {
  std::vector<std::string> list;
  if (const YamlNode* node = at.find(key); node != nullptr) {
    for (const YamlNode* item : node->items) {
      list.push_back(item->text);
    }
  }
  return list;
}

Weights weights_of(const At& service) {
  Weights weights;
  if (const YamlNode* node = service.find("weights"); node != nullptr && node->kind == Kind::mapping) {
    const At at = service.field("Weights", *node);
    weights = {number_of<std::uint32_t>(at, "passing", 1), number_of<std::uint32_t>(at, "warning", 1)};
  }
  return weights;
}

// A check that an agent has not carried out since it started is critical, and has no output yet; a sidecar's that
// stands for its service's says so of that one.
bool untested(const At& check) {
  const std::string output = text_of(check, "output");
  return output.empty() || (output.starts_with("Aliased check ") && output.ends_with(" failing: "));
}

// The worst of its checks: as Consul counts, an unknown status and maintenance are critical.
void read_health(const At& entry, Service& into) {
  Health& worst = into.health = Health::passing;
  const YamlNode* checks = entry.find("checks");
  if (checks == nullptr) {
    return;
  }
  bool tested = false;
  for (const YamlNode* check : checks->items) {
    const At at(entry.reading(), *check);
    const std::string status = text_of(at, "status");
    const bool fails = status != "passing" && status != "warning";
    tested = tested || (fails && (status != "critical" || !untested(at)));
    worst = std::max(worst, status == "passing"   ? Health::passing
                            : status == "warning" ? Health::warning
                                                  : Health::critical);
  }
  into.untested = worst == Health::critical && !tested;
}

// One item of a health answer, taken apart.
struct Item {
  std::string kind;
  std::string service_id;   // of a sidecar: the id of the service it stands beside
  std::string destination;  // of a sidecar: the name of that service
  Service service;          // of a sidecar: what of it is the service's
  std::optional<Sidecar> sidecar;
};

std::shared_ptr<const Node> read_node(const At& entry) {
  const YamlNode* node = entry.find("node");
  if (node == nullptr || node->kind != Kind::mapping) {
    return nullptr;
  }
  const At at = entry.field("Node", *node);
  return std::make_shared<const Node>(
      Node{text_of(at, "node"), text_of(at, "address"), text_of(at, "datacenter"), map_of(at, "meta")});
}

void read_sidecar(const At& at, Item& item) {
  Sidecar sidecar;
  sidecar.place = at.place();
  sidecar.id = item.service.id;
  sidecar.name = item.service.name;
  sidecar.address = item.service.address;
  sidecar.port = item.service.port;
  sidecar.tags = item.service.tags;
  sidecar.meta = item.service.meta;
  sidecar.weights = item.service.weights;
  sidecar.health = item.service.health;
  sidecar.untested = item.service.untested;
  sidecar.proxy.place = at.place();
  sidecar.proxy.config.place = at.place();
  if (const YamlNode* proxy = at.find("proxy"); proxy != nullptr && proxy->kind == Kind::mapping) {
    read_value(at.field("Proxy", *proxy), sidecar.proxy, Limits{});
  }
  item.destination = sidecar.proxy.destination_service_name;
  item.service_id = sidecar.proxy.destination_service_id;
  item.sidecar = std::move(sidecar);
}

std::optional<Item> read_item(const At& entry) {
  const YamlNode* service = entry.find("service");
  if (service == nullptr || service->kind != Kind::mapping) {
    return std::nullopt;
  }
  const std::string label = "service/" + text_of(entry.field("Service", *service), "id");
  const At at(entry.reading(), *service, label);
  Item item;
  item.kind = text_of(at, "kind");
  Service& one = item.service;
  one.place = at.place();
  one.name = text_of(at, "service");
  one.id = text_of(at, "id");
  one.node = read_node(entry);
  one.address = text_of(at, "address");
  if (one.address.empty() && one.node != nullptr) {
    one.address = one.node->address;
  }
  one.port = number_of<std::uint16_t>(at, "port");
  one.socket_path = text_of(at, "socket_path");
  one.tags = list_of(at, "tags");
  one.meta = map_of(at, "meta");
  one.weights = weights_of(at);
  read_health(entry, one);
  if (const YamlNode* connect = at.find("connect"); connect != nullptr) {
    one.connect_native = text_of(at.field("Connect", *connect), "native") == "true";
  }
  if (item.kind == "connect-proxy") {
    read_sidecar(at, item);
  }
  return item;
}

Result<std::vector<Item>> read_items(std::string_view body, const FileName& file, config::ConfigErrors& errors) {
  std::vector<Item> items;
  if (body.empty()) {
    return items;
  }
  const auto tree = parse(body);
  if (!tree) {
    return std::unexpected(tree.error());
  }
  if ((*tree)->root().kind == Kind::null) {
    return items;
  }
  if ((*tree)->root().kind != Kind::sequence) {
    return fail("expected a list of instances");
  }
  Reading reading{file, Dialect::consul, {}};
  for (const YamlNode* node : (*tree)->root().items) {
    auto item = node->kind == Kind::mapping ? read_item(At(reading, *node)) : std::nullopt;
    if (!item) {
      return fail("expected an instance: an object with Service");
    }
    items.push_back(std::move(*item));
  }
  errors.insert(errors.end(), reading.errors.begin(), reading.errors.end());
  return items;
}

std::string_view node_name(const Service& service) {
  return service.node == nullptr ? std::string_view() : std::string_view(service.node->name);
}

// A sidecar whose service is not registered: the service is where the sidecar says.
Service behind(Item item) {
  Service service = std::move(item.service);
  const Proxy& proxy = item.sidecar->proxy;
  service.name = item.destination;
  service.id = item.service_id.empty() ? item.destination : item.service_id;
  service.address = proxy.local_service_address.empty() ? "127.0.0.1" : proxy.local_service_address;
  service.port = proxy.local_service_port;
  service.sidecar = std::move(item.sidecar);
  return service;
}

// Where its service is, gives it its sidecar.
bool join(Instances& instances, Item& item) {
  for (Service& service : instances) {
    if (!service.sidecar && service.id == item.service_id && node_name(service) == node_name(item.service)) {
      service.sidecar = std::move(item.sidecar);
      return true;
    }
  }
  return false;
}

}  // namespace

Result<std::vector<EntryAnswer>> read_entries_answer(std::string_view body, const FileName& file,
                                                     const KnownEntries* known) {
  const auto tree = parse(body);
  if (!tree) {
    return std::unexpected(tree.error());
  }
  if ((*tree)->root().kind != Kind::sequence && (*tree)->root().kind != Kind::null) {
    return fail("expected a list of config entries");
  }
  std::vector<EntryAnswer> answers;
  for (const YamlNode* node : (*tree)->root().items) {
    Reading reading{file, Dialect::consul, {}};
    const At at(reading, *node);
    EntryAnswer answer;
    answer.name = text_of(at, "name");
    answer.modify_index = number_of<std::uint64_t>(at, "modify_index");
    if (known == nullptr || !known->knows(answer.name, answer.modify_index)) {
      Document document;
      read_entry(at, document);
      if (reading.errors.empty() && document.entries.size() == 1) {
        answer.entry = std::move(document.entries.front());
      }
      answer.errors = std::move(reading.errors);
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

Result<Instances> read_instances(std::string_view service_body, std::string_view connect_body, const FileName& file,
                                 config::ConfigErrors& errors) {
  auto services = read_items(service_body, file, errors);
  auto sidecars = read_items(connect_body, file, errors);
  if (!services || !sidecars) {
    return std::unexpected(services ? sidecars.error() : services.error());
  }
  Instances instances;
  for (Item& item : *services) {
    instances.push_back(std::move(item.service));
  }
  for (Item& item : *sidecars) {
    if (item.sidecar && !join(instances, item)) {
      instances.push_back(behind(std::move(item)));
    }
  }
  std::ranges::sort(instances, {},
                    [](const Service& one) { return std::tuple(node_name(one), std::string_view(one.id)); });
  return instances;
}

Result<std::vector<std::string>> read_service_names(std::string_view body) {
  const auto tree = parse(body);
  if (!tree) {
    return std::unexpected(tree.error());
  }
  if ((*tree)->root().kind != Kind::mapping) {
    return fail("expected an object whose keys are the names of services");
  }
  std::vector<std::string> names;
  for (const auto& [name, tags] : (*tree)->root().map) {
    names.push_back(name->text);
  }
  std::ranges::sort(names);
  return names;
}

Result<AgentFacts> read_agent_facts(std::string_view body) {
  const auto tree = parse(body);
  if (!tree) {
    return std::unexpected(tree.error());
  }
  Reading reading{std::make_shared<const std::string>("Consul"), Dialect::consul, {}};
  const At at(reading, (*tree)->root());
  AgentFacts facts;
  if (const YamlNode* own = at.find("config")) {
    facts.datacenter = text_of(at.field("Config", *own), "datacenter");
  }
  if (facts.datacenter.empty()) {
    return fail("expected Config.Datacenter");
  }
  if (const YamlNode* debug = at.find("debug_config")) {
    const At inner = at.field("DebugConfig", *debug);
    std::string policy = text_of(inner, "default_intention_policy");
    if (const YamlNode* acl = inner.find("acl_resolver_settings"); policy.empty() && acl != nullptr) {
      const At settings = inner.field("ACLResolverSettings", *acl);
      const bool enabled = text_of(settings, "acls_enabled") == "true";
      policy = enabled ? text_of(settings, "acl_default_policy") : "allow";
    }
    facts.allow_by_default = policy != "deny";
  }
  return facts;
}

}  // namespace remora::catalog
