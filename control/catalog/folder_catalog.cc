#include "control/catalog/folder_catalog.h"

#include <utility>

#include "control/catalog/share_unchanged.h"

namespace remora::catalog {

FolderCatalog::FolderCatalog(Loop& loop, std::vector<std::string> paths, CatalogEvents& events)
    : loop_(loop), events_(events), files_(std::move(paths)) {
  quiet_.bind<&FolderCatalog::on_quiet>(this);
  look_.bind<&FolderCatalog::on_look>(this);
}

const Loaded& FolderCatalog::start() {
  signature_ = files_.signature();
  last_ = files_.load();
  catalog_ = last_.catalog;
  loop_.arm(look_, kLookEvery);
  return last_;
}

void FolderCatalog::touched() {
  if (!quiet_.armed()) {
    touched_at_ = loop_.now();
  }
  // Each touch puts it off, but not for ever.
  const Nanoseconds waited = loop_.now() - touched_at_;
  if (waited + kQuiet <= kLongestWait) {
    loop_.arm(quiet_, kQuiet);
  }
}

void FolderCatalog::on_quiet() {
  signature_ = files_.signature();
  load();
}

void FolderCatalog::on_look() {
  loop_.arm(look_, kLookEvery);
  if (!quiet_.armed() && files_.signature() != signature_) {
    touched();
  }
}

void FolderCatalog::load() {
  Loaded loaded = files_.load();
  if (!loaded.changed) {
    return;
  }
  last_ = std::move(loaded);
  events_.on_findings(last_.findings);
  if (last_.catalog != nullptr) {
    if (catalog_ != nullptr) {
      last_.catalog = share_unchanged(*catalog_, *last_.catalog);
    }
    catalog_ = last_.catalog;
    events_.on_catalog(catalog_);
  }
}

}  // namespace remora::catalog
