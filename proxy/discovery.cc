#include "proxy/discovery.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "proxy/mesh/mesh_feed.h"
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

Discovery::Discovery(LibeventLoop& loop, Logging& logging, xds::Bootstrap bootstrap, const Options& options,
                     Publish publish)
    : loop_(loop),
      options_(options),
      log_(logging.of("config")),
      network_(loop),
      files_(loop),
      scratch_(std::make_unique<char[]>(kScratch)),
      random_(static_cast<std::uint64_t>(loop.wall_now().time_since_epoch().count()) ^
              (static_cast<std::uint64_t>(getpid()) << 40)),
      resolvers_(loop),
      dns_(loop, [this](const model::DnsDiscovery& discovery) -> net::Resolver& { return resolvers_.of(discovery); },
           random_,
           {.set_endpoints =
                [this](const std::string& cluster, std::vector<model::Endpoint> endpoints, std::string why_empty) {
                  config_->set_endpoints(cluster, std::move(endpoints), std::move(why_empty));
                },
            .not_found = [this](const std::string& cluster,
                                std::string why) { config_->set_not_found(cluster, std::move(why)); },
            .log = [this](sources::LogLevel level, const std::string& words) { log(level, words); }}),
      brings_listeners_(bootstrap.lds.kind != xds::ConfigSource::Kind::none),
      bootstrap_(std::move(bootstrap)),
      publish_(std::move(publish)) {}

Result<void> Discovery::start() {
  if (!options_.consul.empty()) {
    auto link = ConsulLink::make(
        loop_, network_, random_.next(),
        {.agents = options_.consul,
         .token_file = options_.consul_token_file,
         .ca_file = options_.consul_ca_file,
         .service_file = options_.register_file},
        {.set_endpoints =
             [this](const std::string& cluster, std::vector<model::Endpoint> endpoints) {
               config_->set_endpoints(cluster, std::move(endpoints));
             },
         .has_earlier = [this](const std::string& cluster) { return config_->builder().has_fallback(cluster); },
         .tell = [this](const std::string& words) { log(sources::LogLevel::warn, words); }});
    if (!link) {
      return std::unexpected(link.error());
    }
    consul_ = std::move(*link);
  }
  config_ = std::make_unique<sources::DynamicConfig>(
      sources::DynamicConfig::World{
          .loop = loop_,
          .random = random_,
          .network = network_,
          .connections = {.loop = loop_, .blocks = blocks_, .scratch = {scratch_.get(), kScratch}},
          .files = &files_},
      std::move(bootstrap_),
      sources::DynamicConfig::Events{
          .publish = std::move(publish_),
          .clusters_changed = [this] { follow_clusters(); },
          .log = [this](sources::LogLevel level, const std::string& words) { log(level, words); }},
      options_.state_dir, make_feed());
  return {};
}

void Discovery::follow_clusters() {
  const auto clusters = config_->builder().clusters();
  dns_.follow(clusters);
  if (consul_ != nullptr) {
    consul_->follow(clusters);
    return;
  }
  for (const auto& cluster : clusters) {
    if (std::holds_alternative<model::ConsulDiscovery>(cluster->discovery) &&
        without_consul_.insert(cluster->name).second) {
      const std::string words = "its endpoints are to be found in Consul, and --consul names no agent";
      log(sources::LogLevel::warn, fmt::format("cluster '{}': {}", cluster->name, words));
      config_->set_not_found(cluster->name, words);
    }
  }
}

// In place of a stream to a control plane: the mesh file, translated here.
sources::DynamicConfig::MakeFeed Discovery::make_feed() {
  if (options_.mesh_path.empty()) {
    return {};
  }
  return [this](auto, const auto&) -> std::unique_ptr<sources::Feed> {
    return std::make_unique<MeshFeed>(
        loop_, options_.mesh_path, translate::ProxyIdentity{.service = options_.service, .id = options_.service_id},
        sources::FeedEvents{
            .apply = [this](const auto& update, const auto& unread) { return config_->apply(update, unread); },
            .log = [this](sources::LogLevel level, const std::string& words) { log(level, words); },
            .failed = [this] { config_->feed_failed(); }});
  };
}

void Discovery::enroll() {
  if (consul_ != nullptr) {
    consul_->enroll();
  }
}

void Discovery::leave(Milliseconds limit, std::function<void()> done) {
  if (consul_ != nullptr) {
    consul_->leave(limit, std::move(done));
  } else {
    loop_.post(std::move(done));
  }
}

std::optional<admin::DiscoveryFacts> Discovery::facts_of(const std::string& cluster) const {
  const auto names = dns_.names(cluster);
  if (names.empty()) {
    return consul_ == nullptr ? std::nullopt : consul_->facts(cluster);
  }
  admin::DiscoveryFacts facts;
  facts.source = "dns";
  for (const sources::DnsNameFacts& name : names) {
    facts.age = std::max(facts.age, name.age);
    if (facts.failing.empty() && !name.failing.empty()) {
      facts.failing = fmt::format("'{}': {}", name.host, name.failing);
    }
    if (!name.empty.empty()) {
      facts.skipped.push_back(fmt::format("'{}': {}", name.host, name.empty));
    }
  }
  return facts;
}

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
  if (consul_ != nullptr) {
    consul_->register_metrics(registry);
  }
  register_sources(registry);
  const auto& builder = config_->builder();
  registry.on_scrape(Id::control_plane_connected, {}, [this] { return config_->connected() ? 1.0 : 0.0; });
  registry.on_scrape(Id::control_plane_failures, {}, [this] {
    double sum = 0;
    for (const sources::FeedFacts& feed : config_->feeds()) {
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

void Discovery::register_sources(metrics::Registry& registry) {
  using metrics::Id;
  using Names = std::vector<sources::DnsNameFacts>;
  registry.on_scrape(Id::dns_lookups, {"answered"}, [this] { return static_cast<double>(dns_.counts().answered); });
  registry.on_scrape(Id::dns_lookups, {"empty"}, [this] { return static_cast<double>(dns_.counts().empty); });
  registry.on_scrape(Id::dns_lookups, {"failed"}, [this] { return static_cast<double>(dns_.counts().failed); });
  registry.on_scrape(Id::dns_age, {}, [this] { return std::chrono::duration<double>(dns_.age()).count(); });
  const auto each = [&](Id id, double (*value)(const Names&)) {
    registry.on_scrape_each(id, [this, value] {
      metrics::Registry::Samples samples;
      for (const std::string& cluster : dns_.clusters()) {
        samples.push_back({{cluster, "dns"}, value(dns_.names(cluster))});
      }
      return samples;
    });
  };
  each(Id::discovery_age, [](const Names& names) {
    return std::chrono::duration<double>(std::ranges::max(names, {}, &sources::DnsNameFacts::age).age).count();
  });
  each(Id::discovery_failing, [](const Names& names) {
    return std::ranges::any_of(names, [](const auto& name) { return !name.failing.empty(); }) ? 1.0 : 0.0;
  });
}

admin::DynamicFacts Discovery::facts() const {
  const auto& builder = config_->builder();
  return {.clusters_version = builder.facts(ResourceType::cluster).version,
          .listeners_version = builder.facts(ResourceType::listener).version,
          .clusters = resources_of(builder, ResourceType::cluster),
          .endpoints = resources_of(builder, ResourceType::endpoint),
          .listeners = resources_of(builder, ResourceType::listener),
          .routes = resources_of(builder, ResourceType::route)};
}

}  // namespace remora::proxy
