// Sidecar: the process's composition root: the main loop, the shared state, the workers, admin, and the way from start
// to end. Owned by main; main thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/admin/admin_server.h"
#include "core/event/libevent_loop.h"
#include "metrics/registry.h"
#include "proxy/active_checks.h"
#include "proxy/admin/facts.h"
#include "proxy/admin/pages.h"
#include "proxy/discovery.h"
#include "proxy/filters/access_log.h"
#include "proxy/lifecycle.h"
#include "proxy/logging.h"
#include "proxy/options.h"
#include "proxy/publisher.h"
#include "proxy/worker_thread.h"

struct event;

namespace remora::proxy {

class Sidecar final : private admin::Facts, private admin::Actions {
 public:
  // `concurrency`: workers. The options, the logging and what they hold outlive it.
  Sidecar(const Options& options, unsigned concurrency, Logging& logging,
          std::shared_ptr<const model::Snapshot> snapshot);
  Sidecar(const Sidecar&) = delete;
  Sidecar& operator=(const Sidecar&) = delete;
  ~Sidecar();

  // Before `run`: more than the file's static part is to come. The workers start with the first whole snapshot.
  void discover(xds::Bootstrap bootstrap);
  // From start to end; the process's exit code.
  int run();

  // A source's new snapshot, on the main loop: all workers go over to it, one snapshot at a time. Of those that come
  // meanwhile the latest wins. `done` hears on a later turn what came of it; pages and metrics show it from then on.
  void publish(std::shared_ptr<const model::Snapshot> snapshot, Publisher::Done done = {});
  Loop& loop() { return loop_; }

 private:
  // sidecar.cc: start, signals, end
  Result<void> start_admin();
  Result<void> check_addresses() const;
  void start_checked();  // once the first health checks have an outcome
  void start_workers();
  void check_health(const std::vector<std::shared_ptr<const upstream::PreparedCluster>>& clusters);
  void on_published(const Publisher::Result& result);
  void on_started(const Publisher::Result& result);
  void on_discovered(std::shared_ptr<const model::Snapshot> snapshot);
  void fail_start(const std::string& words);
  void register_metrics();
  void listen_to_signals();
  static void on_signal_event(int fd, short what, void* self);
  void on_signal(int number);
  void on_tick();
  void act(const Lifecycle::Actions& actions);
  void rearm();
  void reopen_all_logs();
  void tell_what_is_not_enforced();
  void trim();

  // sidecar_facts.cc: what admin shows and asks for
  admin::ServerFacts server() const override;
  std::vector<admin::ClusterFacts> clusters() const override;
  std::vector<admin::ListenerFacts> listeners() const override;
  std::shared_ptr<const model::Snapshot> snapshot() const override { return snapshot_; }
  WallTime snapshot_loaded() const override { return snapshot_loaded_; }
  admin::DynamicFacts dynamic() const override { return discovery_ ? discovery_->facts() : admin::DynamicFacts(); }
  std::string metrics() const override { return registry_.scrape(); }
  std::vector<std::pair<std::string, std::string>> loggers() const override { return logging_.levels(); }
  void quit() override;
  void drain_listeners(const admin::DrainListeners& how) override;
  void set_health_check_failed(bool failed) override;
  void set_log_level(std::string_view logger, std::string_view level) override;
  Result<void> reopen_logs() override;

  std::size_t active_connections() const;

  // constant after construction
  const Options& options_;
  const unsigned concurrency_;
  Logging& logging_;
  spdlog::logger& log_;
  const std::string command_line_options_;  // JSON

  // A logger as parts that know none see it.
  class DebugLog final : public EventLog {
   public:
    explicit DebugLog(spdlog::logger& logger) : logger_(logger) {}
    bool wants_debug() const override { return logger_.should_log(spdlog::level::debug); }
    void debug(const std::string& words) override { REMORA_LOG(logger_, debug, "{}", words); }

   private:
    spdlog::logger& logger_;
  };
  DebugLog pool_log_;
  DebugLog connection_log_;

  LibeventLoop loop_;
  const MonotonicTime started_at_;
  std::shared_ptr<const model::Snapshot> snapshot_;
  WallTime snapshot_loaded_;
  upstream::SharedState shared_;
  Publisher publisher_;
  metrics::Registry registry_;
  std::unique_ptr<ActiveChecks> checks_;          // null: nothing is checked
  std::vector<metrics::WorkerMetrics*> numbers_;  // by worker
  AccessLogWriter access_log_;
  Timer trim_timer_;            // after the last change of a burst
  std::string unenforced_;      // listeners whose intentions nobody enforces, as the log knows them
  bool access_logged_ = false;  // workers have queues for it
  std::vector<std::unique_ptr<WorkerThread>> workers_;  // after all that they use

  Lifecycle lifecycle_;
  Timer tick_timer_;
  int exit_code_ = 0;

  std::unique_ptr<Discovery> discovery_;  // null: all is static

  admin::AdminPages pages_{*this, *this};
  std::unique_ptr<admin::AdminServer> admin_;
  int signal_fd_ = -1;
  event* signal_event_ = nullptr;
};

// /server_info's command_line_options, with Envoy's keys.
std::string options_json(const Options& options, unsigned concurrency);

}  // namespace remora::proxy
