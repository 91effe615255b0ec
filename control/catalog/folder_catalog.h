// FolderCatalog: the catalog of files and folders, followed: when something may have changed it waits for quiet, reads
// all of it anew, and passes it on whole or not at all. It is told of changes (InotifyWatch), and looks by itself now
// and then, since not every file system tells. Owned by whoever runs on the catalog; its loop's thread.
#pragma once

#include <string>
#include <vector>

#include "control/catalog/catalog_events.h"
#include "control/catalog/mesh_files.h"
#include "core/event/loop.h"

namespace remora::catalog {

class FolderCatalog {
 public:
  // Several files written together are one change.
  static constexpr Milliseconds kQuiet{10};
  static constexpr Milliseconds kLongestWait{250};
  static constexpr Seconds kLookEvery{5};

  FolderCatalog(Loop& loop, std::vector<std::string> paths, CatalogEvents& events);
  FolderCatalog(const FolderCatalog&) = delete;
  FolderCatalog& operator=(const FolderCatalog&) = delete;

  // Reads for the first time, now, and begins to follow. Without a catalog the caller decides whether to go on without
  // one; nothing of this is told by events.
  const Loaded& start();

  // Something may have changed. Cheap.
  void touched();

  const Loaded& last() const { return last_; }            // the last reading, good or bad
  const CatalogPtr& catalog() const { return catalog_; }  // the last good one; null: there never was any
  const std::vector<std::string>& paths() const { return files_.paths(); }

 private:
  void on_quiet();
  void on_look();
  void load();

  // Constant after construction.
  Loop& loop_;
  CatalogEvents& events_;

  MeshFiles files_;
  Loaded last_;
  CatalogPtr catalog_;
  std::string signature_;     // of the files, as the last reading began
  MonotonicTime touched_at_;  // the first touch since the last reading
  Timer quiet_;
  Timer look_;
};

}  // namespace remora::catalog
