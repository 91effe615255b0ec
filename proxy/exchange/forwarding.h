// Forwarding: what a proxy changes in a request's head because it is a proxy: x-forwarded-*, via, who counts as
// internal, the x-envoy-* headers that only insiders may use. Stateless; worker thread. Source: Envoy
// HttpConnectionManager use_remote_address, xff_num_trusted_hops, skip_xff_append, via.
#pragma once

#include "core/http/message.h"
#include "proxy/info/request_info.h"
#include "proxy/model/listener.h"

namespace remora::proxy {

struct Origin {
  bool internal = false;  // may use x-envoy-* request headers
  bool edge = false;      // came from outside, and we are the first to see it
};

// Fills info.downstream_remote_ip. `own_ip`: this machine's address, which x-forwarded-for names in the place of a
// loopback peer, as Envoy does: the app beside us is this machine to everyone else.
Origin apply_forwarding(http::RequestHead& head, const model::HttpConnectionManager& config, std::string_view own_ip,
                        RequestInfo& info);

// Host without its port, as strip_any_host_port and strip_matching_host_port say.
void strip_host_port(http::RequestHead& head, const model::HttpConnectionManager& config, std::uint16_t local_port);

// Is it in one of the listener's internal_address_config ranges?
bool is_internal_address(std::string_view ip, const model::HttpConnectionManager& config);

}  // namespace remora::proxy
