#include "proxy/logging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

namespace remora::proxy {
namespace {

void append_escaped(spdlog::memory_buf_t& out, std::string_view text, bool json) {
  for (const char c : text) {
    switch (c) {
      case '\n':
        fmt::format_to(std::back_inserter(out), "\\n");
        break;
      case '\r':
        fmt::format_to(std::back_inserter(out), "\\r");
        break;
      case '\t':
        fmt::format_to(std::back_inserter(out), "\\t");
        break;
      case '\\':
        fmt::format_to(std::back_inserter(out), "\\\\");
        break;
      case '"':
        fmt::format_to(std::back_inserter(out), "\\\"");
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), fmt::runtime(json ? "\\u{:04x}" : "\\x{:02x}"),
                         static_cast<unsigned char>(c));
        } else {
          out.push_back(c);
        }
    }
  }
}

// %_ and %j: the message on one line, whatever is in it.
class EscapedMessage final : public spdlog::custom_flag_formatter {
 public:
  explicit EscapedMessage(bool json) : json_(json) {}
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    append_escaped(out, std::string_view(message.payload.data(), message.payload.size()), json_);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<EscapedMessage>(json_); }

 private:
  bool json_;
};

// The path from the top of the tree, whatever folder the build ran in.
class SourceFile final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string_view file = message.source.empty() ? std::string_view("-") : std::string_view(message.source.filename);
    while (file.starts_with('.') || file.starts_with('/')) {
      file.remove_prefix(1);
    }
    out.append(file.data(), file.data() + file.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<SourceFile>(); }
};

spdlog::level::level_enum level_of(std::string_view name) { return spdlog::level::from_str(std::string(name)); }

}  // namespace

// One write(2) a line: nothing is lost in a buffer when the process dies.
class LogSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  ~LogSink() override {
    if (fd_ > 2) {
      close(fd_);
    }
  }

  Result<void> open(const std::string& path) {
    const std::lock_guard lock(mutex_);
    path_ = path;
    return open_locked();
  }

  Result<void> reopen() {
    const std::lock_guard lock(mutex_);
    return path_.empty() ? Result<void>{} : open_locked();
  }

 private:
  Result<void> open_locked() {
    const int fd = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
      return fail(
          fmt::format("cannot open the log file {}: {}; give --log-path a file in a folder that exists and "
                      "that this user may write",
                      path_, std::strerror(errno)));
    }
    if (fd_ > 2) {
      close(fd_);
    }
    fd_ = fd;
    return {};
  }

  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const char* data = line.data();
    std::size_t left = line.size();
    while (left > 0) {
      const ssize_t wrote = write(fd_, data, left);
      if (wrote < 0 && errno != EINTR) {
        return;  // there is nobody to tell
      }
      if (wrote > 0) {
        data += wrote;
        left -= static_cast<std::size_t>(wrote);
      }
    }
  }
  void flush_() override {}

  int fd_ = 2;
  std::string path_;
};

std::string escaped_pattern(std::string_view pattern) {
  std::string out;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    out += pattern[at];
    if (pattern[at] == '%' && at + 1 < pattern.size()) {
      out += pattern[at + 1] == 'v' ? '_' : pattern[at + 1];
      ++at;
    }
  }
  return out;
}

Result<std::unique_ptr<Logging>> Logging::start(const LogSettings& settings) {
  std::unique_ptr<Logging> logging(new Logging());
  logging->sink_ = std::make_shared<LogSink>();
  if (!settings.path.empty()) {
    if (auto opened = logging->sink_->open(settings.path); !opened) {
      return std::unexpected(opened.error());
    }
  }
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<EscapedMessage>('_', false).add_flag<EscapedMessage>('j', true).add_flag<SourceFile>('g');
  formatter->set_pattern(settings.escaped ? escaped_pattern(settings.format) : settings.format);
  logging->sink_->set_formatter(std::move(formatter));

  spdlog::drop_all();
  std::vector<std::string_view> names = settings.components;
  std::ranges::sort(names);
  for (const std::string_view name : names) {
    auto logger = std::make_shared<spdlog::logger>(std::string(name), logging->sink_);
    logger->set_level(level_of(settings.level));
    if (name == "main") {
      spdlog::set_default_logger(logger);  // registers it too
    } else {
      spdlog::register_logger(logger);
    }
    logging->loggers_.push_back(std::move(logger));
  }
  for (const auto& [component, level] : settings.component_levels) {
    logging->set_level(component, level);
  }
  return logging;
}

Logging::~Logging() { spdlog::shutdown(); }

spdlog::logger& Logging::of(std::string_view component) {
  return **std::ranges::find_if(loggers_, [&](const auto& logger) { return logger->name() == component; });
}

std::vector<std::pair<std::string, std::string>> Logging::levels() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& logger : loggers_) {
    const auto name = spdlog::level::to_string_view(logger->level());
    out.emplace_back(logger->name(), std::string(name.data(), name.size()));
  }
  return out;
}

void Logging::set_level(std::string_view component, std::string_view level) {
  for (const auto& logger : loggers_) {
    if (component.empty() || logger->name() == component) {
      logger->set_level(level_of(level));
    }
  }
}

Result<void> Logging::reopen() { return sink_->reopen(); }

}  // namespace remora::proxy
