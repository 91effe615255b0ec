// Both codecs through each other: whatever one writes, the other reads, however the bytes are split on their way. The
// seed is printed on failure.
#include <gmock/gmock.h>

#include "tests/unit/http/http1_fixture.h"

namespace remora::http {
namespace {

std::string pick(std::mt19937& random, std::initializer_list<std::string_view> from) {
  return std::string(*(from.begin() + random() % from.size()));
}

void pass(std::mt19937& random, std::string& bytes, const std::function<void(std::string_view)>& to) {
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::size_t size = std::min<std::size_t>(rest.size(), 1 + random() % 50);
    to(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  bytes.clear();
}

// Sends `body` in pieces, empty ones among them.
template <typename Send>
void send_pieces(std::mt19937& random, std::string_view body, Send&& send) {
  while (!body.empty()) {
    const std::size_t size = std::min<std::size_t>(body.size(), random() % 200);
    send(body.substr(0, size), size == body.size());
    body.remove_prefix(size);
  }
}

void exchange(TestServer& server, TestClient& client, std::mt19937& random) {
  const std::string body(random() % 3 == 0 ? 0 : 1 + random() % 600, 'b');
  const bool chunked = random() % 2 == 0;
  const std::string method = pick(random, {"GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "PURGE"});
  const std::string path = "/" + pick(random, {"", "a", "a/b?c=d&e", "%20", ";x"});
  const std::string answer(random() % 3 == 0 ? 0 : 1 + random() % 600, 'r');
  const bool answer_chunked = random() % 2 == 0;
  const int status = 200 + static_cast<int>(random() % 2) * 204;

  server.at_end = [&](ServerStream& stream) {
    ResponseHead head(*server.arena);
    head.status = status;
    head.headers.add("x-answer", "1");
    if (!answer_chunked) {
      head.headers.add_copy("content-length", std::to_string(answer.size()));
    }
    stream.send_head(head, answer.empty());
    send_pieces(random, answer, [&](std::string_view piece, bool end) { stream.send_body(piece, end); });
  };

  Arena arena(client.pool);
  RequestHead head(arena);
  head.method = method;
  head.method_id = method_id(method);
  head.path = path;
  head.authority = "h:80";
  head.headers.add("x-ask", "1");
  ClientStream& stream = client.begin();
  stream.send_head(head, body.empty() ? BodyLength{}
                         : chunked    ? BodyLength{BodyLength::Kind::chunked, 0}
                                      : BodyLength{BodyLength::Kind::known, body.size()});
  send_pieces(random, body, [&](std::string_view piece, bool end) { stream.send_body(piece, end); });
  pass(random, client.out.text, [&](std::string_view piece) { server.receive(piece); });
  pass(random, server.out.text, [&](std::string_view piece) { client.receive(piece); });

  std::string asked = server.transcript.take();
  EXPECT_THAT(asked, ::testing::StartsWith("begin\nhead " + method + " [" + path + "] @h:80 x-ask=1"));
  EXPECT_THAT(asked, ::testing::EndsWith("end\ndone\n"));
  EXPECT_THAT(asked, ::testing::HasSubstr(body.empty() ? "end\n" : "\nbody " + body + "\nend\n"));
  const std::string got = client.transcript.take();
  EXPECT_THAT(got, ::testing::StartsWith("head " + std::to_string(status) + " x-answer=1"));
  EXPECT_THAT(got, ::testing::EndsWith("end\ndone reusable\n"));
  if (method != "HEAD" && !answer.empty()) {
    EXPECT_THAT(got, ::testing::HasSubstr("\nbody " + answer + "\nend\n"));
  }
}

TEST(Http1Loop, CarriesExchangesOnOneConnection) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  TestServer server;
  TestClient client;
  for (int i = 0; i < 300 && !::testing::Test::HasFailure(); ++i) {
    exchange(server, client, random);
  }
}

}  // namespace
}  // namespace remora::http
