#include "proxy/filters/request_id.h"

#include "proxy/filters/hex.h"

namespace remora::proxy {

void write_uuid_v4(Random& random, std::span<char, 36> out) {
  const std::uint64_t high = (random.next() & 0xffffffffffff0fffu) | 0x4000u;             // version 4
  const std::uint64_t low = (random.next() & 0x3fffffffffffffffu) | 0x8000000000000000u;  // variant 10
  char* at = out.data();
  at = write_hex(at, high >> 32, 4);
  *at++ = '-';
  at = write_hex(at, high >> 16, 2);
  *at++ = '-';
  at = write_hex(at, high, 2);
  *at++ = '-';
  at = write_hex(at, low >> 48, 2);
  *at++ = '-';
  write_hex(at, low, 6);
}

void assign_request_id(http::RequestHead& head, const model::HttpConnectionManager& http, bool edge_request,
                       Random& random, RequestInfo& info) {
  http::HeaderList& headers = head.headers;
  const http::Header* held = headers.find(http::HeaderId::x_request_id);
  if (!http.generate_request_id) {
    info.request_id = held == nullptr ? std::string_view{} : held->value;
    return;
  }
  const bool distrust = edge_request && !http.preserve_external_request_id;
  if (held != nullptr && !held->value.empty() && !distrust) {
    info.request_id = held->value;
    return;
  }
  auto* text = headers.arena().make_array<char>(36);
  write_uuid_v4(random, std::span<char, 36>(text, 36));
  info.request_id = {text, 36};
  headers.set(http::HeaderId::x_request_id, info.request_id);
}

void set_request_id_in_response(http::ResponseHead& head, const model::HttpConnectionManager& http,
                                const RequestInfo& info) {
  if (http.always_set_request_id_in_response && !info.request_id.empty()) {
    head.headers.set(http::HeaderId::x_request_id, info.request_id);
  }
}

}  // namespace remora::proxy
