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

// ---- the request's head

TEST(Http1Server, TakesTheAuthorityFromAnAbsoluteTarget) {
  EXPECT_THAT(serve("GET http://Abs.test:81/a?x=1 HTTP/1.1\r\nHost: app\r\n\r\n").transcript,
              HasSubstr("head GET [/a?x=1] @Abs.test:81 scheme=http end\n"));
  EXPECT_THAT(serve("GET HTTPS://abs.test HTTP/1.1\r\nHost: app\r\n\r\n").transcript,
              HasSubstr("head GET [/] @abs.test scheme=https end\n"));
  EXPECT_THAT(serve("GET http://abs.test?x=/ HTTP/1.1\r\nHost: app\r\n\r\n").transcript,
              HasSubstr("head GET [/?x=/] @abs.test scheme=http end\n"));
  EXPECT_THAT(serve("OPTIONS * HTTP/1.1\r\nHost: app\r\n\r\n").transcript, HasSubstr("head OPTIONS [*] @app end\n"));
}

TEST(Http1Server, StripsWhatIsForOneHop) {
  EXPECT_THAT(
      serve("GET / HTTP/1.1\r\nConnection: Keep-Alive , X-Hop,, x-other\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n"
            "A: 1\r\nProxy-Connection: keep-alive\r\nTE: gzip, Trailers\r\nTrailer: x-t\r\nX-Other: 2\r\n"
            "Proxy-Authorization: x\r\nUpgrade: h2c\r\nx-hop: 3\r\nHost: a\r\n\r\n")
          .transcript,
      HasSubstr("head GET [/] @a a=1 te=trailers trailer=x-t proxy-authorization=x end\n"));
  EXPECT_THAT(serve("GET / HTTP/1.1\r\nHost: a\r\nTE: gzip\r\n\r\n").transcript, HasSubstr("@a end\n"));
}

TEST(Http1Server, SeesExpectations) {
  const Result r = serve("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx", {},
                         [](TestServer& server) {
                           server.at_head = [&server](ServerStream& stream, RequestHead&, bool) {
                             ResponseHead head(*server.arena);
                             head.status = 100;
                             stream.send_informational(head);
                           };
                         });
  EXPECT_THAT(r.transcript, HasSubstr("head POST [/] @a expects content-length=1\nbody x\nend\n"));
  EXPECT_EQ(r.out, "HTTP/1.1 100 Continue\r\n\r\n" + std::string(kOk));
  EXPECT_THAT(serve("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").transcript, HasSubstr("@a end\n"));
}

TEST(Http1Server, LeavesTheRequestsLengthInItsHeaders) {
  EXPECT_THAT(serve("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").transcript,
              HasSubstr("@a content-length=0 end\n"));
}

// ---- HTTP/1.0

CodecLimits with_http_10() {
  CodecLimits limits;
  limits.accept_http_10 = true;
  return limits;
}

TEST(Http1Server, ClosesAfterHttp10) {
  const Result r = serve("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", with_http_10());
  EXPECT_EQ(r.transcript, "begin\nhead GET [/] @ 1.0 end\ndone\nclose\n");
  EXPECT_EQ(r.out, "HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
}

TEST(Http1Server, KeepsHttp10AliveWhenAsked) {
  const Result r = serve("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", with_http_10());
  EXPECT_EQ(r.transcript, "begin\nhead GET [/] @a 1.0 end\ndone\n");
  EXPECT_EQ(r.out, "HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok");
}

void send_unframed(TestServer& server, ServerStream& stream, int status = 200) {
  ResponseHead head(*server.arena);
  head.status = status;
  head.headers.add("x", "y");
  stream.send_head(head, false);
  stream.send_body("abc", false);
  stream.send_body("", false);
  stream.send_body("def", true);
}

TEST(Http1Server, EndsUnframedHttp10AnswersByClosing) {
  const Result r = serve("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", with_http_10(), [](TestServer& server) {
    server.at_end = [&server](ServerStream& stream) { send_unframed(server, stream); };
  });
  EXPECT_EQ(r.transcript, "begin\nhead GET [/] @ 1.0 end\ndone\nclose\n");
  EXPECT_EQ(r.out, "HTTP/1.0 200 OK\r\nx: y\r\nconnection: close\r\n\r\nabcdef");
}

TEST(Http1Server, SendsNoInformationalHeadToHttp10) {
  const Result r = serve("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", with_http_10(),
                         [](TestServer& server) {
                           server.at_head = [&server](ServerStream& stream, RequestHead& request, bool) {
                             EXPECT_FALSE(request.expects_continue);
                             ResponseHead head(*server.arena);
                             head.status = 100;
                             stream.send_informational(head);
                           };
                         });
  EXPECT_THAT(r.out, StartsWith("HTTP/1.0 200"));
}

// ---- the response's framing

std::string answer_to(std::string_view method, const std::function<void(TestServer&, ServerStream&)>& respond) {
  TestServer server;
  server.at_end = [&](ServerStream& stream) { respond(server, stream); };
  server.receive(std::string(method) + " / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(server.transcript.take(), EndsWith("end\ndone\n"));
  EXPECT_TRUE(server.codec.idle());
  return server.out.text;
}

TEST(Http1Server, FramesAnswersAsTheyNeed) {
  const auto unframed = [](TestServer& server, ServerStream& stream) { send_unframed(server, stream); };
  EXPECT_EQ(answer_to("GET", unframed),
            "HTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
  EXPECT_EQ(answer_to("HEAD", unframed), "HTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n");
  const auto empty = [](int status) {
    return [status](TestServer& server, ServerStream& stream) { server.answer(stream, status, ""); };
  };
  EXPECT_EQ(answer_to("GET", empty(404)), "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(answer_to("GET", empty(204)), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(answer_to("GET", empty(304)), "HTTP/1.1 304 Not Modified\r\n\r\n");
  EXPECT_EQ(answer_to("GET", empty(299)), "HTTP/1.1 299 Unknown\r\ncontent-length: 0\r\n\r\n");
  const auto with_length = [](int status) {
    return [status](TestServer& server, ServerStream& stream) { server.answer(stream, status, "12345"); };
  };
  EXPECT_EQ(answer_to("GET", with_length(200)), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345");
  EXPECT_EQ(answer_to("HEAD", with_length(200)), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  EXPECT_EQ(answer_to("GET", with_length(304)), "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n");
  EXPECT_EQ(answer_to("GET", with_length(204)), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(Http1Server, WritesFramingOnceWhateverTheListSays) {
  EXPECT_EQ(answer_to("GET",
                      [](TestServer& server, ServerStream& stream) {
                        server.answer(stream, 200, "ok",
                                      {{"transfer-encoding", "chunked"},
                                       {"connection", "x"},
                                       {"content-length", "2"},
                                       {"keep-alive", "1"},
                                       {"a", "b"}});
                      }),
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\na: b\r\n\r\nok");
  EXPECT_EQ(
      answer_to("GET", [](TestServer& server,
                          ServerStream& stream) { server.answer(stream, 200, "", {{"content-length", "nonsense"}}); }),
      "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

TEST(Http1Server, SendsTrailersAfterChunksOnly) {
  const auto respond = [](bool with_length) {
    return [with_length](TestServer& server, ServerStream& stream) {
      ResponseHead head(*server.arena);
      head.status = 200;
      if (with_length) {
        head.headers.add(HeaderId::content_length, "1");
      }
      stream.send_head(head, false);
      stream.send_body("x", false);
      HeaderList trailers(*server.arena);
      trailers.add("x-t", "1");
      trailers.add(HeaderId::content_length, "7");
      stream.send_trailers(trailers);
    };
  };
  EXPECT_THAT(answer_to("GET", respond(false)), EndsWith("\r\n\r\n1\r\nx\r\n0\r\nx-t: 1\r\n\r\n"));
  EXPECT_THAT(answer_to("GET", respond(true)), EndsWith("content-length: 1\r\n\r\nx"));
}

TEST(Http1Server, WritesLargeChunksWhole) {
  const std::string large(100'000, 'z');
  const std::string out = answer_to("GET", [&](TestServer& server, ServerStream& stream) {
    ResponseHead head(*server.arena);
    head.status = 200;
    stream.send_head(head, false);
    stream.send_body(large, true);
  });
  EXPECT_THAT(out, EndsWith("\r\n\r\n186a0\r\n" + large + "\r\n0\r\n\r\n"));
}

TEST(Http1Server, NeverSendsMoreThanItsLengthAndClosesIfLess) {
  for (const std::string_view body : {"abc", "a"}) {
    TestServer server;
    server.at_end = [&](ServerStream& stream) {
      ResponseHead head(*server.arena);
      head.status = 200;
      head.headers.add(HeaderId::content_length, "2");
      stream.send_head(head, false);
      stream.send_body(body, true);
    };
    server.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(server.out.text, EndsWith("content-length: 2\r\n\r\n" + std::string(body.substr(0, 2))));
    EXPECT_THAT(server.transcript.take(), EndsWith("end\ndone\nclose\n"));
  }
}

// ---- the connection's life

TEST(Http1Server, ClosesWhenTheClientAsksAndDropsTheRest) {
  const Result r = serve("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(r.transcript, "begin\nhead GET [/1] @a end\ndone\nclose\n");
  EXPECT_EQ(r.out, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
}

TEST(Http1Server, ClosesWhenItsUserAsks) {
  const Result r =
      serve("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", {}, [](TestServer& server) {
        server.at_head = [](ServerStream& stream, RequestHead&, bool) { stream.close_after(); };
      });
  EXPECT_EQ(r.transcript, "begin\nhead GET [/1] @a end\ndone\nclose\n");
  EXPECT_THAT(r.out, HasSubstr("connection: close\r\n"));
}

TEST(Http1Server, DrainsAnIdleConnectionAtOnceAndABusyOneAfterItsAnswer) {
  TestServer idle;
  idle.codec.drain();
  EXPECT_EQ(idle.transcript.take(), "close\n");

  TestServer busy;
  busy.at_end = nullptr;
  busy.receive("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  busy.codec.drain();
  busy.answer(*busy.stream, 200, "");
  EXPECT_EQ(busy.transcript.take(), "begin\nhead GET [/1] @a end\ndone\nclose\n");
  EXPECT_EQ(busy.out.text, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
}

TEST(Http1Server, AnswersAClientThatHalfClosed) {
  TestServer server;
  EXPECT_TRUE(server.codec.feed_end());
  TestServer owed;
  owed.at_end = nullptr;
  owed.receive("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(owed.codec.feed_end());
  owed.answer(*owed.stream, 200, "x");
  EXPECT_EQ(owed.out.text, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx");
  EXPECT_TRUE(owed.closed);
  for (const std::string_view part :
       {"GE", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"}) {
    TestServer cut;
    cut.receive(part);
    EXPECT_TRUE(cut.codec.feed_end()) << part;
  }
}

TEST(Http1Server, AnswersEarlyThenCloses) {
  // Answered in its head: what follows of the body is not taken.
  const Result r = serve("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /evil HTTP/1.1\r\n\r\n", {},
                         [](TestServer& server) {
                           server.at_head = [&server](ServerStream& stream, RequestHead&, bool) {
                             server.answer(stream, 404, "no");
                           };
                         });
  EXPECT_EQ(r.transcript, "begin\nhead POST [/] @a content-length=5\ndone\nclose\n");
  EXPECT_EQ(r.out, "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
}

TEST(Http1Server, AnswersEarlyInAChunk) {
  const Result r =
      serve("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", {},
            [](TestServer& server) {
              server.at_body = [&server](std::string_view) { server.answer(*server.stream, 200, "x"); };
            });
  EXPECT_EQ(r.transcript, "begin\nhead POST [/] @a\nbody a\ndone\nclose\n");
}

TEST(Http1Server, GoesOnTakingTheBodyWhileTheAnswerLasts) {
  TestServer server;
  server.at_end = nullptr;
  server.receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
  ResponseHead head(*server.arena);
  head.status = 200;
  server.stream->send_head(head, false);
  server.stream->send_body("x", false);
  server.receive("cdGET / HTTP/1.1\r\n");
  server.stream->send_body("", true);
  EXPECT_EQ(server.transcript.take(), "begin\nhead POST [/] @a content-length=4\nbody abcd\nend\ndone\nclose\n");
  EXPECT_EQ(server.out.text,
            "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
}

TEST(Http1Server, ResetsByClosing) {
  TestServer server;
  server.at_end = nullptr;
  server.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ResponseHead head(*server.arena);
  head.status = 200;
  server.stream->send_head(head, false);
  server.stream->reset();
  EXPECT_EQ(server.transcript.take(), "begin\nhead GET [/] @a end\ndone\nclose\n");
  EXPECT_THAT(server.out.text, Not(HasSubstr("0\r\n\r\n")));  // never as if it were whole
}

TEST(Http1Server, TellsOfABadBodyAfterTheAnswerBegan) {
  TestServer server;
  server.at_error = [](ServerStream& stream, const ProtocolError&) { stream.reset(); };
  server.receive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  ResponseHead head(*server.arena);
  head.status = 200;
  server.stream->send_head(head, false);
  server.receive("zz\r\n");
  EXPECT_THAT(server.transcript.take(), EndsWith("body a\nerror 400 http1.codec_error\ndone\nclose\n"));
}

// ---- tunnels

constexpr std::string_view kWebsocket =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: "
    "k\r\n\r\n";

void accept(TestServer& server, int status) {
  ResponseHead head(*server.arena);
  head.status = status;
  head.upgrade = true;
  server.stream->send_head(head, false);
}

TEST(Http1Server, HoldsWhatFollowsAnUpgradeUntilItIsAccepted) {
  TestServer server;
  server.receive(std::string(kWebsocket) + "early");
  EXPECT_EQ(server.transcript.take(), "begin\nhead GET [/ws] @a upgrade=websocket sec-websocket-key=k\n");
  EXPECT_EQ(server.held, "early");
  accept(server, 101);
  EXPECT_EQ(server.out.text, "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
  server.receive(" GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(server.transcript.take(), "body early GET / HTTP/1.1\r\n\r\n\n");
  server.stream->send_body("pong", false);
  EXPECT_THAT(server.out.text, EndsWith("\r\n\r\npong"));
  server.at_end = nullptr;
  server.receive_end();
  EXPECT_EQ(server.transcript.take(), "end\nend: owed\n");
  server.stream->send_body("bye", true);
  EXPECT_EQ(server.transcript.take(), "done\nclose\n");
  EXPECT_THAT(server.out.text, EndsWith("pongbye"));
}

TEST(Http1Server, EndsATunnelWhenItsUpstreamEnds) {
  TestServer server;
  server.receive(kWebsocket);
  accept(server, 101);
  server.stream->send_body({}, true);
  EXPECT_THAT(server.transcript.take(), EndsWith("done\nclose\n"));
}

TEST(Http1Server, DeliversAHalfCloseFromBeforeTheTunnel) {
  TestServer server;
  server.at_end = nullptr;
  server.receive(std::string(kWebsocket) + "all");
  server.receive_end();
  accept(server, 101);
  EXPECT_THAT(server.transcript.take(), EndsWith("end: owed\nbody all\nend\n"));
}

TEST(Http1Server, ClosesAfterARefusedUpgrade) {
  TestServer server;
  server.receive(std::string(kWebsocket) + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  server.answer(*server.stream, 403, "");
  EXPECT_THAT(server.transcript.take(), EndsWith("done\nclose\n"));
  EXPECT_EQ(server.out.text, "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
}

TEST(Http1Server, TreatsAnUpgradeAsAnOrdinaryRequestWhenToldTo) {
  const Result r = serve(std::string(kWebsocket) + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n", {}, [](TestServer& server) {
    server.at_head = [](ServerStream&, RequestHead& head, bool) { head.upgrade = false; };
  });
  EXPECT_EQ(
      r.transcript,
      "begin\nhead GET [/ws] @a upgrade=websocket sec-websocket-key=k\nend\ndone\nbegin\nhead GET [/2] @a end\ndone\n");
  EXPECT_EQ(r.out, std::string(kOk) + std::string(kOk));
}

TEST(Http1Server, TunnelsConnect) {
  TestServer server;
  server.receive("CONNECT b.test:443 HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03");
  EXPECT_EQ(server.transcript.take(), "begin\nhead CONNECT [] @b.test:443 upgrade=\n");
  accept(server, 200);
  EXPECT_EQ(server.out.text, "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(server.transcript.take(), "body \x16\x03\n");
}

TEST(Http1Server, IgnoresUpgradesItNeedNotHonour) {
  for (const std::string_view headers : {"Upgrade: websocket\r\n", "Connection: Upgrade\r\n",
                                         "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n",
                                         "Connection: Upgrade\r\nUpgrade:\r\n"}) {
    EXPECT_THAT(serve("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n").transcript,
                HasSubstr("@a end\n"))
        << headers;
  }
  EXPECT_THAT(
      serve("POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx")
          .transcript,
      HasSubstr("@a content-length=1\nbody x\nend\n"));
}

}  // namespace
}  // namespace remora::http
