// ask_admin: one GET to the admin interface of a running proxy, for commands that a person types. Blocks, for ten
// seconds at most: there is no loop in a command. Pure but for its socket; main thread.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace remora::proxy {

struct AdminAnswer {
  int status = 0;
  std::string body;
};

// `admin`: "127.0.0.1:15000", "localhost:15000", "[::1]:15000", or the path of a Unix socket. The error says what to
// look at.
Result<AdminAnswer> ask_admin(std::string_view admin, std::string_view target);

// The answer out of all that the server sent before it closed. Any thread.
Result<AdminAnswer> parse_admin_answer(std::string_view raw);

}  // namespace remora::proxy
