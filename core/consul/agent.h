// Agent: where a Consul agent listens, and how people write it: 127.0.0.1:8500, http://consul.local:8500,
// https://127.0.0.1:8501, unix:///run/consul.sock. Values; any thread. Source: Consul's CONSUL_HTTP_ADDR.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/result.h"

namespace remora::consul {

struct Agent {
  Address address;
  std::string authority;   // for the Host header, and for people
  std::string tls_server;  // https: the name that its certificate must hold; empty: no TLS
};

// A comma-separated list; the port is 8500 unless said, 8501 with https. A name is resolved now, by the system's
// resolver, which may block: for the start of a process. Errors name the item and what was expected.
Result<std::vector<Agent>> parse_agents(std::string_view text);

}  // namespace remora::consul
