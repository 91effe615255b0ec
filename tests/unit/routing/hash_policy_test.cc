// What a route's hash_policy makes of a request.
#include "proxy/routing/hash_policy.h"

#include "core/base/hash.h"
#include "tests/unit/routing/fixture.h"

namespace remora::routing {
namespace {

using model::HashPolicy;

struct HashPolicies : Heads {
  http::RequestHead head = get("shop", "/cart?user=7&user=8&empty=");
  HashSource source{.client_ip = "10.1.1.1", .remote = "10.1.1.1:4711", .local = "10.0.0.1:80"};

  static HashPolicy policy(HashPolicy::Kind kind, const std::string& name, bool terminal = false) {
    HashPolicy result;
    result.kind = kind;
    result.name = name;
    result.terminal = terminal;
    return result;
  }
  std::optional<std::uint64_t> hash(const std::vector<HashPolicy>& policies) {
    return hash_request(policies, head, source).hash;
  }
};

const HashPolicy kHeader = HashPolicies::policy(HashPolicy::Kind::header, "x-user");

TEST_F(HashPolicies, AHeaderByItsValues) {
  EXPECT_EQ(hash({kHeader}), std::nullopt);
  head.headers.add("x-user", "b");
  EXPECT_EQ(hash({kHeader}), xx_hash64("b"));
  head.headers.add("x-user", "a");
  EXPECT_EQ(hash({kHeader}), xx_hash64("b", xx_hash64("a"))) << "in whatever order they came";
}

TEST_F(HashPolicies, AHeaderRewritten) {
  HashPolicy rewritten = kHeader;
  rewritten.regex_rewrite = model::Regex::compile("^(\\w+)-.*$").value();
  rewritten.regex_rewrite_substitution = "\\1";
  head.headers.add("x-user", "eu-17");
  EXPECT_EQ(hash({rewritten}), xx_hash64("eu"));
}

TEST_F(HashPolicies, ThePathAndTheHost) {
  EXPECT_EQ(hash({policy(HashPolicy::Kind::header, ":path")}), xx_hash64(head.path));
  EXPECT_EQ(hash({policy(HashPolicy::Kind::header, ":authority")}), xx_hash64("shop"));
}

TEST_F(HashPolicies, TheClientsAddress) {
  EXPECT_EQ(hash({policy(HashPolicy::Kind::source_ip, "")}), xx_hash64("10.1.1.1"));
}

TEST_F(HashPolicies, AQueryParameterItsFirstValue) {
  EXPECT_EQ(hash({policy(HashPolicy::Kind::query_parameter, "user")}), xx_hash64("7"));
  EXPECT_EQ(hash({policy(HashPolicy::Kind::query_parameter, "empty")}), xx_hash64(""));
  EXPECT_EQ(hash({policy(HashPolicy::Kind::query_parameter, "none")}), std::nullopt);
}

TEST_F(HashPolicies, ACookie) {
  const HashPolicy cookie = policy(HashPolicy::Kind::cookie, "session");
  EXPECT_EQ(hash({cookie}), std::nullopt) << "one without a ttl is not made";
  head.headers.add(http::HeaderId::cookie, "a=1; session=\"abc\" ;b=2");
  EXPECT_EQ(hash({cookie}), xx_hash64("abc"));
}

TEST_F(HashPolicies, ACookieThatIsMade) {
  HashPolicy cookie = policy(HashPolicy::Kind::cookie, "session");
  cookie.cookie_ttl = Seconds(3600);
  cookie.cookie_path = "/shop";
  const std::vector<HashPolicy> policies = {cookie};
  const RequestHash made = hash_request(policies, head, source);
  ASSERT_NE(made.new_cookie, nullptr);
  EXPECT_EQ(made.hash, xx_hash64(made.new_cookie_value));
  EXPECT_EQ(made.new_cookie_value.size(), 16U);
  EXPECT_EQ(set_cookie_value(*made.new_cookie, "ab", arena), "session=\"ab\"; Max-Age=3600; Path=/shop; HttpOnly");
  cookie.cookie_ttl = Seconds(0);
  cookie.cookie_path.clear();
  EXPECT_EQ(set_cookie_value(cookie, "ab", arena), "session=\"ab\"; HttpOnly");
  head.headers.add(http::HeaderId::cookie, "session=abc");
  EXPECT_EQ(hash_request({cookie}, head, source).new_cookie, nullptr);
}

TEST_F(HashPolicies, SeveralAreCombinedUntilATerminalOne) {
  head.headers.add("x-user", "a");
  const std::uint64_t a = xx_hash64("a");
  const HashPolicy ip = policy(HashPolicy::Kind::source_ip, "");
  EXPECT_EQ(hash({kHeader, ip}), ((a << 1) | (a >> 63)) ^ xx_hash64("10.1.1.1"));
  HashPolicy last = kHeader;
  last.terminal = true;
  EXPECT_EQ(hash({last, ip}), a);
  head.headers.remove("x-user");
  EXPECT_EQ(hash({last, ip}), xx_hash64("10.1.1.1")) << "a terminal one without a value ends nothing";
}

}  // namespace
}  // namespace remora::routing
