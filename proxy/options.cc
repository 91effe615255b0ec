#include "proxy/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/address.h"
#include "core/base/nearest.h"

namespace remora::proxy {
namespace {

using Apply = Result<void> (*)(Options&, std::string_view);

struct Flag {
  std::string_view name;
  std::string_view value;  // how help calls it; empty: a switch
  std::string_view help;   // empty: not in help's main list
  Apply apply;
};

template <auto Member>
Result<void> text(Options& options, std::string_view value) {
  options.*Member = std::string(value);
  return {};
}

template <auto Member>
Result<void> on(Options& options, std::string_view) {
  options.*Member = true;
  return {};
}

Result<std::uint32_t> number(std::string_view value) {
  std::uint32_t parsed = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (error != std::errc() || end != value.data() + value.size() || value.empty()) {
    return fail(fmt::format("'{}' is not a whole number from 0 to 4294967295", value));
  }
  return parsed;
}

template <auto Member>
Result<void> seconds(Options& options, std::string_view value) {
  const auto parsed = number(value);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  options.*Member = Seconds(*parsed);
  return {};
}

Result<void> nothing(Options&, std::string_view) { return {}; }
Result<void> nothing_number(Options&, std::string_view value) {
  const auto parsed = number(value);
  return parsed ? Result<void>{} : std::unexpected(parsed.error());
}

Result<void> set_mode(Options& options, std::string_view value) {
  if (value != "serve" && value != "validate") {
    return fail(fmt::format("unknown mode '{}': it is serve or validate", value));
  }
  options.mode = value == "serve" ? Options::Mode::serve : Options::Mode::validate;
  return {};
}

Result<void> set_concurrency(Options& options, std::string_view value) {
  const auto parsed = number(value);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  if (*parsed > 1024) {
    return fail(fmt::format("{} workers are too many: 1024 at most", *parsed));
  }
  options.concurrency = std::max(1u, *parsed);  // 0 is 1, as in Envoy
  return {};
}

constexpr std::array<std::string_view, 8> kLevels = {"trace", "debug", "info",     "warning",
                                                     "warn",  "error", "critical", "off"};

Result<void> check_level(std::string_view value) {
  if (is_log_level(value)) {
    return {};
  }
  return fail(
      fmt::format("invalid log level specified '{}'{}: it is trace, debug, info, warning, error, critical or off",
                  value, did_you_mean(value, kLevels)));
}

Result<void> set_level(Options& options, std::string_view value) {
  if (auto checked = check_level(value); !checked) {
    return checked;
  }
  options.log_level = value == "warn" ? "warning" : value;
  return {};
}

Result<void> set_component_levels(Options& options, std::string_view value) {
  while (!value.empty()) {
    const std::string_view item = value.substr(0, value.find(','));
    value.remove_prefix(std::min(value.size(), item.size() + 1));
    const std::size_t colon = item.find(':');
    if (colon == std::string_view::npos || item.find(':', colon + 1) != std::string_view::npos) {
      return fail(fmt::format("component log level not correctly specified '{}': write component:level", item));
    }
    const std::string_view component = item.substr(0, colon);
    std::string_view level = item.substr(colon + 1);
    if (std::ranges::find(log_components(), component) == log_components().end()) {
      return fail(fmt::format("invalid component specified '{}'{}: there are {}", component,
                              did_you_mean(component, log_components()), fmt::join(log_components(), ", ")));
    }
    if (auto checked = check_level(level); !checked) {
      return checked;
    }
    options.component_log_levels.emplace_back(component, level == "warn" ? "warning" : level);
  }
  return {};
}

Result<void> set_base_id(Options& options, std::string_view value) {
  const auto parsed = number(value);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  options.base_id = *parsed;
  return {};
}

Result<void> set_epoch(Options&, std::string_view value) {
  const auto parsed = number(value);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  if (*parsed != 0) {
    return fail(
        "a Remora cannot take over from a running one yet: start it with epoch 0, and stop the old one with "
        "SIGTERM (both may listen on the same ports meanwhile)");
  }
  return {};
}

Result<void> add_control(Options& options, std::string_view value) {
  while (true) {
    const std::string_view item = value.substr(0, value.find(','));
    if (auto address = Address::parse_ip_port(item); !address) {
      return std::unexpected(address.error());
    }
    options.control.emplace_back(item);
    if (item.size() == value.size()) {
      return {};
    }
    value.remove_prefix(item.size() + 1);
  }
}

Result<void> set_admin(Options& options, std::string_view value) {
  if (auto address = Address::parse_ip_port(value); !address) {
    return std::unexpected(address.error());
  }
  options.admin = std::string(value);
  return {};
}

Result<void> set_completion(Options& options, std::string_view value) {
  if (value != "bash" && value != "zsh" && value != "fish") {
    return fail(fmt::format("'{}' is no shell that is known here: bash, zsh or fish", value));
  }
  options.completion = value;
  return {};
}

Result<void> set_strategy(Options& options, std::string_view value) {
  if (value != "gradual" && value != "immediate") {
    return fail(fmt::format("unknown drain strategy '{}': it is gradual or immediate", value));
  }
  options.drain_immediate = value == "immediate";
  return {};
}

// The order is that of --help.
constexpr std::array kFlags = {
    Flag{"config-path", "PATH", "The bootstrap: Envoy's v3, YAML or JSON; a pipe will do (-c)",
         text<&Options::config_path>},
    Flag{"config-yaml", "YAML", "The bootstrap itself; merged over the file's when both are given",
         text<&Options::config_yaml>},
    Flag{"mesh", "PATH", "A mesh file (docs/mesh_file.md), or a folder of them: no bootstrap, no control plane",
         text<&Options::mesh_path>},
    Flag{"control", "LIST", "IP:PORT of remora-control, several by comma: the configuration comes from there",
         add_control},
    Flag{"service", "NAME", "With --mesh or --control: whose sidecar this is", text<&Options::service>},
    Flag{"service-id", "ID", "Which of the service's instances; default: the first", text<&Options::service_id>},
    Flag{"consul", "ADDR", "The Consul agent by which this proxy finds its peers itself: IP:PORT or a URL",
         text<&Options::consul>},
    Flag{"consul-token-file", "PATH", "A file that holds the ACL token; read again when it changes",
         text<&Options::consul_token_file>},
    Flag{"consul-ca-file", "PATH", "Who may have signed the certificate of an https agent (the system's)",
         text<&Options::consul_ca_file>},
    Flag{"register", "PATH", "A service definition, YAML or JSON, to register with the agent; gone on drain",
         text<&Options::register_file>},
    Flag{"admin", "IP:PORT", "With --mesh or --control: the admin interface (127.0.0.1:15000)", set_admin},
    Flag{"mode", "MODE", "serve, or validate: report every error of the configuration and exit", set_mode},
    Flag{"concurrency", "N", "Worker threads; default: the cores that the container may use", set_concurrency},
    Flag{"log-level", "LEVEL", "trace, debug, info (default), warning, error, critical or off (-l)", set_level},
    Flag{"component-log-level", "LIST", "Levels of single loggers: upstream:debug,config:trace", set_component_levels},
    Flag{"log-format", "PATTERN", "spdlog's pattern; also %_ (message, escaped) and %j (message as JSON text)",
         text<&Options::log_format>},
    Flag{"log-format-escaped", "", "Escape control characters in messages", on<&Options::log_format_escaped>},
    Flag{"log-path", "PATH", "Log to this file, not to stderr; SIGUSR1 opens it anew", text<&Options::log_path>},
    Flag{"service-node", "ID", "node.id, over the file's", text<&Options::service_node>},
    Flag{"service-cluster", "NAME", "node.cluster, over the file's", text<&Options::service_cluster>},
    Flag{"service-zone", "ZONE", "node.locality.zone, over the file's", text<&Options::service_zone>},
    Flag{"state-dir", "DIR", "Keep the last good dynamic resources here, to start from when no control plane is there",
         text<&Options::state_dir>},
    Flag{"min-drain-time-s", "S", "On SIGTERM go on accepting this long, so that peers notice (5); Remora's own",
         seconds<&Options::min_drain_time>},
    Flag{"drain-time-s", "S", "On SIGTERM exit after this long, whatever still runs (25; Envoy: 600)",
         seconds<&Options::drain_time>},
    Flag{"admin-address-path", "PATH", "Write the admin's address to this file, once it is known",
         text<&Options::admin_address_path>},
    Flag{"completion", "SHELL", "Print what lets bash, zsh or fish complete all this, and exit", set_completion},
    Flag{"version", "", "Print the version and exit", on<&Options::version>},
    Flag{"help", "", "Print this and exit (-h)", on<&Options::help>},

    // Taken for Envoy's sake.
    Flag{"base-id", "N", "", set_base_id},
    Flag{"base-id-path", "PATH", "", text<&Options::base_id_path>},
    Flag{"use-dynamic-base-id", "", "", on<&Options::use_dynamic_base_id>},
    Flag{"disable-hot-restart", "", "", on<&Options::disable_hot_restart>},
    Flag{"hot-restart-version", "", "", on<&Options::hot_restart_version>},
    Flag{"restart-epoch", "N", "", set_epoch},
    Flag{"parent-shutdown-time-s", "S", "", seconds<&Options::parent_shutdown_time>},
    Flag{"drain-strategy", "WORD", "", set_strategy},
    Flag{"cpuset-threads", "", "", nothing},
    Flag{"file-flush-interval-msec", "MS", "", nothing_number},
    Flag{"file-flush-min-size-kb", "KB", "", nothing_number},
    Flag{"reject-unknown-dynamic-fields", "", "", nothing},
    Flag{"skip-deprecated-logs", "", "", nothing},
    Flag{"enable-core-dump", "", "", nothing},
    Flag{"socket-path", "PATH", "", nothing},
    Flag{"socket-mode", "MODE", "", nothing},
    Flag{"skip-hot-restart-on-no-parent", "", "", nothing},
    Flag{"skip-hot-restart-parent-stats", "", "", nothing},
    Flag{"log-stacktrace-single-entry", "", "", nothing},
};

// Flags of Envoy's that would change what a Remora does, and that it does not have.
struct Refused {
  std::string_view name;
  std::string_view why;
};
constexpr std::array kRefused = {
    Refused{"allow-unknown-fields", "a field that Remora does not know is always an error, never ignored"},
    Refused{"allow-unknown-static-fields", "a field that Remora does not know is always an error, never ignored"},
    Refused{"ignore-unknown-dynamic-fields", "a field that Remora does not know is always an error, never ignored"},
    Refused{"local-address-ip-version", "addresses are what the configuration says"},
    Refused{"disable-extensions", "Remora has no extensions to disable"},
    Refused{"enable-mutex-tracing", "there is no mutex on the request path; see remora_proxy_duration_seconds instead"},
    Refused{"enable-fine-grain-logging", "loggers are by component: use --component-log-level"},
    Refused{"stats-tag", "add the label where Prometheus scrapes (relabel_configs)"},
};

const Flag* find_flag(std::string_view name) {
  const auto* found = std::ranges::find(kFlags, name, &Flag::name);
  return found == kFlags.end() ? nullptr : found;
}

std::string_view long_name(std::string_view argument) {
  if (argument == "-c") {
    return "config-path";
  }
  if (argument == "-l") {
    return "log-level";
  }
  if (argument == "-h") {
    return "help";
  }
  return argument.starts_with("--") ? argument.substr(2, argument.find('=') - 2) : std::string_view();
}

std::unexpected<Error> unknown(std::string_view argument, std::string_view name) {
  if (!argument.starts_with('-')) {
    return fail(fmt::format("'{}' belongs to no flag: the configuration is given with -c", argument));
  }
  for (const Refused& refused : kRefused) {
    if (refused.name == name) {
      return fail(fmt::format("--{} is Envoy's, and not supported: {}", name, refused.why));
    }
  }
  std::array<std::string_view, kFlags.size()> names;
  std::ranges::transform(kFlags, names.begin(), &Flag::name);
  const std::string_view near = nearest(name.empty() ? argument : name, names);
  return fail(fmt::format("there is no flag {}{}; --help lists them",
                          name.empty() ? std::string(argument) : fmt::format("--{}", name),
                          near.empty() ? std::string() : fmt::format(": did you mean --{}?", near)));
}

// Flags that only make sense together, or not at all.
Result<void> check_together(const Options& options) {
  for (const auto& [name, value] :
       {std::pair("consul-token-file", &options.consul_token_file), std::pair("register", &options.register_file),
        std::pair("consul-ca-file", &options.consul_ca_file)}) {
    if (!value->empty() && options.consul.empty()) {
      return fail(fmt::format("--{} needs --consul ADDR: which agent?", name));
    }
  }
  const bool mesh = !options.mesh_path.empty();
  const bool control = !options.control.empty();
  if (mesh && control) {
    return fail("--mesh and --control: the configuration comes from a file or from remora-control, not from both");
  }
  if (!mesh && !control) {
    for (const auto& [name, value] : {std::pair("service", &options.service), std::pair("admin", &options.admin),
                                      std::pair("service-id", &options.service_id)}) {
      if (!value->empty()) {
        return fail(fmt::format("--{} goes with --mesh or --control; a bootstrap says it itself ({})", name,
                                std::string_view(name) == "admin" ? "admin.address" : "node"));
      }
    }
    return {};
  }
  const std::string_view source = mesh ? "--mesh" : "--control";
  if (!options.config_path.empty()) {
    return fail(fmt::format("{} and --config-path: there is one configuration. Leave one of them out", source));
  }
  if (options.service.empty()) {
    return fail(fmt::format("{} needs --service NAME: whose sidecar is this?", source));
  }
  return {};
}

}  // namespace

bool is_log_level(std::string_view name) { return std::ranges::find(kLevels, name) != kLevels.end(); }

std::span<const std::string_view> log_components() {
  // Envoy's names where Envoy has one.
  static constexpr std::array<std::string_view, 14> kComponents = {
      "access_log", "admin", "client", "config", "conn_handler", "connection", "filter",
      "http",       "main",  "pool",   "router", "tracing",      "upstream",   "websocket"};
  return kComponents;
}

Result<Options> parse_options(std::span<const std::string_view> arguments) {
  Options options;
  std::array<bool, kFlags.size()> given{};
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string_view argument = arguments[at];
    const std::string_view name = long_name(argument);
    const Flag* flag = find_flag(name);
    if (flag == nullptr) {
      return unknown(argument, name);
    }
    const std::string shown = argument.starts_with("--") ? fmt::format("--{}", name) : std::string(argument);
    if (std::exchange(given[static_cast<std::size_t>(flag - kFlags.data())], true)) {
      return fail(fmt::format("--{} is given twice", flag->name));
    }
    const std::size_t equals = argument.starts_with("--") ? argument.find('=') : std::string_view::npos;
    std::string_view value;
    if (flag->value.empty()) {
      if (equals != std::string_view::npos) {
        return fail(fmt::format("{} takes no value", shown));
      }
    } else if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (at + 1 < arguments.size()) {
      value = arguments[++at];
    } else {
      return fail(fmt::format("{} needs a value: {} {}", shown, shown, flag->value));
    }
    if (auto applied = flag->apply(options, value); !applied) {
      return fail(fmt::format("{}: {}", shown, applied.error().message));
    }
  }
  if (auto checked = check_together(options); !checked) {
    return std::unexpected(checked.error());
  }
  return options;
}

std::span<const FlagWords> flag_words() {
  static constexpr auto kWords = [] {
    std::array<FlagWords, kFlags.size()> words;
    std::ranges::transform(kFlags, words.begin(),
                           [](const Flag& flag) { return FlagWords{flag.name, flag.value, flag.help}; });
    return words;
  }();
  return kWords;
}

}  // namespace remora::proxy
