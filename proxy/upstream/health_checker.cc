#include "proxy/upstream/health_checker.h"

#include <algorithm>
#include <utility>

#include "proxy/upstream/health_session.h"

namespace remora::upstream {

HealthChecker::HealthChecker(Context context) : context_(std::move(context)) {
  settled_task_.bind<&HealthChecker::call_settled>(this);
}

HealthChecker::~HealthChecker() = default;

void HealthChecker::check(const std::vector<CheckedCluster>& clusters) {
  auto before = std::exchange(sessions_, {});
  for (const CheckedCluster& cluster : clusters) {
    if (!cluster.config->health_check) {
      continue;
    }
    for (std::size_t i = 0; i < cluster.endpoints.size(); ++i) {
      const auto& own = cluster.config->endpoints[i].health_check;
      if (own != nullptr && own->disabled) {
        continue;
      }
      const EndpointHealth* key = cluster.endpoints[i].get();
      if (auto known = before.extract(key)) {
        known.mapped()->adopt(cluster, i);
        sessions_.insert(std::move(known));
      } else {
        sessions_.emplace(key, std::make_unique<HealthSession>(*this, cluster, i, former(before, cluster)));
      }
    }
  }
  before.clear();
  waiting_ =
      static_cast<std::size_t>(std::ranges::count_if(sessions_, [](const auto& each) { return each.second->first(); }));
  if (settled()) {
    context_.connections.loop.next_turn(settled_task_);
  }
}

// The one address of a LOGICAL_DNS name stands for the same host as the one before.
const HealthSession* HealthChecker::former(const Sessions& sessions, const CheckedCluster& cluster) {
  const auto* dns = std::get_if<model::DnsDiscovery>(&cluster.config->discovery);
  if (dns == nullptr || !dns->logical) {
    return nullptr;
  }
  const auto found = std::ranges::find_if(sessions, [&](const auto& each) { return each.second->is_of(cluster); });
  return found == sessions.end() ? nullptr : found->second.get();
}

bool HealthChecker::settled() const { return waiting_ == 0; }

void HealthChecker::when_settled(std::function<void()> call) {
  when_settled_ = std::move(call);
  if (settled()) {
    context_.connections.loop.next_turn(settled_task_);
  }
}

void HealthChecker::on_first_outcome() {
  if (--waiting_ == 0) {
    context_.connections.loop.next_turn(settled_task_);
  }
}

void HealthChecker::call_settled() {
  if (auto call = std::exchange(when_settled_, {})) {
    call();
  }
}

}  // namespace remora::upstream
