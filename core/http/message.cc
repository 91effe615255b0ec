#include "core/http/message.h"

#include <algorithm>
#include <array>

namespace remora::http {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(HeaderId::count_)> kHeaderNames = {
    "",
    "accept",
    "accept-encoding",
    "accept-language",
    "age",
    "authorization",
    "b3",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "forwarded",
    "grpc-status",
    "host",
    "if-none-match",
    "keep-alive",
    "last-modified",
    "location",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "server",
    "set-cookie",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "x-b3-flags",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-client-trace-id",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-max-retries",
    "x-envoy-original-path",
    "x-envoy-overloaded",
    "x-envoy-retry-on",
    "x-envoy-retriable-status-codes",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-service-time",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-remora-reason",
    "x-request-id",
};

// A closed hash table of the known names, made by the compiler. The hash reads length, first, middle and last byte.
constexpr std::size_t kSlots = 512;

constexpr std::size_t slot_of(std::string_view name) {
  const std::size_t size = name.size();
  std::size_t h = size * 0x9e3779b1u;
  h ^= static_cast<unsigned char>(name[0]) * 0x85ebca6bu;
  h ^= static_cast<unsigned char>(name[size / 2]) * 0xc2b2ae35u;
  h ^= static_cast<unsigned char>(name[size - 1]) * 0x27d4eb2fu;
  return (h ^ (h >> 13)) % kSlots;
}

constexpr auto make_table() {
  std::array<std::uint8_t, kSlots> table{};
  for (std::size_t id = 1; id < kHeaderNames.size(); ++id) {
    std::size_t slot = slot_of(kHeaderNames[id]);
    while (table[slot] != 0) {
      slot = (slot + 1) % kSlots;
    }
    table[slot] = static_cast<std::uint8_t>(id);
  }
  return table;
}

constexpr auto kTable = make_table();

}  // namespace

HeaderId header_id(std::string_view name) {
  if (name.empty()) {
    return HeaderId::other;
  }
  for (std::size_t slot = slot_of(name); kTable[slot] != 0; slot = (slot + 1) % kSlots) {
    if (kHeaderNames[kTable[slot]] == name) {
      return static_cast<HeaderId>(kTable[slot]);
    }
  }
  return HeaderId::other;
}

std::string_view header_name(HeaderId id) { return kHeaderNames[static_cast<std::size_t>(id)]; }

void HeaderList::reserve(std::size_t count) {
  if (count <= capacity_) {
    return;
  }
  auto* data = arena_->make_array<Header>(count);
  std::copy_n(data_, size_, data);
  data_ = data;
  capacity_ = static_cast<std::uint32_t>(count);
}

void HeaderList::add_copy(std::string_view name, std::string_view value) {
  const HeaderId id = header_id(name);
  push({id == HeaderId::other ? arena_->copy(name) : header_name(id), arena_->copy(value), id});
}

const Header* HeaderList::find(std::string_view name) const {
  const HeaderId id = header_id(name);
  if (id != HeaderId::other) {
    return find(id);
  }
  for (const Header& header : all()) {
    if (header.id == HeaderId::other && header.name == name) {
      return &header;
    }
  }
  return nullptr;
}

std::string_view HeaderList::joined(std::string_view name) const {
  std::size_t count = 0;
  std::size_t size = 0;
  std::string_view first;
  for (const Header& header : all()) {
    if (header.name == name) {
      if (count++ == 0) {
        first = header.value;
      }
      size += header.value.size() + 1;
    }
  }
  if (count <= 1) {
    return first;
  }
  char* to = arena_->make_array<char>(size);
  char* at = to;
  for (const Header& header : all()) {
    if (header.name == name) {
      at = std::copy(header.value.begin(), header.value.end(), at);
      *at++ = ',';
    }
  }
  return {to, size - 1};
}

void HeaderList::set(HeaderId id, std::string_view value) {
  Header* first = find(id);
  if (first == nullptr) {
    add(id, value);
    return;
  }
  first->value = value;
  bool seen = false;
  remove_if([&](const Header& header) { return header.id == id && std::exchange(seen, true); });
}

void HeaderList::set(std::string_view name, std::string_view value) {
  const HeaderId id = header_id(name);
  if (id != HeaderId::other) {
    set(id, value);
    return;
  }
  Header* first = find(name);
  if (first == nullptr) {
    add(name, value);
    return;
  }
  first->value = value;
  bool seen = false;
  remove_if([&](const Header& header) { return header.name == name && std::exchange(seen, true); });
}

void HeaderList::append(HeaderId id, std::string_view value, std::string_view separator) {
  const std::string_view before = joined(header_name(id));
  set(id, before.empty() ? value : arena_->concat(before, separator, value));
}

std::size_t HeaderList::remove(HeaderId id) {
  return remove_if([id](const Header& header) { return header.id == id; });
}

std::size_t HeaderList::remove(std::string_view name) {
  return remove_if([name](const Header& header) { return header.name == name; });
}

Method method_id(std::string_view method) {
  switch (method.size()) {
    case 3:
      return method == "GET" ? Method::get : method == "PUT" ? Method::put : Method::other;
    case 4:
      return method == "POST" ? Method::post : method == "HEAD" ? Method::head : Method::other;
    case 5:
      return method == "PATCH" ? Method::patch : method == "TRACE" ? Method::trace : Method::other;
    case 6:
      return method == "DELETE" ? Method::del : Method::other;
    case 7:
      return method == "CONNECT" ? Method::connect : method == "OPTIONS" ? Method::options : Method::other;
    default:
      return Method::other;
  }
}

bool is_idempotent(Method method) {
  switch (method) {
    case Method::get:
    case Method::head:
    case Method::put:
    case Method::del:
    case Method::options:
    case Method::trace:
      return true;
    default:
      return false;
  }
}

}  // namespace remora::http
