// The seed of a test that uses chance: a new one each run, printed when the test fails; REMORA_SEED repeats one.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace remora::testing {

inline std::uint64_t test_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("REMORA_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::uint64_t{std::random_device{}()};
  }();
  return seed;
}

}  // namespace remora::testing

#define REMORA_TRACE_SEED() SCOPED_TRACE("REMORA_SEED=" + std::to_string(::remora::testing::test_seed()))
