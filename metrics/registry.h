// Registry: all numbers of the process. Each worker writes a WorkerMetrics of its own; `scrape` adds them up while they
// write, with no lock on the workers' side. One, made by main before the workers and outliving them; main thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "metrics/catalog.h"
#include "metrics/cell.h"
#include "metrics/series.h"

namespace remora::metrics {

class Registry;

struct RegistryOptions {
  std::string version;                                 // of remora_build_info
  std::size_t series_cap = 10'000;                     // label sets a family; the rest are counted under "_overflow"
  std::string (*flags_text)(std::uint32_t) = nullptr;  // the label of response flags; null: the number
};

// What one worker counts. Owned by Registry, which outlives the worker; all methods belong to that worker's thread.
class WorkerMetrics {
 public:
  WorkerMetrics(const WorkerMetrics&) = delete;
  WorkerMetrics& operator=(const WorkerMetrics&) = delete;

  // Look-ups by name, for callers to make once and keep. The same names give the same series for ever, so that a
  // configuration that comes back counts on. Never null: past the cap they give the "_overflow" series.
  RequestSeries* requests(std::string_view service, std::string_view route, std::string_view cluster);
  ClusterSeries* cluster(std::string_view name);
  ListenerSeries* listener(std::string_view name);
  TunnelSeries* tunnels(std::string_view service, std::string_view cluster);

  Counter access_log_lines;
  Counter access_log_dropped;  // the ring was full

 private:
  friend class Registry;
  friend class Collector;
  explicit WorkerMetrics(Registry& registry) : registry_(registry) {}

  Registry& registry_;
  PublishedList<RequestSeries> requests_;
  PublishedList<ClusterSeries> clusters_;
  PublishedList<ListenerSeries> listeners_;
  PublishedList<TunnelSeries> tunnels_;
  CounterBy<Capped> overflow_;

  // the worker's own: names to series
  std::unordered_map<std::string, RequestSeries*> requests_by_name_;
  std::unordered_map<std::string, ClusterSeries*> clusters_by_name_;
  std::unordered_map<std::string, ListenerSeries*> listeners_by_name_;
  std::unordered_map<std::string, TunnelSeries*> tunnels_by_name_;
  RequestSeries* requests_overflow_ = nullptr;
  ClusterSeries* clusters_overflow_ = nullptr;
  ListenerSeries* listeners_overflow_ = nullptr;
  TunnelSeries* tunnels_overflow_ = nullptr;
};

class Registry {
 public:
  explicit Registry(RegistryOptions options);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();

  // The reference holds as long as the registry.
  WorkerMetrics& add_worker();
  // What the main thread counts by itself, such as health checks: not a worker, but as good to the scrape.
  WorkerMetrics& add_main();

  // A number that main knows, asked for at each scrape. `labels` are the values of the catalog's label names, in order.
  void on_scrape(Id id, std::vector<std::string> labels, std::function<double()> value);
  // The same for label sets that come and go: `samples` gives those that there are at a scrape.
  using Samples = std::vector<std::pair<std::vector<std::string>, double>>;
  void on_scrape_each(Id id, std::function<Samples()> samples);

  // The Prometheus text format, version 0.0.4.
  std::string scrape() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

  const RegistryOptions& options() const { return options_; }

 private:
  friend class WorkerMetrics;
  friend class Collector;
  struct Callback {
    Id id;
    std::vector<std::string> labels;
    std::function<double()> value;
  };

  RegistryOptions options_;
  std::array<std::unique_ptr<Admission>, static_cast<std::size_t>(Capped::count_)> admission_;
  std::vector<std::unique_ptr<WorkerMetrics>> workers_;
  std::size_t others_ = 0;  // of `workers_`: not workers
  std::vector<Callback> callbacks_;
  std::vector<std::pair<Id, std::function<Samples()>>> samplers_;
};

}  // namespace remora::metrics
