// core/http: a request and its response through both codecs, as a proxy uses them, but with no sockets: what HTTP/1
// itself costs each exchange.
#include <string>

#include "bench/micro/allocations.h"
#include "core/http/http1_client.h"
#include "core/http/http1_server.h"

namespace remora::bench {
namespace {

constexpr std::string_view kRequest =
    "GET /128 HTTP/1.1\r\nHost: bench.local\r\nUser-Agent: bench_load\r\nAccept: */*\r\n\r\n";
constexpr std::string_view kBrowserRequest =
    "GET /cart/items?page=2&sort=price HTTP/1.1\r\nHost: shop.example:8080\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\nCache-Control: max-age=0\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nReferer: http://shop.example:8080/cart\r\n"
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nX-Request-Id: "
    "5b1c7a2e-3d0f-4a68-9f0e-1a2b3c4d5e6f\r\nConnection: keep-alive\r\n\r\n";

// A socket's place: takes everything and forgets it.
class NullSink final : public ByteSink {
 public:
  char* reserve(std::size_t size) override {
    if (size > room_.size()) {
      room_.resize(size);
    }
    return room_.data();
  }
  void commit(std::size_t size) override { written_ += size; }
  void write(std::string_view data) override { written_ += data.size(); }
  std::size_t written() const { return written_; }

 private:
  std::string room_ = std::string(16 * 1024, '\0');
  std::size_t written_ = 0;
};

// An exchange that does nothing but hand over.
class Relay final : public http::ServerCodecEvents,
                    public http::ClientCodecEvents,
                    public http::RequestSink,
                    public http::ResponseSink {
 public:
  Relay() : server_(down_, *this, {}), client_(up_, *this, {}) {}

  void exchange(std::string_view request, std::string_view response) {
    server_.feed(request);
    client_.feed(response);
  }
  std::size_t done() const { return done_; }
  std::size_t written() const { return down_.written() + up_.written(); }

  Arena& on_message_begin() override { return arena_; }
  http::RequestSink* on_request(http::ServerStream& stream, http::RequestHead& head, bool) override {
    stream_ = &stream;
    client_.begin(*this).send_head(head, {});
    return this;
  }
  void on_bad_head(http::ServerStream&, const http::ProtocolError&) override {}
  void on_stream_done(http::ServerStream&) override {
    arena_.clear();
    ++done_;
  }
  void on_codec_close() override {}
  void on_body(std::string_view) override {}
  void on_trailers(http::HeaderList&) override {}
  void on_request_end() override {}
  void on_request_error(const http::ProtocolError&) override {}

  Arena& response_arena() override { return arena_; }
  void on_informational(http::ResponseHead&) override {}
  void on_head(http::ResponseHead& head, bool end) override { stream_->send_head(head, end); }
  void on_response_body(std::string_view data) override { stream_->send_body(data, false); }
  void on_response_trailers(http::HeaderList&) override {}
  void on_response_end() override { stream_->send_body({}, true); }
  void on_reset(http::ResetReason, std::string_view) override {}
  void on_client_stream_done(bool) override {}

 private:
  BlockPool pool_;
  Arena arena_{pool_};
  NullSink down_;
  NullSink up_;
  http::Http1Server server_;
  http::Http1Client client_;
  http::ServerStream* stream_ = nullptr;
  std::size_t done_ = 0;
};

void http1_exchange(benchmark::State& state, std::string_view request, std::size_t body) {
  const std::string response =
      "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: " + std::to_string(body) + "\r\n\r\n" +
      std::string(body, 'x');
  Relay relay;
  relay.exchange(request, response);
  const AllocationScope scope(state);
  for (auto _ : state) {
    relay.exchange(request, response);
  }
  if (relay.done() != static_cast<std::size_t>(state.iterations()) + 1) {
    state.SkipWithError("an exchange did not end");
  }
  state.counters["bytes"] = static_cast<double>(relay.written() / relay.done());
}
BENCHMARK_CAPTURE(http1_exchange, small, kRequest, 128);
BENCHMARK_CAPTURE(http1_exchange, browser, kBrowserRequest, 4096);

}  // namespace
}  // namespace remora::bench
