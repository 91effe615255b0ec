#include "proxy/mesh/mesh_feed.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace remora::proxy {
namespace {

using sources::LogLevel;
using sources::ResourceType;
using translate::Problem;

std::string text_of(const Problem& problem) {
  const std::string place = problem.place.to_string();
  return place.empty() ? problem.message : fmt::format("{}: {}", place, problem.message);
}

// Only ever compared with those of this process.
std::string version_of(const std::string& bytes) { return fmt::format("{:016x}", std::hash<std::string>()(bytes)); }

}  // namespace

MeshReport check_mesh(const std::string& path, const translate::ProxyIdentity& identity) {
  MeshReport report;
  const catalog::Loaded loaded = catalog::MeshFiles({path}).load();
  for (const catalog::Finding& finding : loaded.findings) {
    if (finding.severity != catalog::Severity::note) {
      auto& list = finding.severity == catalog::Severity::error ? report.errors : report.warnings;
      list.push_back(finding.what.to_string());
    }
  }
  if (loaded.catalog == nullptr) {
    return report;
  }
  for (const Problem& problem : translate::translate(*loaded.catalog, identity).problems) {
    auto& list = problem.severity == Problem::Severity::error ? report.errors : report.warnings;
    list.push_back(text_of(problem));
  }
  return report;
}

MeshFeed::MeshFeed(LibeventLoop& loop, const std::string& path, translate::ProxyIdentity identity,
                   sources::FeedEvents events)
    : identity_(std::move(identity)),
      events_(std::move(events)),
      folder_(loop, {path}, *this),
      watch_(loop, {path}, [this] { folder_.touched(); }) {
  facts_.address = path;
  start_task_.bind<&MeshFeed::start>(this);
  loop.next_turn(start_task_);
}

void MeshFeed::start() {
  const catalog::Loaded& loaded = folder_.start();
  facts_.streams = 1;
  if (loaded.catalog != nullptr) {
    on_catalog(loaded.catalog);
  } else {
    on_findings(loaded.findings);
    events_.failed();
  }
}

void MeshFeed::on_findings(const catalog::Findings& findings) {
  if (!catalog::has_errors(findings)) {
    facts_.last_error.clear();
    return;
  }
  ++facts_.failures;
  for (const catalog::Finding& finding : findings) {
    if (finding.severity == catalog::Severity::error) {
      facts_.last_error = finding.what.to_string();
      events_.log(LogLevel::warn, facts_.last_error);
    }
  }
  events_.log(LogLevel::warn, fmt::format("the mesh in {} has errors: the last good version goes on", facts_.address));
}

void MeshFeed::on_catalog(catalog::CatalogPtr catalog) {
  // An edit by mistake; whoever means it stops the proxy.
  if (facts_.acks > 0 && catalog->find_instance(identity_.service, identity_.id) == nullptr) {
    facts_.last_error = fmt::format("the mesh in {} has no instance {} any more: what it had last goes on",
                                    facts_.address, identity_.id.empty() ? identity_.service : identity_.id);
    events_.log(LogLevel::warn, facts_.last_error);
    return;
  }
  facts_.connected = true;
  facts_.last_error.clear();
  translate::Resources resources = translate::translate(*catalog, identity_);
  for (const Problem& problem : resources.problems) {
    if (std::ranges::find(problems_, problem) == problems_.end()) {
      events_.log(LogLevel::warn, text_of(problem));
    }
  }
  problems_ = std::move(resources.problems);
  send(ResourceType::cluster, resources.clusters, clusters_);
  send(ResourceType::listener, resources.listeners, listeners_);
  send(ResourceType::route, resources.routes, routes_);
  ++facts_.acks;
}

// Only what changed: a mesh may have thousands of services of which one moved.
void MeshFeed::send(ResourceType type, const translate::ByName& resources, Versions& sent) {
  sources::ResourceUpdate update;
  update.type = type;
  std::string all;
  Versions now;
  for (const auto& [name, message] : resources) {
    const std::string bytes = translate::bytes_of(*message);
    std::string version = version_of(bytes);
    all += version;
    const auto before = sent.find(name);
    if (before == sent.end() || before->second != version) {
      sources::Resource resource{name, version, {}};
      resource.body.set_type_url(std::string(sources::type_url(type)));
      resource.body.set_value(bytes);
      update.set.push_back(std::move(resource));
    }
    now.emplace(name, std::move(version));
  }
  for (const auto& [name, version] : sent) {
    if (!now.contains(name)) {
      update.removed.push_back(name);
    }
  }
  const bool first = facts_.acks == 0;
  if (!first && update.set.empty() && update.removed.empty()) {
    return;
  }
  update.version = version_of(all);
  sent = std::move(now);
  events_.apply(update, {});
}

}  // namespace remora::proxy
