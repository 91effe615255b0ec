// Listeners: where we accept, and what is spoken there: HTTP, or bytes that are tunnelled. Pure configuration, part of
// a Snapshot; immutable; any thread. Sources: envoy.config.listener.v3.Listener,
// envoy.extensions.filters.network.{http_connection_manager,tcp_proxy}.v3.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "proxy/model/format.h"
#include "proxy/model/json_format.h"
#include "proxy/model/route.h"

namespace remora::model {

// envoy.extensions.access_loggers.{file,stream}.v3
struct AccessLog {
  std::string path;  // "/dev/stdout", "/dev/stderr" or a file
  bool json = false;
  Format text;                // when not json; ends in what the configuration says, a newline by default
  JsonFormat::Object fields;  // json
  bool omit_empty_values = false;
  // access_log_filter: only what we support; unset means log all
  std::optional<int> min_status;                 // status_code_filter GE
  std::optional<Milliseconds> min_duration;      // duration_filter GE
  std::uint32_t sample_per_million = 1'000'000;  // runtime_filter
};

// Percentages, as envoy…HttpConnectionManager.Tracing has them; what we begin and continue, not where we report.
struct Tracing {
  double client_sampling = 100.0;
  double random_sampling = 100.0;
  double overall_sampling = 100.0;
  enum class Begin : std::uint8_t { w3c, b3, b3_multi };
  Begin begin = Begin::w3c;  // filter_metadata.remora.trace_format: which headers a new trace gets
};

struct HttpConnectionManager {
  std::string stat_prefix;
  std::shared_ptr<const RouteConfiguration> routes;

  std::string server_name = "remora";  // Envoy's default is "envoy": see docs/differences.md
  enum class ServerHeader : std::uint8_t { overwrite, append_if_absent, pass_through };
  ServerHeader server_header = ServerHeader::overwrite;

  bool use_remote_address = false;
  // internal_address_config: who may use x-envoy-* request headers. Empty: nobody, as in Envoy since 1.33.
  struct AddressRange {
    Address prefix;
    std::uint32_t length = 0;  // bits
    bool contains(const Address& address) const;
  };
  std::vector<AddressRange> internal_ranges;
  bool internal_unix_sockets = false;
  std::uint32_t xff_num_trusted_hops = 0;
  bool skip_xff_append = false;
  std::string via;
  bool generate_request_id = true;
  bool preserve_external_request_id = false;
  bool always_set_request_id_in_response = false;
  bool suppress_envoy_headers = false;  // of the router filter
  bool respect_expected_rq_timeout = false;

  bool proxy_100_continue = false;  // Expect goes to the upstream; its 100, 102 and 103 go to the client

  bool accept_http_10 = false;
  std::string default_host_for_http_10;
  bool normalize_path = false;
  bool merge_slashes = false;
  bool strip_any_host_port = false;
  bool strip_matching_host_port = false;
  enum class Underscores : std::uint8_t { allow, reject_request, drop_header };
  Underscores underscores = Underscores::allow;
  std::vector<std::string>
      upgrades;  // upgrade_configs, enabled: lower case ("websocket", "connect"); a route may differ

  std::uint32_t max_request_headers_kb = 60;
  std::uint32_t max_headers_count = 100;
  std::uint64_t max_request_body_bytes =
      0;  // filter_metadata.remora.max_request_body_bytes of the listener; 0: no limit
  std::uint32_t max_requests_per_connection = 0;  // 0: no limit

  Milliseconds idle_timeout{3'600'000};       // of a connection without requests; 0: none
  Milliseconds stream_idle_timeout{300'000};  // of a request without progress; 0: none
  Milliseconds request_timeout{0};            // for the whole request to arrive; 0: none
  Milliseconds request_headers_timeout{0};    // 0: none
  Milliseconds max_connection_duration{0};    // 0: none
  Milliseconds delayed_close_timeout{1000};
  Milliseconds drain_timeout{5000};

  std::optional<Tracing> tracing;
  std::vector<AccessLog> access_logs;
};

// envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
struct TcpProxy {
  struct Target {
    std::string cluster;
    std::uint32_t weight = 1;
  };

  std::string stat_prefix;
  std::vector<Target> targets;  // at least one; their weights' sum is not 0, and fits 32 bits
  std::uint32_t max_connect_attempts = 1;
  Milliseconds idle_timeout{3'600'000};     // without a byte either way; 0: none
  Milliseconds max_connection_duration{0};  // 0: none
  bool hash_source_ip = false;              // hash_policy: the client's address chooses the endpoint
  std::vector<AccessLog> access_logs;
};

struct Listener {
  std::string name;
  Address address;
  std::string service;  // the metrics' "service" label: the node's cluster, or filter_metadata.remora.service
  enum class Direction : std::uint8_t { unspecified, inbound, outbound };
  Direction direction = Direction::unspecified;
  std::uint32_t tcp_backlog_size = 4096;
  std::uint64_t per_connection_buffer_limit_bytes = 1024 * 1024;
  bool bind_to_port = true;
  // filter_metadata.remora.intentions_not_enforced: some are written for this service; for people, it changes nothing
  bool intentions_not_enforced = false;
  std::variant<HttpConnectionManager, TcpProxy> chain;  // the one filter chain's one filter

  // REQUIRES: HTTP is spoken here.
  const HttpConnectionManager& http() const { return std::get<HttpConnectionManager>(chain); }
  const TcpProxy* tcp() const { return std::get_if<TcpProxy>(&chain); }  // null: HTTP is spoken here
  const std::vector<AccessLog>& access_logs() const {
    return tcp() != nullptr ? tcp()->access_logs : http().access_logs;
  }
};

}  // namespace remora::model
