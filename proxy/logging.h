// Logging: what the proxy says of itself, by spdlog: one logger a component, one sink for all, Envoy's patterns. Lines
// go to stderr, or to a file that can be opened anew. Owned by main; loggers may be used from any thread, but not on
// the request path.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace remora::proxy {

struct LogSettings {
  std::string level = "info";
  std::vector<std::pair<std::string, std::string>> component_levels;
  std::string format;  // spdlog's pattern, and Envoy's %_ and %j
  bool escaped = false;
  std::string path;  // empty: stderr
  std::vector<std::string_view> components;
};

class LogSink;

class Logging {
 public:
  // Registers the loggers with spdlog ("main" is its default one). The error says which file, why, and what to do.
  static Result<std::unique_ptr<Logging>> start(const LogSettings& settings);
  Logging(const Logging&) = delete;
  Logging& operator=(const Logging&) = delete;
  ~Logging();

  // REQUIRES: `component` is one of the settings'.
  spdlog::logger& of(std::string_view component);
  // Component and level, sorted.
  std::vector<std::pair<std::string, std::string>> levels() const;
  // An empty component: all.
  void set_level(std::string_view component, std::string_view level);
  Result<void> reopen();

 private:
  Logging() = default;

  std::shared_ptr<LogSink> sink_;
  std::vector<std::shared_ptr<spdlog::logger>> loggers_;  // sorted by name
};

// A pattern as spdlog and this file's own flags take it: %v is escaped when `escaped`.
std::string escaped_pattern(std::string_view pattern);

}  // namespace remora::proxy

// With the source's place, as Envoy's format shows it. `logger` is a spdlog::logger.
#define REMORA_LOG(logger, severity, ...) \
  (logger).log(spdlog::source_loc{__FILE__, __LINE__, nullptr}, spdlog::level::severity, __VA_ARGS__)
