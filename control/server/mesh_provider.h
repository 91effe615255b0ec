// MeshProvider: what each node gets, translated from the mesh as people wrote it. Translates a proxy's part when it is
// first asked for, and again only when something that it depends on changed; equal resources are one for all nodes.
// Owned by control's main; main thread.
// A node's service is `node.cluster`, and its instance the one whose id is `node.id`, if there is such a one. Its
// metadata may say, under "remora": {"service_id": "web-1"} which instance it is, {"consul": true} that it watches
// Consul itself, {"http2": true} that it calls upstreams by HTTP/2. When its instance goes, what it had last goes on.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "control/catalog/catalog.h"
#include "control/server/footprint.h"
#include "control/server/resource_cache.h"
#include "control/translate/translate.h"

namespace remora::control {

class MeshProvider final : public ResourceProvider {
 public:
  // A whole new mesh: what it does not change is not pushed.
  void set_catalog(catalog::CatalogPtr catalog);
  const catalog::CatalogPtr& catalog() const { return catalog_; }

  NodeResourcesPtr resources_for(const Node& node) override;
  void on_change(std::function<void()> changed) override { changed_ = std::move(changed); }
  // The services whose instances somebody's part depends on; `reached` is called when there may be others.
  std::set<std::string, std::less<>> wanted() const;
  void on_reached(std::function<void()> reached) { reached_ = std::move(reached); }
  bool ready() const override { return catalog_ != nullptr; }
  std::string notice() const override;  // that intentions are not enforced

  std::uint64_t translations() const override { return translations_; }

 private:
  struct Entry {
    Footprint footprint;          // of `resources`
    catalog::CatalogPtr checked;  // looked at already
    std::set<std::string, std::less<>> reached;
    NodeResourcesPtr resources;  // null: not all is known yet that they depend on
    std::uint64_t asked = 0;     // in which catalog's time it was last asked for
  };

  NodeResourcesPtr translate(const translate::ProxyIdentity& identity, const NodeResourcesPtr& before);

  catalog::CatalogPtr catalog_;
  std::uint64_t age_ = 0;  // catalogs so far
  std::uint64_t translations_ = 0;
  std::map<translate::ProxyIdentity, Entry> entries_;
  ResourcePool pool_;
  std::function<void()> changed_;
  std::function<void()> reached_;
};

// As MeshProvider reads it from a node.
translate::ProxyIdentity identity_of(const Node& node, const catalog::Catalog& catalog);

}  // namespace remora::control
