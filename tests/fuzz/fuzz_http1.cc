// The HTTP/1 codecs against any bytes. The first two bytes choose limits, splits and what was asked; the rest goes to
// the server, and as a response to the client. What must hold:
// - what is read does not depend on how the bytes were split;
// - a request that the server took whole, written by the client, is read again as the same request;
// - a response that the client took whole, written by the server, is read again as the same response.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/arena.h"
#include "core/base/bytes.h"
#include "core/http/http1_client.h"
#include "core/http/http1_server.h"

namespace remora::http {
namespace {

void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "fuzz_http1: broken: %s\n", what);
    std::abort();
  }
}

class StringSink final : public ByteSink {
 public:
  char* reserve(std::size_t size) override {
    room_ = std::make_unique<char[]>(size);
    size_ = size;
    return room_.get();
  }
  void commit(std::size_t size) override {
    require(size <= size_, "commit within the reservation");
    text.append(room_.get(), size);
  }
  void write(std::string_view data) override { text.append(data); }

  std::string text;

 private:
  std::unique_ptr<char[]> room_;
  std::size_t size_ = 0;
};

// A message with its text copied out of the arena.
struct Message {
  std::string first;  // all of the first line that matters
  std::string upgrade;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::string body;
  bool whole = false;
  bool has_length = false;  // a Content-Length stands among the headers (left out of `headers`)
  bool operator==(const Message&) const = default;
};

void copy_headers(const HeaderList& from, std::vector<std::pair<std::string, std::string>>& to, bool& has_length) {
  for (const Header& header : from.all()) {
    require(header.id == header_id(header.name), "the id is that of the name");
    require(!header.name.empty(), "names are not empty");
    for (const char c : header.name) {
      require(c > ' ' && c != ':' && c != '\x7f' && !(c >= 'A' && c <= 'Z'), "names are lower-case tokens");
    }
    for (const char c : header.value) {
      require(c != '\r' && c != '\n' && c != '\0', "values hold no line ends");
    }
    if (header.id == HeaderId::content_length) {
      has_length = true;
      continue;
    }
    require(!is_framing_or_hop(header.id) || header.id == HeaderId::upgrade, "hop-by-hop headers are gone");
    to.emplace_back(header.name, header.value);
  }
}

// Takes requests and answers each at its end.
class Server final : public ServerCodecEvents, public RequestSink {
 public:
  explicit Server(const CodecLimits& limits) : codec_(out, *this, limits) {}

  void receive(std::string_view bytes) {
    const auto block = std::make_unique<char[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), block.get());
    const std::size_t taken = codec_.feed({block.get(), bytes.size()});
    require(taken <= bytes.size(), "takes no more than there is");
    require(taken == bytes.size() || closed || stuck, "a server that answers at once takes all");
  }

  Arena& on_message_begin() override {
    require(arena_ == nullptr && !closed, "one message at a time");
    arena_ = std::make_unique<Arena>(pool_);
    return *arena_;
  }
  RequestSink* on_request(ServerStream& stream, RequestHead& head, bool end) override {
    stream_ = &stream;
    Message& message = messages.emplace_back();
    require(head.method_id == method_id(head.method), "the method's id is that of its name");
    message.first = std::string(head.method) + " " + std::string(head.path) + " " + std::string(head.authority);
    message.upgrade = head.upgrade ? "upgrade " + std::string(head.upgrade_protocol) : "";
    copy_headers(head.headers, message.headers, message.has_length);
    if (head.upgrade) {  // a tunnel: what follows is its body, until the bytes end
      stuck = true;
      message.whole = true;
      ResponseHead response(*arena_);
      response.upgrade = true;
      response.status = head.method_id == Method::connect ? 200 : 101;
      stream.send_head(response, false);
    } else if (end) {
      on_request_end();
    }
    return this;
  }
  void on_body(std::string_view data) override {
    require(!data.empty(), "no empty pieces of a body");
    messages.back().body.append(data);
  }
  void on_trailers(HeaderList& trailers) override {
    bool has_length = false;
    copy_headers(trailers, messages.back().trailers, has_length);
    require(!has_length, "no length in trailers");
  }
  void on_request_end() override {
    messages.back().whole = true;
    answer(200);
  }
  void on_request_error(const ProtocolError& error) override {
    errors += "body;";
    require(error.status >= 400 && !error.details.empty() && !error.cause.empty(), "errors explain themselves");
    answer(error.status);
  }
  void on_bad_head(ServerStream& stream, const ProtocolError& error) override {
    stream_ = &stream;
    errors += std::to_string(error.status) + std::string(error.details) + ";";
    require(error.status >= 400 && !error.details.empty() && !error.cause.empty(), "errors explain themselves");
    answer(error.status);
  }
  void on_stream_done(ServerStream&) override { arena_.reset(); }
  void on_codec_close() override {
    require(!closed, "closes once");
    closed = true;
  }

  StringSink out;
  std::vector<Message> messages;
  std::string errors;
  bool closed = false;
  bool stuck = false;

 private:
  void answer(int status) {
    ResponseHead head(*arena_);
    head.status = status;
    stream_->send_head(head, true);
  }

  BlockPool pool_;
  std::unique_ptr<Arena> arena_;
  ServerStream* stream_ = nullptr;
  Http1Server codec_;
};

class Client final : public ClientCodecEvents, public ResponseSink {
 public:
  explicit Client(const CodecLimits& limits) : arena_(pool_), codec_(out, *this, limits) {}

  ClientStream& begin() { return codec_.begin(*this); }
  void receive(std::string_view bytes) {
    const auto block = std::make_unique<char[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), block.get());
    codec_.feed({block.get(), bytes.size()});
  }
  void end() { codec_.feed_end(true); }

  Arena& response_arena() override { return arena_; }
  void on_informational(ResponseHead& head) override {
    require(head.status >= 100 && head.status < 200 && message.first.empty(), "informational heads come first");
    ++informational;
  }
  void on_head(ResponseHead& head, bool) override {
    require(message.first.empty(), "one head");
    message.first = std::to_string(head.status);
    message.upgrade = head.upgrade ? "upgrade" : "";
    copy_headers(head.headers, message.headers, message.has_length);
  }
  void on_response_body(std::string_view data) override {
    require(!over && !data.empty(), "no body after the end");
    message.body.append(data);
  }
  void on_response_trailers(HeaderList& trailers) override {
    bool has_length = false;
    copy_headers(trailers, message.trailers, has_length);
  }
  void on_response_end() override {
    require(!over, "ends once");
    over = message.whole = true;
  }
  void on_reset(ResetReason why, std::string_view cause) override {
    require(!over && !cause.empty(), "ends once, with a cause");
    over = true;
    reason = why;
  }
  void on_client_stream_done(bool can_reuse) override { reusable = can_reuse; }
  bool on_half_close() override { return true; }

  StringSink out;
  Message message;
  int informational = 0;
  bool over = false;
  std::optional<ResetReason> reason;
  std::optional<bool> reusable;

 private:
  BlockPool pool_;
  Arena arena_;
  Http1Client codec_;
};

template <typename Peer>
void feed_split(Peer& peer, std::string_view bytes, std::uint32_t seed) {
  std::mt19937 random(seed);
  const std::size_t longest = 1 + random() % 64;
  while (!bytes.empty()) {
    const std::size_t size = std::min<std::size_t>(bytes.size(), 1 + random() % longest);
    peer.receive(bytes.substr(0, size));
    if constexpr (std::is_same_v<Peer, Server>) {
      if (peer.closed) {
        return;
      }
    }
    bytes.remove_prefix(size);
  }
}

void fill(HeaderList& list, const std::vector<std::pair<std::string, std::string>>& headers) {
  for (const auto& [name, value] : headers) {
    list.add(name, value);
  }
}

// Writes what the server took, and reads it again.
void check_request(const Message& message, Method method, const CodecLimits& limits) {
  BlockPool pool;
  Arena arena(pool);
  RequestHead head(arena);
  const std::string_view first = message.first;
  const std::size_t space = first.find(' ');
  const std::size_t last = first.rfind(' ');
  head.method = first.substr(0, space);
  head.method_id = method;
  head.path = first.substr(space + 1, last - space - 1);
  head.authority = first.substr(last + 1);
  head.upgrade = !message.upgrade.empty();
  head.upgrade_protocol = head.upgrade ? std::string_view(message.upgrade).substr(8) : std::string_view{};
  fill(head.headers, message.headers);
  Client client(limits);
  ClientStream& stream = client.begin();
  if (head.upgrade || message.body.empty()) {
    stream.send_head(head, {});
  } else if (message.has_length) {
    stream.send_head(head, {BodyLength::Kind::known, message.body.size()});
    stream.send_body(message.body, true);
  } else {
    HeaderList trailers(arena);
    fill(trailers, message.trailers);
    stream.send_head(head, {BodyLength::Kind::chunked, 0});
    stream.send_body(std::string_view(message.body).substr(0, 3), false);
    stream.send_body(std::string_view(message.body).substr(std::min<std::size_t>(3, message.body.size())), false);
    stream.send_trailers(trailers);
  }
  Server again(limits);
  again.receive(client.out.text);
  require(again.errors.empty() && again.messages.size() == 1, "what was written is one good request");
  Message want = message;
  Message got = again.messages[0];
  if (head.upgrade) {
    want.body.clear();
  }
  if (message.body.empty() || message.has_length) {
    want.trailers.clear();
  }
  want.has_length = got.has_length;
  require(got == want, "a request written and read again is the same");
}

void check_response(const Message& message, bool head_asked, const CodecLimits& limits) {
  if (!message.upgrade.empty()) {
    return;
  }
  Server server(limits);
  class Relay final : public ServerCodecEvents {
   public:
    Relay(const Message& message, const CodecLimits& limits) : message_(message), codec(out, *this, limits) {}
    Arena& on_message_begin() override { return arena_; }
    RequestSink* on_request(ServerStream& stream, RequestHead&, bool) override {
      ResponseHead head(arena_);
      head.status = std::atoi(message_.first.c_str());
      fill(head.headers, message_.headers);
      const std::string length = std::to_string(message_.body.size());
      if (message_.has_length) {
        head.headers.add(HeaderId::content_length, arena_.copy(length));
      }
      stream.send_head(head, false);
      stream.send_body(message_.body, false);
      HeaderList trailers(arena_);
      fill(trailers, message_.trailers);
      stream.send_trailers(trailers);
      return nullptr;
    }
    void on_bad_head(ServerStream&, const ProtocolError&) override { require(false, "a plain GET is good"); }
    void on_stream_done(ServerStream&) override {}
    void on_codec_close() override { require(false, "a sound response closes nothing"); }
    StringSink out;

   private:
    const Message& message_;
    BlockPool pool_;
    Arena arena_{pool_};

   public:
    Http1Server codec;
  };
  Relay relay(message, limits);
  relay.codec.feed(head_asked ? "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" : "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Client again(limits);
  BlockPool pool;
  Arena arena(pool);
  RequestHead ask(arena);
  ask.method = head_asked ? "HEAD" : "GET";
  ask.method_id = head_asked ? Method::head : Method::get;
  ask.path = "/";
  again.begin().send_head(ask, {});
  again.receive(relay.out.text);
  require(again.over && !again.reason && again.reusable == true, "what was written is one good response");
  Message want = message;
  want.has_length = again.message.has_length;
  if (message.has_length) {
    want.trailers.clear();
  }
  require(again.message == want, "a response written and read again is the same");
}

void fuzz_server(std::string_view bytes, std::uint8_t choice, std::uint32_t seed) {
  CodecLimits limits;
  limits.accept_http_10 = (choice & 1) != 0;
  if ((choice & 2) != 0) {
    limits.max_head_bytes = 200;
    limits.max_headers = 8;
    limits.max_body_bytes = 50;
  }
  Server whole(limits);
  whole.receive(bytes);
  Server split(limits);
  feed_split(split, bytes, seed);
  require(whole.errors == split.errors, "errors do not depend on splits");
  require(whole.messages == split.messages, "requests do not depend on splits");
  require(whole.out.text == split.out.text, "answers do not depend on splits");
  CodecLimits wide;
  wide.max_head_bytes = limits.max_head_bytes * 2 + 1000;
  wide.max_headers = limits.max_headers + 10;
  for (const Message& message : whole.messages) {
    if (message.whole) {
      check_request(message, method_id(message.first.substr(0, message.first.find(' '))), wide);
    }
  }
}

void fuzz_client(std::string_view bytes, std::uint8_t choice, std::uint32_t seed) {
  CodecLimits limits;
  if ((choice & 2) != 0) {
    limits.max_head_bytes = 200;
    limits.max_headers = 8;
  }
  BlockPool pool;
  Arena arena(pool);
  RequestHead ask(arena);
  const bool head_asked = (choice & 12) == 4;
  ask.method = head_asked ? "HEAD" : (choice & 12) == 8 ? "CONNECT" : "GET";
  ask.method_id = method_id(ask.method);
  ask.path = "/";
  ask.authority = "a:1";
  ask.upgrade = (choice & 12) >= 8;
  ask.upgrade_protocol = "x";
  Client whole(limits);
  whole.begin().send_head(ask, {});
  whole.receive(bytes);
  Client split(limits);
  split.begin().send_head(ask, {});
  feed_split(split, bytes, seed);
  if ((choice & 16) != 0) {
    whole.end();
    split.end();
  }
  require(whole.message == split.message && whole.over == split.over && whole.reason == split.reason,
          "responses do not depend on splits");
  require(whole.informational == split.informational, "informational responses do not depend on splits");
  if (whole.message.whole) {
    CodecLimits wide;
    wide.max_head_bytes = limits.max_head_bytes * 2 + 1000;
    wide.max_headers = limits.max_headers + 10;
    check_response(whole.message, head_asked, wide);
  }
}

}  // namespace
}  // namespace remora::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::uint32_t seed = data[1] * 7919u + static_cast<std::uint32_t>(size);
  remora::http::fuzz_server(bytes, data[0], seed);
  remora::http::fuzz_client(bytes, data[0], seed);
  return 0;
}
