// Every file in golden/ with what is found in it: the texts are what people read, so a change of them is looked at.
// REMORA_REWRITE_GOLDEN=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/catalog/mesh_files.h"

namespace remora::catalog {
namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream stream(path);
  std::ostringstream out;
  out << stream.rdbuf();
  return out.str();
}

std::string found_in(const std::filesystem::path& mesh) {
  const Loaded loaded = MeshFiles({mesh.string()}).load();
  std::string out;
  for (const Finding& finding : loaded.findings) {
    config::ConfigError what = finding.what;
    const std::string folder = mesh.parent_path().string() + "/";
    what.file = std::filesystem::path(what.file).filename().string();
    for (std::size_t at; (at = what.message.find(folder)) != std::string::npos;) {
      what.message.erase(at, folder.size());
    }
    out += std::string(to_string(finding.severity)) + ": " + what.to_string() + "\n";
  }
  return out + (loaded.catalog != nullptr ? "taken\n" : "not taken\n");
}

TEST(Golden, EveryFileIsFoundOutAsWritten) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(REMORA_GOLDEN)) {
    const std::filesystem::path& mesh = entry.path();
    if (mesh.extension() == ".txt") {
      continue;
    }
    ++files;
    std::filesystem::path expected = mesh;
    expected += ".txt";
    const std::string found = found_in(mesh);
    if (std::getenv("REMORA_REWRITE_GOLDEN") != nullptr) {
      std::ofstream(expected) << found;
    }
    EXPECT_EQ(content(expected), found) << mesh;
  }
  EXPECT_GE(files, 10U);
}

}  // namespace
}  // namespace remora::catalog
