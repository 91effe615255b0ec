// consul-probe: what Remora makes of a real Consul, for tests/system/test_consul_*.py.
//   consul-probe filter HEALTH.json         stdin: a filter a line; stdout: "ok ID,ID" or "error WORDS" for each
//   consul-probe watch AGENTS OPTION…       follows one cluster; a line for each set of endpoints, and for each word
//   told
//     OPTION: service=S connect=1 filter=F tag=T dc=D (of the target before; another service=… or dc=… is failover)
//             query=Q poll_ms=N hold_ms=N token_file=F ca_file=F
//   consul-probe register AGENTS FILE       registers the service that FILE defines; on SIGTERM deregisters it and ends
#include <event2/event.h>
#include <fmt/core.h>

#include <array>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "core/consul/filter.h"
#include "core/consul/health_json.h"
#include "core/consul/registration.h"
#include "core/consul/service_file.h"
#include "core/event/libevent_loop.h"
#include "core/net/socket_transport.h"
#include "core/tls/client_context.h"
#include "proxy/sources/consul_source.h"

namespace remora {
namespace {

int run_filter(const char* path) {
  std::ifstream file(path);
  const std::string body{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto entries = consul::parse_health(body, {.keep_output = true});
  if (!entries) {
    fmt::print(stderr, "consul-probe: {}: {}\n", path, entries.error().message);
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const auto filter = consul::Filter::parse(line, consul::health_entry_schema());
    if (!filter) {
      fmt::print("error {}\n", filter.error().to_string(line));
      continue;
    }
    std::string ids;
    for (const consul::HealthEntry& entry : *entries) {
      if (filter->matches(consul::selectable(entry))) {
        ids += (ids.empty() ? "" : ",") + entry.service.id;
      }
    }
    fmt::print("ok {}\n", ids);
  }
  return 0;
}

struct Options {
  model::ConsulDiscovery discovery;
  std::string token_file;
  tls::ClientOptions tls;
};

bool take_target(model::ConsulDiscovery::Target& target, std::string_view name, const std::string& value) {
  if (name == "connect") {
    target.connect = value == "1";
  } else if (name == "filter") {
    target.filter = value;
  } else if (name == "tag") {
    target.tags.push_back(value);
  } else if (name == "dc") {
    target.datacenter = value;
  } else {
    return false;
  }
  return true;
}

bool take(Options& options, std::string_view name, const std::string& value) {
  auto& targets = options.discovery.targets;
  if (name == "query") {
    options.discovery.prepared_query = value;
  } else if (name == "poll_ms") {
    options.discovery.poll_interval = Milliseconds(std::stoi(value));
  } else if (name == "hold_ms") {
    options.discovery.hold_empty = Milliseconds(std::stoi(value));
  } else if (name == "ca_file") {
    options.tls.ca_file = value;
  } else if (name == "token_file") {
    options.token_file = value;
  } else if (name == "service") {
    targets.emplace_back().service = value;
  } else {
    return !targets.empty() && take_target(targets.back(), name, value);
  }
  return true;
}

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

// A loop and a client on it.
struct World {
  BlockPool blocks;
  std::array<char, 16 * 1024> scratch{};
  LibeventLoop loop;
  net::SocketNetwork network{loop};
  Random random{1};
  consul::Client client;

  explicit World(consul::ClientOptions options) : client({loop, blocks, scratch}, network, std::move(options)) {}
};

struct Leaver {
  LibeventLoop& loop;
  consul::Registration& registration;
  static void on_signal(int, short, void* self) {
    auto& leaver = *static_cast<Leaver*>(self);
    leaver.loop.enter_turn();
    leaver.registration.leave(Seconds(5), [&leaver](bool gone) {
      say(gone ? "gone" : "not gone");
      leaver.loop.stop();
    });
  }
};

int run_register(const char* agents_text, const char* path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  config::ConfigErrors errors;
  consul::ServiceDefinition service = consul::parse_service(text, path, errors);
  for (const config::ConfigError& error : errors) {
    fmt::print(stderr, "{}\n", error.to_string());
  }
  const auto agents = consul::parse_agents(agents_text);
  if (!errors.empty() || !agents) {
    return 1;
  }
  World world({.agents = *agents, .token = {}});
  consul::Registration registration(world.client, world.random, std::move(service),
                                    [](const std::string& words) { say("told " + words); });
  Leaver leaver{world.loop, registration};
  event* signal = evsignal_new(world.loop.base(), SIGTERM, &Leaver::on_signal, &leaver);
  event_add(signal, nullptr);
  world.loop.run();
  event_free(signal);
  return 0;
}

int run_watch(const char* agents_text, const Options& options) {
  const auto agents = consul::parse_agents(agents_text);
  if (!agents) {
    fmt::print(stderr, "consul-probe: {}\n", agents.error().message);
    return 1;
  }
  const auto context = tls::ClientContext::make(options.tls);
  if (!context) {
    fmt::print(stderr, "consul-probe: {}\n", context.error().message);
    return 1;
  }
  consul::ClientOptions client_options{.agents = *agents, .tls = *context, .token = {}};
  if (!options.token_file.empty()) {
    client_options.token = consul::token_from_file(options.token_file);
  }
  World world(std::move(client_options));
  sources::ConsulSource source(world.client, world.random,
                               {.set_endpoints =
                                    [&](const std::string&, const std::vector<model::Endpoint>& endpoints) {
                                      std::string line = "endpoints";
                                      for (const model::Endpoint& at : endpoints) {
                                        line +=
                                            fmt::format(" {}/{}/{}", at.address.to_string(), at.priority, at.weight);
                                      }
                                      say(line);
                                    },
                                .tell = [&](const std::string& words) { say("told " + words); }});
  auto cluster = std::make_shared<model::Cluster>();
  cluster->name = "probe";
  cluster->discovery = options.discovery;
  const std::array<std::shared_ptr<const model::Cluster>, 1> clusters = {cluster};
  source.follow(clusters);
  world.loop.run();
  return 0;
}

int run(int argc, char** argv) {
  const std::string_view what = argc > 2 ? argv[1] : "";
  if (what == "filter") {
    return run_filter(argv[2]);
  }
  if (what == "register" && argc == 4) {
    return run_register(argv[2], argv[3]);
  }
  Options options;
  for (int i = 3; i < argc; ++i) {
    const std::string_view option = argv[i];
    const std::size_t equals = option.find('=');
    if (equals == std::string_view::npos ||
        !take(options, option.substr(0, equals), std::string(option.substr(equals + 1)))) {
      fmt::print(stderr, "consul-probe: what is '{}'?\n", option);
      return 2;
    }
  }
  return what == "watch" ? run_watch(argv[2], options) : 2;
}

}  // namespace
}  // namespace remora

int main(int argc, char** argv) { return remora::run(argc, argv); }
