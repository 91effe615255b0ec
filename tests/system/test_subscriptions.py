"""Resources by REST, and in files: each way in which a file may change, each way in which a server may fail, and
traffic that never notices."""

from __future__ import annotations

import json
import os
import pathlib
import time

import pytest

from tests.support import binaries, bootstrap as b, ports, proxy, upstream as u
from tests.support.rest_control import RestControl
from tests.support.xds_client import URLS
from tests.system.conftest import Running, until
from tests.system.test_mesh import Load

KINDS = ("clusters", "endpoints", "listeners", "routes")


class Files:
    """One file for each type; another one is moved to its place."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def source(self, kind: str) -> dict:
        return {"path_config_source": {"path": str(self.folder / f"{kind}.json")}}

    def clusters(self) -> list[dict]:
        return []

    def put(self, **kinds: list[dict]) -> None:
        for kind, resources in kinds.items():
            new = self.folder / f".{kind}.new"
            new.write_text(self.text(kind, resources))
            new.rename(self.folder / f"{kind}.json")

    def text(self, kind: str, resources: list[dict]) -> str:
        return json.dumps({"resources": [{"@type": URLS[kind], **each} for each in resources]})

    def close(self) -> None:
        pass


class ConfigMap(Files):
    """As Kubernetes mounts a ConfigMap: `..data` leads to a folder, and is replaced by one that leads to another."""

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        self.held, self.versions = {}, 0

    def source(self, kind: str) -> dict:
        return {"path_config_source": {"path": str(self.folder / f"{kind}.json"), "watched_directory": {"path": str(self.folder)}}}

    def put(self, **kinds: list[dict]) -> None:
        self.held |= kinds
        old, self.versions = self.versions, self.versions + 1
        fresh = self.folder / f"..{self.versions}"
        fresh.mkdir()
        for kind, resources in self.held.items():
            (fresh / f"{kind}.json").write_text(self.text(kind, resources))
            if not (self.folder / f"{kind}.json").is_symlink():
                (self.folder / f"{kind}.json").symlink_to(f"..data/{kind}.json")
        (self.folder / "..data_tmp").symlink_to(fresh.name)
        os.rename(self.folder / "..data_tmp", self.folder / "..data")
        for gone in (self.folder / f"..{old}").glob("*"):
            gone.unlink()
        if old:
            (self.folder / f"..{old}").rmdir()


class Releases(ConfigMap):
    """The paths go through `current`, a link to a folder, and the folder that holds the link is watched."""

    def source(self, kind: str) -> dict:
        return {
            "path_config_source": {
                "path": str(self.folder / "current" / f"{kind}.json"),
                "watched_directory": {"path": str(self.folder)},
            }
        }

    def put(self, **kinds: list[dict]) -> None:
        self.held |= kinds
        self.versions += 1
        fresh = self.folder / f"release-{self.versions}"
        fresh.mkdir()
        for kind, resources in self.held.items():
            (fresh / f"{kind}.json").write_text(self.text(kind, resources))
        (self.folder / "next").symlink_to(fresh.name)
        os.rename(self.folder / "next", self.folder / "current")


class LinkOnTheWay(Releases):
    """The same, and nobody said which folder to watch."""

    def source(self, kind: str) -> dict:
        return {"path_config_source": {"path": str(self.folder / "current" / f"{kind}.json")}}


class Rest:
    def __init__(self, _):
        self.control = RestControl()

    def source(self, kind: str) -> dict:
        api = {"api_type": "REST", "transport_api_version": "V3", "cluster_names": ["control"], "refresh_delay": "0.1s"}
        return {"api_config_source": api}

    def clusters(self) -> list[dict]:
        return [b.cluster("control", self.control.port)]

    def put(self, **kinds: list[dict]) -> None:
        self.control.put(**kinds)

    def close(self) -> None:
        self.control.stop()


class World:
    """A listener whose route leads to one cluster; its endpoints are found like everything else."""

    def __init__(self, source):
        self.source, self.port = source, ports.free_port()
        manager = b.hcm([])
        del manager["route_config"]
        manager["rds"] = {"route_config_name": "all", "config_source": self.config("routes")}
        self.listener = b.listener(self.port, manager, "in")

    def config(self, kind: str) -> dict:
        return {**self.source.source(kind), "resource_api_version": "V3"}

    def cluster(self, name: str, **more) -> dict:
        eds = {"eds_config": self.config("endpoints")}
        return {"name": name, "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": eds, **more}

    def routes(self, to: str) -> list[dict]:
        return [{"name": "all", "virtual_hosts": [b.virtual_host("all", ["*"], [b.route("/", to)])]}]

    def endpoints(self, name: str, port: int) -> list[dict]:
        return [{"cluster_name": name, "endpoints": [{"lb_endpoints": b.endpoints(port)}]}]

    def begin(self, to: str, port: int) -> Running:
        self.source.put(
            clusters=[self.cluster(to)], endpoints=self.endpoints(to, port), routes=self.routes(to), listeners=[self.listener]
        )
        config = b.bootstrap([], self.source.clusters(), ports.free_port())
        config["dynamic_resources"] = {"cds_config": self.config("clusters"), "lds_config": self.config("listeners")}
        process = proxy.Proxy(binaries.remora(), config, name="subscriptions", concurrency=2)
        return Running(process, self.port, {})


@pytest.fixture(params=[Rest, Files, ConfigMap, Releases, LinkOnTheWay], ids=lambda each: each.__name__)
def world(request, tmp_path):
    source = request.param(tmp_path)
    yield World(source)
    source.close()


@pytest.fixture
def versions():
    servers = [u.Upstream(name) for name in ("one", "two", "three", "four")]
    for server in servers:
        server.default = u.answer(200, server.name)
    yield servers
    for server in servers:
        server.close()


def test_changes_move_the_traffic_and_lose_nothing(world, versions):
    """From cluster to cluster, all of it new each time, the route first: what it leads to is not there yet."""
    remora = world.begin("one", versions[0].port)
    with Load(remora.port) as load:
        load.wait(b"one")
        for server in versions[1:]:
            begin = time.monotonic()
            world.source.put(routes=world.routes(server.name))
            world.source.put(clusters=[world.cluster(server.name)])
            world.source.put(endpoints=world.endpoints(server.name, server.port))
            load.wait(server.name.encode(), 1)
            assert time.monotonic() - begin < 3
            load.wait(server.name.encode())
        world.source.put(endpoints=world.endpoints("four", versions[0].port))  # the same cluster, other endpoints
        load.wait(b"one")
    assert load.wrong == []
    clusters = until(lambda: (t := remora.admin("/clusters").text) and "three::" not in t and t, 5, "what is gone to go")
    assert "four::" in clusters
    remora.proxy.stop()


def test_a_bad_resource_keeps_its_last_good_version_and_the_rest_applies(world, versions):
    remora = world.begin("one", versions[0].port)
    assert remora.fetch().body == b"one"
    world.source.put(
        clusters=[world.cluster("one", lb_policy="CLUSTER_PROVIDED"), world.cluster("two")],
        endpoints=world.endpoints("one", versions[0].port) + world.endpoints("two", versions[1].port),
    )
    world.source.put(routes=world.routes("two"))
    until(lambda: remora.fetch().body == b"two", 10, "the cluster beside the bad one")
    assert "lb_policy" in remora.proxy.stderr() and "'one'" in remora.proxy.stderr()
    assert remora.metric("remora_config_rejected", type="cluster") == 1
    world.source.put(routes=world.routes("one"))
    until(lambda: remora.fetch().body == b"one", 10, "the bad one's last good version")
    remora.proxy.stop()


# ---- files alone


@pytest.fixture
def files(tmp_path):
    return World(Files(tmp_path))


def test_a_change_of_a_file_is_seen_at_once(files, versions):
    remora = files.begin("one", versions[0].port)
    assert remora.fetch().body == b"one"
    times = []
    for turn in range(10):
        server = versions[(turn + 1) % 2]
        begin = time.monotonic()
        files.source.put(endpoints=files.endpoints("one", server.port))
        until(lambda name=server.name.encode(): remora.fetch().body == name, 5, "the change")
        times.append(time.monotonic() - begin)
    assert sorted(times)[5] < 0.2, times
    remora.proxy.stop()


def test_a_file_that_is_written_in_place_is_read_when_it_is_whole(files, versions, tmp_path):
    remora = files.begin("one", versions[0].port)
    text = files.source.text("endpoints", files.endpoints("one", versions[1].port))
    with (tmp_path / "endpoints.json").open("w") as file:
        for at in range(0, len(text), 20):
            file.write(text[at : at + 20])
            file.flush()
            assert remora.fetch().body == b"one"
    until(lambda: remora.fetch().body == b"two", 5, "the whole file")
    assert remora.proxy.stderr() == ""
    remora.proxy.stop()


def test_a_file_that_comes_late_and_one_that_is_nonsense(files, versions, tmp_path):
    remora = files.begin("one", versions[0].port)
    (tmp_path / "listeners.json").rename(tmp_path / "away")
    until(lambda: "listeners.json: No such file" in remora.proxy.stderr(), 10, "the words")
    assert remora.fetch().body == b"one"
    (tmp_path / "routes.json").write_text("resources: [")
    until(lambda: "routes.json" in remora.proxy.stderr(), 5, "the words")
    assert remora.fetch().body == b"one"
    files.source.put(routes=files.routes("one"), listeners=[files.listener])
    files.source.put(endpoints=files.endpoints("one", versions[1].port))
    until(lambda: remora.fetch().body == b"two", 5, "a change after all that")
    remora.proxy.stop()


def test_with_a_watched_directory_nothing_else_is_a_change(tmp_path, versions):
    """Several files become one change: they are written in peace, then something is moved into the watched folder."""
    (tmp_path / "files").mkdir()
    (tmp_path / "flag").mkdir()

    class Flagged(Files):
        def source(self, kind: str) -> dict:
            path = str(self.folder / f"{kind}.json")
            return {"path_config_source": {"path": path, "watched_directory": {"path": str(tmp_path / "flag")}}}

    world = World(Flagged(tmp_path / "files"))
    remora = world.begin("one", versions[0].port)
    world.source.put(endpoints=world.endpoints("one", versions[1].port))
    time.sleep(0.5)
    assert remora.fetch().body == b"one"
    (tmp_path / "go.tmp").touch()
    (tmp_path / "go.tmp").rename(tmp_path / "flag" / "go")
    until(lambda: remora.fetch().body == b"two", 5, "the change")
    remora.proxy.stop()


# ---- REST alone


@pytest.fixture
def rest(tmp_path):
    source = Rest(tmp_path)
    yield World(source)
    source.close()


def test_a_refusal_is_told_to_who_sent_it(rest, versions):
    remora = rest.begin("one", versions[0].port)
    first = rest.source.control.last("clusters").version_info
    rest.source.put(clusters=[rest.cluster("one", lb_policy="CLUSTER_PROVIDED")])
    control = rest.source.control
    until(lambda: control.last("clusters").HasField("error_detail"), 5, "the NACK")
    nack = control.last("clusters")
    assert "one" in nack.error_detail.message and "lb_policy" in nack.error_detail.message
    assert nack.version_info == first or nack.version_info == "1"
    assert (nack.node.id, nack.type_url) == ("test", URLS["clusters"])
    time.sleep(0.5)  # asked again and again, the same answer is said to be wrong once
    assert remora.proxy.stderr().count("lb_policy") == 1, remora.proxy.stderr()
    rest.source.put(clusters=[rest.cluster("one")])
    until(lambda: not control.last("clusters").HasField("error_detail"), 5, "the ACK")
    remora.proxy.stop()


@pytest.mark.parametrize("how", ["dead", "status"])
def test_a_server_that_fails_changes_nothing_and_is_asked_again(rest, versions, how):
    remora = rest.begin("one", versions[0].port)
    control = rest.source.control
    with Load(remora.port) as load:
        if how == "dead":
            control.stop()
        else:
            control.status = 500
        load.wait(b"one")
        until(lambda: remora.metric("remora_control_plane_connected") == 0, 5, "the failure in the metrics")
        load.wait(b"one")
        rest.source.put(endpoints=rest.endpoints("one", versions[1].port))
        if how == "dead":
            control.start()
        control.status = 0
        load.wait(b"two")
    assert load.wrong == []
    assert "the last good configuration goes on" in remora.proxy.stderr()
    until(lambda: remora.metric("remora_control_plane_connected") == 1, 5, "the recovery in the metrics")
    remora.proxy.stop()
