// Format: a compiled command string such as "%REQ(X-ID?:AUTHORITY):12% %PROTOCOL%". Parsed once when the configuration
// is loaded; evaluated by proxy/filters/formatter against one request. Immutable; any thread. Source: Envoy "Command
// operators" (configuration/observability/access_log/usage), shared by header formatters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace remora::model {

enum class FormatOp : std::uint8_t {
  literal,
  req,   // %REQ(X?Y):Z%
  resp,  // %RESP(X?Y):Z%
  trailer,
  start_time,           // %START_TIME(fmt)%
  request_method_path,  // reserved
  protocol,
  response_code,
  response_code_details,
  response_flags,
  response_flags_long,
  bytes_received,
  bytes_sent,
  duration,
  request_duration,
  request_tx_duration,
  response_duration,
  response_tx_duration,
  upstream_host,
  upstream_cluster,
  upstream_local_address,
  upstream_transport_failure_reason,
  upstream_request_attempt_count,
  downstream_remote_address,
  downstream_remote_address_without_port,
  downstream_remote_port,
  downstream_direct_remote_address,
  downstream_direct_remote_address_without_port,
  downstream_direct_remote_port,
  downstream_local_address,
  downstream_local_address_without_port,
  downstream_local_port,
  connection_id,
  connection_termination_details,
  route_name,
  virtual_cluster_name,
  hostname,
  requested_server_name,
  trace_id,
  stream_id,
  environment,
  remora_own_duration,  // %REMORA_OWN_DURATION%: microseconds that the proxy itself added; ours
  remora_reason,        // %REMORA_REASON%: why a local reply was made; ours
};

struct FormatPart {
  FormatOp op = FormatOp::literal;
  std::string text;         // the literal; or the operator's (first) argument, a header name in lower case
  std::string alternative;  // REQ and RESP: the header to take when the first is absent
  std::optional<std::size_t> max_length;
};

class Format {
 public:
  // Errors say which operator at which offset is wrong, and the nearest known one.
  static Result<Format> parse(std::string_view text);
  // The names of all operators, sorted: for help and documentation.
  static std::vector<std::string_view> operators();

  const std::vector<FormatPart>& parts() const { return parts_; }
  const std::string& source() const { return source_; }
  bool is_literal() const { return parts_.empty() || (parts_.size() == 1 && parts_[0].op == FormatOp::literal); }

 private:
  std::string source_;
  std::vector<FormatPart> parts_;
};

}  // namespace remora::model
