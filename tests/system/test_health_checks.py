"""Active health checks with real servers: who fails gets nothing, until it is well again; /clusters, metrics and the log
say so. And the same file in Envoy says the same on /clusters."""

from __future__ import annotations

import socket
import time

import pytest

from tests.support import binaries, bootstrap as b, ports, proxy, raw, upstream as u

from .conftest import until


def check(**fields) -> dict:
    return {
        "timeout": "0.5s",
        "interval": "0.1s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 2,
        "no_traffic_interval": "0.1s",
        "http_health_check": {"path": "/health"},
        **fields,
    }


def tcp_check(**fields) -> dict:
    made = check(tcp_health_check=fields)
    del made["http_health_check"]
    return made


@pytest.fixture
def two():
    with u.Upstream("a") as a, u.Upstream("b") as other:
        for server in (a, other):
            server.by_path["/health"] = u.answer(200, "well")
            server.default = u.answer(200, server.name)
        yield a, other


def answers(running, count: int = 20) -> set[bytes]:
    return {running.fetch().body for _ in range(count)}


def test_who_fails_gets_nothing_until_it_is_well(remora, two):
    a, other = two
    running = remora([b.route("/", "up")], [b.cluster("up", a.port, other.port, health_checks=[check()])])
    assert answers(running) == {b"a", b"b"}
    a.by_path["/health"] = u.answer(500, "ill")
    until(lambda: f"127.0.0.1:{a.port}::health_flags::/failed_active_hc" in running.admin("/clusters").text)
    assert answers(running) == {b"b"}
    assert running.metric("remora_upstream_endpoints_healthy", cluster="up") <= 2
    a.by_path["/health"] = u.answer(200, "well")
    until(lambda: f"127.0.0.1:{a.port}::health_flags::healthy" in running.admin("/clusters").text)
    assert answers(running) == {b"a", b"b"}
    assert running.metric("remora_upstream_health_checks_total", cluster="up", result="failed") >= 1
    assert running.metric("remora_upstream_health_checks_total", cluster="up", result="passed") >= 4
    log = running.proxy.stderr()
    assert "fails its health check: it answered 500" in log and "2 checks passed" in log
    host = next(v for r in a.requests if r.target == "/health" for n, v in r.headers if n.lower() == "host")
    assert host == "up"


def test_nobody_is_served_before_the_first_checks(remora, two):
    a, other = two
    a.by_path["/health"] = u.answer(500, "ill")
    running = remora([b.route("/", "up")], [b.cluster("up", a.port, other.port, health_checks=[check()])])
    assert answers(running, 10) == {b"b"}


def test_a_dead_endpoint_at_the_start_delays_nothing_for_long(remora, two):
    dead = ports.free_port()
    began = time.monotonic()
    running = remora([b.route("/", "up")], [b.cluster("up", two[0].port, dead, health_checks=[check()])])
    assert time.monotonic() - began < 5
    assert answers(running, 10) == {b"a"}


def test_when_all_fail_panic_serves_all(remora, two):
    for server in two:
        server.by_path["/health"] = u.answer(500, "ill")
    ports_ = [s.port for s in two]
    running = remora([b.route("/", "up")], [b.cluster("up", *ports_, health_checks=[check()])])
    assert answers(running) == {b"a", b"b"}


def test_without_panic_nobody_is_called(remora, two):
    for server in two:
        server.by_path["/health"] = u.answer(500, "ill")
    fields = {"health_checks": [check()], "common_lb_config": {"healthy_panic_threshold": {"value": 0}}}
    running = remora([b.route("/", "up")], [b.cluster("up", *[s.port for s in two], **fields)])
    response = running.fetch()
    assert response.status == 503 and ("x-remora-reason", "no_healthy_endpoint") in response.headers


def test_a_port_of_its_own(remora, two):
    a, other = two
    with u.Upstream("side") as side:
        side.default = u.answer(500, "ill")
        cluster = b.cluster("up", a.port, other.port, health_checks=[check()])
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        endpoint["health_check_config"] = {"port_value": side.port, "hostname": "side.local"}
        running = remora([b.route("/", "up")], [cluster])
        assert answers(running) == {b"b"}
        assert ("side.local") in [v for r in side.requests for n, v in r.headers if n.lower() == "host"]


def test_tcp(remora):
    def pong(sock: socket.socket) -> None:
        while part := sock.recv(100):
            if b"PING" in part:
                sock.sendall(b"+PONG\r\n")
            else:
                sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\np")

    with raw.RawServer(pong) as good, raw.RawServer(lambda s: time.sleep(5)) as mute, u.Upstream("u") as plain:
        plain.default = u.answer(200, "u")
        checked = b.cluster(
            "up",
            good.port,
            mute.port,
            health_checks=[tcp_check(send={"binary": "UElORw=="}, receive=[{"text": "504f4e47"}])],
        )
        connected = b.cluster("plain", plain.port, ports.free_port(), health_checks=[tcp_check()])
        running = remora([b.route("/plain", "plain"), b.route("/", "up")], [checked, connected])
        assert answers(running, 10) == {b"p"}
        assert {running.fetch("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n").body for _ in range(10)} == {b"u"}


def test_clusters_page_is_envoys(two):
    a, other = two
    a.by_path["/health"] = u.answer(500, "ill")
    texts = []
    for name, binary in (("envoy", binaries.envoy()), ("remora", binaries.remora())):
        listener = b.listener(ports.free_port(), b.hcm([b.virtual_host("all", ["*"], [b.route("/", "up")])]))
        cluster = b.cluster("up", a.port, other.port, health_checks=[check()])
        process = proxy.Proxy(
            binary,
            b.bootstrap([listener], [cluster], ports.free_port()),
            name=name,
            arguments=["--base-id", str(ports.free_port())],
        )
        try:
            lines = process.admin("/clusters").text.splitlines()
            texts.append(sorted(line for line in lines if "health_flags" in line))
        finally:
            process.kill()
    assert texts[0] == texts[1]
