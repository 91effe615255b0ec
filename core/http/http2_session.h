// Http2Session: one HTTP/2 connection's protocol state, client or server, over nghttp2. It does no I/O: bytes come in
// through `receive`, leave through `flush`. Streams are known by id; what they send is pulled when there is room for
// it, and what they receive counts against their windows until it is consumed: so both ways a slow side holds back its
// peer. Owned by whoever owns the connection; the loop's thread. Source: RFC 9113, nghttp2's API reference.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"

struct nghttp2_rcbuf;
struct nghttp2_session;

namespace remora::http {

struct Http2Header {
  std::string_view name;  // in lower case; pseudo-headers first
  std::string_view value;
};
using Http2Headers = std::span<const Http2Header>;
using Http2StreamId = std::int32_t;

// RFC 9113 section 7.
enum class Http2Error : std::uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  flow_control_error = 3,
  settings_timeout = 4,
  stream_closed = 5,
  frame_size_error = 6,
  refused_stream = 7,
  cancel = 8,
  compression_error = 9,
  connect_error = 10,
  enhance_your_calm = 11,
  inadequate_security = 12,
  http_1_1_required = 13,
};
// "REFUSED_STREAM"; "error 77" when nobody defined it.
std::string http2_error_name(std::uint32_t code);

struct Http2Options {
  bool server = false;
  std::uint32_t max_streams = 100;                // that the peer may have open at once
  std::uint32_t stream_window = 256 * 1024;       // what a stream may receive before it is consumed
  std::uint32_t connection_window = 1024 * 1024;  // what all of them may
  std::uint32_t max_header_bytes =
      60 * 1024;                            // of one header section, 32 bytes a field on top; more: the stream is reset
  std::uint32_t header_table_bytes = 4096;  // HPACK's dynamic table, each way
  // RST_STREAMs that a client may send at once, and in each second after that (rapid reset); more: GOAWAY.
  std::uint32_t reset_burst = 200;
  std::uint32_t resets_a_second = 33;
  std::uint32_t max_settings_entries = 32;  // of one SETTINGS frame
  std::uint32_t max_unsent_acks = 200;      // of PINGs and SETTINGS that a peer sends without reading what we answer
};

// What a stream sends next.
struct Http2Pull {
  enum class Then : std::uint8_t {
    more,      // ask again when there is room
    wait,      // nothing now: `resume` says when
    end,       // and this ends the stream
    trailers,  // and this ends the body: `submit_trailers` was called, or will be
  };
  std::size_t bytes = 0;
  Then then = Then::more;
};

// Called from inside `receive` and `flush` only. The session must live until they return: who wants it gone retires it.
class Http2Events {
 public:
  // A whole header section: a request, a response (an informational one too), or trailers. Valid during the call.
  virtual void on_headers(Http2StreamId stream, Http2Headers headers, bool end) = 0;
  // To be consumed, now or later.
  virtual void on_data(Http2StreamId stream, std::string_view data) = 0;
  // The peer has sent all of this stream: follows the last on_headers or on_data.
  virtual void on_end(Http2StreamId stream) = 0;
  // The last word on a stream. `error` is what RST_STREAM said, of either side, or no_error.
  virtual void on_stream_closed(Http2StreamId stream, std::uint32_t error) = 0;
  // Fill `into`.
  virtual Http2Pull pull(Http2StreamId stream, std::span<char> into) = 0;
  // Streams of ours above `last` were not acted on: they close with refused_stream after this.
  virtual void on_goaway(Http2StreamId last, std::uint32_t error, std::string_view debug) = 0;
  // Our side of the stream has ended, by a frame with END_STREAM.
  virtual void on_end_sent(Http2StreamId) {}
  virtual void on_settings() {}  // the peer's; the first is the end of the handshake
  virtual void on_ping_answer() {}

 protected:
  ~Http2Events() = default;
};

class Http2Session {
 public:
  // Queues the preface (client) and SETTINGS.
  Http2Session(const Http2Options& options, Http2Events& events);
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;
  ~Http2Session();

  // False: the connection is lost (`failure` says why); what `flush` still has is the GOAWAY.
  bool receive(std::string_view bytes);
  // Moves frames into `sink` until nothing is ready or about `most` bytes have left. False as above.
  bool flush(ByteSink& sink, std::size_t most);
  bool wants_flush() const;
  // Neither side has more to say: close the connection once what was flushed has left.
  bool over() const;
  const std::string& failure() const { return failure_; }
  // What was last wrong with a frame, fatal or not; empty: nothing ever.
  const std::string& detail() const { return detail_; }

  // Client. The id, or nothing when ids are used up. The frame leaves once the peer's limit on streams allows it.
  std::optional<Http2StreamId> submit_request(Http2Headers headers, bool with_body);
  void submit_response(Http2StreamId stream, Http2Headers headers, bool with_body);
  // Ends the stream after what was pulled.
  void submit_trailers(Http2StreamId stream, Http2Headers headers);
  void resume(Http2StreamId stream);
  void reset(Http2StreamId stream, Http2Error error);

  // `bytes` that on_data gave have been dealt with: the windows open again.
  void consume(Http2StreamId stream, std::size_t bytes);

  void ping();
  // "No new streams, please": to be followed by `goaway` a round trip later, so that what is under way is not refused.
  void announce_shutdown();
  // No more streams from the peer; those up to the last one that was seen go on. `debug` is words for people.
  void goaway(Http2Error error, std::string_view debug = {});

  std::size_t streams_open() const { return open_; }

 private:
  struct Callbacks;  // what nghttp2 calls
  friend struct Callbacks;
  struct Field {
    nghttp2_rcbuf* name;
    nghttp2_rcbuf* value;
  };

  void deliver_headers(Http2StreamId stream, bool end);
  void drop_fields();
  void fail(int error);

  const Http2Options options_;
  Http2Events& events_;
  nghttp2_session* session_ = nullptr;
  std::vector<Field> fields_;  // of the section that is arriving
  std::size_t fields_bytes_ = 0;
  std::size_t open_ = 0;
  std::string detail_;  // nghttp2's last words about a frame that it did not like
  std::string failure_;
};

}  // namespace remora::http
