"""A mesh on a real Consul while it changes under load: whatever changes, no request is lost."""

from __future__ import annotations

import pytest

from tests.support import client, upstream as u
from tests.support.client import get
from tests.support.consul import Consul
from tests.support.consul_mesh import WAYS, ConsulMesh, Instance
from tests.support.load import Load, until


@pytest.fixture(params=WAYS)
def mesh(request, tmp_path):
    with Consul() as consul:
        made = ConsulMesh(tmp_path, consul, request.param)
        made.http("web", "api", "db")
        yield made
        made.close()


def add_versions(mesh: ConsulMesh) -> Instance:
    """web, api-1 of version v1 and api-2 of version v2, all running; returns web."""
    web = mesh.add("web", calls=("api",))
    mesh.add("api", "api-1", version="v1")
    mesh.add("api", "api-2", version="v2")
    mesh.start()
    return web


def called_by_web(mesh: ConsulMesh) -> int:
    """Returns where web calls api, of which both versions answer."""
    web = add_versions(mesh)
    port = web.outbound["api"]
    until(lambda: {client.fetch(port).body for _ in range(8)} == {b"api-1", b"api-2"}, 20, "both instances of api")
    return port


def split_by_version(mesh: ConsulMesh) -> int:
    """The same, all of it to version v1 for now."""
    mesh.subsets_by_version("api", "v1", "v2")
    mesh.split("api", v1=100, v2=0)
    web = add_versions(mesh)
    until(lambda: web.fetch("api").body == b"api-1", 20, "api")
    return web.outbound["api"]


def test_a_check_fails_and_passes_again(mesh):
    port = called_by_web(mesh)
    with Load(port) as load:
        load.wait(b"api-1")
        mesh.consul.report("api-1", "critical")
        load.wait_only(b"api-2")
        mesh.consul.report("api-1", "passing")
        load.wait(b"api-1")
    assert load.wrong == []


def test_nobody_is_well(mesh):
    """Nothing happened to Consul, so that it is believed at once: the answer says why."""
    port = called_by_web(mesh)
    for id in ("api-1", "api-2"):
        mesh.consul.report(id, "critical")
    answer = until(lambda: (a := client.fetch(port)).status == 503 and a, 20, "the 503")
    assert answer.get("x-remora-reason") == "no_healthy_endpoint"
    mesh.consul.report("api-2", "passing")
    until(lambda: client.fetch(port).body == b"api-2", 20, "api-2 again")


def test_a_splitter_moves_the_traffic_step_by_step(mesh):
    with Load(split_by_version(mesh)) as load:
        load.wait(b"api-1")
        assert load.seen[b"api-2"] == 0
        for share in (75, 50, 25):
            mesh.split("api", v1=share, v2=100 - share)
            load.wait(b"api-2", 20)
        mesh.split("api", v1=0, v2=100)
        load.wait_only(b"api-2")
    assert load.wrong == []


def test_web_calls_api_which_calls_db(mesh):
    web = mesh.add("web", calls=("api",))
    api = mesh.add("api", calls=("db",))
    mesh.add("db", body="rows")

    def ask_db(x: u.Exchange) -> None:
        got = client.fetch(api.outbound["db"], get("/rows"))
        u.answer(got.status, b"api with " + got.body)(x)

    api.app.default = ask_db
    mesh.start()
    until(lambda: web.fetch("api").body == b"api with rows", 20, "the whole chain")
    with Load(web.outbound["api"]) as load:
        load.wait(b"api with rows")
    assert load.wrong == []


def test_control_is_killed_and_comes_back(mesh):
    with Load(split_by_version(mesh)) as load:
        load.wait(b"api-1")
        mesh.control.kill()
        load.wait_any(200)
        mesh.split("api", v1=0, v2=100)
        mesh.control.start().wait_ready()
        load.wait_only(b"api-2")
    assert load.wrong == []


def test_a_router_a_rewrite_and_headers(mesh):
    mesh.subsets_by_version("api", "v1", "v2")
    mesh.entry(
        "service-router",
        "api",
        Routes=[
            {
                "Match": {"HTTP": {"PathPrefix": "/v2/", "Header": [{"Name": "x-beta", "Present": True}]}},
                "Destination": {
                    "ServiceSubset": "v2",
                    "PrefixRewrite": "/",
                    "RequestHeaders": {"Set": {"x-routed": "yes"}},
                },
            }
        ],
    )
    port = called_by_web(mesh)
    request = get("/v2/orders", headers="x-beta: 1\r\n")
    until(lambda: {client.fetch(port, request).body for _ in range(6)} == {b"api-2"}, 20, "the router")
    seen = mesh.instances["api-2"].app.requests[-1]
    assert seen.target == "/orders" and seen.get("x-routed") == "yes"
