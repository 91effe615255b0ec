#include "core/base/address.h"

#include <gtest/gtest.h>

#include <string>

namespace remora {
namespace {

TEST(Address, SaysWhatItParsed) {
  const auto v4 = Address::parse("10.1.2.3", 80);
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(v4->to_string(), "10.1.2.3:80");
  EXPECT_EQ(v4->ip(), "10.1.2.3");
  EXPECT_EQ(v4->port(), 80);
  const auto v6 = Address::parse("::1", 8443);
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->to_string(), "[::1]:8443");
  EXPECT_EQ(v6->family(), AF_INET6);
}

TEST(Address, NamesWhatIsNoAddress) {
  const auto bad = Address::parse("example.com", 80);
  ASSERT_FALSE(bad.has_value());
  EXPECT_NE(bad.error().message.find("example.com"), std::string::npos);
  EXPECT_FALSE(Address::parse("10.0.0", 1).has_value());
  EXPECT_FALSE(Address::parse("", 1).has_value());
}

TEST(Address, KnowsLoopback) {
  EXPECT_TRUE(Address::parse("127.8.9.1", 1)->is_loopback());
  EXPECT_TRUE(Address::parse("::1", 1)->is_loopback());
  EXPECT_FALSE(Address::parse("10.0.0.1", 1)->is_loopback());
  EXPECT_FALSE(Address::parse("0.0.0.0", 1)->is_loopback());
}

TEST(Address, HoldsUnixPathsAndAbstractNames) {
  const auto path = Address::unix_path("/run/x.sock");
  ASSERT_TRUE(path.has_value());
  EXPECT_EQ(path->to_string(), "/run/x.sock");
  EXPECT_FALSE(path->is_ip());
  const auto abstract = Address::unix_path("@x");
  ASSERT_TRUE(abstract.has_value());
  EXPECT_EQ(abstract->to_string(), "@x");
  EXPECT_FALSE(Address::unix_path("").has_value());
  EXPECT_FALSE(Address::unix_path(std::string(108, 'x')).has_value());
  EXPECT_TRUE(Address::unix_path(std::string(107, 'x')).has_value());
}

TEST(Address, IsEqualByIpAndPort) {
  EXPECT_EQ(*Address::parse("10.0.0.1", 1), *Address::parse("10.0.0.1", 1));
  EXPECT_FALSE(*Address::parse("10.0.0.1", 1) == *Address::parse("10.0.0.1", 2));
  const auto original = *Address::parse("10.0.0.1", 1);
  EXPECT_EQ(Address::from_sockaddr(original.data(), original.size()), original);
}

}  // namespace
TEST(Address, ReadsWhatItPrints) {
  for (const char* text : {"10.0.0.1:80", "[::1]:15000", "0.0.0.0:0"}) {
    const auto address = Address::parse_ip_port(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
  for (const char* text : {"", "80", "10.0.0.1", "10.0.0.1:", ":80", "::1:80", "[10.0.0.1]:80", "10.0.0.1:65536",
                           "10.0.0.1:8x", "localhost:80"}) {
    EXPECT_FALSE(Address::parse_ip_port(text)) << text;
  }
}

}  // namespace remora
