"""Connections of both sides: pipelining, reuse, the keep-alive race, slow senders, limits."""

from __future__ import annotations

import threading
import time

import pytest

from tests.support import bootstrap as b, upstream as u
from tests.support.client import get

from .conftest import until


def test_pipelined_requests_are_answered_in_order(simple, up):
    up.script.extend([u.answer(200, "0", delay=0.1), *[u.answer(200, str(i)) for i in range(1, 20)]])
    with simple.connect() as peer:
        peer.send("".join(get(f"/{i}") for i in range(20)))
        assert [peer.response().body for _ in range(20)] == [str(i).encode() for i in range(20)]
    assert up.paths() == [f"/{i}" for i in range(20)]


def test_pipelining_does_not_read_ahead_without_bound(simple, up):
    """Thousands of requests behind one that hangs are not all taken in."""
    up.script.append(u.hang())
    with simple.connect() as peer:
        request = get("/x", headers=f"X-Pad: {'p' * 8000}\r\n").encode()
        before = simple.proxy.rss_kb()
        peer.sock.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 64 << 20:
                sent += peer.sock.send(request)
        assert simple.proxy.rss_kb() - before < 8 * 1024
    assert len(up.requests) == 1


def test_connections_to_the_upstream_are_reused(simple, up):
    for _ in range(10):
        assert simple.fetch().status == 200
    assert len(up.connections) == 1


def test_a_connection_is_not_reused_after_a_cut_body(simple, up):
    up.script.append(u.raw("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcEXTRA"))
    assert simple.fetch().body == b"abc"
    assert simple.fetch().status == 200
    assert len(up.connections) == 2, "bytes after the end make a connection unfit for another request"


@pytest.mark.parametrize("how", ["close", "reset"])
def test_the_keep_alive_race_never_reaches_the_client(simple, up, how):
    """The upstream ends an idle connection just as it is used again."""
    assert simple.fetch().status == 200
    until(lambda: len(up.connections) == 1)
    up.script.append(u.raw(b"", then=how))  # takes the request, and ends without a word
    response = simple.fetch()
    assert (response.status, response.body) == (200, b"up\n")
    assert len(up.connections) == 2
    assert simple.metric("remora_upstream_keepalive_races_total") == 1


def test_the_keep_alive_race_does_not_replay_a_post(simple, up):
    assert simple.fetch().status == 200
    up.script.append(u.close())
    response = simple.fetch(get("/", method="POST", body="hello"))
    assert response.status == 503
    assert [r.method for r in up.requests] == ["GET", "POST"]


def test_a_fresh_connection_that_closes_is_no_race(simple, up):
    up.script.extend([u.close(), u.close()])
    assert simple.fetch().status == 503
    assert len(up.requests) == 1


def test_many_idle_closes_under_load_are_never_seen(simple, up):
    """Every third answer is followed by a close that nothing announced."""
    count = {"n": 0}

    def behave(x: u.Exchange) -> None:
        count["n"] += 1
        u.answer(200, "fine", close=count["n"] % 3 == 0)(x)

    up.default = behave
    statuses: list[int] = []

    def client() -> None:
        with simple.connect() as peer:
            for _ in range(100):
                statuses.append(peer.request(get("/")).status)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 400


# --- slow senders and limits


def test_a_slow_head_gets_408(remora, up):
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)], manager={"request_headers_timeout": "0.3s"})
    with running.connect() as peer:
        began = time.monotonic()
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n")
        response = peer.response()
        assert response.status == 408
        assert 0.2 < time.monotonic() - began < 2
        assert peer.end() in ("closed", "reset")
    assert not up.requests


def test_dripping_does_not_evade_the_head_timeout(remora, up):
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)], manager={"request_headers_timeout": "0.4s"})
    with running.connect() as peer:
        began = time.monotonic()
        try:
            for character in "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: " + "z" * 100:
                peer.send(character)
                time.sleep(0.02)
        except OSError:
            pass
        assert time.monotonic() - began < 2.4
        response = peer.response()
        assert response is None or response.status == 408 or response.ended == "reset"


def test_a_slow_body_gets_408(remora, up):
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)], manager={"request_timeout": "0.3s"})
    with running.connect() as peer:
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
        response = peer.response("POST")
        assert response.status == 408
        assert peer.end() in ("closed", "reset")
    up.wait_ended(0)
    assert not up.requests[0].complete


def test_an_idle_connection_is_closed(remora, up):
    running = remora(
        [b.route("/", "up")],
        [b.cluster("up", up.port)],
        manager={"common_http_protocol_options": {"idle_timeout": "0.3s"}},
    )
    with running.connect() as peer:
        assert peer.request(get("/")).status == 200
        assert peer.end(3) == "closed"
    with running.connect() as peer:
        assert peer.end(3) == "closed"


def test_an_idle_upstream_connection_is_closed(remora, up):
    options = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {"idle_timeout": "0.3s"},
    }
    running = remora(
        [b.route("/", "up")],
        [
            b.cluster(
                "up",
                up.port,
                typed_extension_protocol_options={"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
            )
        ],
    )
    assert running.fetch().status == 200
    assert up.wait_ended(0, 3) == "eof"
    assert running.fetch().status == 200


def test_a_body_over_the_limit_gets_413(remora, up):
    running = remora(
        [b.route("/", "up")],
        [b.cluster("up", up.port)],
        listener={"metadata": {"filter_metadata": {"remora": {"max_request_body_bytes": 1000}}}},
    )
    assert running.fetch(get("/", method="POST", body="x" * 1000)).status == 200
    with running.connect() as peer:
        assert peer.request(get("/", method="POST", body="x" * 1001)).status == 413
        assert peer.end() in ("closed", "reset")
    with running.connect() as peer:
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.send(("100\r\n" + "y" * 256 + "\r\n") * 5)
        assert peer.response("POST").status == 413
        assert peer.end() in ("closed", "reset")
    assert [r.complete for r in up.requests if r.body_length > 1000 or r.framing == "chunked"] in ([], [False])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(get("/", headers=f"X: {'a' * 70_000}\r\n"), id="one value"),
        pytest.param(get("/", headers="X: a\r\n" * 200), id="many headers"),
        pytest.param(get("/" + "p" * 70_000), id="path"),
        pytest.param("GET /" + "p" * 70_000, id="endless path"),
        pytest.param("GET / HTTP/1.1\r\nHost: a\r\n" + "n" * 70_000, id="endless name"),
        pytest.param("GET / HTTP/1.1\r\nHost: a\r\nX: " + "v" * 70_000, id="endless value"),
        pytest.param("M" * 70_000, id="endless method"),
    ],
)
def test_a_head_over_the_limit_gets_431(simple, up, data):
    with simple.connect() as peer:
        try:
            peer.send(data)
        except OSError:
            pass
        response = peer.response()
        # An endless method is not even HTTP, and may be refused as that.
        assert response.status in ((400, 431) if data.startswith("MM") else (431,))
        assert peer.end() in ("closed", "reset")
    assert not up.requests


def test_max_requests_per_connection(remora, up):
    running = remora(
        [b.route("/", "up")],
        [b.cluster("up", up.port)],
        manager={"common_http_protocol_options": {"max_requests_per_connection": 3}},
    )
    with running.connect() as peer:
        answers = [peer.request(get(f"/{i}")) for i in range(3)]
        assert [a.get("connection") for a in answers] == [None, None, "close"]
        assert peer.end() == "closed"


@pytest.mark.parametrize("part", ["HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
def test_an_upstreams_reset_right_behind_half_an_answer_is_told_at_once(simple, up, part):
    """Both come by one event: whoever reads only what there is would wait for the route's timeout."""
    up.default = u.raw(part, then="reset")
    began = time.monotonic()
    with simple.connect() as client:
        client.send(get("/"))
        answer = client.response_head()
        if "\r\n\r\n" in part:
            assert answer.status == 200
            assert client.end() in ("closed", "reset")
        else:
            assert answer.status == 503
    assert time.monotonic() - began < 2


def test_a_clients_reset_right_behind_half_a_body_is_passed_on_at_once(simple, up):
    for count in range(1, 11):  # the two need not come together each time
        with simple.connect() as client:
            client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nha")
            up.wait_for(lambda: len(up.connections) == count, 3, "the request")
            client.send("lf")
            client.reset()
        up.wait_for(lambda: up.connections[-1].ended != "open", 3, "the end")
