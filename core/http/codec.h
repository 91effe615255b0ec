// The seams between HTTP exchanges and the versions of HTTP on the wire. Codecs do no I/O: bytes come in through
// `feed`, leave through a ByteSink. One codec a connection, owned by its Session (server) or pool (client); the loop's
// thread. HTTP/1 has one stream at a time, HTTP/2 many; whoever uses streams cannot tell.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/arena.h"
#include "core/base/bytes.h"
#include "core/http/message.h"

namespace remora::http {

// Limits that a codec enforces while it parses.
struct CodecLimits {
  std::uint32_t max_head_bytes = 60 * 1024;  // request or status line and headers; also each trailer section
  std::uint32_t max_headers = 100;
  std::uint64_t max_body_bytes = 0;  // 0: no limit (server: 413)
  bool accept_http_10 = false;       // server: else 426, as Envoy answers
  bool absolute_form = true;
};

// What is wrong with a message: `status` is what a server answers to it (400, 408, 413, 417, 426, 431, 501, 505).
struct ProtocolError {
  int status = 400;
  std::string_view details;  // Envoy's response code details, such as "http1.codec_error", static text
  std::string_view cause;    // for people: "the chunk size is not hexadecimal"; static text
};

enum class ResetReason : std::uint8_t {
  local,              // we gave it up
  remote,             // the peer reset the stream, or its connection
  connection_closed,  // the peer ended its connection in mid-stream
  protocol_error,
  refused,  // the peer says that nothing was done (HTTP/2 REFUSED_STREAM, GOAWAY)
};

// ---- the server's side

// Where one request's parts go. Implemented by Exchange.
class RequestSink {
 public:
  virtual void on_body(std::string_view data) = 0;
  virtual void on_trailers(HeaderList& trailers) = 0;
  virtual void on_request_end() = 0;  // the request is whole
  // The request cannot become whole: a bad body, or (status 413) one over the limit. The codec has answered nothing;
  // after what the sink does, the connection closes.
  virtual void on_request_error(const ProtocolError& error) = 0;

 protected:
  ~RequestSink() = default;
};

// One response's way out. Implemented by codecs; valid until `ServerCodecEvents::on_stream_done` or its codec's end.
class ServerStream {
 public:
  // An informational head (100, 103 ...) may precede; `end`: no body, no trailers.
  virtual void send_informational(const ResponseHead& head) = 0;
  virtual void send_head(const ResponseHead& head, bool end) = 0;
  virtual void send_body(std::string_view data, bool end) = 0;
  virtual void send_trailers(const HeaderList& trailers) = 0;  // ends
  // Gives up the response that has begun: HTTP/1 can only close the connection (see ServerCodecEvents::on_codec_close).
  virtual void reset() = 0;
  // After this response the connection closes (HTTP/1: `connection: close`). REQUIRES: before send_head.
  virtual void close_after() = 0;

 protected:
  ~ServerStream() = default;
};

class ServerCodecEvents {
 public:
  // A head is about to be parsed: in which arena shall it live? The arena lives until its stream is done.
  virtual Arena& on_message_begin() = 0;
  // A valid head, which lives in the arena of on_message_begin, as does `head` itself. Returns where the rest goes; it
  // may answer at once through `stream`. Null: the rest is dropped.
  virtual RequestSink* on_request(ServerStream& stream, RequestHead& head, bool end) = 0;
  // The head is bad: the session answers with `error.status` through `stream`, then closes. Nothing reached on_request.
  virtual void on_bad_head(ServerStream& stream, const ProtocolError& error) = 0;
  // Request and response are both over: the stream and the arena end now.
  virtual void on_stream_done(ServerStream& stream) = 0;
  // Nothing more will be read or written: flush, then close gently.
  virtual void on_codec_close() = 0;
  // A tunnel was accepted: feed again, on a later turn, what feed did not take before, even if that is nothing.
  virtual void on_input_wanted() {}

 protected:
  ~ServerCodecEvents() = default;
};

class ServerCodec {
 public:
  virtual ~ServerCodec() = default;
  // Returns how many bytes it took. HTTP/1 takes none of a next request until the one before is answered, then the
  // caller pauses reading until on_stream_done. Callbacks happen inside.
  virtual std::size_t feed(std::string_view bytes) = 0;
  // The peer half-closed. True: nothing is owed to it any more, close.
  virtual bool feed_end() = 0;
  // No new requests: what is in flight ends, answers say so.
  virtual void drain() = 0;
  // Is any part of a request here, or a response owed?
  virtual bool idle() const = 0;
  // Has a head begun that is not whole yet?
  virtual bool in_head() const = 0;
};

// ---- the client's side

// Where one response's parts go. Implemented by Attempt.
class ResponseSink {
 public:
  virtual Arena& response_arena() = 0;
  virtual void on_informational(ResponseHead& head) = 0;  // 1xx but 101
  virtual void on_head(ResponseHead& head, bool end) = 0;
  virtual void on_response_body(std::string_view data) = 0;
  virtual void on_response_trailers(HeaderList& trailers) = 0;
  virtual void on_response_end() = 0;
  // The response cannot become whole. `cause` is static text.
  virtual void on_reset(ResetReason reason, std::string_view cause) = 0;

 protected:
  ~ResponseSink() = default;
};

// One request's way out, and whom its answer goes to. Ends with on_response_end (when the request was sent whole),
// on_reset, or `cancel`.
class ClientStream {
 public:
  virtual void send_head(const RequestHead& head, BodyLength length) = 0;  // kind none: the request ends here
  virtual void send_body(std::string_view data, bool end) = 0;
  virtual void send_trailers(const HeaderList& trailers) = 0;  // ends
  // The sink hears nothing more. HTTP/1: the connection closes.
  virtual void cancel() = 0;

 protected:
  ~ClientStream() = default;
};

class ClientCodecEvents {
 public:
  // The exchange on this stream is over and its sink forgotten. `reusable`: the connection may take another. Also
  // (never reusable) when bytes come that no request asked for.
  virtual void on_client_stream_done(bool reusable) = 0;
  // A tunnel's sending side is over: flush, then shut it down. False: cannot, so the whole tunnel ends.
  virtual bool on_half_close() { return false; }

 protected:
  ~ClientCodecEvents() = default;
};

class ClientCodec {
 public:
  virtual ~ClientCodec() = default;
  virtual ClientStream& begin(ResponseSink& sink) = 0;  // REQUIRES: idle (HTTP/1)
  virtual void feed(std::string_view bytes) = 0;        // takes all
  // The peer sends no more, or the connection is gone (`clean`: by FIN). The sink hears on_response_end or on_reset.
  virtual void feed_end(bool clean) = 0;
  virtual bool idle() const = 0;
};

}  // namespace remora::http
