#include "core/http/http1_writer.h"

#include <array>

namespace remora::http {
namespace {

struct Reason {
  int status;
  std::string_view phrase;
};

constexpr Reason kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Payload Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Entity"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {510, "Not Extended"},
    {511, "Network Authentication Required"},
};

constexpr int kFirst = 100;

constexpr auto make_table() {
  std::array<std::uint8_t, 500> table{};  // 0: unknown, else an index into kReasons plus one
  std::uint8_t next = 1;
  for (const Reason& reason : kReasons) {
    table[static_cast<std::size_t>(reason.status - kFirst)] = next++;
  }
  return table;
}

constexpr auto kTable = make_table();

constexpr std::size_t kCopyBelow = 4096;  // chunks up to this size are copied into one reservation
constexpr std::size_t kChunkFrame = 16 + 2 + 2 + 5;

char* put(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* put_chunk_size(char* at, std::size_t size) {
  at = std::to_chars(at, at + 16, size, 16).ptr;
  return put(at, "\r\n");
}

}  // namespace

std::string_view reason_phrase(int status) {
  const auto index = static_cast<std::size_t>(status - kFirst);
  const std::uint8_t entry = index < kTable.size() ? kTable[index] : 0;
  return entry == 0 ? "Unknown" : kReasons[entry - 1].phrase;
}

void write_chunk(ByteSink& out, std::string_view data, bool last) {
  constexpr std::string_view kEnd = "\r\n0\r\n\r\n";
  if (data.empty()) {  // an empty chunk would end the body
    if (last) {
      char* begin = out.reserve(5);
      out.commit(static_cast<std::size_t>(put(begin, "0\r\n\r\n") - begin));
    }
    return;
  }
  const std::string_view tail = last ? kEnd : kEnd.substr(0, 2);
  if (data.size() <= kCopyBelow) {
    char* begin = out.reserve(data.size() + kChunkFrame);
    char* at = put(put(put_chunk_size(begin, data.size()), data), tail);
    out.commit(static_cast<std::size_t>(at - begin));
    return;
  }
  char* begin = out.reserve(kChunkFrame);
  out.commit(static_cast<std::size_t>(put_chunk_size(begin, data.size()) - begin));
  out.write(data);
  begin = out.reserve(kChunkFrame);
  out.commit(static_cast<std::size_t>(put(begin, tail) - begin));
}

void write_trailers(ByteSink& out, const HeaderList& trailers) {
  HeadWriter writer(out, trailers, 8);
  writer.text("0\r\n");
  for (const Header& header : trailers.all()) {
    if (!is_framing_or_hop(header.id)) {
      writer.header(header.name, header.value);
    }
  }
  writer.finish();
}

}  // namespace remora::http
