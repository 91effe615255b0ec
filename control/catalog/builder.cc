#include "control/catalog/builder.h"

#include <fmt/format.h>

#include <algorithm>

namespace remora::catalog {
namespace {

class Builder {
 public:
  Builder(Catalog& catalog, config::ConfigErrors& errors) : catalog_(catalog), errors_(errors) {}

  void add(const Document& document) {
    if (document.datacenter) {
      add_datacenter(*document.datacenter, document.datacenter_place);
    }
    for (const Service& service : document.services) {
      add_service(service);
    }
    for (const EntryPtr& entry : document.entries) {
      std::visit([&](const auto& one) { add_entry(one); }, entry);
    }
  }

  void finish() {
    for (auto& [name, instances] : instances_) {
      catalog_.services.emplace(name, std::make_shared<const Instances>(std::move(instances)));
    }
    if (catalog_.proxy_defaults == nullptr) {
      auto defaults = std::make_shared<ProxyDefaults>();
      defaults->head.name = "global";
      catalog_.proxy_defaults = std::move(defaults);
    }
    catalog_.allow_by_default = catalog_.intentions.empty();
  }

 private:
  void add_datacenter(const std::string& name, const Place& place) {
    if (datacenter_place_.file != nullptr && name != catalog_.datacenter) {
      report(place, fmt::format("the datacenter is '{}' here, but '{}' in {}: a mesh is in one datacenter", name,
                                catalog_.datacenter, datacenter_place_.to_string()));
      return;
    }
    catalog_.datacenter = name;
    datacenter_place_ = place;
  }

  // As in Consul, an id is one instance, whatever its name: two agents may share it, but a file has no agents.
  void add_service(const Service& service) {
    Instances& instances = instances_[service.name];
    const auto twin = std::ranges::find(instances, service.id, &Service::id);
    if (twin != instances.end()) {
      const bool same_id = service.id == service.name;
      report(service.place,
             fmt::format("the service '{}' with id '{}' is already in {}{}", service.name, service.id,
                         twin->place.to_string(), same_id ? ": give each instance an id of its own" : ""));
      return;
    }
    instances.push_back(service);
  }

  template <typename T>
  void add_entry(const std::shared_ptr<const T>& entry) {
    if constexpr (std::is_same_v<T, ProxyDefaults>) {
      if (catalog_.proxy_defaults != nullptr) {
        twice(entry->head, catalog_.proxy_defaults->head, "proxy-defaults");
      } else {
        catalog_.proxy_defaults = entry;
      }
    } else {
      const auto [found, fresh] = map_of(entry).emplace(entry->head.name, entry);
      if (!fresh) {
        twice(entry->head, found->second->head, kind_of(EntryPtr(entry)));
      }
    }
  }

  ByName<ServiceDefaults>& map_of(const std::shared_ptr<const ServiceDefaults>&) { return catalog_.service_defaults; }
  ByName<ServiceRouter>& map_of(const std::shared_ptr<const ServiceRouter>&) { return catalog_.routers; }
  ByName<ServiceSplitter>& map_of(const std::shared_ptr<const ServiceSplitter>&) { return catalog_.splitters; }
  ByName<ServiceResolver>& map_of(const std::shared_ptr<const ServiceResolver>&) { return catalog_.resolvers; }
  ByName<ServiceIntentions>& map_of(const std::shared_ptr<const ServiceIntentions>&) { return catalog_.intentions; }

  void twice(const EntryHead& second, const EntryHead& first, std::string_view kind) {
    report(second.place,
           fmt::format("there is a {} of the name '{}' already, in {}", kind, second.name, first.place.to_string()));
  }

  void report(const Place& place, std::string message) { errors_.push_back(error_at(place, std::move(message))); }

  Catalog& catalog_;
  config::ConfigErrors& errors_;
  std::map<std::string, Instances> instances_;
  Place datacenter_place_;
};

}  // namespace

config::ConfigError error_at(const Place& place, std::string message) {
  return {place.file == nullptr ? std::string() : *place.file, place.line, place.column, place.path,
          std::move(message)};
}

std::shared_ptr<Catalog> build_catalog(std::span<const std::shared_ptr<const Document>> documents,
                                       config::ConfigErrors& errors) {
  auto catalog = std::make_shared<Catalog>();
  Builder builder(*catalog, errors);
  for (const auto& document : documents) {
    builder.add(*document);
  }
  builder.finish();
  return catalog;
}

}  // namespace remora::catalog
