// llhttp in strict mode, made to fit an arena: finds the parts of heads and chunked bodies, and stops at the end of
// each head and message, so that whoever uses it acts outside of llhttp's callbacks. Knows syntax only; what a head
// means and whether it is safe is hygiene.h's business. Bodies with a length never come here. Owned by Http1Server or
// Http1Client; the loop's thread. Sources: RFC 9112.
#pragma once

#include <llhttp.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/arena.h"
#include "core/http/codec.h"

namespace remora::http {

// Where a header's parts lie in its section's text.
struct HeadSpan {
  std::uint32_t name_at;
  std::uint32_t name_size;
  std::uint32_t value_at;
  std::uint32_t value_size;
};

// Room for a usual head's spans on the stack of whoever parses; longer or interrupted heads go to the arena.
using SpanScratch = std::array<HeadSpan, 48>;

// A head, or a trailer section, that is whole: its text in the arena, ours to change, and where its parts lie.
struct RawHead {
  char* text = nullptr;
  std::uint32_t size = 0;
  std::uint32_t header_count = 0;  // may be more than `headers` holds, which is at most the limit
  std::span<const HeadSpan> headers;
  std::uint32_t target_at = 0;  // requests
  std::uint32_t target_size = 0;
  std::string_view method;  // requests; static text
  Method method_id = Method::other;
  int status = 0;  // responses
  bool llhttp_chunked = false;
  bool has_length = false;
  std::uint64_t length = 0;

  std::string_view slice(std::uint32_t at, std::uint32_t count) const { return {text + at, count}; }
};

class Http1Parser {
 public:
  // Hears the pieces of a chunked body, inside llhttp's callbacks: must not touch the parser.
  class BodyReceiver {
   public:
    virtual bool on_chunk_data(std::string_view data) = 0;  // false: stop, the message is given up

   protected:
    ~BodyReceiver() = default;
  };
  enum class Step : std::uint8_t {
    more,   // took all, wants more
    whole,  // took the rest of the head, or of the message
    error,  // see `error`; the parser may only `begin` again
  };

  Http1Parser(llhttp_type_t type, std::uint32_t max_head_bytes, std::uint32_t max_headers);
  Http1Parser(const Http1Parser&) = delete;
  Http1Parser& operator=(const Http1Parser&) = delete;

  // A message starts with the next byte; its text goes to `arena`.
  void begin(Arena& arena);
  // REQUIRES: begun, head not whole. `taken`: how many of `bytes` were used. After `whole`, raw() is valid as long as
  // `scratch` is, its text as long as the arena.
  Step parse_head(std::string_view bytes, SpanScratch& scratch, std::size_t& taken);
  // REQUIRES: the head is whole and its body chunked. After `whole`, raw() holds the trailers.
  Step parse_chunked(std::string_view bytes, SpanScratch& scratch, BodyReceiver& receiver, std::size_t& taken);

  RawHead& raw() { return raw_; }
  const ProtocolError& error() const { return *error_; }

 private:
  struct Callbacks;

  std::uint32_t offset(const char* at) const { return stored_ + static_cast<std::uint32_t>(at - section_begin_); }
  HeadSpan* push_span();
  void open_section(const char* at);
  void use_spans(SpanScratch& scratch);
  void keep_spans(SpanScratch& scratch);
  void store(std::string_view part, bool last);
  void finish_section(const char* end);
  Step fail(llhttp_errno_t code);
  Step fail(const ProtocolError& error);

  // Constant after construction.
  const llhttp_type_t type_;
  const std::uint32_t max_head_bytes_;
  const std::uint32_t max_headers_;

  llhttp_t parser_;
  Arena* arena_ = nullptr;
  BodyReceiver* receiver_ = nullptr;
  const ProtocolError* error_ = nullptr;

  // The section (head or trailers) in progress: `stored_` bytes of it are in raw_.text, the rest begins here.
  const char* section_begin_ = nullptr;
  std::uint32_t stored_ = 0;
  std::uint32_t capacity_ = 0;
  bool section_open_ = false;
  HeadSpan* spans_ = nullptr;
  std::uint32_t span_capacity_ = 0;
  std::uint32_t extension_bytes_ = 0;
  RawHead raw_;
};

}  // namespace remora::http
