// remora-control: the composition root. Everything is in the commands: see commands.h.
#include <cstdio>
#include <exception>
#include <vector>

#include "control/cli.h"

namespace {

void say(std::FILE* where, std::string_view words) { std::fwrite(words.data(), 1, words.size(), where); }

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    return remora::control::run(arguments, {.out = [](std::string_view words) { say(stdout, words); },
                                            .err = [](std::string_view words) { say(stderr, words); }});
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "error: %s\n", failure.what());
    return remora::control::kUsage;
  }
}
