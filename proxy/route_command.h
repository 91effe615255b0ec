// `remora-proxy route`: what a running proxy would do with a request: asks its admin interface for /route and prints
// the answer. Main thread.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace remora::proxy {

struct RouteCommand {
  std::string admin = "127.0.0.1:15000";
  std::string method = "GET";
  std::string url;
  std::string listener;
  std::vector<std::string> headers;
  bool json = false;
  bool help = false;
};

// `arguments` without "route".
Result<RouteCommand> parse_route_command(std::span<const std::string_view> arguments);
std::string route_help();
// "/route?url=http%3A%2F%2Fapi%2F&method=GET"
std::string route_target(const RouteCommand& command);

// 0: the request would be sent (or the route itself answers), 1: the proxy would refuse it, or could not be asked; 2:
// the question was wrong.
int run_route_command(std::span<const std::string_view> arguments, const std::function<void(std::string_view)>& out,
                      const std::function<void(std::string_view)>& err);

}  // namespace remora::proxy
