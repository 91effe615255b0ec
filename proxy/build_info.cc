#include "proxy/build_info.h"

#include <fmt/format.h>

namespace remora::proxy {

// Written by cmake/GitRevision.cmake at each build: a constant of its own, so that a commit compiles two lines.
extern const char* const kGitRevision;
extern const char* const kGitState;

#ifdef NDEBUG
constexpr std::string_view kBuildType = "RELEASE";
#else
constexpr std::string_view kBuildType = "DEBUG";
#endif

std::string_view version_number() { return REMORA_VERSION; }

std::string long_version() {
  return fmt::format("{}/{}/{}/{}/OpenSSL", kGitRevision, REMORA_VERSION, kGitState, kBuildType);
}

std::string version_text(std::string_view program) {
  return fmt::format("\n{}  version: {}\n\n", program, long_version());
}

}  // namespace remora::proxy
