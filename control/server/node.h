// Node: who a proxy says it is, in the first request of its stream. A value; any thread.
// Source: envoy.config.core.v3.Node.
#pragma once

#include <string>

namespace remora::control {

struct Node {
  std::string id;
  std::string service;     // node.cluster
  std::string user_agent;  // "envoy", "remora"; what the client's library says of itself
  std::string metadata;    // node.metadata as JSON, its keys sorted; empty: there is none

  friend bool operator==(const Node&, const Node&) = default;
  friend auto operator<=>(const Node&, const Node&) = default;
};

}  // namespace remora::control
