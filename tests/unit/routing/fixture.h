// What the routing tests share: heads in an arena, and routes in few words.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "core/http/message.h"
#include "proxy/model/route.h"

namespace remora::routing {

struct Heads : ::testing::Test {
  BlockPool pool;
  Arena arena{pool};

  http::RequestHead get(std::string_view authority, std::string_view path) {
    http::RequestHead head(arena);
    head.method = "GET";
    head.method_id = http::Method::get;
    head.authority = authority;
    head.path = path;
    return head;
  }
};

inline model::Route route_to(const std::string& cluster, model::PathMatch::Kind kind, const std::string& text) {
  model::Route route;
  route.name = cluster;
  route.match.path.kind = kind;
  route.match.path.text = text;
  if (kind == model::PathMatch::Kind::regex) {
    route.match.path.regex = model::Regex::compile(text).value();
  }
  model::RouteAction action;
  action.clusters.push_back({cluster, 1, {}, {}});
  action.total_weight = 1;
  route.action = std::move(action);
  return route;
}

inline model::Route prefix(const std::string& cluster, const std::string& text) {
  return route_to(cluster, model::PathMatch::Kind::prefix, text);
}

}  // namespace remora::routing
