#include "core/http/http1_client.h"

#include <gmock/gmock.h>

#include "tests/unit/http/http1_fixture.h"

namespace remora::http {
namespace {

using Setup = std::function<void(TestClient&)>;

// A GET's response fed in every split; all must tell the same.
std::string respond(std::string_view bytes, std::string_view method = "GET", const CodecLimits& limits = {},
                    std::optional<bool> end = {}) {
  std::optional<std::string> first;
  for_each_split(bytes, [&](const std::vector<std::string_view>& pieces) {
    TestClient client(limits);
    client.get("/", method);
    for (const std::string_view piece : pieces) {
      client.receive(piece);
    }
    if (end) {
      client.codec.feed_end(*end);
    }
    const std::string transcript = client.transcript.take();
    if (!first) {
      first = transcript;
    }
    ASSERT_EQ(transcript, *first);
  });
  return *first;
}

TEST(Http1Client, TakesAResponseWithALength) {
  EXPECT_EQ(respond("HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nX-A: 1\r\n\r\nup\n"),
            "head 200 content-length=3 x-a=1\nbody up\n\nend\ndone reusable\n");
}

TEST(Http1Client, TakesAChunkedResponse) {
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nX-T: v\r\n\r\n"),
            "head 200\nbody abcd\ntrailers x-t=v\nend\ndone reusable\n");
}

TEST(Http1Client, WritesRequests) {
  TestClient client;
  client.get("/a?b");
  EXPECT_EQ(client.out.text, "GET /a?b HTTP/1.1\r\nhost: h\r\n\r\n");
}

}  // namespace
}  // namespace remora::http
