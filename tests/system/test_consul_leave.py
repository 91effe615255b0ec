"""Sidecars that register their service, and themselves, at a real Consul, and leave it when they drain."""

from __future__ import annotations

import signal
import time

import pytest

from tests.support.consul import Consul
from tests.support.consul_mesh import WAYS, ConsulMesh
from tests.support.load import until


@pytest.fixture(params=WAYS)
def mesh(request, tmp_path):
    """Only a sidecar that is given a Consul can register."""
    with Consul() as consul:
        made = ConsulMesh(tmp_path, consul, request.param)
        made.http("web", "api")
        yield made
        made.close()


def test_a_consul_that_is_away_does_not_hold_up_the_end_beyond_the_drain_time(mesh):
    one = mesh.unregistered("api", "api-1")
    sidecar = mesh.sidecar(
        one, "--consul", mesh.consul.address, "--register", mesh.service_file(one), "--drain-time-s", "3"
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
