// Readers of what Consul has no word for. docs/mesh_file.md has the table that people read.
#include <fmt/format.h>

#include <algorithm>

#include "control/catalog/readers.h"
#include "core/config/yaml_tree.h"

namespace remora::catalog {
namespace {

constexpr Limits kPercentage{0, 100};

template <auto Member>
constexpr FieldRow percentage(std::string_view name) {
  return row<Member>(name, kPercentage);
}

void read_delay(const At& at, Fault& into) {
  static constexpr std::array kRows = {duration<&Fault::delay>("fixed_delay"),
                                       percentage<&Fault::delay_percentage>("percentage")};
  into.delay_percentage = 100;
  read_rows(at, kRows, &into);
  if (!into.delay) {
    at.error("needs fixed_delay, such as 2s");
  }
}

void read_abort(const At& at, Fault& into) {
  static constexpr std::array kRows = {row<&Fault::abort_http_status>("http_status", Limits{200, 599}),
                                       percentage<&Fault::abort_percentage>("percentage")};
  into.abort_percentage = 100;
  read_rows(at, kRows, &into);
  if (!into.abort_http_status) {
    at.error("needs http_status, such as 503");
  }
}

void read_back_off(const At& at, RetryTuning& into) {
  static constexpr std::array kRows = {duration<&RetryTuning::base_interval>("base_interval"),
                                       duration<&RetryTuning::max_interval>("max_interval")};
  read_rows(at, kRows, &into);
  if (!into.base_interval) {
    at.error("needs base_interval, such as 25ms");
  } else if (into.max_interval && *into.max_interval < *into.base_interval) {
    at.error("max_interval", "is shorter than base_interval");
  }
}

// What `into` does not have yet.
void add_missing(const Extensions& from, Extensions& into) {
  const auto add = [](const auto& one, auto& other) {
    if (!other) {
      other = one;
    }
  };
  add(from.fault, into.fault);
  add(from.request_mirror_policies, into.request_mirror_policies);
  add(from.retry_policy, into.retry_policy);
  add(from.retry_budget, into.retry_budget);
  add(from.breaker, into.breaker);
  add(from.discovery, into.discovery);
}

}  // namespace

void read_value(const At& at, Fault& into, const Limits&) {
  static constexpr std::array kRows = {custom<Fault, read_delay>("delay"), custom<Fault, read_abort>("abort"),
                                       row<&Fault::max_active_faults>("max_active_faults")};
  read_mapping(at, into, kRows);
  if (!at.has("delay") && !at.has("abort")) {
    at.error("needs delay, abort, or both");
  }
}

void read_value(const At& at, Mirror& into, const Limits&) {
  static constexpr std::array kRows = {row<&Mirror::service>("service"), row<&Mirror::service_subset>("service_subset"),
                                       percentage<&Mirror::percentage>("percentage")};
  read_mapping(at, into, kRows);
  if (into.service.empty()) {
    at.error("needs the service that gets the copies");
  }
}

void read_value(const At& at, RetryBudget& into, const Limits&) {
  static constexpr std::array kRows = {percentage<&RetryBudget::budget_percent>("budget_percent"),
                                       row<&RetryBudget::min_retry_concurrency>("min_retry_concurrency")};
  read_mapping(at, into, kRows);
}

void read_value(const At& at, Breaker& into, const Limits&) {
  static constexpr std::array kRows = {row<&Breaker::failure_threshold>("failure_threshold"),
                                       duration<&Breaker::recovery_time>("recovery_time"),
                                       row<&Breaker::probes>("probes", Limits{1, 0xffffffff})};
  read_mapping(at, into, kRows);
}

void read_value(const At& at, DiscoverySettings& into, const Limits&) {
  static constexpr std::array kRows = {duration<&DiscoverySettings::hold_empty>("hold_empty")};
  read_mapping(at, into, kRows);
}

void read_value(const At& at, RetryTuning& into, const Limits&) {
  static constexpr std::array kRows = {duration<&RetryTuning::per_try_timeout>("per_try_timeout"),
                                       custom<RetryTuning, read_back_off>("retry_back_off"),
                                       row<&RetryTuning::retry_non_idempotent>("retry_non_idempotent")};
  read_mapping(at, into, kRows);
}

void read_extension_map(const At& at, Extensions& into, ExtensionScope scope) {
  static constexpr std::string_view kWholeService =
      "holds for the service as a whole: write it in the `config` of its service-defaults, or of an upstream";
  static constexpr std::array kRoute = {row<&Extensions::fault>("fault"),
                                        row<&Extensions::request_mirror_policies>("request_mirror_policies"),
                                        row<&Extensions::retry_policy>("retry_policy"),
                                        refused("retry_budget", kWholeService),
                                        refused("breaker", kWholeService),
                                        refused("discovery", kWholeService),
                                        refused("hedge_policy", kNoHedging),
                                        refused("rate_limits", kNoRateLimit),
                                        refused("adaptive_concurrency", kNoAdaptive)};
  static constexpr std::array kAll = {row<&Extensions::fault>("fault"),
                                      row<&Extensions::request_mirror_policies>("request_mirror_policies"),
                                      row<&Extensions::retry_policy>("retry_policy"),
                                      row<&Extensions::retry_budget>("retry_budget"),
                                      row<&Extensions::breaker>("breaker"),
                                      row<&Extensions::discovery>("discovery"),
                                      refused("hedge_policy", kNoHedging),
                                      refused("rate_limits", kNoRateLimit),
                                      refused("adaptive_concurrency", kNoAdaptive)};
  read_rows(at, scope == ExtensionScope::route ? std::span<const FieldRow>(kRoute) : std::span<const FieldRow>(kAll),
            &into);
}

void read_extension_meta(const At& at, const TextMap& meta, Extensions& into, ExtensionScope scope) {
  const auto found = meta.find("remora");
  const config::YamlNode* node = at.find("meta");
  if (found == meta.end() || node == nullptr) {
    return;
  }
  const At meta_at = at.field("meta", *node);
  const config::YamlNode* text = node->find("remora");
  const At text_at = meta_at.field("remora", text == nullptr ? *node : *text);
  config::ConfigErrors errors;
  const auto tree = config::YamlTree::parse(found->second, "", errors);
  if (!errors.empty()) {
    text_at.error(
        fmt::format("expected YAML or JSON, such as {{\"breaker\": {{\"probes\": 1}}}}: {}", errors.front().message));
    return;
  }
  // The lines inside the text are no lines of the file: all stands where the text does.
  Reading inner{at.reading().file, at.reading().dialect, {}};
  Extensions read;
  const std::string path = text_at.path();
  read_extension_map(At(inner, tree->root(), path), read, scope);
  for (config::ConfigError& error : inner.errors) {
    error.line = text_at.node().line;
    error.column = text_at.node().column;
    at.reading().errors.push_back(std::move(error));
  }
  add_missing(read, into);
}

}  // namespace remora::catalog
