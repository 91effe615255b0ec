// RouteQuestion: which request /route is asked about, and which listener would take it: by its name, by the port or the
// service that the URL names, or the only one. Values; main thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/admin/request.h"
#include "core/base/result.h"
#include "proxy/admin/facts.h"

namespace remora::admin {

struct RouteQuestion {
  std::string listener;  // as asked for; empty: by the URL
  std::string method = "GET";
  std::string authority;  // empty: the URL is a path alone
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case; a host is the authority

  std::string text() const;  // "GET http://api/v2"
};

// ?url=http://api/v2&method=GET&header=x-user:%20a&header=…&listener=outbound/api
Result<RouteQuestion> parse_route_question(const AdminRequest& request);

// The error lists the listeners that there are.
Result<ListenerFacts> find_listener(const RouteQuestion& question, const std::vector<ListenerFacts>& listeners);

}  // namespace remora::admin
