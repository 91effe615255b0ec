#include <fmt/format.h>

#include <cmath>

#include "core/base/nearest.h"
#include "core/config/yaml_scalar.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

// Settings out of a Struct: each is taken by its name and type, and what nobody took is an error.
class Settings {
 public:
  Settings(const Scope& scope, const pb::Struct& message) : scope_(scope), message_(message) {}
  ~Settings() { report_unknown(); }
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  bool flag(std::string_view name, bool otherwise) {
    const pb::Value* value = take(name);
    if (value == nullptr) {
      return otherwise;
    }
    if (value->kind_case() != pb::Value::kBoolValue) {
      scope_.error(name, "expected true or false");
    }
    return value->bool_value();
  }

  std::uint64_t whole(std::string_view name, std::uint64_t otherwise, std::uint64_t least, std::uint64_t most) {
    const pb::Value* value = take(name);
    if (value == nullptr) {
      return otherwise;
    }
    const double number = value->number_value();
    if (value->kind_case() != pb::Value::kNumberValue || std::trunc(number) != number ||
        !(number >= static_cast<double>(least) && number <= static_cast<double>(most))) {
      scope_.error(name, fmt::format("expected a whole number from {} to {}", least, most));
      return otherwise;
    }
    return static_cast<std::uint64_t>(number);
  }

  Milliseconds duration(std::string_view name, Milliseconds otherwise) {
    const pb::Value* value = take(name);
    if (value == nullptr) {
      return otherwise;
    }
    config::YamlNode node;
    node.kind = config::YamlNode::Kind::scalar;
    node.text = value->string_value();
    const auto parts = config::as_duration(node);
    if (!parts) {
      scope_.error(name, "expected a duration in seconds such as 0.25s or 30s");
      return otherwise;
    }
    pb::Duration result;
    result.set_seconds(parts->seconds);
    result.set_nanos(parts->nanos);
    return read_duration(scope_.field(name), result, Sign::positive);
  }

  std::string text(std::string_view name) {
    const pb::Value* value = take(name);
    if (value != nullptr && (value->kind_case() != pb::Value::kStringValue || value->string_value().empty())) {
      scope_.error(name, "expected text that is not empty");
    }
    return value == nullptr ? std::string() : value->string_value();
  }

  // The index of the chosen word.
  std::size_t word(std::string_view name, std::initializer_list<std::string_view> words) {
    const pb::Value* value = take(name);
    if (value == nullptr) {
      return 0;
    }
    const auto* found = std::find(words.begin(), words.end(), value->string_value());
    if (found == words.end()) {
      scope_.error(name, fmt::format("expected one of {}{}", fmt::join(words, ", "),
                                     did_you_mean(value->string_value(), {words.begin(), words.size()})));
      return 0;
    }
    return static_cast<std::size_t>(found - words.begin());
  }

  const pb::Struct* mapping(std::string_view name) {
    const pb::Value* value = take(name);
    if (value != nullptr && !value->has_struct_value()) {
      scope_.error(name, "expected a mapping");
    }
    return value == nullptr ? nullptr : &value->struct_value();
  }

  const Scope& scope() const { return scope_; }

 private:
  const pb::Value* take(std::string_view name) {
    names_.push_back(name);
    const auto found = message_.fields().find(std::string(name));
    return found == message_.fields().end() ? nullptr : &found->second;
  }

  void report_unknown() const {
    for (const auto& [name, value] : message_.fields()) {
      if (std::ranges::find(names_, name) == names_.end()) {
        scope_.error(name, names_.empty() ? std::string("there are no settings of Remora here")
                                          : fmt::format("there is no setting '{}' here{}: there is {}", name,
                                                        did_you_mean(name, names_), fmt::join(names_, ", ")));
      }
    }
  }

  const Scope& scope_;
  const pb::Struct& message_;
  std::vector<std::string_view> names_;
};

// Calls `read` with the settings in filter_metadata.remora, if there are any.
template <typename Read>
void with_settings(const Scope& metadata, const core_v3::Metadata& message, Read&& read) {
  const auto found = message.filter_metadata().find("remora");
  if (found == message.filter_metadata().end()) {
    return;
  }
  const Scope filter_metadata = metadata.field("filter_metadata");
  const Scope remora = filter_metadata.field("remora");
  Settings settings(remora, found->second);
  read(settings);
}

}  // namespace

RouteExtras read_route_extras(const Scope& metadata, const core_v3::Metadata& message) {
  RouteExtras result;
  with_settings(metadata, message, [&](Settings& settings) {
    result.retry_non_idempotent = settings.flag("retry_non_idempotent", false);
  });
  return result;
}

ListenerExtras read_listener_extras(const Scope& metadata, const core_v3::Metadata& message) {
  using Begin = model::Tracing::Begin;
  ListenerExtras result;
  with_settings(metadata, message, [&](Settings& settings) {
    result.service = settings.text("service");
    result.max_request_body_bytes = settings.whole("max_request_body_bytes", 0, 1, std::uint64_t{1} << 50);
    static constexpr Begin kFormats[] = {Begin::w3c, Begin::b3, Begin::b3_multi};
    result.trace_format = kFormats[settings.word("trace_format", {"w3c", "b3", "b3_multi"})];
    result.intentions_not_enforced = settings.flag("intentions_not_enforced", false);
  });
  return result;
}

model::Breaker read_breaker(const Scope& metadata, const core_v3::Metadata& message) {
  model::Breaker result;
  with_settings(metadata, message, [&](Settings& settings) {
    const pb::Struct* breaker = settings.mapping("breaker");
    if (breaker == nullptr) {
      return;
    }
    const Scope scope = settings.scope().field("breaker");
    Settings inner(scope, *breaker);
    result.failure_threshold = static_cast<std::uint32_t>(inner.whole("failure_threshold", 5, 0, 1'000'000));
    result.recovery_time = inner.duration("recovery_time", result.recovery_time);
    result.probes = static_cast<std::uint32_t>(inner.whole("probes", result.probes, 1, 1'000'000));
  });
  return result;
}

void check_no_extras(const Scope& metadata, const core_v3::Metadata& message, std::string_view where) {
  if (message.filter_metadata().contains("remora")) {
    const Scope filter_metadata = metadata.field("filter_metadata");
    filter_metadata.error("remora",
                          fmt::format("{} has no settings of Remora: routes, clusters and listeners have", where));
  }
}

}  // namespace remora::xds
