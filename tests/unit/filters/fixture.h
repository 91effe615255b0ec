// An exchange as filters see it: a request, a response, and the facts about them. For the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/base/arena.h"
#include "core/http/message.h"
#include "proxy/info/request_info.h"
#include "proxy/model/format.h"

namespace remora::proxy {

inline model::Format format_of(std::string_view text) {
  auto format = model::Format::parse(text);
  EXPECT_TRUE(format.has_value()) << (format ? std::string() : format.error().message);
  return format ? *format : model::Format();
}

struct TestExchange {
  BlockPool pool;
  Arena arena{pool};
  http::RequestHead request{arena};
  http::ResponseHead response{arena};
  ConnectionFacts connection;
  model::Route route;
  model::Cluster cluster;
  RequestInfo info;

  TestExchange() {
    using namespace std::chrono_literals;
    request.method = "GET";
    request.path = "/a?b=1";
    request.authority = "shop:80";
    request.headers.add("x-a", "aval");
    request.headers.add("x-empty", "");
    request.headers.add("x-dup", "1");
    request.headers.add("x-dup", "2");
    response.status = 200;
    response.headers.add(http::HeaderId::content_type, "text/plain");
    connection.id = 7;
    connection.remote = *Address::parse("10.0.0.9", 5555);
    connection.local = *Address::parse("10.0.0.1", 8080);
    connection.remote_text = "10.0.0.9:5555";
    connection.remote_ip = "10.0.0.9";
    connection.local_text = "10.0.0.1:8080";
    route.name = "main";
    cluster.name = "api";
    info.connection = &connection;
    info.start_wall = WallTime(1795555080s + 659028001ns);
    info.start = MonotonicTime(1s);
    info.request_end = info.start + 1ms;
    info.upstream_begin = info.start + 1ms;
    info.upstream_sent = info.start + 2ms;
    info.response_begin = info.start + 12ms;
    info.response_end = info.start + 15ms;
    info.end = info.start + 16999us;
    info.own = 42us;
    info.request = &request;
    info.response = &response;
    info.request_id = "my-id";
    info.trace_id = "0af7651916cd43dd8448eb211c80319c";
    info.response_code = 200;
    info.response_code_details = "via_upstream";
    info.bytes_received = 3;
    info.bytes_sent = 5;
    info.route = &route;
    info.cluster = &cluster;
    info.upstream_host_text = "10.1.0.1:80";
    info.upstream_local_text = "10.0.0.1:40000";
    info.attempts = 1;
  }
};

}  // namespace remora::proxy
