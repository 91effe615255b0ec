// RouteTable: finds the route of a request head. Compiled once from a RouteConfiguration, which it keeps alive; part of
// what a Snapshot's listener hands to its workers; immutable; any thread. Semantics: Envoy's router (virtual host by
// authority, then the first route whose every condition holds; the path is compared without query and fragment).
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/http/message.h"
#include "proxy/model/route.h"
#include "proxy/routing/domain_table.h"

namespace remora::routing {

// Where a request goes, or why it goes nowhere.
struct Match {
  const model::VirtualHost* virtual_host = nullptr;  // null: no domain matched
  const model::Route* route = nullptr;               // null: no route matched
};

class RouteTable {
 public:
  explicit RouteTable(std::shared_ptr<const model::RouteConfiguration> configuration);

  // `random` decides runtime fractions; give the same number to `split`, as Envoy does, so that one request has one
  // fate. Text that has to be joined for header matchers goes to the head's arena.
  Match match(const http::RequestHead& head, std::uint64_t random) const;

  // Does this one route match? For explanations ("what would route X do").
  static bool matches(const model::Route& route, const http::RequestHead& head, std::uint64_t random);

  const model::RouteConfiguration& configuration() const { return *configuration_; }

 private:
  std::shared_ptr<const model::RouteConfiguration> configuration_;
  DomainTable domains_;
};

// A path without its query and fragment.
std::string_view path_only(std::string_view path);

}  // namespace remora::routing
