// HTTP/1 as a server speaks it: one request at a time from the bytes of one connection, and its response back. Owned by
// its Session; the loop's thread. Never call `feed` from within a callback of `feed`.
//
// What its users must know beside codec.h:
// - Inside `feed`, on_stream_done and on_codec_close come once the callback in progress has returned, and `feed` goes
// on
//   with the next pipelined request by itself; else they come inside the send_ or reset call that ends the stream, and
//   the caller feeds again what it holds.
// - A response head sent before the request is whole says `connection: close`, as Envoy's does: request bytes are still
//   delivered while the response lasts, then the connection closes, for what is left cannot be told from a next
//   request.
// - A request for an upgrade (CONNECT too) comes with `end` false. Nothing is taken after its head until the response
//   decides. Accepted (a head with `upgrade`): on_input_wanted, then bytes are raw both ways. Refused: answered,
//   closed. To treat it as an ordinary request, clear head.upgrade inside on_request: on_request_end follows.
// - A response body that breaks its own Content-Length ends the connection; excess is never sent.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/bytes.h"
#include "core/http/codec.h"
#include "core/http/http1_parser.h"
#include "core/http/hygiene.h"

namespace remora::http {

class Http1Server final : public ServerCodec, private ServerStream, private Http1Parser::BodyReceiver {
 public:
  Http1Server(ByteSink& out, ServerCodecEvents& events, const CodecLimits& limits);
  Http1Server(const Http1Server&) = delete;
  Http1Server& operator=(const Http1Server&) = delete;

  std::size_t feed(std::string_view bytes) override;
  bool feed_end() override;
  void drain() override;
  bool idle() const override { return input_ == Input::idle; }
  bool in_head() const override { return input_ == Input::head; }
  // What came so far is part of a message, or of a tunnel, that goes on.
  bool expects_more() const {
    return input_ == Input::head || input_ == Input::length || input_ == Input::chunked || input_ == Input::tunnel;
  }
  // Gives up a head that has begun and does not end: on_bad_head follows. Nothing happens when there is none.
  void reject_head(const ProtocolError& error);

 private:
  enum class Input : std::uint8_t {
    idle,     // between messages
    head,     // a head has begun
    length,   // a body with a known length
    chunked,  // a chunked body
    upgrade,  // a head that asks for a tunnel; the response decides
    tunnel,   // raw bytes
    whole,    // the request is over
    failed,   // the request is malformed: nothing more is taken
    closed,   // the codec is over: what comes is dropped
  };
  enum class Output : std::uint8_t {
    head,     // the response head is due
    none,     // a head that may have no body was sent; the end is due
    length,   // a body with a known length
    chunked,  // a chunked body
    close,    // a body that ends with the connection
    tunnel,   // raw bytes
    done,     // the response is over
  };

  void send_informational(const ResponseHead& head) override;
  void send_head(const ResponseHead& head, bool end) override;
  void send_body(std::string_view data, bool end) override;
  void send_trailers(const HeaderList& trailers) override;
  void reset() override;
  void close_after() override { close_after_ = true; }
  bool on_chunk_data(std::string_view data) override;

  std::size_t take_head(std::string_view bytes);
  std::size_t take_length(std::string_view bytes);
  std::size_t take_chunked(std::string_view bytes);
  void on_head();
  void on_trailers();
  void on_whole();
  void on_bad_head(const ProtocolError& error);
  void on_bad_body(const ProtocolError& error);
  bool accepts_tunnel(const ResponseHead& head) const;
  Output choose_framing(const ResponseHead& head, bool end, bool& write_zero);
  void begin_tunnel();
  void end_output();
  void settle();

  // Constant after construction.
  ByteSink& out_;
  ServerCodecEvents& events_;
  const CodecLimits limits_;

  Http1Parser parser_;
  bool draining_ = false;
  bool in_feed_ = false;
  bool input_ended_ = false;  // the peer half-closed

  // Of the message in progress.
  Input input_ = Input::idle;
  Output output_ = Output::head;
  bool close_after_ = false;
  bool answers_head_ = false;
  bool http10_ = false;
  Arena* arena_ = nullptr;
  RequestHead* head_ = nullptr;
  RequestSink* sink_ = nullptr;
  std::uint64_t input_left_ = 0;  // known length: what is still to come; chunked: what came
  std::uint64_t output_left_ = 0;
};

}  // namespace remora::http
