"""`remora-proxy route`: what a running proxy would do with a request, and that it then does it."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.support import binaries, upstream as u
from tests.support.client import get
from tests.system.test_mesh import Mesh, start


def route(running, *arguments):
    command = [binaries.remora(), "route", "--admin", f"127.0.0.1:{running.proxy.admin_port}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


@pytest.fixture
def web(tmp_path):
    with u.Upstream("web") as app, u.Upstream("v1") as one, u.Upstream("v2") as two:
        app.default, one.default, two.default = u.answer(200, "app"), u.answer(200, "one"), u.answer(200, "two")
        mesh = Mesh(tmp_path, app, one, two)
        mesh.two = two
        mesh.entries["router"] = {
            "kind": "service-router",
            "name": "api",
            "routes": [
                {
                    "match": {"http": {"path_prefix": "/v2/", "header": [{"name": "x-user", "exact": "a"}]}},
                    "destination": {"service_subset": "v2", "prefix_rewrite": "/", "request_timeout": "5s"},
                }
            ],
        }
        mesh.write()
        running = start(mesh)
        running.mesh = mesh
        yield running
        running.proxy.stop()


def test_it_says_what_the_proxy_does(web):
    done = route(web, "GET", "http://api/v2/orders", "-H", "x-user: a")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines == [
        "GET http://api/v2/orders",
        f"listener outbound/api on 127.0.0.1:{web.port}",
        "host api",
        "route api:/v2/* (number 1 of 2)",
        "sent as /orders",
        "cluster api/v2",
        f"endpoints 127.0.0.1:{web.mesh.two.port} healthy, 0 active",
        "balanced round_robin, connected within 5s",
        "timeout 5s; 300s without a byte",
        "retries none",
    ]
    answer = web.fetch("GET /v2/orders HTTP/1.1\r\nHost: api\r\nx-user: a\r\nConnection: close\r\n\r\n")
    assert answer.body == b"two"
    assert web.mesh.two.requests[-1].target == "/orders"


def test_for_programs(web):
    done = route(web, "--json", f"http://127.0.0.1:{web.port}/v2/orders")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert (answer["blocked"], answer["route"]["name"], answer["passed_over"]) == (False, "api:*", ["api:/v2/*"])
    [share] = answer["shares"]
    assert (share["cluster"], len(share["endpoints"])) == ("api", 2)


def test_a_request_that_nothing_takes_is_told_why(web):
    """The subset has lost its only instance: the proxy answers 503, and `route` says so before anybody asks."""
    web.mesh.services[2]["meta"] = {"version": "3"}
    web.mesh.write()
    until_changed = ["http://api/v2/x", "-H", "x-user: a"]
    for _ in range(200):
        done = route(web, *until_changed)
        if done.returncode == 1:
            break
    assert done.stdout.splitlines()[1] == "  BLOCKED    nothing would be sent"
    assert "answers    503 no healthy upstream (no_healthy_endpoint, UH)\n" in done.stdout
    assert "evidence   cluster api/v2, 0 endpoints\n" in done.stdout
    answer = web.fetch("GET /v2/x HTTP/1.1\r\nHost: api\r\nx-user: a\r\nConnection: close\r\n\r\n")
    assert (answer.status, answer.body) == (503, b"no healthy upstream")
    assert web.fetch(get("/")).status == 200


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        ([], 2, "route needs a URL"),
        (["http://nobody/"], 2, "which listener? 'nobody' names none by port or service; say listener=NAME"),
        (["http://api/", "--listener", "outbound/app"], 2, "did you mean 'outbound/api'?"),
        (["http://api/", "-H", "nonsense"], 2, "expected 'name: value'"),
        (["http://api/", "--admin", "127.0.0.1:1"], 1, "the admin interface at 127.0.0.1:1 does not answer"),
    ],
)
def test_questions_that_are_wrong(web, arguments, code, words):
    done = route(web, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
