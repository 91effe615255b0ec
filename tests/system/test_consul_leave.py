"""Sidecars that register their service, and themselves, at a real Consul, and leave it when they drain."""

from __future__ import annotations

import signal
import time

import pytest

from tests.support.consul import Consul
from tests.support.consul_mesh import WAYS, ConsulMesh
from tests.support.load import Load, until


@pytest.fixture(params=WAYS)
def mesh(request, tmp_path):
    """web calls api-1 and api-2; all register by themselves. Only who is given a Consul can register."""
    with Consul() as consul:
        made = ConsulMesh(tmp_path, consul, request.param)
        made.http("web", "api")
        yield made
        made.close()


def start(mesh: ConsulMesh) -> int:
    web = mesh.add("web", calls=("api",))
    for id in ("api-1", "api-2"):
        one = mesh.unregistered("api", id)
        mesh.sidecar(one, "--consul", mesh.consul.address, "--register", mesh.service_file(one), given_consul=True)
    mesh.sidecar(web)
    port = web.outbound["api"]
    until(lambda: mesh.passing("api") == {"api-1", "api-2"}, 20, "both in Consul")
    return port


def test_a_sidecar_leaves_at_the_beginning_of_its_drain_and_nothing_is_lost(mesh):
    with Load(start(mesh)) as load:
        load.wait(b"api-1")
        load.wait(b"api-2")
        leaving = mesh.instances["api-1"].sidecar
        began = time.monotonic()
        leaving.signal(signal.SIGTERM)
        until(lambda: mesh.passing("api") == {"api-2"}, 3, "Consul to have forgotten it")
        load.wait_only(b"api-2")
        assert leaving.wait(30) == 0
        assert time.monotonic() - began >= 4.9, "connections are taken for a while, from whoever has not heard of it"
        load.wait(b"api-2")
    assert load.wrong == []
    assert "service api is deregistered" in leaving.stderr()
    assert [s["ID"] for s in mesh.consul.get("/v1/agent/services").values() if "api-1" in s["ID"]] == []


def test_a_consul_that_is_away_does_not_hold_up_the_end_beyond_the_drain_time(mesh):
    one = mesh.unregistered("api", "api-1")
    sidecar = mesh.sidecar(
        one, "--consul", mesh.consul.address, "--register", mesh.service_file(one), "--drain-time-s", "3", given_consul=True
    )
    until(lambda: mesh.passing("api") == {"api-1"}, 20, "it to be in Consul")
    mesh.consul.freeze()
    try:
        began = time.monotonic()
        sidecar.signal(signal.SIGTERM)
        assert sidecar.wait(10) == 0
        assert time.monotonic() - began < 6
    finally:
        mesh.consul.thaw()
