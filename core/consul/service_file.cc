#include "core/consul/service_file.h"

#include <fmt/core.h>

#include <array>
#include <cctype>
#include <charconv>
#include <functional>
#include <optional>
#include <span>

#include "core/base/nearest.h"
#include "core/config/yaml_scalar.h"
#include "core/config/yaml_tree.h"
#include "core/consul/sidecar_json.h"

namespace remora::consul {
namespace {

using config::YamlNode;
using Kind = YamlNode::Kind;

// "CheckHTTP", "checkHttp" and "check_http" are one key.
std::string folded(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c != '_') {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

// "10s", "1m30s", "500ms": Go's durations, as far as milliseconds.
std::optional<Milliseconds> go_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 4> kUnits = {
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
  double total = 0;
  if (text.empty()) {
    return std::nullopt;
  }
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || number < 0 || number > 1e9) {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    bool known = false;
    for (const auto& [unit, milliseconds] : kUnits) {
      if (text.starts_with(unit)) {
        total += number * milliseconds;
        text.remove_prefix(unit.size());
        known = true;
        break;
      }
    }
    if (!known) {
      return std::nullopt;
    }
  }
  return Milliseconds(static_cast<std::int64_t>(total));
}

class ServiceReader {
 public:
  ServiceReader(const std::string& file, config::ConfigErrors& errors) : file_(file), errors_(errors) {}

  void read(const YamlNode& node, ServiceDefinition& service) {
    const YamlNode* sidecar = nullptr;  // read last: it needs the service's id
    fields(node, "service",
           {{"name", [&](auto& at) { text(at, "service.name", service.name); }},
            {"id", [&](auto& at) { text(at, "service.id", service.id); }},
            {"address", [&](auto& at) { text(at, "service.address", service.address); }},
            {"port", [&](auto& at) { service.port = static_cast<std::uint16_t>(number(at, "service.port", 65535)); }},
            {"tags", [&](auto& at) { tags(at, service.tags); }},
            {"meta", [&](auto& at) { meta(at, service.meta); }},
            {"weights", [&](auto& at) { weights(at, service); }},
            {"check", [&](auto& at) { check(at, service); }},
            {"connect", [&](auto& at) { connect(at, sidecar); }},
            {"proxy_ttl", [&](auto& at) { duration(at, "service.proxy_ttl", service.ttl); }}});
    if (sidecar != nullptr) {
      service.sidecar =
          sidecar_json(*sidecar, {.id = service.id.empty() ? service.name : service.id, .address = service.address});
    }
    if (service.name.empty()) {
      error(node, "service.name", "is missing: expected the service's name");
    }
    if (service.port == 0) {
      error(node, "service.port", "is missing: expected the port at which others reach it");
    }
  }

 private:
  struct Field {
    std::string_view name;
    std::function<void(const YamlNode&)> read;
  };

  void error(const YamlNode& node, std::string path, std::string message) {
    errors_.push_back({file_, node.line, node.column, std::move(path), std::move(message)});
  }

  void fields(const YamlNode& node, const std::string& path, const std::vector<Field>& known) {
    if (node.kind != Kind::mapping) {
      error(node, path, fmt::format("expected a mapping, not {}", config::describe(node)));
      return;
    }
    for (const auto& [key, value] : node.map) {
      bool found = false;
      for (const Field& field : known) {
        if (folded(key->text) == folded(field.name)) {
          field.read(*value);
          found = true;
        }
      }
      if (!found) {
        std::vector<std::string_view> names;
        std::string list;
        for (const Field& field : known) {
          names.push_back(field.name);
          list += fmt::format("{}{}", list.empty() ? "" : ", ", field.name);
        }
        error(
            *key, path + "." + key->text,
            fmt::format("is not a key that is known here{}; expected one of {}", did_you_mean(key->text, names), list));
      }
    }
  }

  void text(const YamlNode& node, const std::string& path, std::string& out) {
    if (node.kind != Kind::scalar) {
      error(node, path, fmt::format("expected text, not {}", config::describe(node)));
      return;
    }
    out = node.text;
  }

  std::uint64_t number(const YamlNode& node, const std::string& path, std::uint64_t most) {
    const auto value = node.kind == Kind::scalar ? config::as_uint64(node) : std::nullopt;
    if (!value || *value > most) {
      error(node, path, fmt::format("expected a whole number of at most {}, not {}", most, config::describe(node)));
      return 0;
    }
    return *value;
  }

  void duration(const YamlNode& node, const std::string& path, Milliseconds& out) {
    const auto value = node.kind == Kind::scalar ? go_duration(node.text) : std::nullopt;
    if (!value) {
      error(node, path, fmt::format("expected a duration such as 10s or 1m30s, not {}", config::describe(node)));
      return;
    }
    out = *value;
  }

  void tags(const YamlNode& node, std::vector<std::string>& out) {
    if (node.kind != Kind::sequence) {
      error(node, "service.tags", fmt::format("expected a list, not {}", config::describe(node)));
      return;
    }
    for (const YamlNode* item : node.items) {
      text(*item, "service.tags", out.emplace_back());
    }
  }

  void meta(const YamlNode& node, StringMap& out) {
    if (node.kind != Kind::mapping) {
      error(node, "service.meta", fmt::format("expected a mapping, not {}", config::describe(node)));
      return;
    }
    for (const auto& [key, value] : node.map) {
      out.emplace_back(key->text, "");
      text(*value, "service.meta." + key->text, out.back().second);
    }
  }

  void weights(const YamlNode& node, ServiceDefinition& service) {
    const auto weight = [this](const char* path, std::uint32_t& out) {
      return [this, path, &out](const YamlNode& at) { out = static_cast<std::uint32_t>(number(at, path, 65535)); };
    };
    fields(node, "service.weights",
           {{"passing", weight("service.weights.passing", service.weight_passing)},
            {"warning", weight("service.weights.warning", service.weight_warning)}});
  }

  void check(const YamlNode& node, ServiceDefinition& service) {
    const std::string after = "service.check.deregister_critical_service_after";
    fields(node, "service.check",
           {{"http", [&](auto& at) { text(at, "service.check.http", service.check_http); }},
            {"tcp", [&](auto& at) { text(at, "service.check.tcp", service.check_tcp); }},
            {"interval", [&](auto& at) { duration(at, "service.check.interval", service.interval); }},
            {"timeout", [&](auto& at) { duration(at, "service.check.timeout", service.timeout); }},
            {"deregister_critical_service_after",
             [&](auto& at) { duration(at, after, service.deregister_critical_after); }}});
    if (service.check_http.empty() == service.check_tcp.empty()) {
      error(node, "service.check", "expected exactly one of http and tcp");
    }
  }

  // Consul is the judge of what is in a sidecar: its words are passed on.
  void connect(const YamlNode& node, const YamlNode*& sidecar) {
    fields(node, "service.connect", {{"sidecar_service", [&](auto& at) {
                                        if (at.kind != Kind::mapping) {
                                          error(at, "service.connect.sidecar_service",
                                                fmt::format("expected a mapping, not {}", config::describe(at)));
                                          return;
                                        }
                                        sidecar = &at;
                                      }}});
  }

  const std::string& file_;
  config::ConfigErrors& errors_;
};

}  // namespace

ServiceDefinition parse_service(std::string_view text, const std::string& file, config::ConfigErrors& errors) {
  ServiceDefinition service;
  const std::size_t before = errors.size();
  const auto tree = config::YamlTree::parse(text, file, errors);
  if (errors.size() > before) {
    return service;
  }
  const YamlNode* root = &tree->root();
  const YamlNode* inner = root->kind == Kind::mapping && root->map.size() == 1 ? root->find("service") : nullptr;
  ServiceReader(file, errors).read(inner != nullptr ? *inner : *root, service);
  return service;
}

}  // namespace remora::consul
