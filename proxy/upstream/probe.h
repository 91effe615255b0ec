// Probe: one active health check's connection to an endpoint, and what is asked over it: HTTP or TCP. Kept from one
// check to the next where the configuration and the endpoint allow. Owned by a HealthSession; main thread.
// Source: envoy.config.core.v3.HealthCheck.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "core/base/address.h"
#include "core/event/loop.h"
#include "core/net/connection.h"
#include "core/net/network.h"
#include "proxy/model/cluster.h"

namespace remora::upstream {

struct ProbeResult {
  enum class Kind : std::uint8_t {
    passed,
    failed,   // it answered, and not as it should: no threshold waits for more of that
    network,  // refused, reset, closed, or not the protocol
    timeout,
  };
  Kind kind = Kind::passed;
  std::string why;  // for the log; empty when it passed
};

class ProbeEvents {
 public:
  // Of the check that began last. The probe may be retired now, not destroyed.
  virtual void on_probe(const ProbeResult& result) = 0;

 protected:
  ~ProbeEvents() = default;
};

// Whom, and by which name.
struct ProbeTarget {
  Address address;
  std::string host;  // of HTTP
};

class Probe : public Retirable {
 public:
  // Begins a check; on_probe follows, unless it is closed first. REQUIRES: reusable, or new.
  virtual void begin() = 0;
  // The check before left the connection fit for another.
  virtual bool reusable() const = 0;
  // No event follows.
  virtual void close() = 0;
};

// Connects. The error is the errno of what failed at once. What it is given outlives it.
std::expected<std::unique_ptr<Probe>, int> make_probe(const net::ConnectionContext& connections, net::Network& network,
                                                      const model::Cluster& cluster, const ProbeTarget& target,
                                                      ProbeEvents& events);

}  // namespace remora::upstream
