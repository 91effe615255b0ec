// Formats from anywhere, evaluated against exchanges from anywhere: never a crash, and what a header gets is what a log
// line says without its dashes. The first line of the input is the format, the rest are values of headers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/filters/formatter.h"

namespace {

using namespace remora;
using namespace remora::proxy;

void check(bool good) {
  if (!good) {
    std::abort();
  }
}

// JSON text must be a value whose strings hold no raw control character.
void check_json(std::string_view text) {
  check(!text.empty());
  for (const char c : text) {
    check(static_cast<unsigned char>(c) >= 0x20);
  }
  check(text.front() != '"' || (text.size() >= 2 && text.back() == '"'));
}

void evaluate_with(const model::Format& format, const RequestInfo& info, Arena& arena) {
  std::string dashed;
  append_format(dashed, format, info, Missing::dash);
  std::string plain;
  append_format(plain, format, info, Missing::nothing);
  check(dashed.size() >= plain.size());
  check(format_header(format, info, arena) == plain);
  std::string json;
  check(append_json_format(json, format, info, false));
  check_json(json);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(input.find('\n'), input.size());
  const std::string_view value = input.substr(std::min(line + 1, input.size()));
  const auto format = model::Format::parse(input.substr(0, line));
  if (!format) {
    check(!format.error().message.empty());
    return 0;
  }
  BlockPool pool;
  Arena arena(pool);
  evaluate_with(*format, RequestInfo{}, arena);

  http::RequestHead request(arena);
  http::ResponseHead response(arena);
  ConnectionFacts connection;
  RequestInfo info;
  request.method = "GET";
  request.path = value;
  request.authority = value;
  request.headers.add("x", value);
  response.status = 200;
  response.headers.add("x", value);
  connection.remote_text = value;
  connection.local_text = value;
  info.connection = &connection;
  info.request = &request;
  info.response = &response;
  info.start_wall = WallTime(Nanoseconds(static_cast<std::int64_t>(value.size()) * 1'234'567'891'011));
  info.downstream_remote_ip = value;
  info.response_code_details = value;
  info.upstream_failure = value;
  info.flags = static_cast<ResponseFlags>(size * 2654435761u);
  evaluate_with(*format, info, arena);
  return 0;
}
