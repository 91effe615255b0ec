#include "proxy/filters/formatter.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "proxy/filters/start_time.h"

namespace remora::proxy {
namespace {

using model::FormatOp;
using model::FormatPart;

FormatValue missing() { return {}; }
FormatValue text(std::string_view value) { return {value, true, false}; }
FormatValue text_or_missing(std::string_view value) { return value.empty() ? missing() : text(value); }

FormatValue number(std::int64_t value, FormatScratch& scratch) {
  const auto end = std::to_chars(scratch.data(), scratch.data() + scratch.size(), value).ptr;
  return {{scratch.data(), static_cast<std::size_t>(end - scratch.data())}, true, true};
}

// Whole milliseconds from `from` to `to`, when both happened.
FormatValue milliseconds(MonotonicTime from, MonotonicTime to, FormatScratch& scratch) {
  if (from == MonotonicTime{} || to == MonotonicTime{}) {
    return missing();
  }
  return number(std::chrono::duration_cast<Milliseconds>(to - from).count(), scratch);
}

// Until the end, or, for headers, until the last thing that happened.
FormatValue duration_so_far(const RequestInfo& info, FormatScratch& scratch) {
  MonotonicTime until = info.end;
  if (until == MonotonicTime{}) {
    until = std::max({info.start, info.request_end, info.upstream_begin, info.upstream_sent, info.response_begin,
                      info.response_end});
  }
  return number(std::chrono::duration_cast<Milliseconds>(until - info.start).count(), scratch);
}

std::optional<std::string_view> find(const http::HeaderList& headers, std::string_view name) {
  const http::Header* header = headers.find(name);
  return header == nullptr ? std::nullopt : std::optional(header->value);
}

std::optional<std::string_view> request_header(const http::RequestHead* head, std::string_view name) {
  if (head == nullptr || name.empty()) {
    return std::nullopt;
  }
  const auto field = [](std::string_view value) { return value.empty() ? std::nullopt : std::optional(value); };
  if (name[0] == ':') {
    return name == ":method"      ? field(head->method)
           : name == ":path"      ? field(head->path)
           : name == ":authority" ? field(head->authority)
           : name == ":scheme"    ? field(head->scheme.empty() ? std::string_view("http") : head->scheme)
                                  : std::nullopt;
  }
  return name == "host" ? field(head->authority) : find(head->headers, name);
}

FormatValue request_value(const FormatPart& part, const RequestInfo& info) {
  auto value = request_header(info.request, part.text);
  if (!value) {
    value = request_header(info.request, part.alternative);
  }
  return value ? text(*value) : missing();
}

FormatValue response_value(const FormatPart& part, const RequestInfo& info, FormatScratch& scratch) {
  if (info.response == nullptr) {
    return missing();
  }
  for (const std::string* name : {&part.text, &part.alternative}) {
    if (*name == ":status") {
      FormatValue status = number(info.response->status, scratch);
      status.number = false;
      return status;
    }
    if (const auto value = find(info.response->headers, *name)) {
      return text(*value);
    }
  }
  return missing();
}

FormatValue trailer_value(const FormatPart& part, const RequestInfo& info) {
  if (info.response_trailers == nullptr) {
    return missing();
  }
  for (const std::string* name : {&part.text, &part.alternative}) {
    if (const auto value = find(*info.response_trailers, *name)) {
      return text(*value);
    }
  }
  return missing();
}

// Words with '_' for blanks, as Envoy prints details, so that a log line splits at blanks.
FormatValue unspaced(std::string_view value, FormatScratch& scratch) {
  if (value.find(' ') == std::string_view::npos) {
    return text_or_missing(value);
  }
  const std::size_t size = std::min(value.size(), scratch.size());
  std::replace_copy(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(size), scratch.begin(), ' ', '_');
  return text({scratch.data(), size});
}

FormatValue flags_value(ResponseFlags flags, bool long_names, FormatScratch& scratch) {
  std::size_t size = 0;
  const auto append = [&](std::string_view word) {
    const std::size_t count = std::min(word.size(), scratch.size() - size);
    std::memcpy(scratch.data() + size, word.data(), count);
    size += count;
  };
  for (const FlagName& name : kFlagNames) {
    if ((flags & name.bit) != 0) {
      append(size == 0 ? "" : ",");
      append(long_names ? name.long_name : name.short_name);
    }
  }
  return text(size == 0 ? std::string_view("-") : std::string_view(scratch.data(), size));
}

// "10.0.0.1:80" → "10.0.0.1", "[::1]:80" → "::1", "/run/x" stays.
std::string_view without_port(std::string_view address) {
  if (address.starts_with('[')) {
    return address.substr(1, std::min(address.find(']'), address.size()) - 1);
  }
  return address.starts_with('/') || address.starts_with('@') ? address : address.substr(0, address.rfind(':'));
}

// The client's address is what x-forwarded-for said: then its port is not known, and Envoy says 0.
bool is_forwarded(const RequestInfo& info) {
  return !info.downstream_remote_ip.empty() &&
         (info.connection == nullptr || info.downstream_remote_ip != info.connection->remote_ip);
}

FormatValue downstream_remote(const RequestInfo& info, FormatScratch& scratch) {
  if (!is_forwarded(info)) {
    return info.connection == nullptr ? missing() : text_or_missing(info.connection->remote_text);
  }
  const std::string_view ip = info.downstream_remote_ip.substr(0, 64);
  const bool v6 = ip.find(':') != std::string_view::npos;
  char* at = scratch.data();
  for (const std::string_view piece : {std::string_view(v6 ? "[" : ""), ip, std::string_view(v6 ? "]:0" : ":0")}) {
    at = std::copy(piece.begin(), piece.end(), at);
  }
  return text({scratch.data(), static_cast<std::size_t>(at - scratch.data())});
}

FormatValue connection_value(FormatOp op, const RequestInfo& info, FormatScratch& scratch) {
  const ConnectionFacts* connection = info.connection;
  if (op == FormatOp::downstream_remote_address) {
    return downstream_remote(info, scratch);
  }
  if (op == FormatOp::downstream_remote_address_without_port && is_forwarded(info)) {
    return text(info.downstream_remote_ip);
  }
  if (op == FormatOp::downstream_remote_port && is_forwarded(info)) {
    return number(0, scratch);
  }
  if (connection == nullptr) {
    return missing();
  }
  switch (op) {
    case FormatOp::downstream_direct_remote_address:
      return text_or_missing(connection->remote_text);
    case FormatOp::downstream_remote_address_without_port:
    case FormatOp::downstream_direct_remote_address_without_port:
      return text_or_missing(connection->remote_ip);
    case FormatOp::downstream_remote_port:
    case FormatOp::downstream_direct_remote_port:
      return number(connection->remote.port(), scratch);
    case FormatOp::downstream_local_address:
      return text_or_missing(connection->local_text);
    case FormatOp::downstream_local_address_without_port:
      return text_or_missing(without_port(connection->local_text));
    case FormatOp::downstream_local_port:
      return number(connection->local.port(), scratch);
    default:
      return number(static_cast<std::int64_t>(connection->id), scratch);
  }
}

FormatValue protocol_value(http::Protocol protocol) {
  switch (protocol) {
    case http::Protocol::http10:
      return text("HTTP/1.0");
    case http::Protocol::http11:
      return text("HTTP/1.1");
    case http::Protocol::http2:
      return text("HTTP/2");
  }
  return missing();
}

std::string_view cluster_label(const model::Cluster& cluster) {
  return cluster.alt_stat_name.empty() ? cluster.name : cluster.alt_stat_name;
}

std::string read_hostname() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

FormatValue hostname() {
  static const std::string name = read_hostname();  // a fact of the machine, asked for once
  return text_or_missing(name);
}

FormatValue environment(const std::string& name) {
  const char* value = ::secure_getenv(name.c_str());
  return text(value == nullptr ? "-" : value);  // Envoy's "-" even in headers: it reads the variable when it loads
}

FormatValue value_of(const FormatPart& part, const RequestInfo& info, FormatScratch& scratch) {
  switch (part.op) {
    case FormatOp::literal:
      return text(part.text);
    case FormatOp::req:
      return request_value(part, info);
    case FormatOp::resp:
      return response_value(part, info, scratch);
    case FormatOp::trailer:
      return trailer_value(part, info);
    case FormatOp::start_time:
      return text(format_time(info.start_wall, part.text, scratch));
    case FormatOp::protocol:
      return info.tunnel ? missing() : protocol_value(info.protocol);
    case FormatOp::response_code:
      return number(info.response_code, scratch);
    case FormatOp::response_code_details:
      return part.text == "ALLOW_WHITESPACES" ? text_or_missing(info.response_code_details)
                                              : unspaced(info.response_code_details, scratch);
    case FormatOp::response_flags:
    case FormatOp::response_flags_long:
      return flags_value(info.flags, part.op == FormatOp::response_flags_long, scratch);
    case FormatOp::bytes_received:
      return number(static_cast<std::int64_t>(info.bytes_received), scratch);
    case FormatOp::bytes_sent:
      return number(static_cast<std::int64_t>(info.bytes_sent), scratch);
    case FormatOp::duration:
      return duration_so_far(info, scratch);
    case FormatOp::request_duration:
      return milliseconds(info.start, info.request_end, scratch);
    case FormatOp::request_tx_duration:
      return milliseconds(info.start, info.upstream_sent, scratch);
    case FormatOp::response_duration:
      return milliseconds(info.start, info.response_begin, scratch);
    case FormatOp::response_tx_duration:
      return milliseconds(info.response_begin, info.end, scratch);
    case FormatOp::upstream_host:
      return text_or_missing(info.upstream_host_text);
    case FormatOp::upstream_cluster:
      return info.cluster == nullptr ? missing() : text_or_missing(cluster_label(*info.cluster));
    case FormatOp::upstream_local_address:
      return text_or_missing(info.upstream_local_text);
    case FormatOp::upstream_transport_failure_reason:
      return unspaced(info.upstream_failure, scratch);
    case FormatOp::upstream_request_attempt_count:
      return number(info.attempts, scratch);
    case FormatOp::downstream_remote_address:
    case FormatOp::downstream_remote_address_without_port:
    case FormatOp::downstream_remote_port:
    case FormatOp::downstream_direct_remote_address:
    case FormatOp::downstream_direct_remote_address_without_port:
    case FormatOp::downstream_direct_remote_port:
    case FormatOp::downstream_local_address:
    case FormatOp::downstream_local_address_without_port:
    case FormatOp::downstream_local_port:
    case FormatOp::connection_id:
      return connection_value(part.op, info, scratch);
    case FormatOp::route_name:
      return info.route == nullptr ? missing() : text_or_missing(info.route->name);
    case FormatOp::hostname:
      return hostname();
    case FormatOp::trace_id:
      return text_or_missing(info.trace_id);
    case FormatOp::stream_id:
      return text_or_missing(info.request_id);
    case FormatOp::environment:
      return environment(part.text);
    case FormatOp::remora_own_duration:
      return number(std::chrono::duration_cast<Microseconds>(info.own).count(), scratch);
    case FormatOp::remora_reason:
      return text_or_missing(info.reason);
    case FormatOp::connection_termination_details:
      return text_or_missing(info.connection_termination);
    case FormatOp::virtual_cluster_name:  // what we have no facts for yet
    case FormatOp::requested_server_name:
    case FormatOp::request_method_path:
      return missing();
  }
  return missing();
}

void cut(FormatValue& value, const FormatPart& part) {
  if (part.max_length && value.text.size() > *part.max_length) {
    value.text = value.text.substr(0, *part.max_length);
  }
}

// True when evaluating `op` yields text that lives in the exchange or the configuration, never in the scratch.
bool is_stored(FormatOp op) { return op == FormatOp::literal || op == FormatOp::req || op == FormatOp::protocol; }

}  // namespace

FormatValue evaluate(const FormatPart& part, const RequestInfo& info, FormatScratch& scratch) {
  FormatValue value = value_of(part, info, scratch);
  cut(value, part);
  return value;
}

void append_format(std::string& out, const model::Format& format, const RequestInfo& info, Missing missing) {
  FormatScratch scratch;
  for (const FormatPart& part : format.parts()) {
    if (part.op == FormatOp::literal) {
      out.append(part.text);
      continue;
    }
    const FormatValue value = evaluate(part, info, scratch);
    if (value.present) {
      out.append(value.text);
    } else if (missing == Missing::dash) {
      out.push_back('-');
    }
  }
}

std::string_view format_header(const model::Format& format, const RequestInfo& info, Arena& arena) {
  const auto& parts = format.parts();
  if (parts.empty()) {
    return {};
  }
  FormatScratch scratch;
  if (parts.size() == 1) {
    const FormatValue value = evaluate(parts[0], info, scratch);
    return is_stored(parts[0].op) ? value.text : arena.copy(value.text);
  }
  std::array<char, 1024> room;
  std::size_t size = 0;
  for (const FormatPart& part : parts) {
    const FormatValue value = evaluate(part, info, scratch);
    if (value.text.size() > room.size() - size) {  // rare: once more, into memory that grows
      std::string text;
      append_format(text, format, info, Missing::nothing);
      return arena.copy(text);
    }
    std::copy(value.text.begin(), value.text.end(), room.begin() + static_cast<std::ptrdiff_t>(size));
    size += value.text.size();
  }
  return arena.copy({room.data(), size});
}

}  // namespace remora::proxy
