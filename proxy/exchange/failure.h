// Failure: why an attempt did not bring a response, as a value with a story. Values; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace remora::proxy {

enum class FailureKind : std::uint8_t {
  no_healthy_endpoint,
  breaker_open,
  overflow_requests,
  overflow_pending,
  overflow_connections,
  connect_failed,  // refused, unreachable, ... : `error` is the errno
  connect_timeout,
  closed_before_response,  // FIN before the first byte of an answer
  reset_before_response,   // RST before it
  protocol_error,          // the answer is not HTTP
  closed_mid_response,
  per_try_timeout,
  request_timeout,
};

struct Failure {
  FailureKind kind = FailureKind::connect_failed;
  int error = 0;                   // errno, where there is one
  bool head_written = false;       // bytes of the request were given to the socket
  bool reused_connection = false;  // over a connection that had carried a request before
  bool response_begun = false;
  std::string_view cause = {};  // of protocol errors; static text
};

}  // namespace remora::proxy
