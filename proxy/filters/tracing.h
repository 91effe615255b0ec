// Tracing: continues or begins a distributed trace in the headers of a request: W3C Trace Context, and B3 in one header
// or many. We report no spans yet, but hand on a context in which ours would be the parent of the upstream's.
// Stateless; worker thread. Sources: W3C Trace Context level 1, github.com/openzipkin/b3-propagation.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/random.h"
#include "core/http/message.h"
#include "proxy/info/request_info.h"
#include "proxy/model/listener.h"

namespace remora::proxy {

// Null `tracing`: headers pass untouched, and only RequestInfo::trace_id is filled from a traceparent that is valid.
// Otherwise each context that the request carries gets a new span id, the old one as its parent, and keeps its trace id
// and its sampling decision; a malformed one is dropped (with its tracestate), and where none is left a new trace
// begins in the format that `tracing` says. Nothing is allocated but in the head's arena.
void continue_or_begin_trace(http::RequestHead& head, const model::Tracing* tracing, Random& random, RequestInfo& info);

struct TraceParent {
  std::string_view trace_id;   // 32 hex digits
  std::string_view parent_id;  // 16
  std::uint8_t flags = 0;
};
std::optional<TraceParent> parse_traceparent(std::string_view value);

struct B3Context {
  std::string_view trace_id;  // 16 or 32 hex digits; empty: the header only decides about sampling
  std::string_view span_id;
  std::string_view parent_id;  // or empty
  char sampled = 0;            // '0', '1', 'd' (debug); 0: not decided
};
std::optional<B3Context> parse_b3(std::string_view value);

}  // namespace remora::proxy
