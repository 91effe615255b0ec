#include "proxy/discovery.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "proxy/xds/json.h"

namespace remora::proxy {
namespace {

constexpr std::size_t kScratch = 64 * 1024;

using sources::ResourceType;

std::vector<admin::DynamicResourceFacts> resources_of(const sources::SnapshotBuilder& builder, ResourceType type) {
  std::vector<admin::DynamicResourceFacts> result;
  for (const sources::ResourceFacts& from : builder.facts(type).resources) {
    admin::DynamicResourceFacts& to = result.emplace_back();
    to.name = from.name;
    to.version = from.version;
    to.updated = from.updated;
    to.json = from.body == nullptr ? std::string() : xds::to_json(*from.body);
    to.serving = from.serving;
    to.waits_for = from.waits_for;
    if (from.failure) {
      to.failure = {from.failure->reason, from.failure->version, from.failure->at};
    }
  }
  return result;
}

double seconds(WallTime time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

}  // namespace

Discovery::Discovery(LibeventLoop& loop, Logging& logging, xds::Bootstrap bootstrap, const std::string& state_dir,
                     Publish publish)
    : log_(logging.of("config")),
      network_(loop),
      scratch_(std::make_unique<char[]>(kScratch)),
      random_(static_cast<std::uint64_t>(loop.wall_now().time_since_epoch().count()) ^
              (static_cast<std::uint64_t>(getpid()) << 40)),
      config_({.loop = loop,
               .random = random_,
               .network = network_,
               .connections = {.loop = loop, .blocks = blocks_, .scratch = {scratch_.get(), kScratch}}},
              std::move(bootstrap),
              {.publish = std::move(publish),
               .clusters_changed = {},
               .log = [this](sources::LogLevel level, const std::string& words) { log(level, words); }},
              state_dir) {}

void Discovery::log(sources::LogLevel level, const std::string& words) {
  switch (level) {
    case sources::LogLevel::debug:
      REMORA_LOG(log_, debug, "{}", words);
      break;
    case sources::LogLevel::info:
      REMORA_LOG(log_, info, "{}", words);
      break;
    case sources::LogLevel::warn:
      REMORA_LOG(log_, warn, "{}", words);
      break;
  }
}

void Discovery::register_metrics(metrics::Registry& registry) {
  using metrics::Id;
  const auto& builder = config_.builder();
  registry.on_scrape(Id::control_plane_connected, {}, [this] { return config_.connected() ? 1.0 : 0.0; });
  registry.on_scrape(Id::control_plane_failures, {}, [this] {
    double sum = 0;
    for (const sources::FeedFacts& feed : config_.feeds()) {
      sum += static_cast<double>(feed.client.failures);
    }
    return sum;
  });
  for (const ResourceType type :
       {ResourceType::cluster, ResourceType::endpoint, ResourceType::listener, ResourceType::route}) {
    const std::string name(sources::noun(type));
    registry.on_scrape(Id::config_resources, {name},
                       [&builder, type] { return static_cast<double>(builder.facts(type).resources.size()); });
    registry.on_scrape(Id::config_rejected, {name},
                       [&builder, type] { return static_cast<double>(builder.facts(type).rejected); });
    registry.on_scrape(Id::config_rejected_now, {name},
                       [&builder, type] { return static_cast<double>(builder.facts(type).rejected_now); });
    registry.on_scrape(Id::config_waiting, {name},
                       [&builder, type] { return static_cast<double>(builder.facts(type).waiting); });
    registry.on_scrape(Id::config_resources_update_time, {name},
                       [&builder, type] { return seconds(builder.facts(type).updated); });
  }
}

admin::DynamicFacts Discovery::facts() const {
  const auto& builder = config_.builder();
  return {.clusters_version = builder.facts(ResourceType::cluster).version,
          .listeners_version = builder.facts(ResourceType::listener).version,
          .clusters = resources_of(builder, ResourceType::cluster),
          .endpoints = resources_of(builder, ResourceType::endpoint),
          .listeners = resources_of(builder, ResourceType::listener),
          .routes = resources_of(builder, ResourceType::route)};
}

}  // namespace remora::proxy
