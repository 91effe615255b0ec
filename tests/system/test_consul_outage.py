"""A mesh whose Consul, or control, is away and comes back, under load: no request is lost."""

from __future__ import annotations

import os

import pytest

from tests.support import client
from tests.support.consul import Consul
from tests.support.consul_mesh import WAYS, ConsulMesh
from tests.support.control import Control
from tests.support.load import Load, until


@pytest.fixture(params=WAYS)
def mesh(request, tmp_path):
    """web calls api, of which there are a version v1 and a version v2, half and half."""
    with Consul(persistent=True) as consul:
        made = ConsulMesh(tmp_path, consul, request.param)
        made.http("web", "api")
        made.subsets_by_version("api", "v1", "v2")
        made.split("api", v1=50, v2=50)
        made.add("web", calls=("api",))
        made.add("api", "api-1", version="v1")
        made.add("api", "api-2", version="v2")
        yield made
        made.close()


def start(mesh: ConsulMesh) -> int:
    """Returns where web calls api."""
    mesh.start()
    return answering(mesh)


def answering(mesh: ConsulMesh) -> int:
    port = mesh.instances["web"].outbound["api"]
    until(lambda: {client.fetch(port).body for _ in range(8)} == {b"api-1", b"api-2"}, 20, "both versions of api")
    return port


def follows_again(mesh: ConsulMesh, load: Load) -> None:
    """What is written in Consul now has an effect."""
    mesh.split("api", v1=100, v2=0)
    load.wait_only(b"api-1", timeout=40)


def test_consul_is_killed_and_comes_back_with_its_data(mesh):
    port = start(mesh)
    with Load(port) as load:
        load.wait(b"api-1")
        mesh.consul.kill()
        load.wait_any(300)
        mesh.consul.start()
        # A restarted agent reports every check critical, until it has carried it out.
        mesh.wait_passing("api", "api-1", "api-2")
        load.wait_any(100)
        follows_again(mesh, load)
    assert load.wrong == []


def test_consul_is_away_for_many_retries(mesh):
    """Its watchers ask after 0.2 s, and each time after twice as long: the last question was some seconds ago, the next one
    is as far."""
    port = start(mesh)
    with Load(port) as load:
        mesh.consul.kill()
        age = "remora_control_consul_age_seconds"
        until(lambda: metric(mesh.control, "remora_control_consul_failing") > 5, 10, "control to notice")
        begun = metric(mesh.control, age)
        until(lambda: metric(mesh.control, age) > begun + 6 or load.wrong, 15, "time to pass")
        mesh.consul.start()
        follows_again(mesh, load)
        until(lambda: metric(mesh.control, "remora_control_consul_failing") == 0, 40, "control to be well again")
    assert load.wrong == []


def metric(control: Control, name: str) -> float:
    return next(float(line.split()[1]) for line in control.admin("/metrics")[1].splitlines() if line.startswith(name + " "))


def test_consul_hangs_and_goes_on(mesh):
    port = start(mesh)
    with Load(port) as load:
        mesh.consul.freeze()
        load.wait_any(500)
        mesh.consul.thaw()
        follows_again(mesh, load)
    assert load.wrong == []


def test_control_restarts_while_consul_is_away(mesh):
    port = start(mesh)
    with Load(port) as load:
        mesh.consul.kill()
        mesh.control.kill()
        load.wait_any(100)
        mesh.control.start()
        load.wait_any(200)
        until(lambda: mesh.control.status() == 503, 10, "control to be there, and to have nothing")
        mesh.consul.start()
        mesh.control.wait_ready()
        follows_again(mesh, load)
    assert load.wrong == []


def test_control_starts_beside_a_consul_that_has_just_restarted(mesh):
    """It saw no outage, and cannot know what was before it. A TTL check's first status does not outlive the agent."""
    port = start(mesh)
    late = {"Name": "late", "TTL": "1h", "Status": "passing"}
    for id in ("api-1", "api-2"):
        mesh.consul.put("/v1/agent/check/register", {**late, "ID": f"late:{id}", "ServiceID": id})
    mesh.wait_passing("api", "api-1", "api-2")
    with Load(port) as load:
        mesh.control.kill()
        mesh.consul.kill()
        load.wait_any(100)
        mesh.consul.start()
        until(lambda: mesh.passing("api") == set() or load.wrong, 20, "the agent to call everybody critical")
        mesh.control.start().wait_ready()
        asked = "GET /v1/health/connect/api: answered"  # for web's sidecar, that is, which has come back
        until(lambda: asked in mesh.control.admin("/sources")[1] or load.wrong, 20, "control to know of api")
        load.wait_any(500)
        for id in ("api-1", "api-2"):
            mesh.consul.put(f"/v1/agent/check/pass/late:{id}")
        mesh.wait_passing("api", "api-1", "api-2")
        follows_again(mesh, load)
    assert load.wrong == []


def test_a_proxy_starts_with_both_dead(mesh, tmp_path):
    """Its configuration, and the endpoints that it knew last, are on the disk, for its owner alone."""
    web = mesh.instances["web"]
    state = tmp_path / "state"
    state.mkdir()
    mesh.sidecar(web, "--state-dir", str(state))
    start(mesh)
    known = [varint(mesh.instances[id].inbound) for id in ("api-1", "api-2")]

    def saved() -> bool:
        text = b"".join(path.read_bytes() for path in state.iterdir())
        return all(port in text for port in known)

    until(saved, 10, "the endpoints on the disk")
    assert all(os.stat(path).st_mode & 0o77 == 0 for path in state.iterdir())
    web.sidecar.stop()
    mesh.consul.kill()
    mesh.control.kill()
    mesh.sidecar(web, "--state-dir", str(state))
    with Load(answering(mesh)) as load:
        load.wait_any(100)
        mesh.control.start()
        until(lambda: mesh.control.status() == 503, 10, "control to be there, and to have nothing")
        mesh.consul.start()
        load.wait_any(200)
        mesh.wait_passing("api", "api-1", "api-2")
        follows_again(mesh, load)
    assert load.wrong == []


def varint(number: int) -> bytes:
    """As protobuf writes it."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])
