"""How messages begin and end: bodies, trailers, HEAD, old versions, pipelining, upgrades."""

from tests.support import upstream as u

from tests.differential.engine import HALF_CLOSE, AwaitUpstream, Case, Read
from tests.differential.areas.common import H, any_host, b, direct, get, manager

UPSTREAMS = ["a"]
LISTENERS = ["main", "ten", "few", "trailers", "continues"]


def build(p):
    routes = lambda: any_host(direct({"path": "/direct"}, "direct\n"), b.route("/a", "a"), b.route("/dead", "dead"))  # noqa: E731
    trailers = {"enable_trailers": True}
    upstream_trailers = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": trailers},
        }
    }
    types = lambda **enabled: [{"upgrade_type": name, "enabled": on} for name, on in enabled.items()]  # noqa: E731
    ways = any_host(
        b.route("/off", {"cluster": "a", "upgrade_configs": types(websocket=False)}),
        b.route("/other", {"cluster": "a", "upgrade_configs": types(other=True, OFF=True)}),
        b.route({"connect_matcher": {}}, "a"),
        direct({"path": "/direct"}, "direct\n"),
        b.route("/a", "a"),
    )
    managers = {
        "main": manager(routes(), upgrade_configs=[{"upgrade_type": "websocket"}]),
        "ten": manager(
            routes(), http_protocol_options={"accept_http_10": True, "default_host_for_http_10": "ten.test"}
        ),
        "few": manager(routes(), common_http_protocol_options={"max_requests_per_connection": 2}),
        "continues": manager(ways, upgrade_configs=types(websocket=True, off=False), proxy_100_continue=True),
        "trailers": manager(any_host(b.route("/a", "trailers")), http_protocol_options=trailers),
    }
    return b.bootstrap(
        [b.listener(p.listener[name], m) for name, m in managers.items()],
        [
            b.cluster("a", p.upstream["a"]),
            b.cluster("dead", p.dead),
            b.cluster("trailers", p.upstream["a"], typed_extension_protocol_options=upstream_trailers),
        ],
        p.admin,
    )


def chunked(body, headers="", method="POST", path="/a"):
    return f"{method} {path} HTTP/1.1\r\n{H}{headers}Transfer-Encoding: chunked\r\n\r\n{body}"


def old(headers="", method="GET", host=H, body="", path="/a"):
    return f"{method} {path} HTTP/1.0\r\n{host}{headers}\r\n{body}"


WS = f"GET /a HTTP/1.1\r\n{H}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"

CASES = [
    # requests with bodies
    Case("framing.post_length", get("/a", method="POST", body="hello")),
    Case(
        "framing.post_length_in_pieces",
        ["POST /a HT", 0.02, f"TP/1.1\r\n{H}Content-Le", 0.02, "ngth: 5\r\n\r\nhe", 0.02, "llo"],
    ),
    Case("framing.post_length_zero", get("/a", method="POST", body="")),
    Case("framing.post_no_length", get("/a", method="POST")),
    Case("framing.put_no_length", get("/a", method="PUT")),
    Case("framing.patch_no_length", get("/a", method="PATCH")),
    Case("framing.delete_no_length", get("/a", method="DELETE")),
    Case("framing.options_no_length", get("/a", method="OPTIONS")),
    Case("framing.purge_no_length", get("/a", method="PURGE")),
    Case("framing.get_length_zero", get("/a", headers="Content-Length: 0\r\n")),
    Case("framing.get_with_body", get("/a", body="hello")),
    Case("framing.delete_with_body", get("/a", method="DELETE", body="x")),
    Case("framing.head_with_body", get("/a", method="HEAD", body="hello")),
    Case("framing.length_leading_zeros", get("/a", method="POST", headers="Content-Length: 0005\r\n") + "hello"),
    Case("framing.chunked", chunked("5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n")),
    Case("framing.chunked_empty", chunked("0\r\n\r\n")),
    Case("framing.chunked_upper_hex", chunked("A\r\n0123456789\r\n0\r\n\r\n")),
    Case("framing.chunked_leading_zeros", chunked("0005\r\nhello\r\n000\r\n\r\n")),
    Case("framing.chunked_extension", chunked('5;name=value;other="q"\r\nhello\r\n0;last\r\n\r\n')),
    Case("framing.chunked_trailers", chunked("5\r\nhello\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n", "Trailer: x-t\r\n")),
    Case("framing.chunked_get", chunked("5\r\nhello\r\n0\r\n\r\n", method="GET")),
    Case(
        "framing.chunked_upper_case_coding",
        f"POST /a HTTP/1.1\r\n{H}Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    Case("framing.chunked_in_pieces", [chunked("5\r"), 0.02, "\nhel", 0.02, "lo\r", 0.02, "\n0\r\n", 0.02, "\r\n"]),
    Case("framing.big_body", get("/a", method="POST", body="z" * 300_000)),
    Case("framing.trailers.request", chunked("5\r\nhello\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n"), to="trailers"),
    Case("framing.trailers.request_none", chunked("5\r\nhello\r\n0\r\n\r\n"), to="trailers"),
    Case("framing.trailers.request_repeated", chunked("0\r\nX-T: 1\r\nX-T: 2\r\n\r\n"), to="trailers"),
    Case("framing.trailers.request_length", chunked("0\r\nContent-Length: 5\r\n\r\n"), to="trailers"),
    Case("framing.trailers.request_host", chunked("0\r\nHost: other.test\r\n\r\n"), to="trailers"),
    Case("framing.trailers.request_bad", chunked("0\r\nX : 1\r\n\r\n"), to="trailers"),
    Case("framing.trailers.answer", get("/a"), [u.chunked("abc", trailers=[("x-t", "1")])], to="trailers"),
    Case("framing.trailers.answer_only", get("/a"), [u.chunked(trailers=[("x-t", "1"), ("x-u", "2")])], to="trailers"),
    Case(
        "framing.trailers.answer_to_head", get("/a", method="HEAD"), [u.chunked(trailers=[("x-t", "1")])], to="trailers"
    ),
    # responses
    Case("framing.answer.chunked", get("/a"), [u.chunked("abc", "def")]),
    Case("framing.answer.chunked_empty", get("/a"), [u.chunked()]),
    Case("framing.answer.trailers", get("/a", headers="TE: trailers\r\n"), [u.chunked("abc", trailers=[("x-t", "1")])]),
    Case("framing.answer.until_close", get("/a"), [u.raw("HTTP/1.1 200 OK\r\n\r\nabc", then="close")]),
    Case("framing.answer.until_close_empty", get("/a"), [u.raw("HTTP/1.1 200 OK\r\n\r\n", then="close", wait=0.03)]),
    Case("framing.answer.until_close_10", get("/a"), [u.raw("HTTP/1.0 200 OK\r\n\r\nabc", then="close")]),
    Case(
        "framing.answer.10_with_length",
        get("/a"),
        [u.raw("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", then="close")],
    ),
    Case(
        "framing.answer.10_keep_alive",
        get("/a"),
        [u.raw("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc")],
    ),
    Case("framing.answer.length_zero", get("/a"), [u.answer(200, "")]),
    Case("framing.answer.204", get("/a"), [u.answer(204)]),
    Case("framing.answer.204_with_length", get("/a"), [u.raw("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")]),
    Case("framing.answer.304", get("/a"), [u.raw("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n")]),
    Case(
        "framing.answer.304_with_length",
        get("/a"),
        [u.raw("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: x\r\n\r\n")],
    ),
    Case("framing.answer.reason_phrase", get("/a"), [u.answer(200, "x", reason="Splendid")]),
    Case("framing.answer.no_reason", get("/a"), [u.raw("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx")]),
    Case("framing.answer.unknown_status", get("/a"), [u.answer(299, "x", reason="Odd")]),
    Case("framing.answer.status_599", get("/a"), [u.answer(599, "x")]),
    Case("framing.answer.status_418", get("/a"), [u.answer(418, "x")]),
    Case(
        "framing.answer.upper_chunks",
        get("/a"),
        [u.raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n")],
    ),
    Case(
        "framing.answer.in_pieces",
        get("/a"),
        [u.steps("HTT", 0.02, "P/1.1 200 OK\r\nContent-", 0.02, "Length: 3\r\n\r", 0.02, "\na", 0.02, "bc")],
    ),
    Case("framing.answer.big", get("/a"), [u.answer(200, "y" * 300_000)]),
    Case(
        "framing.answer.continue_unasked",
        get("/a"),
        [u.raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")],
    ),
    Case(
        "framing.answer.early_hints",
        get("/a"),
        [u.raw("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")],
    ),
    Case(
        "framing.answer.processing",
        get("/a"),
        [u.raw("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")],
    ),
    Case(
        "framing.answer.early",
        get("/a", method="POST", headers="Content-Length: 10\r\n") + "hello",
        [u.answer(200, "early", early=True)],
    ),
    Case("framing.answer.early_chunked", chunked("5\r\nhello\r\n"), [u.answer(413, "too much", early=True)]),
    # HEAD
    Case("framing.head.length", get("/a", method="HEAD")),
    Case("framing.head.chunked", get("/a", method="HEAD"), [u.chunked("x")]),
    Case("framing.head.none", get("/a", method="HEAD"), [u.raw("HTTP/1.1 200 OK\r\n\r\n")]),
    Case("framing.head.404", get("/nothing", method="HEAD")),
    Case("framing.head.direct", get("/direct", method="HEAD")),
    Case("framing.head.failure", get("/dead", method="HEAD")),
    Case("framing.head.then_get", get("/a", method="HEAD") + get("/a"), answers=2, methods=("HEAD", "GET")),
    # Expect
    Case(
        "framing.expect.continue",
        [f"POST /a HTTP/1.1\r\n{H}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 0.1, "hello"],
    ),
    Case(
        "framing.expect.continue_body_at_once",
        get("/a", method="POST", headers="Expect: 100-continue\r\n", body="hello"),
    ),
    Case(
        "framing.expect.continue_upper",
        [f"POST /a HTTP/1.1\r\n{H}Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n", 0.1, "hello"],
    ),
    Case("framing.expect.continue_without_body", get("/a", headers="Expect: 100-continue\r\n")),
    Case(
        "framing.expect.no_route",
        f"POST /nothing HTTP/1.1\r\n{H}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        methods=("POST",),
    ),
    Case("framing.expect.other", get("/a", method="POST", headers="Expect: magic\r\n", body="hello")),
    Case(
        "framing.expect.10",
        old("Expect: 100-continue\r\nContent-Length: 5\r\n", "POST", body="hello"),
        to="ten",
        methods=("POST",),
    ),
    # versions
    Case("framing.old.refused", old()),
    Case("framing.old.accepted", old(), to="ten"),
    Case("framing.old.no_host", old(host=""), to="ten"),
    Case("framing.old.keep_alive", old("Connection: keep-alive\r\n"), to="ten"),
    Case("framing.old.keep_alive_chunked_answer", old("Connection: keep-alive\r\n"), [u.chunked("abc")], to="ten"),
    Case("framing.old.chunked_answer", old(), [u.chunked("abc", "def")], to="ten"),
    Case("framing.old.until_close_answer", old(), [u.raw("HTTP/1.1 200 OK\r\n\r\nabc", then="close")], to="ten"),
    Case("framing.old.post", old("Content-Length: 5\r\n", "POST", body="hello"), to="ten"),
    Case("framing.old.head", old(method="HEAD"), to="ten"),
    Case("framing.old.404", old(path="/nothing"), to="ten"),
    Case("framing.old.09", "GET /a\r\n\r\n"),
    Case("framing.old.09_accepted", "GET /a\r\n\r\n", to="ten"),
    Case("framing.old.2", f"GET /a HTTP/2.0\r\n{H}\r\n"),
    Case("framing.old.12", f"GET /a HTTP/1.2\r\n{H}\r\n"),
    Case("framing.old.11_in_ten", get("/a"), to="ten"),
    Case("framing.old.11_without_host_in_ten", "GET /a HTTP/1.1\r\n\r\n", to="ten"),
    # many on one connection
    Case("framing.pipeline.three", get("/a?1") + get("/direct") + get("/nothing"), answers=3),
    Case(
        "framing.pipeline.slow_first",
        get("/a?1") + get("/a?2"),
        [u.answer(200, "1", delay=0.1), u.answer(200, "2")],
        answers=2,
    ),
    Case(
        "framing.pipeline.bodies",
        get("/a?1", method="POST", body="one") + chunked("3\r\ntwo\r\n0\r\n\r\n") + get("/a?3"),
        answers=3,
    ),
    Case(
        "framing.pipeline.close_second",
        get("/a?1") + get("/a?2", headers="Connection: close\r\n") + get("/a?3"),
        answers=2,
    ),
    Case("framing.pipeline.bad_second", get("/a?1") + f"GET /a?2 HTTP/1.1\r\n{H}X : y\r\n\r\n", answers=2),
    Case("framing.pipeline.ten", "".join(get(f"/a?{i}") for i in range(10)), answers=10),
    Case("framing.pipeline.max_requests", get("/a?1") + get("/a?2") + get("/a?3"), answers=2, to="few"),
    Case("framing.serial.max_requests", [get("/a?1"), Read(), get("/a?2"), Read()], answers=0, to="few"),
    Case("framing.serial.crlf_between", [get("/a?1"), Read(), "\r\n\r\n" + get("/a?2"), Read()], answers=0),
    Case("framing.leading_crlf", "\r\n" + get("/a")),
    Case(
        "framing.half_close.after_get",
        [get("/a"), AwaitUpstream(1), HALF_CLOSE],
        [u.answer(200, "late", delay=0.1)],
        probe=False,
    ),
    Case(
        "framing.half_close.mid_body",
        [get("/a", method="POST", headers="Content-Length: 5\r\n") + "he", AwaitUpstream(1), HALF_CLOSE],
        probe=False,
    ),
    # upgrades and CONNECT
    Case("framing.upgrade.echo", [WS, Read(), "ping"], [u.upgrade_echo()], answers=0, probe=False),
    Case("framing.upgrade.early_data", [WS + "early", Read()], [u.upgrade_echo()], answers=0, probe=False),
    Case("framing.upgrade.declined", WS, [u.answer(400, "no")]),
    Case("framing.upgrade.declined_200", WS, [u.answer(200, "no")]),
    Case("framing.upgrade.other", WS.replace("websocket", "other")),
    Case("framing.upgrade.not_configured", WS, to="ten"),
    Case("framing.upgrade.route_denies", WS.replace("/a", "/off"), to="continues"),
    Case("framing.upgrade.route_says_nothing", [WS, Read(), "ping"], [u.upgrade_echo()], "continues", 0, probe=False),
    Case(
        "framing.upgrade.route_allows",
        [WS.replace("/a", "/other").replace("websocket", "other"), Read(), "ping"],
        [u.upgrade_echo("other")],
        "continues",
        answers=0,
        probe=False,
    ),
    Case(
        "framing.upgrade.route_allows_what_listener_denies",
        [WS.replace("/a", "/other").replace("websocket", "off"), Read(), "ping"],
        [u.upgrade_echo("off")],
        "continues",
        answers=0,
        probe=False,
    ),
    Case("framing.upgrade.listener_denies", WS.replace("websocket", "off"), to="continues"),
    Case("framing.upgrade.nobody_says", WS.replace("websocket", "foo"), to="continues"),
    Case("framing.upgrade.no_route", WS.replace("/a", "/nowhere"), to="continues"),
    Case("framing.upgrade.no_route_nobody_says", WS.replace("/a", "/nowhere").replace("websocket", "x"), to="continues"),
    Case("framing.upgrade.direct", WS.replace("/a", "/direct"), to="continues"),
    Case("framing.upgrade.connect_not_allowed", f"CONNECT a:1 HTTP/1.1\r\n{H}\r\n", to="continues"),
    Case("framing.upgrade.connect_no_route", f"CONNECT a:1 HTTP/1.1\r\n{H}\r\n", to="ten"),
    # informational answers
    Case(
        "framing.1xx.hints",
        get("/a"),
        [u.raw("HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")],
        "continues",
    ),
    Case(
        "framing.1xx.hints_dropped",
        get("/a"),
        [u.raw("HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")],
    ),
    Case(
        "framing.1xx.processing",
        get("/a"),
        [u.raw("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")],
        "continues",
    ),
    Case(
        "framing.1xx.unknown",
        get("/a"),
        [u.raw("HTTP/1.1 150 What\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")],
        "continues",
    ),
    Case(
        "framing.1xx.expect_forwarded",
        f"POST /a HTTP/1.1\r\n{H}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
        [u.raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")],
        "continues",
    ),
    Case(
        "framing.1xx.expect_refused",
        [f"POST /a HTTP/1.1\r\n{H}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", 0.1, "hi"],
        [u.answer(200, "fine")],
        "continues",
    ),
    Case(
        "framing.upgrade.case",
        [WS.replace("websocket", "WebSocket"), Read()],
        [u.upgrade_echo()],
        answers=0,
        probe=False,
    ),
    Case(
        "framing.upgrade.upstream_ends",
        [WS, Read()],
        [
            u.raw(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nbye", then="close"
            )
        ],
        answers=0,
        probe=False,
    ),
    Case(
        "framing.upgrade.101_unasked",
        get("/a"),
        [u.raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", then="hang")],
    ),
    Case("framing.connect", "CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n"),
    Case("framing.options_star", f"OPTIONS * HTTP/1.1\r\n{H}\r\n"),
    Case("framing.get_star", f"GET * HTTP/1.1\r\n{H}\r\n"),
    Case("framing.trace", get("/a", method="TRACE")),
    Case("framing.await", [get("/a", method="POST", headers="Content-Length: 5\r\n") + "he", AwaitUpstream(1), "llo"]),
]
