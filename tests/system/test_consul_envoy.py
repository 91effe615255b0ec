"""A real Envoy, run by our control plane, beside a Remora, on one real Consul: the same questions get the same answers."""

from __future__ import annotations

import collections
import subprocess

import pytest
import yaml

from tests.support import binaries, client, ports, proxy, upstream as u
from tests.support.client import get
from tests.support.consul import Consul
from tests.support.consul_mesh import ConsulMesh
from tests.support.load import until

ROUTES = [
    {
        "Match": {"HTTP": {"PathPrefix": "/v2/"}},
        "Destination": {
            "ServiceSubset": "v2",
            "PrefixRewrite": "/",
            "RequestHeaders": {"Set": {"x-routed": "v2"}, "Remove": ["x-secret"]},
            "ResponseHeaders": {"Add": {"x-answered": "by-v2"}},
        },
    },
    {
        "Match": {"HTTP": {"PathExact": "/beta", "Header": [{"Name": "x-user", "Regex": "a.*"}]}},
        "Destination": {"ServiceSubset": "v2"},
    },
    {"Match": {"HTTP": {"PathRegex": "/users/[0-9]+", "Methods": ["PUT"]}}, "Destination": {"ServiceSubset": "v2"}},
    {"Match": {"HTTP": {"QueryParam": [{"Name": "v", "Exact": "2"}]}}, "Destination": {"ServiceSubset": "v2"}},
    {"Match": {"HTTP": {"PathPrefix": "/flaky"}}, "Destination": {"NumRetries": 3, "RetryOnStatusCodes": [503]}},
    {"Match": {"HTTP": {"PathPrefix": "/slow"}}, "Destination": {"RequestTimeout": "200ms"}},
]

QUESTIONS = [
    get("/"),
    get("/v2/orders"),
    get("/v2/orders?x=1", headers="x-secret: s\r\n"),
    get("/v2"),
    get("/beta", headers="x-user: anna\r\n"),
    get("/beta", headers="x-user: berta\r\n"),
    get("/beta"),
    get("/users/12", method="PUT", body="x"),
    get("/users/12"),
    get("/users/ab", method="PUT", body="x"),
    get("/any?v=2"),
    get("/any?v=1"),
    get("/flaky"),
    get("/slow"),
    get("/missing"),
]


class Flaky:
    """503 twice, then well; for each caller."""

    def __init__(self):
        self.asked = collections.Counter()

    def __call__(self, x: u.Exchange) -> None:
        self.asked["flaky"] += 1
        u.answer(200, "at last") (x) if self.asked["flaky"] % 3 == 0 else u.answer(503, "not yet")(x)


class World:
    """web (a Remora) and shop (an Envoy) call api alike."""

    def __init__(self, mesh: ConsulMesh):
        self.mesh = mesh
        mesh.http("web", "shop", "api")
        mesh.subsets_by_version("api", "v1", "v2", DefaultSubset="v1")
        mesh.entry("service-router", "api", Routes=ROUTES)
        self.web, self.shop = mesh.add("web", calls=("api",)), mesh.add("shop", calls=("api",))
        one, two = mesh.add("api", "api-1", version="v1"), mesh.add("api", "api-2", version="v2")
        one.app.by_path = {"/flaky": Flaky(), "/slow": u.answer(200, "late", delay=1.0), "/missing": u.answer(404, "no")}
        self.apps = (one.app, two.app)
        for instance in (self.web, one, two):
            mesh.sidecar(instance)
        self.envoy = self.start_envoy()

    def start_envoy(self) -> proxy.Proxy:
        written = subprocess.run(
            [binaries.remora_control(), "envoy-bootstrap", "--control", self.mesh.control.address, "--service", "shop",
             "--admin", f"127.0.0.1:{ports.free_port()}"],
            capture_output=True, text=True, check=True,
        )
        return proxy.Proxy(binaries.envoy(), yaml.safe_load(written.stdout), name="envoy")

    def ask(self, instance, question: str):
        """What the caller got, and what the upstream saw, without what differs by nature."""
        before = [len(app.requests) for app in self.apps]
        got = client.fetch(instance.outbound["api"], question)
        seen = [
            (app.name, request.method, request.target, request.get("x-routed"), request.get("x-secret"), request.get("host"))
            for app, count in zip(self.apps, before)
            for request in app.requests[count:]
        ]
        return got.status, got.body, got.get("x-answered"), seen


@pytest.fixture
def world(tmp_path):
    with Consul() as consul:
        mesh = ConsulMesh(tmp_path, consul, "told_by_control")
        made = World(mesh)
        yield made
        made.envoy.kill()
        mesh.close()


def test_envoy_and_remora_answer_alike(world):
    for caller in (world.web, world.shop):
        until(lambda: caller.fetch("api").status == 200, 20, f"{caller.service} to reach api")
    for question in QUESTIONS:
        by_remora, by_envoy = world.ask(world.web, question), world.ask(world.shop, question)
        line = question.splitlines()[0]
        if line.startswith("GET /slow"):  # each says a timeout in its own words
            assert by_remora[0] == by_envoy[0] == 504, line
        else:
            assert by_remora == by_envoy, line


def test_both_follow_a_splitter_and_a_sick_instance(world):
    def bodies(caller) -> set[bytes]:
        return {caller.fetch("api").body for _ in range(12)}

    world.mesh.consul.call("DELETE", "/v1/config/service-router/api")
    for weights, wanted in (({"v1": 0, "v2": 100}, {b"api-2"}), ({"v1": 50, "v2": 50}, {b"api-1", b"api-2"})):
        world.mesh.split("api", **weights)
        for caller in (world.web, world.shop):
            until(lambda: bodies(caller) == wanted, 20, f"{caller.service} to follow {weights}")
    world.mesh.consul.report("api-1", "critical")
    for caller in (world.web, world.shop):
        statuses = lambda: {caller.fetch("api").status for _ in range(12)}  # noqa: E731
        until(lambda: statuses() == {200, 503}, 20, f"{caller.service}: v1 is down, it gets {statuses()}")
