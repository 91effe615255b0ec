// What the command line says of itself: --help, and --completion for shells. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

namespace remora::proxy {

std::string help_text();

// `shell`: bash, zsh or fish.
std::string completion_text(std::string_view shell);

}  // namespace remora::proxy
