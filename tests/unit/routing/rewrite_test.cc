#include "proxy/routing/rewrite.h"

#include "proxy/routing/split.h"
#include "tests/unit/routing/fixture.h"

namespace remora::routing {
namespace {

using Kind = model::PathMatch::Kind;

struct Rewrites : Heads {
  model::Route route = prefix("c", "/api");
  model::RedirectAction redirect;

  model::RouteAction& action() { return std::get<model::RouteAction>(route.action); }
  std::string path(std::string_view from) {
    const auto to = rewrite_path(route, action(), from, arena);
    return to ? std::string(*to) : "unchanged";
  }
  std::string location(const http::RequestHead& head, std::string_view scheme = "http") {
    return std::string(redirect_location(route, redirect, head, scheme, arena));
  }
};

TEST_F(Rewrites, NothingToDo) { EXPECT_EQ(path("/api/x"), "unchanged"); }

TEST_F(Rewrites, APrefixIsReplacedAndTheQueryStays) {
  action().prefix_rewrite = "/v2";
  EXPECT_EQ(path("/api/x?y=1"), "/v2/x?y=1");
  EXPECT_EQ(path("/api"), "/v2");
  EXPECT_EQ(path("/api?q"), "/v2?q");
  EXPECT_EQ(path("/API/x"), "/v2/x") << "matched without case";
}

TEST_F(Rewrites, AnExactPathAndARegexAreReplacedWhole) {
  action().prefix_rewrite = "/new";
  route.match.path.kind = Kind::path;
  route.match.path.text = "/old/path";
  EXPECT_EQ(path("/old/path?a"), "/new?a");
  route.match.path.kind = Kind::regex;
  route.match.path.text = ".*";
  EXPECT_EQ(path("/some/thing?a"), "/new?a");
}

TEST_F(Rewrites, ARegexRewritesThePathOnly) {
  action().regex_rewrite = model::Regex::compile("^/api/([^/]+)/(.*)$").value();
  action().regex_rewrite_substitution = "/\\2/of/\\1";
  EXPECT_EQ(path("/api/a/b?q=/api/x/y"), "/b/of/a?q=/api/x/y");
  EXPECT_EQ(path("/api"), "/api");
  action().regex_rewrite = model::Regex::compile(".*").value();
  action().regex_rewrite_substitution = "";
  EXPECT_EQ(path("/api"), "unchanged") << "a rewrite to nothing is none";
}

TEST_F(Rewrites, Hosts) {
  auto head = get("a.com", "/");
  head.headers.add("x-host", "b.com");
  EXPECT_EQ(rewrite_host(action(), nullptr, head, "e"), std::nullopt);
  action().host_rewrite_header = "x-host";
  EXPECT_EQ(rewrite_host(action(), nullptr, head, {}), "b.com");
  action().host_rewrite_header = "x-none";
  EXPECT_EQ(rewrite_host(action(), nullptr, head, {}), std::nullopt);
  action().host_rewrite_literal = "c.com";
  EXPECT_EQ(rewrite_host(action(), nullptr, head, {}), "c.com");
  model::WeightedCluster weighted;
  weighted.host_rewrite_literal = "d.com";
  EXPECT_EQ(rewrite_host(action(), &weighted, head, {}), "d.com");
  action() = {};
  action().auto_host_rewrite = true;
  EXPECT_EQ(rewrite_host(action(), nullptr, head, "e.com"), "e.com");
  EXPECT_EQ(rewrite_host(action(), nullptr, head, ""), std::nullopt);
}

TEST_F(Rewrites, RedirectsChangeWhatTheySay) {
  const auto head = get("a.com:80", "/api/x?q=1");
  redirect.https_redirect = true;
  EXPECT_EQ(location(head), "https://a.com/api/x?q=1") << "port 80 is http's";
  EXPECT_EQ(location(get("a.com:8080", "/")), "https://a.com:8080/");
  redirect = {};
  redirect.host_redirect = "b.com";
  EXPECT_EQ(location(head), "http://b.com/api/x?q=1");
  redirect.port_redirect = 8443;
  redirect.scheme_redirect = "https";
  EXPECT_EQ(location(head), "https://b.com:8443/api/x?q=1");
  redirect.host_redirect = "";
  EXPECT_EQ(location(head), "https://a.com:8443/api/x?q=1");
  EXPECT_EQ(location(get("[::1]:80", "/")), "https://[::1]:8443/");
  EXPECT_EQ(location(get("[::1]", "/")), "https://[::1]:8443/");
}

TEST_F(Rewrites, RedirectsOfPaths) {
  const auto head = get("a.com", "/api/x?q=1");
  redirect.path_redirect = "/new";
  EXPECT_EQ(location(head), "http://a.com/new?q=1");
  redirect.strip_query = true;
  EXPECT_EQ(location(head), "http://a.com/new");
  redirect.path_redirect = "/new?own=2";
  EXPECT_EQ(location(head), "http://a.com/new?own=2") << "a query of its own stays, whatever strip_query says";
  redirect = {};
  redirect.prefix_rewrite = "/v2";
  EXPECT_EQ(location(head), "http://a.com/v2/x?q=1");
  redirect.strip_query = true;
  EXPECT_EQ(location(head), "http://a.com/v2/x");
  redirect = {};
  redirect.path_redirect = "relative";
  EXPECT_EQ(location(head), "http://a.com/relative?q=1");
}

TEST_F(Rewrites, WeightedClustersTakeTheirShares) {
  action().clusters = {{"a", 20, {}, {}}, {"b", 0, {}, {}}, {"c", 80, {}, {}}};
  action().total_weight = 100;
  const auto head = get("h", "/");
  EXPECT_EQ(split(action(), head, 0).cluster, "a");
  EXPECT_EQ(split(action(), head, 19).cluster, "a");
  EXPECT_EQ(split(action(), head, 20).cluster, "c");
  EXPECT_EQ(split(action(), head, 99).cluster, "c");
  EXPECT_EQ(split(action(), head, 100).cluster, "a");
  EXPECT_EQ(split(action(), head, 50).weighted, &action().clusters[2]);
}

TEST_F(Rewrites, AHeaderMayNameTheCluster) {
  action().clusters.clear();
  action().cluster_header = "x-cluster";
  auto head = get("h", "/");
  EXPECT_EQ(split(action(), head, 0).cluster, "");
  head.headers.add("x-cluster", "c9");
  EXPECT_EQ(split(action(), head, 0).cluster, "c9");
  EXPECT_EQ(split(action(), head, 0).weighted, nullptr);
}

}  // namespace
}  // namespace remora::routing
