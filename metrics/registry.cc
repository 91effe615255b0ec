#include "metrics/registry.h"

#include <functional>
#include <initializer_list>
#include <utility>

#include "metrics/scrape.h"

namespace remora::metrics {
namespace {

// Names with their lengths, so that no two sets of labels give one text.
std::string joined(std::initializer_list<std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) {
    text.append(std::to_string(name.size())).append(":").append(name);
  }
  return text;
}

// Gives `text`'s series out of `known`, or makes one when the family's cap allows it, or gives the overflow series.
template <typename Series, typename Make>
Series* intern(std::unordered_map<std::string, Series*>& known, std::string text, PublishedList<Series>& list,
               Series*& overflow_series, Admission& admission, Counter& overflow, Make&& make) {
  if (const auto found = known.find(text); found != known.end()) {
    return found->second;
  }
  const std::uint64_t hash = std::hash<std::string>{}(text);
  if (!admission.admit(hash)) {
    overflow.add();
    if (overflow_series == nullptr) {
      overflow_series = make(true, hash).release();
      list.publish(overflow_series);
    }
    return overflow_series;
  }
  Series* series = make(false, hash).release();
  list.publish(series);
  known.emplace(std::move(text), series);
  return series;
}

}  // namespace

RequestSeries* WorkerMetrics::requests(std::string_view service, std::string_view route, std::string_view cluster) {
  return intern(requests_by_name_, joined({service, route, cluster}), requests_, requests_overflow_,
                *registry_.admission_[static_cast<std::size_t>(Capped::durations)], overflow_[Capped::durations],
                [&](bool over, std::uint64_t hash) {
                  const auto label = [over](std::string_view name) {
                    return std::string(over ? kOverflowLabel : name);
                  };
                  Admission* codes = registry_.admission_[static_cast<std::size_t>(Capped::requests)].get();
                  return std::make_unique<RequestSeries>(label(service), label(route), label(cluster), hash,
                                                         over ? nullptr : codes, overflow_[Capped::requests]);
                });
}

ClusterSeries* WorkerMetrics::cluster(std::string_view name) {
  return intern(clusters_by_name_, std::string(name), clusters_, clusters_overflow_,
                *registry_.admission_[static_cast<std::size_t>(Capped::clusters)], overflow_[Capped::clusters],
                [&](bool over, std::uint64_t) {
                  return std::make_unique<ClusterSeries>(std::string(over ? kOverflowLabel : name));
                });
}

ListenerSeries* WorkerMetrics::listener(std::string_view name) {
  return intern(listeners_by_name_, std::string(name), listeners_, listeners_overflow_,
                *registry_.admission_[static_cast<std::size_t>(Capped::listeners)], overflow_[Capped::listeners],
                [&](bool over, std::uint64_t) {
                  return std::make_unique<ListenerSeries>(std::string(over ? kOverflowLabel : name));
                });
}

TunnelSeries* WorkerMetrics::tunnels(std::string_view service, std::string_view cluster) {
  return intern(tunnels_by_name_, joined({service, cluster}), tunnels_, tunnels_overflow_,
                *registry_.admission_[static_cast<std::size_t>(Capped::tunnels)], overflow_[Capped::tunnels],
                [&](bool over, std::uint64_t) {
                  return std::make_unique<TunnelSeries>(std::string(over ? kOverflowLabel : service),
                                                        std::string(over ? kOverflowLabel : cluster));
                });
}

Registry::Registry(RegistryOptions options) : options_(std::move(options)) {
  for (auto& admission : admission_) {
    admission = std::make_unique<Admission>(options_.series_cap);
  }
}

Registry::~Registry() = default;

WorkerMetrics& Registry::add_worker() {
  workers_.push_back(std::unique_ptr<WorkerMetrics>(new WorkerMetrics(*this)));
  return *workers_.back();
}

WorkerMetrics& Registry::add_main() {
  ++others_;
  return add_worker();
}

void Registry::on_scrape(Id id, std::vector<std::string> labels, std::function<double()> value) {
  callbacks_.push_back({id, std::move(labels), std::move(value)});
}

void Registry::on_scrape_each(Id id, std::function<Samples()> samples) {
  samplers_.emplace_back(id, std::move(samples));
}

std::string Registry::scrape() const { return Collector(*this).text(); }

}  // namespace remora::metrics
