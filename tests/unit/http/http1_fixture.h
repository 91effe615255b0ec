// What the tests of the HTTP/1 codecs share: a server and a client that write down all that their codec tells them, and
// ways to split bytes. A transcript does not depend on how the bytes were split: pieces of bodies are joined.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/arena.h"
#include "core/base/bytes.h"
#include "core/http/http1_client.h"
#include "core/http/http1_server.h"

namespace remora::http {

class StringSink final : public ByteSink {
 public:
  char* reserve(std::size_t size) override {
    room_.assign(size, '?');
    return room_.data();
  }
  void commit(std::size_t size) override {
    ASSERT_LE(size, room_.size());
    text.append(room_.data(), size);
    room_.clear();
  }
  void write(std::string_view data) override { text.append(data); }

  std::string text;

 private:
  std::vector<char> room_;  // a fresh heap block: the sanitizer sees a step too far
};

inline std::string show(const HeaderList& headers) {
  std::string text;
  for (const Header& header : headers.all()) {
    text += " ";
    text += header.name;
    text += "=";
    text += header.value;
  }
  return text;
}

// Joins consecutive "body" lines.
class Transcript {
 public:
  void line(const std::string& text) {
    flush();
    text_ += text + "\n";
  }
  void body(std::string_view data) {
    has_body_ = true;
    body_.append(data);
  }
  std::string take() {
    flush();
    return std::exchange(text_, {});
  }

 private:
  void flush() {
    if (has_body_) {
      text_ += "body " + std::exchange(body_, {}) + "\n";
      has_body_ = false;
    }
  }
  std::string text_;
  std::string body_;
  bool has_body_ = false;
};

// A Session and its exchanges: holds what its codec does not take, feeds it again when a stream is done.
class TestServer final : public ServerCodecEvents, public RequestSink {
 public:
  explicit TestServer(const CodecLimits& limits = {}) : codec(out, *this, limits) {}

  // What to do at a request's head, its end, its error. By default: 200 with body "ok" at the end, or the error's
  // status.
  std::function<void(ServerStream&, RequestHead&, bool end)> at_head;
  std::function<void(ServerStream&)> at_end = [this](ServerStream& s) { answer(s, 200, "ok"); };
  std::function<void(std::string_view)> at_body;
  std::function<void(ServerStream&, const ProtocolError&)> at_error = [this](ServerStream& s, const ProtocolError& e) {
    answer(s, e.status, "");
  };

  // Answers with a known length.
  void answer(ServerStream& stream, int status, std::string_view body,
              const std::vector<std::pair<std::string, std::string>>& headers = {}) {
    ResponseHead head(*arena);
    head.status = status;
    for (const auto& [name, value] : headers) {
      head.headers.add_copy(name, value);
    }
    if (!body.empty()) {
      head.headers.add_copy("content-length", std::to_string(body.size()));
    }
    stream.send_head(head, body.empty());
    if (!body.empty()) {
      stream.send_body(body, true);
    }
  }

  void receive(std::string_view bytes) {
    held.append(bytes);
    pump();
  }
  void receive_end() { transcript.line(codec.feed_end() ? "end: close" : "end: owed"); }

  Arena& on_message_begin() override {
    transcript.line("begin");
    arena = std::make_unique<Arena>(pool);
    return *arena;
  }
  RequestSink* on_request(ServerStream& s, RequestHead& head, bool end) override {
    stream = &s;
    std::string line = "head " + std::string(head.method) + " [" + std::string(head.path) + "] @" +
                       std::string(head.authority) + (head.protocol == Protocol::http10 ? " 1.0" : "");
    line += head.has_scheme ? " scheme=" + std::string(head.scheme) : "";
    line += head.upgrade ? " upgrade=" + std::string(head.upgrade_protocol) : "";
    line += head.expects_continue ? " expects" : "";
    transcript.line(line + show(head.headers) + (end ? " end" : ""));
    if (at_head) {
      at_head(s, head, end);
    }
    if (end && stream != nullptr && at_end) {
      at_end(s);
    }
    return this;
  }
  void on_body(std::string_view data) override {
    transcript.body(data);
    if (at_body) {
      at_body(data);
    }
  }
  void on_trailers(HeaderList& trailers) override { transcript.line("trailers" + show(trailers)); }
  void on_request_end() override {
    transcript.line("end");
    if (at_end) {
      at_end(*stream);
    }
  }
  void on_request_error(const ProtocolError& error) override {
    transcript.line("error " + std::to_string(error.status) + " " + std::string(error.details));
    at_error(*stream, error);
  }
  void on_bad_head(ServerStream& s, const ProtocolError& error) override {
    stream = &s;
    transcript.line("bad " + std::to_string(error.status) + " " + std::string(error.details));
    last_cause = error.cause;
    at_error(s, error);
  }
  void on_stream_done(ServerStream&) override {
    transcript.line("done");
    stream = nullptr;
    arena.reset();
    pump();
  }
  void on_codec_close() override {
    transcript.line("close");
    closed = true;
  }
  void on_input_wanted() override { pump(); }

  BlockPool pool;
  StringSink out;
  std::unique_ptr<Arena> arena;
  Transcript transcript;
  ServerStream* stream = nullptr;
  std::string held;
  std::string_view last_cause;
  bool closed = false;
  Http1Server codec;

 private:
  void pump() {
    if (pumping_) {
      return;
    }
    pumping_ = true;
    // A copy of exactly these bytes, freed at once: nothing may refer to them afterwards.
    const auto block = std::make_unique<char[]>(held.size());
    std::copy(held.begin(), held.end(), block.get());
    const std::size_t taken = codec.feed({block.get(), held.size()});
    held.erase(0, taken);
    pumping_ = false;
  }
  bool pumping_ = false;
};

class TestClient final : public ClientCodecEvents, public ResponseSink {
 public:
  explicit TestClient(const CodecLimits& limits = {}) : codec(out, *this, limits) {}

  ClientStream& begin() {
    arena = std::make_unique<Arena>(pool);
    stream = &codec.begin(*this);
    return *stream;
  }
  void get(std::string_view path = "/", std::string_view method = "GET") {
    Arena request_arena(pool);
    RequestHead head(request_arena);
    head.method = method;
    head.method_id = method_id(method);
    head.path = path;
    head.authority = "h";
    begin().send_head(head, {});
  }
  void receive(std::string_view bytes) {
    const auto block = std::make_unique<char[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), block.get());
    codec.feed({block.get(), bytes.size()});
  }

  Arena& response_arena() override { return *arena; }
  void on_informational(ResponseHead& head) override {
    transcript.line("info " + std::to_string(head.status) + show(head.headers));
  }
  void on_head(ResponseHead& head, bool end) override {
    transcript.line("head " + std::to_string(head.status) + (head.protocol == Protocol::http10 ? " 1.0" : "") +
                    (head.upgrade ? " upgrade" : "") + show(head.headers) + (end ? " end" : ""));
    if (at_head) {
      at_head();
    }
  }
  void on_response_body(std::string_view data) override {
    transcript.body(data);
    if (at_body) {
      at_body();
    }
  }
  void on_response_trailers(HeaderList& trailers) override { transcript.line("trailers" + show(trailers)); }
  void on_response_end() override { transcript.line("end"); }
  void on_reset(ResetReason reason, std::string_view cause) override {
    constexpr std::string_view kNames[] = {"local", "remote", "connection_closed", "protocol_error", "refused"};
    transcript.line("reset " + std::string(kNames[static_cast<std::size_t>(reason)]));
    last_cause = cause;
  }
  void on_client_stream_done(bool reusable) override {
    transcript.line(reusable ? "done reusable" : "done");
    arena.reset();
  }
  bool on_half_close() override {
    transcript.line("half close");
    return half_close_works;
  }

  std::function<void()> at_head;
  std::function<void()> at_body;
  bool half_close_works = true;
  BlockPool pool;
  StringSink out;
  std::unique_ptr<Arena> arena;
  Transcript transcript;
  ClientStream* stream = nullptr;
  std::string_view last_cause;
  Http1Client codec;
};

// All ways of splitting that every input is tried with: whole, byte by byte, and at random.
inline void for_each_split(std::string_view bytes,
                           const std::function<void(const std::vector<std::string_view>&)>& use) {
  const auto pieces = [bytes](const std::function<std::size_t()>& next) {
    std::vector<std::string_view> result;
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::size_t size = std::min(next(), rest.size());
      result.push_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    return result;
  };
  use(pieces([&] { return bytes.size(); }));
  use(pieces([] { return std::size_t{1}; }));
  const unsigned first_seed = ::testing::UnitTest::GetInstance()->random_seed() != 0
                                  ? static_cast<unsigned>(::testing::UnitTest::GetInstance()->random_seed())
                                  : std::random_device()();
  for (unsigned seed = first_seed; seed < first_seed + 12; ++seed) {
    SCOPED_TRACE("split seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const std::size_t longest = 1 + random() % 40;
    use(pieces([&] { return 1 + random() % longest; }));
  }
}

}  // namespace remora::http
