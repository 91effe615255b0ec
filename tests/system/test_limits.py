"""What protects a service: limits of connections and requests, the three-state breaker, ejection of outliers."""

from __future__ import annotations

import threading
import time

import pytest

from tests.support import bootstrap as b, ports, upstream as u
from tests.support.client import get

from .conftest import until


def _many(running, count, path="/"):
    """Status codes of `count` requests at once."""
    statuses = []

    def one():
        statuses.append(running.fetch(get(path)).status)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return sorted(statuses)


def _limited(remora, up, **thresholds):
    return remora([b.route("/", "up")], [b.cluster("up", up.port, circuit_breakers={"thresholds": [thresholds]})])


def test_max_requests(remora, up):
    up.default = u.answer(200, "ok", delay=0.3)
    running = _limited(remora, up, max_requests=2)
    assert _many(running, 6) == [200] * 2 + [503] * 4
    assert running.metric("remora_upstream_overflows_total") == 4
    up.default = u.answer(200, "ok")
    assert running.fetch().status == 200


def test_overflow_says_so(remora, up):
    running = _limited(remora, up, max_requests=0)
    response = running.fetch(get("/", headers="Accept: application/json\r\n"))
    assert response.status == 503 and response.get("x-envoy-overloaded") == "true"
    assert response.get("x-remora-reason") == "max_requests"
    assert b"max_requests" in response.body


def test_max_connections_queue_and_pending(remora, up):
    """One connection: the others wait for it in turn, as many as may."""
    up.default = u.answer(200, "ok", delay=0.1)
    running = _limited(remora, up, max_connections=1, max_pending_requests=3)
    assert _many(running, 3) == [200] * 3
    assert len(up.connections) == 1
    statuses = _many(running, 8)
    assert statuses.count(200) >= 3 and statuses.count(503) >= 1
    assert len(up.connections) == 1


def _breaker(remora, up, **more):
    fields = {"failure_threshold": 3, "recovery_time": "0.4s", "probes": 1, **more}
    return remora(
        [b.route("/", "up")], [b.cluster("up", up.port, metadata={"filter_metadata": {"remora": {"breaker": fields}}})]
    )


def test_the_breaker_opens_and_recovers(remora, up):
    running = _breaker(remora, up)
    up.default = u.answer(503, "ill")
    for _ in range(3):
        assert running.fetch().body == b"ill"
    response = running.fetch()
    assert response.status == 503 and response.get("x-remora-reason") == "breaker_open"
    assert len(up.requests) == 3, "an open breaker lets nothing through"
    up.default = u.answer(200, "well")
    until(lambda: running.fetch().status == 200, 3, "the breaker to close again")
    assert [running.fetch().status for _ in range(5)] == [200] * 5


def test_a_failed_probe_opens_it_again(remora, up):
    running = _breaker(remora, up)
    up.default = u.answer(503, "ill")
    for _ in range(3):
        running.fetch()
    until(lambda: running.fetch().body == b"ill", 3, "a probe")
    seen = len(up.requests)
    assert running.fetch().get("x-remora-reason") == "breaker_open"
    assert len(up.requests) == seen == 4


def test_only_so_many_probes_at_once(remora, up):
    running = _breaker(remora, up, probes=1)
    up.default = u.answer(503, "ill")
    for _ in range(3):
        running.fetch()
    time.sleep(0.5)  # the recovery time is what is tested
    up.forget()
    up.default = u.answer(200, "well", delay=0.3)
    statuses = _many(running, 5)
    assert statuses == [200] + [503] * 4
    assert len(up.requests) == 1


def test_success_between_failures_keeps_it_closed(remora, up):
    running = _breaker(remora, up)
    for _ in range(4):
        up.script.extend([u.answer(503, "ill"), u.answer(503, "ill"), u.answer(200, "well")])
    assert [running.fetch().status for _ in range(12)] == [503, 503, 200] * 4
    assert len(up.requests) == 12


def test_refused_connections_open_it_too(remora):
    with u.Upstream("up") as up:
        up.refuse()
        running = _breaker(remora, up, recovery_time="30s")
        reasons = [running.fetch().get("x-remora-reason") for _ in range(4)]
        assert reasons == ["connect_failed"] * 3 + ["breaker_open"]
        assert running.metric("remora_upstream_breaker_state", cluster="up") > 0


OUTLIER = {"consecutive_5xx": 3, "interval": "0.1s", "base_ejection_time": "0.6s", "max_ejection_percent": 50}


@pytest.mark.parametrize("failure", [u.answer(500, "ill"), u.close()], ids=["5xx", "close"])
def test_an_outlier_is_ejected_and_comes_back(remora, failure):
    with u.Upstream("bad") as bad, u.Upstream("good") as good:
        bad.default = failure
        running = remora([b.route("/", "up")], [b.cluster("up", bad.port, good.port, outlier_detection=OUTLIER)])
        until(lambda: running.fetch() and len(bad.requests) >= 3, 5, "three failures")
        until(lambda: running.metric("remora_upstream_endpoints_ejected", cluster="up") == 1, 2, "the ejection")
        seen = len(bad.requests)
        assert [running.fetch().status for _ in range(10)] == [200] * 10
        assert len(bad.requests) == seen
        assert "failed_outlier_check" in running.admin("/clusters").text
        bad.default = u.answer(200, "bad is well")
        until(lambda: running.fetch().body == b"bad is well", 5, "the return of the ejected endpoint")


def test_not_all_are_ejected(remora):
    with u.Upstream("one") as one, u.Upstream("two") as two:
        one.default = two.default = u.answer(500, "ill")
        running = remora([b.route("/", "up")], [b.cluster("up", one.port, two.port, outlier_detection=OUTLIER)])
        for _ in range(20):
            assert running.fetch().body == b"ill"
        assert running.metric("remora_upstream_endpoints_ejected", cluster="up") <= 1


def test_dead_endpoints_are_ejected(remora, up):
    dead = ports.free_port()
    running = remora(
        [b.route("/", "up")],
        [b.cluster("up", dead, up.port, outlier_detection={**OUTLIER, "base_ejection_time": "30s"})],
    )
    until(lambda: running.metric("remora_upstream_endpoints_ejected", cluster="up") == 1 or running.fetch() and None, 5)
    assert [running.fetch().status for _ in range(10)] == [200] * 10


def test_balancing_by_weight(remora):
    with u.Upstream("a") as a, u.Upstream("b") as other:
        running = remora([b.route("/", "up")], [b.cluster("up", (a.port, 3), (other.port, 1))])
        for _ in range(40):
            assert running.fetch().status == 200
        assert (len(a.requests), len(other.requests)) == (30, 10)


@pytest.mark.parametrize("policy", ["ROUND_ROBIN", "RANDOM", "LEAST_REQUEST"])
def test_each_policy_uses_all_endpoints(remora, policy):
    with u.Upstream("a") as a, u.Upstream("b") as other:
        running = remora([b.route("/", "up")], [b.cluster("up", a.port, other.port, lb_policy=policy)])
        with running.connect() as peer:
            for _ in range(60):
                assert peer.request(get("/")).status == 200
        counts = len(a.requests), len(other.requests)
        assert sum(counts) == 60 and min(counts) >= 10
        if policy == "ROUND_ROBIN":
            assert counts == (30, 30)


def test_least_request_avoids_the_busy(remora):
    """Of two endpoints the less busy one is taken every time: the two choices are never the same endpoint twice."""
    with u.Upstream("busy") as busy, u.Upstream("free") as free:
        running = remora([b.route("/", "up")], [b.cluster("up", busy.port, free.port, lb_policy="LEAST_REQUEST")])
        busy.default = u.hang()
        peers = []
        try:
            while not busy.requests:
                peer = running.connect()
                peer.send(get("/"))
                peers.append(peer)
                time.sleep(0.02)
            for _ in range(20):
                assert running.fetch().status == 200
            assert len(busy.requests) <= 3
        finally:
            for peer in peers:
                peer.close()
