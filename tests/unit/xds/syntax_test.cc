// From YAML to protobuf: proto JSON's rules, and what is said where they are broken, with line and column.
#include "tests/unit/xds/load.h"

namespace remora::xds::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The errors as a person sees them.
std::vector<std::string> shown(const std::string& text, const LoadOptions& options = {}) {
  std::vector<std::string> result;
  if (auto loaded = load_bootstrap(text, "b.yaml", options); !loaded) {
    for (const ConfigError& error : loaded.error()) {
      result.push_back(error.to_string());
    }
  }
  return result;
}

TEST(Syntax, ErrorsHaveTheirPlace) {
  EXPECT_THAT(shown("node:\n  id: x\n  clustr: y\n"),
              ElementsAre("b.yaml:3:3: node.clustr: there is no field 'clustr' in envoy.config.core.v3.Node "
                          "(did you mean 'cluster'?)"));
  EXPECT_THAT(shown("admin: {banana: y}\n"),
              ElementsAre("b.yaml:1:9: admin.banana: there is no field 'banana' in envoy.config.bootstrap.v3.Admin: it "
                          "has access_log_path, address, access_log"));
  EXPECT_THAT(shown("node: [x]\n"),
              ElementsAre("b.yaml:1:7: node: expected a mapping (envoy.config.core.v3.Node), got a list"));
  EXPECT_THAT(shown("[]"), ElementsAre("b.yaml:1:1: expected a mapping (envoy.config.bootstrap.v3.Bootstrap), got a "
                                       "list"));
}

TEST(Syntax, EnvoysFieldsAreKnownToBeEnvoys) {
  EXPECT_THAT(shown("overload_manager: {}\n"),
              ElementsAre("b.yaml:1:1: overload_manager: the field 'overload_manager' is Envoy's, but not supported "
                          "by this version of Remora"));
  EXPECT_THAT(shown("overloadManager: {}\n"), ElementsAre(HasSubstr("'overloadManager' is Envoy's, but not")));
}

TEST(Syntax, BrokenYamlIsOneError) {
  EXPECT_THAT(shown("node: {id: x\n"), ElementsAre(HasSubstr("not YAML: ")));
  EXPECT_THAT(shown("a: b: c\n"), ElementsAre(HasSubstr("b.yaml:1:5: not YAML: ")));
  EXPECT_THAT(shown("node: {}\n---\nnode: {}\n"), ElementsAre(HasSubstr("second document")));
}

TEST(Syntax, KeysAreWordsAndEachOnce) {
  EXPECT_THAT(shown("node: {id: x, id: y}\n"), ElementsAre("b.yaml:1:15: the key 'id' is here twice: first on line 1"));
  EXPECT_THAT(shown("node: {? [a] : b}\n"), ElementsAre(HasSubstr("a key is a word")));
  EXPECT_THAT(shown("node: {<<: {id: x}}\n"), ElementsAre(HasSubstr("merge keys (<<) are not supported, as in Envoy")));
  EXPECT_THAT(errors("admin: {access_log_path: a, accessLogPath: b, address: {pipe: {path: x}}}"),
              ElementsAre("admin.access_log_path: 'access_log_path' is here twice, in both its spellings"));
}

TEST(Syntax, OneofsHaveOneMember) {
  EXPECT_THAT(errors("admin: {address: {pipe: {path: x}, socket_address: {address: 127.0.0.1, port_value: 1}}}"),
              ElementsAre("admin.address.socket_address: 'pipe' and 'socket_address' exclude each other"));
}

TEST(Syntax, NullLeavesAFieldUnset) { EXPECT_THAT(errors("node: ~\nadmin: null\nstatic_resources:\n"), IsEmpty()); }

TEST(Syntax, TextInPlainNumbersOrWordsOfTruthIsAnErrorAsInEnvoy) {
  EXPECT_THAT(errors("node: {id: 12}"),
              ElementsAre("node.id: expected text (write it in quotes: \"12\"), got the number 12"));
  EXPECT_THAT(errors("node: {id: yes}"),
              ElementsAre("node.id: expected text (write it in quotes: \"yes\"), got the boolean yes"));
  EXPECT_THAT(errors("node: {id: '12', cluster: \"on\"}"), IsEmpty());
  EXPECT_THAT(errors("node: {id: !!str 12}"), IsEmpty());
}

TEST(Syntax, Numbers) {
  const auto port = [](const std::string& value) {
    return errors("admin: {address: {socket_address: {address: 127.0.0.1, port_value: " + value + "}}}");
  };
  for (const char* good : {"80", "'80'", "80.0", "8e1", "0x50", "0120"}) {
    EXPECT_THAT(port(good), IsEmpty()) << good;
  }
  for (const char* bad : {"-1", "1.5", "x", "4294967296", "''", "true", "[1]", ".nan", ".inf", "1e400", "08x"}) {
    EXPECT_THAT(port(bad), ElementsAre(HasSubstr("expected a whole number from 0 to 4294967295, got"))) << bad;
  }
  EXPECT_THAT(port("65536"),
              ElementsAre("admin.address.socket_address.port_value: a port is at most 65535, not 65536"));
}

TEST(Syntax, Booleans) {
  Parts parts;
  for (const char* good : {"true", "False", "yes", "OFF"}) {
    parts.http = std::string("merge_slashes: ") + good;
    EXPECT_THAT(errors(parts), IsEmpty()) << good;
  }
  for (const char* bad : {"'true'", "1", "tRue", "x"}) {
    parts.http = std::string("merge_slashes: ") + bad;
    EXPECT_THAT(errors(parts), ElementsAre(HasSubstr("merge_slashes: expected true or false, got"))) << bad;
  }
}

TEST(Syntax, Durations) {
  Parts parts;
  const auto timeout = [&](const std::string& value) {
    parts.routes = "- match: {prefix: /}\n  route: {cluster: a, timeout: " + value + "}";
    return errors(parts);
  };
  for (const char* good : {"1s", "0.5s", "'2.000000001s'", "0s", "1000000000s"}) {
    EXPECT_THAT(timeout(good), IsEmpty()) << good;
  }
  for (const char* bad :
       {"1", "1ms", "1m", "s", ".5s", "1.s", "1.0000000001s", "{seconds: 1}", "1e3s", "315576000001s"}) {
    EXPECT_THAT(timeout(bad), ElementsAre(HasSubstr("expected a duration in seconds such as 0.25s or 30s, got")))
        << bad;
  }
  EXPECT_THAT(timeout("-1s"), ElementsAre(kRoute + ".route.timeout: a duration must not be negative"));
  EXPECT_THAT(timeout("-0.5s"), ElementsAre(kRoute + ".route.timeout: a duration must not be negative"));
  EXPECT_THAT(timeout("99999999999s"), ElementsAre(HasSubstr("must not be longer than 1000000000s")));
}

TEST(Syntax, WhatIsNotZeroIsNotRoundedToZero) {
  Parts parts;
  parts.routes = "- match: {prefix: /}\n  route: {cluster: a, timeout: 0.0000001s}";
  const auto loaded = load(parts);
  const auto& route = loaded->listeners[0]->http().routes->virtual_hosts[0].routes[0];
  EXPECT_EQ(std::get<model::RouteAction>(route.action).timeout, Milliseconds(1));
}

TEST(Syntax, EnumsByNameOrNumber) {
  Parts parts;
  parts.cluster = "lb_policy: 3";
  EXPECT_EQ(load(parts)->clusters.at("a")->lb_policy, model::LbPolicy::random);
  parts.cluster = "lb_policy: RANDMO";
  EXPECT_THAT(errors(parts),
              ElementsAre(kCluster + ".lb_policy: expected one of ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, "
                                     "MAGLEV, got 'RANDMO' (did you mean 'RANDOM'?)"));
  parts.cluster = "lb_policy: CLUSTER_PROVIDED";
  EXPECT_THAT(errors(parts),
              ElementsAre(kCluster + ".lb_policy: CLUSTER_PROVIDED is Envoy's, but not supported by this version of "
                                     "Remora: expected one of ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV"));
  parts.cluster = "lb_policy: 6";
  EXPECT_THAT(errors(parts), SizeIs(1));
}

TEST(Syntax, Bytes) {
  Parts parts;
  parts.routes = "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_bytes: '_-+/AA=='}}";
  EXPECT_THAT(errors(parts), IsEmpty());
  parts.routes = "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_bytes: 'a?'}}";
  EXPECT_THAT(errors(parts), ElementsAre(kRoute + ".direct_response.body.inline_bytes: expected base64, got the text "
                                                  "'a?'"));
}

TEST(Syntax, TypedConfigs) {
  Parts parts;
  const auto log = [&](const std::string& config) {
    parts.http = "access_log: [{name: x, typed_config: " + config + "}]";
    return errors(parts);
  };
  const std::string path = kHttp + ".access_log[0].typed_config";
  EXPECT_THAT(log("{path: x}"), ElementsAre(path + ": '@type' is missing: it names the message, "
                                                   "type.googleapis.com/envoy..."));
  EXPECT_THAT(log("{'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAcessLog}"),
              ElementsAre(path + ".@type: there is no message type "
                                 "'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAcessLog' (did you "
                                 "mean 'envoy.extensions.access_loggers.file.v3.FileAccessLog'?)"));
  EXPECT_THAT(log("{'@type': type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig}"),
              ElementsAre(path + ".@type: envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig is Envoy's, "
                                 "but not supported by this version of Remora"));
  EXPECT_THAT(log("{'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}"),
              ElementsAre(HasSubstr("Router is no access logger: expected")));
  EXPECT_THAT(log("{'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, pth: x}"),
              ElementsAre(path + ".path: is required, and not empty", HasSubstr(path + ".pth: there is no field")));
  EXPECT_THAT(log("{'@type': type.googleapis.com/google.protobuf.Struct}"), SizeIs(1));
  EXPECT_THAT(log("x"), SizeIs(1));
}

TEST(Syntax, AllErrorsAreReportedAtOnceInTheOrderOfTheFile) {
  Parts parts;
  parts.routes = R"(- match: {prefx: /}
  route: {cluster: b}
- match: {prefix: /}
  route: {cluster: a, timeout: 5})";
  parts.cluster = "connect_timeout: 0s";
  EXPECT_THAT(errors(parts),
              ElementsAre(kRoute + ".match.prefx: there is no field 'prefx' in envoy.config.route.v3.RouteMatch (did "
                                   "you mean 'prefix'?)",
                          kRoute + ".route.cluster: there is no cluster 'b'",
                          kHost + ".routes[1].route.timeout: expected a duration in seconds such as 0.25s or 30s, got "
                                  "the number 5",
                          kCluster + ".connect_timeout: a duration longer than 0s is required"));
}

TEST(Syntax, OverrideIsMergedAsProtobufMerges) {
  Parts parts;
  parts.top = "node: {id: n1, cluster: c1}";
  LoadOptions options;
  options.config_yaml = R"(
node: {id: n2}
static_resources:
  clusters: [{name: late}])";
  const Loaded snapshot = load(parts, options);
  EXPECT_EQ(snapshot->node.id, "n2");
  EXPECT_EQ(snapshot->node.cluster, "c1");
  EXPECT_THAT(snapshot->cluster_order, ElementsAre("a", "late"));
}

TEST(Syntax, ErrorsInTheOverrideHaveTheirPlaceThere) {
  LoadOptions options;
  options.config_yaml = "static_resources:\n  clusters:\n  - name: b\n    connect_timeout: 0s\n  - nam: c\n";
  EXPECT_THAT(shown(bootstrap(Parts{}), options),
              ElementsAre("--config-yaml:4:22: static_resources.clusters[1].connect_timeout: a duration longer than 0s "
                          "is required",
                          HasSubstr("--config-yaml:5:5: static_resources.clusters[2].nam: there is no field 'nam'"),
                          HasSubstr("--config-yaml:5:5: static_resources.clusters[2].name: is required")));
}

TEST(Syntax, TextIsUtf8) {
  EXPECT_THAT(shown("node: {id: '\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9f'}"), IsEmpty());
  for (const char* bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xe0\x80\x80"}) {
    EXPECT_THAT(shown("node: {id: 'x" + std::string(bad) + "'}"), ElementsAre("b.yaml:1:12: the text is not UTF-8"));
  }
}

TEST(Syntax, DeepAndSwollenFilesAreRefused) {
  std::string deep = "node: {metadata: ";
  for (int i = 0; i < 2000; ++i) {
    deep += "{a: ";
  }
  EXPECT_THAT(shown(deep), ElementsAre(HasSubstr("nested more than 50 deep")));
  EXPECT_THAT(shown("node: {metadata: {a: " + std::string(14, '[') + std::string(14, ']') + "}}"), IsEmpty());
  EXPECT_THAT(shown("node: {metadata: {a: " + std::string(20, '[') + std::string(20, ']') + "}}"),
              ElementsAre(HasSubstr("values of a Struct are nested more than 16 deep")));
  std::string bomb = "x0: &x0 [a,a,a,a,a,a,a,a,a,a]\n";
  for (int i = 1; i < 9; ++i) {
    bomb += "x" + std::to_string(i) + ": &x" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) {
      bomb += "*x" + std::to_string(i - 1) + ",";
    }
    bomb += "]\n";
  }
  EXPECT_THAT(shown(bomb + "node: {metadata: {a: *x8}}\n"), ::testing::Contains(HasSubstr("aliases repeat so much")));
  EXPECT_THAT(shown("node: &a {metadata: {b: *a}}"), ElementsAre(HasSubstr("an alias to what it is itself a part of")));
}

TEST(Syntax, ThereIsAnEndToErrors) {
  std::string text = "static_resources:\n  clusters:\n";
  for (int i = 0; i < 2000; ++i) {
    text += "  - {nme: x}\n";
  }
  EXPECT_THAT(shown(text), SizeIs(1000));
}

}  // namespace
}  // namespace remora::xds::testing
