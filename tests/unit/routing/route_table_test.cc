#include "proxy/routing/route_table.h"

#include "tests/unit/routing/fixture.h"

namespace remora::routing {
namespace {

using Kind = model::PathMatch::Kind;

struct Tables : Heads {
  model::RouteConfiguration configuration;

  void host(const std::string& name, std::vector<std::string> domains) {
    model::VirtualHost host;
    host.name = name;
    host.domains = std::move(domains);
    host.routes.push_back(prefix(name, "/"));
    configuration.virtual_hosts.push_back(std::move(host));
  }
  model::VirtualHost& only_host() {
    if (configuration.virtual_hosts.empty()) {
      configuration.virtual_hosts.push_back({.name = "all", .domains = {"*"}, .routes = {}, .edits = {}});
    }
    return configuration.virtual_hosts[0];
  }
  std::string host_of(std::string_view authority) {
    const RouteTable table(std::make_shared<model::RouteConfiguration>(configuration));
    const Match match = table.match(get(authority, "/"), 0);
    return match.virtual_host == nullptr ? "none" : match.virtual_host->name;
  }
  std::string route_of(const http::RequestHead& head, std::uint64_t random = 0) {
    const RouteTable table(std::make_shared<model::RouteConfiguration>(configuration));
    const Match match = table.match(head, random);
    return match.route == nullptr ? "none" : match.route->name;
  }
  std::string route_of(std::string_view path) { return route_of(get("h", path)); }
};

TEST_F(Tables, HostsMatchExactlyThenByLongestSuffixThenByLongestPrefixThenByStar) {
  host("star", {"*"});
  host("prefix", {"www.*"});
  host("long prefix", {"www.foo.*"});
  host("suffix", {"*.foo.com"});
  host("long suffix", {"*.bar.foo.com", "*-x.foo.com"});
  host("exact", {"www.foo.com", "foo.com:8080"});
  EXPECT_EQ(host_of("www.foo.com"), "exact");
  EXPECT_EQ(host_of("WWW.Foo.Com"), "exact");
  EXPECT_EQ(host_of("a.foo.com"), "suffix");
  EXPECT_EQ(host_of("A.FOO.COM"), "suffix");
  EXPECT_EQ(host_of("a.bar.foo.com"), "long suffix");
  EXPECT_EQ(host_of("a-x.foo.com"), "long suffix");
  EXPECT_EQ(host_of(".foo.com"), "star") << "a star stands for at least one character";
  EXPECT_EQ(host_of("foo.com"), "star");
  EXPECT_EQ(host_of("foo.com:8080"), "exact") << "a port is part of the name";
  EXPECT_EQ(host_of("www.foo.com:8080"), "long prefix");
  EXPECT_EQ(host_of("www.org"), "prefix");
  EXPECT_EQ(host_of("www.foo.org"), "long prefix");
  EXPECT_EQ(host_of(""), "star");
}

TEST_F(Tables, WithoutAStarSomeHostsAreNobodys) {
  host("exact", {"a.com"});
  EXPECT_EQ(host_of("b.com"), "none");
  EXPECT_EQ(host_of(""), "none");
}

TEST_F(Tables, ManyDomainsAreAllFound) {
  for (int i = 0; i < 300; ++i) {
    host("h" + std::to_string(i), {"host" + std::to_string(i) + ".example", "*.s" + std::to_string(i) + ".example"});
  }
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(host_of("HOST" + std::to_string(i) + ".example"), "h" + std::to_string(i));
    EXPECT_EQ(host_of("x.s" + std::to_string(i) + ".example"), "h" + std::to_string(i));
  }
}

TEST_F(Tables, TheFirstMatchingRouteWins) {
  auto& routes = only_host().routes;
  routes.push_back(route_to("exact", Kind::path, "/a/b"));
  routes.push_back(prefix("a", "/a"));
  routes.push_back(prefix("rest", "/"));
  EXPECT_EQ(route_of("/a/b"), "exact");
  EXPECT_EQ(route_of("/a/b?x=1"), "exact") << "the query is not part of the path";
  EXPECT_EQ(route_of("/a/b#f"), "exact");
  EXPECT_EQ(route_of("/a/bc"), "a");
  EXPECT_EQ(route_of("/ab"), "a");
  EXPECT_EQ(route_of("/A"), "rest");
}

TEST_F(Tables, PathsMayMatchWithoutCase) {
  auto& routes = only_host().routes;
  routes.push_back(prefix("insensitive", "/Api"));
  routes.back().match.path.case_sensitive = false;
  EXPECT_EQ(route_of("/aPI/x"), "insensitive");
  EXPECT_EQ(route_of("/ap"), "none");
}

TEST_F(Tables, ASeparatedPrefixEndsAtASlash) {
  only_host().routes.push_back(route_to("p", Kind::path_separated_prefix, "/api"));
  EXPECT_EQ(route_of("/api"), "p");
  EXPECT_EQ(route_of("/api?q"), "p");
  EXPECT_EQ(route_of("/api/v1"), "p");
  EXPECT_EQ(route_of("/apis"), "none");
}

TEST_F(Tables, ARegexMatchesTheWholePath) {
  only_host().routes.push_back(route_to("r", Kind::regex, "/v[0-9]+/.*"));
  EXPECT_EQ(route_of("/v12/x?y"), "r");
  EXPECT_EQ(route_of("/x/v12/x"), "none");
}

TEST_F(Tables, ConnectHasNoPath) {
  only_host().routes.push_back(prefix("p", "/"));
  only_host().routes.push_back(route_to("c", Kind::connect, ""));
  auto head = get("h:443", "");
  head.method = "CONNECT";
  head.method_id = http::Method::connect;
  EXPECT_EQ(route_of(head), "c");
  EXPECT_EQ(route_of("/"), "p");
}

TEST_F(Tables, HeadersMustAllMatch) {
  auto& routes = only_host().routes;
  routes.push_back(prefix("both", "/"));
  model::HeaderMatch method;
  method.name = ":method";
  method.kind = model::HeaderMatch::Kind::string;
  method.string.text = "GET";
  model::HeaderMatch value;
  value.name = "x-env";
  value.kind = model::HeaderMatch::Kind::string;
  value.string.text = "b";
  routes.back().match.headers = {method, value};

  auto head = get("h", "/");
  EXPECT_EQ(route_of(head), "none");
  head.headers.add("x-env", "a");
  EXPECT_EQ(route_of(head), "none");
  head.headers.add("x-env", "b");
  EXPECT_EQ(route_of(head), "both") << "any of several values may match";
  routes.back().match.headers.back().invert = true;
  EXPECT_EQ(route_of(head), "none") << "inverted, none may: a second header slips past no guard";
  routes.back().match.headers.back().invert = false;
  head.method = "PUT";
  EXPECT_EQ(route_of(head), "none");
}

TEST_F(Tables, AuthorityAndHostAreOneHeader) {
  for (const char* name : {":authority", "host"}) {
    configuration = {};
    only_host().routes.push_back(prefix("p", "/"));
    model::HeaderMatch match;
    match.name = name;
    match.kind = model::HeaderMatch::Kind::string;
    match.string.text = "a.com";
    only_host().routes.back().match.headers = {match};
    EXPECT_EQ(route_of(get("a.com", "/")), "p") << name;
    EXPECT_EQ(route_of(get("b.com", "/")), "none") << name;
  }
}

TEST_F(Tables, QueryParametersMustAllMatch) {
  only_host().routes.push_back(prefix("q", "/"));
  model::StringMatch exact;
  exact.text = "1";
  only_host().routes.back().match.query_parameters = {{"a", true, exact}, {"b", true, std::nullopt}};
  EXPECT_EQ(route_of("/?a=1&b"), "q");
  EXPECT_EQ(route_of("/?b=&x=y&a=1"), "q");
  EXPECT_EQ(route_of("/?a=1"), "none");
  EXPECT_EQ(route_of("/?a=2&b=1&a=1"), "none") << "the first of a name counts";
  EXPECT_EQ(route_of("/?aa=1&b"), "none");
  EXPECT_EQ(route_of("/"), "none");
}

TEST_F(Tables, AFractionTakesItsShareOfRandomNumbers) {
  only_host().routes.push_back(prefix("some", "/"));
  only_host().routes.back().match.runtime_fraction_per_million = 250'000;
  only_host().routes.push_back(prefix("rest", "/"));
  EXPECT_EQ(route_of(get("h", "/"), 249'999), "some");
  EXPECT_EQ(route_of(get("h", "/"), 250'000), "rest");
  EXPECT_EQ(route_of(get("h", "/"), 1'000'000), "some");
}

}  // namespace
}  // namespace remora::routing
