"""What can be seen: metrics, access logs, admin pages, trace headers, and reasons in local replies."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from tests.support import bootstrap as b, upstream as u
from tests.support.client import get

from .conftest import until

PAGES = ["/ready", "/server_info", "/metrics", "/clusters", "/listeners", "/config_dump", "/logging", "/help"]


@pytest.mark.parametrize("path", PAGES)
def test_admin_pages(simple, path):
    answer = simple.admin(path, "POST" if path == "/logging" else "GET")
    assert answer.status == 200 and answer.body


def test_admin_formats(simple, up):
    simple.fetch()
    info = simple.admin("/server_info").json()
    assert info["state"] == "LIVE" and "uptime_current_epoch" in info and "command_line_options" in info
    assert simple.admin("/ready").text == "LIVE\n"
    assert f"up::127.0.0.1:{up.port}::rq_total::1" in simple.admin("/clusters").text
    assert simple.admin("/listeners").text == f"main::127.0.0.1:{simple.port}\n"
    listeners = simple.admin("/listeners?format=json").json()
    assert listeners["listener_statuses"][0]["local_address"]["socket_address"]["port_value"] == simple.port
    clusters = simple.admin("/clusters?format=json").json()
    assert clusters["cluster_statuses"][0]["name"] == "up"
    dump = simple.admin("/config_dump").json()
    assert any("BootstrapConfigDump" in c["@type"] for c in dump["configs"])
    assert simple.admin("/nothing").status == 404


def test_admin_needs_post_for_what_changes(simple):
    for path in ("/quitquitquit", "/drain_listeners"):
        assert simple.admin(path).status in (400, 405)
    assert simple.proxy.alive()
    assert simple.fetch().status == 200


def test_log_levels_can_be_changed(simple):
    assert simple.admin("/logging?level=debug", "POST").status == 200
    assert simple.admin("/logging?level=loud", "POST").status == 400


def test_metrics_are_what_promtool_wants(simple, up):
    up.script.extend([u.answer(200, "a"), u.answer(404, "b"), u.answer(500, "c"), u.close()])
    for _ in range(5):
        simple.fetch()
    text = simple.admin("/metrics").text
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing (Debian's prometheus package)"
    check = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=20)
    assert check.returncode == 0, check.stdout + check.stderr
    assert not check.stderr, check.stderr


def test_requests_are_counted_once_each(simple, up):
    up.script.extend([u.answer(200, "a"), u.answer(404, "b"), u.answer(503, "c")])
    for _ in range(3):
        simple.fetch()
    simple.wait_metric("remora_requests_total", 3)
    for code in ("200", "404", "503"):
        assert simple.metric("remora_requests_total", code=code, cluster="up") == 1
    assert simple.metric("remora_request_duration_seconds_count") == 3
    assert simple.metric("remora_upstream_duration_seconds_count") == 3
    assert simple.metric("remora_proxy_duration_seconds_count") == 3
    assert simple.metric("remora_proxy_duration_seconds_sum") < 0.5


def test_waiting_is_not_our_own_time(simple, up):
    up.script.append(u.answer(200, "slow", delay=0.4))
    simple.fetch()
    simple.wait_metric("remora_requests_total", 1)
    assert simple.metric("remora_request_duration_seconds_sum") > 0.35
    assert simple.metric("remora_proxy_duration_seconds_sum") < 0.1


def test_gauges_return_to_zero(simple, up):
    up.script.append(u.hang())
    peer = simple.connect()
    peer.send(get("/"))
    up.wait_requests(1)
    assert simple.metric("remora_downstream_connections_active") == 1
    assert simple.metric("remora_downstream_requests_active") == 1
    assert simple.metric("remora_upstream_requests_active") == 1
    peer.reset()
    for name in (
        "downstream_connections_active",
        "downstream_requests_active",
        "upstream_requests_active",
        "upstream_connections_active",
    ):
        until(lambda n=name: simple.metric(f"remora_{n}") == 0, 3, name)


TEXT = (
    "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% "
    "%BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %REQ(X-A?X-B)% %RESP(X-C):3% %ROUTE_NAME% "
    "%UPSTREAM_REQUEST_ATTEMPT_COUNT%\n"
)


@pytest.mark.parametrize(
    "case",
    [
        (
            get("/p?q", method="POST", body="hello", headers="X-B: bee\r\n"),
            [u.answer(200, "yes", [("x-c", "12345")])],
            r"POST /p\?q HTTP/1.1 200 - via_upstream 5 3 up bee 123 first 1",
        ),
        (get("/none"), [], "GET /none HTTP/1.1 404 NR route_not_found 0 0 - - - - 0"),
        (
            get("/p"),
            [u.close()],
            r"GET /p HTTP/1.1 503 UC upstream_reset_before_response_started\{connection_termination\} 0 95 up - - first 1",
        ),
        (
            get("/p"),
            [u.raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut", then="reset", wait=0.05)],
            r"GET /p HTTP/1.1 200 UC upstream_reset_after_response_started\{connection_termination\} 0 3 up - - first 1",
        ),
        (
            get("/p"),
            [u.raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut", then="close")],
            r"GET /p HTTP/1.1 200 UPE upstream_reset_after_response_started\{protocol_error\} 0 3 up - - first 1",
        ),
        (
            get("/p"),
            [u.raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\ncut\r\nXX\r\n", then="hang")],
            r"GET /p HTTP/1.1 200 UPE upstream_reset_after_response_started\{protocol_error\} 0 3 up - - first 1",
        ),
        (get("/p", headers="X : y\r\n"), [], r"\S+ \S+ \S+ 400 DPE http1.\w+ 0 \d+ - - - - 0"),
    ],
    ids=["answer", "no route", "closed", "reset", "cut short", "bad chunk", "bad request"],
)
def test_access_log_text(remora, up, tmp_path, case):
    data, script, expected = case
    log = tmp_path / "access.log"
    running = remora(
        [b.route("/p", "up", name="first")],
        [b.cluster("up", up.port)],
        manager={"access_log": [b.access_log(str(log), TEXT)]},
    )
    up.script.extend(script)
    running.fetch(data)
    line = until(lambda: log.exists() and log.read_text(), 3, "the line")
    assert re.fullmatch(expected, line.rstrip("\n")), line


def test_access_log_json(remora, up, tmp_path):
    log = tmp_path / "access.log"
    running = remora(
        [b.route("/", "up")],
        [b.cluster("up", up.port)],
        manager={
            "access_log": [
                b.access_log(
                    str(log),
                    fields={
                        "method": "%REQ(:METHOD)%",
                        "code": "%RESPONSE_CODE%",
                        "missing": "%REQ(x-none)%",
                        "duration": "%DURATION%",
                        "quote": "%REQ(x-q)%",
                    },
                )
            ]
        },
    )
    running.fetch(get("/", headers='X-Q: say "hi"\\\r\n'))
    entry = json.loads(until(lambda: log.exists() and log.read_text(), 3, "the line"))
    assert entry["method"] == "GET" and entry["code"] == 200 and entry["missing"] is None
    assert isinstance(entry["duration"], int) and entry["quote"] == 'say "hi"\\'


def test_access_log_cannot_be_forged(remora, up, tmp_path):
    """A header cannot begin a line of its own."""
    log = tmp_path / "access.log"
    running = remora(
        [b.route("/", "up")],
        [b.cluster("up", up.port)],
        manager={"access_log": [b.access_log(str(log), "%REQ(X-A)% %RESP(X-B)%\n")]},
    )
    up.script.append(u.answer(200, "x", [("x-b", "tab\there")]))
    running.fetch(get("/", headers="X-A: one\ttwo\r\n"))
    assert until(lambda: log.exists() and log.read_text(), 3).count("\n") == 1


def test_default_access_log_format(remora, up, tmp_path):
    log = tmp_path / "access.log"
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)], manager={"access_log": [b.access_log(str(log))]})
    running.fetch(get("/x", headers="User-Agent: tester\r\n"))
    line = until(lambda: log.exists() and log.read_text(), 3)
    assert re.fullmatch(
        r'\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "GET /x HTTP/1.1" 200 - 0 3 \d+ \d+ "-" "tester" '
        r'"[0-9a-f-]{36}" "app.test" "127.0.0.1:\d+"\n',
        line,
    ), line


# --- traces

W3C = r"00-([0-9a-f]{32})-([0-9a-f]{16})-0([01])"
TRACED = {"manager": {"tracing": {}}}


def _traced(remora, up, **tracing):
    return remora([b.route("/", "up")], [b.cluster("up", up.port)], manager={"tracing": tracing})


def test_a_trace_is_begun(remora, up):
    running = _traced(remora, up)
    running.fetch()
    running.fetch()
    ids = [re.fullmatch(W3C, r.get("traceparent")) for r in up.requests]
    assert all(ids) and ids[0].group(1) != ids[1].group(1)


def test_a_trace_is_continued(remora, up):
    running = _traced(remora, up)
    running.fetch(
        get("/", headers="traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n")
    )
    match = re.fullmatch(W3C, up.requests[0].get("traceparent"))
    assert match.group(1) == "0af7651916cd43dd8448eb211c80319c" and match.group(3) == "1"
    assert match.group(2) != "b7ad6b7169203331"
    assert up.requests[0].get("tracestate") == "a=b"


def test_b3_is_continued(remora, up):
    running = _traced(remora, up)
    running.fetch(get("/", headers="b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1\r\n"))
    assert up.requests[0].get("b3").startswith("0af7651916cd43dd8448eb211c80319c-")
    running.fetch(
        get(
            "/",
            headers="x-b3-traceid: 0af7651916cd43dd8448eb211c80319c\r\nx-b3-spanid: b7ad6b7169203331\r\nx-b3-sampled: 1\r\n",
        )
    )
    assert up.requests[1].get("x-b3-traceid") == "0af7651916cd43dd8448eb211c80319c"


def test_nothing_is_sampled_at_zero(remora, up):
    running = _traced(remora, up, random_sampling={"value": 0})
    for _ in range(5):
        running.fetch()
    assert all(r.get("traceparent").endswith("-00") for r in up.requests if r.get("traceparent"))


@pytest.mark.parametrize(
    "value",
    [
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "nonsense",
        "00-0af7-b7-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
)
def test_a_bad_trace_is_begun_anew(remora, up, value):
    running = _traced(remora, up)
    running.fetch(get("/", headers=f"traceparent: {value}\r\n"))
    sent = up.requests[0].all("traceparent")
    assert len(sent) == 1 and re.fullmatch(W3C, sent[0]) and "0000000000000000000000000000" not in sent[0]


# --- local replies


def test_a_failure_tells_its_story(remora):
    with u.Upstream("up") as up:
        up.refuse()
        running = remora([b.route("/", "up")], [b.cluster("up", up.port)])
        response = running.fetch(get("/", headers="Accept: application/json\r\n"))
        assert response.status == 503 and response.get("content-type") == "application/json"
        story = json.loads(response.body)
        assert {"status", "flag", "reason", "cause", "evidence", "way_out"} <= story.keys()
        assert story["flag"] == "UF" and response.get("x-remora-reason") == story["reason"] == "connect_failed"
        assert f"127.0.0.1:{up.port}" in story["evidence"] and "refused" in story["evidence"]
        plain = running.fetch(get("/"))
        assert plain.get("content-type") == "text/plain" and plain.body.startswith(b"upstream connect error")
        assert plain.get("x-remora-reason") == "connect_failed"


def test_what_the_client_wrote_is_escaped_in_json(simple, up, remora):
    running = remora([b.route("/only", "up")], [b.cluster("up", up.port)])
    response = running.fetch(get('/"quote\\', headers="Accept: application/json\r\n"))
    assert response.status in (400, 404)
    json.loads(response.body)
