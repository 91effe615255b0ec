"""Retries never repeat what may have been done, and never more than the budget lets them."""

from __future__ import annotations

import threading

import pytest

from tests.support import bootstrap as b, ports, upstream as u
from tests.support.client import get

FAST = {"base_interval": "0.005s", "max_interval": "0.010s"}


def policy(on="5xx,reset,connect-failure", retries=2, **more):
    return {"retry_on": on, "num_retries": retries, "retry_back_off": FAST, **more}


@pytest.fixture
def retrying(remora, up):
    return remora([b.route("/", {"cluster": "up", "retry_policy": policy()})], [b.cluster("up", up.port)])


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
def test_idempotent_methods_are_tried_again(retrying, up, method):
    up.script.extend([u.close(), u.answer(503, "no"), u.answer(200, "yes")])
    body = "hello" if method == "PUT" else None
    assert retrying.fetch(get("/", method=method, body=body)).status == 200
    assert len(up.requests) == 3
    assert {(r.method, r.body) for r in up.requests} == {(method, (body or "").encode())}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("failure", [u.close(), u.reset(), u.answer(503, "no")], ids=["close", "reset", "503"])
def test_a_post_is_never_sent_twice(retrying, up, method, failure):
    up.script.append(failure)
    assert retrying.fetch(get("/", method=method, body="pay")).status == 503
    assert len(up.requests) == 1


def test_a_post_that_times_out_is_not_sent_twice(remora, up):
    running = remora(
        [b.route("/", {"cluster": "up", "retry_policy": policy(per_try_timeout="0.1s")})], [b.cluster("up", up.port)]
    )
    up.script.append(u.hang())
    assert running.fetch(get("/", method="POST", body="pay")).status == 504
    assert len(up.requests) == 1


def test_a_post_that_reached_nobody_is_tried_again(remora, up):
    """Nothing was written: the endpoint refused the connection."""
    dead = ports.free_port()
    running = remora(
        [b.route("/", {"cluster": "up", "retry_policy": policy("connect-failure", 5)})],
        [b.cluster("up", dead, up.port)],
    )
    for _ in range(4):
        assert running.fetch(get("/", method="POST", body="pay")).status == 200
    assert [r.body for r in up.requests] == [b"pay"] * 4


def test_metadata_allows_what_the_method_does_not(remora, up):
    running = remora(
        [
            b.route(
                "/",
                {"cluster": "up", "retry_policy": policy()},
                metadata={"filter_metadata": {"remora": {"retry_non_idempotent": True}}},
            )
        ],
        [b.cluster("up", up.port)],
    )
    up.script.extend([u.close(), u.answer(200, "paid")])
    assert running.fetch(get("/", method="POST", body="pay")).body == b"paid"
    assert [r.body for r in up.requests] == [b"pay", b"pay"]


def test_the_client_learns_why_a_post_was_not_repeated(retrying, up):
    up.script.append(u.close())
    response = retrying.fetch(get("/", method="POST", body="pay", headers="Accept: application/json\r\n"))
    assert response.status == 503
    assert b"idempotent" in response.body and b"retry_non_idempotent" in response.body


def test_a_body_larger_than_the_buffer_is_not_replayed(remora, up):
    running = remora(
        [b.route("/", {"cluster": "up", "retry_policy": policy()}, per_request_buffer_limit_bytes=1000)],
        [b.cluster("up", up.port)],
    )
    up.script.append(u.answer(503, "no"))
    assert running.fetch(get("/", method="PUT", body="x" * 5000)).status == 503
    assert len(up.requests) == 1
    up.script.extend([u.answer(503, "no"), u.answer(200, "yes")])
    assert running.fetch(get("/", method="PUT", body="x" * 500)).status == 200


def test_a_body_is_replayed_whole(retrying, up):
    body = "".join(chr(97 + i % 26) for i in range(200_000))
    up.script.extend([u.answer(503, "no"), u.close(), u.answer(200, "yes")])
    assert retrying.fetch(get("/", method="PUT", body=body)).status == 200
    assert [r.body.decode() == body for r in up.requests] == [True] * 3


def test_an_answer_that_began_is_not_retried(retrying, up):
    up.script.append(u.raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", then="reset", wait=0.05))
    response = retrying.fetch()
    assert response.status == 200 and not response.complete
    assert len(up.requests) == 1


def test_attempts_avoid_the_endpoint_that_failed(remora):
    with u.Upstream("bad") as bad, u.Upstream("good") as good:
        bad.default = u.answer(503, "no")
        running = remora(
            [
                b.route(
                    "/",
                    {
                        "cluster": "up",
                        "retry_policy": policy(
                            "5xx",
                            1,
                            retry_host_predicate=[
                                {
                                    "name": "envoy.retry_host_predicates.previous_hosts",
                                    "typed_config": {
                                        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                                    },
                                }
                            ],
                            host_selection_retry_max_attempts=5,
                        ),
                    },
                )
            ],
            [b.cluster("up", bad.port, good.port)],
        )
        assert [running.fetch().status for _ in range(10)] == [200] * 10


def test_the_budget_bounds_a_storm(remora):
    """The service fails everything: with 20 % and at least 3, sixty requests at once cannot become many more."""
    with u.Upstream("up") as up:
        up.default = u.answer(503, "no", delay=0.15)
        running = remora(
            [b.route("/", {"cluster": "up", "retry_policy": policy("5xx", 3)})], [b.cluster("up", up.port)]
        )
        statuses = []

        def one():
            statuses.append(running.fetch().status)

        threads = [threading.Thread(target=one) for _ in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert statuses == [503] * 60
        # Without a budget it were 240. 20 % of what is active (60 at first) is 12 at a time, at most three rounds.
        assert 60 < len(up.requests) <= 60 + 3 * 12 + 12
        assert running.metric("remora_upstream_retries_denied_total") > 0


def test_a_few_requests_may_always_retry(remora, up):
    """The budget's floor: one request alone is retried, though 20 % of one is nothing."""
    running = remora([b.route("/", {"cluster": "up", "retry_policy": policy("5xx", 3)})], [b.cluster("up", up.port)])
    up.script.extend([u.answer(503, "no")] * 3 + [u.answer(200, "yes")])
    assert running.fetch().status == 200
    assert running.metric("remora_upstream_retries_total") == 3


def test_retries_wait_between(remora, up):
    running = remora(
        [
            b.route(
                "/",
                {
                    "cluster": "up",
                    "retry_policy": {
                        "retry_on": "5xx",
                        "num_retries": 3,
                        "retry_back_off": {"base_interval": "0.1s", "max_interval": "0.2s"},
                    },
                },
            )
        ],
        [b.cluster("up", up.port)],
    )
    up.script.extend([u.answer(503, "no")] * 3 + [u.answer(200, "yes")])
    assert running.fetch().status == 200
    gaps = [later.at - earlier.at for earlier, later in zip(up.requests, up.requests[1:])]
    assert all(gap < 0.35 for gap in gaps), gaps
    assert sum(gaps) > 0.02, gaps
