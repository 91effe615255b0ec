#include "control/server/mesh_provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/translate/access.h"
#include "core/admin/json.h"
#include "envoy/config/cluster/v3/cluster.pb.h"

namespace remora::control {
namespace {

// Identities that nobody asked for during so many catalogs are forgotten.
constexpr std::uint64_t kForgetAfter = 64;

std::string endpoints_name(const google::protobuf::Message& message) {
  const auto* cluster = dynamic_cast<const envoy::config::cluster::v3::Cluster*>(&message);
  return cluster == nullptr ? std::string() : cluster->eds_cluster_config().service_name();
}

}  // namespace

translate::ProxyIdentity identity_of(const Node& node, const catalog::Catalog& catalog) {
  using Endpoints = translate::ProxyIdentity::Endpoints;
  const std::string_view ours = admin::json_member(node.metadata, "remora");
  translate::ProxyIdentity identity;
  identity.service = node.service;
  identity.id = admin::json_text(admin::json_member(ours, "service_id"));
  if (identity.id.empty() && catalog.find_instance(node.service, node.id) != nullptr) {
    identity.id = node.id;
  }
  identity.remora = !ours.empty() || node.user_agent.starts_with("remora");
  identity.endpoints = admin::json_member(ours, "consul") == "true" ? Endpoints::consul : Endpoints::eds;
  identity.http2 = !identity.remora || admin::json_member(ours, "http2") == "true";
  return identity;
}

void MeshProvider::set_catalog(catalog::CatalogPtr catalog) {
  catalog_ = std::move(catalog);
  ++age_;
  std::erase_if(entries_, [this](const auto& entry) { return entry.second.asked + kForgetAfter < age_; });
  pool_.forget_unused();
  if (changed_) {
    changed_();
  }
}

std::string MeshProvider::notice() const {
  return catalog_ == nullptr ? std::string() : translate::unenforced_notice(*catalog_);
}

NodeResourcesPtr MeshProvider::resources_for(const Node& node) {
  translate::ProxyIdentity identity = identity_of(node, *catalog_);
  if (identity.id.empty()) {
    translate::ProxyIdentity once = identity;
    once.id = node.id;
    if (entries_.contains(once)) {
      identity = std::move(once);  // an instance that is gone: its proxy does not become another one's
    }
  }
  Entry& entry = entries_[identity];
  entry.asked = age_;
  if (entry.checked == catalog_) {
    return entry.resources;
  }
  Footprint now(*catalog_, identity.service);
  entry.checked = catalog_;
  if (now.services() != entry.reached) {
    entry.reached = now.services();
    if (reached_) {
      reached_();
    }
  }
  const auto heard = [this](const std::string& service) { return catalog_->has_heard(service); };
  // What it has, if anything, goes on until all is known: half of it would take away the rest.
  if (!std::ranges::all_of(entry.reached, heard)) {
    return entry.resources;
  }
  if (entry.resources == nullptr || !(now == entry.footprint)) {
    entry.resources = translate(identity, entry.resources);
    entry.footprint = std::move(now);
  }
  return entry.resources;
}

std::set<std::string, std::less<>> MeshProvider::wanted() const {
  std::set<std::string, std::less<>> all;
  for (const auto& [identity, entry] : entries_) {
    all.insert(entry.reached.begin(), entry.reached.end());
  }
  return all;
}

NodeResourcesPtr MeshProvider::translate(const translate::ProxyIdentity& identity, const NodeResourcesPtr& before) {
  ++translations_;
  auto made = std::make_shared<NodeResources>();
  // The registry may have lost an instance whose application runs on, and calls others through its proxy.
  if (before != nullptr && !identity.id.empty() && catalog_->find_instance(identity.service, identity.id) == nullptr) {
    made->sets = before->sets;
    made->problem = fmt::format("service '{}' has no instance '{}' any more: what it had last goes on",
                                identity.service, identity.id);
    return made;
  }
  const translate::Resources resources = translate::translate(*catalog_, identity);
  const auto take = [&](Type type, const translate::ByName& messages) {
    ResourceSet::ByName by_name;
    for (const auto& [name, message] : messages) {
      by_name.emplace(name, pool_.share(type, translate::bytes_of(*message), endpoints_name(*message)));
    }
    auto set = std::make_shared<const ResourceSet>(std::move(by_name));
    const bool same = before != nullptr && before->of(type)->version() == set->version();
    made->of(type) = same ? before->of(type) : set;
  };
  take(Type::cluster, resources.clusters);
  take(Type::endpoint, resources.endpoints);
  take(Type::listener, resources.listeners);
  take(Type::route, resources.routes);
  for (const translate::Problem& problem : resources.problems) {
    if (problem.severity == translate::Problem::Severity::error) {
      made->problem = problem.message;
      break;
    }
  }
  // Whoever comes to a control plane that has just started may have all that it needs: an empty answer would take it
  // away.
  made->withheld = !catalog_->complete && (before == nullptr || before->withheld) &&
                   catalog_->find_instance(identity.service, identity.id) == nullptr;
  if (made->problem.empty() && identity.service.empty()) {
    made->problem = "node.cluster is empty: it must name the service whose sidecar this is";
  } else if (made->problem.empty() && !catalog_->knows(identity.service)) {
    made->problem = "nobody in the mesh is called '" + identity.service + "'";
  }
  return made;
}

}  // namespace remora::control
