"""What headers are added, changed and removed, both ways, and what a proxy adds by itself."""

from tests.support import upstream as u

from tests.differential.engine import Case
from tests.differential.areas.common import H, add, any_host, b, direct, get, manager

UPSTREAMS = ["a"]
LISTENERS = [
    "main",
    "edge",
    "trusted",
    "kept",
    "appended",
    "passed",
    "quiet",
    "ids",
    "specific",
    "default",
    "skip",
    "underscore_drop",
    "underscore_reject",
]

ACTIONS = ["APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS"]

FORMATS = {
    "req": "%REQ(x-one)%",
    "req_missing": "%REQ(x-none)%",
    "req_alternative": "%REQ(x-none?x-one)%",
    "req_pseudo": "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)%",
    "req_cut": "%REQ(x-one):2%",
    "percent": "100%%",
    "protocol": "%PROTOCOL%",
    "cluster": "%UPSTREAM_CLUSTER%",
    "route": "%ROUTE_NAME%",
    "peer": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "direct_peer": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    "local": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "local_ip": "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
    "local_port": "%DOWNSTREAM_LOCAL_PORT%",
    "mixed": "a %PROTOCOL% b %REQ(x-one)% c",
    "original": "%REQ(x-envoy-original-path?:path)%",
    "bytes": "%BYTES_RECEIVED%",
    "code": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "resp": "%RESP(x-upstream)%",
    "host": "%UPSTREAM_HOST%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "year": "%START_TIME(%Y)%",
}


def build(p):
    routes = [
        b.route(
            "/levels",
            "a",
            request_headers_to_add=[add("x-level", "route"), add("x-route", "1")],
            response_headers_to_add=[add("x-level", "route")],
            request_headers_to_remove=["x-drop-route"],
            response_headers_to_remove=["x-gone-route"],
        ),
        *[
            b.route(
                f"/action/{i}",
                "a",
                request_headers_to_add=[add("x-set", "new", action)],
                response_headers_to_add=[add("x-set", "new", action)],
            )
            for i, action in enumerate(ACTIONS)
        ],
        b.route("/default-action", "a", request_headers_to_add=[add("x-set", "new")]),
        b.route(
            "/empty/dropped",
            "a",
            request_headers_to_add=[add("x-empty", "%REQ(x-none)%")],
            response_headers_to_add=[add("x-empty", "%REQ(x-none)%")],
        ),
        b.route("/empty/kept", "a", request_headers_to_add=[add("x-empty", "", keep_empty_value=True)]),
        *[
            b.route(
                f"/format/{name}/",
                "a",
                name="named",
                request_headers_to_add=[add("x-out", text, "OVERWRITE_IF_EXISTS_OR_ADD")],
                response_headers_to_add=[add("x-out", text, "OVERWRITE_IF_EXISTS_OR_ADD")],
            )
            for name, text in FORMATS.items()
        ],
        b.route("/host-set", "a", request_headers_to_add=[add("x-seen", "%REQ(:AUTHORITY)%"), add("via", "1.1 us")]),
        b.route(
            "/remove-and-add", "a", request_headers_to_remove=["x-set"], request_headers_to_add=[add("x-set", "new")]
        ),
        b.route(
            "/several",
            "a",
            request_headers_to_add=[add("x-m", "1"), add("x-m", "2"), add("X-Upper", "Value")],
            response_headers_to_add=[add("x-m", "1"), add("x-m", "2")],
        ),
        direct(
            "/direct",
            "direct\n",
            response_headers_to_add=[
                add("x-added", "to local %RESPONSE_CODE%"),
                add("content-type", "text/x", "OVERWRITE_IF_EXISTS_OR_ADD"),
            ],
        ),
        b.route("/ctl", "a"),
        b.route("/dead", "dead", response_headers_to_add=[add("x-added", "to failure")]),
        b.route("/a", "a"),
    ]

    def hosts():
        return any_host(
            *routes,
            request_headers_to_add=[add("x-level", "host")],
            response_headers_to_add=[add("x-level", "host")],
            request_headers_to_remove=["x-drop-host"],
            response_headers_to_remove=["x-gone-host"],
        )

    top = {
        "request_headers_to_add": [add("x-level", "config")],
        "response_headers_to_add": [add("x-level", "config")],
        "request_headers_to_remove": ["x-drop-config"],
        "response_headers_to_remove": ["x-gone-config"],
    }
    plain = any_host(b.route("/", "a"))
    counted = any_host(
        b.route("/", {"cluster": "a", "retry_policy": {"retry_on": "5xx", "num_retries": 2}}),
        include_request_attempt_count=True,
        include_attempt_count_in_response=True,
    )
    variants = {
        "main": manager(hosts(), routes=top),
        "specific": manager(hosts(), routes={**top, "most_specific_header_mutations_wins": True}),
        "edge": manager(plain, use_remote_address=True, via="1.1 edge"),
        "trusted": manager(plain, use_remote_address=False, xff_num_trusted_hops=1),
        "kept": manager(plain, use_remote_address=True, preserve_external_request_id=True, xff_num_trusted_hops=1),
        "skip": manager(plain, use_remote_address=True, skip_xff_append=True),
        "appended": manager(plain, server_header_transformation="APPEND_IF_ABSENT"),
        "passed": manager(plain, server_header_transformation="PASS_THROUGH"),
        "quiet": manager(counted, router={"suppress_envoy_headers": True}),
        "ids": manager(counted, always_set_request_id_in_response=True),
        "default": b.hcm(plain, delayed_close_timeout="0.05s"),
        "underscore_drop": manager(
            plain, common_http_protocol_options={"headers_with_underscores_action": "DROP_HEADER"}
        ),
        "underscore_reject": manager(
            plain, common_http_protocol_options={"headers_with_underscores_action": "REJECT_REQUEST"}
        ),
    }
    return b.bootstrap(
        [b.listener(p.listener[name], m) for name, m in variants.items()],
        [b.cluster("a", p.upstream["a"]), b.cluster("dead", p.dead)],
        p.admin,
    )


def _answer(*headers):
    return [u.answer(200, "x", list(headers))]


_LEVELS = "X-Level: client\r\nX-Drop-Route: 1\r\nX-Drop-Host: 1\r\nX-Drop-Config: 1\r\nX-Stay: 1\r\n"
_GONE = _answer(
    ("x-level", "upstream"), ("x-gone-route", "1"), ("x-gone-host", "1"), ("x-gone-config", "1"), ("x-stay", "1")
)
_XFF = "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n"

CASES = [
    Case("headers.levels", get("/levels", headers=_LEVELS), _GONE),
    Case("headers.levels_most_specific_wins", get("/levels", headers=_LEVELS), _GONE, to="specific"),
    *[
        Case(f"headers.action.{action.lower()}_{what}", get(f"/action/{i}", headers=sent), _answer(*got))
        for i, action in enumerate(ACTIONS)
        for what, sent, got in (
            ("absent", "", ()),
            ("present", "X-Set: old\r\n", (("x-set", "old"),)),
            ("twice", "X-Set: old\r\nX-Set: older\r\n", (("x-set", "old"), ("x-set", "older"))),
        )
    ],
    Case("headers.action.default", get("/default-action", headers="X-Set: old\r\n")),
    Case("headers.empty_dropped", get("/empty/dropped")),
    Case("headers.empty_kept", get("/empty/kept")),
    *[Case(f"headers.format.{name}", get(f"/format/{name}/?q", headers="X-One: 12345\r\n")) for name in FORMATS],
    Case("headers.authority_formatted", get("/host-set", headers="Via: 1.0 them\r\n")),
    Case("headers.remove_then_add", get("/remove-and-add", headers="X-Set: old\r\n")),
    Case("headers.several", get("/several", headers="X-M: 0\r\n"), _answer(("X-M", "0"))),
    Case("headers.added_to_direct", get("/direct")),
    Case("headers.added_to_failure", get("/dead")),
    Case("headers.added_to_no_route", get("/nothing")),
    # what the proxy adds by itself
    Case("headers.own.plain", get("/a", headers="User-Agent: t\r\nAccept: */*\r\nX-Mixed-Case: Yes\r\n"), to="passed"),
    Case(
        "headers.own.repeated_kept_apart",
        get("/a", headers="X-R: 1\r\nX-R: 2\r\nCookie: a=b\r\nCookie: c=d\r\n"),
        _answer(("Set-Cookie", "a"), ("Set-Cookie", "b"), ("X-R", "1"), ("X-R", "2")),
    ),
    Case("headers.own.empty_value", get("/a", headers="X-E:\r\nX-F: \t \r\n"), _answer(("x-e", ""))),
    Case("headers.own.value_trimmed", get("/a", headers="X-E: \t a b \t\r\n")),
    Case("headers.own.latin1_value", get("/a", headers="X-E: caf\xe9\r\n")),
    Case("headers.own.tab_in_value", get("/a", headers="X-E: a\tb\r\n")),
    Case("headers.own.quotes", get("/a", headers="X-E: \"a,b\"; c='d'\r\n")),
    Case("headers.own.xff_kept_untrusted", get("/a", headers=_XFF)),
    Case("headers.own.xff_edge", get("/a"), to="edge"),
    Case("headers.own.xff_edge_appended", get("/a", headers=_XFF), to="edge"),
    Case(
        "headers.own.xff_two_lines",
        get("/a", headers="X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n"),
        to="edge",
    ),
    Case("headers.own.xff_skip", get("/a", headers=_XFF), to="skip"),
    Case("headers.own.xff_trusted_hops", get("/a", headers=_XFF), to="trusted"),
    Case("headers.own.xff_trusted_hops_edge", get("/a", headers=_XFF), to="kept"),
    Case("headers.own.proto_kept", get("/a", headers="X-Forwarded-Proto: https\r\n")),
    Case("headers.own.proto_edge", get("/a", headers="X-Forwarded-Proto: https\r\n"), to="edge"),
    Case("headers.own.proto_odd", get("/a", headers="X-Forwarded-Proto: gopher\r\n")),
    Case("headers.own.request_id_kept", get("/a", headers="X-Request-Id: mine\r\n")),
    Case("headers.own.request_id_edge", get("/a", headers="X-Request-Id: mine\r\n"), to="edge"),
    Case("headers.own.request_id_preserved", get("/a", headers="X-Request-Id: mine\r\n"), to="kept"),
    Case("headers.own.request_id_in_response", get("/a"), to="ids"),
    Case("headers.own.request_id_in_response_given", get("/a", headers="X-Request-Id: mine\r\n"), to="ids"),
    Case("headers.own.via_appended", get("/a", headers="Via: 1.1 first\r\n"), _answer(("Via", "1.1 last")), to="edge"),
    Case("headers.own.via_added", get("/a"), to="edge"),
    Case("headers.own.server_overwritten", get("/a"), _answer(("Server", "backend"))),
    Case("headers.own.server_append_absent", get("/a"), to="appended"),
    Case("headers.own.server_append_present", get("/a"), _answer(("Server", "backend")), to="appended"),
    Case("headers.own.server_passed_absent", get("/a"), to="passed"),
    Case("headers.own.server_passed_present", get("/a"), _answer(("Server", "backend")), to="passed"),
    Case("headers.own.server_default", get("/a"), to="default"),
    Case("headers.own.date_kept", get("/a"), _answer(("Date", "Mon, 01 Jan 2024 00:00:00 GMT"))),
    Case("headers.own.service_time_overwritten", get("/a"), _answer(("x-envoy-upstream-service-time", "77777"))),
    Case("headers.own.suppressed", get("/a"), to="quiet"),
    Case("headers.own.attempts_one", get("/a", headers="x-envoy-attempt-count: 7\r\n"), to="ids"),
    Case("headers.own.attempts_two", get("/a"), [u.answer(503, "no"), u.answer(200, "yes")], to="ids"),
    Case("headers.own.attempts_two_suppressed", get("/a"), [u.answer(503, "no"), u.answer(200, "yes")], to="quiet"),
    Case(
        "headers.own.envoy_headers_removed",
        get(
            "/a",
            headers="x-envoy-internal: true\r\nx-envoy-retry-on: 5xx\r\n"
            "x-envoy-max-retries: 2\r\nx-envoy-upstream-rq-timeout-ms: 3000\r\n"
            "x-envoy-upstream-alt-stat-name: s\r\nx-envoy-external-address: 9.9.9.9\r\n"
            "x-envoy-downstream-service-cluster: c\r\nx-envoy-other: kept\r\n",
        ),
    ),
    Case(
        "headers.own.envoy_headers_removed_edge",
        get(
            "/a",
            headers="x-envoy-internal: true\r\nx-envoy-retry-on: 5xx\r\n"
            "x-envoy-external-address: 9.9.9.9\r\nx-envoy-decorator-operation: c\r\n"
            "x-envoy-downstream-service-cluster: c\r\nx-envoy-other: kept\r\n",
        ),
        to="edge",
    ),
    Case("headers.own.underscore_allowed", get("/a", headers="x_a: 1\r\nx-b: 2\r\n")),
    Case("headers.own.underscore_dropped", get("/a", headers="x_a: 1\r\nx-b: 2\r\n"), to="underscore_drop"),
    Case("headers.own.underscore_rejected", get("/a", headers="x_a: 1\r\n"), to="underscore_reject"),
    Case(
        "headers.own.traceparent_untouched",
        get("/a", headers="traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"),
    ),
    Case("headers.own.traceparent_not_begun", get("/a")),
    # hop by hop
    Case(
        "headers.hop.request",
        get(
            "/a",
            headers="Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n"
            "Proxy-Connection: keep-alive\r\nX-Stay: 1\r\n",
        ),
    ),
    Case(
        "headers.hop.several_connection_lines",
        get("/a", headers="Connection: x-a\r\nConnection: X-B , x-c\r\nX-A: 1\r\nX-B: 1\r\nX-C: 1\r\nX-D: 1\r\n"),
    ),
    Case("headers.hop.te_trailers", get("/a", headers="TE: trailers\r\n")),
    Case("headers.hop.te_trailers_named", get("/a", headers="Connection: TE\r\nTE: trailers\r\n")),
    Case("headers.hop.te_gzip", get("/a", headers="TE: gzip, trailers;q=0.5\r\n")),
    Case("headers.hop.trailer", get("/a", headers="Trailer: x-t\r\n")),
    Case("headers.hop.proxy_authorization", get("/a", headers="Proxy-Authorization: Basic x\r\n")),
    Case(
        "headers.hop.upgrade_h2c",
        get(
            "/a", headers="Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        ),
    ),
    Case("headers.hop.upgrade_without_connection", get("/a", headers="Upgrade: websocket\r\n")),
    Case("headers.hop.names_host", get("/a", headers="Connection: host\r\n")),
    Case("headers.hop.names_length", get("/a", headers="Connection: content-length\r\n", method="POST", body="hello")),
    Case(
        "headers.hop.names_own",
        get("/a", headers="Connection: x-forwarded-proto, x-forwarded-for\r\nX-Forwarded-For: 1.1.1.1\r\n"),
    ),
    Case(
        "headers.hop.response",
        get("/a"),
        [
            u.raw(
                "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=3\r\n"
                "Proxy-Connection: close\r\nX-Stay: 1\r\nContent-Length: 2\r\n\r\nhi"
            )
        ],
    ),
    Case(
        "headers.hop.response_named",
        get("/a"),
        [u.raw("HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nhi")],
    ),
    Case(
        "headers.hop.response_upgrade",
        get("/a"),
        [u.raw("HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nhi")],
    ),
    Case(
        "headers.hop.response_trailer",
        get("/a"),
        [u.raw("HTTP/1.1 200 OK\r\nTrailer: x-t\r\nTE: x\r\nContent-Length: 2\r\n\r\nhi")],
    ),
    Case("headers.hop.client_close", f"GET /a HTTP/1.1\r\n{H}Connection: close\r\n\r\n"),
    Case("headers.hop.client_close_mixed", f"GET /a HTTP/1.1\r\n{H}Connection: X-A, Close\r\nX-A: 1\r\n\r\n"),
    Case(
        "headers.hop.upstream_close",
        get("/a"),
        [u.raw("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", then="close")],
    ),
]
