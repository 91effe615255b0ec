// Series: the numbers that share one set of labels, as a worker writes them. Callers look a series up once, keep the
// pointer (it lives as long as the Registry), and then only touch cells. Owned by WorkerMetrics; written by its worker,
// read by the scrape. What each number means to people is in metrics/catalog.cc.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "metrics/cell.h"
#include "metrics/histogram.h"

namespace remora::metrics {

inline constexpr std::string_view kOverflowLabel = "_overflow";

// Families whose number of label sets is capped.
enum class Capped : std::uint8_t { requests, durations, clusters, listeners, tunnels, count_ };

// Which label sets have a series, over all workers: the first `cap` that ask. A fixed array of hashes that only grows;
// reads it whole, which is cheap enough for what happens once a label set. Lock-free; any thread.
class Admission {
 public:
  explicit Admission(std::size_t cap);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;
  ~Admission();

  bool admit(std::uint64_t label_hash);  // true: it has a series now, or had one
  std::size_t cap() const { return cap_; }

 private:
  std::size_t cap_;
  std::atomic<std::uint64_t>* slots_;  // 0: free, and so are all after it; pages are touched as they fill
};

// Requests of one (service, route, cluster), by code and flags, and how long they took.
class alignas(64) RequestSeries {
 public:
  // How many pairs of code and flags one series tells apart; the rest share one of code "_overflow".
  static constexpr std::size_t kMaxCodes = 64;

  RequestSeries(std::string service, std::string route, std::string cluster, std::uint64_t label_hash,
                Admission* admission, Counter& overflow);
  RequestSeries(const RequestSeries&) = delete;
  RequestSeries& operator=(const RequestSeries&) = delete;
  ~RequestSeries();

  // Once for each exchange, when it has ended. `code` 0: none was sent. `upstream` below 0: no upstream answered. No
  // allocation, but for a pair of code and flags never seen here before.
  void record(int code, std::uint32_t flags, Nanoseconds request, Nanoseconds upstream, Nanoseconds own,
              std::uint64_t bytes_in, std::uint64_t bytes_out) {
    const std::uint64_t key = key_of(code, flags);
    Slot* slot = last_;
    if (slot->key.load(std::memory_order_relaxed) != key) [[unlikely]] {
      slot = last_ = slot_for(key);
    }
    slot->count.add();
    request_.record(request);
    if (upstream.count() >= 0) {
      upstream_.record(upstream);
    }
    own_.record(own);
    bytes_in_.add(bytes_in);
    bytes_out_.add(bytes_out);
  }

  const std::string& service() const { return service_; }
  const std::string& route() const { return route_; }
  const std::string& cluster() const { return cluster_; }
  const DurationHistogram& request() const { return request_; }
  const DurationHistogram& upstream() const { return upstream_; }
  const OwnHistogram& own() const { return own_; }
  std::uint64_t bytes_in() const { return bytes_in_.value(); }
  std::uint64_t bytes_out() const { return bytes_out_.value(); }

  // visit(bool overflow, int code, std::uint32_t flags, std::uint64_t count); any thread.
  template <typename Visit>
  void for_each_code(Visit&& visit) const {
    for (const Chunk* chunk = &first_; chunk != nullptr; chunk = chunk->next.load(std::memory_order_acquire)) {
      for (const Slot& slot : chunk->slots) {
        const std::uint64_t key = slot.key.load(std::memory_order_acquire);
        if (key == 0) {
          break;
        }
        visit(!slot.admitted, static_cast<int>((key & ~kUsed) >> 32), static_cast<std::uint32_t>(key),
              slot.count.value());
      }
    }
    if (const std::uint64_t rest = rest_.count.value(); rest > 0) {
      visit(true, 0, 0, rest);
    }
  }

  RequestSeries* next = nullptr;  // of PublishedList

 private:
  static constexpr std::uint64_t kUsed = std::uint64_t{1} << 63;
  struct Slot {
    std::atomic<std::uint64_t> key{0};  // kUsed, code, flags; 0: free. Published last
    Counter count;
    bool admitted = true;
  };
  struct Chunk {
    std::array<Slot, 6> slots;
    std::atomic<Chunk*> next{nullptr};
  };

  static std::uint64_t key_of(int code, std::uint32_t flags) {
    return kUsed | (static_cast<std::uint64_t>(static_cast<std::uint32_t>(code) & 0x7fffffffu) << 32) | flags;
  }
  Slot* slot_for(std::uint64_t key);
  Slot* take(Slot& slot, std::uint64_t key);

  Counter bytes_in_;
  Counter bytes_out_;
  Chunk first_;
  Slot* last_ = &first_.slots[0];  // the worker's own: what the last request used
  DurationHistogram request_;
  DurationHistogram upstream_;
  OwnHistogram own_;
  Slot rest_;
  std::size_t used_ = 0;

  // constant after construction
  const std::string service_;
  const std::string route_;
  const std::string cluster_;
  const std::uint64_t label_hash_;
  Admission* const admission_;  // of Capped::requests; null for the overflow series
  Counter& overflow_;
};

enum class ConnectFailure : std::uint8_t { refused, timeout, reset, unreachable, tls, no_fds, other, count_ };
enum class RetryReason : std::uint8_t {
  connect_failure,
  reset,
  refused_stream,
  per_try_timeout,
  status_5xx,
  gateway_error,
  retriable_4xx,
  retriable_status_code,
  retriable_header,
  ratelimited,
  other,
  count_
};
enum class RetryDenied : std::uint8_t { budget, limit, not_replayable, body_too_large, count_ };
enum class Overflow : std::uint8_t { connections, pending_requests, requests, breaker_open, count_ };
enum class BreakerState : std::uint8_t { closed, open, half_open, count_ };
enum class Ejection : std::uint8_t {
  consecutive_5xx,
  gateway_failure,
  local_origin_failure,
  success_rate,
  failure_percentage,
  local_origin_success_rate,
  local_origin_failure_percentage,
  count_
};
enum class HealthCheckResult : std::uint8_t { passed, failed, network, timeout, count_ };
enum class UpstreamTimeout : std::uint8_t { request, per_try, per_try_idle, count_ };

// One upstream cluster.
struct alignas(64) ClusterSeries {
  explicit ClusterSeries(std::string name) : cluster(std::move(name)) {}
  const std::string cluster;

  Counter connections_opened;  // established
  Counter connections_closed;
  Gauge connections_active;
  CounterBy<ConnectFailure> connect_failures;
  Counter pool_reuses;  // an attempt got a connection that had carried a request before

  Counter attempts;  // requests written or queued to an endpoint, retries among them
  Gauge requests_active;
  Gauge requests_pending;   // waiting for a connection now
  Counter requests_queued;  // waited for a connection
  CounterBy<UpstreamTimeout> timeouts;

  CounterBy<RetryReason> retries;
  Counter retries_succeeded;
  CounterBy<RetryDenied> retries_denied;
  Counter keepalive_races;  // an idle connection closed as we reused it, and the request went elsewhere unharmed
  CounterBy<Overflow> overflows;

  Gauge breaker_state;                          // BreakerState as a number; over workers the highest
  CounterBy<BreakerState> breaker_transitions;  // by the state entered
  CounterBy<Ejection> ejections;
  CounterBy<HealthCheckResult> health_checks;  // the main thread's
  Gauge endpoints;                             // over workers the highest, as are the next two
  Gauge endpoints_healthy;
  Gauge endpoints_ejected;

  Counter bytes_sent;  // on the wire, heads among them
  Counter bytes_received;

  ClusterSeries* next = nullptr;  // of PublishedList
};

enum class AcceptFailure : std::uint8_t { no_fds, no_memory, connection_limit, aborted, other, count_ };
enum class ProtocolError : std::uint8_t {
  bad_head,
  bad_body,
  head_too_large,
  body_too_large,
  head_timeout,
  request_timeout,
  idle_timeout,
  other,
  count_
};

// One listener.
struct alignas(64) ListenerSeries {
  explicit ListenerSeries(std::string name) : listener(std::move(name)) {}
  const std::string listener;

  Counter connections_accepted;
  Gauge connections_active;
  Gauge requests_active;
  CounterBy<AcceptFailure> accept_failures;
  CounterBy<ProtocolError> protocol_errors;
  Counter bytes_received;  // on the wire, heads among them
  Counter bytes_sent;

  ListenerSeries* next = nullptr;  // of PublishedList
};

// How a tunnel ended.
enum class TunnelEnd : std::uint8_t {
  closed,            // both sides said that they were done
  downstream_reset,  // by RST, or an error of the network
  upstream_reset,
  connect_failed,  // no endpoint could be connected to, in all attempts
  connect_timeout,
  no_cluster,
  no_endpoint,
  overflow,      // max_connections or max_pending_requests
  breaker_open,  // the three-state breaker
  idle,
  max_duration,
  shutdown,  // ours: the drain's deadline, or the listener went away
  count_
};

// The tunnels of one (service, cluster).
struct alignas(64) TunnelSeries {
  TunnelSeries(std::string service_in, std::string cluster_in)
      : service(std::move(service_in)), cluster(std::move(cluster_in)) {}
  const std::string service;
  const std::string cluster;

  CounterBy<TunnelEnd> ended;
  Gauge active;
  Counter connect_retries;
  Counter bytes_received;  // from the client
  Counter bytes_sent;      // to the client

  TunnelSeries* next = nullptr;  // of PublishedList
};

}  // namespace remora::metrics
