// Rewrites of a request's path and host on its way upstream, and the Location of a redirect. New text goes to the
// arena. Values only; any thread. Semantics: Envoy's prefix_rewrite, regex_rewrite, host_rewrite_*, RedirectAction.
#pragma once

#include <optional>
#include <string_view>

#include "core/base/arena.h"
#include "core/http/message.h"
#include "proxy/model/route.h"

namespace remora::routing {

// The path to send, query kept; nullopt: unchanged (then there is no x-envoy-original-path either).
std::optional<std::string_view> rewrite_path(const model::Route& route, const model::RouteAction& action,
                                             std::string_view path, Arena& arena);

// The authority to send; nullopt: unchanged. `endpoint_hostname` serves auto_host_rewrite and may be empty; the text is
// not copied: it lives in the configuration or the head.
std::optional<std::string_view> rewrite_host(const model::RouteAction& action, const model::WeightedCluster* weighted,
                                             const http::RequestHead& head, std::string_view endpoint_hostname);

// The Location header. `scheme`: the request's, "http" or "https" (what the client said, else x-forwarded-proto, else
// the connection's).
std::string_view redirect_location(const model::Route& route, const model::RedirectAction& action,
                                   const http::RequestHead& head, std::string_view scheme, Arena& arena);

}  // namespace remora::routing
