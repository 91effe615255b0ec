#include "metrics/scrape.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <utility>

#include "metrics/process.h"

namespace remora::metrics {
namespace {

constexpr std::array<std::string_view, 7> kConnectFailures = {"refused", "timeout", "reset", "unreachable",
                                                              "tls",     "no_fds",  "other"};
constexpr std::array<std::string_view, 11> kRetryReasons = {"connect_failure",
                                                            "reset",
                                                            "refused_stream",
                                                            "per_try_timeout",
                                                            "5xx",
                                                            "gateway_error",
                                                            "retriable_4xx",
                                                            "retriable_status_code",
                                                            "retriable_header",
                                                            "ratelimited",
                                                            "other"};
constexpr std::array<std::string_view, 4> kRetryDenied = {"budget", "limit", "not_replayable", "body_too_large"};
constexpr std::array<std::string_view, 4> kOverflows = {"connections", "pending_requests", "requests", "breaker_open"};
constexpr std::array<std::string_view, 3> kBreakerStates = {"closed", "open", "half_open"};
constexpr std::array<std::string_view, 7> kEjections = {
    "consecutive_5xx",    "gateway_failure",           "local_origin_failure",           "success_rate",
    "failure_percentage", "local_origin_success_rate", "local_origin_failure_percentage"};
constexpr std::array<std::string_view, 4> kHealthChecks = {"passed", "failed", "network", "timeout"};
constexpr std::array<std::string_view, 3> kTimeouts = {"request", "per_try", "per_try_idle"};
constexpr std::array<std::string_view, 5> kAcceptFailures = {"no_fds", "no_memory", "connection_limit", "aborted",
                                                             "other"};
constexpr std::array<std::string_view, 8> kProtocolErrors = {"bad_head",       "bad_body",     "head_too_large",
                                                             "body_too_large", "head_timeout", "request_timeout",
                                                             "idle_timeout",   "other"};
constexpr std::array<std::string_view, 12> kTunnelEnds = {
    "closed",      "downstream_reset", "upstream_reset", "connect_failed", "connect_timeout", "no_cluster",
    "no_endpoint", "overflow",         "breaker_open",   "idle",           "max_duration",    "shutdown"};
constexpr std::array<std::string_view, 5> kCapped = {"remora_requests_total", "remora_request_duration_seconds",
                                                     "remora_upstream_*", "remora_downstream_*", "remora_tcp_*"};

using Labels = std::vector<std::string>;

struct HistogramSum {
  std::vector<std::uint64_t> counts;  // the last is +Inf's
  std::vector<double> bounds;         // seconds, without +Inf
  std::uint64_t sum_ns = 0;

  template <const auto& kBuckets>
  void add(const Histogram<kBuckets>& histogram) {
    constexpr std::size_t kCount = Histogram<kBuckets>::kCount;
    if (counts.empty()) {
      counts.resize(kCount);
      for (std::size_t i = 0; i + 1 < kCount; ++i) {
        bounds.push_back(static_cast<double>(histogram.bound_ns(i)) / 1e9);
      }
    }
    for (std::size_t i = 0; i < kCount; ++i) {
      counts[i] += histogram.count(i);
    }
    sum_ns += histogram.sum_ns();
  }

  prometheus::ClientMetric::Histogram to_prometheus() const {
    prometheus::ClientMetric::Histogram out;
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      total += counts[i];
      const double bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
      out.bucket.push_back({total, bound});
    }
    out.sample_count = total;
    out.sample_sum = static_cast<double>(sum_ns) / 1e9;
    return out;
  }
};

// The sums of one scrape: by metric, by labels.
class Sheet {
 public:
  void add(Id id, Labels labels, double value) {
    auto [at, fresh] = values_[static_cast<std::size_t>(id)].try_emplace(std::move(labels), value);
    if (!fresh) {
      at->second = metric(id).merge == Merge::sum ? at->second + value : std::max(at->second, value);
    }
  }
  void add(Id id, const Labels& labels, const Counter& counter) {
    add(id, labels, static_cast<double>(counter.value()));
  }
  void add(Id id, const Labels& labels, const Gauge& gauge) { add(id, labels, static_cast<double>(gauge.value())); }

  // Reasons that never happened are left out: most never do.
  template <typename Enum, std::size_t N>
  void add(Id id, std::string_view label, const CounterBy<Enum>& counters,
           const std::array<std::string_view, N>& names) {
    static_assert(N == CounterBy<Enum>::kSize);
    for (std::size_t i = 0; i < N; ++i) {
      if (const std::uint64_t value = counters[static_cast<Enum>(i)].value(); value > 0) {
        add(id, {std::string(label), std::string(names[i])}, static_cast<double>(value));
      }
    }
  }

  template <const auto& kBuckets>
  void add(Id id, const Labels& labels, const Histogram<kBuckets>& histogram) {
    histograms_[static_cast<std::size_t>(id)][labels].add(histogram);
  }

  // The text that prometheus::TextSerializer makes of families(), at a tenth of its cost: histograms are most of a
  // scrape, and the texts of their bounds and of a series' labels are made once.
  void print(std::string& out) const {
    for (const Metric& metric : catalog()) {
      const auto index = static_cast<std::size_t>(metric.id);
      const bool histogram = metric.type == Type::histogram;
      if (histogram ? histograms_[index].empty() : values_[index].empty()) {
        continue;
      }
      out.append("# HELP ").append(metric.name).append(" ").append(metric.help);
      out.append("\n# TYPE ").append(metric.name).append(" ");
      out.append(histogram ? "histogram\n" : metric.type == Type::counter ? "counter\n" : "gauge\n");
      if (histogram) {
        print_histograms(out, metric);
        continue;
      }
      for (const auto& [labels, value] : values_[index]) {
        out.append(metric.name);
        if (!labels.empty()) {
          out.append("{").append(label_text(metric, labels)).append("}");
        }
        out.append(" ");
        append_number(out, value);
        out.append("\n");
      }
    }
  }

  std::vector<prometheus::MetricFamily> families() const {
    std::vector<prometheus::MetricFamily> families;
    for (const Metric& metric : catalog()) {
      prometheus::MetricFamily family;
      family.name = metric.name;
      family.help = metric.help;
      fill(metric, family);
      if (!family.metric.empty()) {
        families.push_back(std::move(family));
      }
    }
    return families;
  }

 private:
  static void append_number(std::string& out, double value) {
    if (!std::isfinite(value)) {
      out.append(std::isnan(value) ? "Nan" : value < 0 ? "-Inf" : "+Inf");
      return;
    }
    std::array<char, 32> text;
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general,
                                            std::numeric_limits<double>::max_digits10 - 1);
    out.append(text.data(), end);
  }

  static void append_number(std::string& out, std::uint64_t value) {
    std::array<char, 24> text;
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    out.append(text.data(), end);
  }

  static std::string label_text(const Metric& metric, const Labels& labels) {
    std::string out;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      out.append(i == 0 ? "" : ",").append(metric.label_names[i]).append("=\"");
      for (const char c : labels[i]) {
        if (c == '\n') {
          out.append("\\n");
        } else {
          out.append(c == '\\' || c == '"' ? "\\" : "").push_back(c);
        }
      }
      out.append("\"");
    }
    return out;
  }

  void print_histograms(std::string& out, const Metric& metric) const {
    std::vector<std::string> bounds;  // of all series the same: `le="0.001"} `
    for (const auto& [labels, sum] : histograms_[static_cast<std::size_t>(metric.id)]) {
      for (std::size_t i = bounds.size(); i < sum.counts.size(); ++i) {
        std::string& text = bounds.emplace_back("le=\"");
        append_number(text, i < sum.bounds.size() ? sum.bounds[i] : std::numeric_limits<double>::infinity());
        text.append("\"} ");
      }
      const std::string text = label_text(metric, labels);
      std::uint64_t total = 0;
      for (const std::uint64_t count : sum.counts) {
        total += count;
      }
      const std::string alone = text.empty() ? " " : "{" + text + "} ";
      out.append(metric.name).append("_count").append(alone);
      append_number(out, total);
      out.append("\n").append(metric.name).append("_sum").append(alone);
      append_number(out, static_cast<double>(sum.sum_ns) / 1e9);
      out.append("\n");
      const std::string before = std::string(metric.name) + "_bucket{" + text + (text.empty() ? "" : ",");
      total = 0;
      for (std::size_t i = 0; i < sum.counts.size(); ++i) {
        total += sum.counts[i];
        out.append(before).append(bounds[i]);
        append_number(out, total);
        out.append("\n");
      }
    }
  }

  static prometheus::ClientMetric labelled(const Metric& metric, const Labels& labels) {
    prometheus::ClientMetric out;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      out.label.push_back({std::string(metric.label_names[i]), labels[i]});
    }
    return out;
  }

  void fill(const Metric& metric, prometheus::MetricFamily& family) const {
    const auto index = static_cast<std::size_t>(metric.id);
    if (metric.type == Type::histogram) {
      family.type = prometheus::MetricType::Histogram;
      for (const auto& [labels, sum] : histograms_[index]) {
        family.metric.push_back(labelled(metric, labels));
        family.metric.back().histogram = sum.to_prometheus();
      }
      return;
    }
    family.type = metric.type == Type::counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    for (const auto& [labels, value] : values_[index]) {
      family.metric.push_back(labelled(metric, labels));
      if (metric.type == Type::counter) {
        family.metric.back().counter.value = value;
      } else {
        family.metric.back().gauge.value = value;
      }
    }
  }

  static constexpr auto kCount = static_cast<std::size_t>(Id::count_);
  std::array<std::map<Labels, double>, kCount> values_;
  std::array<std::map<Labels, HistogramSum>, kCount> histograms_;
};

void collect(Sheet& sheet, const RequestSeries& series, const RegistryOptions& options) {
  const Labels labels = {series.service(), series.route(), series.cluster()};
  bool any = false;
  series.for_each_code([&](bool overflow, int code, std::uint32_t flags, std::uint64_t count) {
    any = true;
    Labels with_code = labels;
    if (overflow) {
      with_code.emplace_back(kOverflowLabel);
      with_code.emplace_back(kOverflowLabel);
    } else {
      with_code.push_back(std::to_string(code));
      with_code.push_back(options.flags_text != nullptr ? options.flags_text(flags) : std::to_string(flags));
    }
    sheet.add(Id::requests, std::move(with_code), static_cast<double>(count));
  });
  if (!any) {  // looked up, never used: six families of zeros tell nobody anything
    return;
  }
  sheet.add(Id::request_duration, labels, series.request());
  sheet.add(Id::upstream_duration, labels, series.upstream());
  sheet.add(Id::proxy_duration, labels, series.own());
  sheet.add(Id::request_bytes, labels, static_cast<double>(series.bytes_in()));
  sheet.add(Id::response_bytes, labels, static_cast<double>(series.bytes_out()));
}

void collect(Sheet& sheet, const ClusterSeries& series) {
  const Labels labels = {series.cluster};
  sheet.add(Id::upstream_connections, labels, series.connections_opened);
  sheet.add(Id::upstream_connections_closed, labels, series.connections_closed);
  sheet.add(Id::upstream_connections_active, labels, series.connections_active);
  sheet.add(Id::upstream_connect_failures, series.cluster, series.connect_failures, kConnectFailures);
  sheet.add(Id::upstream_pool_reuses, labels, series.pool_reuses);
  sheet.add(Id::upstream_attempts, labels, series.attempts);
  sheet.add(Id::upstream_requests_active, labels, series.requests_active);
  sheet.add(Id::upstream_requests_pending, labels, series.requests_pending);
  sheet.add(Id::upstream_requests_queued, labels, series.requests_queued);
  sheet.add(Id::upstream_timeouts, series.cluster, series.timeouts, kTimeouts);
  sheet.add(Id::upstream_retries, series.cluster, series.retries, kRetryReasons);
  sheet.add(Id::upstream_retries_succeeded, labels, series.retries_succeeded);
  sheet.add(Id::upstream_retries_denied, series.cluster, series.retries_denied, kRetryDenied);
  sheet.add(Id::upstream_keepalive_races, labels, series.keepalive_races);
  sheet.add(Id::upstream_overflows, series.cluster, series.overflows, kOverflows);
  sheet.add(Id::upstream_breaker_state, labels, series.breaker_state);
  sheet.add(Id::upstream_breaker_transitions, series.cluster, series.breaker_transitions, kBreakerStates);
  sheet.add(Id::upstream_ejections, series.cluster, series.ejections, kEjections);
  sheet.add(Id::upstream_health_checks, series.cluster, series.health_checks, kHealthChecks);
  sheet.add(Id::upstream_endpoints, labels, series.endpoints);
  sheet.add(Id::upstream_endpoints_healthy, labels, series.endpoints_healthy);
  sheet.add(Id::upstream_endpoints_ejected, labels, series.endpoints_ejected);
  sheet.add(Id::upstream_sent_bytes, labels, series.bytes_sent);
  sheet.add(Id::upstream_received_bytes, labels, series.bytes_received);
}

void collect(Sheet& sheet, const ListenerSeries& series) {
  const Labels labels = {series.listener};
  sheet.add(Id::downstream_connections, labels, series.connections_accepted);
  sheet.add(Id::downstream_connections_active, labels, series.connections_active);
  sheet.add(Id::downstream_requests_active, labels, series.requests_active);
  sheet.add(Id::downstream_accept_failures, series.listener, series.accept_failures, kAcceptFailures);
  sheet.add(Id::downstream_protocol_errors, series.listener, series.protocol_errors, kProtocolErrors);
  sheet.add(Id::downstream_received_bytes, labels, series.bytes_received);
  sheet.add(Id::downstream_sent_bytes, labels, series.bytes_sent);
}

void collect(Sheet& sheet, const TunnelSeries& series) {
  const Labels labels = {series.service, series.cluster};
  for (std::size_t i = 0; i < kTunnelEnds.size(); ++i) {
    if (const std::uint64_t value = series.ended[static_cast<TunnelEnd>(i)].value(); value > 0) {
      sheet.add(Id::tcp_connections, {series.service, series.cluster, std::string(kTunnelEnds[i])},
                static_cast<double>(value));
    }
  }
  sheet.add(Id::tcp_connections_active, labels, series.active);
  sheet.add(Id::tcp_connect_retries, labels, series.connect_retries);
  sheet.add(Id::tcp_received_bytes, labels, series.bytes_received);
  sheet.add(Id::tcp_sent_bytes, labels, series.bytes_sent);
}

void collect_process(Sheet& sheet, const RegistryOptions& options) {
  const ProcessFacts facts = read_process();
  sheet.add(Id::build_info, {options.version}, 1.0);
  sheet.add(Id::process_start_time, {}, facts.start_time_seconds);
  sheet.add(Id::process_cpu_seconds, {}, facts.cpu_seconds);
  sheet.add(Id::process_resident_memory, {}, facts.resident_bytes);
  sheet.add(Id::process_virtual_memory, {}, facts.virtual_bytes);
  if (facts.open_fds >= 0) {
    sheet.add(Id::process_open_fds, {}, facts.open_fds);
  }
  sheet.add(Id::process_max_fds, {}, facts.max_fds);
  sheet.add(Id::process_threads, {}, facts.threads);
}

}  // namespace

// All of a scrape but its form.
template <typename Sheet>
void Collector::fill(Sheet& sheet) const {
  for (std::size_t i = 0; i < kCapped.size(); ++i) {  // zeros too: an alert on this must not wait for it to be there
    sheet.add(Id::metrics_overflow, {std::string(kCapped[i])}, 0.0);
  }
  for (const auto& worker : registry_.workers_) {
    worker->requests_.for_each([&](const RequestSeries& s) { collect(sheet, s, registry_.options_); });
    worker->clusters_.for_each([&](const ClusterSeries& s) { collect(sheet, s); });
    worker->listeners_.for_each([&](const ListenerSeries& s) { collect(sheet, s); });
    worker->tunnels_.for_each([&](const TunnelSeries& s) { collect(sheet, s); });
    sheet.add(Id::access_log_lines, {}, worker->access_log_lines);
    sheet.add(Id::access_log_dropped, {}, worker->access_log_dropped);
    for (std::size_t i = 0; i < kCapped.size(); ++i) {
      sheet.add(Id::metrics_overflow, {std::string(kCapped[i])}, worker->overflow_[static_cast<Capped>(i)]);
    }
  }
  sheet.add(Id::workers, {}, static_cast<double>(registry_.workers_.size() - registry_.others_));
  for (const Registry::Callback& callback : registry_.callbacks_) {
    sheet.add(callback.id, callback.labels, callback.value());
  }
  for (const auto& [id, samples] : registry_.samplers_) {
    for (const auto& [labels, value] : samples()) {
      sheet.add(id, labels, value);
    }
  }
  collect_process(sheet, registry_.options_);
}

std::vector<prometheus::MetricFamily> Collector::Collect() const {
  Sheet sheet;
  fill(sheet);
  return sheet.families();
}

std::string Collector::text() const {
  Sheet sheet;
  fill(sheet);
  std::string out;
  sheet.print(out);
  return out;
}

}  // namespace remora::metrics
