// AdsStream: one discovery stream: what a proxy asks for by it, and what it is sent, in an order in which nothing that
// is referred to is missing: clusters, endpoints, secrets, listeners, routes; what goes away goes after that, the other
// way round. What uses a new cluster waits until the client has asked for that cluster's endpoints and got them, for a
// while; nothing waits for an ACK. State of the world and delta, aggregated or of one type.
// Owned by AdsServer; main thread. Source: Envoy's xds_protocol.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/server/resource_cache.h"
#include "control/server/subscription.h"
#include "core/event/loop.h"
#include "core/grpc/stream.h"

namespace envoy::service::discovery::v3 {
class DeltaDiscoveryRequest;
class DiscoveryRequest;
}  // namespace envoy::service::discovery::v3

namespace remora::control {

class AdsServer;

class AdsStream final : public Retirable, public grpc::StreamEvents {
 public:
  struct Kind {
    bool delta = false;
    std::optional<Type> only;  // of a service for one type; none: aggregated
  };

  AdsStream(AdsServer& server, std::uint64_t id, Kind kind, std::string peer, std::unique_ptr<grpc::Stream> stream);

  // Asks the provider again, and sends what is new.
  void refresh();

  std::uint64_t id() const { return id_; }
  const Kind& kind() const { return kind_; }
  const std::string& peer() const { return peer_; }
  WallTime since() const { return since_; }
  const std::optional<Node>& node() const { return node_; }
  const NodeResourcesPtr& resources() const { return resources_; }
  bool returns() const { return returns_; }
  const Subscription& subscription(Type type) const { return talk(type).wanted; }
  const Exchanged& exchanged(Type type) const { return talk(type).exchanged; }

 private:
  struct Talk {
    explicit Talk(Type type) : wanted(type) {}
    Subscription wanted;
    Exchanged exchanged;
    ResourceSet::ByName sent;  // state of the world, clusters: what the last response listed
    ResourceSetPtr looked_at;  // nothing new in it since
  };
  Talk& talk(Type type) { return talks_[static_cast<std::size_t>(type)]; }
  const Talk& talk(Type type) const { return talks_[static_cast<std::size_t>(type)]; }

  // grpc::StreamEvents
  void on_message(std::string_view message) override;
  void on_half_closed() override;
  void on_writable() override;
  void on_closed(const grpc::Status& status) override;

  void on_state_of_the_world(std::string_view message);
  void on_delta(std::string_view message);
  template <typename Request>
  bool read_node(const Request& request);
  template <typename Request>
  std::optional<Type> read_type(const Request& request);
  // False: the nonce is an old one.
  template <typename Request>
  bool read_nonce(const Request& request, Talk& talk, bool& repeated);
  void refuse(const std::string& words);

  void pump();
  bool may_send() const;
  void send_changed(Type type);
  void send_removed(Type type);
  void send_full(Type type, bool with_stale);
  void send_part(Talk& talk, const Subscription::Diff& diff);
  void send_delta(Talk& talk, const Subscription::Diff& diff, bool removals);
  void note_clusters(const Subscription::Diff& clusters);
  bool warming();
  void on_warming_over();
  void after_response(Talk& talk, std::string nonce, std::string version);
  std::string next_nonce();

  AdsServer& server_;
  const std::uint64_t id_;
  const Kind kind_;
  const std::string peer_;
  const WallTime since_;
  std::unique_ptr<grpc::Stream> stream_;
  std::optional<Node> node_;
  NodeResourcesPtr resources_;
  bool returns_ = false;     // it came with what another stream, or its disk, gave it
  std::vector<Talk> talks_;  // one a type
  std::uint64_t nonces_ = 0;
  std::set<std::string> warming_;  // endpoints of new clusters that the client did not get yet
  Timer warming_timer_;
};

}  // namespace remora::control
