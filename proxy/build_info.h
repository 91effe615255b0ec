// What was built: for --version, /server_info and remora_build_info. Constants; any thread.
#pragma once

#include <string>
#include <string_view>

namespace remora::proxy {

std::string_view version_number();  // "0.1.0"
// Envoy's form, which Consul parses: "<revision>/0.1.0/Clean/RELEASE/OpenSSL".
std::string long_version();
// "remora-proxy  version: ...", as Envoy prints its own.
std::string version_text(std::string_view program);

}  // namespace remora::proxy
