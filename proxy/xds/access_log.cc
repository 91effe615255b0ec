#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "proxy/xds/readers.h"

namespace remora::xds {
namespace {

namespace log_v3 = envoy::config::accesslog::v3;
using envoy::extensions::access_loggers::file::v3::FileAccessLog;
using envoy::extensions::access_loggers::stream::v3::StderrAccessLog;
using envoy::extensions::access_loggers::stream::v3::StdoutAccessLog;

// Envoy's default format.
constexpr const char* kDefaultFormat =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% "
    "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
    "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" "
    "\"%UPSTREAM_HOST%\"\n";

// A number as Envoy prints it: the shortest text that reads back as the same.
std::string number_text(double number) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && std::isfinite(number) ? std::string(text.data(), end) : "null";
}

model::JsonFormat::Object read_object(const Scope& scope, const pb::Struct& fields);

model::JsonFormat read_value(const Scope& at, const pb::Value& value) {
  switch (value.kind_case()) {
    case pb::Value::kStringValue:
      return read_format(at, value.string_value());
    case pb::Value::kNumberValue:
      return model::JsonFormat::Fixed{number_text(value.number_value())};
    case pb::Value::kBoolValue:
      return model::JsonFormat::Fixed{value.bool_value() ? "true" : "false"};
    case pb::Value::kStructValue:
      return read_object(at, value.struct_value());
    case pb::Value::kListValue: {
      model::JsonFormat::List list;
      for (int i = 0; i < value.list_value().values_size(); ++i) {
        list.push_back(read_value(at.item(static_cast<std::size_t>(i)), value.list_value().values(i)));
      }
      return list;
    }
    case pb::Value::kNullValue:
    case pb::Value::KIND_NOT_SET:
      break;
  }
  return model::JsonFormat::Fixed{"null"};
}

model::JsonFormat::Object read_object(const Scope& scope, const pb::Struct& fields) {
  model::JsonFormat::Object object;
  for (const auto& [name, value] : fields.fields()) {
    object.emplace_back(name, read_value(scope.field(name), value));
  }
  std::ranges::sort(object, {}, [](const auto& field) -> const std::string& { return field.first; });
  return object;
}

void read_json(const Scope& scope, const pb::Struct& fields, model::AccessLog& log) {
  log.json = true;
  log.fields = read_object(scope, fields);
}

void read_log_format(const Scope& scope, const core_v3::SubstitutionFormatString& message, model::AccessLog& log) {
  using Message = core_v3::SubstitutionFormatString;
  log.omit_empty_values = message.omit_empty_values();
  switch (message.format_case()) {
    case Message::kTextFormat:
      log.text = read_format(scope.field("text_format"), message.text_format());
      return;
    case Message::kTextFormatSource: {
      const Scope source = scope.field("text_format_source");
      log.text = read_format(source, read_data_source(source, message.text_format_source()));
      return;
    }
    case Message::kJsonFormat:
      read_json(scope.field("json_format"), message.json_format(), log);
      return;
    case Message::FORMAT_NOT_SET:
      break;
  }
  scope.error("one of text_format_source, json_format, text_format is required");
}

void read_file(const Scope& scope, const FileAccessLog& message, model::AccessLog& log) {
  require(scope, "path", message.path());
  log.path = message.path();
  switch (message.access_log_format_case()) {
    case FileAccessLog::kFormat:
      if (!message.format().empty()) {
        log.text = read_format(scope.field("format"), message.format());
      }
      break;
    case FileAccessLog::kJsonFormat:
      read_json(scope.field("json_format"), message.json_format(), log);
      break;
    case FileAccessLog::kLogFormat:
      read_log_format(scope.field("log_format"), message.log_format(), log);
      break;
    case FileAccessLog::ACCESS_LOG_FORMAT_NOT_SET:
      break;
  }
}

template <typename Message>
void read_stream(const Scope& scope, const Message& message, const char* path, model::AccessLog& log) {
  log.path = path;
  if (message.has_log_format()) {
    read_log_format(scope.field("log_format"), message.log_format(), log);
  }
}

// What a comparison is with; only "greater or equal" can be said.
std::optional<std::uint32_t> read_comparison(const Scope& filter, bool has, const log_v3::ComparisonFilter& message) {
  const Scope scope = filter.field("comparison");
  if (!has) {
    scope.error("is required");
    return std::nullopt;
  }
  if (message.op() != log_v3::ComparisonFilter::GE) {
    scope.error("op", "only GE is supported by this version of Remora");
    return std::nullopt;
  }
  if (!message.has_value()) {
    scope.error("value", "is required");
    return std::nullopt;
  }
  return message.value().default_value();
}

// All that is said holds: of two limits of one kind the stricter remains.
void read_filter(const Scope& scope, const log_v3::AccessLogFilter& filter, model::AccessLog& log) {
  using Filter = log_v3::AccessLogFilter;
  switch (filter.filter_specifier_case()) {
    case Filter::kStatusCodeFilter: {
      const auto& message = filter.status_code_filter();
      const Scope at = scope.field("status_code_filter");
      if (const auto least = read_comparison(at, message.has_comparison(), message.comparison())) {
        log.min_status = std::max(log.min_status.value_or(0), static_cast<int>(std::min(*least, 1000U)));
      }
      return;
    }
    case Filter::kDurationFilter: {
      const auto& message = filter.duration_filter();
      const Scope at = scope.field("duration_filter");
      if (const auto least = read_comparison(at, message.has_comparison(), message.comparison())) {
        log.min_duration = std::max(log.min_duration.value_or(Milliseconds(0)), Milliseconds(*least));
      }
      return;
    }
    case Filter::kRuntimeFilter:
      // Of two samples each is independent of the other.
      log.sample_per_million = static_cast<std::uint32_t>(
          std::uint64_t{log.sample_per_million} * per_million(filter.runtime_filter().percent_sampled()) / 1'000'000);
      require(scope.field("runtime_filter"), "runtime_key", filter.runtime_filter().runtime_key());
      return;
    case Filter::kAndFilter: {
      const Scope at = scope.field("and_filter");
      const Scope list = at.field("filters");
      if (filter.and_filter().filters_size() < 2) {
        list.error("at least two filters are required");
      }
      for (int i = 0; i < filter.and_filter().filters_size(); ++i) {
        read_filter(list.item(static_cast<std::size_t>(i)), filter.and_filter().filters(i), log);
      }
      return;
    }
    case Filter::FILTER_SPECIFIER_NOT_SET:
      break;
  }
  scope.error("one of status_code_filter, duration_filter, runtime_filter, and_filter is required");
}

model::AccessLog read_access_log(const Scope& scope, const log_v3::AccessLog& message) {
  model::AccessLog log;
  log.text = *model::Format::parse(kDefaultFormat);
  if (message.has_filter()) {
    read_filter(scope.field("filter"), message.filter(), log);
  }
  const Scope config = scope.field("typed_config");
  FileAccessLog file;
  StdoutAccessLog out;
  StderrAccessLog err;
  if (unpack_any(message.typed_config(), file)) {
    read_file(config, file, log);
  } else if (unpack_any(message.typed_config(), out)) {
    read_stream(config, out, "/dev/stdout", log);
  } else if (unpack_any(message.typed_config(), err)) {
    read_stream(config, err, "/dev/stderr", log);
  } else if (!message.has_typed_config()) {
    config.error("is required");
  } else {
    config.error(fmt::format("{} is no access logger: expected {}, {} or {}", any_type_name(message.typed_config()),
                             file.GetDescriptor()->full_name(), out.GetDescriptor()->full_name(),
                             err.GetDescriptor()->full_name()));
  }
  return log;
}

}  // namespace

std::vector<model::AccessLog> read_access_logs(const Scope& list,
                                               const pb::RepeatedPtrField<log_v3::AccessLog>& messages) {
  std::vector<model::AccessLog> result;
  for (int i = 0; i < messages.size(); ++i) {
    result.push_back(read_access_log(list.item(static_cast<std::size_t>(i)), messages[i]));
  }
  return result;
}

}  // namespace remora::xds
