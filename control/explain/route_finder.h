// find_route: which route of a configuration takes a request, by the proxy's own reader and route table. A pure
// function; main thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "control/explain/explain.h"
#include "core/base/result.h"
#include "envoy/config/route/v3/route.pb.h"

namespace remora::explain {

struct Found {
  std::size_t index = 0;  // in its virtual host, the only one
  std::string name;
  std::string sent_path;                 // empty: as it came
  std::vector<std::string> passed_over;  // the names of those before it
};

Result<Found> find_route(const envoy::config::route::v3::RouteConfiguration& routes, const Question& question);

}  // namespace remora::explain
