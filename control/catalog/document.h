// Document: what one file, or one answer of Consul's, says: services and config entries, read but not yet looked at
// together. A value; main thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/catalog/catalog.h"
#include "control/catalog/reading.h"
#include "core/config/yaml_tree.h"

namespace remora::catalog {

using EntryPtr = std::variant<std::shared_ptr<const ServiceDefaults>, std::shared_ptr<const ServiceRouter>,
                              std::shared_ptr<const ServiceSplitter>, std::shared_ptr<const ServiceResolver>,
                              std::shared_ptr<const ServiceIntentions>, std::shared_ptr<const ProxyDefaults>>;

struct Document {
  std::vector<Service> services;
  std::vector<EntryPtr> entries;
  std::optional<std::string> datacenter;
  Place datacenter_place;
};

// A mesh file: `services:`, `config_entries:` and `datacenter:`; or one config entry, or a list of them, as
// `consul config write` takes and `consul config read` prints them. What is wrong goes to the reading; what could be
// read is in the document all the same.
Document read_document(const config::YamlTree& tree, Reading& reading);

// One service definition or config entry, wherever it came from. An entry of an unknown kind is reported.
void read_service(const At& at, Document& into);
void read_entry(const At& at, Document& into);

// The kinds that Remora takes, as Consul names them.
std::span<const std::string_view> entry_kinds();
std::string_view kind_of(const EntryPtr& entry);
const EntryHead& head_of(const EntryPtr& entry);

}  // namespace remora::catalog
