// hash_request: the number by which ring hash and Maglev choose an endpoint, from what a route's hash_policy names.
// Pure functions; worker thread. Semantics, and so numbers: envoy.config.route.v3.RouteAction.HashPolicy.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/arena.h"
#include "core/http/message.h"
#include "proxy/model/route.h"

namespace remora::routing {

// Whom a request came from, as cookies and source_ip need it.
struct HashSource {
  std::string_view client_ip;  // after x-forwarded-for, when it is trusted
  std::string_view remote;     // of the connection: "10.0.0.1:4711"
  std::string_view local;
};

struct RequestHash {
  std::optional<std::uint64_t> hash;              // none: the policies named nothing that is there
  const model::HashPolicy* new_cookie = nullptr;  // the cookie that the client is to be given
  std::string_view new_cookie_value;
};

// New text goes to the head's arena.
RequestHash hash_request(const std::vector<model::HashPolicy>& policies, const http::RequestHead& head,
                         const HashSource& source);

// The set-cookie header of a new cookie.
std::string_view set_cookie_value(const model::HashPolicy& cookie, std::string_view value, Arena& arena);

}  // namespace remora::routing
