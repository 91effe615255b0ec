#include "proxy/filters/tracing.h"

#include <cstring>

#include "proxy/filters/hex.h"

namespace remora::proxy {
namespace {

using http::HeaderId;

constexpr std::size_t kTraceParentSize = 55;  // 00-<32>-<16>-<2>
constexpr std::uint8_t kSampled = 0x01;

bool is_id(std::string_view text) { return is_lower_hex(text) && !is_all_zeros(text); }
bool is_b3_trace_id(std::string_view text) { return (text.size() == 16 || text.size() == 32) && is_id(text); }

std::uint64_t nonzero(Random& random) {
  std::uint64_t value = random.next();
  while (value == 0) {
    value = random.next();
  }
  return value;
}

std::string_view new_span_id(Random& random, Arena& arena) {
  auto* text = arena.make_array<char>(16);
  write_hex(text, nonzero(random), 8);
  return {text, 16};
}

std::string_view new_trace_id(Random& random, Arena& arena) {
  auto* text = arena.make_array<char>(32);
  write_hex(write_hex(text, random.next(), 8), nonzero(random), 8);
  return {text, 32};
}

std::string_view make_traceparent(std::string_view trace_id, std::string_view span_id, std::uint8_t flags,
                                  Arena& arena) {
  auto* text = arena.make_array<char>(kTraceParentSize);
  text[0] = text[1] = '0';  // the version that we speak
  text[2] = '-';
  std::memcpy(text + 3, trace_id.data(), 32);
  text[35] = '-';
  std::memcpy(text + 36, span_id.data(), 16);
  text[52] = '-';
  write_hex(text + 53, flags, 1);
  return {text, kTraceParentSize};
}

bool is_b3_multi(HeaderId id) {
  return id == HeaderId::x_b3_traceid || id == HeaderId::x_b3_spanid || id == HeaderId::x_b3_parentspanid ||
         id == HeaderId::x_b3_sampled || id == HeaderId::x_b3_flags;
}

// Which trace headers a request has, found in one pass: most have one kind or none.
struct Found {
  http::Header* traceparent = nullptr;
  http::Header* b3 = nullptr;
  http::Header* b3_trace_id = nullptr;
  http::Header* b3_span_id = nullptr;
  bool w3c = false;  // traceparent or tracestate
  bool b3_multi = false;
  bool twice = false;  // some header that may be there once

  explicit Found(http::HeaderList& headers) {
    for (http::Header& header : headers.all()) {
      switch (header.id) {
        case HeaderId::traceparent:
          w3c = true;
          take(traceparent, header);
          break;
        case HeaderId::tracestate:
          w3c = true;
          break;
        case HeaderId::b3:
          take(b3, header);
          break;
        case HeaderId::x_b3_traceid:
          b3_multi = true;
          take(b3_trace_id, header);
          break;
        case HeaderId::x_b3_spanid:
          b3_multi = true;
          take(b3_span_id, header);
          break;
        default:
          b3_multi = b3_multi || is_b3_multi(header.id);
      }
    }
  }

 private:
  void take(http::Header*& slot, http::Header& header) {
    twice = twice || slot != nullptr;
    slot = &header;
  }
};

// What is known of the trace while its headers are looked at.
struct Continuation {
  Random& random;
  Arena& arena;
  std::string_view span_id;   // the new one, the same in all formats
  std::string_view trace_id;  // of the first format that was continued
  char sampled = 0;           // a decision without ids, from B3: '0', '1', 'd'

  std::string_view span() {
    if (span_id.empty()) {
      span_id = new_span_id(random, arena);
    }
    return span_id;
  }
  void continued(std::string_view id) {
    if (trace_id.empty()) {
      trace_id = id;
    }
  }
};

bool continue_w3c(http::HeaderList& headers, const Found& found, Continuation& trace) {
  const auto parsed = found.traceparent == nullptr ? std::nullopt : parse_traceparent(found.traceparent->value);
  if (!parsed) {  // absent or malformed: then tracestate belongs to nothing
    headers.remove_if(
        [](const http::Header& h) { return h.id == HeaderId::traceparent || h.id == HeaderId::tracestate; });
    return false;
  }
  found.traceparent->value = make_traceparent(parsed->trace_id, trace.span(), parsed->flags, headers.arena());
  trace.continued(parsed->trace_id);
  return true;
}

std::string_view make_b3(std::string_view trace_id, std::string_view span_id, std::string_view parent_id, char sampled,
                         Arena& arena) {
  const std::string_view decision(&sampled, 1);
  if (sampled == 0) {
    return arena.concat(trace_id, "-", span_id);
  }
  return parent_id.empty() ? arena.concat(trace_id, "-", span_id, "-", decision)
                           : arena.concat(trace_id, "-", span_id, "-", decision, "-", parent_id);
}

bool continue_b3(http::HeaderList& headers, const Found& found, Continuation& trace) {
  const auto parsed = parse_b3(found.b3->value);
  if (!parsed) {
    headers.remove(HeaderId::b3);
    return false;
  }
  if (parsed->trace_id.empty()) {
    trace.sampled = parsed->sampled;
    return false;
  }
  found.b3->value = make_b3(parsed->trace_id, trace.span(), parsed->span_id, parsed->sampled, headers.arena());
  trace.continued(parsed->trace_id);
  return true;
}

bool continue_b3_multi(http::HeaderList& headers, const Found& found, Continuation& trace) {
  if (found.b3_trace_id != nullptr && found.b3_span_id != nullptr && is_b3_trace_id(found.b3_trace_id->value) &&
      found.b3_span_id->value.size() == 16 && is_id(found.b3_span_id->value)) {
    const std::string_view parent = found.b3_span_id->value;
    found.b3_span_id->value = trace.span();
    trace.continued(found.b3_trace_id->value);
    headers.set(HeaderId::x_b3_parentspanid, parent);
    return true;
  }
  const std::string_view sampled = headers.value(HeaderId::x_b3_sampled);
  if (headers.value(HeaderId::x_b3_flags) == "1") {
    trace.sampled = 'd';
  } else if (sampled == "0" || sampled == "1" || sampled == "true" || sampled == "false") {
    trace.sampled = sampled == "1" || sampled == "true" ? '1' : '0';
  }
  headers.remove_if([](const http::Header& h) { return is_b3_multi(h.id); });
  return false;
}

// A header that is there twice says two things: none of the traces it might mean is continued.
void drop_all(http::HeaderList& headers) {
  headers.remove_if([](const http::Header& h) {
    return h.id == HeaderId::traceparent || h.id == HeaderId::tracestate || h.id == HeaderId::b3 || is_b3_multi(h.id);
  });
}

bool continue_all(http::HeaderList& headers, Continuation& trace) {
  Found found(headers);
  if (found.twice) {
    drop_all(headers);
    return false;
  }
  // What is removed moves what stands behind it, so look again after a removal.
  bool continued = false;
  if (found.w3c) {
    continued = continue_w3c(headers, found, trace);
    if (!continued) {
      found = Found(headers);
    }
  }
  if (found.b3 != nullptr) {
    if (continue_b3(headers, found, trace)) {
      continued = true;
    } else {
      found = Found(headers);
    }
  }
  if (found.b3_multi) {
    continued = continue_b3_multi(headers, found, trace) || continued;
  }
  return continued;
}

bool chance(double percent, Random& random) {
  return percent >= 100.0 || (percent > 0.0 && static_cast<double>(random.below(1'000'000)) < percent * 10'000.0);
}

// Whether a trace that begins here is sampled: a client that names its trace is asked about first, then chance; the
// overall limit holds for all.
bool decide(const http::HeaderList& headers, const model::Tracing& tracing, Random& random) {
  const bool wanted = headers.find(HeaderId::x_client_trace_id) != nullptr && chance(tracing.client_sampling, random);
  return (wanted || chance(tracing.random_sampling, random)) && chance(tracing.overall_sampling, random);
}

void begin(http::HeaderList& headers, const model::Tracing& tracing, Continuation& trace) {
  const bool sampled = trace.sampled != 0 ? trace.sampled != '0' : decide(headers, tracing, trace.random);
  Arena& arena = headers.arena();
  const std::string_view trace_id = new_trace_id(trace.random, arena);
  if (trace.sampled != 0) {
    headers.remove(HeaderId::b3);  // a decision without ids has been taken up
  }
  switch (tracing.begin) {
    case model::Tracing::Begin::w3c:
      headers.add(HeaderId::traceparent, make_traceparent(trace_id, trace.span(), sampled ? kSampled : 0, arena));
      break;
    case model::Tracing::Begin::b3:
      headers.set(HeaderId::b3,
                  make_b3(trace_id, trace.span(), {}, trace.sampled == 'd' ? 'd' : (sampled ? '1' : '0'), arena));
      break;
    case model::Tracing::Begin::b3_multi:
      headers.set(HeaderId::x_b3_traceid, trace_id);
      headers.set(HeaderId::x_b3_spanid, trace.span());
      if (trace.sampled == 'd') {
        headers.set(HeaderId::x_b3_flags, "1");
      } else {
        headers.set(HeaderId::x_b3_sampled, sampled ? "1" : "0");
      }
      break;
  }
  trace.continued(trace_id);
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view value) {
  if (value.size() < kTraceParentSize || value[2] != '-' || value[35] != '-' || value[52] != '-') {
    return std::nullopt;
  }
  const std::string_view version = value.substr(0, 2);
  if (!is_lower_hex(version) || version == "ff") {
    return std::nullopt;
  }
  const bool known = version == "00";
  if (value.size() > kTraceParentSize && (known || value[kTraceParentSize] != '-')) {
    return std::nullopt;  // later versions may add fields, but only behind a dash
  }
  const TraceParent parsed{value.substr(3, 32), value.substr(36, 16), 0};
  const std::string_view flags = value.substr(53, 2);
  if (!is_id(parsed.trace_id) || !is_id(parsed.parent_id) || !is_lower_hex(flags)) {
    return std::nullopt;
  }
  const auto bits = static_cast<std::uint8_t>(hex_digit(flags[0]) * 16 + hex_digit(flags[1]));
  return TraceParent{parsed.trace_id, parsed.parent_id, static_cast<std::uint8_t>(bits & kSampled)};
}

std::optional<B3Context> parse_b3(std::string_view value) {
  B3Context context;
  const auto is_decision = [](std::string_view text) { return text == "0" || text == "1" || text == "d"; };
  if (is_decision(value)) {
    context.sampled = value[0];
    return context;
  }
  const std::size_t first = value.find('-');
  if (first == std::string_view::npos || !is_b3_trace_id(value.substr(0, first))) {
    return std::nullopt;
  }
  context.trace_id = value.substr(0, first);
  value.remove_prefix(first + 1);
  context.span_id = value.substr(0, 16);
  if (context.span_id.size() != 16 || !is_id(context.span_id)) {
    return std::nullopt;
  }
  value.remove_prefix(16);
  if (value.empty()) {
    return context;
  }
  if (value.size() < 2 || value[0] != '-' || !is_decision(value.substr(1, 1))) {
    return std::nullopt;
  }
  context.sampled = value[1];
  value.remove_prefix(2);
  if (value.empty()) {
    return context;
  }
  if (value.size() != 17 || value[0] != '-' || !is_id(value.substr(1))) {
    return std::nullopt;
  }
  context.parent_id = value.substr(1);
  return context;
}

void continue_or_begin_trace(http::RequestHead& head, const model::Tracing* tracing, Random& random,
                             RequestInfo& info) {
  http::HeaderList& headers = head.headers;
  if (tracing == nullptr) {
    if (const http::Header* header = headers.find(HeaderId::traceparent); header != nullptr) {
      const auto parsed = parse_traceparent(header->value);
      info.trace_id = parsed ? parsed->trace_id : std::string_view{};
    }
    return;
  }
  Continuation trace{random, headers.arena(), {}, {}, 0};
  if (!continue_all(headers, trace)) {
    begin(headers, *tracing, trace);
  }
  info.trace_id = trace.trace_id;
}

}  // namespace remora::proxy
