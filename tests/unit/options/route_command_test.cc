#include "proxy/route_command.h"

#include <gmock/gmock.h>

#include "proxy/ask_admin.h"

namespace remora::proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<RouteCommand> parse(std::vector<std::string_view> arguments) { return parse_route_command(arguments); }

TEST(RouteCommandTest, TakesAMethodAUrlAndFlagsInAnyOrder) {
  const auto command = parse({"POST", "-H", "x-user: a", "http://api/v2", "--admin=127.0.0.1:1", "--header", "b: c",
                              "--listener", "outbound/api", "--json"});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->method, "POST");
  EXPECT_EQ(command->url, "http://api/v2");
  EXPECT_EQ(command->admin, "127.0.0.1:1");
  EXPECT_EQ(command->listener, "outbound/api");
  EXPECT_THAT(command->headers, ElementsAre("x-user: a", "b: c"));
  EXPECT_TRUE(command->json);
}

TEST(RouteCommandTest, AsksTheDefaultAdminByGet) {
  const auto command = parse({"http://api/?a=b&c"});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->admin, "127.0.0.1:15000");
  EXPECT_EQ(route_target(*command), "/route?url=http%3A%2F%2Fapi%2F%3Fa%3Db%26c&method=GET");
}

TEST(RouteCommandTest, SaysWhatIsWrongWithTheQuestion) {
  EXPECT_THAT(parse({}).error().message, HasSubstr("needs a URL"));
  EXPECT_THAT(parse({"a", "b", "c"}).error().message, HasSubstr("'c' is one argument too many"));
  EXPECT_THAT(parse({"--jsn", "b"}).error().message, HasSubstr("did you mean '--json'?"));
  EXPECT_THAT(parse({"http://api/", "-H"}).error().message, HasSubstr("-H needs a value"));
}

TEST(RouteCommandTest, HelpNeedsNoUrl) {
  std::string out;
  const std::vector<std::string_view> arguments = {"--help"};
  EXPECT_EQ(run_route_command(arguments, [&](std::string_view words) { out += words; }, {}), 0);
  EXPECT_THAT(out, HasSubstr("  remora-proxy route http://"));
}

TEST(RouteCommandTest, NobodyListens) {
  std::string err;
  const std::vector<std::string_view> arguments = {"--admin", "127.0.0.1:1", "http://api/"};
  EXPECT_EQ(run_route_command(arguments, {}, [&](std::string_view words) { err += words; }), 1);
  EXPECT_THAT(err, HasSubstr("the admin interface at 127.0.0.1:1 does not answer: Connection refused"));
}

TEST(RouteCommandTest, AnswersAreParsed) {
  const auto answer = parse_admin_answer("HTTP/1.0 404 Not Found\r\na: b\r\n\r\nwhich?\n");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->body, "which?\n");
  EXPECT_FALSE(parse_admin_answer("SSH-2.0"));
  EXPECT_FALSE(parse_admin_answer(""));
}

}  // namespace
}  // namespace remora::proxy
