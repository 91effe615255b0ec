"""Which virtual host, which route, which cluster, and what is rewritten on the way."""

from tests.differential.engine import Case
from tests.differential.areas.common import H, PROBE, any_host, b, direct, get, manager

UPSTREAMS = ["a", "b"]
LISTENERS = ["main", "strict", "normal"]


def _string(**match):
    return {"string_match": match}


def _header(name, **match):
    return {"name": name, **match}


def build(p):
    hosts = [
        b.virtual_host("exact", ["exact.test", "ported.test:8080"], [PROBE, direct("/", "exact\n")]),
        b.virtual_host("suffix", ["*.suffix.test"], [PROBE, direct("/", "suffix\n")]),
        b.virtual_host("longer suffix", ["*.deep.suffix.test", "*-dash.test"], [PROBE, direct("/", "longer suffix\n")]),
        b.virtual_host("prefix", ["prefix.*"], [PROBE, direct("/", "prefix\n")]),
        b.virtual_host("longer prefix", ["prefix.long.*"], [PROBE, direct("/", "longer prefix\n")]),
        b.virtual_host(
            "app",
            ["app.test", "app.test:80"],
            [
                PROBE,
                direct({"path": "/exact"}, "exact path\n"),
                direct({"path": "/Folded", "case_sensitive": False}, "folded path\n"),
                direct({"prefix": "/Pre", "case_sensitive": False}, "folded prefix\n"),
                direct({"prefix": "/pre/first"}, "never\n"),
                direct({"path_separated_prefix": "/sep"}, "separated\n"),
                direct({"safe_regex": {"regex": "/re/[0-9]+"}}, "regex\n"),
                direct({"safe_regex": {"regex": "/opt(/.*)?"}}, "optional\n"),
                direct({"prefix": "/head", "headers": [_header("x-exact", **_string(exact="One"))]}, "h exact\n"),
                direct(
                    {"prefix": "/head", "headers": [_header("x-fold", **_string(exact="one", ignore_case=True))]},
                    "h fold\n",
                ),
                direct({"prefix": "/head", "headers": [_header("x-prefix", **_string(prefix="ab"))]}, "h prefix\n"),
                direct({"prefix": "/head", "headers": [_header("x-suffix", **_string(suffix="yz"))]}, "h suffix\n"),
                direct(
                    {"prefix": "/head", "headers": [_header("x-contains", **_string(contains="mid"))]}, "h contains\n"
                ),
                direct(
                    {"prefix": "/head", "headers": [_header("x-regex", **_string(safe_regex={"regex": "a+b"}))]},
                    "h regex\n",
                ),
                direct(
                    {"prefix": "/head", "headers": [_header("x-range", range_match={"start": "10", "end": "20"})]},
                    "h range\n",
                ),
                direct({"prefix": "/head", "headers": [_header("x-present", present_match=True)]}, "h present\n"),
                direct(
                    {
                        "prefix": "/head",
                        "headers": [
                            _header("x-not", **_string(exact="bad"), invert_match=True),
                            _header("x-not", present_match=True),
                        ],
                    },
                    "h not bad\n",
                ),
                direct(
                    {
                        "prefix": "/head",
                        "headers": [_header("x-two", **_string(exact="1")), _header("x-more", **_string(exact="2"))],
                    },
                    "h both\n",
                ),
                direct({"prefix": "/head", "headers": [_header(":method", **_string(exact="PUT"))]}, "h method\n"),
                direct(
                    {
                        "prefix": "/head",
                        "headers": [
                            _header("x-missing-as-empty", **_string(exact=""), treat_missing_header_as_empty=True),
                            _header("x-want-empty", present_match=True),
                        ],
                    },
                    "h empty\n",
                ),
                direct({"prefix": "/head", "headers": [_header("x-absent", present_match=False)]}, "h absent\n"),
                direct(
                    {"prefix": "/q", "query_parameters": [{"name": "p", "string_match": {"exact": "v"}}]}, "q exact\n"
                ),
                direct(
                    {
                        "prefix": "/q",
                        "query_parameters": [{"name": "r", "string_match": {"safe_regex": {"regex": "[0-9]+"}}}],
                    },
                    "q regex\n",
                ),
                direct({"prefix": "/q", "query_parameters": [{"name": "here", "present_match": True}]}, "q present\n"),
                direct({"prefix": "/q"}, "q none\n"),
                direct({"prefix": "/never", "runtime_fraction": {"default_value": {"numerator": 0}}}, "unlucky\n"),
                direct({"prefix": "/always", "runtime_fraction": {"default_value": {"numerator": 100}}}, "lucky\n"),
                b.route("/to/b", "b"),
                b.route("/to", "a"),
                b.route(
                    "/weights",
                    {"weighted_clusters": {"clusters": [{"name": "a", "weight": 0}, {"name": "b", "weight": 100}]}},
                ),
                b.route(
                    "/wedit",
                    {
                        "weighted_clusters": {
                            "clusters": [
                                {
                                    "name": "b",
                                    "weight": 1,
                                    "host_rewrite_literal": "b.weighted",
                                    "request_headers_to_add": [{"header": {"key": "x-weighted", "value": "b"}}],
                                    "response_headers_to_add": [{"header": {"key": "x-from", "value": "weighted b"}}],
                                }
                            ]
                        }
                    },
                ),
                b.route("/byheader", {"cluster_header": "x-to"}),
                b.route("/by404", {"cluster_header": "x-to", "cluster_not_found_response_code": "NOT_FOUND"}),
                b.route("/rw/", {"cluster": "a", "prefix_rewrite": "/"}),
                b.route("/noslash", {"cluster": "a", "prefix_rewrite": "/new"}),
                b.route({"path": "/exactrewrite"}, {"cluster": "a", "prefix_rewrite": "/elsewhere"}),
                b.route(
                    "/regex/",
                    {
                        "cluster": "a",
                        "regex_rewrite": {"pattern": {"regex": "^/regex/([^/]+)/(.*)$"}, "substitution": "/\\2/of/\\1"},
                    },
                ),
                b.route(
                    "/regexall", {"cluster": "a", "regex_rewrite": {"pattern": {"regex": "a"}, "substitution": "-"}}
                ),
                b.route("/host/literal", {"cluster": "a", "host_rewrite_literal": "other.test"}),
                b.route("/host/header", {"cluster": "a", "host_rewrite_header": "x-host"}),
                b.route(
                    "/host/kept",
                    {"cluster": "a", "host_rewrite_literal": "other.test", "append_x_forwarded_host": True},
                ),
                b.route({"path": "/r/host"}, redirect={"host_redirect": "new.test"}),
                b.route({"path": "/r/path"}, redirect={"path_redirect": "/new"}),
                b.route({"path": "/r/pathquery"}, redirect={"path_redirect": "/new?x=1"}),
                b.route({"prefix": "/r/prefix"}, redirect={"prefix_rewrite": "/moved"}),
                b.route(
                    {"prefix": "/r/regex"},
                    redirect={"regex_rewrite": {"pattern": {"regex": "^/r/regex/(.*)"}, "substitution": "/x/\\1"}},
                ),
                b.route({"path": "/r/https"}, redirect={"https_redirect": True}),
                b.route({"path": "/r/scheme"}, redirect={"scheme_redirect": "wss"}),
                b.route({"path": "/r/port"}, redirect={"port_redirect": 8443}),
                b.route(
                    {"path": "/r/httpsport"},
                    redirect={"https_redirect": True, "host_redirect": "s.test", "port_redirect": 443},
                ),
                b.route({"path": "/r/strip"}, redirect={"path_redirect": "/s", "strip_query": True}),
                *[
                    b.route({"path": f"/r/{code}"}, redirect={"path_redirect": "/c", "response_code": word})
                    for code, word in (
                        (302, "FOUND"),
                        (303, "SEE_OTHER"),
                        (307, "TEMPORARY_REDIRECT"),
                        (308, "PERMANENT_REDIRECT"),
                    )
                ],
                direct({"path": "/d/201"}, "made\n", 201),
                direct({"path": "/d/404"}, "gone\n", 404),
                direct({"path": "/d/500"}, "broken\n", 500),
                b.route({"path": "/d/empty"}, direct_response={"status": 200}),
                b.route({"path": "/d/204"}, direct_response={"status": 204}),
            ],
        ),
        b.virtual_host("rest", ["*"], [PROBE, direct("/any", "any host\n"), b.route("/", "a")]),
    ]
    strict = [b.virtual_host("only", ["only.test"], [PROBE, direct("/", "only\n")])]
    normal = any_host(b.route("/", "a"))
    return b.bootstrap(
        [
            b.listener(p.listener["main"], manager(hosts)),
            b.listener(p.listener["strict"], manager(strict)),
            b.listener(
                p.listener["normal"], manager(normal, normalize_path=True, merge_slashes=True, strip_any_host_port=True)
            ),
        ],
        [b.cluster("a", p.upstream["a"]), b.cluster("b", p.upstream["b"])],
        p.admin,
    )


def _host(name, host, path="/", to="main"):
    return Case(f"routing.host.{name}", get(path, host), to=to)


def _path(name, path, **more):
    return Case(f"routing.path.{name}", get(path), **more)


def _with(name, headers, path="/head", method="GET"):
    return Case(f"routing.header.{name}", get(path, headers=headers, method=method))


CASES = [
    _host("exact", "exact.test"),
    _host("exact_upper_case", "EXACT.Test"),
    _host("exact_with_port", "exact.test:80"),
    _host("domain_with_port", "ported.test:8080"),
    _host("domain_without_its_port", "ported.test", "/any"),
    _host("suffix", "x.suffix.test"),
    _host("suffix_two_labels", "x.y.suffix.test"),
    _host("suffix_longest_wins", "x.deep.suffix.test"),
    _host("suffix_needs_something", ".suffix.test", "/any"),
    _host("suffix_dash", "foo-dash.test"),
    _host("suffix_upper_case", "X.SUFFIX.TEST"),
    _host("prefix", "prefix.com"),
    _host("prefix_longest_wins", "prefix.long.com"),
    _host("prefix_needs_something", "prefix.", "/any"),
    _host("any", "whatever.test", "/any"),
    _host("ip", "127.0.0.1:80", "/any"),
    _host("ipv6", "[::1]:80", "/any"),
    _host("none", "other.test", to="strict"),
    _host("only", "only.test", to="strict"),
    _host("trailing_dot", "exact.test.", "/any"),
    _host("no_port_number", "exact.test:", "/any"),
    _path("exact", "/exact"),
    _path("exact_with_query", "/exact?a=b"),
    _path("exact_longer", "/exact/"),
    _path("exact_case", "/EXACT"),
    _path("folded", "/fOLDED"),
    _path("prefix_folded", "/pREfix"),
    _path("first_match_wins", "/pre/first"),
    _path("separated", "/sep"),
    _path("separated_below", "/sep/x"),
    _path("separated_query", "/sep?x"),
    _path("separated_not", "/separate"),
    _path("regex", "/re/42"),
    _path("regex_is_full", "/re/42x"),
    _path("regex_ignores_query", "/re/42?x=y"),
    _path("regex_optional", "/opt"),
    _path("regex_optional_more", "/opt/a/b"),
    _path("fraction_never", "/never"),
    _path("fraction_always", "/always"),
    _path("none", "/nothing"),
    _path("percent_kept", "/to/%41%2f%zz?%20"),
    _path("semicolon", "/to/a;b=c"),
    _path("empty_query", "/to/a?"),
    _path("double_slash_kept", "//to//a"),
    _path("dots_kept", "/to/../b"),
    _path("utf8", "/to/\xc3\xa9"),
    _path("cluster_a", "/to/x"),
    _path("cluster_b", "/to/b/x"),
    _path("weights", "/weights"),
    Case("routing.path.weighted_edits", get("/wedit")),
    _with("exact", "X-Exact: One\r\n"),
    _with("exact_case_matters", "X-Exact: one\r\n"),
    _with("fold", "X-Fold: ONE\r\n"),
    _with("prefix", "X-Prefix: abc\r\n"),
    _with("suffix", "X-Suffix: xyz\r\n"),
    _with("contains", "X-Contains: amidst\r\n"),
    _with("regex", "X-Regex: aaab\r\n"),
    _with("regex_is_full", "X-Regex: aaabc\r\n"),
    _with("range", "X-Range: 10\r\n"),
    _with("range_end_is_out", "X-Range: 20\r\n"),
    _with("range_no_number", "X-Range: 1x\r\n"),
    _with("range_negative", "X-Range: -1\r\n"),
    _with("present", "X-Present:\r\n"),
    _with("inverted", "X-Not: fine\r\n"),
    _with("inverted_no", "X-Not: bad\r\n"),
    _with("both", "X-Two: 1\r\nX-More: 2\r\n"),
    _with("one_of_both", "X-Two: 1\r\n"),
    _with("method", "", method="PUT"),
    _with("missing_as_empty", "X-Want-Empty: 1\r\n"),
    _with("absent", ""),
    _with("absent_no", "X-Absent: 1\r\n"),
    # A header that comes twice is matched value by value.
    _with("twice_first", "X-Exact: One\r\nX-Exact: Two\r\n"),
    _with("twice_second", "X-Exact: Two\r\nX-Exact: One\r\n"),
    _with("twice_prefix", "X-Prefix: no\r\nX-Prefix: abc\r\n"),
    _with("twice_regex", "X-Regex: no\r\nX-Regex: aab\r\n"),
    _with("twice_range", "X-Range: 99\r\nX-Range: 10\r\n"),
    _with("twice_contains_over_the_join", "X-Contains: mi\r\nX-Contains: d\r\n"),
    _with("twice_inverted_first_bad", "X-Not: bad\r\nX-Not: fine\r\n"),
    _with("twice_inverted_second_bad", "X-Not: fine\r\nX-Not: bad\r\n"),
    _with("twice_inverted_none_bad", "X-Not: fine\r\nX-Not: good\r\n"),
    _path("query_exact", "/q?p=v"),
    _path("query_exact_no", "/q?p=w"),
    _path("query_regex", "/q?r=12"),
    _path("query_present", "/q?here"),
    _path("query_present_with_value", "/q?a=b&here=1"),
    _path("query_first_of_two", "/q?p=w&p=v"),
    _path("query_encoded", "/q?p=%76"),
    Case("routing.cluster_header.known", get("/byheader", headers="x-to: b\r\n")),
    Case("routing.cluster_header.unknown", get("/byheader", headers="x-to: nobody\r\n")),
    Case("routing.cluster_header.missing", get("/byheader")),
    Case("routing.cluster_header.unknown_404", get("/by404", headers="x-to: nobody\r\n")),
    Case("routing.rewrite.prefix", get("/rw/x/y?z=1")),
    Case("routing.rewrite.prefix_itself", get("/rw/")),
    Case("routing.rewrite.prefix_glued", get("/noslashes/x")),
    Case("routing.rewrite.exact", get("/exactrewrite?q")),
    Case("routing.rewrite.regex", get("/regex/one/two/three?q=1")),
    Case("routing.rewrite.regex_no_match", get("/regex/one")),
    Case("routing.rewrite.regex_all", get("/regexall/aba?a=a")),
    Case("routing.rewrite.host_literal", get("/host/literal")),
    Case("routing.rewrite.host_header", get("/host/header", headers="X-Host: from.header\r\n")),
    Case("routing.rewrite.host_header_missing", get("/host/header")),
    Case("routing.rewrite.host_forwarded", get("/host/kept")),
    Case("routing.rewrite.host_forwarded_appended", get("/host/kept", headers="X-Forwarded-Host: first.test\r\n")),
    *[
        Case(f"routing.redirect.{name}", get(f"/r/{path}", **more))
        for name, path, more in (
            ("host", "host?x=1", {}),
            ("path", "path?x=1", {}),
            ("path_with_query", "pathquery?y=2", {}),
            ("prefix", "prefix/a?b", {}),
            ("regex", "regex/a?b", {}),
            ("https", "https", {}),
            ("https_drops_80", "https", {"host": "app.test:80"}),
            ("scheme", "scheme", {}),
            ("port", "port", {}),
            ("https_port", "httpsport", {}),
            ("strip", "strip?x=1", {}),
            ("302", "302", {}),
            ("303", "303", {}),
            ("307", "307", {}),
            ("308", "308", {}),
            ("head", "host", {"method": "HEAD"}),
        )
    ],
    Case("routing.redirect.post_closes", get("/r/host", method="POST", body="hello")),
    Case("routing.redirect.forwarded_proto", get("/r/host", headers="X-Forwarded-Proto: https\r\n")),
    *[Case(f"routing.direct.{name}", get(f"/d/{name}")) for name in ("201", "404", "500", "empty", "204")],
    Case("routing.direct.head", get("/d/201", method="HEAD")),
    Case("routing.direct.options", get("/d/201", method="OPTIONS")),
    Case("routing.normal.dots", get("/a/../b/./c"), to="normal"),
    Case("routing.normal.dots_above_root", get("/../b"), to="normal"),
    Case("routing.normal.slashes", get("/a//b///c"), to="normal"),
    Case("routing.normal.unreserved", get("/%61%7e%2E%2e/x"), to="normal"),
    Case("routing.normal.encoded_slash", get("/a%2fb%5Cc"), to="normal"),
    Case("routing.normal.backslash", get("/a\\b"), to="normal"),
    Case("routing.normal.query_untouched", get("/a?x=/../y//z"), to="normal"),
    Case("routing.normal.port_stripped", get("/a", host="app.test:8080"), to="normal"),
    Case("routing.normal.null_byte", get("/a%00b"), to="normal"),
    Case("routing.absolute.authority_wins", f"GET http://exact.test/x HTTP/1.1\r\n{H}\r\n"),
    Case("routing.absolute.to_upstream", f"GET http://Other.test:81/to?q HTTP/1.1\r\n{H}\r\n"),
    Case("routing.absolute.no_path", f"GET http://exact.test HTTP/1.1\r\n{H}\r\n"),
    Case("routing.absolute.query_without_path", f"GET http://exact.test?x HTTP/1.1\r\n{H}\r\n"),
    Case("routing.absolute.https", f"GET https://whatever.test/to HTTP/1.1\r\n{H}\r\n"),
    Case("routing.absolute.no_host_header", "GET http://exact.test/x HTTP/1.1\r\n\r\n"),
    Case("routing.absolute.userinfo", f"GET http://me@exact.test/x HTTP/1.1\r\n{H}\r\n"),
    Case("routing.absolute.ftp", f"GET ftp://exact.test/x HTTP/1.1\r\n{H}\r\n"),
]
