// FileFeed: resources of one type in a file that holds a DiscoveryResponse (YAML or JSON; a name that ends in .pb:
// binary). Read when it changes: when another file, or another folder by a symbolic link, was moved to its place, as
// Envoy asks for, or when it was written and closed. With a watched_directory, when something in that one changed,
// and not before: so several files can change as one. A half-written file is an error until it is whole. Owned by
// DynamicConfig; main thread. Source: envoy.config.core.v3.PathConfigSource, WatchedDirectory.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <set>
#include <string>

#include "core/event/file_watch.h"
#include "core/event/loop.h"
#include "proxy/sources/feed.h"
#include "proxy/xds/config_source.h"

namespace remora::sources {

class FileFeed final : public Feed {
 public:
  // What changes in this time is read once.
  static constexpr Milliseconds kQuiet{5};
  // Not every file system tells of changes. One that is seen only by looking is read when the next look finds it the
  // same: nobody is writing it any more.
  static constexpr Seconds kLookEvery{5};

  // `watcher` null: it is only looked at.
  FileFeed(Loop& loop, FileWatcher* watcher, const xds::ConfigSource& source, ResourceType type, FeedEvents events);

  void want_all(ResourceType) override {}
  // What nobody refers to is not kept by the builder, so a new name means to read again.
  void want(ResourceType, const std::set<std::string>& names) override;
  XdsClientFacts facts() const override { return facts_; }

 private:
  void touched();
  void look();
  void read();
  void say(std::string words);

  // Constant after construction.
  Loop& loop_;
  const std::string path_;
  const std::string watched_;  // the path itself, or the watched_directory
  const ResourceType type_;
  const FeedEvents events_;

  std::set<std::string> names_;
  struct stat read_{};    // of what is watched, at the last reading
  struct stat looked_{};  // and at the last look
  XdsClientFacts facts_;
  std::unique_ptr<FileWatch> watch_;
  Timer quiet_;
  Timer look_;
};

}  // namespace remora::sources
