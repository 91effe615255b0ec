// HTTP messages as both codecs and everything above them see them: heads whose names are lower case and whose text
// lives in an Arena. No I/O, no protocol version. Sources: RFC 9110 section 6, RFC 9113 section 8.3 (pseudo-headers).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/arena.h"

namespace remora::http {

// Header names that some code of ours looks for, so that a look-up compares a byte. `other` is every other name.
// kept in step with kHeaderNames in message.cc.
enum class HeaderId : std::uint8_t {
  other,
  accept,
  accept_encoding,
  accept_language,
  age,
  authorization,
  b3,
  cache_control,
  connection,
  content_encoding,
  content_length,
  content_type,
  cookie,
  date,
  etag,
  expect,
  forwarded,
  grpc_status,
  host,
  if_none_match,
  keep_alive,
  last_modified,
  location,
  proxy_authenticate,
  proxy_authorization,
  proxy_connection,
  referer,
  server,
  set_cookie,
  te,
  traceparent,
  tracestate,
  trailer,
  transfer_encoding,
  upgrade,
  user_agent,
  vary,
  via,
  x_b3_flags,
  x_b3_parentspanid,
  x_b3_sampled,
  x_b3_spanid,
  x_b3_traceid,
  x_client_trace_id,
  x_envoy_attempt_count,
  x_envoy_decorator_operation,
  x_envoy_expected_rq_timeout_ms,
  x_envoy_external_address,
  x_envoy_internal,
  x_envoy_max_retries,
  x_envoy_original_path,
  x_envoy_overloaded,
  x_envoy_retry_on,
  x_envoy_retriable_status_codes,
  x_envoy_upstream_rq_per_try_timeout_ms,
  x_envoy_upstream_rq_timeout_alt_response,
  x_envoy_upstream_rq_timeout_ms,
  x_envoy_upstream_service_time,
  x_forwarded_client_cert,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_port,
  x_forwarded_proto,
  x_remora_reason,
  x_request_id,
  count_,
};

HeaderId header_id(std::string_view lower_case_name);
std::string_view header_name(HeaderId id);  // empty for `other`

struct Header {
  std::string_view name;  // lower case
  std::string_view value;
  HeaderId id = HeaderId::other;
};

// An ordered list of headers. The text that it names lives elsewhere: in the arena, in a Snapshot that the exchange
// pins, or in static memory.
class HeaderList {
 public:
  explicit HeaderList(Arena& arena) : arena_(&arena) {}

  std::span<const Header> all() const { return {data_, size_}; }
  std::span<Header> all() { return {data_, size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void reserve(std::size_t count);

  // `name` is lower case. These do not copy the text; `add_copy` and `set_copy` do.
  void add(HeaderId id, std::string_view value) { push({header_name(id), value, id}); }
  void add(std::string_view name, std::string_view value) { push({name, value, header_id(name)}); }
  void add(const Header& header) { push(header); }
  void add_copy(std::string_view name, std::string_view value);

  const Header* find(HeaderId id) const {
    for (const Header& header : all()) {
      if (header.id == id) {
        return &header;
      }
    }
    return nullptr;
  }
  const Header* find(std::string_view name) const;
  Header* find(HeaderId id) { return const_cast<Header*>(std::as_const(*this).find(id)); }
  Header* find(std::string_view name) { return const_cast<Header*>(std::as_const(*this).find(name)); }
  std::string_view value(HeaderId id) const {  // of the first; empty when absent
    const Header* header = find(id);
    return header == nullptr ? std::string_view{} : header->value;
  }
  // Does any header of that name satisfy `predicate(value)`?
  template <typename Predicate>
  bool any_value(std::string_view name, Predicate&& predicate) const {
    for (const Header& header : all()) {
      if (header.name == name && predicate(header.value)) {
        return true;
      }
    }
    return false;
  }
  // All values of `name` joined with "," as Envoy's header matchers see them; arena memory when there are several.
  std::string_view joined(std::string_view name) const;

  void set(HeaderId id, std::string_view value);  // replaces all of that name, in the place of the first
  void set(std::string_view name, std::string_view value);
  // One line of all values of that name, joined with ",", and `value` behind `separator`, as Envoy's inline headers do.
  // An empty list becomes `value` alone.
  void append(HeaderId id, std::string_view value, std::string_view separator);
  std::size_t remove(HeaderId id);
  std::size_t remove(std::string_view name);
  template <typename Predicate>
  std::size_t remove_if(Predicate&& predicate) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      if (!predicate(std::as_const(data_[i]))) {
        data_[kept++] = data_[i];
      }
    }
    const std::size_t removed = size_ - kept;
    size_ = static_cast<std::uint32_t>(kept);
    return removed;
  }

  Arena& arena() const { return *arena_; }

 private:
  void push(const Header& header) {
    if (size_ == capacity_) {
      reserve(size_ == 0 ? 24 : size_ * 2);
    }
    data_[size_++] = header;
  }

  Arena* arena_;
  Header* data_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

enum class Protocol : std::uint8_t { http10, http11, http2 };

// "GET" and its kin as an id; `other` needs RequestHead::method.
enum class Method : std::uint8_t { other, get, head, post, put, del, connect, options, trace, patch };
Method method_id(std::string_view method);
bool is_idempotent(Method method);  // RFC 9110 section 9.2.2

struct RequestHead {
  explicit RequestHead(Arena& arena) : headers(arena) {}

  Method method_id = Method::other;
  Protocol protocol = Protocol::http11;
  bool has_scheme = false;  // absolute-form, or HTTP/2
  bool upgrade = false;     // asks for `upgrade_protocol` (or CONNECT): on success the rest is a tunnel
  bool expects_continue = false;
  std::string_view method;
  std::string_view scheme;            // as the client said it; empty when it did not
  std::string_view authority;         // the Host header, or what absolute-form or :authority says instead
  std::string_view path;              // origin-form with its query, "*", or empty for CONNECT
  std::string_view upgrade_protocol;  // lower case
  HeaderList headers;                 // without Host, framing and hop-by-hop headers
};

struct ResponseHead {
  explicit ResponseHead(Arena& arena) : headers(arena) {}

  int status = 0;
  Protocol protocol = Protocol::http11;
  bool upgrade = false;  // 101, or 2xx to CONNECT: a tunnel follows
  HeaderList headers;    // without framing and hop-by-hop headers, but with content-length when it is known
};

// How long the body is, where the head says so.
struct BodyLength {
  enum class Kind : std::uint8_t { none, known, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;  // when `known`
};

}  // namespace remora::http
