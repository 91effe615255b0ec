#include "proxy/sources/dynamic_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/sources/file_feed.h"
#include "proxy/sources/grpc_control_plane.h"
#include "proxy/sources/rest_feed.h"
#include "proxy/sources/stream_feed.h"

namespace remora::sources {
namespace {

constexpr Milliseconds kSaveAfter{1000};  // what changes in this time is written once

std::size_t index(ResourceType type) { return static_cast<std::size_t>(type); }

}  // namespace

DynamicConfig::DynamicConfig(const World& world, xds::Bootstrap bootstrap, Events events, std::string state_dir,
                             MakeFeed make_feed)
    : world_(world),
      bootstrap_(std::move(bootstrap)),
      events_(std::move(events)),
      make_feed_(make_feed ? std::move(make_feed)
                           : [this](auto only, const auto& source) { return make_real_feed(only, source); }),
      builder_(world_.loop, bootstrap_,
               {.publish = events_.publish, .references_changed = [this] { references_changed(); }}) {
  fetch_timer_.bind<&DynamicConfig::on_fetch_timeout>(this);
  save_timer_.bind<&DynamicConfig::save>(this);
  if (!state_dir.empty()) {
    store_.emplace(std::move(state_dir), bootstrap_.snapshot->node);
    if (auto loaded = store_->load()) {
      saved_ = std::move(*loaded);
      if (saved_) {
        builder_.set_fallback(saved_->discovered);
      }
    } else {
      log(LogLevel::warn, loaded.error().message);
    }
  }
  builder_.hold(true);
  start(ResourceType::cluster, bootstrap_.cds);
  start(ResourceType::listener, bootstrap_.lds);
}

DynamicConfig::~DynamicConfig() {
  if (save_timer_.armed()) {
    save();
  }
}

void DynamicConfig::start(ResourceType type, const xds::ConfigSource& source) {
  if (source.kind == Kind::none) {
    return;
  }
  awaited_[index(type)] = true;
  feed(type, source).want_all(type);
  if (source.initial_fetch_timeout.count() != 0) {
    world_.loop.arm(fetch_timer_, source.initial_fetch_timeout);
  }
}

// ---- feeds ----

Feed& DynamicConfig::feed(ResourceType type, const xds::ConfigSource& source) {
  const bool aggregated = source.kind == Kind::ads;
  const FeedKey key = aggregated ? FeedKey{std::nullopt, bootstrap_.ads} : FeedKey{type, source};
  auto& slot = feeds_[key];
  if (slot == nullptr) {
    slot = make_feed_(key.first, key.second);
    if (saved_ && initialized_) {
      saved_.reset();  // it is too late for it
    }
  }
  return *slot;
}

std::optional<std::vector<Address>> DynamicConfig::addresses_of(const std::vector<std::string>& clusters) const {
  std::vector<Address> result;
  for (const std::string& name : clusters) {
    for (const Address& address : builder_.addresses(name)) {
      result.push_back(address);
    }
  }
  if (result.empty() && std::ranges::any_of(clusters, [this](const auto& name) { return builder_.warming(name); })) {
    return std::nullopt;
  }
  return result;
}

std::unique_ptr<Feed> DynamicConfig::make_real_feed(std::optional<ResourceType> only, const xds::ConfigSource& source) {
  FeedEvents events{.apply = [this](const ResourceUpdate& update, const auto& unread) { return apply(update, unread); },
                    .log = [this](LogLevel level, std::string words) { log(level, std::move(words)); },
                    .failed = [this] { feed_failed(); }};
  const auto addresses = [this, clusters = source.clusters] { return addresses_of(clusters); };
  switch (source.kind) {
    case Kind::rest:
      return std::make_unique<RestFeed>(world_.connections, world_.network, world_.random, source, bootstrap_.node,
                                        *only, addresses, std::move(events));
    case Kind::path:
      return std::make_unique<FileFeed>(world_.loop, world_.files, source, *only, std::move(events));
    default:
      break;
  }
  grpc::ChannelOptions options;
  options.authority = source.authority.empty() && !source.clusters.empty() ? source.clusters[0] : source.authority;
  auto control = std::make_unique<GrpcControlPlane>(world_.connections, world_.network, addresses, options);
  return std::make_unique<StreamFeed>(world_.loop, world_.random, std::move(control), only, source, bootstrap_.node,
                                      std::move(events));
}

void DynamicConfig::references_changed() {
  Wanted wanted = builder_.wanted();
  for (const auto& [key, names] : wanted) {
    const auto before = asked_.find(key);
    if (before == asked_.end() || before->second != names) {
      feed(key.first, key.second).want(key.first, names);
    }
  }
  for (const auto& [key, names] : asked_) {
    if (!wanted.contains(key)) {
      feed(key.first, key.second).want(key.first, {});
      if (key.second.kind != Kind::ads) {
        feeds_.erase({key.first, key.second});
      }
    }
  }
  asked_ = std::move(wanted);
  if (events_.clusters_changed) {
    events_.clusters_changed();
  }
  check_initialized();
}

std::vector<Rejection> DynamicConfig::apply(const ResourceUpdate& update, const std::vector<Rejection>& unread) {
  auto rejections = builder_.apply(update, unread);
  log(LogLevel::info, fmt::format("{}s, version '{}': {} set, {} removed, {} rejected", noun(update.type),
                                  update.version, update.set.size() - std::min(update.set.size(), rejections.size()),
                                  update.removed.size(), rejections.size()));
  if (!rejections.empty()) {
    log(LogLevel::warn, fmt::format("rejected, the last good version goes on: {}", describe(update.type, rejections)));
  }
  came_[index(update.type)] = true;
  save_soon();
  return rejections;
}

void DynamicConfig::set_endpoints(const std::string& cluster, std::vector<model::Endpoint> endpoints,
                                  std::string why_empty) {
  builder_.set_endpoints(cluster, std::move(endpoints), std::move(why_empty));
  save_soon();
}

void DynamicConfig::save_soon() {
  if (store_ && !save_timer_.armed()) {
    world_.loop.arm(save_timer_, kSaveAfter);
  }
}

bool DynamicConfig::connected() const {
  return std::ranges::all_of(feeds_, [](const auto& each) { return each.second->facts().connected; });
}

std::vector<FeedFacts> DynamicConfig::feeds() const {
  std::vector<FeedFacts> result;
  for (const auto& [key, feed] : feeds_) {
    const auto& [only, source] = key;
    result.push_back(
        {fmt::format("{} {} {}", only ? noun(*only) : "ads", xds::kind_name(source.kind),
                     source.kind == Kind::path ? source.path : fmt::format("{}", fmt::join(source.clusters, ","))),
         feed->facts()});
  }
  return result;
}

// ---- the first snapshot ----

void DynamicConfig::check_initialized() {
  if (initialized_) {
    return;
  }
  for (std::size_t i = 0; i < kResourceTypes; ++i) {
    if (awaited_[i] && !came_[i]) {
      return;
    }
  }
  if (!builder_.settled()) {
    return;
  }
  initialized_ = true;
  fetch_timer_.cancel();
  builder_.hold(false);
}

void DynamicConfig::on_fetch_timeout() {
  if (initialized_) {
    return;
  }
  if (saved_) {
    restore();
  }
  log(LogLevel::warn, "the first configuration did not come in time: starts without it");
  awaited_ = {};
  builder_.hold(true);  // settles, and checks again
}

// Nobody serves us, and nobody did: the last good resources of the time before.
void DynamicConfig::feed_failed() {
  const bool heard = std::ranges::any_of(came_, [](bool came) { return came; });
  if (!initialized_ && !heard && saved_) {
    restore();
  }
}

void DynamicConfig::restore() {
  const State state = *std::exchange(saved_, std::nullopt);
  log(LogLevel::warn,
      fmt::format("no control plane is in reach: starts from what was good at {}, {}", state.written, store_->path()));
  for (const ResourceUpdate& update : state.updates) {
    apply(update);
    for (const Resource& resource : update.set) {
      for (auto& [key, feed] : feeds_) {
        if (!key.first || *key.first == update.type) {
          feed->have(update.type, resource.name, resource.version);
        }
      }
    }
  }
  save_timer_.cancel();
}

void DynamicConfig::save() {
  if (auto saved = store_->save(builder_, world_.loop.wall_now()); !saved) {
    log(LogLevel::warn, saved.error().message);
  }
}

}  // namespace remora::sources
