#include "control/catalog/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/catalog/readers.h"
#include "core/base/nearest.h"

namespace remora::catalog {
namespace {

using config::YamlNode;

struct Kind {
  std::string_view name;
  EntryPtr (*read)(const At& at);  // null: Consul has it, Remora does not
  std::string_view why;
};

template <typename T>
EntryPtr read_as(const At& at) {
  auto entry = std::make_shared<T>();
  read_value(at, *entry, Limits{});
  return std::shared_ptr<const T>(std::move(entry));
}

constexpr std::array kKinds = {
    Kind{"service-defaults", read_as<ServiceDefaults>, {}},
    Kind{"service-router", read_as<ServiceRouter>, {}},
    Kind{"service-splitter", read_as<ServiceSplitter>, {}},
    Kind{"service-resolver", read_as<ServiceResolver>, {}},
    Kind{"service-intentions", read_as<ServiceIntentions>, {}},
    Kind{"proxy-defaults", read_as<ProxyDefaults>, {}},
    Kind{"mesh", nullptr, "Remora has no settings of the whole mesh beside proxy-defaults"},
    Kind{"jwt-provider", nullptr, "JSON web tokens are not supported yet"},
    Kind{"ingress-gateway", nullptr, "Remora runs sidecars, no gateways"},
    Kind{"terminating-gateway", nullptr, "Remora runs sidecars, no gateways"},
    Kind{"api-gateway", nullptr, "Remora runs sidecars, no gateways"},
    Kind{"http-route", nullptr, "Remora runs sidecars, no gateways: a service-router routes within the mesh"},
    Kind{"tcp-route", nullptr, "Remora runs sidecars, no gateways"},
    Kind{"inline-certificate", nullptr, "Remora runs sidecars, no gateways"},
    Kind{"file-system-certificate", nullptr, "Remora runs sidecars, no gateways"},
    Kind{"bound-api-gateway", nullptr, "Remora runs sidecars, no gateways"},
    Kind{"exported-services", nullptr, kNoPeers},
    Kind{"sameness-group", nullptr, kNoSameness},
    Kind{"control-plane-request-limit", nullptr, "it limits Consul's own servers: write it there"},
};
constexpr std::size_t kSupported = 6;

constexpr auto kSupportedNames = [] {
  std::array<std::string_view, kSupported> names{};
  for (std::size_t i = 0; i < kSupported; ++i) {
    names[i] = kKinds[i].name;
  }
  return names;
}();

// "service-router/api", for people, where there is a name; else nothing.
std::string label(const YamlNode& node, std::string_view kind, std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) {
    for (const auto& [name, value] : node.map) {
      if (same_key(name->text, key) && value->kind == YamlNode::Kind::scalar && !value->text.empty()) {
        return fmt::format("{}/{}", kind, value->text);
      }
    }
  }
  return {};
}

template <typename Read>
void each(const At& at, Read&& read) {
  if (!is_list(at)) {
    return;
  }
  for (std::size_t i = 0; i < at.node().items.size(); ++i) {
    read(at.item(i, *at.node().items[i]));
  }
}

void read_services(const At& at, Document& into) {
  each(at, [&](const At& item) { read_service(item, into); });
}
void read_entries(const At& at, Document& into) {
  each(at, [&](const At& item) { read_entry(item, into); });
}
void read_datacenter(const At& at, Document& into) {
  std::string name;
  read_value(at, name, Limits{});
  into.datacenter = name;
  into.datacenter_place = at.place();
}

}  // namespace

std::span<const std::string_view> entry_kinds() { return kSupportedNames; }

std::string_view kind_of(const EntryPtr& entry) { return kKinds[entry.index()].name; }

const EntryHead& head_of(const EntryPtr& entry) {
  return std::visit([](const auto& one) -> const EntryHead& { return one->head; }, entry);
}

void read_service(const At& at, Document& into) {
  const std::string name = label(at.node(), "service", {"id", "name"});
  Service service;
  const std::size_t errors = at.reading().errors.size();
  read_value(name.empty() ? at : At(at.reading(), at.node(), name), service, Limits{});
  if (at.reading().errors.size() == errors || !service.name.empty()) {
    into.services.push_back(std::move(service));
  }
}

void read_entry(const At& at, Document& into) {
  if (at.node().kind != YamlNode::Kind::mapping) {
    at.expected("a config entry: a mapping with kind and name");
    return;
  }
  const YamlNode* kind = at.find("kind");
  if (kind == nullptr || kind->kind != YamlNode::Kind::scalar) {
    at.error(fmt::format("a config entry needs a kind: {}", fmt::join(kSupportedNames, ", ")));
    return;
  }
  const auto found = std::ranges::find(kKinds, kind->text, &Kind::name);
  if (found == kKinds.end()) {
    at.error("kind", fmt::format("no such kind of config entry: '{}'{}; Remora takes {}", kind->text,
                                 did_you_mean(kind->text, kSupportedNames), fmt::join(kSupportedNames, ", ")));
    return;
  }
  if (found->read == nullptr) {
    at.error("kind", fmt::format("no {} here: {}", found->name, found->why));
    return;
  }
  const std::string name = label(at.node(), found->name, {"name"});
  EntryPtr entry = found->read(name.empty() ? at : At(at.reading(), at.node(), name));
  if (!head_of(entry).name.empty()) {
    into.entries.push_back(std::move(entry));
  }
}

Document read_document(const config::YamlTree& tree, Reading& reading) {
  static constexpr std::array kRows = {
      custom<Document, read_services>("services"), custom<Document, read_entries>("config_entries"),
      custom<Document, read_datacenter>("datacenter"), custom<Document, read_service>("service")};
  Document document;
  const At root(reading, tree.root());
  if (tree.root().kind == YamlNode::Kind::null) {
    return document;
  }
  if (tree.root().kind == YamlNode::Kind::sequence) {
    read_entries(root, document);
  } else if (root.has("kind")) {
    read_entry(root, document);
  } else {
    read_rows(root, kRows, &document);
  }
  return document;
}

}  // namespace remora::catalog
