// MeshFeed: the Feed of `--mesh`: follows a mesh file, or a folder of them, and translates it in process into what a
// control plane would have sent. What is wrong with a new version is logged with file and line, and the last good one
// goes on. Owned by DynamicConfig; main thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/catalog/folder_catalog.h"
#include "control/translate/translate.h"
#include "core/event/inotify_watch.h"
#include "core/event/libevent_loop.h"
#include "proxy/sources/feed.h"

namespace remora::proxy {

// Everything that is wrong with the mesh as this proxy would run it, and what is only worth a warning: one line each,
// with its place.
struct MeshReport {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

// Reads and translates once, and forgets the result: for the start, and for --mode validate.
MeshReport check_mesh(const std::string& path, const translate::ProxyIdentity& identity);

class MeshFeed final : public sources::Feed, catalog::CatalogEvents {
 public:
  // The loop outlives it. The first resources come on a later turn.
  MeshFeed(LibeventLoop& loop, const std::string& path, translate::ProxyIdentity identity, sources::FeedEvents events);

  void want_all(sources::ResourceType) override {}
  void want(sources::ResourceType, const std::set<std::string>&) override {}
  sources::XdsClientFacts facts() const override { return facts_; }

 private:
  using Versions = std::map<std::string, std::string, std::less<>>;  // by name

  void start();
  void on_catalog(catalog::CatalogPtr catalog) override;
  void on_findings(const catalog::Findings& findings) override;
  void send(sources::ResourceType type, const translate::ByName& resources, Versions& sent);

  const translate::ProxyIdentity identity_;
  const sources::FeedEvents events_;
  catalog::FolderCatalog folder_;
  InotifyWatch watch_;
  Task start_task_;
  sources::XdsClientFacts facts_;
  Versions clusters_, listeners_, routes_;  // as they were sent
  translate::Problems problems_;            // that were logged
};

}  // namespace remora::proxy
