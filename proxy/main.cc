// remora-proxy: reads the command line and the configuration, then hands both to the Sidecar.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

#include "proxy/build_info.h"
#include "proxy/concurrency.h"
#include "proxy/help.h"
#include "proxy/logging.h"
#include "proxy/mesh/mesh_feed.h"
#include "proxy/mesh_bootstrap.h"
#include "proxy/options.h"
#include "proxy/route_command.h"
#include "proxy/sidecar.h"
#include "proxy/xds/bootstrap.h"

namespace remora::proxy {
namespace {

using Loaded = std::expected<xds::Bootstrap, xds::ConfigErrors>;

constexpr std::size_t kMaxConfigBytes = 256u << 20;

void say(std::FILE* where, std::string_view words) { std::fwrite(words.data(), 1, words.size(), where); }

// Once, from the beginning to the end: it may be a pipe.
Result<std::string> read_config(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  }
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0 || text.size() > kMaxConfigBytes) {
      const std::string why = got < 0 ? std::strerror(errno) : "it does not end: is it a configuration?";
      close(fd);
      return fail(fmt::format("cannot read {}: {}", path, why));
    }
    if (got == 0) {
      break;
    }
    text.append(buffer, static_cast<std::size_t>(got));
  }
  close(fd);
  return text;
}

Loaded refused(std::string words) {
  xds::ConfigError error;
  error.message = std::move(words);
  return std::unexpected(xds::ConfigErrors{std::move(error)});
}

xds::LoadOptions load_options(const Options& options) {
  return {.config_yaml = options.config_yaml,
          .service_node = options.service_node,
          .service_cluster = options.service_cluster,
          .service_zone = options.service_zone,
          .version = std::string(version_number())};
}

// --mesh and --control stand for a bootstrap.
Loaded load_mesh(const Options& options) {
  if (!options.mesh_path.empty()) {
    const MeshReport report = check_mesh(options.mesh_path, {.service = options.service, .id = options.service_id});
    if (!report.errors.empty()) {
      xds::ConfigErrors errors;
      for (const std::string& words : report.errors) {
        errors.emplace_back().message = words;
      }
      return std::unexpected(std::move(errors));
    }
  }
  auto loaded = xds::read_bootstrap(mesh_bootstrap(options), options.mesh_path.empty() ? "--control" : "--mesh",
                                    load_options(options));
  if (loaded && !options.mesh_path.empty()) {
    loaded->ads.kind = xds::ConfigSource::Kind::delta_grpc;  // whom MeshFeed stands in for
    loaded->cds.kind = loaded->lds.kind = xds::ConfigSource::Kind::ads;
  }
  return loaded;
}

// What messages call the configuration.
std::string name_of(const Options& options) {
  return !options.mesh_path.empty()    ? options.mesh_path
         : !options.control.empty()    ? fmt::format("--control {}", fmt::join(options.control, ","))
         : options.config_path.empty() ? std::string("--config-yaml")
                                       : options.config_path;
}

Loaded load(const Options& options) {
  if (!options.service.empty()) {
    return load_mesh(options);
  }
  if (options.config_path.empty() && options.config_yaml.empty()) {
    return refused("there is no configuration: give one by --config-path (-c) or --config-yaml; --help has examples");
  }
  std::string text;
  if (!options.config_path.empty()) {
    auto read = read_config(options.config_path);
    if (!read) {
      return refused(read.error().message);
    }
    text = std::move(*read);
  }
  return xds::read_bootstrap(text, options.config_path, load_options(options));
}

// One worker's allocations hardly ever meet another's: few arenas, and what a burst took goes back to the system.
void tune_malloc(unsigned workers) {
  mallopt(M_ARENA_MAX, static_cast<int>(workers) + 1);
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  mallopt(M_TRIM_THRESHOLD, 512 * 1024);
}

void ignore_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGUSR1, SIG_IGN);  // until the sidecar listens to it
}

int validate(const Options& options) {
  const Loaded loaded = load(options);
  if (loaded) {
    say(stdout, fmt::format("configuration '{}' OK\n", name_of(options)));
    return 0;
  }
  for (const xds::ConfigError& error : loaded.error()) {
    say(stderr, error.to_string() + "\n");
  }
  say(stderr, fmt::format("error initializing configuration '{}': {} error{}\n", name_of(options),
                          loaded.error().size(), loaded.error().size() == 1 ? "" : "s"));
  return 1;
}

int serve(const Options& options, Logging& logging) {
  auto loaded = load(options);
  if (!loaded) {
    auto& log = logging.of("config");
    for (const xds::ConfigError& error : loaded.error()) {
      REMORA_LOG(log, critical, "{}", error.to_string());
    }
    REMORA_LOG(log, critical, "error initializing configuration '{}': {} error{}; --mode validate checks a file alone",
               name_of(options), loaded.error().size(), loaded.error().size() == 1 ? "" : "s");
    return 1;
  }
  const unsigned workers = options.concurrency.value_or(default_concurrency());
  tune_malloc(workers);
  REMORA_LOG(logging.of("config"), info, "loaded '{}': {} listeners, {} clusters", name_of(options),
             loaded->listeners.size(), loaded->clusters.size());
  Sidecar sidecar(options, workers, logging, loaded->snapshot);
  if (loaded->dynamic()) {
    sidecar.discover(std::move(*loaded));
  }
  return sidecar.run();
}

int run(std::span<char*> arguments) {
  std::vector<std::string_view> flags(arguments.begin() + 1, arguments.end());
  if (!flags.empty() && flags[0] == "route") {
    return run_route_command(
        std::span(flags).subspan(1), [](std::string_view words) { say(stdout, words); },
        [](std::string_view words) { say(stderr, words); });
  }
  const auto options = parse_options(flags);
  if (!options) {
    say(stderr, fmt::format("error: {}\n", options.error().message));
    return 1;
  }
  if (options->help || options->version || options->hot_restart_version || !options->completion.empty()) {
    say(stdout, options->help                  ? help_text()
                : !options->completion.empty() ? completion_text(options->completion)
                : options->version             ? version_text(arguments[0])
                                               : std::string("disabled\n"));
    return 0;
  }
  ignore_signals();
  if (options->mode == Options::Mode::validate) {
    return validate(*options);
  }
  const auto components = log_components();
  auto logging = Logging::start({.level = options->log_level,
                                 .component_levels = options->component_log_levels,
                                 .format = options->log_format,
                                 .escaped = options->log_format_escaped,
                                 .path = options->log_path,
                                 .components = {components.begin(), components.end()}});
  if (!logging) {
    say(stderr, fmt::format("error: {}\n", logging.error().message));
    return 1;
  }
  return serve(*options, **logging);
}

}  // namespace
}  // namespace remora::proxy

int main(int argc, char** argv) {
  try {
    return remora::proxy::run({argv, static_cast<std::size_t>(argc)});
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "error: %s\n", failure.what());
    return 1;
  }
}
