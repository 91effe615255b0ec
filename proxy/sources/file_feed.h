// FileFeed: resources of one type in a file that holds a DiscoveryResponse (YAML or JSON; a name that ends in .pb:
// binary). Looked at four times a second: whoever changes it moves another file to its place, as Envoy asks for; a
// half-written one is an error until it is whole. Owned by DynamicConfig; main thread.
// Source: envoy.config.core.v3.PathConfigSource. Looking, not inotify: it sees any way in which a file may change, a
// symbolic link's target three steps away too, and costs nothing at this rate.
#pragma once

#include <sys/stat.h>

#include <set>
#include <string>

#include "core/event/loop.h"
#include "proxy/sources/feed.h"
#include "proxy/xds/config_source.h"

namespace remora::sources {

class FileFeed final : public Feed {
 public:
  static constexpr Milliseconds kInterval{250};

  FileFeed(Loop& loop, const xds::ConfigSource& source, ResourceType type, FeedEvents events);

  void want_all(ResourceType) override {}
  // What nobody refers to is not kept by the builder, so a new name means to read again.
  void want(ResourceType, const std::set<std::string>& names) override;
  XdsClientFacts facts() const override { return facts_; }

 private:
  void look();
  void read();
  void say(std::string words);

  Loop& loop_;
  const std::string path_;
  const ResourceType type_;
  const FeedEvents events_;
  std::set<std::string> names_;
  struct stat seen_{};
  bool read_again_ = true;
  XdsClientFacts facts_;
  Timer timer_;
};

}  // namespace remora::sources
