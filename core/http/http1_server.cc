#include "core/http/http1_server.h"

#include <algorithm>
#include <cassert>

#include "core/http/http1_writer.h"

namespace remora::http {
namespace {

constexpr ProtocolError kBodyTooLarge{413, "request_payload_too_large", "a chunked body above the limit"};

bool is_informational(int status) { return status < 200 && status != 101; }

}  // namespace

Http1Server::Http1Server(ByteSink& out, ServerCodecEvents& events, const CodecLimits& limits)
    : out_(out), events_(events), limits_(limits), parser_(HTTP_REQUEST, limits.max_head_bytes, limits.max_headers) {}

// ---- the request

std::size_t Http1Server::feed(std::string_view bytes) {
  assert(!in_feed_);
  in_feed_ = true;
  std::size_t taken = 0;
  bool more = true;
  while (more && taken < bytes.size()) {
    const std::string_view rest = bytes.substr(taken);
    switch (input_) {
      case Input::idle:
        if (rest.front() == '\r' || rest.front() == '\n') {  // empty lines before a request line (RFC 9112 section 2.2)
          ++taken;
          continue;
        }
        input_ = Input::head;
        arena_ = &events_.on_message_begin();
        parser_.begin(*arena_);
        [[fallthrough]];
      case Input::head:
        taken += take_head(rest);
        break;
      case Input::length:
        taken += take_length(rest);
        break;
      case Input::chunked:
        taken += take_chunked(rest);
        break;
      case Input::tunnel:
        taken = bytes.size();
        if (sink_ != nullptr) {
          sink_->on_body(rest);
        }
        break;
      case Input::closed:
        taken = bytes.size();
        break;
      case Input::upgrade:
      case Input::whole:
      case Input::failed:
        more = false;
        break;
    }
    settle();
  }
  if (input_ == Input::tunnel && input_ended_) {  // the peer half-closed before the tunnel began
    on_whole();
    settle();
  }
  in_feed_ = false;
  return taken;
}

std::size_t Http1Server::take_head(std::string_view bytes) {
  SpanScratch scratch;
  std::size_t taken = 0;
  switch (parser_.parse_head(bytes, scratch, taken)) {
    case Http1Parser::Step::more:
      break;
    case Http1Parser::Step::whole:
      on_head();
      break;
    case Http1Parser::Step::error:
      on_bad_head(parser_.error());
      break;
  }
  return taken;
}

void Http1Server::on_head() {
  RawHead& raw = parser_.raw();
  head_ = arena_->make<RequestHead>(*arena_);
  answers_head_ = raw.method_id == Method::head;
  Framing framing;
  if (const ProtocolError* error = read_request_head(raw, limits_, *head_, framing)) {
    on_bad_head(*error);
    return;
  }
  http10_ = head_->protocol == Protocol::http10;
  close_after_ = !framing.keep_alive;
  if (head_->upgrade) {
    input_ = Input::upgrade;
  } else if (framing.body.kind == BodyLength::Kind::chunked) {
    input_ = Input::chunked;
    input_left_ = 0;
  } else if (framing.body.kind == BodyLength::Kind::known) {
    input_ = Input::length;
    input_left_ = framing.body.length;
  } else {
    input_ = Input::whole;
  }
  RequestSink* sink = events_.on_request(*this, *head_, input_ == Input::whole);
  if (output_ == Output::done) {
    return;  // answered at once
  }
  sink_ = sink;
  if (input_ == Input::upgrade && !head_->upgrade) {  // its user wants no tunnel
    on_whole();
  }
}

std::size_t Http1Server::take_length(std::string_view bytes) {
  const std::string_view part = bytes.substr(0, input_left_);
  input_left_ -= part.size();
  if (sink_ != nullptr) {
    sink_->on_body(part);
  }
  if (input_left_ == 0) {
    on_whole();
  }
  return part.size();
}

std::size_t Http1Server::take_chunked(std::string_view bytes) {
  SpanScratch scratch;
  std::size_t taken = 0;
  switch (parser_.parse_chunked(bytes, scratch, *this, taken)) {
    case Http1Parser::Step::more:
      break;
    case Http1Parser::Step::whole:
      on_trailers();
      break;
    case Http1Parser::Step::error:
      if (output_ == Output::done) {  // given up by its sink, not malformed
        break;
      }
      on_bad_body(limits_.max_body_bytes > 0 && input_left_ > limits_.max_body_bytes ? kBodyTooLarge : parser_.error());
      break;
  }
  return taken;
}

bool Http1Server::on_chunk_data(std::string_view data) {
  const std::uint64_t before = input_left_;
  input_left_ += data.size();
  const bool fits = limits_.max_body_bytes == 0 || input_left_ <= limits_.max_body_bytes;
  if (!fits) {  // what fits still comes, so that splits make no difference
    data = data.substr(0, limits_.max_body_bytes - before);
  }
  if (sink_ != nullptr && !data.empty()) {
    sink_->on_body(data);
  }
  return fits && output_ != Output::done;
}

void Http1Server::on_trailers() {
  RawHead& raw = parser_.raw();
  if (raw.header_count > 0) {
    auto* trailers = arena_->make<HeaderList>(*arena_);
    if (const ProtocolError* error = read_trailers(raw, limits_, *trailers)) {
      on_bad_body(*error);
      return;
    }
    if (!trailers->empty() && sink_ != nullptr) {
      sink_->on_trailers(*trailers);
    }
  }
  on_whole();
}

void Http1Server::on_whole() {
  input_ = Input::whole;
  if (sink_ != nullptr) {
    sink_->on_request_end();
  }
}

void Http1Server::on_bad_head(const ProtocolError& error) {
  input_ = Input::failed;
  close_after_ = true;
  events_.on_bad_head(*this, error);
}

void Http1Server::reject_head(const ProtocolError& error) {
  if (input_ == Input::head) {
    on_bad_head(error);
    settle();
  }
}

void Http1Server::on_bad_body(const ProtocolError& error) {
  input_ = Input::failed;
  close_after_ = true;
  if (sink_ != nullptr) {
    sink_->on_request_error(error);
  }
}

bool Http1Server::feed_end() {
  input_ended_ = true;
  switch (input_) {
    case Input::tunnel:
      on_whole();
      settle();
      return input_ == Input::closed;
    case Input::upgrade:
    case Input::whole:
    case Input::failed:
      close_after_ = true;
      return false;
    default:
      return true;
  }
}

void Http1Server::drain() {
  draining_ = true;
  if (input_ == Input::idle) {
    input_ = Input::closed;
    events_.on_codec_close();
  }
}

// ---- the response

void Http1Server::send_informational(const ResponseHead& head) {
  if (output_ != Output::head || http10_ || !is_informational(head.status)) {
    return;
  }
  HeadWriter writer(out_, head.headers, 64);
  writer.text("HTTP/1.1 ");
  writer.decimal(static_cast<std::uint64_t>(head.status));
  writer.byte(' ');
  writer.text(reason_phrase(head.status));
  writer.line_end();
  for (const Header& header : head.headers.all()) {
    if (!is_framing_or_hop(header.id)) {
      writer.header(header.name, header.value);
    }
  }
  writer.finish();
}

bool Http1Server::accepts_tunnel(const ResponseHead& head) const {
  if (!head.upgrade || input_ != Input::upgrade) {
    return false;
  }
  return head_->method_id == Method::connect ? head.status >= 200 && head.status < 300 : head.status == 101;
}

// `write_zero`: the head shall say `content-length: 0`. Sets output_left_ where the head has a length.
Http1Server::Output Http1Server::choose_framing(const ResponseHead& head, bool end, bool& write_zero) {
  write_zero = false;
  if (head.status == 204 || head.status < 200) {
    return Output::none;
  }
  const Header* length = head.headers.find(HeaderId::content_length);
  if (length != nullptr && parse_length(length->value, output_left_)) {
    return answers_head_ || head.status == 304 ? Output::none : Output::length;
  }
  if (head.status == 304) {
    return Output::none;
  }
  if (answers_head_) {  // as the GET would be answered: with chunks, for nobody knows the length
    return http10_ ? Output::none : Output::chunked;
  }
  if (end) {
    write_zero = true;
    output_left_ = 0;
    return Output::length;
  }
  return http10_ ? Output::close : Output::chunked;
}

void Http1Server::send_head(const ResponseHead& head, bool end) {
  if (is_informational(head.status)) {
    send_informational(head);
    return;
  }
  assert(output_ == Output::head);
  if (output_ != Output::head || input_ == Input::idle || input_ == Input::closed) {
    return;
  }
  const bool tunnel = accepts_tunnel(head);
  bool write_zero = false;
  output_ = tunnel ? Output::tunnel : choose_framing(head, end, write_zero);
  const bool has_length = output_ == Output::length || output_ == Output::none;
  if (draining_ || input_ended_ || output_ == Output::close || (input_ != Input::whole && !tunnel)) {
    close_after_ = true;
  }

  HeadWriter writer(out_, head.headers, 192 + (tunnel ? head_->upgrade_protocol.size() : 0));
  writer.text(http10_ ? "HTTP/1.0 " : "HTTP/1.1 ");
  writer.decimal(static_cast<std::uint64_t>(head.status));
  writer.byte(' ');
  writer.text(reason_phrase(head.status));
  writer.line_end();
  if (tunnel && head.status == 101) {
    writer.text("connection: Upgrade\r\n");
    const std::string_view given = head.headers.value(HeaderId::upgrade);
    writer.header("upgrade", given.empty() ? head_->upgrade_protocol : given);
  }
  bool length_written = head.status == 204 || head.status < 200 || tunnel || write_zero;
  for (const Header& header : head.headers.all()) {
    if (!is_framing_or_hop(header.id)) {
      writer.header(header.name, header.value);
    } else if (header.id == HeaderId::content_length && has_length && !length_written) {
      writer.content_length(output_left_);
      length_written = true;
    }
  }
  if (!tunnel && close_after_) {
    writer.text("connection: close\r\n");
  } else if (!tunnel && http10_) {
    writer.text("connection: keep-alive\r\n");
  }
  if (write_zero) {
    writer.text("content-length: 0\r\n");
  } else if (output_ == Output::chunked) {
    writer.text("transfer-encoding: chunked\r\n");
  }
  writer.finish();

  if (answers_head_ && output_ == Output::chunked) {
    output_ = Output::none;
  }
  if (tunnel) {
    begin_tunnel();
  }
  if (end) {
    send_body({}, true);
  }
}

void Http1Server::begin_tunnel() {
  input_ = Input::tunnel;
  close_after_ = true;
  if (!in_feed_) {
    events_.on_input_wanted();
  }
}

void Http1Server::send_body(std::string_view data, bool end) {
  switch (output_) {
    case Output::none:
      break;
    case Output::length: {
      if (data.size() > output_left_) {  // the excess would look like a next response
        data = data.substr(0, output_left_);
        close_after_ = true;
      }
      output_left_ -= data.size();
      if (!data.empty()) {
        out_.write(data);
      }
      if (end && output_left_ > 0) {
        close_after_ = true;  // the client sees that it is cut short
      }
      break;
    }
    case Output::chunked:
      write_chunk(out_, data, end);
      break;
    case Output::close:
    case Output::tunnel:
      if (!data.empty()) {
        out_.write(data);
      }
      break;
    case Output::head:
      assert(false && "send_head first");
      return;
    case Output::done:
      return;
  }
  if (end) {
    end_output();
  }
}

void Http1Server::send_trailers(const HeaderList& trailers) {
  if (output_ == Output::chunked) {
    write_trailers(out_, trailers);
    end_output();
  } else {
    send_body({}, true);
  }
}

void Http1Server::reset() {
  if (input_ == Input::idle || input_ == Input::closed || output_ == Output::done) {
    return;
  }
  close_after_ = true;
  end_output();
}

void Http1Server::end_output() {
  output_ = Output::done;
  sink_ = nullptr;
  if (!in_feed_) {
    settle();
  }
}

// Ends the stream when its response is over; a request that is not whole by then ends the connection too.
void Http1Server::settle() {
  if (output_ != Output::done || input_ == Input::closed) {
    return;
  }
  const bool close = close_after_ || draining_ || input_ != Input::whole;
  input_ = close ? Input::closed : Input::idle;
  output_ = Output::head;
  close_after_ = answers_head_ = http10_ = false;
  arena_ = nullptr;
  head_ = nullptr;
  sink_ = nullptr;
  events_.on_stream_done(*this);
  if (close) {
    events_.on_codec_close();
  }
}

}  // namespace remora::http
