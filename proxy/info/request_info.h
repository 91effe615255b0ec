// RequestInfo: the facts of one exchange that formatters, access logs, metrics and local replies read. A member of
// Exchange, whose arena or snapshot holds the text that the views name; worker thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/http/message.h"
#include "proxy/info/response_flags.h"
#include "proxy/model/cluster.h"
#include "proxy/model/route.h"

namespace remora::proxy {

// Facts that all exchanges of one downstream connection share. Owned by the Session, which outlives them.
struct ConnectionFacts {
  std::uint64_t id = 0;
  Address remote;  // of the socket
  Address local;
  std::string_view remote_text;  // remote.to_string(), kept by the Session
  std::string_view remote_ip;
  std::string_view local_text;
};

struct RequestInfo {
  const ConnectionFacts* connection = nullptr;
  bool tunnel = false;  // of TCP: there are no requests

  WallTime start_wall{};
  MonotonicTime start{};           // the head's first byte was read
  MonotonicTime request_end{};     // the last byte of the request was read; epoch: not yet
  MonotonicTime upstream_begin{};  // (of the last attempt) the head was given to the upstream
  MonotonicTime upstream_sent{};   // the request's last byte was given to the upstream
  MonotonicTime response_begin{};  // the upstream's head was read
  MonotonicTime response_end{};    // the upstream's last byte was read
  MonotonicTime end{};             // the exchange ended
  Nanoseconds own{0};              // time that the proxy itself added: waiting for either side excluded

  http::Protocol protocol = http::Protocol::http11;
  const http::RequestHead* request = nullptr;    // as changed on its way upstream
  const http::ResponseHead* response = nullptr;  // as sent downstream; null: none
  const http::HeaderList* response_trailers = nullptr;
  std::string_view original_path;  // before rewrites
  std::string_view original_authority;
  std::string_view request_id;
  std::string_view trace_id;
  std::string_view downstream_remote_ip;  // after x-forwarded-for, when it is trusted; without port

  int response_code = 0;  // 0: none was sent
  ResponseFlags flags = 0;
  std::string_view response_code_details;   // Envoy's words, such as "via_upstream", "route_not_found"
  std::string_view reason;                  // of a local reply: ours, such as "connect_refused"
  std::string_view connection_termination;  // why we ended a tunnel, such as "idle_timeout"
  std::string_view upstream_failure;        // transport failure, in words
  std::uint64_t bytes_received = 0;         // of bodies
  std::uint64_t bytes_sent = 0;

  const model::Route* route = nullptr;
  const model::VirtualHost* virtual_host = nullptr;
  const model::Cluster* cluster = nullptr;
  const model::Endpoint* endpoint = nullptr;  // of the last attempt
  std::string_view upstream_host_text;        // "10.0.0.1:80"
  std::string_view upstream_local_text;
  std::uint32_t attempts = 0;  // tries begun; as in Envoy, 1 as soon as there is a cluster, endpoint or not
};

}  // namespace remora::proxy
