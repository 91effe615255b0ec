// `remora-control serve`: brings the mesh to the proxies.
#include <event2/event.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "control/catalog/catalog_events.h"
#include "control/catalog/consul_catalog.h"
#include "control/catalog/folder_catalog.h"
#include "control/commands.h"
#include "control/server/admin_pages.h"
#include "control/server/ads_server.h"
#include "control/server/mesh_provider.h"
#include "core/admin/admin_server.h"
#include "core/consul/client.h"
#include "core/event/inotify_watch.h"
#include "core/event/libevent_loop.h"
#include "core/net/socket_transport.h"

namespace remora::control {
namespace {

constexpr Nanoseconds kGrace = Seconds(2);  // of the streams, when we are told to end

constexpr std::array kFlags = {
    Flag{.name = "mesh",
         .value = Flag::Value::path,
         .placeholder = "PATH",
         .help = "the mesh: a file, or a folder of them; may be given more than once",
         .repeats = true},
    Flag{.name = "consul",
         .value = Flag::Value::word,
         .placeholder = "ADDR[,ADDR]",
         .help = "the mesh, out of Consul: agents, tried in turn, such as 127.0.0.1:8500"},
    Flag{.name = "consul-token-file",
         .value = Flag::Value::path,
         .placeholder = "FILE",
         .help = "the ACL token for Consul; read anew for each request"},
    Flag{.name = "consul-datacenter",
         .value = Flag::Value::word,
         .placeholder = "NAME",
         .help = "whose mesh; the agent's own unless set"},
    Flag{.name = "listen",
         .value = Flag::Value::word,
         .placeholder = "ADDR",
         .help = "where proxies connect; by default 127.0.0.1:18000"},
    Flag{.name = "admin",
         .value = Flag::Value::word,
         .placeholder = "ADDR",
         .help = "where the admin pages are; by default nowhere"},
};

Result<Address> parse_address(std::string_view flag, std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  if (colon == std::string_view::npos || std::from_chars(text.data() + colon + 1, end, port).ptr != end ||
      colon + 1 == text.size()) {
    return fail(fmt::format("--{}: expected an IP address and a port, as 127.0.0.1:18000, not '{}'", flag, text));
  }
  std::string_view ip = text.substr(0, colon);
  if (ip.starts_with('[') && ip.ends_with(']')) {
    ip = ip.substr(1, ip.size() - 2);
  }
  auto address = Address::parse(ip, port);
  return address ? address : fail(fmt::format("--{}: {}", flag, address.error().message));
}

// A signal as an event of the loop.
class Signal {
 public:
  Signal(LibeventLoop& loop, int number, std::function<void()> on_signal)
      : loop_(loop),
        on_signal_(std::move(on_signal)),
        event_(evsignal_new(loop.base(), number, &Signal::on_event, this)) {
    event_add(event_, nullptr);
  }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal() { event_free(event_); }

 private:
  static void on_event(int, short, void* self) {
    auto& signal = *static_cast<Signal*>(self);
    signal.loop_.enter_turn();
    signal.on_signal_();
  }

  LibeventLoop& loop_;
  std::function<void()> on_signal_;
  event* event_;
};

// What was asked for.
struct Wishes {
  std::vector<std::string> paths;  // of a mesh; none: consul
  consul::ClientOptions consul;
  std::string datacenter;
  Address listen;
  std::optional<Address> admin;
};

// All that runs, and what holds it together.
class ControlPlane final : catalog::CatalogEvents {
 public:
  ControlPlane(const Wishes& wishes, const Output& output)
      : output_(output),
        ads_(context_, network_, provider_, ads_options()),
        pages_(ads_, provider_, [this] { return sources(); }),
        paths_(wishes.paths),
        term_(loop_, SIGTERM, [this] { end(); }),
        interrupt_(loop_, SIGINT, [this] { end(); }),
        hang_up_(loop_, SIGHUP, [this] { look_again(); }) {
    end_timer_.bind<&ControlPlane::stop>(this);
    want_task_.bind<&ControlPlane::want>(this);
    if (!wishes.paths.empty()) {
      folder_.emplace(loop_, wishes.paths, events());
      watch_.emplace(loop_, wishes.paths, [this] { folder_->touched(); });
      return;
    }
    client_.emplace(context_, network_, wishes.consul);
    catalog::ConsulCatalogOptions options;
    options.datacenter = wishes.datacenter;
    consul_.emplace(*client_, random_, options, events());
    provider_.on_reached([this] { loop_.at_turn_end(want_task_); });
  }

  int run(const Wishes& wishes) {
    if (folder_) {
      const catalog::Loaded& loaded = folder_->start();
      on_findings(loaded.findings);
      if (loaded.catalog == nullptr) {
        output_.err("error: the mesh cannot be served as it is: see above; `remora-control check` says more\n");
        return kFound;
      }
      take(loaded.catalog);
    }
    if (const auto listening = ads_.listen(wishes.listen); !listening) {
      output_.err(fmt::format("error: --listen {}: {}\n", wishes.listen.to_string(), listening.error().message));
      return kFound;
    }
    if (wishes.admin) {
      admin_ = std::make_unique<admin::AdminServer>(
          loop_, [this](const admin::AdminRequest& request) { return pages_.answer(request); }, "--admin");
      if (const auto listening = admin_->listen(*wishes.admin); !listening) {
        output_.err(fmt::format("error: {}\n", listening.error().message));
        return kFound;
      }
    }
    log(fmt::format("serving {} to proxies on {}{}",
                    folder_ ? fmt::format("{} services", provider_.catalog()->services.size())
                            : fmt::format("what Consul at {} knows", client_->agents()),
                    ads_.address().to_string(),
                    admin_ == nullptr ? std::string() : ", admin pages on http://" + admin_->address().to_string()));
    loop_.run();
    return kFine;
  }

 private:
  catalog::CatalogEvents& events() { return *this; }

  AdsOptions ads_options() {
    AdsOptions options;
    options.log = [this](const std::string& line) { log(line); };
    return options;
  }

  void on_catalog(catalog::CatalogPtr catalog) override {
    log(fmt::format("the mesh changed: {} services", catalog->services.size()));
    take(std::move(catalog));
  }

  void take(catalog::CatalogPtr catalog) {
    const std::string before = provider_.notice();
    provider_.set_catalog(std::move(catalog));
    if (const std::string notice = provider_.notice(); notice != before && !notice.empty()) {
      log("warning: " + notice);
    }
  }

  void on_source(const std::string& words) override { log(words); }

  void on_findings(const catalog::Findings& findings) override {
    for (const catalog::Finding& finding : findings) {
      log(fmt::format("{}: {}", to_string(finding.severity), finding.what.to_string()));
    }
    if (provider_.ready() && has_errors(findings)) {
      log("the mesh that was read last goes on being served");
    }
  }

  // For /sources.
  Sources sources() const {
    if (!consul_) {
      return {.from = fmt::format("mesh files: {}", fmt::join(paths_, ", ")),
              .consul = false,
              .doubted_for = {},
              .watches = {}};
    }
    const MonotonicTime now = loop_.now();
    Sources sources{.from = fmt::format("Consul at {}", client_->agents()),
                    .consul = true,
                    .doubted_for = std::max(consul_->doubts_until() - now, Nanoseconds(0)),
                    .watches = {}};
    for (catalog::WatchFacts& one : consul_->watches()) {
      sources.watches.push_back({std::move(one.path), one.answered, now - one.answered_at, std::move(one.failure)});
    }
    return sources;
  }

  void look_again() {
    if (folder_) {
      folder_->touched();
    }
  }

  // Consul is asked for the instances of those services that somebody's part depends on, and of no others.
  void want() { consul_->want(provider_.wanted()); }

  void end() {
    if (!ending_) {
      ending_ = true;
      log("told to end: proxies go to the next control plane");
      ads_.drain(kGrace);
      loop_.arm(end_timer_, kGrace + Milliseconds(100));
    } else {
      loop_.stop();
    }
  }
  void stop() { loop_.stop(); }

  void log(const std::string& line) {
    const time_t now = std::chrono::duration_cast<Seconds>(loop_.wall_now().time_since_epoch()).count();
    tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    output_.err(fmt::format("{} {}\n", text.data(), line));
  }

  const Output& output_;
  LibeventLoop loop_;
  net::SocketNetwork network_{loop_};
  BlockPool blocks_;
  std::array<char, 65536> scratch_;
  const net::ConnectionContext context_{loop_, blocks_, scratch_};
  MeshProvider provider_;
  Random random_{std::random_device{}()};
  Task want_task_;
  std::optional<catalog::FolderCatalog> folder_;
  std::optional<InotifyWatch> watch_;
  std::optional<consul::Client> client_;
  std::optional<catalog::ConsulCatalog> consul_;
  AdsServer ads_;
  ControlPages pages_;
  const std::vector<std::string> paths_;  // of mesh files
  std::unique_ptr<admin::AdminServer> admin_;
  Timer end_timer_;
  Signal term_;
  Signal interrupt_;
  Signal hang_up_;
  bool ending_ = false;
};

Result<Wishes> wishes_of(const Arguments& arguments) {
  Wishes wishes;
  const auto paths = arguments.values("mesh");
  wishes.paths.assign(paths.begin(), paths.end());
  if (wishes.paths.empty() == !arguments.has("consul")) {
    return fail("serve needs --mesh PATH or --consul ADDR, one of the two");
  }
  if (arguments.has("consul")) {
    auto agents = consul::parse_agents(arguments.value("consul"));
    if (!agents) {
      return fail("--consul: " + agents.error().message);
    }
    for (const consul::Agent& agent : *agents) {
      if (!agent.tls_server.empty()) {
        return fail(fmt::format("--consul: {}: TLS to Consul is not supported by this command yet", agent.authority));
      }
    }
    wishes.consul.agents = std::move(*agents);
    if (arguments.has("consul-token-file")) {
      wishes.consul.token = consul::token_from_file(std::string(arguments.value("consul-token-file")));
    }
    wishes.datacenter = arguments.value("consul-datacenter");
  }
  auto listen = parse_address("listen", arguments.has("listen") ? arguments.value("listen") : "127.0.0.1:18000");
  if (!listen) {
    return std::unexpected(listen.error());
  }
  wishes.listen = *listen;
  if (arguments.has("admin")) {
    auto admin = parse_address("admin", arguments.value("admin"));
    if (!admin) {
      return std::unexpected(admin.error());
    }
    wishes.admin = *admin;
  }
  return wishes;
}

int serve(const Arguments& arguments, const Output& output) {
  const auto wishes = wishes_of(arguments);
  if (!wishes) {
    output.err(fmt::format("error: {}\n", wishes.error().message));
    return kUsage;
  }
  std::signal(SIGPIPE, SIG_IGN);
  auto control = std::make_unique<ControlPlane>(*wishes, output);
  return control->run(*wishes);
}

}  // namespace

const Command kServeCommand = {
    .name = "serve",
    .arguments = "",
    .summary = "Bring the mesh to the proxies, and each change of it",
    .about =
        "Reads the mesh out of files, or out of Consul, follows it, and serves every proxy that connects its part of "
        "it,\n"
        "over Envoy's discovery protocol (ADS). A mesh with an error is not taken: the last good one goes on. SIGTERM "
        "lets\n"
        "proxies go to the next control plane, then ends.\n"
        "\n"
        "  remora-control serve --mesh mesh.yaml\n"
        "  remora-control serve --mesh mesh/ --listen 0.0.0.0:18000 --admin 127.0.0.1:18001\n"
        "  remora-control serve --consul 127.0.0.1:8500 --consul-token-file /run/secrets/consul\n"
        "  curl 127.0.0.1:18001/nodes        who is connected, and what each has taken or refused\n",
    .flags = kFlags,
    .most = 0,
    .run = serve,
};

}  // namespace remora::control
