// Story: one worker between clients and upstreams in a simulated world, told in sentences:
//   Story story({.route = "timeout: 2s"});
//   story.upstream().next(silence());
//   story.client_sends("GET /");
//   story.advance(2s);
//   story.client_gets(504);
// Time passes only in `advance` and, by a few milliseconds of network, in the client_* calls. A test's own object.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/registry.h"
#include "proxy/worker.h"
#include "proxy/xds/bootstrap.h"
#include "tests/seed.h"
#include "tests/sim/fake_upstream.h"
#include "tests/sim/peer.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/wire.h"

namespace remora::scenarios {

using namespace std::chrono_literals;
using sim::answer;
using sim::hang_up;
using sim::reset;
using sim::say;
using sim::silence;

// What differs from the plain world; each is the inside of a YAML flow mapping.
struct World {
  std::string route = {};             // of the RouteAction: "timeout: 2s, retry_policy: {...}"
  std::string metadata = {};          // of the route's filter_metadata.remora
  std::string cluster = {};           // of the Cluster
  std::string cluster_metadata = {};  // of the cluster's filter_metadata.remora
  std::string manager = {};           // of the HttpConnectionManager
  std::string listener = {};          // of the Listener
  std::string virtual_host = {};      // of the VirtualHost
  int upstreams = 1;
  sim::Weather weather = {};
  std::string tcp = {};             // of a TcpProxy: then there is no HTTP
  std::string clusters = {};        // more of them, beside "up", each a flow mapping
  std::string routes = {};          // more of them, before the one for everything
  std::string listeners = {};       // more of them, beside "main"
  std::uint16_t port = 8080;        // of "main", at 10.0.0.1
  std::vector<int> endpoints = {};  // of "up": which upstreams; none said: all
  std::string discovery = {};       // of "up", in place of `endpoints`: "cluster_type: {...}"
  // What a source of endpoints would do to "up".
  std::function<void(model::Cluster&)> found = {};
};

// The bootstrap of that world, and who reads it; throws what is wrong with it.
std::string bootstrap_of(const World& world);
xds::Bootstrap read_bootstrap_of(const World& world);

class Story {
 public:
  explicit Story(const World& world = {});
  ~Story();
  Story(const Story&) = delete;
  Story& operator=(const Story&) = delete;

  sim::FakeUpstream& upstream(std::size_t index = 0) { return *upstreams_.at(index); }
  std::size_t requests_upstream() const;

  // The configuration of another world: the upstreams stay those of the first.
  proxy::Applied reload(const World& world);
  proxy::Applied adopt(std::shared_ptr<const model::Snapshot> snapshot);
  // What no request needs any more is gone a moment later.
  void expect_no_leftovers();

  // Clients are numbered, and connect with their first words. "GET /path", with headers (whole lines) and body if any,
  // is made into a whole request.
  void client_sends(std::string_view request, std::string_view headers = "", std::string_view body = "",
                    int client = 0);
  void client_sends_bytes(std::string_view bytes, int client = 0);
  // The next response, which is there or comes within `within`, and has this status.
  sim::WireMessage client_gets(int status, int client = 0, Nanoseconds within = 20ms);
  // Nothing came, and nothing comes within a few milliseconds; the connection is open.
  void client_gets_nothing(int client = 0);
  void client_is_closed(int client = 0);
  void client_is_open(int client = 0);
  void client_leaves(int client = 0);  // by RST: a FIN alone may mean that it still listens
  sim::Peer& client(int client = 0);
  void client_connects(int client, std::uint16_t port);  // to another listener than "main"

  void advance(Nanoseconds time) { loop_.advance(time); }
  MonotonicTime now() const { return loop_.now(); }

  proxy::Worker& worker() { return *worker_; }
  metrics::TunnelSeries& tunnels() { return *metrics_->tunnels("", "up"); }
  metrics::ClusterSeries& cluster_metrics() { return *metrics_->cluster("up"); }
  upstream::ClusterShared& cluster(const std::string& name = "up");
  upstream::EndpointShared& endpoint(std::size_t index = 0, const std::string& cluster = "up");
  sim::SimLoop& loop() { return loop_; }
  sim::SimNetwork& network() { return network_; }
  std::uint64_t seed() const { return seed_; }

  // Nothing is left of any request. Each story ends with this.
  void expect_all_given_back();

 private:
  const std::uint64_t seed_;
  ::testing::ScopedTrace trace_;
  sim::SimLoop loop_;
  sim::SimNetwork network_;
  metrics::Registry registry_;
  metrics::WorkerMetrics* metrics_;
  upstream::SharedState shared_{1};
  std::shared_ptr<const proxy::Prepared> prepared_;
  std::vector<std::unique_ptr<sim::FakeUpstream>> upstreams_;
  std::unique_ptr<proxy::Worker> worker_;
  struct Client {
    std::unique_ptr<sim::Peer> peer = nullptr;
    std::deque<bool> heads = {};  // of the requests not answered yet: was it HEAD?
  };
  std::vector<Client> clients_;
};

}  // namespace remora::scenarios
