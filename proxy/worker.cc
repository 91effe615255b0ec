#include "proxy/worker.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <unordered_set>
#include <utility>

#include "proxy/exchange/exchange.h"

namespace remora::proxy {
namespace {

constexpr std::size_t kScratchSize = 64 * 1024;

}  // namespace

Worker::Worker(Loop& loop, net::Network& network, metrics::WorkerMetrics& metrics, AccessLogQueue* access_log,
               const WorkerOptions& options)
    : network_(network),
      options_(options),
      scratch_(new char[kScratchSize]),
      random_(options.seed),
      context_(loop, blocks_, random_, metrics),
      connections_{loop, blocks_, {scratch_.get(), kScratchSize}},
      directory_(std::make_shared<const ClusterDirectory>()) {
  context_.access_log = access_log;
  context_.connection_log = options.connection_log;
  context_.own_ip = network.own_address().ip();
  context_.account_task.bind<&Worker::settle_turn>(this);
  tick_timer_.bind<&Worker::tick>(this);
  tick();
}

Worker::~Worker() {
  close_all();
  settle_turn();
  leaving_.clear();
  listeners_.clear();
  clusters_.clear();
}

// Make before break: clusters that routes will name, then listeners with their routes, then what nothing names any
// more.
Applied Worker::apply(const Prepared& prepared) {
  Applied applied;
  adopt_clusters(prepared);
  adopt_listeners(prepared, applied);
  leave_unwanted_clusters();
  return applied;
}

void Worker::adopt_clusters(const Prepared& prepared) {
  auto next = std::make_shared<ClusterDirectory>();
  bool same = prepared.clusters.size() == directory_->all().size();
  for (const auto& each : prepared.clusters) {
    upstream::ClusterState* state = known_cluster(*each);
    if (state != nullptr) {
      state->adopt(each);
    } else {
      clusters_.push_back(std::make_unique<upstream::ClusterState>(
          connections_, network_, each, *context_.metrics.cluster(each->config->alt_stat_name), options_.index,
          next_cluster_id_++));
      state = clusters_.back().get();
    }
    same = same && directory_->find(state->name()) == state;
    next->add(*state);
  }
  if (!same) {
    directory_ = std::move(next);
  }
}

// The state of this cluster that is in use, or one that has left but is not over yet.
upstream::ClusterState* Worker::known_cluster(const upstream::PreparedCluster& prepared) {
  if (upstream::ClusterState* state = directory_->find(prepared.config->name)) {
    return state->adopts(prepared) ? state : nullptr;
  }
  if (clusters_.size() == directory_->all().size()) {
    return nullptr;  // there are no others
  }
  const auto found = std::ranges::find_if(clusters_, [&](const auto& each) { return each->adopts(prepared); });
  return found == clusters_.end() ? nullptr : found->get();
}

void Worker::adopt_listeners(const Prepared& prepared, Applied& applied) {
  std::vector<std::unique_ptr<Listener>> before = std::move(listeners_);
  listeners_.clear();
  std::size_t at = 0;  // what stays is nearly always in the same order
  const auto take = [&before, &at](const auto& matches) -> std::unique_ptr<Listener> {
    for (std::size_t i = 0; i < before.size(); ++i, ++at) {
      at = at >= before.size() ? 0 : at;
      if (before[at] && matches(*before[at])) {
        return std::move(before[at++]);
      }
    }
    return nullptr;
  };
  std::vector<const PreparedListener*> failed;
  for (const PreparedListener& each : prepared.listeners) {
    applied.addresses.push_back(each.address);
    auto listener = take([&](const Listener& known) { return known.address() == each.address; });
    if (listener) {
      listener->adopt(each, directory_);
    } else if (each.open) {
      listener = open_listener(each, applied);
    }
    if (!listener) {
      failed.push_back(&each);
      continue;
    }
    applied.addresses.back() = listener->address();
    listeners_.push_back(std::move(listener));
  }
  for (const PreparedListener* each : failed) {
    if (auto listener =
            take([&](const Listener& known) { return known.context().config->name == each->config->name; })) {
      listeners_.push_back(std::move(listener));
    }
  }
  for (auto& listener : before) {
    if (listener) {
      listener->leave(options_.drain_time);
      leaving_.push_back(std::move(listener));
    }
  }
}

// Null: this worker is not to have it, or it cannot be had, and then `applied` says why.
std::unique_ptr<Listener> Worker::open_listener(const PreparedListener& prepared, Applied& applied) {
  if (stopped_ || (!prepared.address.is_ip() && options_.index > 0)) {
    return nullptr;  // a Unix socket cannot be shared: the first worker has it
  }
  auto listener = std::make_unique<Listener>(context_, connections_, prepared, directory_);
  if (auto opened = listener->open(network_, prepared.address, /*reuse_port=*/true); !opened) {
    applied.errors.push_back({prepared.config->name, opened.error().message});
    return nullptr;
  }
  if (draining_) {
    listener->drain();
  }
  return listener;
}

// All that neither this configuration names, nor one that a listener had to keep or drains with.
void Worker::leave_unwanted_clusters() {
  std::unordered_set<const upstream::ClusterState*> wanted;
  const ClusterDirectory* last = nullptr;
  const auto want = [&](const ClusterDirectory& directory) {
    if (&directory != last) {
      last = &directory;
      for (const auto& [name, state] : directory.all()) {
        wanted.insert(state);
      }
    }
  };
  want(*directory_);
  if (wanted.size() == clusters_.size()) {
    return;
  }
  for (const auto* list : {&listeners_, &leaving_}) {
    for (const auto& listener : *list) {
      listener->for_each_directory(want);
    }
  }
  for (const auto& cluster : clusters_) {
    if (!cluster->left() && !wanted.contains(cluster.get())) {
      cluster->leave();
    }
  }
}

Worker::Leftovers Worker::leftovers() const {
  Leftovers left;
  left.listeners = leaving_.size();
  for (const auto* list : {&listeners_, &leaving_}) {
    for (const auto& listener : *list) {
      left.contexts += listener->old_contexts();
    }
  }
  for (const auto& cluster : clusters_) {
    left.clusters += cluster->left() ? 1 : 0;
    left.endpoints += cluster->size().leaving;
  }
  return left;
}

// In a quiet moment: destroys what left, once nothing in flight needs it.
void Worker::sweep() {
  bool fewer = false;
  for (const auto* list : {&listeners_, &leaving_}) {
    for (const auto& listener : *list) {
      fewer = listener->sweep() || fewer;
    }
  }
  fewer = std::erase_if(leaving_, [](const auto& listener) { return listener->over(); }) > 0 || fewer;
  if (fewer) {
    leave_unwanted_clusters();
  }
  std::erase_if(clusters_, [](const auto& cluster) { return cluster->over(); });
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
  sweep();
  for (auto& cluster : clusters_) {
    cluster->tick(context_.loop.now(), random_);
  }
  context_.loop.arm(tick_timer_, Milliseconds(250));
}

void Worker::drain(bool inbound_only) {
  draining_ = draining_ || !inbound_only;
  for (auto& listener : listeners_) {
    if (!inbound_only || listener->is_inbound()) {
      listener->drain();
    }
  }
}

void Worker::stop_listening(bool inbound_only) {
  stopped_ = stopped_ || !inbound_only;
  for (auto& listener : listeners_) {
    if (!inbound_only || listener->is_inbound()) {
      listener->stop_accepting();
    }
  }
}

void Worker::close_all() {
  for (auto* list : {&listeners_, &leaving_}) {
    for (auto& listener : *list) {
      listener->abort();
    }
  }
}

}  // namespace remora::proxy
