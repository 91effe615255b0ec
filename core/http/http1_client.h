// HTTP/1 as a client speaks it: one request at a time on a connection, and its response. Owned by its pool's
// connection; the loop's thread. `begin` inside on_client_stream_done is fine.
//
// What its users must know beside codec.h:
// - Bytes that no request asked for never reach a later response: they make the connection unusable.
// - A response that is whole before its request is ends the stream, and the connection is not reusable.
// - For an upgrade or CONNECT (head.upgrade) send no body before on_head says `upgrade`; then bytes are raw both ways.
//   A tunnel ends when its upstream's side ends.
// - A clean end in mid-response is a protocol_error, as Envoy reports it; before the first byte, and on a dirty end, it
//   is connection_closed.
// - A request body that breaks its own Content-Length resets the stream (`local`); excess is never sent.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/bytes.h"
#include "core/http/codec.h"
#include "core/http/http1_parser.h"
#include "core/http/hygiene.h"

namespace remora::http {

class Http1Client final : public ClientCodec, private ClientStream, private Http1Parser::BodyReceiver {
 public:
  Http1Client(ByteSink& out, ClientCodecEvents& events, const CodecLimits& limits);
  Http1Client(const Http1Client&) = delete;
  Http1Client& operator=(const Http1Client&) = delete;

  ClientStream& begin(ResponseSink& sink) override;
  void feed(std::string_view bytes) override;
  void feed_end(bool clean) override;
  bool idle() const override { return input_ == Input::idle; }

 private:
  enum class Input : std::uint8_t {
    idle,     // no request
    start,    // no byte of the response yet (or none after an informational one)
    head,     // a head has begun
    length,   // a body with a known length
    chunked,  // a chunked body
    close,    // a body that ends with the connection
    tunnel,   // raw bytes
    dead,     // the connection is not usable any more
  };
  enum class Output : std::uint8_t {
    head,     // the request head is due
    length,   // a body with a known length
    chunked,  // a chunked body
    waiting,  // asked for a tunnel; the response decides
    tunnel,   // raw bytes
    done,     // the request was sent whole
  };

  void send_head(const RequestHead& head, BodyLength length) override;
  void send_body(std::string_view data, bool end) override;
  void send_trailers(const HeaderList& trailers) override;
  void cancel() override;
  bool on_chunk_data(std::string_view data) override;

  std::size_t take_head(std::string_view bytes, bool& whole);
  std::size_t take_chunked(std::string_view bytes, bool& whole);
  void on_head(bool& whole);
  void on_informational(ResponseHead& head);
  void end_tunnel_output();
  bool live() const { return sink_ != nullptr; }
  void finish(bool reusable);
  void fail(ResetReason reason, std::string_view cause);

  // Constant after construction.
  ByteSink& out_;
  ClientCodecEvents& events_;
  const CodecLimits limits_;

  Http1Parser parser_;
  Input input_ = Input::idle;

  // Of the exchange in progress.
  Output output_ = Output::head;
  Asked asked_;
  bool keep_alive_ = true;
  bool response_begun_ = false;
  std::uint8_t informational_count_ = 0;
  Arena* arena_ = nullptr;
  ResponseSink* sink_ = nullptr;
  std::uint64_t input_left_ = 0;
  std::uint64_t output_left_ = 0;
};

}  // namespace remora::http
