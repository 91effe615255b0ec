// HealthSession: the active checks of one endpoint: when it is asked, and what its answers make of it. Owned by
// HealthChecker; main thread.
#pragma once

#include <memory>
#include <string>

#include "proxy/upstream/health_checker.h"
#include "proxy/upstream/probe.h"

namespace remora::upstream {

class HealthSession final : ProbeEvents {
 public:
  // `former`: whose place it takes, and whose health holds until it knows better; null: nobody's.
  HealthSession(HealthChecker& checker, const CheckedCluster& cluster, std::size_t endpoint,
                const HealthSession* former);
  HealthSession(const HealthSession&) = delete;
  HealthSession& operator=(const HealthSession&) = delete;
  ~HealthSession();

  // Another configuration of the same endpoint. What was found out stays.
  void adopt(const CheckedCluster& cluster, std::size_t endpoint);
  bool first() const { return first_; }
  bool is_of(const CheckedCluster& cluster) const { return generation_ == cluster.generation; }

 private:
  void begin_check();
  void on_probe(const ProbeResult& result) override;
  void on_timeout();
  void settle(const ProbeResult& result);
  bool pass();                           // a change is under way, but has not come
  bool fail(const ProbeResult& result);  // the same
  void mark(bool failed, const std::string& why);
  void rest(bool passed, bool pending);
  void drop_probe();
  ProbeTarget target() const;

  HealthChecker& checker_;
  std::shared_ptr<const model::Cluster> config_;
  std::shared_ptr<HealthGeneration> generation_;
  std::shared_ptr<EndpointHealth> health_;
  std::function<bool()> has_traffic_;
  const model::Endpoint* endpoint_ = nullptr;  // config_'s
  metrics::ClusterSeries* series_ = nullptr;

  std::unique_ptr<Probe> probe_;
  bool first_ = true;
  std::uint32_t passed_ = 0;  // in a row, while it counts as failed
  std::uint32_t failed_ = 0;  // in a row, while it counts as well
  Timer interval_;
  Timer timeout_;
};

}  // namespace remora::upstream
