#include "core/http/http1_client.h"

#include <gmock/gmock.h>

#include "tests/unit/http/http1_fixture.h"

namespace remora::http {
namespace {

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

// ---- responses

TEST(Http1Client, TakesResponsesWithoutABody) {
  EXPECT_EQ(respond("HTTP/1.1 204 No Content\r\n\r\n"), "head 204 end\nend\ndone reusable\n");
  EXPECT_EQ(respond("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), "head 204 end\nend\ndone reusable\n");
  EXPECT_EQ(respond("HTTP/1.1 304 x\r\nContent-Length: 10\r\nETag: x\r\n\r\n"),
            "head 304 content-length=10 etag=x end\nend\ndone reusable\n");
  EXPECT_EQ(respond("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
            "head 200 content-length=0 end\nend\ndone reusable\n");
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "HEAD"),
            "head 200 content-length=10 end\nend\ndone reusable\n");
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD"),
            "head 200 end\nend\ndone reusable\n");
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\n\r\n", "HEAD"), "head 200 end\nend\ndone reusable\n");
}

TEST(Http1Client, TakesABodyUntilTheConnectionCloses) {
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\n\r\nabc", "GET", {}, true), "head 200\nbody abc\nend\ndone\n");
  EXPECT_EQ(respond("HTTP/1.0 200 OK\r\n\r\nabc", "GET", {}, true), "head 200 1.0\nbody abc\nend\ndone\n");
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\n\r\nabc", "GET", {}, false),
            "head 200\nbody abc\nreset connection_closed\ndone\n");
}

TEST(Http1Client, TakesInformationalResponses) {
  EXPECT_EQ(respond("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 "
                    "OK\r\nContent-Length: 1\r\n\r\nx"),
            "info 100\ninfo 103 link=x\nhead 200 content-length=1\nbody x\nend\ndone reusable\n");
  std::string endless;
  for (int i = 0; i < 33; ++i) {
    endless += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  EXPECT_THAT(respond(endless), ::testing::EndsWith("info 100\nreset protocol_error\ndone\n"));
}

TEST(Http1Client, KnowsWhenTheConnectionEnds) {
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"),
            "head 200 content-length=1\nbody x\nend\ndone\n");
  EXPECT_EQ(respond("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"),
            "head 200 1.0 content-length=1\nbody x\nend\ndone\n");
  EXPECT_EQ(respond("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx"),
            "head 200 1.0 content-length=1\nbody x\nend\ndone reusable\n");
}

TEST(Http1Client, StripsWhatIsForOneHop) {
  EXPECT_EQ(
      respond("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: 1\r\nX-Hop: 1\r\nA: b\r\nTrailer: t\r\n"
              "Upgrade: h2\r\nProxy-Connection: x\r\nServer: s\r\nContent-Length: 0\r\n\r\n"),
      "head 200 a=b trailer=t server=s content-length=0 end\nend\ndone reusable\n");
}

TEST(Http1Client, RefusesMalformedResponses) {
  for (const std::string_view bytes : {"SSH-2.0-x\r\n",
                                       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                                       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
                                       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
                                       "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                       "HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                       "HTTP/1.1 204 OK\r\nContent-Length: 5\r\n\r\n",
                                       "HTTP/1.1 100 OK\r\nContent-Length: 5\r\n\r\n",
                                       "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
                                       "HTTP/1.1 20 OK\r\n\r\n",
                                       "HTTP/1.1 2000 OK\r\n\r\n",
                                       "HTTP/1.1 099 OK\r\n\r\n",
                                       "HTTP/1.1 600 OK\r\n\r\n",
                                       "HTTP/1.1 999 OK\r\n\r\n",
                                       "HTTP/2.0 200 OK\r\n\r\n",
                                       "HTTP/0.9 200 OK\r\n\r\n",
                                       "HTTP/1.2 200 OK\r\n\r\n",
                                       "RTSP/1.0 200 OK\r\n\r\n",
                                       "ICE/1.0 200 OK\r\n\r\n",
                                       "HTTP/1.1  200 OK\r\n\r\n",
                                       "HTTP/1.1 200 OK\nA: b\n\n",
                                       "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n",
                                       "\r\n\r\nHTTP/2.0 200 OK\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 1\r\n\r\nx"}) {
    EXPECT_EQ(respond(bytes), "reset protocol_error\ndone\n") << bytes;
  }
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "head 200\nreset protocol_error\ndone\n");
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"),
            "head 200\nbody a\nreset protocol_error\ndone\n");
  CodecLimits limits;
  limits.max_head_bytes = 100;
  limits.max_headers = 2;
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\nA: " + std::string(100, 'a'), "GET", limits), "reset protocol_error\ndone\n");
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", "GET", limits), "reset protocol_error\ndone\n");
}

TEST(Http1Client, TellsHowAConnectionEndedEarly) {
  EXPECT_EQ(respond("", "GET", {}, true), "reset connection_closed\ndone\n");
  EXPECT_EQ(respond("HTTP/1.1 2", "GET", {}, true), "reset protocol_error\ndone\n");
  EXPECT_EQ(respond("HTTP/1.1 2", "GET", {}, false), "reset connection_closed\ndone\n");
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "GET", {}, true),
            "head 200 content-length=3\nbody ab\nreset protocol_error\ndone\n");
  EXPECT_EQ(respond("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "GET", {}, true),
            "head 200\nbody a\nreset protocol_error\ndone\n");
}

// ---- what was not asked for

TEST(Http1Client, NeverAttachesSurplusBytesToANextResponse) {
  TestClient client;
  client.get();
  client.receive("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n");
  EXPECT_EQ(client.transcript.take(), "head 200 content-length=1\nbody x\nend\ndone\n");
  EXPECT_FALSE(client.codec.idle());

  TestClient later;
  later.get();
  later.receive("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(later.transcript.take(), "head 200 content-length=1\nbody x\nend\ndone reusable\n");
  EXPECT_TRUE(later.codec.idle());
  later.receive("\r");
  EXPECT_EQ(later.transcript.take(), "done\n");
  EXPECT_FALSE(later.codec.idle());
}

TEST(Http1Client, RefusesBytesBeforeTheRequest) {
  TestClient client;
  client.begin();
  client.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client.transcript.take(), "reset protocol_error\ndone\n");
}

TEST(Http1Client, ReusesTheConnection) {
  TestClient client;
  for (int i = 0; i < 3; ++i) {
    client.get();
    client.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
    EXPECT_EQ(client.transcript.take(), "head 200\nbody x\nend\ndone reusable\n");
  }
}

TEST(Http1Client, CancelsInTheMiddleOfAnything) {
  TestClient before;
  before.get();
  before.stream->cancel();
  before.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(before.transcript.take(), "done\n");

  TestClient at_head;
  at_head.at_head = [&] { at_head.stream->cancel(); };
  at_head.get();
  at_head.receive("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(at_head.transcript.take(), "head 200 content-length=1\ndone\n");

  TestClient at_end;
  at_end.at_head = [&] { at_end.stream->cancel(); };
  at_end.get();
  at_end.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(at_end.transcript.take(), "head 200 content-length=0 end\ndone\n");

  TestClient in_chunk;
  in_chunk.at_body = [&] { in_chunk.stream->cancel(); };
  in_chunk.get();
  in_chunk.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n1\r\ny\r\n0\r\n\r\n");
  EXPECT_EQ(in_chunk.transcript.take(), "head 200\nbody x\ndone\n");
}

// ---- requests

std::string written(const std::function<void(RequestHead&)>& edit, BodyLength length,
                    const std::function<void(TestClient&)>& then = {}) {
  TestClient client;
  Arena arena(client.pool);
  RequestHead head(arena);
  head.method = "POST";
  head.method_id = Method::post;
  head.path = "/p";
  head.authority = "h:1";
  edit(head);
  client.begin().send_head(head, length);
  if (then) {
    then(client);
  }
  return client.out.text + client.transcript.take();
}

TEST(Http1Client, FramesRequestsAsTheyNeed) {
  const auto method = [](std::string_view name) {
    return [name](RequestHead& head) {
      head.method = name;
      head.method_id = method_id(name);
    };
  };
  EXPECT_EQ(written([](RequestHead&) {}, {}), "POST /p HTTP/1.1\r\nhost: h:1\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(written(method("PURGE"), {}), "PURGE /p HTTP/1.1\r\nhost: h:1\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(written(method("DELETE"), {}), "DELETE /p HTTP/1.1\r\nhost: h:1\r\n\r\n");
  EXPECT_EQ(written([](RequestHead& head) { head.headers.add("a", "b"); }, {BodyLength::Kind::known, 3},
                    [](TestClient& client) {
                      client.stream->send_body("ab", false);
                      client.stream->send_body("c", true);
                    }),
            "POST /p HTTP/1.1\r\nhost: h:1\r\na: b\r\ncontent-length: 3\r\n\r\nabc");
  EXPECT_EQ(written([](RequestHead&) {}, {BodyLength::Kind::chunked, 0},
                    [](TestClient& client) {
                      client.stream->send_body("ab", false);
                      Arena arena(client.pool);
                      HeaderList trailers(arena);
                      trailers.add("x-t", "1");
                      client.stream->send_trailers(trailers);
                    }),
            "POST /p HTTP/1.1\r\nhost: h:1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-t: 1\r\n\r\n");
}

TEST(Http1Client, WritesFramingOnceWhateverTheListSays) {
  const auto edit = [](RequestHead& head) {
    head.headers.add(HeaderId::content_length, "99");
    head.headers.add(HeaderId::transfer_encoding, "chunked");
    head.headers.add(HeaderId::connection, "close");
    head.headers.add(HeaderId::host, "evil");
    head.headers.add("a", "b");
    head.headers.add(HeaderId::content_length, "98");
  };
  EXPECT_EQ(written(edit, {BodyLength::Kind::known, 3}),
            "POST /p HTTP/1.1\r\nhost: h:1\r\ncontent-length: 3\r\na: b\r\n\r\n");
  EXPECT_EQ(written(edit, {}), "POST /p HTTP/1.1\r\nhost: h:1\r\ncontent-length: 0\r\na: b\r\n\r\n");
  EXPECT_EQ(written(edit, {BodyLength::Kind::chunked, 0}),
            "POST /p HTTP/1.1\r\nhost: h:1\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n");
}

TEST(Http1Client, NeverBreaksItsOwnContentLength) {
  for (const std::string_view body : {"abcd", "a"}) {
    EXPECT_THAT(written([](RequestHead&) {}, {BodyLength::Kind::known, 3},
                        [&](TestClient& client) { client.stream->send_body(body, true); }),
                ::testing::EndsWith("content-length: 3\r\n\r\nreset local\ndone\n"));
  }
  EXPECT_THAT(written([](RequestHead&) {}, {}, [](TestClient& client) { client.stream->send_body("x", true); }),
              ::testing::EndsWith("reset local\ndone\n"));
}

TEST(Http1Client, DeliversAResponseThatComesBeforeItsRequestIsWhole) {
  TestClient client;
  Arena arena(client.pool);
  RequestHead head(arena);
  head.method = "POST";
  head.method_id = Method::post;
  head.path = "/";
  client.begin().send_head(head, {BodyLength::Kind::known, 3});
  client.receive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx");
  client.stream->send_body("abc", true);
  client.receive("y");
  EXPECT_EQ(client.transcript.take(), "head 200 content-length=2\nbody xy\nend\ndone reusable\n");

  TestClient early;
  early.begin().send_head(head, {BodyLength::Kind::known, 3});
  early.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(early.transcript.take(), "head 200 content-length=0 end\nend\ndone\n");
  early.stream->send_body("abc", true);  // nothing any more
  EXPECT_THAT(early.out.text, ::testing::EndsWith("\r\n\r\n"));
}

// ---- tunnels

void ask_for_tunnel(TestClient& client, bool connect) {
  Arena arena(client.pool);
  RequestHead head(arena);
  head.method = connect ? "CONNECT" : "GET";
  head.method_id = connect ? Method::connect : Method::get;
  head.path = connect ? "" : "/ws";
  head.authority = "h:1";
  head.upgrade = true;
  head.upgrade_protocol = connect ? "" : "websocket";
  client.begin().send_head(head, {});
}

TEST(Http1Client, TunnelsAnUpgrade) {
  TestClient client;
  ask_for_tunnel(client, false);
  EXPECT_EQ(client.out.text, "GET /ws HTTP/1.1\r\nhost: h:1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
  client.receive(
      "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nearly");
  EXPECT_EQ(client.transcript.take(), "head 101 upgrade upgrade=websocket sec-websocket-accept=x\nbody early\n");
  client.stream->send_body("ping", false);
  EXPECT_THAT(client.out.text, ::testing::EndsWith("\r\n\r\nping"));
  client.stream->send_body({}, true);
  client.receive("HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(client.transcript.take(), "half close\nbody HTTP/1.1 200 OK\r\n\n");
  client.codec.feed_end(true);
  EXPECT_EQ(client.transcript.take(), "end\ndone\n");
}

TEST(Http1Client, EndsATunnelThatCannotHalfClose) {
  TestClient client;
  client.half_close_works = false;
  ask_for_tunnel(client, false);
  client.receive("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  client.stream->send_body({}, true);
  EXPECT_THAT(client.transcript.take(), ::testing::EndsWith("half close\nend\ndone\n"));
}

TEST(Http1Client, TunnelsConnect) {
  TestClient client;
  ask_for_tunnel(client, true);
  EXPECT_EQ(client.out.text, "CONNECT h:1 HTTP/1.1\r\nhost: h:1\r\n\r\n");
  client.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nraw");
  EXPECT_EQ(client.transcript.take(), "head 200 upgrade\nbody raw\n");
}

TEST(Http1Client, NeverSendsTunnelBytesBeforeTheTunnel) {
  TestClient client;
  ask_for_tunnel(client, false);
  client.stream->send_body("GET /evil HTTP/1.1\r\n\r\n", false);
  EXPECT_EQ(client.transcript.take(), "reset local\ndone\n");
  EXPECT_THAT(client.out.text, ::testing::EndsWith("websocket\r\n\r\n"));
}

TEST(Http1Client, TakesARefusedUpgradeAsAResponse) {
  TestClient client;
  ask_for_tunnel(client, false);
  client.receive("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(client.transcript.take(), "head 403 content-length=2\nbody no\nend\ndone\n");
}

}  // namespace
}  // namespace remora::http
