#include "proxy/consul_link.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/consul/agent.h"
#include "core/consul/service_file.h"
#include "core/tls/client_context.h"

namespace remora::proxy {
namespace {

Result<consul::ServiceDefinition> read_service(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) {
    return fail(fmt::format("--register {}: {}", path, std::strerror(errno)));
  }
  config::ConfigErrors errors;
  consul::ServiceDefinition service = consul::parse_service(text, path, errors);
  if (errors.empty()) {
    return service;
  }
  std::string words = "--register:";
  for (const config::ConfigError& error : errors) {
    words += "\n  " + error.to_string();
  }
  return fail(std::move(words));
}

Result<consul::ClientOptions> client_options(const ConsulLinkOptions& options) {
  consul::ClientOptions made;
  auto agents = consul::parse_agents(options.agents);
  if (!agents) {
    return fail("--consul: " + agents.error().message);
  }
  made.agents = std::move(*agents);
  const auto speaks_tls = [](const consul::Agent& agent) { return !agent.tls_server.empty(); };
  if (std::ranges::any_of(made.agents, speaks_tls)) {  // else OpenSSL stays untouched, and costs no memory
    auto tls = tls::ClientContext::make({.ca_file = options.ca_file, .certificate = {}, .key = {}});
    if (!tls) {
      return fail("--consul-ca-file: " + tls.error().message);
    }
    made.tls = std::move(*tls);
  }
  if (!options.token_file.empty()) {
    made.token = consul::token_from_file(options.token_file);
    if (auto token = made.token(); !token) {
      return fail("--consul-token-file: " + token.error().message);
    }
  }
  return made;
}

}  // namespace

ConsulLink::ConsulLink(Loop& loop, net::Network& network, std::uint64_t seed, consul::ClientOptions options,
                       sources::ConsulSource::Events events)
    : random_(seed),
      tell_(events.tell),
      client_({loop, blocks_, scratch_}, network, std::move(options)),
      source_(client_, random_, std::move(events)) {}

Result<std::unique_ptr<ConsulLink>> ConsulLink::make(Loop& loop, net::Network& network, std::uint64_t seed,
                                                     const ConsulLinkOptions& options,
                                                     sources::ConsulSource::Events events) {
  auto made = client_options(options);
  if (!made) {
    return std::unexpected(std::move(made.error()));
  }
  std::unique_ptr<ConsulLink> link(new ConsulLink(loop, network, seed, std::move(*made), std::move(events)));
  if (!options.service_file.empty()) {
    auto service = read_service(options.service_file);
    if (!service) {
      return std::unexpected(std::move(service.error()));
    }
    link->service_ = std::move(*service);
  }
  return link;
}

void ConsulLink::enroll() {
  if (service_ && registration_ == nullptr) {
    registration_ = std::make_unique<consul::Registration>(client_, random_, *service_, tell_);
  }
}

void ConsulLink::leave(Milliseconds limit, std::function<void()> done) {
  if (registration_ == nullptr || registration_->state() >= consul::Registration::State::leaving) {
    client_.loop().post(std::move(done));
    return;
  }
  registration_->leave(limit, [this, done = std::move(done)](bool gone) {
    tell_(gone ? fmt::format("service {} is deregistered", service_->name)
               : fmt::format("service {} could not be deregistered in time: its checks will tell", service_->name));
    done();
  });
}

void ConsulLink::register_metrics(metrics::Registry& registry) const {
  using metrics::Id;
  using Facts = sources::ConsulClusterFacts;
  const auto each = [&](Id id, double (*value)(const Facts&)) {
    registry.on_scrape_each(id, [this, value] {
      metrics::Registry::Samples samples;
      for (const Facts& facts : source_.clusters()) {
        samples.push_back({{facts.cluster, "consul"}, value(facts)});
      }
      return samples;
    });
  };
  each(Id::discovery_age, [](const Facts& facts) { return std::chrono::duration<double>(facts.age).count(); });
  each(Id::discovery_failing, [](const Facts& facts) { return facts.failing.empty() ? 0.0 : 1.0; });
  each(Id::discovery_holding, [](const Facts& facts) { return facts.holding ? 1.0 : 0.0; });
  each(Id::discovery_skipped, [](const Facts& facts) { return static_cast<double>(facts.skipped.size()); });
}

std::optional<admin::DiscoveryFacts> ConsulLink::facts(const std::string& cluster) const {
  auto facts = source_.cluster(cluster);
  if (!facts) {
    return std::nullopt;
  }
  return admin::DiscoveryFacts{.source = "consul",
                               .age = facts->age,
                               .failing = std::move(facts->failing),
                               .holding = facts->holding,
                               .skipped = std::move(facts->skipped)};
}

}  // namespace remora::proxy
