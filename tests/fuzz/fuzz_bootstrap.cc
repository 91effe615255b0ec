// The bootstrap loader takes any bytes: it answers with a snapshot or with errors that have a place, and never crashes.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "proxy/xds/bootstrap.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = remora::xds::load_bootstrap(text, "fuzz.yaml", {});
  if (result) {
    // What was accepted must print and load again, to the same meaning.
    const std::string& json = *(*result)->bootstrap_json;
    const auto again = remora::xds::load_bootstrap(json, "again.json", {});
    if (!again) {
      for (const auto& error : again.error()) {
        std::fprintf(stderr, "%s\n", error.to_string().c_str());
      }
      std::abort();
    }
  } else {
    if (result.error().empty()) {
      std::abort();
    }
    for (const auto& error : result.error()) {
      if (error.to_string().empty() || error.line < 0) {
        std::abort();
      }
    }
  }
  return 0;
}
