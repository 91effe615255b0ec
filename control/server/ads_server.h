// AdsServer: Envoy's discovery services over gRPC: aggregated, and one for each type; state of the world and delta. It
// holds no state but that of its streams: what nodes get comes from a ResourceProvider, and changes are pushed a moment
// after the last of them. Owned by control's main; main thread. Source: Envoy's xds_protocol.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "control/server/ads_stream.h"
#include "control/server/resource_cache.h"
#include "core/event/loop.h"
#include "core/grpc/server.h"

namespace remora::control {

struct AdsOptions {
  // A change is pushed when nothing changed for `quiet`, or `most` after the first one.
  Nanoseconds quiet = Milliseconds(10);
  Nanoseconds most = Milliseconds(100);
  std::string identifier = "remora-control";  // control_plane.identifier of responses
  // A delta client that comes back names every resource that it has: more than gRPC's default of 4 MiB in a large mesh.
  grpc::ServerOptions grpc = {.max_message_bytes = std::size_t{16} << 20};
  std::function<void(const std::string&)> log = {};
};

struct AdsCounters {
  std::uint64_t streams = 0;  // ever opened
  std::uint64_t requests = 0;
  std::uint64_t responses = 0;
  std::uint64_t acks = 0;
  std::uint64_t nacks = 0;
  std::uint64_t pushes = 0;  // rounds after a change
};

class AdsServer {
 public:
  // All references outlive it.
  AdsServer(const net::ConnectionContext& context, net::Network& network, ResourceProvider& provider,
            AdsOptions options = {});
  AdsServer(const AdsServer&) = delete;
  AdsServer& operator=(const AdsServer&) = delete;
  ~AdsServer();

  Result<void> listen(const Address& at) { return server_.listen(at); }
  Address address() const { return server_.address(); }
  void drain(Nanoseconds grace) { server_.drain(grace); }

  // By the order of their opening.
  const std::map<std::uint64_t, std::unique_ptr<AdsStream>>& streams() const { return streams_; }
  const AdsCounters& counters() const { return counters_; }
  std::size_t connections() const { return server_.connections(); }
  grpc::Server& grpc() { return server_; }  // for further services

  // ---- for AdsStream
  Loop& loop() { return loop_; }
  AdsCounters& counters() { return counters_; }
  const std::string& identifier() const { return options_.identifier; }
  NodeResourcesPtr resources_for(const Node& node);  // null: there is nothing to serve yet
  void log(const std::string& line) const;
  void note_unknown_type(const Node& node, const std::string& type);
  void gone(AdsStream& stream);

 private:
  void serve(std::string path, AdsStream::Kind kind);
  void on_change();
  void push();

  Loop& loop_;
  ResourceProvider& provider_;
  const AdsOptions options_;
  AdsCounters counters_;
  std::map<std::uint64_t, std::unique_ptr<AdsStream>> streams_;
  std::set<std::string> unknown_types_;  // that were logged
  std::uint64_t next_id_ = 1;
  Timer quiet_timer_;
  Timer most_timer_;
  grpc::Server server_;
};

}  // namespace remora::control
