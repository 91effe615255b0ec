#include "core/http/http1_parser.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace remora::http {
namespace {

struct KnownMethod {
  std::string_view name;
  Method id;
};

constexpr auto make_methods() {
  std::array<KnownMethod, 64> methods{};
#define REMORA_METHOD(number, name, string) methods[number] = {#string, Method::other};
  HTTP_METHOD_MAP(REMORA_METHOD)
#undef REMORA_METHOD
  methods[HTTP_GET].id = Method::get;
  methods[HTTP_HEAD].id = Method::head;
  methods[HTTP_POST].id = Method::post;
  methods[HTTP_PUT].id = Method::put;
  methods[HTTP_DELETE].id = Method::del;
  methods[HTTP_CONNECT].id = Method::connect;
  methods[HTTP_OPTIONS].id = Method::options;
  methods[HTTP_TRACE].id = Method::trace;
  methods[HTTP_PATCH].id = Method::patch;
  return methods;
}

constexpr auto kMethods = make_methods();

constexpr std::string_view kCodecError = "http1.codec_error";

constexpr ProtocolError kTooLarge{431, "http1.headers_too_large", "the head is larger than the limit"};
constexpr ProtocolError kTrailersTooLarge{431, "http1.headers_too_large", "the trailers are larger than the limit"};
constexpr ProtocolError kExtensions{400, kCodecError, "the chunk extensions are longer than the limit for heads"};
constexpr ProtocolError kBadLength{400, kCodecError, "Content-Length is repeated, or not a decimal number"};
constexpr ProtocolError kLengthAndCoding{400, "http1.content_length_and_chunked_not_allowed",
                                         "Content-Length and Transfer-Encoding together"};
constexpr ProtocolError kBadCoding{400, "http1.invalid_transfer_encoding",
                                   "Transfer-Encoding is anything but \"chunked\", once"};
constexpr ProtocolError kBadMethod{400, kCodecError, "an unknown method, or no HTTP at all"};
constexpr ProtocolError kBadTarget{400, kCodecError, "a bad character in the request target"};
constexpr ProtocolError kBadConstant{400, kCodecError, "the first line is not one of HTTP"};
constexpr ProtocolError kBadVersion{426, "low_version", "an HTTP version other than 1.1 or 1.0"};
constexpr ProtocolError kBadStatus{400, kCodecError, "the status line has no three-digit status"};
constexpr ProtocolError kBadName{400, kCodecError, "a bad character in a header name, or a space before its colon"};
constexpr ProtocolError kBadValue{400, "http1.invalid_characters",
                                  "a control character in a header value, or one that goes on in the next line"};
constexpr ProtocolError kFolded{400, kCodecError, "a header value goes on in the next line (obs-fold)"};
constexpr ProtocolError kLineEnd{400, kCodecError, "a line that does not end in CR LF"};
constexpr ProtocolError kBadChunk{400, kCodecError, "a chunk's size, extension or end is malformed"};
constexpr ProtocolError kOther{400, kCodecError, "malformed HTTP/1"};

bool mentions(const char* text, std::string_view word) {
  return text != nullptr && std::string_view(text).find(word) != std::string_view::npos;
}

// llhttp's codes are coarse; its reasons tell apart what its codes do not.
const ProtocolError& error_of(llhttp_errno_t code, const char* reason) {
  switch (code) {
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return mentions(reason, "Duplicate") ? kBadLength : kLengthAndCoding;
    case HPE_INVALID_TRANSFER_ENCODING:
      return mentions(reason, "Content-Length") ? kLengthAndCoding : kBadCoding;
    case HPE_INVALID_CONTENT_LENGTH:
      return mentions(reason, "Transfer-Encoding") ? kLengthAndCoding : kBadLength;
    case HPE_INVALID_METHOD:
      return kBadMethod;
    case HPE_INVALID_URL:
      return kBadTarget;
    case HPE_INVALID_CONSTANT:
      return kBadConstant;
    case HPE_INVALID_VERSION:
      return mentions(reason, "Expected") ? kBadConstant : kBadVersion;
    case HPE_PAUSED_H2_UPGRADE:
      return kBadVersion;
    case HPE_INVALID_STATUS:
      return kBadStatus;
    case HPE_INVALID_HEADER_TOKEN:
      return mentions(reason, "value") ? (mentions(reason, "whitespace") ? kFolded : kBadValue) : kBadName;
    case HPE_CR_EXPECTED:
    case HPE_LF_EXPECTED:
      return mentions(reason, "chunk") ? kBadChunk : kLineEnd;
    case HPE_UNEXPECTED_SPACE:
      return kFolded;
    case HPE_INVALID_CHUNK_SIZE:
      return kBadChunk;
    case HPE_STRICT:
      return mentions(reason, "chunk") ? kBadChunk : kLineEnd;
    default:
      return kOther;
  }
}

}  // namespace

// What llhttp calls while it executes.
struct Http1Parser::Callbacks {
  static Http1Parser& self(llhttp_t* parser) { return *static_cast<Http1Parser*>(parser->data); }

  static int on_url(llhttp_t* parser, const char* at, std::size_t size) {
    Http1Parser& me = self(parser);
    if (me.raw_.target_size == 0) {
      me.raw_.target_at = me.offset(at);
    }
    me.raw_.target_size += static_cast<std::uint32_t>(size);
    return 0;
  }

  // A piece that goes on where the last one ended is of the same name: a colon always lies between two.
  static int on_header_field(llhttp_t* parser, const char* at, std::size_t size) {
    Http1Parser& me = self(parser);
    if (!me.section_open_) {
      me.open_section(at);  // the first trailer
    }
    const std::uint32_t from = me.offset(at);
    RawHead& raw = me.raw_;
    if (from >= me.max_head_bytes_) {
      me.error_ = &kTrailersTooLarge;  // a head never gets here: parse_head cuts what it passes on
      return HPE_USER;
    }
    const std::size_t count = raw.headers.size();
    if (raw.header_count > count) {
      return 0;  // over the limit: only counted (see below), to be refused when the section is whole
    }
    if (count > 0) {
      HeadSpan& last = me.spans_[count - 1];
      if (last.name_at + last.name_size == from) {
        last.name_size += static_cast<std::uint32_t>(size);
        return 0;
      }
    }
    ++raw.header_count;
    if (HeadSpan* span = me.push_span()) {
      *span = {from, static_cast<std::uint32_t>(size), from, 0};
    }
    return 0;
  }

  static int on_header_value(llhttp_t* parser, const char* at, std::size_t size) {
    Http1Parser& me = self(parser);
    if (me.raw_.header_count > me.raw_.headers.size()) {
      return 0;
    }
    HeadSpan& last = me.spans_[me.raw_.headers.size() - 1];
    const std::uint32_t from = me.offset(at);
    if (last.value_size == 0) {
      last.value_at = from;
    }
    last.value_size = from + static_cast<std::uint32_t>(size) - last.value_at;
    return 0;
  }

  static int on_headers_complete(llhttp_t*) { return HPE_PAUSED; }

  static int on_body(llhttp_t* parser, const char* at, std::size_t size) {
    return self(parser).receiver_->on_chunk_data({at, size}) ? 0 : HPE_USER;
  }

  static int on_extension(llhttp_t* parser, const char*, std::size_t size) {
    Http1Parser& me = self(parser);
    me.extension_bytes_ += static_cast<std::uint32_t>(std::min<std::size_t>(size, me.max_head_bytes_ + 1));
    if (me.extension_bytes_ > me.max_head_bytes_) {
      me.error_ = &kExtensions;
      return HPE_USER;
    }
    return 0;
  }

  static int on_message_complete(llhttp_t*) { return HPE_PAUSED; }

  static const llhttp_settings_t* settings() {
    static const llhttp_settings_t settings = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_url = on_url;
      s.on_header_field = on_header_field;
      s.on_header_value = on_header_value;
      s.on_headers_complete = on_headers_complete;
      s.on_body = on_body;
      s.on_chunk_extension_name = on_extension;
      s.on_chunk_extension_value = on_extension;
      s.on_message_complete = on_message_complete;
      return s;
    }();
    return &settings;
  }
};

Http1Parser::Http1Parser(llhttp_type_t type, std::uint32_t max_head_bytes, std::uint32_t max_headers)
    : type_(type), max_head_bytes_(max_head_bytes), max_headers_(max_headers) {
  llhttp_init(&parser_, type_, Callbacks::settings());
  parser_.data = this;
}

void Http1Parser::begin(Arena& arena) {
  llhttp_init(
      &parser_, type_,
      parser_.settings == nullptr ? Callbacks::settings() : static_cast<const llhttp_settings_t*>(parser_.settings));
  parser_.data = this;
  arena_ = &arena;
  error_ = nullptr;
  extension_bytes_ = 0;
  open_section(nullptr);
}

void Http1Parser::open_section(const char* at) {
  section_begin_ = at;
  section_open_ = true;
  stored_ = 0;
  capacity_ = 0;
  raw_.text = nullptr;
  raw_.headers = {};
  raw_.header_count = 0;
  raw_.target_at = raw_.target_size = 0;
}

HeadSpan* Http1Parser::push_span() {
  const auto count = static_cast<std::uint32_t>(raw_.headers.size());
  if (count >= max_headers_) {
    return nullptr;
  }
  if (count == span_capacity_) {
    const std::uint32_t capacity = std::min(span_capacity_ * 2, max_headers_);
    auto* spans = arena_->make_array<HeadSpan>(capacity);
    std::copy_n(spans_, count, spans);
    spans_ = spans;
    span_capacity_ = capacity;
  }
  raw_.headers = {spans_, count + 1};
  return spans_ + count;
}

// What was found so far is in the arena if the section was interrupted; else the scratch is free.
void Http1Parser::use_spans(SpanScratch& scratch) {
  if (raw_.headers.empty()) {
    spans_ = scratch.data();
    span_capacity_ = static_cast<std::uint32_t>(scratch.size());
  }
}

// The scratch dies with the caller's frame: moves what it holds to the arena.
void Http1Parser::keep_spans(SpanScratch& scratch) {
  if (spans_ == scratch.data() && !raw_.headers.empty()) {
    const auto count = static_cast<std::uint32_t>(raw_.headers.size());
    span_capacity_ = std::max<std::uint32_t>(16, count * 2);
    spans_ = arena_->make_array<HeadSpan>(span_capacity_);
    std::copy_n(scratch.data(), count, spans_);
    raw_.headers = {spans_, count};
  }
}

// Appends a part of the section to its text in the arena. A section that comes in one piece is copied once.
void Http1Parser::store(std::string_view part, bool last) {
  const auto size = static_cast<std::uint32_t>(part.size());
  if (stored_ + size > capacity_) {
    capacity_ = last ? stored_ + size : std::max<std::uint32_t>(512, (stored_ + size) * 2);
    auto* text = arena_->make_array<char>(capacity_);
    if (stored_ > 0) {
      std::memcpy(text, raw_.text, stored_);
    }
    raw_.text = text;
  }
  if (size > 0) {
    std::memcpy(raw_.text + stored_, part.data(), size);
  }
  stored_ += size;
}

void Http1Parser::finish_section(const char* end) {
  store({section_begin_, static_cast<std::size_t>(end - section_begin_)}, true);
  section_open_ = false;
  raw_.size = stored_;
}

Http1Parser::Step Http1Parser::fail(const ProtocolError& error) {
  error_ = &error;
  return Step::error;
}

Http1Parser::Step Http1Parser::fail(llhttp_errno_t code) {
  return fail(error_ != nullptr ? *error_ : error_of(code, llhttp_get_error_reason(&parser_)));
}

// Cuts at the limit what llhttp sees, so that what is wrong does not depend on how the bytes were split.
Http1Parser::Step Http1Parser::parse_head(std::string_view bytes, SpanScratch& scratch, std::size_t& taken) {
  const std::string_view part = bytes.substr(0, max_head_bytes_ - stored_);
  section_begin_ = part.data();
  use_spans(scratch);
  const llhttp_errno_t code = llhttp_execute(&parser_, part.data(), part.size());
  if (code == HPE_PAUSED) {
    const char* end = llhttp_get_error_pos(&parser_);
    taken = static_cast<std::size_t>(end - part.data());
    finish_section(end);
    raw_.method = kMethods[parser_.method % kMethods.size()].name;
    raw_.method_id = kMethods[parser_.method % kMethods.size()].id;
    raw_.status = parser_.status_code;
    raw_.llhttp_chunked = (parser_.flags & F_CHUNKED) != 0;
    raw_.has_length = (parser_.flags & F_CONTENT_LENGTH) != 0;
    raw_.length = parser_.content_length;
    return Step::whole;
  }
  taken = part.size();
  if (code != HPE_OK) {
    return fail(code);
  }
  if (stored_ + part.size() >= max_head_bytes_) {
    return fail(kTooLarge);
  }
  store(part, false);
  keep_spans(scratch);
  return Step::more;
}

Http1Parser::Step Http1Parser::parse_chunked(std::string_view bytes, SpanScratch& scratch, BodyReceiver& receiver,
                                             std::size_t& taken) {
  if (llhttp_get_errno(&parser_) == HPE_PAUSED) {  // the first time: goes on after the head
    llhttp_resume(&parser_);
    raw_.headers = {};
    raw_.header_count = 0;
  }
  section_begin_ = bytes.data();
  receiver_ = &receiver;
  use_spans(scratch);
  const llhttp_errno_t code = llhttp_execute(&parser_, bytes.data(), bytes.size());
  if (code == HPE_PAUSED) {
    const char* end = llhttp_get_error_pos(&parser_);
    taken = static_cast<std::size_t>(end - bytes.data());
    if (section_open_) {
      finish_section(end);
      if (stored_ > max_head_bytes_) {
        return fail(kTrailersTooLarge);
      }
    }
    return Step::whole;
  }
  taken = bytes.size();
  if (code != HPE_OK) {  // beyond the limit anything is too large, however it was split
    const bool beyond = section_open_ && offset(llhttp_get_error_pos(&parser_)) >= max_head_bytes_;
    return beyond ? fail(kTrailersTooLarge) : fail(code);
  }
  if (section_open_) {
    const std::string_view part(section_begin_, static_cast<std::size_t>(bytes.data() + bytes.size() - section_begin_));
    if (stored_ + part.size() >= max_head_bytes_) {
      return fail(kTrailersTooLarge);
    }
    store(part, false);
    keep_spans(scratch);
  }
  return Step::more;
}

}  // namespace remora::http
