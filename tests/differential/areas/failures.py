"""Upstreams that refuse, reset, stall, lie and break off; timeouts; retries."""

from tests.support import upstream as u

from tests.differential.engine import Case
from tests.differential.areas.common import H, any_host, b, get, manager

UPSTREAMS = ["a", "b"]
LISTENERS = ["main", "timers"]

POLICIES = {
    "5xx": {"retry_on": "5xx", "num_retries": 2},
    "gateway": {"retry_on": "gateway-error", "num_retries": 1},
    "connect": {"retry_on": "connect-failure", "num_retries": 2},
    "reset": {"retry_on": "reset", "num_retries": 1},
    "before": {"retry_on": "reset-before-request", "num_retries": 1},
    "4xx": {"retry_on": "retriable-4xx", "num_retries": 1},
    "codes": {"retry_on": "retriable-status-codes", "retriable_status_codes": [418, 500], "num_retries": 1},
    "heads": {
        "retry_on": "retriable-headers",
        "num_retries": 1,
        "retriable_headers": [{"name": "x-again", "string_match": {"exact": "yes"}}],
    },
    "some": {
        "retry_on": "5xx",
        "num_retries": 1,
        "retriable_request_headers": [{"name": "x-may", "string_match": {"exact": "yes"}}],
    },
    "default": {"retry_on": "5xx"},
    "none": {"retry_on": "", "num_retries": 3},
    "zero": {"retry_on": "5xx", "num_retries": 0},
    "pertry": {"retry_on": "5xx", "num_retries": 1, "per_try_timeout": "0.15s"},
    "pertryonly": {"per_try_timeout": "0.15s"},
    "two": {"retry_on": "gateway-error,reset", "num_retries": 1},
}
FAST = {"retry_back_off": {"base_interval": "0.005s", "max_interval": "0.010s"}}


def build(p):
    routes = [
        b.route(f"/retry/{name}", {"cluster": "a", "retry_policy": {**policy, **FAST}})
        for name, policy in POLICIES.items()
    ]
    routes += [
        b.route("/dead/retry", {"cluster": "dead", "retry_policy": {**POLICIES["connect"], **FAST}}),
        b.route("/dead/other", {"cluster": "dead", "retry_policy": {**POLICIES["gateway"], **FAST}}),
        b.route("/half", {"cluster": "half", "retry_policy": {**POLICIES["connect"], **FAST}}),
        b.route("/both", {"cluster": "both", "retry_policy": {**POLICIES["5xx"], **FAST}}),
        b.route("/dead", "dead"),
        b.route("/empty", "empty"),
        b.route("/full", "full"),
        b.route("/once", "once"),
        b.route("/slow", {"cluster": "a", "timeout": "0.2s"}),
        b.route("/forever", {"cluster": "a", "timeout": "0s"}),
        b.route(
            "/slowretry",
            {
                "cluster": "a",
                "timeout": "0.25s",
                "retry_policy": {**POLICIES["5xx"], "per_try_timeout": "0.1s", "num_retries": 10, **FAST},
            },
        ),
        b.route("/idle", {"cluster": "a", "timeout": "0s", "idle_timeout": "0.2s"}),
        b.route("/a", "a"),
    ]
    timers = manager(
        any_host(b.route("/", "a")), request_headers_timeout="0.2s", request_timeout="0.4s", stream_idle_timeout="0.3s"
    )
    options = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {"max_requests_per_connection": 1},
    }
    return b.bootstrap(
        [b.listener(p.listener["main"], manager(any_host(*routes))), b.listener(p.listener["timers"], timers)],
        [
            b.cluster("a", p.upstream["a"]),
            b.cluster("dead", p.dead),
            b.cluster("empty"),
            b.cluster("half", p.dead, p.upstream["b"]),
            b.cluster("both", p.upstream["a"], p.upstream["b"]),
            b.cluster("full", p.upstream["a"], circuit_breakers={"thresholds": [{"max_requests": 0}]}),
            b.cluster(
                "once",
                p.upstream["a"],
                typed_extension_protocol_options={"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
            ),
        ],
        p.admin,
    )


def _no(status, *headers):
    return u.answer(status, f"no {status}\n", list(headers))


YES = u.answer(200, "yes\n")
CUT = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
POST = {"method": "POST", "body": "hello"}


def _bad(name, data, then="hang", **more):
    return Case(f"failures.malformed.{name}", get("/a"), [u.raw(data, then=then, wait=0.03)], **more)


def _retry(name, policy, script, **more):
    return Case(f"retries.{name}", get(f"/retry/{policy}", **more), script)


_OK = "HTTP/1.1 200 OK\r\n"
CASES = [
    Case("failures.refused", get("/dead")),
    Case("failures.refused_post", get("/dead", **POST)),
    Case("failures.refused_body_pending", get("/dead", method="POST", headers="Content-Length: 5\r\n")),
    Case("failures.no_endpoint", get("/empty")),
    Case("failures.overflow", get("/full")),
    Case("failures.reset", get("/a"), [u.reset()]),
    Case("failures.closed", get("/a"), [u.close()]),
    Case("failures.closed_post", get("/a", **POST), [u.close()]),
    Case(
        "failures.closed_before_body",
        get("/a", method="POST", headers="Content-Length: 100000\r\n") + "x" * 1000,
        [u.close(early=True)],
    ),
    Case("failures.closed_in_head", get("/a"), [u.raw("HTTP/1.1 200 OK\r\nConte", then="close")]),
    Case("failures.closed_in_status", get("/a"), [u.raw("HTTP/1.", then="close")]),
    Case("failures.closed_in_body", get("/a"), [u.raw(CUT, then="close", wait=0.05)]),
    Case("failures.reset_in_body", get("/a"), [u.raw(CUT, then="reset", wait=0.05)]),
    Case(
        "failures.closed_in_chunks",
        get("/a"),
        [u.raw(_OK + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", then="close", wait=0.05)],
    ),
    Case(
        "failures.closed_after_chunks",
        get("/a"),
        [u.raw(_OK + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", then="close")],
    ),
    Case("failures.max_requests_upstream", get("/once") + get("/once"), answers=2),
    _bad("no_http", "SSH-2.0-OpenSSH_9\r\n\r\n"),
    _bad("length_twice", _OK + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
    _bad("length_twice_same", _OK + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    _bad("length_odd", _OK + "Content-Length: x\r\n\r\n"),
    _bad("length_minus", _OK + "Content-Length: -1\r\n\r\n"),
    _bad("length_and_chunked", _OK + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    _bad("coding_unknown", _OK + "Transfer-Encoding: foo\r\n\r\nabc"),
    _bad("coding_gzip_chunked", _OK + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    _bad("chunk_size", _OK + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    _bad("chunk_size_later", _OK + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"),
    _bad("status_short", "HTTP/1.1 20 OK\r\n\r\n", wait=0.7),
    _bad("status_long", "HTTP/1.1 2000 OK\r\n\r\n", wait=0.7),
    _bad("status_word", "HTTP/1.1 abc OK\r\n\r\n"),
    _bad("status_099", "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", wait=0.7),
    _bad("status_600", "HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n"),
    _bad("version", "HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    _bad("space_colon", _OK + "X : y\r\nContent-Length: 0\r\n\r\n"),
    _bad("nul", _OK + "X: a\0b\r\nContent-Length: 0\r\n\r\n"),
    _bad("obs_fold", _OK + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    _bad("bare_lf", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    _bad("bare_cr", _OK + "X: a\rb\r\nContent-Length: 0\r\n\r\n"),
    _bad("no_colon", _OK + "Xyz\r\nContent-Length: 0\r\n\r\n"),
    _bad("empty_name", _OK + ": y\r\nContent-Length: 0\r\n\r\n"),
    _bad("many_headers", _OK + "".join(f"x{i}: a\r\n" for i in range(120)) + "Content-Length: 0\r\n\r\n"),
    _bad("huge_head", _OK + f"X: {'a' * 200_000}\r\nContent-Length: 0\r\n\r\n"),
    _bad("extra_after_end", _OK + "Content-Length: 3\r\n\r\nabcEXTRA"),
    _bad("answer_204_with_body", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc"),
    _bad("two_answers", (_OK + "Content-Length: 1\r\n\r\n1") * 2),
    # timeouts
    Case("timeouts.route", get("/slow"), [u.hang()]),
    Case("timeouts.route_post", get("/slow", **POST), [u.hang()]),
    Case("timeouts.after_head", get("/slow"), [u.raw(CUT, then="hang")]),
    Case(
        "timeouts.after_head_chunked",
        get("/slow"),
        [u.raw(_OK + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", then="hang")],
    ),
    Case("timeouts.within", get("/slow"), [u.answer(200, "in time", delay=0.05)]),
    Case("timeouts.none", get("/forever"), [u.answer(200, "late", delay=0.3)]),
    Case("timeouts.per_try", get("/retry/pertry"), [u.hang(), YES]),
    Case("timeouts.per_try_all", get("/retry/pertry"), [u.hang(), u.hang()]),
    Case("timeouts.per_try_without_retries", get("/retry/pertryonly"), [u.hang()]),
    Case(
        "timeouts.route_over_tries", get("/slowretry"), [u.hang()] * 10, ignore=("upstream*",)
    ),  # how many tries fit is chance
    Case("timeouts.route_idle", get("/idle"), [u.hang()]),
    Case("timeouts.route_idle_after_head", get("/idle"), [u.raw(CUT, then="hang")]),
    Case("timeouts.request_head", f"GET / HTTP/1.1\r\n{H}", to="timers"),
    Case("timeouts.request_body", get("/", method="POST", headers="Content-Length: 9\r\n") + "he", to="timers"),
    Case("timeouts.body_not_begun", get("/", method="POST", headers="Content-Length: 9\r\n"), to="timers"),
    Case("timeouts.stream_idle", get("/"), [u.hang()], to="timers"),
    # retries
    *[_retry(f"5xx.{s}", "5xx", [_no(s), YES]) for s in (500, 502, 503, 504)],
    _retry("5xx.not_404", "5xx", [_no(404)]),
    _retry("5xx.not_409", "5xx", [_no(409)]),
    _retry("5xx.twice", "5xx", [_no(500), _no(500), YES]),
    _retry("5xx.exhausted", "5xx", [_no(500), _no(501), _no(502)]),
    _retry("5xx.reset", "5xx", [u.reset(), YES]),
    _retry("5xx.closed", "5xx", [u.close(), YES]),
    _retry("5xx.malformed", "5xx", [u.raw("junk\r\n\r\n", then="close"), YES]),
    _retry("5xx.head", "5xx", [_no(503), YES], method="HEAD"),
    _retry("5xx.exhausted_resets", "5xx", [u.reset(), u.reset(), u.reset()]),
    _retry("5xx.put", "5xx", [_no(503), YES], method="PUT", body="hello"),
    _retry("5xx.delete", "5xx", [_no(503), YES], method="DELETE"),
    _retry("5xx.post", "5xx", [_no(503), YES], **POST),
    _retry("5xx.patch", "5xx", [_no(503), YES], method="PATCH", body="hello"),
    _retry("5xx.post_reset", "5xx", [u.reset(), YES], **POST),
    _retry("5xx.put_reset", "5xx", [u.reset(), YES], method="PUT", body="hello"),
    Case(
        "retries.5xx.chunked_put",
        f"PUT /retry/5xx HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        [_no(503), YES],
    ),
    _retry("gateway.502", "gateway", [_no(502), YES]),
    _retry("gateway.503", "gateway", [_no(503), YES]),
    _retry("gateway.504", "gateway", [_no(504), YES]),
    _retry("gateway.not_500", "gateway", [_no(500)]),
    _retry("gateway.reset", "gateway", [u.reset(), YES]),
    _retry("reset.reset", "reset", [u.reset(), YES]),
    _retry("reset.not_503", "reset", [_no(503)]),
    _retry("reset.half_head", "reset", [u.raw("HTTP/1.1 2", then="close"), YES]),
    _retry("reset.not_after_head", "reset", [u.raw(CUT, then="reset", wait=0.05)]),
    _retry("reset.timeout_head", "reset", [u.close(), u.close()]),
    _retry("before.after_sent", "before", [u.reset()]),
    _retry("connect.not_reset", "connect", [u.reset()]),
    _retry("connect.not_503", "connect", [_no(503)]),
    _retry("4xx.409", "4xx", [_no(409), YES]),
    _retry("4xx.not_404", "4xx", [_no(404)]),
    _retry("codes.418", "codes", [_no(418), YES]),
    _retry("codes.500", "codes", [_no(500), YES]),
    _retry("codes.not_503", "codes", [_no(503)]),
    _retry("headers.yes", "heads", [_no(200, ("x-again", "yes")), YES]),
    _retry("headers.no", "heads", [_no(200, ("x-again", "no"))]),
    _retry("some.may", "some", [_no(503), YES], headers="X-May: yes\r\n"),
    _retry("some.may_not", "some", [_no(503)]),
    _retry("default_is_one", "default", [_no(503), YES]),
    _retry("default_is_one_exhausted", "default", [_no(503), _no(503)]),
    _retry("no_condition", "none", [_no(503)]),
    _retry("zero", "zero", [_no(503), YES]),
    _retry("list.502", "two", [_no(502), YES]),
    _retry("list.reset", "two", [u.reset(), YES]),
    _retry("first_headers_dropped", "5xx", [_no(503, ("x-first", "1")), u.answer(200, "yes", [("x-second", "1")])]),
    _retry("request_unchanged", "5xx", [_no(503), YES], headers="X-A: 1\r\nX-Request-Id: same\r\n"),
    Case("retries.refused", get("/dead/retry")),
    Case("retries.refused_post", get("/dead/retry", **POST)),
    Case("retries.refused_not_asked", get("/dead/other")),
    Case("retries.refused_head", get("/dead/retry", method="HEAD")),
    # Which of the two endpoints is first, and so what is left of the time at the one that answers, is chance.
    Case(
        "retries.other_endpoint",
        get("/half"),
        {"b": [YES]},
        ignore=("upstream[0].header.x-envoy-expected-rq-timeout-ms",),
    ),
    Case("retries.big_body", get("/retry/5xx", method="PUT", body="z" * 200_000), [_no(503), YES]),
    Case(
        "retries.early_503",
        get("/retry/5xx", method="PUT", headers="Content-Length: 10\r\n") + "hello",
        [u.answer(503, "early", early=True)] * 3,
    ),
    # a client's own x-envoy-* headers count only when the request is internal
    *[
        Case(f"retries.client_header.{name}", get("/a", headers=h), [_no(503)] * 1)
        for name, h in (
            ("retry_on", "x-envoy-retry-on: 5xx\r\n"),
            ("max", "x-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 3\r\n"),
            ("internal_claim", "x-envoy-internal: true\r\nx-envoy-retry-on: 5xx\r\n"),
            ("internal_xff", "X-Forwarded-For: 10.0.0.1\r\nx-envoy-retry-on: 5xx\r\n"),
        )
    ],
    Case(
        "retries.client_header.timeout",
        get("/a", headers="x-envoy-upstream-rq-timeout-ms: 100\r\n"),
        [u.answer(200, "x", delay=0.3)],
    ),
]
