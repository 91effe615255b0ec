// How HTTP/1 heads and chunks are written: into one reservation of the sink, bounded beforehand, with no call for each
// header but memcpy. Used by Http1Server and Http1Client; the loop's thread.
#pragma once

#include <cassert>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/base/bytes.h"
#include "core/http/hygiene.h"
#include "core/http/message.h"

namespace remora::http {

// "404 Not Found\r\n" without the number: the words of RFC 9110 and the IANA registry; "Unknown" for others, as Envoy
// says.
std::string_view reason_phrase(int status);

class HeadWriter {
 public:
  // `extra`: an upper bound of everything but the headers of the list.
  HeadWriter(ByteSink& out, const HeaderList& headers, std::size_t extra) : out_(out) {
    std::size_t bound = extra;
    for (const Header& header : headers.all()) {
      bound += header.name.size() + header.value.size() + 4;
    }
    begin_ = at_ = out.reserve(bound);
    end_ = begin_ + bound;
  }

  void text(std::string_view text) {
    if (!text.empty()) {
      std::memcpy(at_, text.data(), text.size());
      at_ += text.size();
    }
  }
  void byte(char c) { *at_++ = c; }
  void decimal(std::uint64_t number) { at_ = std::to_chars(at_, end_, number).ptr; }

  void header(std::string_view name, std::string_view value) {
    text(name);
    byte(':');
    byte(' ');
    text(value);
    line_end();
  }
  void content_length(std::uint64_t length) {
    text("content-length: ");
    decimal(length);
    line_end();
  }
  void line_end() {
    byte('\r');
    byte('\n');
  }

  // Ends the head and hands it to the sink.
  void finish() {
    line_end();
    assert(at_ <= end_);
    out_.commit(static_cast<std::size_t>(at_ - begin_));
  }

 private:
  ByteSink& out_;
  char* begin_;
  char* at_;
  char* end_;
};

// A chunk; with `last`, the end of the body as well. Small ones in one reservation.
void write_chunk(ByteSink& out, std::string_view data, bool last);

// The last chunk and a trailer section.
void write_trailers(ByteSink& out, const HeaderList& trailers);

// The value of a Content-Length header; false if it is no number.
inline bool parse_length(std::string_view text, std::uint64_t& length) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto [at, error] = std::from_chars(begin, end, length);
  return error == std::errc() && at == end;
}

}  // namespace remora::http
