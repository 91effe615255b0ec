#include "core/http/http1_client.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/http/http1_writer.h"

namespace remora::http {
namespace {

constexpr std::uint8_t kMaxInformational = 32;  // each costs arena memory

// Methods whose requests say nothing of a body that is not there (RFC 9110 section 8.6); the list is Envoy's.
bool needs_no_length(Method method) {
  switch (method) {
    case Method::get:
    case Method::head:
    case Method::del:
    case Method::trace:
    case Method::connect:
      return true;
    default:
      return false;
  }
}

}  // namespace

Http1Client::Http1Client(ByteSink& out, ClientCodecEvents& events, const CodecLimits& limits)
    : out_(out), events_(events), limits_(limits), parser_(HTTP_RESPONSE, limits.max_head_bytes, limits.max_headers) {}

ClientStream& Http1Client::begin(ResponseSink& sink) {
  assert(input_ == Input::idle);
  sink_ = &sink;
  input_ = Input::start;
  output_ = Output::head;
  asked_ = {};
  keep_alive_ = true;
  response_begun_ = false;
  informational_count_ = 0;
  return *this;
}

// ---- the request

void Http1Client::send_head(const RequestHead& head, BodyLength length) {
  assert(output_ == Output::head);
  if (!live() || output_ != Output::head) {
    return;
  }
  const bool connect = head.method_id == Method::connect;
  asked_ = {.head = head.method_id == Method::head, .connect = connect, .upgrade = head.upgrade && !connect};
  const bool tunnel = connect || asked_.upgrade;
  const std::string_view target = connect ? head.authority : head.path;

  HeadWriter writer(out_, head.headers,
                    head.method.size() + target.size() + head.authority.size() + head.upgrade_protocol.size() + 192);
  writer.text(head.method);
  writer.byte(' ');
  writer.text(target);
  writer.text(" HTTP/1.1\r\nhost: ");
  writer.text(head.authority);
  writer.line_end();
  if (asked_.upgrade) {
    writer.text("connection: Upgrade\r\nupgrade: ");
    writer.text(head.upgrade_protocol);
    writer.line_end();
  }
  const bool known = length.kind == BodyLength::Kind::known;
  const bool none = length.kind == BodyLength::Kind::none || tunnel;
  bool length_written = connect;
  for (const Header& header : head.headers.all()) {
    if (!is_framing_or_hop(header.id)) {
      writer.header(header.name, header.value);
    } else if (header.id == HeaderId::content_length && (known || none) && !length_written) {
      writer.content_length(none ? 0 : length.length);  // where the client had it
      length_written = true;
    }
  }
  if (none) {
    output_ = tunnel ? Output::waiting : Output::done;
    if (!length_written && !needs_no_length(head.method_id)) {
      writer.text("content-length: 0\r\n");
    }
  } else if (known) {
    output_ = length.length == 0 ? Output::done : Output::length;
    output_left_ = length.length;
    if (!length_written) {
      writer.content_length(length.length);
    }
  } else {
    output_ = Output::chunked;
    writer.text("transfer-encoding: chunked\r\n");
  }
  writer.finish();
}

void Http1Client::send_body(std::string_view data, bool end) {
  if (!live()) {
    return;
  }
  switch (output_) {
    case Output::length:
      if (data.size() > output_left_ || (end && data.size() < output_left_)) {
        fail(ResetReason::local, "the request body is not as long as its Content-Length");
        return;
      }
      output_left_ -= data.size();
      if (!data.empty()) {
        out_.write(data);
      }
      if (output_left_ == 0) {
        output_ = Output::done;
      }
      break;
    case Output::chunked:
      write_chunk(out_, data, end);
      if (end) {
        output_ = Output::done;
      }
      break;
    case Output::tunnel:
      if (!data.empty()) {
        out_.write(data);
      }
      if (end) {
        end_tunnel_output();
      }
      break;
    case Output::waiting:
      // Were the tunnel refused, the upstream would read these bytes as a next request.
      fail(ResetReason::local, "tunnel bytes before the upstream accepted the tunnel");
      break;
    case Output::done:
      if (!data.empty()) {
        fail(ResetReason::local, "the request body is not as long as its Content-Length");
      }
      break;
    case Output::head:
      assert(false && "send_head first");
      break;
  }
}

void Http1Client::send_trailers(const HeaderList& trailers) {
  if (live() && output_ == Output::chunked) {
    write_trailers(out_, trailers);
    output_ = Output::done;
  } else {
    send_body({}, true);
  }
}

void Http1Client::end_tunnel_output() {
  output_ = Output::done;
  if (!events_.on_half_close() && live()) {
    finish(false);
  }
}

void Http1Client::cancel() {
  if (!live()) {
    return;
  }
  sink_ = nullptr;
  input_ = Input::dead;
  events_.on_client_stream_done(false);
}

// ---- the response

void Http1Client::feed(std::string_view bytes) {
  if (input_ == Input::idle && !bytes.empty()) {
    input_ = Input::dead;
    events_.on_client_stream_done(false);
    return;
  }
  while (live() && !bytes.empty()) {
    bool whole = false;
    std::size_t taken = bytes.size();
    switch (input_) {
      case Input::start:
        if (output_ == Output::head) {  // an answer to nothing
          fail(ResetReason::protocol_error, "bytes before the request was sent");
          return;
        }
        input_ = Input::head;
        response_begun_ = true;
        arena_ = &sink_->response_arena();
        parser_.begin(*arena_);
        [[fallthrough]];
      case Input::head:
        taken = take_head(bytes, whole);
        break;
      case Input::length:
        taken = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), input_left_));
        input_left_ -= taken;
        whole = input_left_ == 0;
        sink_->on_response_body(bytes.substr(0, taken));
        break;
      case Input::chunked:
        taken = take_chunked(bytes, whole);
        break;
      case Input::close:
      case Input::tunnel:
        sink_->on_response_body(bytes);
        break;
      case Input::idle:
      case Input::dead:
        return;
    }
    bytes.remove_prefix(taken);
    if (whole && live()) {
      finish(keep_alive_ && output_ == Output::done && bytes.empty() && !asked_.connect && !asked_.upgrade);
      return;  // whatever is left belongs to no request
    }
  }
}

std::size_t Http1Client::take_head(std::string_view bytes, bool& whole) {
  SpanScratch scratch;
  std::size_t taken = 0;
  switch (parser_.parse_head(bytes, scratch, taken)) {
    case Http1Parser::Step::more:
      break;
    case Http1Parser::Step::whole:
      on_head(whole);
      break;
    case Http1Parser::Step::error:
      fail(ResetReason::protocol_error, parser_.error().cause);
      break;
  }
  return taken;
}

void Http1Client::on_head(bool& whole) {
  auto* head = arena_->make<ResponseHead>(*arena_);
  Framing framing;
  if (const ProtocolError* error = read_response_head(parser_.raw(), limits_, asked_, *head, framing)) {
    fail(ResetReason::protocol_error, error->cause);
    return;
  }
  if (head->status < 200 && !head->upgrade) {
    on_informational(*head);
    return;
  }
  keep_alive_ = framing.keep_alive;
  if (head->upgrade) {
    input_ = Input::tunnel;
    output_ = Output::tunnel;
    sink_->on_head(*head, false);
    return;
  }
  if (output_ == Output::waiting) {  // refused: nothing but the head was sent
    output_ = Output::done;
  }
  switch (framing.body.kind) {
    case BodyLength::Kind::none:
      whole = true;
      break;
    case BodyLength::Kind::known:
      input_ = Input::length;
      input_left_ = framing.body.length;
      break;
    case BodyLength::Kind::chunked:
      input_ = Input::chunked;
      break;
    case BodyLength::Kind::until_close:
      input_ = Input::close;
      break;
  }
  sink_->on_head(*head, whole);
}

void Http1Client::on_informational(ResponseHead& head) {
  if (++informational_count_ > kMaxInformational) {
    fail(ResetReason::protocol_error, "too many informational responses");
    return;
  }
  input_ = Input::start;
  sink_->on_informational(head);
}

std::size_t Http1Client::take_chunked(std::string_view bytes, bool& whole) {
  SpanScratch scratch;
  std::size_t taken = 0;
  switch (parser_.parse_chunked(bytes, scratch, *this, taken)) {
    case Http1Parser::Step::more:
      break;
    case Http1Parser::Step::whole: {
      RawHead& raw = parser_.raw();
      if (raw.header_count > 0) {
        auto* trailers = arena_->make<HeaderList>(*arena_);
        if (const ProtocolError* error = read_trailers(raw, limits_, *trailers)) {
          fail(ResetReason::protocol_error, error->cause);
          break;
        }
        if (!trailers->empty()) {
          sink_->on_response_trailers(*trailers);
        }
      }
      whole = true;
      break;
    }
    case Http1Parser::Step::error:
      if (live()) {
        fail(ResetReason::protocol_error, parser_.error().cause);
      }
      break;
  }
  return taken;
}

bool Http1Client::on_chunk_data(std::string_view data) {
  sink_->on_response_body(data);
  return live();
}

void Http1Client::feed_end(bool clean) {
  if (!live()) {
    input_ = Input::dead;
    return;
  }
  if (clean && (input_ == Input::close || input_ == Input::tunnel)) {
    finish(false);
    return;
  }
  if (clean && response_begun_) {
    fail(ResetReason::protocol_error, "the upstream closed its connection in mid-response");
    return;
  }
  fail(ResetReason::connection_closed, response_begun_ ? "the upstream's connection broke in mid-response"
                                                       : "the upstream closed its connection without an answer");
}

// The state is that of the end before anyone hears of it: `cancel` inside is nothing, `begin` inside is fine.
void Http1Client::finish(bool reusable) {
  ResponseSink* sink = std::exchange(sink_, nullptr);
  input_ = reusable ? Input::idle : Input::dead;
  sink->on_response_end();
  events_.on_client_stream_done(reusable);
}

void Http1Client::fail(ResetReason reason, std::string_view cause) {
  ResponseSink* sink = std::exchange(sink_, nullptr);
  input_ = Input::dead;
  sink->on_reset(reason, cause);
  events_.on_client_stream_done(false);
}

}  // namespace remora::http
