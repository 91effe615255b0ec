#include "proxy/worker.h"

#include <array>
#include <ctime>

#include "proxy/exchange/exchange.h"

namespace remora::proxy {
namespace {

constexpr std::size_t kScratchSize = 64 * 1024;

}  // namespace

Worker::Worker(Loop& loop, net::Network& network, upstream::SharedState& shared, metrics::WorkerMetrics& metrics,
               AccessLogQueue* access_log, const WorkerOptions& options)
    : network_(network),
      shared_(shared),
      options_(options),
      scratch_(new char[kScratchSize]),
      random_(options.seed),
      context_(loop, blocks_, random_, metrics),
      connections_{loop, blocks_, {scratch_.get(), kScratchSize}} {
  context_.access_log = access_log;
  context_.connection_log = shared.connection_logs().downstream;
  context_.own_ip = network.own_address().ip();
  context_.account_task.bind<&Worker::settle_turn>(this);
  tick_timer_.bind<&Worker::tick>(this);
  tick();
}

Worker::~Worker() {
  for (auto& listener : listeners_) {
    listener->abort();
  }
  settle_turn();
  listeners_.clear();
  clusters_.clear();
}

Result<void> Worker::apply(std::shared_ptr<const model::Snapshot> snapshot) {
  std::vector<std::unique_ptr<upstream::ClusterState>> clusters;
  std::unordered_map<std::string_view, upstream::ClusterState*> by_name;
  for (const std::string& name : snapshot->cluster_order) {
    const auto& config = snapshot->clusters.at(name);
    clusters.push_back(std::make_unique<upstream::ClusterState>(connections_, network_, shared_.cluster(config),
                                                                *context_.metrics.cluster(config->alt_stat_name),
                                                                options_.index));
    by_name.emplace(config->name, clusters.back().get());
  }
  std::vector<std::unique_ptr<Listener>> listeners;
  for (const auto& config : snapshot->listeners) {
    if (!config->bind_to_port || (!config->address.is_ip() && options_.index > 0)) {
      continue;  // a Unix socket cannot be shared: the first worker has it
    }
    auto listener = std::make_unique<Listener>(context_, connections_, config);
    if (auto opened = listener->open(network_, /*reuse_port=*/true); !opened) {
      return std::unexpected(opened.error());
    }
    listeners.push_back(std::move(listener));
  }
  snapshot_ = std::move(snapshot);
  context_.clusters = std::move(by_name);
  clusters_ = std::move(clusters);
  listeners_ = std::move(listeners);
  return {};
}

// The turn is over and its bytes are with the kernel: what it took is the proxy's own time.
void Worker::settle_turn() {
  if (context_.touched == nullptr) {
    return;
  }
  const MonotonicTime end = context_.loop.precise_now();
  while (context_.touched != nullptr) {
    Exchange* exchange = context_.touched;
    context_.touched = exchange->next_touched;
    exchange->settle(end);
  }
}

// Calendar time is read four times a second, not once a request; ejections end by the same tick.
void Worker::tick() {
  const auto now = std::chrono::system_clock::now();
  context_.wall_base = std::chrono::time_point_cast<Nanoseconds>(now);
  context_.wall_base_at = context_.loop.precise_now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text;
  const std::size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  date_.assign(text.data(), size);
  context_.date = date_;
  for (auto& cluster : clusters_) {
    cluster->tick(context_.loop.now(), random_);
  }
  context_.loop.arm(tick_timer_, Milliseconds(250));
}

void Worker::drain(bool inbound_only) {
  for (auto& listener : listeners_) {
    if (!inbound_only || listener->is_inbound()) {
      listener->drain();
    }
  }
}

void Worker::stop_listening(bool inbound_only) {
  for (auto& listener : listeners_) {
    if (!inbound_only || listener->is_inbound()) {
      listener->stop_accepting();
    }
  }
}

void Worker::close_all() {
  for (auto& listener : listeners_) {
    listener->abort();
  }
}

}  // namespace remora::proxy
