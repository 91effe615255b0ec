// Trace headers from anywhere: whatever a client sends, what goes upstream is well-formed, and a trace is continued
// only if it was. Lines of the input are values of traceparent, tracestate, b3 and the x-b3 headers, in turn.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/filters/request_id.h"
#include "proxy/filters/tracing.h"

namespace {

using namespace remora;
using namespace remora::proxy;
using http::HeaderId;

constexpr std::array kIds = {HeaderId::traceparent,  HeaderId::tracestate,  HeaderId::b3,
                             HeaderId::x_b3_traceid, HeaderId::x_b3_spanid, HeaderId::x_b3_sampled,
                             HeaderId::x_b3_flags,   HeaderId::x_request_id};

void check(bool good) {
  if (!good) {
    std::abort();
  }
}

std::size_t count(const http::HeaderList& headers, HeaderId id) {
  std::size_t count = 0;
  for (const http::Header& header : headers.all()) {
    count += header.id == id ? 1 : 0;
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const auto begin : {model::Tracing::Begin::w3c, model::Tracing::Begin::b3, model::Tracing::Begin::b3_multi}) {
    BlockPool pool;
    Arena arena(pool);
    http::RequestHead head(arena);
    std::string_view rest = input;
    for (std::size_t i = 0; !rest.empty() && i < 32; ++i) {
      const std::size_t line = std::min(rest.find('\n'), rest.size());
      if (line > 0) {
        head.headers.add(kIds[i % kIds.size()], rest.substr(0, line));
      }
      rest.remove_prefix(std::min(line + 1, rest.size()));
    }
    model::Tracing tracing;
    tracing.begin = begin;
    Random random(size);
    RequestInfo info;
    continue_or_begin_trace(head, &tracing, random, info);
    const auto& headers = head.headers;
    for (const HeaderId id : {HeaderId::traceparent, HeaderId::b3, HeaderId::x_b3_traceid, HeaderId::x_b3_spanid}) {
      check(count(headers, id) <= 1);
    }
    const auto* w3c = headers.find(HeaderId::traceparent);
    check(w3c == nullptr || (parse_traceparent(w3c->value) && w3c->value.size() == 55));
    const auto* b3 = headers.find(HeaderId::b3);
    check(b3 == nullptr || parse_b3(b3->value));
    check(w3c != nullptr || headers.find(HeaderId::tracestate) == nullptr);
    check((headers.find(HeaderId::x_b3_traceid) == nullptr) == (headers.find(HeaderId::x_b3_spanid) == nullptr));
    check(info.trace_id.size() == 32 || info.trace_id.size() == 16);
    assign_request_id(head, model::HttpConnectionManager{}, true, random, info);
    check(info.request_id.size() == 36);
  }
  return 0;
}
