// Feed: one way in for resources of one or several types: a gRPC stream, REST polling or a watched file. Owned by
// DynamicConfig; main thread.
#pragma once

#include <set>
#include <string>

#include "proxy/sources/resources.h"
#include "proxy/sources/xds_client.h"

namespace remora::sources {

class Feed {
 public:
  virtual ~Feed() = default;
  virtual void want_all(ResourceType type) = 0;
  virtual void want(ResourceType type, const std::set<std::string>& names) = 0;
  // A resource, of a type that is wanted or not, that we have already, from the disk.
  virtual void have(ResourceType, const std::string&, const std::string&) {}
  virtual XdsClientFacts facts() const = 0;
};

}  // namespace remora::sources
