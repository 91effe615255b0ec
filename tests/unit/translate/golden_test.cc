// Each mesh in golden/ as proxies get it: what is there in JSON is looked at when it changes, and validated by a real
// Envoy in tests/system/test_translation.py. REMORA_REWRITE_GOLDEN=1 writes the files anew.
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "control/catalog/mesh_files.h"
#include "control/translate/translate.h"

namespace remora::translate {
namespace {

using Endpoints = ProxyIdentity::Endpoints;

struct Case {
  const char* mesh;
  ProxyIdentity identity;
  const char* golden;
};

// NOLINTNEXTLINE(readability-identifier-naming): gtest looks for it
void PrintTo(const Case& one, std::ostream* out) { *out << one.golden; }

catalog::CatalogPtr load(const std::string& mesh) {
  const catalog::Loaded loaded = catalog::MeshFiles({std::string(REMORA_GOLDEN) + "/" + mesh}).load();
  for (const catalog::Finding& finding : loaded.findings) {
    if (finding.severity == catalog::Severity::error) {
      ADD_FAILURE() << finding.what.to_string();
    }
  }
  return loaded.catalog;
}

std::string described(const Resources& resources) {
  std::string out;
  const auto add = [&](const char* kind, const ByName& all) {
    for (const auto& [name, message] : all) {
      out += std::string("== ") + kind + " " + name + "\n" + json_of(*message);
    }
  };
  add("listener", resources.listeners);
  add("route configuration", resources.routes);
  add("cluster", resources.clusters);
  add("endpoints", resources.endpoints);
  for (const Problem& problem : resources.problems) {
    out += std::string("== ") + (problem.severity == Problem::Severity::error ? "error" : "warning") + " line " +
           std::to_string(problem.place.line) + ": " + problem.message + "\n";
  }
  return out;
}

class Golden : public testing::TestWithParam<Case> {};

TEST_P(Golden, IsAsWritten) {
  const catalog::CatalogPtr catalog = load(GetParam().mesh);
  ASSERT_NE(catalog, nullptr);
  const Resources resources = translate(*catalog, GetParam().identity);
  const std::string found = described(resources);
  const std::string path = std::string(REMORA_GOLDEN) + "/" + GetParam().golden;
  if (std::getenv("REMORA_REWRITE_GOLDEN") != nullptr) {
    std::ofstream(path + ".txt") << found;
    if (GetParam().identity.endpoints == Endpoints::inline_in_cluster) {
      std::ofstream(path + ".bootstrap.json") << static_bootstrap(resources, GetParam().identity);
    }
  }
  const auto content = [](const std::string& name) {
    std::ostringstream out;
    out << std::ifstream(name).rdbuf();
    return out.str();
  };
  EXPECT_EQ(content(path + ".txt"), found);
  if (GetParam().identity.endpoints == Endpoints::inline_in_cluster) {
    EXPECT_EQ(content(path + ".bootstrap.json"), static_bootstrap(resources, GetParam().identity));
  }
}

TEST_P(Golden, TheSameInputGivesTheSameBytes) {
  const catalog::CatalogPtr first = load(GetParam().mesh);
  const catalog::CatalogPtr second = load(GetParam().mesh);
  ASSERT_NE(first, nullptr);
  const Resources a = translate(*first, GetParam().identity);
  const Resources b = translate(*second, GetParam().identity);
  const auto same = [](const ByName& x, const ByName& y) {
    ASSERT_EQ(x.size(), y.size());
    for (const auto& [name, message] : x) {
      ASSERT_TRUE(y.contains(name)) << name;
      EXPECT_EQ(bytes_of(*message), bytes_of(*y.at(name))) << name;
    }
  };
  same(a.listeners, b.listeners);
  same(a.routes, b.routes);
  same(a.clusters, b.clusters);
  same(a.endpoints, b.endpoints);
  EXPECT_EQ(a.problems, b.problems);
}

INSTANTIATE_TEST_SUITE_P(
    Meshes, Golden,
    testing::Values(Case{"shop.yaml", {.service = "web"}, "shop.web"},
                    Case{"shop.yaml",
                         {.service = "web", .endpoints = Endpoints::eds, .remora = false, .http2 = true},
                         "shop.web.eds"},
                    Case{"shop.yaml", {.service = "web", .endpoints = Endpoints::consul}, "shop.web.consul"},
                    Case{"words.yaml", {.service = "web"}, "words.web"},
                    Case{"words.yaml",
                         {.service = "web", .endpoints = Endpoints::eds, .remora = false, .http2 = true},
                         "words.web.eds"},
                    Case{"words.yaml", {.service = "web", .endpoints = Endpoints::consul}, "words.web.consul"},
                    Case{"words.yaml", {.service = "orders", .id = "o2"}, "words.orders"},
                    Case{"unsupported.yaml", {.service = "web"}, "unsupported.web"}));

}  // namespace
}  // namespace remora::translate
