// What gRPC writes into HTTP/2: status messages, timeouts, binary metadata, status codes. Pure functions; any thread.
// Source: grpc/doc/PROTOCOL-HTTP2.md, grpc/doc/http-grpc-status-mapping.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "core/grpc/stream.h"

namespace remora::grpc {

// "UNAVAILABLE"
std::string_view code_name(Code code);

// grpc-status as text; anything that is no known number is `unknown`.
Code parse_code(std::string_view text);

// grpc-message: bytes outside of printable ASCII, and '%', become %XX. What is no valid escape is kept as it is.
std::string percent_encode(std::string_view text);
std::string percent_decode(std::string_view text);

// grpc-timeout: at most 8 digits and a unit (H M S m u n); the coarsest unit that loses less than a hundredth.
std::string format_timeout(Nanoseconds timeout);
std::optional<Nanoseconds> parse_timeout(std::string_view text);

// For metadata whose name ends in "-bin". Decoding takes padded and unpadded text.
std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

// What a response that is no gRPC means, and what RST_STREAM's code does.
Code code_of_http_status(int status);
Code code_of_http2_error(std::uint32_t error);

bool is_binary(std::string_view metadata_name);
// "application/grpc", alone or with a suffix ("+proto") or parameters.
bool is_grpc_content_type(std::string_view value);
// Names that gRPC and HTTP/2 keep to themselves: not metadata.
bool is_reserved(std::string_view name);

}  // namespace remora::grpc
