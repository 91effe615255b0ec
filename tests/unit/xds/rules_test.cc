// What a configuration must mean: ranges, things that are required, names that must exist; each rule by its error.
#include "tests/unit/xds/load.h"

namespace remora::xds::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// One error, of the field at `path` below `base`, that has these words.
auto one(const std::string& path, const std::string& words) {
  return ElementsAre(AllOf(StartsWith(path + ": "), HasSubstr(words)));
}

struct Rule {
  const char* yaml;
  const char* path;
  const char* words;
};

TEST(Rules, Listener) {
  for (const Rule& rule : std::initializer_list<Rule>{
           {"enable_reuse_port: false", ".enable_reuse_port", "not supported"},
           {"metadata: {filter_metadata: {remora: {servce: x}}}", ".metadata.filter_metadata.remora.servce",
            "there is no setting 'servce' here (did you mean 'service'?): there is service, max_request_body_bytes, "
            "trace_format"},
           {"metadata: {filter_metadata: {remora: {service: ''}}}", ".metadata.filter_metadata.remora.service",
            "not empty"},
           {"metadata: {filter_metadata: {remora: {trace_format: b3multi}}}",
            ".metadata.filter_metadata.remora.trace_format", "w3c, b3, b3_multi (did you mean 'b3_multi'?)"},
           {"metadata: {filter_metadata: {remora: {max_request_body_bytes: 0.5}}}",
            ".metadata.filter_metadata.remora.max_request_body_bytes", "expected a whole number from 1"},
           {"metadata: {filter_metadata: {remora: {max_request_body_bytes: '5'}}}",
            ".metadata.filter_metadata.remora.max_request_body_bytes", "expected a whole number from 1"},
           {"use_original_dst: true", ".use_original_dst", "is Envoy's"},
           {"listener_filters: []", ".listener_filters", "is Envoy's"},
           {"filter_chain: {}", ".filter_chain", "did you mean 'filter_chains'"}}) {
    Parts parts;
    parts.listener = rule.yaml;
    EXPECT_THAT(errors(parts), one(std::string("static_resources.listeners[0]") + rule.path, rule.words)) << rule.yaml;
  }
}

TEST(Rules, ForeignMetadataIsNobodysBusiness) {
  Parts parts;
  parts.listener = "metadata: {filter_metadata: {com.example: {servce: [1, {a: null}]}}}";
  EXPECT_THAT(errors(parts), IsEmpty());
}

TEST(Rules, ListenersShareNoNameAndNoAddress) {
  EXPECT_THAT(errors("static_resources: {listeners: [{name: a}]}"),
              ElementsAre("static_resources.listeners[0].address: is required",
                          "static_resources.listeners[0].filter_chains: one filter chain is supported by this version "
                          "of Remora, not 0"));
  const std::string text = bootstrap(Parts{});
  const std::size_t from = text.find("  - name: in\n");
  const std::size_t to = text.find("\n  clusters:");
  std::string twice = text;
  twice.insert(to, "\n" + text.substr(from, to - from));
  EXPECT_THAT(errors(twice),
              ElementsAre("static_resources.listeners[1].name: there are two listeners 'in'",
                          "static_resources.listeners[1].address: another listener has the address 127.0.0.1:8080 "
                          "already"));
}

TEST(Rules, ConnectionManager) {
  for (const Rule& rule : std::initializer_list<Rule>{
           {"codec_type: HTTP2", ".codec_type", "HTTP2 is Envoy's, but not supported"},
           {"max_request_headers_kb: 0", ".max_request_headers_kb", "must be from 1 to 8192, not 0"},
           {"max_request_headers_kb: 9000", ".max_request_headers_kb", "must be from 1 to 8192, not 9000"},
           {"common_http_protocol_options: {max_headers_count: 0}", ".common_http_protocol_options.max_headers_count",
            "at least 1"},
           {"common_http_protocol_options: {max_response_headers_kb: 5}",
            ".common_http_protocol_options.max_response_headers_kb", "is of clusters"},
           {"http_protocol_options: {allow_absolute_url: false}", ".http_protocol_options.allow_absolute_url",
            "not supported"},
           {"tracing: {random_sampling: {value: 101}}", ".tracing.random_sampling", "must be from 0 to 100, not 101"},
           {"tracing: {provider: {}}", ".tracing.provider", "is Envoy's"},
           {"upgrade_configs: [{upgrade_type: a}, {upgrade_type: A}]", ".upgrade_configs[1].upgrade_type",
            "'a' is here twice"},
           {"upgrade_configs: [{}]", ".upgrade_configs[0].upgrade_type", "is required"},
           {"server_name: \"a\\nb\"", ".server_name", "no CR, LF or NUL"},
           {"internal_address_config: {cidr_ranges: [{address_prefix: x}]}",
            ".internal_address_config.cidr_ranges[0].address_prefix", "'x' is not an IPv4 or IPv6 address"},
           {"internal_address_config: {cidr_ranges: [{address_prefix: 1.2.3.4, prefix_len: 33}]}",
            ".internal_address_config.cidr_ranges[0].prefix_len", "is 33, but such an address has 32 bits"},
           {"strip_any_host_port: true\nstrip_matching_host_port: true", ".strip_any_host_port", "exclude each other"},
           {"scoped_routes: {}", ".scoped_routes", "is Envoy's"},
           {"http2_protocol_options: {}", ".http2_protocol_options", "is Envoy's"}}) {
    Parts parts;
    parts.http = rule.yaml;
    EXPECT_THAT(errors(parts), one(kHttp + rule.path, rule.words)) << rule.yaml;
  }
}

TEST(Rules, AccessLog) {
  const std::string file = "'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
  const auto check = [&](const std::string& filter, const std::string& config, const std::string& path,
                         const std::string& words) {
    Parts parts;
    parts.http = "access_log: [{name: x, " + filter + "typed_config: {" + file + ", " + config + "}}]";
    EXPECT_THAT(errors(parts), one(kHttp + ".access_log[0]" + path, words)) << filter << config;
  };
  check("", "path: ''", ".typed_config.path", "is required");
  check("", "path: x, format: '%FOO%'", ".typed_config.format", "there is no operator '%FOO%'");
  check("", "path: x, log_format: {}", ".typed_config.log_format", "one of text_format_source, json_format");
  check("", "path: x, log_format: {text_format: '%'}", ".typed_config.log_format.text_format", "begins no operator");
  check("", "path: x, log_format: {json_format: {a: [b, {c: '%B%'}]}}", ".typed_config.log_format.json_format.a[1].c",
        "%B%");
  check("", "path: x, log_format: {json_format: {a: '%B%'}}", ".typed_config.log_format.json_format.a",
        "there is no operator");
  check("", "path: x, log_format: {text_format_source: {filename: /does/not/exist}}",
        ".typed_config.log_format.text_format_source.filename", "cannot be read");
  check("filter: {}, ", "path: x", ".filter", "one of status_code_filter");
  check("filter: {status_code_filter: {}}, ", "path: x", ".filter.status_code_filter.comparison", "is required");
  check("filter: {status_code_filter: {comparison: {value: {default_value: 1, runtime_key: k}}}}, ", "path: x",
        ".filter.status_code_filter.comparison.op", "only GE is supported");
  check("filter: {duration_filter: {comparison: {op: GE}}}, ", "path: x", ".filter.duration_filter.comparison.value",
        "is required");
  check("filter: {runtime_filter: {}}, ", "path: x", ".filter.runtime_filter.runtime_key", "is required");
  check("filter: {and_filter: {filters: [{runtime_filter: {runtime_key: k}}]}}, ", "path: x",
        ".filter.and_filter.filters", "at least two");
  check("filter: {or_filter: {filters: []}}, ", "path: x", ".filter.or_filter", "is Envoy's");
}

TEST(Rules, VirtualHosts) {
  const auto check = [](const std::string& hosts) {
    return errors(std::string(R"(static_resources:
  listeners:
  - name: in
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    filter_chains:
    - filters:
      - name: h
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          http_filters:
          - name: r
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config: {virtual_hosts: )") +
                  hosts + "}\n");
  };
  const std::string base = kHttp + ".route_config.virtual_hosts";
  EXPECT_THAT(check("[{name: a, domains: ['*']}, {name: b, domains: [x, '*.x', 'x.*']}]"), IsEmpty());
  EXPECT_THAT(check("[{domains: ['*']}]"), one(base + "[0].name", "is required"));
  EXPECT_THAT(check("[{name: a}]"), one(base + "[0].domains", "at least one domain is required"));
  EXPECT_THAT(check("[{name: a, domains: ['']}]"), one(base + "[0].domains[0]", "a domain is not empty"));
  EXPECT_THAT(check("[{name: a, domains: ['a*b']}]"), one(base + "[0].domains[0]", "at the beginning or at the end"));
  EXPECT_THAT(check("[{name: a, domains: ['*a*']}]"), one(base + "[0].domains[0]", "at the beginning or at the end"));
  EXPECT_THAT(check("[{name: a, domains: [X]}, {name: b, domains: [x]}]"),
              one(base + "[1].domains[0]", "'x' is already a domain of virtual host 'a'"));
  EXPECT_THAT(check("[{name: a, domains: [a]}, {name: a, domains: [b]}]"),
              one(base + "[1].name", "there are two virtual hosts 'a'"));
}

TEST(Rules, Routes) {
  for (const Rule& rule : std::initializer_list<Rule>{
           {"route: {cluster: a}", ".match", "is required"},
           {"match: {}\n  route: {cluster: a}", ".match", "one of prefix, path, safe_regex"},
           {"match: {prefix: /}", "", "one of route, redirect, direct_response is required"},
           {"match: {safe_regex: {regex: '['}}\n  route: {cluster: a}", ".match.safe_regex.regex",
            "'[' is not a regular expression of RE2: missing ]: ["},
           {"match: {path_separated_prefix: /a/}\n  route: {cluster: a}", ".match.path_separated_prefix",
            "must begin with '/'"},
           {"match: {safe_regex: {regex: a}, case_sensitive: false}\n  route: {cluster: a}", ".match.case_sensitive",
            "no effect on safe_regex"},
           {"match: {prefix: /, headers: [{name: ''}]}\n  route: {cluster: a}", ".match.headers[0].name",
            "a header's name is required"},
           {"match: {prefix: /, headers: [{name: 'a b'}]}\n  route: {cluster: a}", ".match.headers[0].name",
            "'a b' is not the name of a header"},
           {"match: {prefix: /, headers: [{name: a, range_match: {start: 5, end: 5}}]}\n  route: {cluster: a}",
            ".match.headers[0].range_match", "holds nothing"},
           {"match: {prefix: /, headers: [{name: a, string_match: {}}]}\n  route: {cluster: a}",
            ".match.headers[0].string_match", "one of exact, prefix"},
           {"match: {prefix: /, headers: [{name: a, string_match: {prefix: ''}}]}\n  route: {cluster: a}",
            ".match.headers[0].string_match.prefix", "must not be empty"},
           {"match: {prefix: /, query_parameters: [{}]}\n  route: {cluster: a}", ".match.query_parameters[0].name",
            "is required"},
           {"match: {prefix: /, runtime_fraction: {}}\n  route: {cluster: a}", ".match.runtime_fraction.default_value",
            "is required"},
           {"match: {prefix: /}\n  route: {}", ".route", "one of cluster, weighted_clusters, cluster_header"},
           {"match: {prefix: /}\n  route: {cluster: ax}", ".route.cluster",
            "there is no cluster 'ax' (did you mean 'a'?)"},
           {"match: {prefix: /}\n  route: {weighted_clusters: {clusters: [{name: a}]}}",
            ".route.weighted_clusters.clusters", "must be greater than 0"},
           {"match: {prefix: /}\n  route: {weighted_clusters: {}}", ".route.weighted_clusters.clusters",
            "at least one cluster"},
           {"match: {prefix: /}\n  route: {weighted_clusters: {clusters: [{name: zz, weight: 1}]}}",
            ".route.weighted_clusters.clusters[0].name", "there is no cluster 'zz'"},
           {"match: {prefix: /}\n  route: {weighted_clusters: {total_weight: 5, clusters: [{name: a, weight: 1}]}}",
            ".route.weighted_clusters.total_weight", "says 5, but the weights' sum is 1"},
           {"match: {prefix: /}\n  route: {cluster: a, prefix_rewrite: /x, regex_rewrite: {pattern: {regex: a}}}",
            ".route.regex_rewrite", "exclude each other"},
           {"match: {prefix: /}\n  route: {cluster: a, regex_rewrite: {pattern: {regex: a}, substitution: '\\1'}}",
            ".route.regex_rewrite.substitution", "'\\1' cannot replace what 'a' matches"},
           {"match: {prefix: /}\n  route: {cluster: a, regex_rewrite: {}}", ".route.regex_rewrite.pattern",
            "is required"},
           {"match: {prefix: /}\n  route: {cluster: a, priority: HIGH}", ".route.priority", "HIGH is Envoy's"},
           {"match: {prefix: /}\n  route: {cluster: a, hash_policy: [{}]}", ".route.hash_policy[0]",
            "one of header, cookie, connection_properties, query_parameter is required"},
           {"match: {prefix: /}\n  route: {cluster: a, hash_policy: [{header: {}}]}",
            ".route.hash_policy[0].header.header_name", ""},
           {"match: {prefix: /}\n  route: {cluster: a, hash_policy: [{cookie: {path: /}}]}",
            ".route.hash_policy[0].cookie.name", ""},
           {"match: {prefix: /}\n  route: {cluster: a, hash_policy: [{connection_properties: {}}]}",
            ".route.hash_policy[0].connection_properties", "source_ip: true is required"},
           {"match: {prefix: /}\n  route: {cluster: a, hash_policy: [{filter_state: {key: a}}]}",
            ".route.hash_policy[0].filter_state", "is Envoy's"},
           {"match: {prefix: /}\n  direct_response: {status: 199}", ".direct_response.status",
            "must be from 200 to 599, not 199"},
           {"match: {prefix: /}\n  direct_response: {status: 600}", ".direct_response.status",
            "must be from 200 to 599, not 600"},
           {"match: {prefix: /}\n  direct_response: {status: 200, body: {}}", ".direct_response.body",
            "one of filename, inline_bytes"},
           {"match: {prefix: /}\n  redirect: {port_redirect: 65536}", ".redirect.port_redirect", "from 0 to 65535"},
           {"match: {prefix: /}\n  route: {cluster: a}\n  redirect: {}", ".redirect",
            "'route' and 'redirect' exclude each other"},
           {"match: {prefix: /}\n  route: {cluster: a}\n  request_headers_to_add: [{}]",
            ".request_headers_to_add[0].header", "is required"},
           {"match: {prefix: /}\n  route: {cluster: a}\n  request_headers_to_add: [{header: {key: ':path', value: x}}]",
            ".request_headers_to_add[0].header.key", "cannot be edited as a header"},
           {"match: {prefix: /}\n  route: {cluster: a}\n  request_headers_to_add: [{header: {key: x, value: '%A%'}}]",
            ".request_headers_to_add[0].header.value", "there is no operator '%A%'"},
           {"match: {prefix: /}\n  route: {cluster: a}\n  request_headers_to_remove: [Host]",
            ".request_headers_to_remove[0]", "'host' cannot be edited as a header"},
           {"match: {prefix: /}\n  route: {cluster: a}\n  metadata: {filter_metadata: {remora: {retry: true}}}",
            ".metadata.filter_metadata.remora.retry", "there is no setting 'retry' here"},
           {"match: {prefix: /}\n  route: {cluster: a}\n"
            "  metadata: {filter_metadata: {remora: {retry_non_idempotent: 'yes'}}}",
            ".metadata.filter_metadata.remora.retry_non_idempotent", "expected true or false"}}) {
    Parts parts;
    parts.routes = std::string("- ") + rule.yaml;
    EXPECT_THAT(errors(parts), one(kRoute + rule.path, rule.words)) << rule.yaml;
  }
}

TEST(Rules, AHugeDirectResponseIsRefused) {
  Parts parts;
  parts.routes =
      "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: '" + std::string(4097, 'x') + "'}}";
  EXPECT_THAT(errors(parts), one(kRoute + ".direct_response.body", "has 4097 bytes, more than 4096"));
}

TEST(Rules, UnknownClustersMayBeAllowed) {
  Parts parts;
  parts.routes = "- match: {prefix: /}\n  route: {cluster: later}";
  parts.route_config = "validate_clusters: false";
  EXPECT_THAT(errors(parts), IsEmpty());
}

TEST(Rules, RetryPolicy) {
  for (const Rule& rule : std::initializer_list<Rule>{
           {"retry_on: '5xx,foo'", ".retry_on", "there is no condition 'foo'"},
           {"retry_on: gateway-eror", ".retry_on",
            "there is no condition 'gateway-eror' (did you mean 'gateway-error'?)"},
           {"retry_on: unavailable", ".retry_on", "'unavailable' is Envoy's, but not supported"},
           {"retry_back_off: {}", ".retry_back_off.base_interval", "is required"},
           {"retry_back_off: {base_interval: 0s}", ".retry_back_off.base_interval", "longer than 0s"},
           {"retry_back_off: {base_interval: 2s, max_interval: 1s}", ".retry_back_off.max_interval",
            "must not be shorter than base_interval"},
           {"retriable_status_codes: [99]", ".retriable_status_codes[0]", "from 100 to 599, not 99"},
           {"retry_host_predicate: [{name: x}]", ".retry_host_predicate[0].typed_config", "is required"},
           {"host_selection_retry_max_attempts: -1", ".host_selection_retry_max_attempts", "from 1"},
           {"rate_limited_retry_back_off: {}", ".rate_limited_retry_back_off", "is Envoy's"}}) {
    Parts parts;
    parts.host = std::string("retry_policy: {") + rule.yaml + "}";
    EXPECT_THAT(errors(parts), one(kHost + ".retry_policy" + rule.path, rule.words)) << rule.yaml;
  }
}

TEST(Rules, Cluster) {
  for (const Rule& rule : std::initializer_list<Rule>{
           {"http2_protocol_options: {}", ".http2_protocol_options", "is Envoy's"},
           {"type: ORIGINAL_DST", ".type", "ORIGINAL_DST is Envoy's"},
           {"connect_timeout: 0s", ".connect_timeout", "longer than 0s"},
           {"least_request_lb_config: {}", ".least_request_lb_config", "is for lb_policy LEAST_REQUEST"},
           {"lb_policy: LEAST_REQUEST\nleast_request_lb_config: {choice_count: 1}",
            ".least_request_lb_config.choice_count", "at least 2"},
           {"common_lb_config: {healthy_panic_threshold: {value: -1}}", ".common_lb_config.healthy_panic_threshold",
            "from 0 to 100"},
           {"circuit_breakers: {thresholds: [{}, {}]}", ".circuit_breakers.thresholds", "one entry is supported"},
           {"circuit_breakers: {thresholds: [{priority: HIGH}]}", ".circuit_breakers.thresholds[0].priority",
            "HIGH is Envoy's"},
           {"circuit_breakers: {thresholds: [{retry_budget: {budget_percent: {value: 200}}}]}",
            ".circuit_breakers.thresholds[0].retry_budget.budget_percent", "from 0 to 100, not 200"},
           {"outlier_detection: {interval: 0s}", ".outlier_detection.interval", "longer than 0s"},
           {"outlier_detection: {max_ejection_percent: 101}", ".outlier_detection.max_ejection_percent",
            "from 0 to 100, not 101"},
           {"outlier_detection: {max_ejection_time: 1s}", ".outlier_detection.max_ejection_time",
            "must not be shorter than base_ejection_time"},
           {"outlier_detection: {enforcing_success_rate: 101}", ".outlier_detection.enforcing_success_rate",
            "from 0 to 100, not 101"},
           {"outlier_detection: {failure_percentage_threshold: 101}", ".outlier_detection.failure_percentage_threshold",
            "from 0 to 100, not 101"},
           {"outlier_detection: {monitors: [{}]}", ".outlier_detection.monitors", "is Envoy's"},
           {"upstream_bind_config: {source_address: {address: x, port_value: 0}}",
            ".upstream_bind_config.source_address.address", "'x' is not an IPv4 or IPv6 address"},
           {"metadata: {filter_metadata: {remora: {breaker: {threshold: 5}}}}",
            ".metadata.filter_metadata.remora.breaker.threshold", "there is no setting 'threshold' here"},
           {"metadata: {filter_metadata: {remora: {breaker: {recovery_time: 10}}}}",
            ".metadata.filter_metadata.remora.breaker.recovery_time", "expected a duration"},
           {"metadata: {filter_metadata: {remora: {breaker: {probes: 0}}}}",
            ".metadata.filter_metadata.remora.breaker.probes", "expected a whole number from 1"},
           {"metadata: {filter_metadata: {remora: {breaker: 5}}}", ".metadata.filter_metadata.remora.breaker",
            "expected a mapping"},
           {"typed_extension_protocol_options: {x: {'@type': "
            "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions}}",
            ".typed_extension_protocol_options.x", "only envoy.extensions.upstreams.http.v3.HttpProtocolOptions"},
           {"ring_hash_lb_config: {}", ".ring_hash_lb_config", "is for lb_policy RING_HASH"},
           {"maglev_lb_config: {}", ".maglev_lb_config", "is for lb_policy MAGLEV"},
           {"lb_policy: MAGLEV\nmaglev_lb_config: {table_size: 100}", ".maglev_lb_config.table_size",
            "must be a prime, and 100 is none"},
           {"lb_policy: MAGLEV\nmaglev_lb_config: {table_size: 5000077}", ".maglev_lb_config.table_size",
            "from 2 to 5000011"},
           {"lb_policy: RING_HASH\nring_hash_lb_config: {minimum_ring_size: 0}",
            ".ring_hash_lb_config.minimum_ring_size", "from 1 to"},
           {"lb_policy: RING_HASH\nring_hash_lb_config: {maximum_ring_size: 100}",
            ".ring_hash_lb_config.minimum_ring_size", "must be at most maximum_ring_size, which is 100"},
           {"transport_socket: {}", ".transport_socket", "is Envoy's"}}) {
    Parts parts;
    parts.cluster = rule.yaml;
    EXPECT_THAT(errors(parts), one(kCluster + rule.path, rule.words)) << rule.yaml;
  }
}

TEST(Rules, UpstreamProtocol) {
  const std::string name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const auto check = [&](const std::string& options) {
    Parts parts;
    parts.cluster = "typed_extension_protocol_options: {" + name + ": {'@type': type.googleapis.com/" + name +
                    (options.empty() ? "" : ", ") + options + "}}";
    return errors(parts);
  };
  const std::string path = kCluster + ".typed_extension_protocol_options[\"" + name + "\"]";
  EXPECT_THAT(check("explicit_http_config: {http_protocol_options: {}}"), IsEmpty());
  EXPECT_THAT(check("use_downstream_protocol_config: {}"), IsEmpty());
  EXPECT_THAT(check(""), one(path, "one of explicit_http_config, use_downstream_protocol_config"));
  EXPECT_THAT(check("explicit_http_config: {}"), one(path + ".explicit_http_config.http_protocol_options", "required"));
  EXPECT_THAT(check("explicit_http_config: {http2_protocol_options: {}}"),
              ElementsAre(HasSubstr("http2_protocol_options: is Envoy's")));
}

TEST(Rules, Endpoints) {
  const auto check = [](const std::string& fields) {
    return errors("static_resources: {clusters: [{name: c, " + fields + "}]}");
  };
  const auto endpoint = [&](const std::string& type, const std::string& more) {
    return check("type: " + type + ", load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [" + more + "]}]}");
  };
  const std::string one_path = kCluster + ".load_assignment.endpoints[0].lb_endpoints[0]";
  const std::string socket = one_path + ".endpoint.address.socket_address";
  EXPECT_THAT(check("load_assignment: {}"), one(kCluster + ".load_assignment.cluster_name", "is required"));
  EXPECT_THAT(endpoint("STATIC", "{}"), one(one_path + ".endpoint.address", "is required"));
  EXPECT_THAT(endpoint("STATIC", "{endpoint: {address: {}}}"),
              one(one_path + ".endpoint.address", "one of socket_address and pipe"));
  EXPECT_THAT(endpoint("STATIC", "{endpoint: {address: {socket_address: {address: web.local, port_value: 1}}}}"),
              one(socket + ".address", "'web.local' is not an IPv4 or IPv6 address"));
  EXPECT_THAT(endpoint("STRICT_DNS", "{endpoint: {address: {socket_address: {address: web.local, port_value: 1}}}}"),
              IsEmpty());
  EXPECT_THAT(endpoint("STRICT_DNS", "{endpoint: {address: {socket_address: {address: web.local}}}}"),
              one(socket + ".port_value", "from 1 to 65535"));
  EXPECT_THAT(endpoint("STRICT_DNS", "{endpoint: {address: {socket_address: {address: 'http://x', port_value: 1}}}}"),
              one(socket + ".address", "'http://x' is neither an IP address nor a name"));
  EXPECT_THAT(endpoint("LOGICAL_DNS", "{endpoint: {address: {socket_address: {address: '::1', port_value: 1}}}}"),
              IsEmpty());
  EXPECT_THAT(endpoint("STATIC", "{endpoint: {address: {socket_address: {address: 127.0.0.1}}}}"),
              one(socket + ".port_value", "a port is required"));
  EXPECT_THAT(endpoint("STATIC", "{load_balancing_weight: 0, endpoint: {address: {pipe: {path: /x}}}}"),
              one(one_path + ".load_balancing_weight", "at least 1"));
  EXPECT_THAT(endpoint("STATIC", "{endpoint: {address: {pipe: {path: ''}}}}"),
              one(one_path + ".endpoint.address.pipe.path", "1 to 107 bytes"));
  EXPECT_THAT(check("type: LOGICAL_DNS, load_assignment: {cluster_name: c}"),
              one(kCluster + ".load_assignment.endpoints", "has one endpoint, not 0"));
}

TEST(Rules, ClustersHaveNamesOfTheirOwn) {
  Parts parts;
  parts.clusters = "- name: a\n- {}";
  EXPECT_THAT(errors(parts), ElementsAre("static_resources.clusters[1].name: there are two clusters 'a'",
                                         "static_resources.clusters[2].name: is required, and not empty"));
}

TEST(Rules, OnlyRoutesClustersAndListenersHaveSettings) {
  Parts parts;
  parts.host = "metadata: {filter_metadata: {remora: {retry_non_idempotent: true}}}";
  EXPECT_THAT(errors(parts), one(kHost + ".metadata.filter_metadata.remora", "a virtual host has no settings"));
}

}  // namespace
}  // namespace remora::xds::testing
