#include "control/translate/retries.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/translate/protos.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"

namespace remora::translate {
namespace {

constexpr std::string_view kDefaultConditions = "connect-failure,refused-stream,reset-before-request,gateway-error";
// Envoy's, of gRPC, which a Remora cannot see yet.
constexpr std::array<std::string_view, 5> kGrpcConditions = {"cancelled", "deadline-exceeded", "internal",
                                                             "resource-exhausted", "unavailable"};
constexpr int kOtherHostTries = 3;

std::vector<std::string> conditions(const catalog::Route& route, const ProxyIdentity& identity, Problems& problems) {
  const catalog::RouteDestination& destination = route.destination;
  std::vector<std::string> result;
  for (const std::string& word : destination.retry_on) {
    if (identity.remora && std::ranges::find(kGrpcConditions, word) != kGrpcConditions.end()) {
      problems.push_back({Problem::Severity::warning, route.place,
                          fmt::format("retry_on '{}' is gRPC's, and not supported by this version of Remora", word)});
    } else {
      result.push_back(word);
    }
  }
  const auto add = [&](const char* word) {
    if (std::ranges::find(result, word) == result.end()) {
      result.emplace_back(word);
    }
  };
  if (destination.retry_on_connect_failure) {
    add("connect-failure");
  }
  if (!destination.retry_on_status_codes.empty()) {
    add("retriable-status-codes");
  }
  if (result.empty() && destination.retry_on.empty()) {
    result.emplace_back(kDefaultConditions);
  }
  return result;
}

}  // namespace

void set_retries(const catalog::Route& route, const std::optional<catalog::RetryTuning>& tuning,
                 const ProxyIdentity& identity, envoy::config::route::v3::Route& to, Problems& problems) {
  const catalog::RouteDestination& destination = route.destination;
  if (destination.num_retries == 0 && destination.retry_on.empty() && !destination.retry_on_connect_failure &&
      destination.retry_on_status_codes.empty()) {
    return;
  }
  auto& policy = *to.mutable_route()->mutable_retry_policy();
  policy.set_retry_on(fmt::format("{}", fmt::join(conditions(route, identity, problems), ",")));
  if (destination.num_retries != 0) {
    policy.mutable_num_retries()->set_value(destination.num_retries);
  }
  for (const std::uint32_t code : destination.retry_on_status_codes) {
    policy.add_retriable_status_codes(code);
  }
  // A retry goes to somebody else where there is somebody else.
  auto& predicate = *policy.add_retry_host_predicate();
  predicate.set_name("envoy.retry_host_predicates.previous_hosts");
  *predicate.mutable_typed_config() =
      pack(envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate());
  policy.set_host_selection_retry_max_attempts(kOtherHostTries);
  if (!tuning) {
    return;
  }
  if (tuning->per_try_timeout) {
    set_duration(*policy.mutable_per_try_timeout(), *tuning->per_try_timeout);
  }
  if (tuning->base_interval) {
    set_duration(*policy.mutable_retry_back_off()->mutable_base_interval(), *tuning->base_interval);
    if (tuning->max_interval) {
      set_duration(*policy.mutable_retry_back_off()->mutable_max_interval(), *tuning->max_interval);
    }
  } else if (tuning->max_interval) {
    // Envoy wants both: its own base, then.
    set_duration(*policy.mutable_retry_back_off()->mutable_base_interval(),
                 std::min<Nanoseconds>(Milliseconds(25), *tuning->max_interval));
    set_duration(*policy.mutable_retry_back_off()->mutable_max_interval(), *tuning->max_interval);
  }
  if (tuning->retry_non_idempotent.value_or(false)) {
    (*remora_settings(*to.mutable_metadata()).mutable_fields())["retry_non_idempotent"].set_bool_value(true);
  }
}

}  // namespace remora::translate
