// Wire: just enough HTTP/1 to take messages out of bytes in tests, written apart from the codecs that it judges.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace remora::sim {

struct WireMessage {
  std::string start_line;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  int status() const;  // of a response; 0: the line is not one
  std::string method() const { return start_line.substr(0, start_line.find(' ')); }
  std::string target() const;
  std::string header(std::string_view name) const;  // of the first; "" when absent
  bool has(std::string_view name) const;
};

// Takes the first whole message from the front of `bytes`; nullopt: there is none yet. `ended`: no more will come.
// `bodyless`: a response to HEAD.
std::optional<WireMessage> take_request(std::string& bytes);
std::optional<WireMessage> take_response(std::string& bytes, bool ended, bool bodyless = false);

}  // namespace remora::sim
