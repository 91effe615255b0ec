#include "core/http/http1_server.h"

#include <gmock/gmock.h>

#include "tests/unit/http/http1_fixture.h"

namespace remora::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

struct Result {
  std::string transcript;
  std::string out;
  bool operator==(const Result&) const = default;
};

using Setup = std::function<void(TestServer&)>;

// Feeds `bytes` in every split; all must tell the same.
Result serve(std::string_view bytes, const CodecLimits& limits = {}, const Setup& setup = {}, bool end = false) {
  std::optional<Result> first;
  for_each_split(bytes, [&](const std::vector<std::string_view>& pieces) {
    TestServer server(limits);
    if (setup) {
      setup(server);
    }
    for (const std::string_view piece : pieces) {
      server.receive(piece);
    }
    if (end) {
      server.receive_end();
    }
    const Result result{server.transcript.take(), server.out.text};
    if (!first) {
      first = result;
    }
    ASSERT_EQ(result.transcript, first->transcript);
    ASSERT_EQ(result.out, first->out);
  });
  return *first;
}

TEST(Http1Server, ServesAGet) {
  const Result r = serve("GET /a?b=c HTTP/1.1\r\nHost: App.test:80\r\nX-Foo:  Bar \t\r\nAccept: */*\r\nEmpty:\r\n\r\n");
  EXPECT_EQ(r.transcript, "begin\nhead GET [/a?b=c] @App.test:80 x-foo=Bar accept=*/* empty= end\ndone\n");
  EXPECT_EQ(r.out, kOk);
}

TEST(Http1Server, ServesAPostWithALength) {
  const Result r = serve("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(r.transcript, "begin\nhead POST [/] @a content-length=5\nbody hello\nend\ndone\n");
  EXPECT_EQ(r.out, kOk);
}

TEST(Http1Server, ServesChunksAndTrailersWithoutTheirFraming) {
  const Result r = serve(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5;ext=1;q=\"x\"\r\nhello\r\n00a\r\n0123456789\r\n0\r\nX-T: 1\r\nHost: evil\r\nX-U:  2 \r\n\r\n");
  EXPECT_EQ(r.transcript, "begin\nhead POST [/] @a\nbody hello0123456789\ntrailers x-t=1 x-u=2\nend\ndone\n");
  EXPECT_EQ(r.out, kOk);
}

TEST(Http1Server, ServesPipelinedRequestsInOrder) {
  std::string bytes;
  std::string out;
  for (int i = 0; i < 3; ++i) {
    bytes += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    bytes += "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    bytes += "\r\nPOST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n0\r\n\r\n";
    out += std::string(kOk) + std::string(kOk) + std::string(kOk);
  }
  const Result r = serve(bytes);
  EXPECT_EQ(r.out, out);
  EXPECT_THAT(r.transcript, HasSubstr("head GET [/2] @a end\ndone\n"));
  EXPECT_THAT(r.transcript, EndsWith("body y\nend\ndone\n"));
}

TEST(Http1Server, TakesNoNextRequestBeforeTheAnswer) {
  TestServer server;
  server.at_end = nullptr;
  server.receive("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(server.held, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(server.codec.idle());
  server.answer(*server.stream, 200, "1");
  EXPECT_EQ(server.held, "");
  EXPECT_EQ(server.transcript.take(), "begin\nhead GET [/1] @a end\ndone\nbegin\nhead GET [/2] @a end\n");
  server.answer(*server.stream, 200, "2");
  EXPECT_TRUE(server.codec.idle());
}

TEST(Http1Server, KnowsWhetherAHeadHasBegun) {
  TestServer server;
  EXPECT_TRUE(server.codec.idle());
  server.receive("\r\n");
  EXPECT_TRUE(server.codec.idle());
  server.receive("G");
  EXPECT_TRUE(server.codec.in_head());
  EXPECT_FALSE(server.codec.idle());
}

TEST(Http1Server, RefusesABadHeadAndCloses) {
  const Result r = serve("GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(r.transcript, "begin\nbad 400 http1.codec_error\ndone\nclose\n");
  EXPECT_EQ(r.out, "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
}

}  // namespace
}  // namespace remora::http
