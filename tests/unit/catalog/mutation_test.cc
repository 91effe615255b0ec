// Golden files with bytes changed, cut and doubled, by a seed: whatever comes of it is values or errors with a place.
// The fuzz target goes further (tests/fuzz/fuzz_mesh.cc); this runs in every test.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/catalog/builder.h"
#include "control/catalog/mesh_files.h"
#include "core/base/random.h"

namespace remora::catalog {
namespace {

std::string mutated(std::string text, Random& random) {
  static constexpr std::string_view kBytes = "{}[]:,-'\"\n &*#!|>0a%@\\\t\xff";
  for (std::uint64_t i = random.below(8) + 1; i > 0 && !text.empty(); --i) {
    const std::size_t at = random.below(text.size());
    const std::size_t length = std::min<std::size_t>(random.below(40), text.size() - at);
    switch (random.below(4)) {
      case 0:
        text[at] = kBytes[random.below(kBytes.size())];
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(random.below(text.size()), text.substr(at, length));
        break;
      default:
        text.insert(at, 1, kBytes[random.below(kBytes.size())]);
    }
  }
  return text;
}

TEST(Mutation, IsValuesOrErrors) {
  Random random(20261125);
  for (const auto& entry : std::filesystem::directory_iterator(REMORA_GOLDEN)) {
    if (entry.path().extension() == ".txt") {
      continue;
    }
    std::ifstream stream(entry.path());
    std::ostringstream seed;
    seed << stream.rdbuf();
    for (int i = 0; i < 100; ++i) {
      const std::string text = mutated(seed.str(), random);
      config::ConfigErrors errors;
      const std::vector documents = {read_text(text, i % 4 == 0 ? "x.json" : "x.yaml", errors)};
      const auto catalog = build_catalog(documents, errors);
      for (const Finding& finding : validate(*catalog)) {
        EXPECT_FALSE(finding.what.message.empty());
      }
      for (const config::ConfigError& error : errors) {
        EXPECT_FALSE(error.message.empty());
        EXPECT_GE(error.line, 0);
      }
    }
  }
}

}  // namespace
}  // namespace remora::catalog
