"""Several workers at once: what they share holds, and nothing races (run these with a tsan build too)."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.support import bootstrap as b, upstream as u
from tests.support.client import get

from .conftest import until

pytestmark = pytest.mark.multi_worker


def _crowd(work, count: int = 8) -> None:
    errors: list[BaseException] = []

    def guarded(i: int) -> None:
        try:
            work(i)
        except BaseException as error:  # told below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors, errors[0]


def test_all_workers_serve_and_count(remora, up):
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)], concurrency=4)

    def work(i: int) -> None:
        for n in range(25):
            assert running.fetch(get(f"/{i}/{n}")).status == 200

    _crowd(work)
    assert running.wait_metric("remora_requests_total", 200) == 200
    assert running.metric("remora_workers") == 4
    assert len(up.requests) == 200


def test_max_requests_holds_across_workers(remora, up):
    up.default = u.answer(200, "ok", delay=0.3)
    running = remora(
        [b.route("/", "up")],
        [b.cluster("up", up.port, circuit_breakers={"thresholds": [{"max_requests": 3}]})],
        concurrency=4,
    )
    statuses = []
    _crowd(lambda i: statuses.append(running.fetch().status), 16)
    assert sorted(statuses) == [200] * 3 + [503] * 13


def test_the_breaker_is_shared(remora, up):
    up.default = u.answer(503, "ill")
    running = remora(
        [b.route("/", "up")],
        [
            b.cluster(
                "up",
                up.port,
                metadata={
                    "filter_metadata": {
                        "remora": {"breaker": {"failure_threshold": 5, "recovery_time": "30s", "probes": 1}}
                    }
                },
            )
        ],
        concurrency=4,
    )
    until(lambda: running.fetch().get("x-remora-reason") == "breaker_open", 5, "the breaker to open")
    for _ in range(12):
        assert running.fetch().get("x-remora-reason") == "breaker_open"
    assert len(up.requests) == 5


def test_ejection_is_seen_by_all(remora):
    with u.Upstream("bad") as bad, u.Upstream("good") as good:
        bad.default = u.answer(500, "ill")
        running = remora(
            [b.route("/", "up")],
            [
                b.cluster(
                    "up",
                    bad.port,
                    good.port,
                    outlier_detection={
                        "consecutive_5xx": 3,
                        "interval": "0.1s",
                        "base_ejection_time": "30s",
                        "max_ejection_percent": 50,
                    },
                )
            ],
            concurrency=4,
        )
        until(
            lambda: running.metric("remora_upstream_endpoints_ejected", cluster="up") >= 1 or running.fetch() and None,
            10,
        )
        seen = len(bad.requests)
        for _ in range(24):
            assert running.fetch().status == 200
        assert len(bad.requests) == seen


def test_everything_at_once(remora, up, tmp_path):
    """Traffic of every kind while admin pages are read, then a drain under load."""
    mixed = [
        u.answer(200, "fine"),
        u.answer(503, "ill"),
        u.close(),
        u.chunked("a", "b"),
        u.reset(),
        u.answer(200, "x" * 50_000),
    ]
    count = {"n": 0}

    def behave(x):
        count["n"] += 1
        mixed[count["n"] % len(mixed)](x)

    up.default = behave
    running = remora(
        [b.route("/", {"cluster": "up", "retry_policy": {"retry_on": "5xx,reset", "num_retries": 2}})],
        [b.cluster("up", up.port, outlier_detection={"consecutive_5xx": 100})],
        concurrency=4,
        manager={"access_log": [b.access_log(str(tmp_path / "log"))], "tracing": {}},
    )
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for page in ("/metrics", "/clusters", "/listeners", "/config_dump", "/server_info"):
                running.admin(page)

    watcher = threading.Thread(target=watch)
    watcher.start()

    def work(i: int) -> None:
        for n in range(20):
            with running.connect() as peer:
                for _ in range(2):
                    response = peer.request(get(f"/{i}/{n}"))
                    assert response.status in (200, 503), response.status
                    if response.get("connection") == "close":
                        break

    try:
        _crowd(work)
    finally:
        stop.set()
        watcher.join(10)
    running.proxy.signal(signal.SIGTERM)
    assert running.proxy.wait(30) == 0
    assert (tmp_path / "log").read_text().count("\n") >= 160
