#include "core/http/hygiene.h"

#include <array>

#include "core/http/request_target.h"

namespace remora::http {
namespace {

constexpr std::string_view kCodecError = "http1.codec_error";

constexpr ProtocolError kTooManyHeaders{431, "http1.too_many_headers", "more headers than the limit"};
constexpr ProtocolError kTooManyTrailers{431, "http1.too_many_headers", "more trailers than the limit"};
constexpr ProtocolError kRequestLine{400, kCodecError, "the request line is not \"method target version\""};
constexpr ProtocolError kVersion{426, "low_version", "an HTTP version other than 1.1, or 1.0 where it is not accepted"};
constexpr ProtocolError kStatusLine{400, kCodecError, "the status line is not one of HTTP/1.1 or HTTP/1.0"};
constexpr ProtocolError kStatusRange{400, kCodecError, "a status below 100 or above 599"};
constexpr ProtocolError kNoHost{400, "missing_host_header", "an HTTP/1.1 request without Host"};
constexpr ProtocolError kTwoHosts{400, kCodecError, "more than one Host header"};
constexpr ProtocolError kBadHost{400, kCodecError, "a Host or authority that is no host name, with or without a port"};
constexpr ProtocolError kLengthAndCoding{400, "http1.content_length_and_chunked_not_allowed",
                                         "Content-Length and Transfer-Encoding together"};
constexpr ProtocolError kCoding{400, "http1.invalid_transfer_encoding",
                                "Transfer-Encoding is anything but \"chunked\", once"};
constexpr ProtocolError kOldCoding{400, "http1.transfer_encoding_not_allowed", "Transfer-Encoding with HTTP/1.0"};
constexpr ProtocolError kNoCodingHere{400, "http1.transfer_encoding_not_allowed",
                                      "Transfer-Encoding in a 1xx or 204 response"};
constexpr ProtocolError kNoLengthHere{400, "http1.content_length_not_allowed",
                                      "a Content-Length above zero in a 1xx or 204 response"};
constexpr ProtocolError kTwoLengths{400, kCodecError, "more than one Content-Length header"};
constexpr ProtocolError kConnectBody{400, "http1.body_disallowed", "a CONNECT request with a body"};
constexpr ProtocolError kNominated{400, "http1.connection_header_rejected",
                                   "Connection names a header that is not for one hop only"};
constexpr ProtocolError kExpectation{417, "http1.expectation_unknown", "an Expect other than 100-continue"};
constexpr ProtocolError kUnasked101{400, kCodecError, "101 to a request that asked for no upgrade"};
constexpr ProtocolError kBodyTooLarge{413, "request_payload_too_large", "a Content-Length above the limit"};

void lower_in_place(char* text, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    text[i] = lower(text[i]);
  }
}

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) {
    text.remove_suffix(1);
  }
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  return text;
}

// Calls `use(element)` for each element of a comma-separated list.
template <typename Use>
void for_each_element(std::string_view list, Use&& use) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view element = trim(list.substr(0, comma));
    if (!element.empty()) {
      use(element);
    }
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
}

// Headers that matter beyond one hop, so that no Connection header may have them dropped: framing, whom the request is
// for, who sent it, and with which rights.
bool is_protected(std::string_view name) {
  switch (header_id(name)) {
    case HeaderId::host:
    case HeaderId::content_length:
    case HeaderId::transfer_encoding:
    case HeaderId::authorization:
    case HeaderId::cookie:
    case HeaderId::forwarded:
      return true;
    default:
      return name.starts_with("x-forwarded-") || name.starts_with("x-envoy-");
  }
}

// What the headers of a head said that is not for the next hop.
struct HopByHop {
  std::uint32_t hosts = 0;
  std::uint32_t codings = 0;
  std::uint32_t lengths = 0;
  bool coding_is_chunked = false;
  bool close = false;
  bool keep_alive = false;
  bool upgrade_option = false;
  bool nominates = false;  // Connection names other headers
  bool expects = false;
  bool unknown_expectation = false;
  bool te_trailers = false;
  std::string_view host;
  std::string_view upgrade;
};

constexpr auto make_special() {
  std::array<bool, static_cast<std::size_t>(HeaderId::count_)> table{};
  for (std::size_t id = 0; id < table.size(); ++id) {
    table[id] = is_framing_or_hop(static_cast<HeaderId>(id));
  }
  table[static_cast<std::size_t>(HeaderId::te)] = true;
  table[static_cast<std::size_t>(HeaderId::expect)] = true;
  return table;
}
constexpr auto kSpecial = make_special();

void read_connection(std::string_view value, HopByHop& hop) {
  for_each_element(value, [&hop](std::string_view option) {
    if (option == "keep-alive") {
      hop.keep_alive = true;
    } else if (option == "close") {
      hop.close = true;
    } else if (option == "upgrade") {
      hop.upgrade_option = true;
    } else {
      hop.nominates = true;
    }
  });
}

// REQUIRES: kSpecial[header.id]. Returns whether the header stays in the list.
bool read_special(Header& header, char* value, bool request, HopByHop& hop) {
  switch (header.id) {
    case HeaderId::host:
      ++hop.hosts;
      hop.host = header.value;
      return false;  // in a response it means nothing
    case HeaderId::content_length:
      ++hop.lengths;
      return true;
    case HeaderId::transfer_encoding:
      hop.coding_is_chunked = ++hop.codings == 1 && equals_lower(header.value, "chunked");
      return false;
    case HeaderId::connection:
      lower_in_place(value, header.value.size());
      read_connection(header.value, hop);
      return false;
    case HeaderId::upgrade:
      lower_in_place(value, header.value.size());
      hop.upgrade = header.value;
      return !request;  // of a 101 it stays
    case HeaderId::te:
      for_each_element(header.value, [&hop](std::string_view coding) {
        hop.te_trailers = hop.te_trailers || equals_lower(coding, "trailers");
      });
      if (request && hop.te_trailers) {
        header.value = "trailers";
        return true;
      }
      return !request;
    case HeaderId::expect:
      if (!request) {
        return true;
      }
      (equals_lower(header.value, "100-continue") ? hop.expects : hop.unknown_expectation) = true;
      return false;
    default:  // keep-alive, proxy-connection
      return false;
  }
}

// The one pass over a head's headers: names to lower case, ids, and what is hop-by-hop set aside.
void read_headers(RawHead& raw, bool request, HeaderList& headers, HopByHop& hop) {
  headers.reserve(raw.headers.size() + 8);  // room for what a proxy adds
  for (const HeadSpan& span : raw.headers) {
    char* name = raw.text + span.name_at;
    lower_in_place(name, span.name_size);
    Header header{{name, span.name_size}, trim(raw.slice(span.value_at, span.value_size)), HeaderId::other};
    header.id = header_id(header.name);
    if (kSpecial[static_cast<std::size_t>(header.id)] &&
        !read_special(header, const_cast<char*>(header.value.data()), request, hop)) {
      continue;
    }
    headers.add(header);
  }
}

// Drops what Connection names; false if it names what must not be dropped.
bool drop_nominated(const RawHead& raw, HeaderList& headers) {
  bool fine = true;
  for (const HeadSpan& span : raw.headers) {
    if (raw.slice(span.name_at, span.name_size) != "connection") {
      continue;
    }
    for_each_element(raw.slice(span.value_at, span.value_size), [&](std::string_view option) {
      if (option == "te" || option == "trailer" || option == "close" || option == "keep-alive" || option == "upgrade") {
        return;
      }
      if (is_protected(option)) {
        fine = false;
      } else {
        headers.remove(option);
      }
    });
  }
  return fine;
}

// REQUIRES: the first line holds the target where raw says. The version is what follows it.
const ProtocolError* read_request_line(const RawHead& raw, const CodecLimits& limits, RequestHead& head) {
  const std::string_view text(raw.text, raw.size);
  const std::size_t end = raw.target_at + raw.target_size;
  if (raw.target_at != raw.method.size() + 1) {
    return &kRequestLine;
  }
  const std::string_view rest = text.substr(end);
  if (rest.starts_with(" HTTP/1.1\r\n")) {
    head.protocol = Protocol::http11;
    return nullptr;
  }
  if (rest.starts_with(" HTTP/1.0\r\n")) {
    head.protocol = Protocol::http10;
    return limits.accept_http_10 ? nullptr : &kVersion;
  }
  return rest.starts_with(" HTTP/") || rest.starts_with("\r\n") ? &kVersion : &kRequestLine;
}

const ProtocolError* read_request_framing(const RawHead& raw, const CodecLimits& limits, const HopByHop& hop,
                                          const RequestHead& head, Framing& framing) {
  if (hop.codings > 0) {
    if (hop.lengths > 0) {
      return &kLengthAndCoding;
    }
    if (!hop.coding_is_chunked || !raw.llhttp_chunked) {
      return &kCoding;
    }
    if (head.protocol == Protocol::http10) {
      return &kOldCoding;
    }
    framing.body.kind = BodyLength::Kind::chunked;
  } else if (hop.lengths > 0) {
    if (hop.lengths > 1 || !raw.has_length) {
      return &kTwoLengths;
    }
    if (limits.max_body_bytes > 0 && raw.length > limits.max_body_bytes) {
      return &kBodyTooLarge;
    }
    if (raw.length > 0) {
      framing.body = {BodyLength::Kind::known, raw.length};
    }
  }
  if (head.method_id == Method::connect && framing.body.kind != BodyLength::Kind::none) {
    return &kConnectBody;
  }
  return nullptr;
}

const ProtocolError* read_host(const HopByHop& hop, RequestHead& head) {
  if (hop.hosts > 1) {
    return &kTwoHosts;
  }
  if (hop.hosts == 0 && head.protocol == Protocol::http11) {
    return &kNoHost;
  }
  if (!is_valid_authority(hop.host)) {
    return &kBadHost;
  }
  if (!head.has_scheme && head.method_id != Method::connect) {
    head.authority = hop.host;
  }
  return nullptr;
}

}  // namespace

const ProtocolError* read_request_head(RawHead& raw, const CodecLimits& limits, RequestHead& head, Framing& framing) {
  head.method = raw.method;
  head.method_id = raw.method_id;
  if (const ProtocolError* error = read_request_line(raw, limits, head)) {
    return error;
  }
  if (raw.header_count > limits.max_headers) {
    return &kTooManyHeaders;
  }
  HopByHop hop;
  read_headers(raw, true, head.headers, hop);
  if (const ProtocolError* error = read_request_target(raw.slice(raw.target_at, raw.target_size), limits, head)) {
    return error;
  }
  if (const ProtocolError* error = read_host(hop, head)) {
    return error;
  }
  if (const ProtocolError* error = read_request_framing(raw, limits, hop, head, framing)) {
    return error;
  }
  if (hop.unknown_expectation) {
    return &kExpectation;
  }
  if (hop.nominates && !drop_nominated(raw, head.headers)) {
    return &kNominated;
  }
  const bool has_body = framing.body.kind != BodyLength::Kind::none;
  const bool http11 = head.protocol == Protocol::http11;
  framing.keep_alive = http11 ? !hop.close : hop.keep_alive && !hop.close;
  head.expects_continue = hop.expects && has_body && http11;
  if (head.method_id == Method::connect) {
    head.upgrade = http11;
    return http11 ? nullptr : &kVersion;
  }
  // A server may ignore Upgrade: we do where a body comes first, and for HTTP/2, which has a better way (RFC 9113).
  if (hop.upgrade_option && !hop.upgrade.empty() && http11 && !has_body && hop.upgrade != "h2c") {
    head.upgrade = true;
    head.upgrade_protocol = hop.upgrade;
  }
  return nullptr;
}

const ProtocolError* read_response_head(RawHead& raw, const CodecLimits& limits, Asked asked, ResponseHead& head,
                                        Framing& framing) {
  const std::string_view text(raw.text, raw.size);
  const bool http11 = text.starts_with("HTTP/1.1 ");
  if (!http11 && !text.starts_with("HTTP/1.0 ")) {
    return &kStatusLine;
  }
  head.protocol = http11 ? Protocol::http11 : Protocol::http10;
  head.status = raw.status;
  if (raw.status < 100 || raw.status > 599) {
    return &kStatusRange;
  }
  if (raw.header_count > limits.max_headers) {
    return &kTooManyHeaders;
  }
  HopByHop hop;
  read_headers(raw, false, head.headers, hop);
  if (hop.nominates && !drop_nominated(raw, head.headers)) {
    return &kNominated;
  }
  if (hop.codings > 0 && hop.lengths > 0) {
    return &kLengthAndCoding;
  }
  if (hop.lengths > 1 || (hop.lengths > 0 && !raw.has_length)) {
    return &kTwoLengths;
  }
  framing.keep_alive = http11 ? !hop.close : hop.keep_alive && !hop.close;
  if (raw.status == 101) {
    if (!asked.upgrade) {
      return &kUnasked101;
    }
    head.upgrade = true;
    head.headers.remove(HeaderId::content_length);
    return hop.codings > 0 ? &kNoCodingHere : nullptr;
  }
  head.headers.remove(HeaderId::upgrade);
  if (raw.status < 200 || raw.status == 204) {
    if (hop.codings > 0) {
      return &kNoCodingHere;
    }
    head.headers.remove(HeaderId::content_length);
    return hop.lengths > 0 && raw.length > 0 ? &kNoLengthHere : nullptr;
  }
  if (asked.connect && raw.status < 300) {  // a tunnel: what its framing says is to be ignored
    head.upgrade = true;
    head.headers.remove(HeaderId::content_length);
    return nullptr;
  }
  if (hop.codings > 0) {
    if (!hop.coding_is_chunked || !raw.llhttp_chunked) {
      return &kCoding;
    }
    if (!http11) {
      return &kOldCoding;
    }
  }
  if (asked.head || raw.status == 304) {
    return nullptr;
  }
  if (hop.codings > 0) {
    framing.body.kind = BodyLength::Kind::chunked;
  } else if (hop.lengths > 0) {
    if (raw.length > 0) {
      framing.body = {BodyLength::Kind::known, raw.length};
    }
  } else {
    framing.body.kind = BodyLength::Kind::until_close;
    framing.keep_alive = false;
  }
  return nullptr;
}

const ProtocolError* read_trailers(RawHead& raw, const CodecLimits& limits, HeaderList& trailers) {
  if (raw.header_count > limits.max_headers) {
    return &kTooManyTrailers;
  }
  for (const HeadSpan& span : raw.headers) {
    char* name = raw.text + span.name_at;
    lower_in_place(name, span.name_size);
    const Header header{
        {name, span.name_size}, trim(raw.slice(span.value_at, span.value_size)), header_id({name, span.name_size})};
    // RFC 9110 section 6.5.1: nothing that frames, routes, authenticates or sets what the head has decided.
    if (kSpecial[static_cast<std::size_t>(header.id)] || header.id == HeaderId::trailer || is_protected(header.name) ||
        header.id == HeaderId::set_cookie || header.id == HeaderId::content_type ||
        header.id == HeaderId::content_encoding) {
      continue;
    }
    trailers.add(header);
  }
  return nullptr;
}

}  // namespace remora::http
