#include "proxy/sidecar.h"

#include <event2/event.h>
#include <fmt/format.h>
#include <malloc.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "proxy/build_info.h"
#include "proxy/info/response_flags.h"

namespace remora::proxy {
namespace {

constexpr Milliseconds kTrimAfter{1000};
constexpr Milliseconds kDrainPoll{50};  // how soon the last connection's end is seen

std::string label_of_flags(std::uint32_t flags) { return flags_text(flags); }

void report_access_log(std::string_view words) {
  if (const auto logger = spdlog::get("access_log")) {
    REMORA_LOG(*logger, err, "{}", words);
  }
}

bool logs_access(const model::Snapshot& snapshot) {
  return std::ranges::any_of(snapshot.listeners, [](const auto& each) { return !each->access_logs().empty(); });
}

double seconds(Nanoseconds time) { return std::chrono::duration<double>(time).count(); }

std::string plural(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace

Sidecar::Sidecar(const Options& options, unsigned concurrency, Logging& logging,
                 std::shared_ptr<const model::Snapshot> snapshot)
    : options_(options),
      concurrency_(concurrency),
      logging_(logging),
      log_(logging.of("main")),
      command_line_options_(options_json(options, concurrency)),
      pool_log_(logging.of("pool")),
      connection_log_(logging.of("connection")),
      started_at_(loop_.precise_now()),
      snapshot_(std::move(snapshot)),
      snapshot_loaded_(loop_.wall_now()),
      shared_(
          concurrency,
          [&log = logging.of("upstream")](const std::string& words) { REMORA_LOG(log, info, "{}", words); },
          &pool_log_),
      publisher_(
          loop_, shared_, [this](const Publisher::Result& result) { on_published(result); },
          [this](const Prepared& prepared) { check_health(prepared.clusters); }),
      registry_({.version = std::string(version_number()), .flags_text = label_of_flags}),
      access_log_(report_access_log),
      lifecycle_({.min_drain = options.min_drain_time, .deadline = options.drain_time}) {
  tick_timer_.bind<&Sidecar::on_tick>(this);
  trim_timer_.bind<&Sidecar::trim>(this);
}

Sidecar::~Sidecar() {
  workers_.clear();
  if (signal_event_ != nullptr) {
    event_free(signal_event_);
    close(signal_fd_);
  }
}

int Sidecar::run() {
  REMORA_LOG(log_, info, "remora-proxy {} starts: node '{}', cluster '{}', {}, pid {}", long_version(),
             snapshot_->node.id, snapshot_->node.cluster, plural(concurrency_, "worker"), getpid());
  auto discovers = discovery_ == nullptr ? Result<void>() : discovery_->start();
  if (discovers) {
    register_metrics();
  }
  listen_to_signals();
  if (!discovers) {
    fail_start(discovers.error().message);
  } else if (auto started = start_admin(); !started) {
    fail_start(started.error().message);
  } else if (auto ours = check_addresses(); !ours) {
    fail_start(ours.error().message);
  } else if (discovery_ == nullptr) {
    start_checked();
  }
  if (lifecycle_.state() != Lifecycle::State::ended) {
    loop_.run();
  }
  admin_.reset();
  checks_.reset();
  discovery_.reset();
  workers_.clear();
  REMORA_LOG(log_, info, "exits with {}", exit_code_);
  return exit_code_;
}

void Sidecar::discover(xds::Bootstrap bootstrap) {
  discovery_ = std::make_unique<Discovery>(loop_, logging_, std::move(bootstrap), options_,
                                           [this](auto snapshot) { on_discovered(std::move(snapshot)); });
}

void Sidecar::on_discovered(std::shared_ptr<const model::Snapshot> snapshot) {
  if (lifecycle_.state() == Lifecycle::State::ended) {
    return;
  }
  if (!workers_.empty()) {
    publish(std::move(snapshot));
    return;
  }
  snapshot_ = std::move(snapshot);
  snapshot_loaded_ = loop_.wall_now();
  if (checks_ == nullptr) {
    start_checked();
  } else {
    check_health(shared_.prepare(*snapshot_));  // the first ones' outcome is still to come
  }
}

Result<void> Sidecar::start_admin() {
  auto& log = logging_.of("admin");
  if (!snapshot_->admin) {
    REMORA_LOG(log, warn, "there is no admin interface: the bootstrap has no admin.address");
    return {};
  }
  admin_ = std::make_unique<admin::AdminServer>(
      loop_, [this](const admin::AdminRequest& request) { return pages_.answer(request); },
      "admin.address in the bootstrap", snapshot_->admin->access_log_path);
  if (auto listening = admin_->listen(snapshot_->admin->address); !listening) {
    return listening;
  }
  const Address& address = admin_->address();
  REMORA_LOG(log, info, "admin listens on {}", address.to_string());
  if (address.is_ip() && !address.is_loopback()) {
    REMORA_LOG(log, warn, "{} is not a loopback address: whoever reaches it can stop this proxy", address.to_string());
  }
  if (!options_.admin_address_path.empty()) {
    std::FILE* file = std::fopen(options_.admin_address_path.c_str(), "we");
    if (file == nullptr) {
      return fail(
          fmt::format("cannot write --admin-address-path {}: {}", options_.admin_address_path, std::strerror(errno)));
    }
    std::fputs(address.to_string().c_str(), file);
    std::fclose(file);
  }
  return {};
}

// Workers share ports with each other, but not with another process. (One that hands its listeners over to us, when
// that comes, will be asked for its sockets instead.)
Result<void> Sidecar::check_addresses() const {
  for (const auto& listener : snapshot_->listeners) {
    if (listener->bind_to_port && net::somebody_listens(listener->address)) {
      return fail(fmt::format(
          "listener '{}': {} is in use: another process listens there (another Remora, perhaps), and the two "
          "would share its connections by chance. Stop it, or choose another address",
          listener->name, listener->address.to_string()));
    }
  }
  return {};
}

// As Envoy, which serves nobody before it knows whom it can call.
void Sidecar::start_checked() {
  if (!ActiveChecks::wanted(*snapshot_)) {
    start_workers();
    return;
  }
  check_health(shared_.prepare(*snapshot_));
  checks_->when_settled([this] {
    if (lifecycle_.state() == Lifecycle::State::starting) {
      start_workers();
    }
  });
}

// Of a configuration that comes into effect next, before any worker has it.
void Sidecar::check_health(const std::vector<std::shared_ptr<const upstream::PreparedCluster>>& clusters) {
  const bool wanted =
      std::ranges::any_of(clusters, [](const auto& each) { return each->config->health_check != nullptr; });
  if (!checks_ && !wanted) {
    return;
  }
  if (!checks_) {
    checks_ = std::make_unique<ActiveChecks>(loop_, registry_.add_main(), loop_.wall_now().time_since_epoch().count(),
                                             [this](const std::string& words) { REMORA_LOG(log_, warn, "{}", words); });
  }
  checks_->check(clusters);
}

void Sidecar::start_workers() {
  const auto seed = static_cast<std::uint64_t>(loop_.wall_now().time_since_epoch().count()) ^
                    (static_cast<std::uint64_t>(getpid()) << 40);
  for (unsigned index = 0; index < concurrency_; ++index) {
    numbers_.push_back(&registry_.add_worker());
    workers_.push_back(
        std::make_unique<WorkerThread>(*numbers_.back(), WorkerOptions{.index = index,
                                                                       .seed = seed + index,
                                                                       .drain_time = options_.drain_time,
                                                                       .connection_log = &connection_log_}));
    publisher_.add_worker(*workers_.back());
  }
  give_way_to_workers();
  publish(snapshot_);
}

void Sidecar::publish(std::shared_ptr<const model::Snapshot> snapshot, Publisher::Done done) {
  if (!access_logged_ && logs_access(*snapshot)) {
    access_logged_ = true;
    for (unsigned index = 0; index < concurrency_; ++index) {
      workers_[index]->set_access_log(&access_log_.add_worker(*numbers_[index]));
    }
  }
  publisher_.publish(std::move(snapshot), std::move(done));
}

void Sidecar::on_published(const Publisher::Result& result) {
  if (lifecycle_.state() == Lifecycle::State::starting) {
    on_started(result);
    return;
  }
  if (lifecycle_.state() == Lifecycle::State::ended) {
    return;
  }
  if (result.snapshot == snapshot_) {  // listeners that could not be opened were tried once more
    if (result.errors.empty()) {
      REMORA_LOG(log_, info, "all listeners of configuration {} are open now", snapshot_->version);
    }
    return;
  }
  // Endpoints come and go as often as DNS or Consul say.
  const bool endpoints_only =
      snapshot_->listeners == result.snapshot->listeners && snapshot_->cluster_order == result.snapshot->cluster_order;
  snapshot_ = result.snapshot;
  snapshot_loaded_ = loop_.wall_now();
  log_.log(spdlog::source_loc{__FILE__, __LINE__, nullptr}, endpoints_only ? spdlog::level::debug : spdlog::level::info,
           "configuration {} is in force: {}, {}", snapshot_->version, plural(snapshot_->listeners.size(), "listener"),
           plural(snapshot_->clusters.size(), "cluster"));
  for (const ListenerError& error : result.errors) {
    REMORA_LOG(log_, err, "{}. What listened under that name before goes on as it was; tried again every {} s",
               error.words, Publisher::kRetry.count());
  }
  tell_what_is_not_enforced();
  loop_.arm(trim_timer_, kTrimAfter);
}

void Sidecar::on_started(const Publisher::Result& result) {
  if (discovery_ != nullptr && discovery_->brings_listeners()) {
    for (const ListenerError& error : result.errors) {
      REMORA_LOG(log_, err, "{}; tried again every {} s", error.words, Publisher::kRetry.count());
    }
  } else if (!result.errors.empty()) {
    fail_start(
        fmt::format("{}. Is another process on that port, or is the address not this machine's? Stop it, or "
                    "change the listener's address in the bootstrap",
                    result.errors.front().words));
    return;
  }
  for (const admin::ListenerFacts& listener : listeners()) {
    REMORA_LOG(log_, info, "listener '{}' on {}", listener.name, listener.address.to_string());
  }
  if (snapshot_->listeners.empty()) {
    REMORA_LOG(log_, warn, "the configuration has no listeners: nothing will be proxied");
  }
  tell_what_is_not_enforced();
  lifecycle_.started();
  if (discovery_ != nullptr) {
    discovery_->enroll();
  }
  REMORA_LOG(log_, info, "ready after {:.0f} ms", seconds(loop_.precise_now() - started_at_) * 1000);
  trim();
}

// Reading a configuration takes far more memory than holding it.
void Sidecar::trim() { malloc_trim(0); }

void Sidecar::fail_start(const std::string& words) {
  REMORA_LOG(log_, critical, "cannot start: {}", words);
  exit_code_ = 1;
  act(lifecycle_.quit());
}

void Sidecar::register_metrics() {
  using metrics::Id;
  registry_.on_scrape(Id::config_version, {}, [this] { return static_cast<double>(snapshot_->version); });
  registry_.on_scrape(Id::config_update_time, {}, [this] { return seconds(snapshot_loaded_.time_since_epoch()); });
  if (discovery_ != nullptr) {
    discovery_->register_metrics(registry_);
  }
  registry_.on_scrape_each(Id::intentions_not_enforced, [this] {
    metrics::Registry::Samples samples;
    for (const auto& listener : snapshot_->listeners) {
      if (listener->intentions_not_enforced) {
        samples.push_back({{listener->name}, 1.0});
      }
    }
    return samples;
  });
  registry_.on_scrape(Id::draining, {},
                      [this] { return lifecycle_.state() == Lifecycle::State::draining ? 1.0 : 0.0; });
}

// Blocked here, before the workers' threads begin and inherit that; read as a descriptor by the main loop.
void Sidecar::listen_to_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) {
    sigaddset(&set, number);
  }
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) {
    std::signal(number, SIG_DFL);  // an ignored signal would not be queued
  }
  signal_fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  signal_event_ = event_new(loop_.base(), signal_fd_, EV_READ | EV_PERSIST, &Sidecar::on_signal_event, this);
  event_add(signal_event_, nullptr);
}

void Sidecar::on_signal_event(int fd, short, void* self) {
  auto& sidecar = *static_cast<Sidecar*>(self);
  sidecar.loop_.enter_turn();
  signalfd_siginfo info{};
  while (read(fd, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    sidecar.on_signal(static_cast<int>(info.ssi_signo));
  }
}

void Sidecar::on_signal(int number) {
  if (number == SIGUSR1) {
    reopen_all_logs();
    return;
  }
  const char* name = number == SIGTERM ? "SIGTERM" : "SIGINT";
  const bool again = lifecycle_.state() == Lifecycle::State::draining;
  const Lifecycle::Actions actions = lifecycle_.stop(loop_.now());
  if (actions.drain) {
    REMORA_LOG(log_, warn,
               "{}: drains. {} open; new ones are taken for {} s more, and all ends at the last one's end, or in {} s",
               name, plural(active_connections(), "connection"),
               std::min(options_.min_drain_time, options_.drain_time).count(), options_.drain_time.count());
  } else if (actions.end) {
    REMORA_LOG(log_, warn, "{}{}: ends at once, with {} open", name, again ? " again" : "",
               plural(active_connections(), "connection"));
  }
  act(actions);
  if (actions.drain && discovery_ != nullptr) {  // the sooner callers hear of it, the fewer come
    lifecycle_.set_leaving(true);
    discovery_->leave(options_.drain_time, [this] { lifecycle_.set_leaving(false); });
  }
}

void Sidecar::on_tick() {
  const std::size_t connections = active_connections();
  const Lifecycle::Actions actions = lifecycle_.advance(loop_.now(), connections);
  if (actions.stop_listening) {
    REMORA_LOG(log_, info, "{}listeners close; {} left", actions.inbound_only ? "inbound " : "",
               plural(connections, "connection"));
  }
  if (actions.close_all) {
    REMORA_LOG(log_, warn, "the drain's {} s are over: closes {}", options_.drain_time.count(),
               plural(connections, "connection"));
  } else if (actions.end) {
    REMORA_LOG(log_, info, "drained in {:.1f} s: no connection is left",
               seconds(loop_.now() - lifecycle_.drain_began()));
  }
  act(actions);
}

void Sidecar::act(const Lifecycle::Actions& actions) {
  for (const auto& worker : workers_) {
    if (actions.drain) {
      worker->drain(actions.inbound_only);
    }
    if (actions.stop_listening) {
      worker->stop_listening(actions.inbound_only);
    }
    if (actions.close_all) {
      worker->close_all();
    }
  }
  if (actions.end) {
    loop_.stop();
    return;
  }
  rearm();
}

void Sidecar::rearm() {
  const auto due = lifecycle_.next_due();
  if (!due) {
    tick_timer_.cancel();
    return;
  }
  Nanoseconds wait = std::max(Nanoseconds(0), *due - loop_.now());
  if (lifecycle_.state() == Lifecycle::State::draining) {
    wait = std::min<Nanoseconds>(wait, kDrainPoll);
  }
  loop_.arm(tick_timer_, wait);
}

void Sidecar::reopen_all_logs() {
  access_log_.reopen();
  if (auto reopened = logging_.reopen(); !reopened) {
    REMORA_LOG(log_, err, "{}", reopened.error().message);
  } else {
    REMORA_LOG(log_, info, "log files are open anew");
  }
}

std::size_t Sidecar::active_connections() const {
  std::size_t count = 0;
  for (const auto& worker : workers_) {
    count += worker->active_connections();
  }
  return count;
}

}  // namespace remora::proxy
