// What the HTTP/1 server must refuse, and with what; each fed in every split, so that no boundary hides anything.
#include <gmock/gmock.h>

#include "tests/unit/http/http1_fixture.h"

namespace remora::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// "400 http1.codec_error" of a head, "body: 400 ..." of a body, or the whole transcript when nothing was refused.
std::string refusal(std::string_view bytes, const CodecLimits& limits = {}) {
  std::optional<std::string> first;
  for_each_split(bytes, [&](const std::vector<std::string_view>& pieces) {
    TestServer server(limits);
    server.at_head = [](ServerStream&, RequestHead& head, bool) { head.upgrade = false; };
    for (const std::string_view piece : pieces) {
      server.receive(piece);
    }
    std::string transcript = server.transcript.take();
    const std::size_t bad = transcript.find("bad ");
    const std::size_t error = transcript.find("error ");
    const bool refused = bad != std::string::npos || error != std::string::npos;
    if (refused) {
      EXPECT_TRUE(server.closed);
      EXPECT_THAT(server.out.text, HasSubstr("connection: close\r\n"));
      EXPECT_THAT(transcript, ::testing::EndsWith("done\nclose\n"));
      transcript = bad != std::string::npos ? transcript.substr(bad + 4) : "body: " + transcript.substr(error + 6);
      transcript.resize(transcript.find('\n'));
    }
    if (!first) {
      first = transcript;
    }
    ASSERT_EQ(transcript, *first);
  });
  return *first;
}

std::string get(std::string_view headers) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n";
}
std::string post(std::string_view headers, std::string_view body = "") {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n" + std::string(body);
}
std::string chunks(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

constexpr std::string_view kCodec = "400 http1.codec_error";
constexpr std::string_view kCharacters = "400 http1.invalid_characters";
constexpr std::string_view kCoding = "400 http1.invalid_transfer_encoding";
constexpr std::string_view kBoth = "400 http1.content_length_and_chunked_not_allowed";

TEST(Http1Refusals, AmbiguousLengths) {
  EXPECT_EQ(refusal(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")), kBoth);
  EXPECT_EQ(refusal(post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")), kBoth);
  EXPECT_EQ(refusal(post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello")), kBoth);
  EXPECT_EQ(refusal(post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")), kCodec);
  EXPECT_EQ(refusal(post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")), kCodec);
  for (const std::string_view length : {"5, 5", "+5", "-5", "", " ", "0x5", "5 5", "5a", "a", "5,", "1e1", "5.0",
                                        "18446744073709551616", "99999999999999999999999"}) {
    EXPECT_EQ(refusal(post("Content-Length: " + std::string(length) + "\r\n", "hello")), kCodec) << length;
  }
  EXPECT_THAT(refusal(post("Content-Length: 005  \r\n", "hello")), HasSubstr("body hello\nend\n"));
}

TEST(Http1Refusals, UnknownOrRepeatedCodings) {
  for (const std::string_view coding :
       {"gzip, chunked", "chunked, chunked", "chunked, gzip", "foo", "identity", "\"chunked\"", "xchunked", "chunkedx",
        "chunked;a=b", "chunked,", ",chunked", "", "chunke", "chunked\tx"}) {
    EXPECT_EQ(refusal(post("Transfer-Encoding: " + std::string(coding) + "\r\n", "0\r\n\r\n")), kCoding) << coding;
  }
  EXPECT_EQ(refusal(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")), kCoding);
  EXPECT_EQ(refusal(post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")), kCoding);
  EXPECT_EQ(refusal(post("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", "0\r\n\r\n")), kCoding);
  EXPECT_THAT(refusal(post("Transfer-Encoding:  CHUNKED \r\n", "0\r\n\r\n")), HasSubstr("\nend\n"));
  CodecLimits limits;
  limits.accept_http_10 = true;
  EXPECT_EQ(refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", limits),
            "400 http1.transfer_encoding_not_allowed");
}

TEST(Http1Refusals, LinesThatDoNotEndInCrLf) {
  EXPECT_EQ(refusal("GET / HTTP/1.1\nHost: a\n\n"), kCodec);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\n\r\n"), kCodec);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\n\n"), kCodec);
  EXPECT_EQ(refusal("GET / HTTP/1.1\rHost: a\r\n\r\n"), kCodec);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\rX: b\r\n\r\n"), kCodec);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"), kCodec);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\rX"), kCodec);
  EXPECT_EQ(refusal(get("X: a\r\n b\r\n")), kCodec);
  EXPECT_EQ(refusal(get("X: a\r\n\tb\r\n")), kCodec);
  EXPECT_EQ(refusal(get("X:\r\n b\r\n")), kCharacters);
  EXPECT_EQ(refusal(post("Transfer-Encoding:\r\n chunked\r\n")), kCharacters);
  EXPECT_EQ(refusal(post("Content-Length:\r\n 5\r\n", "hello")), kCharacters);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n"), kCodec);
}

TEST(Http1Refusals, BadNames) {
  for (const std::string_view line :
       {"X : a", "X\t: a", ": a", "Xyz", "X y: a", "X(: a", "X\x80: a", "X/: a", "\"X\": a", "X[]: a", "X@: a"}) {
    EXPECT_EQ(refusal(get(std::string(line) + "\r\n")), kCodec) << line;
  }
  EXPECT_EQ(refusal(get(std::string("X\0: a\r\n", 7))), kCodec);
  EXPECT_THAT(refusal(get("!#$%&'*+-.^_`|~09aZ: a\r\n")), HasSubstr(" !#$%&'*+-.^_`|~09az=a"));
}

// Each of the 256 bytes, at the start, inside and at the end of values, of headers that llhttp reads in states of their
// own too: no control character but tab ever passes.
TEST(Http1Refusals, ControlCharactersInAnyValue) {
  for (const std::string_view name :
       {"X", "Connection", "Upgrade", "Content-Length", "Transfer-Encoding", "Host", "Proxy-Connection", "Expect"}) {
    for (const std::string_view value : {"?aa", "a?a", "aa?", "?", "close?", "chunked?", "5?", "clo?se", "upgrade,?"}) {
      for (int c = 0; c < 256; ++c) {
        if ((c >= 0x20 && c != 0x7f) || c == '\t') {
          continue;
        }
        std::string bytes = get(std::string(name) + ": " + std::string(value) + "\r\n");
        bytes[bytes.find('?')] = static_cast<char>(c);
        TestServer server;
        server.receive(bytes);
        EXPECT_THAT(server.transcript.take(), HasSubstr("bad 400")) << name << ": " << value << " " << c;
      }
    }
  }
  EXPECT_EQ(refusal(get(std::string("X: a\0b\r\n", 8))), kCharacters);
  EXPECT_EQ(refusal(get("X: \x7f\r\n")), kCharacters);
  EXPECT_THAT(refusal(get("X: \xc3\xa4\t\xff\r\n")), HasSubstr("x=\xc3\xa4\t\xff"));
}

TEST(Http1Refusals, Hosts) {
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n\r\n"), "400 missing_host_header");
  EXPECT_EQ(refusal("GET http://a/ HTTP/1.1\r\n\r\n"), "400 missing_host_header");
  EXPECT_EQ(refusal(get("Host: a\r\n")), kCodec);
  EXPECT_EQ(refusal(get("host: b\r\n")), kCodec);
  for (const std::string_view host :
       {"a b",    "a/b",     "a@b", "a,b", "http://a", "a:b", "a:80:80", "a:123456", "[::1", "::1",     "[]",
        "[::1]x", "[::1]:x", "a?b", "a#b", "a\\b",     "<a>", "\"a\"",   "a\tb",     ":80",  "\xc3\xa4"}) {
    EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), kCodec) << host;
  }
  for (const std::string_view host :
       {"", "a", "a:", "a:80", "A.b-c_d:65535", "[::1]", "[::1]:8080", "127.0.0.1", "a%20b", "[fe80::1%25eth0]"}) {
    EXPECT_THAT(refusal("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"),
                StartsWith("begin\nhead GET [/] @" + std::string(host) + " end\n"));
  }
}

TEST(Http1Refusals, RequestLines) {
  const auto line = [](std::string_view first) { return refusal(std::string(first) + "\r\nHost: a\r\n\r\n"); };
  EXPECT_EQ(line("FOO / HTTP/1.1"), kCodec);
  EXPECT_EQ(line("get / HTTP/1.1"), kCodec);
  EXPECT_EQ(line("GE"), kCodec);
  EXPECT_EQ(line("G@T / HTTP/1.1"), kCodec);
  EXPECT_EQ(line(" GET / HTTP/1.1"), kCodec);
  EXPECT_EQ(line("GET  / HTTP/1.1"), kCodec);
  EXPECT_EQ(line("GET /  HTTP/1.1"), kCodec);
  EXPECT_EQ(line("GET / HTTP/1.1 "), kCodec);
  EXPECT_EQ(line("GET\t/ HTTP/1.1"), kCodec);
  EXPECT_EQ(line("GET /\tHTTP/1.1"), kCodec);
  EXPECT_EQ(line("GET / http/1.1"), kCodec);
  EXPECT_EQ(line("GET / HTTP/11"), kCodec);
  EXPECT_EQ(line("GET / HTTP1.1"), kCodec);
  EXPECT_EQ(line("GET / HTTP/1.1x"), kCodec);
  EXPECT_EQ(line("GET / HTTP/01.1"), kCodec);
  EXPECT_EQ(line("GET / RTSP/1.1"), kCodec);
  EXPECT_EQ(line("DESCRIBE / RTSP/1.0"), kCodec);
  EXPECT_EQ(line("SOURCE / ICE/1.0"), kCodec);
  EXPECT_EQ(line("GET"), kCodec);
  EXPECT_EQ(line("GET "), kCodec);
  EXPECT_EQ(line("GET up/a HTTP/1.1"), kCodec);
  EXPECT_EQ(line("GET /\x80 HTTP/1.1"), kCodec);
  EXPECT_EQ(line("GET /\x01 HTTP/1.1"), kCodec);
  EXPECT_EQ(line("GET /\x7f HTTP/1.1"), kCodec);
  EXPECT_EQ(refusal(std::string("\0", 1)), kCodec);
  EXPECT_EQ(refusal("\x16\x03\x01\x02"), kCodec);
  EXPECT_EQ(line("GET /"), "426 low_version");
  EXPECT_EQ(line("GET / HTTP/0.9"), "426 low_version");
  EXPECT_EQ(line("GET / HTTP/1.0"), "426 low_version");
  EXPECT_EQ(line("GET / HTTP/1.2"), "426 low_version");
  EXPECT_EQ(line("GET / HTTP/2.0"), "426 low_version");
  EXPECT_EQ(line("GET / HTTP/3.0"), "426 low_version");
  EXPECT_THAT(refusal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), StartsWith("4"));
}

TEST(Http1Refusals, Targets) {
  const auto target = [](std::string_view method, std::string_view t) {
    return refusal(std::string(method) + " " + std::string(t) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  };
  EXPECT_EQ(target("GET", "/a#b"), "400 path_normalization_failed");
  EXPECT_EQ(target("GET", "http://b/#"), "400 path_normalization_failed");
  EXPECT_EQ(target("GET", "*"), "400 http1.invalid_url");
  EXPECT_EQ(target("GET", "ftp://b/"), "400 http1.invalid_scheme");
  EXPECT_EQ(target("GET", "http://u@b/"), kCodec);
  EXPECT_EQ(target("GET", "http://u:p@b/"), kCodec);
  EXPECT_EQ(target("GET", "http:///"), kCodec);
  EXPECT_EQ(target("GET", "http://?"), kCodec);
  EXPECT_EQ(target("GET", "http://"), kCodec);
  EXPECT_EQ(target("GET", "http://b:x/"), kCodec);
  EXPECT_THAT(target("CONNECT", "/"), StartsWith("400"));
  EXPECT_THAT(target("CONNECT", "a"), StartsWith("400"));
  EXPECT_THAT(target("CONNECT", "a:"), StartsWith("400"));
  EXPECT_THAT(target("CONNECT", ":1"), StartsWith("400"));
  EXPECT_THAT(target("CONNECT", "http://a:1"), StartsWith("400"));
  EXPECT_THAT(target("CONNECT", "u@a:1"), StartsWith("400"));
  EXPECT_EQ(refusal("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"), "400 http1.body_disallowed");
  CodecLimits no_absolute;
  no_absolute.absolute_form = false;
  EXPECT_EQ(refusal("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", no_absolute), "400 absolute_path_rejected");
}

TEST(Http1Refusals, Chunks) {
  constexpr std::string_view kBody = "body: 400 http1.codec_error";
  for (const std::string_view body : {"x\r\n",
                                      "\r\n",
                                      " 5\r\nhello\r\n",
                                      "5 \r\nhello\r\n",
                                      "5\nhello\r\n",
                                      "5\rhello\r\n",
                                      "5\r\nhelloX",
                                      "5\r\nhello\n",
                                      "5\r\nhello\rX",
                                      "-5\r\n",
                                      "+5\r\n",
                                      "0x5\r\n",
                                      "10000000000000000\r\n",
                                      "fffffffffffffffff\r\n",
                                      "5;\x01=a\r\n",
                                      "5;a=\x01\r\n",
                                      "5;a=b\n",
                                      "5;a=\"b\r\n",
                                      "5;a=b\rc",
                                      "5,\r\n",
                                      "5\t\r\n",
                                      "0\r\nX : a\r\n\r\n",
                                      "0\r\nX: \x01\r\n\r\n",
                                      "0\r\n X: a\r\n\r\n",
                                      "0\r\nX: a\r\n b\r\n\r\n",
                                      "0\r\nContent-Length: 5\r\n\r\n",
                                      "0\r\n\n",
                                      "0\n\r\n",
                                      "5;\r\nhello\r\n0\r\n\rX"}) {
    const std::string first = std::string(body) + "0\r\n\r\n";
    EXPECT_THAT(refusal(chunks(first)), StartsWith("body: 400")) << body;
    EXPECT_THAT(refusal(chunks("3\r\nabc\r\n" + first)), StartsWith("body: 400")) << body;
  }
  EXPECT_EQ(refusal(chunks("5\r\nhello\r\nxyz\r\n")), kBody);
}

TEST(Http1Refusals, ConnectionNamingWhatIsNotHopByHop) {
  for (const std::string_view name :
       {"Host", "Content-Length", "Transfer-Encoding", "X-Forwarded-For", "x-forwarded-proto", "authorization",
        "Cookie", "Forwarded", "x-envoy-internal"}) {
    EXPECT_EQ(refusal(get("Connection: close, " + std::string(name) + "\r\n")), "400 http1.connection_header_rejected")
        << name;
  }
}

TEST(Http1Refusals, UnknownExpectations) {
  EXPECT_EQ(refusal(post("Expect: magic\r\nContent-Length: 1\r\n", "x")), "417 http1.expectation_unknown");
}

TEST(Http1Refusals, WhatIsOverTheLimits) {
  CodecLimits limits;
  limits.max_head_bytes = 256;
  limits.max_headers = 5;
  limits.max_body_bytes = 10;
  constexpr std::string_view kLarge = "431 http1.headers_too_large";
  EXPECT_EQ(refusal("GET /" + std::string(300, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits), kLarge);
  EXPECT_EQ(refusal("GET /" + std::string(300, 'a'), limits), kLarge);
  EXPECT_EQ(refusal(get("X: " + std::string(300, 'a') + "\r\n"), limits), kLarge);
  EXPECT_EQ(refusal(get(std::string(300, 'a') + ": b\r\n"), limits), kLarge);
  EXPECT_EQ(refusal(get("X: " + std::string(300, 'a') + "\x01\r\n"), limits), kLarge);  // not 400, however it is split
  // Exactly the limit passes.
  const std::string frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
  EXPECT_THAT(refusal("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(256 - frame.size(), 'a') + "\r\n\r\n", limits),
              StartsWith("begin\nhead GET"));
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(257 - frame.size(), 'a') + "\r\n\r\n", limits),
            kLarge);

  EXPECT_THAT(refusal(get("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n"), limits), HasSubstr(" a=1 b=2 c=3 d=4 end"));
  EXPECT_EQ(refusal(get("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE:\r\n"), limits), "431 http1.too_many_headers");

  EXPECT_EQ(refusal(post("Content-Length: 11\r\n", "hello"), limits), "413 request_payload_too_large");
  EXPECT_THAT(refusal(post("Content-Length: 10\r\n", "0123456789"), limits), HasSubstr("body 0123456789\nend\n"));
  EXPECT_EQ(refusal(chunks("a\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n"), limits), "body: 413 request_payload_too_large");
  EXPECT_THAT(refusal(chunks("a\r\n0123456789\r\n0\r\n\r\n"), limits), HasSubstr("body 0123456789\nend\n"));

  EXPECT_EQ(refusal(chunks("0\r\nX: " + std::string(300, 'a') + "\r\n\r\n"), limits),
            "body: 431 http1.headers_too_large");
  EXPECT_EQ(refusal(chunks("0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: 6\r\n\r\n"), limits),
            "body: 431 http1.too_many_headers");
  std::string extensions;
  for (int i = 0; i < 20; ++i) {
    extensions += "1;" + std::string(20, 'e') + "\r\nx\r\n";
  }
  limits.max_body_bytes = 0;
  EXPECT_EQ(refusal(chunks(extensions), limits), "body: 400 http1.codec_error");
}

// More headers than the scratch holds, in every split.
TEST(Http1Refusals, ManyHeadersPass) {
  CodecLimits limits;
  limits.max_headers = 200;
  std::string headers;
  std::string shown;
  for (int i = 0; i < 180; ++i) {
    headers += "X" + std::to_string(i) + ": v" + std::to_string(i) + "\r\n";
    shown += " x" + std::to_string(i) + "=v" + std::to_string(i);
  }
  EXPECT_THAT(refusal("GET / HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n", limits),
              StartsWith("begin\nhead GET [/] @a" + shown + " end\n"));
}

}  // namespace
}  // namespace remora::http
