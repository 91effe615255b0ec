#include "tests/scenarios/story.h"

#include <fmt/format.h>

#include <exception>
#include <stdexcept>

namespace remora::scenarios {
namespace {

constexpr std::string_view kProxy = "10.0.0.1";

std::string flow(std::string_view inside) { return inside.empty() ? "" : fmt::format(", {}", inside); }

}  // namespace

std::string bootstrap_of(const World& world) {
  std::vector<int> indices = world.endpoints;
  if (indices.empty()) {
    for (int i = 0; i < world.upstreams; ++i) {
      indices.push_back(i);
    }
  }
  std::string endpoints;
  for (const int i : indices) {
    endpoints += fmt::format("{}{{endpoint: {{address: {{socket_address: {{address: 10.0.1.{}, port_value: 80}}}}}}}}",
                             endpoints.empty() ? "" : ", ", i + 1);
  }
  const auto metadata = [](std::string_view inside) {
    return inside.empty() ? "" : fmt::format(", metadata: {{filter_metadata: {{remora: {{{}}}}}}}", inside);
  };
  const std::string route =
      fmt::format("{{match: {{prefix: /}}, route: {{cluster: up{}}}{}}}", flow(world.route), metadata(world.metadata));
  const std::string manager = fmt::format(
      "{{name: http, typed_config: {{'@type': "
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, "
      "stat_prefix: main, route_config: {{name: r, virtual_hosts: [{{name: all, domains: ['*'], routes: [{}{}]{}}}]}}, "
      "http_filters: [{{name: envoy.filters.http.router, typed_config: {{'@type': "
      "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]{}}}}}",
      world.routes.empty() ? "" : world.routes + ", ", route, flow(world.virtual_host), flow(world.manager));
  const std::string tunnel = fmt::format(
      "{{name: tcp, typed_config: {{'@type': "
      "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: main{}}}}}",
      flow(world.tcp));
  return fmt::format(
      "static_resources: {{listeners: [{{name: main, address: {{socket_address: {{address: {}, port_value: {}}}}}, "
      "filter_chains: [{{filters: [{}]}}]{}}}{}], clusters: [{{name: up, {}{}{}}}{}]}}\n",
      kProxy, world.port, world.tcp.empty() ? manager : tunnel, flow(world.listener), flow(world.listeners),
      world.discovery.empty() ? fmt::format("type: STATIC, load_assignment: {{cluster_name: up, endpoints: "
                                            "[{{lb_endpoints: [{}]}}]}}",
                                            endpoints)
                              : world.discovery,
      flow(world.cluster), metadata(world.cluster_metadata), flow(world.clusters));
}

xds::Bootstrap read_bootstrap_of(const World& world) {
  const std::string text = bootstrap_of(world);
  auto bootstrap = xds::read_bootstrap(text, "story.yaml", {});
  if (!bootstrap) {
    std::string words = "the story's configuration is wrong:\n";
    for (const auto& error : bootstrap.error()) {
      words += error.to_string() + "\n";
    }
    throw std::runtime_error(words + text);
  }
  if (world.found) {
    auto changed = std::make_shared<model::Snapshot>(*bootstrap->snapshot);
    auto up = std::make_shared<model::Cluster>(*changed->clusters.at("up"));
    world.found(*up);
    changed->clusters["up"] = std::move(up);
    bootstrap->snapshot = std::move(changed);
  }
  return std::move(*bootstrap);
}

Story::Story(const World& world)
    : seed_(testing::test_seed()),
      trace_(__FILE__, __LINE__, "REMORA_SEED=" + std::to_string(seed_)),
      loop_(seed_),
      network_(loop_, seed_ + 1),
      registry_({}),
      metrics_(&registry_.add_worker()),
      prepared_(
          std::make_shared<proxy::Prepared>(proxy::prepare(read_bootstrap_of(world).snapshot, shared_, nullptr))) {
  network_.weather = world.weather;
  for (int i = 0; i < world.upstreams; ++i) {
    const auto address = Address::parse(fmt::format("10.0.1.{}", i + 1), 80).value();
    upstreams_.push_back(std::make_unique<sim::FakeUpstream>(loop_, network_, address));
  }
  worker_ = std::make_unique<proxy::Worker>(loop_, network_, *metrics_, nullptr,
                                            proxy::WorkerOptions{.index = 0, .seed = seed_ + 2});
  if (const auto applied = worker_->apply(*prepared_); !applied.errors.empty()) {
    throw std::runtime_error(applied.errors.front().words);
  }
  loop_.settle();
}

Story::~Story() {
  for (Client& client : clients_) {
    if (client.peer) {
      client.peer->close(/*reset=*/true);
    }
  }
  if (std::uncaught_exceptions() == 0) {
    advance(100ms);
    expect_all_given_back();
    expect_no_leftovers();
  }
  worker_.reset();
  loop_.settle();
}

void Story::expect_all_given_back() {
  using Kind = upstream::ClusterLimits::Kind;
  if (!shared_.find("up")) {
    return;  // the story ended without it
  }
  const auto& limits = cluster().limits;
  EXPECT_EQ(limits.active(Kind::requests), 0U) << "requests are still counted as active";
  EXPECT_EQ(limits.active(Kind::pending), 0U) << "requests are still counted as pending";
  EXPECT_EQ(limits.active(Kind::retries), 0U) << "retries are still counted";
  EXPECT_EQ(cluster_metrics().requests_active.value(), 0);
  EXPECT_EQ(cluster_metrics().requests_pending.value(), 0);
  EXPECT_EQ(static_cast<std::int64_t>(limits.active(Kind::connections)), cluster_metrics().connections_active.value());
  EXPECT_EQ(worker_->active_connections(), 0U) << "downstream connections are left";
}

upstream::ClusterShared& Story::cluster(const std::string& name) { return *shared_.find(name)->shared; }

std::size_t Story::requests_upstream() const {
  std::size_t count = 0;
  for (const auto& upstream : upstreams_) {
    count += upstream->requests().size();
  }
  return count;
}

upstream::EndpointShared& Story::endpoint(std::size_t index, const std::string& cluster) {
  return *shared_.find(cluster)->endpoints.at(index);
}

proxy::Applied Story::reload(const World& world) {
  auto applied = adopt(read_bootstrap_of(world).snapshot);
  loop_.settle();
  return applied;
}

proxy::Applied Story::adopt(std::shared_ptr<const model::Snapshot> snapshot) {
  prepared_ = std::make_shared<proxy::Prepared>(proxy::prepare(std::move(snapshot), shared_, prepared_.get()));
  return worker_->apply(*prepared_);
}

void Story::expect_no_leftovers() {
  advance(2s);  // a connection that we closed gently lingers for a second
  const auto left = worker_->leftovers();
  EXPECT_EQ(left.listeners, 0U);
  EXPECT_EQ(left.contexts, 0U);
  EXPECT_EQ(left.clusters, 0U);
  EXPECT_EQ(left.endpoints, 0U);
}

sim::Peer& Story::client(int client) {
  const auto index = static_cast<std::size_t>(client);
  if (clients_.size() <= index || !clients_[index].peer) {
    client_connects(client, prepared_->listeners.front().address.port());
  }
  return *clients_[index].peer;
}

void Story::client_connects(int client, std::uint16_t port) {
  const auto index = static_cast<std::size_t>(client);
  if (clients_.size() <= index) {
    clients_.resize(index + 1);
  }
  auto transport = network_.connect(Address::parse(kProxy, port).value(), {});
  clients_[index].peer = std::make_unique<sim::Peer>(std::move(*transport));
}

void Story::client_sends(std::string_view request, std::string_view headers, std::string_view body, int client) {
  std::string bytes = fmt::format("{} HTTP/1.1\r\nhost: shop\r\n{}", request, headers);
  if (!body.empty()) {
    bytes += fmt::format("content-length: {}\r\n", body.size());
  }
  bytes += "\r\n";
  bytes += body;
  this->client(client);
  clients_[static_cast<std::size_t>(client)].heads.push_back(request.starts_with("HEAD "));
  client_sends_bytes(bytes, client);
}

void Story::client_sends_bytes(std::string_view bytes, int client) {
  this->client(client).send(bytes);
  advance(10ms);  // there over new connections, and back
}

sim::WireMessage Story::client_gets(int status, int client, Nanoseconds within) {
  sim::Peer& peer = this->client(client);
  auto& heads = clients_[static_cast<std::size_t>(client)].heads;
  const bool head = !heads.empty() && heads.front();
  const MonotonicTime until = now() + within;
  while (true) {
    if (auto response = sim::take_response(peer.received, peer.over(), head)) {
      if (response->status() / 100 != 1 && !heads.empty()) {
        heads.pop_front();
      }
      EXPECT_EQ(response->status(), status) << response->start_line << "\n" << response->body;
      return *response;
    }
    if (now() >= until) {
      ADD_FAILURE() << "no response came; so far: '" << peer.received << "'" << (peer.ended ? ", then FIN" : "")
                    << (peer.was_reset ? ", then RST" : "");
      return {};
    }
    advance(1ms);
  }
}

void Story::client_gets_nothing(int client) {
  advance(5ms);
  EXPECT_EQ(this->client(client).received, "");
  client_is_open(client);
}

void Story::client_is_closed(int client) {
  advance(5ms);
  EXPECT_TRUE(this->client(client).over()) << "the connection is still open";
}

void Story::client_is_open(int client) { EXPECT_FALSE(this->client(client).over()) << "the connection is closed"; }

void Story::client_leaves(int client) {
  this->client(client).close(/*reset=*/true);
  advance(5ms);
}

}  // namespace remora::scenarios
