#include "tests/sim/wire.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace remora::sim {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// The head, and where it ends.
std::optional<std::pair<WireMessage, std::size_t>> read_head(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  WireMessage message;
  std::string_view head = bytes.substr(0, end + 2);
  for (bool first = true; !head.empty(); first = false) {
    const std::size_t stop = head.find("\r\n");
    const std::string_view line = head.substr(0, stop);
    if (first) {
      message.start_line = line;
    } else {
      const std::size_t colon = line.find(':');
      const std::size_t value = line.find_first_not_of(' ', colon + 1);
      message.headers.emplace_back(lower(std::string(line.substr(0, colon))),
                                   value == std::string_view::npos ? "" : line.substr(value));
    }
    head.remove_prefix(stop + 2);
  }
  return std::pair(message, end + 4);
}

// Where the chunked body ends; its data goes to `body`.
std::optional<std::size_t> read_chunks(std::string_view bytes, std::size_t at, std::string& body) {
  while (true) {
    const std::size_t line = bytes.find("\r\n", at);
    if (line == std::string_view::npos) {
      return std::nullopt;
    }
    const std::size_t size = std::strtoul(std::string(bytes.substr(at, line - at)).c_str(), nullptr, 16);
    at = line + 2;
    if (size == 0) {
      const std::size_t end = bytes.substr(at, 2) == "\r\n" ? at : bytes.find("\r\n\r\n", at);
      return end == std::string_view::npos ? std::nullopt
                                           : std::optional(bytes.substr(at, 2) == "\r\n" ? end + 2 : end + 4);
    }
    if (bytes.size() < at + size + 2) {
      return std::nullopt;
    }
    body += bytes.substr(at, size);
    at += size + 2;
  }
}

std::optional<WireMessage> take(std::string& bytes, bool has_body, bool until_close, bool ended) {
  auto head = read_head(bytes);
  if (!head) {
    return std::nullopt;
  }
  auto& [message, size] = *head;
  if (has_body && message.header("transfer-encoding") == "chunked") {
    const auto end = read_chunks(bytes, size, message.body);
    if (!end) {
      return std::nullopt;
    }
    size = *end;
  } else if (has_body && message.has("content-length")) {
    const std::size_t length = std::strtoul(message.header("content-length").c_str(), nullptr, 10);
    if (bytes.size() < size + length) {
      return std::nullopt;
    }
    message.body = bytes.substr(size, length);
    size += length;
  } else if (has_body && until_close) {
    if (!ended) {
      return std::nullopt;
    }
    message.body = bytes.substr(size);
    size = bytes.size();
  }
  bytes.erase(0, size);
  return message;
}

}  // namespace

int WireMessage::status() const {
  return start_line.starts_with("HTTP/1.") && start_line.size() > 12 ? std::atoi(start_line.c_str() + 9) : 0;
}

std::string WireMessage::target() const {
  const std::size_t begin = start_line.find(' ');
  const std::size_t end = start_line.rfind(' ');
  return begin == end ? "" : start_line.substr(begin + 1, end - begin - 1);
}

std::string WireMessage::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) {
      return value;
    }
  }
  return {};
}

bool WireMessage::has(std::string_view name) const {
  return std::ranges::any_of(headers, [&](const auto& each) { return each.first == name; });
}

std::optional<WireMessage> take_request(std::string& bytes) { return take(bytes, true, false, false); }

std::optional<WireMessage> take_response(std::string& bytes, bool ended, bool bodyless) {
  const auto head = read_head(bytes);
  if (!head) {
    return std::nullopt;
  }
  const int status = head->first.status();
  const bool none = bodyless || status / 100 == 1 || status == 204 || status == 304;
  return take(bytes, !none, true, ended);
}

}  // namespace remora::sim
