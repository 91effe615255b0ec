// Makes an HTTP/1 head out of what llhttp found, or says why it must be refused: which framing it has, whom it is for,
// and which headers end here. Nothing ambiguous passes: what two parsers could read in two ways is refused, never
// repaired (RFC 9112 sections 3.2, 6 and 11.2; RFC 9110 section 7.6.1). Pure functions; any thread.
//
// llhttp 9.3 in strict mode already refuses: unknown methods, control characters and spaces in targets and bytes above
// 0x7f there, versions but 0.9, 1.0, 1.1, 2.0, characters in header names that no token may hold (so a space before the
// colon, an empty name, a line that begins with a space: obs-fold), control characters in values, bare CR or LF at
// line ends, Content-Length that repeats, is empty, signed, a list or too large for 64 bits, Content-Length with
// Transfer-Encoding, request codings that do not end in chunked, chunk sizes and extensions with bad characters.
// It lets pass, and hygiene refuses: several spaces in the request line, versions 0.9 and 2.0, RTSP and ICE, codings
// before chunked, a repeated Transfer-Encoding, Transfer-Encoding with HTTP/1.0 or where no body may be, no Host or
// several, authorities with userinfo or other odd characters, absolute targets of other schemes, fragments, "*" with
// other methods than OPTIONS, bodies of CONNECT, Connection naming headers that framing or trust depends on.
#pragma once

#include <cstdint>

#include "core/http/codec.h"
#include "core/http/http1_parser.h"
#include "core/http/message.h"

namespace remora::http {

// What a head says about its message and connection.
struct Framing {
  BodyLength body;  // requests: never until_close
  bool keep_alive = true;
};

// Fills `head` from `raw`, whose text it lower-cases in place. Returns what is wrong, or null.
const ProtocolError* read_request_head(RawHead& raw, const CodecLimits& limits, RequestHead& head, Framing& framing);

// What the request was decides what its response may be.
struct Asked {
  bool head = false;     // HEAD
  bool connect = false;  // CONNECT
  bool upgrade = false;  // Upgrade: ...
};
const ProtocolError* read_response_head(RawHead& raw, const CodecLimits& limits, Asked asked, ResponseHead& head,
                                        Framing& framing);

// Drops the names that may not be trailers.
const ProtocolError* read_trailers(RawHead& raw, const CodecLimits& limits, HeaderList& trailers);

// Headers that the codec itself writes, so it never copies them from a list.
constexpr bool is_framing_or_hop(HeaderId id) {
  switch (id) {
    case HeaderId::connection:
    case HeaderId::content_length:
    case HeaderId::host:
    case HeaderId::keep_alive:
    case HeaderId::proxy_connection:
    case HeaderId::transfer_encoding:
    case HeaderId::upgrade:
      return true;
    default:
      return false;
  }
}

}  // namespace remora::http
