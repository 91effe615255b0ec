"""`remora-proxy --mesh`: a sidecar from a mesh file alone, which follows the file while it carries traffic."""

from __future__ import annotations

import collections
import json
import os
import pathlib
import subprocess

import pytest
import yaml

from tests.support import binaries, ports, proxy, upstream as u
from tests.support.client import Client, get
from tests.system.conftest import Load, Running, until
from tests.support.control import Control


class Mesh:
    """A mesh file: web calls api, which has one instance of version 1 and one of version 2."""

    def __init__(self, folder: pathlib.Path, app: u.Upstream, v1: u.Upstream, v2: u.Upstream):
        self.path = folder / "mesh.yaml"
        self.outbound, self.inbound = ports.free_port(), ports.free_port()
        web = {
            "name": "web",
            "port": app.port,
            "connect": {
                "sidecar_service": {
                    "port": self.inbound,
                    "proxy": {"upstreams": [{"destination_name": "api", "local_bind_port": self.outbound}]},
                }
            },
        }
        self.services = [
            web,
            {"name": "api", "id": "api-1", "address": "127.0.0.1", "port": v1.port, "meta": {"version": "1"}},
            {"name": "api", "id": "api-2", "address": "127.0.0.1", "port": v2.port, "meta": {"version": "2"}},
        ]
        self.entries = {
            "defaults": {"kind": "service-defaults", "name": "api", "protocol": "http"},
            "resolver": {
                "kind": "service-resolver",
                "name": "api",
                "subsets": {
                    "v1": {"filter": "Service.Meta.version == 1"},
                    "v2": {"filter": "Service.Meta.version == 2"},
                },
            },
        }

    def write(self) -> None:
        text = yaml.safe_dump(
            {"services": self.services, "config_entries": list(self.entries.values())}, sort_keys=False
        )
        self.write_text(text)

    def write_text(self, text: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self.path)

    def split(self, v1: int) -> None:
        splits = [{"weight": v1, "service_subset": "v1"}, {"weight": 100 - v1, "service_subset": "v2"}]
        self.entries["splitter"] = {"kind": "service-splitter", "name": "api", "splits": splits}
        self.write()


@pytest.fixture
def versions():
    with u.Upstream("web") as app, u.Upstream("v1") as one, u.Upstream("v2") as two:
        app.default, one.default, two.default = u.answer(200, "app"), u.answer(200, "one"), u.answer(200, "two")
        yield app, one, two


@pytest.fixture
def mesh(tmp_path, versions):
    made = Mesh(tmp_path, *versions)
    made.write()
    return made


def start(mesh: Mesh, *source: str, **more) -> Running:
    """A sidecar of web: from the mesh file, or from whatever `source` says."""
    admin = ports.free_port()
    process = proxy.Proxy(
        binaries.remora(),
        None,
        name="mesh",
        arguments=[*(source or ("--mesh", str(mesh.path))), "--service", "web", "--admin", f"127.0.0.1:{admin}"],
        admin_port=admin,
        **more,
    )
    return Running(process, mesh.outbound, {"inbound": mesh.inbound})


@pytest.fixture
def web(mesh):
    running = start(mesh)
    yield running
    running.proxy.stop()


def test_an_upstream_is_called_at_its_local_port(web):
    bodies = collections.Counter(web.fetch(get("/")).body for _ in range(20))
    assert set(bodies) == {b"one", b"two"}


def test_the_inbound_listener_passes_on_to_the_service_itself(web, versions):
    with Client(web.others["inbound"]) as inbound:
        assert inbound.request(get("/hello")).body == b"app"
    assert versions[0].requests[-1].target == "/hello"


def test_a_router_sends_a_path_to_a_subset(mesh):
    destination = {"service_subset": "v2", "prefix_rewrite": "/", "request_timeout": "5s"}
    mesh.entries["router"] = {
        "kind": "service-router",
        "name": "api",
        "routes": [{"match": {"http": {"path_prefix": "/v2/"}}, "destination": destination}],
    }
    mesh.write()
    web = start(mesh)
    assert {web.fetch(get("/v2/orders")).body for _ in range(8)} == {b"two"}
    web.proxy.stop()


def move_traffic(mesh: Mesh, web: Running) -> None:
    with Load(web.port) as load:
        load.wait(b"one")
        assert load.seen[b"two"] == 0
        for share in (75, 50, 25, 0):
            before = web.metric("remora_config_version")
            mesh.split(share)
            until(lambda: web.metric("remora_config_version") > before, 10, f"the split of {share}")
            load.wait(b"two", 20)
        mark = load.seen[b"one"] + 4  # those under way
        load.wait(b"two")
        assert load.seen[b"one"] <= mark
    assert load.wrong == []


def test_a_splitter_moves_the_traffic_step_by_step_and_nothing_fails(mesh):
    mesh.split(100)
    web = start(mesh, concurrency=2)
    move_traffic(mesh, web)
    web.proxy.stop()


@pytest.fixture
def control(mesh, tmp_path):
    made = Control(tmp_path, None, "--mesh", str(mesh.path)).wait_ready()
    yield made
    made.process.kill()
    made.process.wait()


def test_a_proxy_follows_control_under_load(mesh, control):
    mesh.split(100)
    web = start(mesh, "--control", control.address, concurrency=2)
    move_traffic(mesh, web)
    assert "web" in control.admin("/nodes")[1]
    web.proxy.stop()


def test_control_may_die_and_another_one_take_over(mesh, control, tmp_path):
    (tmp_path / "second").mkdir()
    second = Control(tmp_path / "second", None, "--mesh", str(mesh.path)).wait_ready()
    web = start(mesh, "--control", f"{control.address},{second.address}")
    with Load(web.port) as load:
        load.wait(b"one")
        control.process.kill()
        control.process.wait()
        load.wait(b"one")
        mesh.split(0)
        mark = load.seen[b"two"]
        until(lambda: "web" in second.admin("/nodes")[1], 20, "the proxy at the second control")
        until(lambda: {web.fetch(get("/")).body for _ in range(5)} == {b"two"}, 20, "the split by the second control")
        assert load.seen[b"two"] > mark
    assert load.wrong == []
    web.proxy.stop()
    second.process.kill()
    second.process.wait()


def test_a_proxy_starts_from_the_last_good_state_when_control_is_dead(mesh, control, tmp_path):
    state = str(tmp_path / "state")
    os.mkdir(state)
    source = ("--control", control.address, "--state-dir", state)
    web = start(mesh, *source)
    assert web.fetch(get("/")).status == 200
    until(lambda: os.listdir(state), 10, "the state on the disk")
    assert all(os.stat(os.path.join(state, name)).st_mode & 0o77 == 0 for name in os.listdir(state))
    web.proxy.stop()
    control.process.kill()
    control.process.wait()
    again = start(mesh, *source)
    assert again.fetch(get("/")).status == 200
    again.proxy.stop()


def test_a_bad_edit_is_named_and_the_last_good_mesh_goes_on(web, mesh):
    mesh.entries["defaults"]["protocl"] = "http"
    mesh.write()
    words = until(lambda: "protocl" in web.proxy.stderr() and web.proxy.stderr(), what="the error")
    assert f"{mesh.path}:" in words and "protocol" in words
    assert web.fetch(get("/")).status == 200
    del mesh.entries["defaults"]["protocl"]
    mesh.split(0)
    until(lambda: {web.fetch(get("/")).body for _ in range(5)} == {b"two"}, what="the mended file")


def test_an_edit_that_drops_the_service_itself_leaves_its_sidecar_alone(web, mesh):
    dropped = mesh.services.pop(0)
    mesh.write()
    words = until(lambda: "any more" in web.proxy.stderr() and web.proxy.stderr(), what="the words")
    assert f"the mesh in {mesh.path} has no instance web any more: what it had last goes on" in words
    assert web.fetch(get("/")).status == 200
    mesh.services.insert(0, dropped)
    mesh.split(0)
    until(lambda: {web.fetch(get("/")).body for _ in range(5)} == {b"two"}, what="the mended file")


def test_a_start_with_a_bad_mesh_names_every_error_and_ends(mesh):
    mesh.entries["defaults"]["protocl"] = "http"
    mesh.services[1]["prt"] = 1
    mesh.write()
    for mode in ("serve", "validate"):
        done = subprocess.run(
            [binaries.remora(), "--mesh", mesh.path, "--service", "web", "--mode", mode],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 1
        assert "protocl" in done.stderr and "prt" in done.stderr


def test_intentions_that_nobody_enforces_are_told_everywhere(mesh, control):
    web = start(mesh, "--control", control.address)
    assert web.metric("remora_intentions_not_enforced") == 0 and "notice" not in control.admin("/nodes")[1]
    mesh.entries["who"] = {"kind": "service-intentions", "name": "web", "sources": [{"name": "x", "action": "deny"}]}
    mesh.write()  # refused, since they could not be enforced
    until(lambda: "allow_unauthenticated" in control.log(), what="the way out in control's log")
    mesh.entries["defaults of all"] = {
        "kind": "proxy-defaults",
        "name": "global",
        "config": {"allow_unauthenticated": True},
    }
    mesh.write()
    until(lambda: "inbound/web::intentions_not_enforced::true" in web.admin("/listeners").text, what="the proxy's page")
    assert '"intentions_not_enforced":true' in web.admin("/listeners?format=json").text.replace(" ", "")
    assert web.metric("remora_intentions_not_enforced", listener="inbound/web") == 1
    assert "'inbound/web' lets in, and are not enforced" in web.proxy.stderr()
    assert control.admin("/nodes")[1].startswith("notice: the intentions for 'web' are not enforced")
    assert "not enforced" in json.loads(control.admin("/nodes?format=json")[1])["notice"]
    assert "remora_control_intentions_not_enforced 1" in control.admin("/metrics")[1]
    assert "warning: the intentions for 'web' are not enforced" in control.log()
    web.proxy.stop()


def test_a_service_that_the_mesh_does_not_know(mesh):
    done = subprocess.run(
        [binaries.remora(), "--mesh", mesh.path, "--service", "wbe"], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert "wbe" in done.stderr and "web" in done.stderr
