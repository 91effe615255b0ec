// proxy/routing: the route of a request, in a small table and among many domains and routes.
#include <memory>

#include "bench/micro/allocations.h"
#include "proxy/routing/route_table.h"
#include "proxy/routing/split.h"

namespace remora::bench {
namespace {

model::Route prefix_route(std::string prefix) {
  model::Route route;
  route.match.path.text = std::move(prefix);
  model::RouteAction action;
  model::WeightedCluster cluster;
  cluster.name = "app";
  cluster.weight = 1;
  action.clusters.push_back(std::move(cluster));
  action.total_weight = 1;
  route.action = std::move(action);
  return route;
}

std::shared_ptr<const model::RouteConfiguration> table_of(int hosts, int routes) {
  auto table = std::make_shared<model::RouteConfiguration>();
  for (int h = 0; h < hosts; ++h) {
    model::VirtualHost host;
    host.name = "host" + std::to_string(h);
    host.domains = {"svc" + std::to_string(h) + ".example", "*.svc" + std::to_string(h) + ".example"};
    for (int r = 0; r + 1 < routes; ++r) {
      host.routes.push_back(prefix_route("/api/v" + std::to_string(r) + "/"));
    }
    host.routes.push_back(prefix_route("/"));
    table->virtual_hosts.push_back(std::move(host));
  }
  model::VirtualHost rest;
  rest.name = "rest";
  rest.domains = {"*"};
  rest.routes.push_back(prefix_route("/"));
  table->virtual_hosts.push_back(std::move(rest));
  return table;
}

void route_match(benchmark::State& state, int hosts, int routes, std::string_view authority) {
  const routing::RouteTable table(table_of(hosts, routes));
  BlockPool pool;
  Arena arena(pool);
  http::RequestHead head(arena);
  head.method = "GET";
  head.method_id = http::Method::get;
  head.authority = authority;
  head.path = "/checkout/cart?page=2";
  if (table.match(head, 1).route == nullptr) {
    state.SkipWithError("no route");
    return;
  }
  const AllocationScope scope(state);
  for (auto _ : state) {
    const routing::Match match = table.match(head, 1);
    benchmark::DoNotOptimize(routing::split(std::get<model::RouteAction>(match.route->action), head, 1));
  }
}
BENCHMARK_CAPTURE(route_match, one_route, 0, 0, "bench.local");
BENCHMARK_CAPTURE(route_match, exact_of_200_hosts_last_of_20, 200, 20, "svc150.example");
BENCHMARK_CAPTURE(route_match, suffix_of_200_hosts_last_of_20, 200, 20, "a.svc150.example");

}  // namespace
}  // namespace remora::bench
