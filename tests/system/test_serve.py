"""remora-control serve: the mesh as people write it, followed by a real Envoy, and by streams that a test plays."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import subprocess
import threading
import time

import pytest
import yaml

from tests.support import binaries, client, ports, proxy, upstream
from tests.support.consul import Consul
from tests.support.control import Control
from tests.support.xds_client import Delta, unpack
from tests.system.conftest import until


@pytest.fixture
def control(tmp_path):
    started = []

    def start(mesh, *arguments):
        started.append(Control(tmp_path, mesh, *arguments))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            assert each.end() == 0, each.log()


_SIDECAR = ports.free_port()


def mesh(bind: int, *api_ports: int, **more) -> dict:
    upstreams = [{"destination_name": "api", "local_bind_port": bind}]
    instances = [{"name": "api", "id": f"api-{port}", "address": "127.0.0.1", "port": port} for port in api_ports]
    return {
        "services": [
            {"name": "web", "port": 1, "connect": {"sidecar_service": {"port": _SIDECAR, "proxy": {
                "upstreams": upstreams, "config": {"bind_address": "127.0.0.1"}}}}},
            *instances,
            {"name": "other", "port": 9},
        ],
        "config_entries": [{"kind": "service-defaults", "name": "api", "protocol": "http"}],
        **more,
    }


def names(stream):
    """What a delta stream is sent until it is silent, by type."""
    got: dict[str, set] = {}
    while not stream.silent(0.3):
        response = stream.next()
        got.setdefault(response.type_url.rsplit(".", 1)[1], set()).update(r.name for r in response.resources)
        stream.ack(response)
    return got


def test_a_node_gets_what_its_service_needs_and_no_more(control):
    running = control(mesh(9191, 9001)).wait_ready()
    with Delta(running.address, node="web-1") as stream:
        for kind in ("clusters", "endpoints", "listeners", "routes"):
            stream.ask(kind, ["*"])
        got = names(stream)
        assert "api" in got["Cluster"] and not any("other" in name for name in got["Cluster"])
        changed = mesh(9191, 9001)
        changed["services"][-1]["port"] = 10  # of another service: nobody hears of it
        running.write(changed)
        until(lambda: running.log().count("the mesh changed") == 1, 5, "the change to be read")
        assert stream.silent(0.5)
        running.write(mesh(9191, 9001, 9002))
        assert stream.next("endpoints").resources[0].name == "api"
        nodes = json.loads(running.admin("/nodes?format=json")[1])["nodes"]
        assert [n["node"] for n in nodes] == ["web-1"]
        config = json.loads(running.admin("/config?node=web-1&type=endpoints")[1])
        assert "9002" in json.dumps(config)


def test_a_bad_mesh_is_not_taken(control, tmp_path):
    running = control(mesh(9191, 9001)).wait_ready()
    running.write("services: [{name: web, prot: 80}]")
    until(lambda: "prot" in running.log(), 5, "the error in the log")
    with Delta(running.address, node="web-1") as stream:
        stream.ask("clusters", ["*"])
        assert "api" in names(stream)["Cluster"]


def test_a_mesh_that_is_bad_from_the_start_ends_it_in_words(control):
    running = control("services: [{name: web, prot: 80}]")
    assert running.process.wait(10) == 1
    assert "prot" in running.log() and "port" in running.log()


def test_envoy_follows_the_mesh_file(control, tmp_path):
    bind = ports.free_port()
    with upstream.Upstream("one") as one, upstream.Upstream("two") as two:
        running = control(mesh(bind, one.port)).wait_ready()
        admin = ports.free_port()
        http2 = {"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                 "explicit_http_config": {"http2_protocol_options": {}}}
        source = {"ads": {}, "resource_api_version": "V3"}
        config = {
            "node": {"id": "web-1", "cluster": "web"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
            "dynamic_resources": {
                "ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3",
                               "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}]},
                "cds_config": source, "lds_config": source},
            "static_resources": {"clusters": [{
                "name": "control", "type": "STATIC", "connect_timeout": "1s",
                "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
                "load_assignment": {"cluster_name": "control", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                    "socket_address": {"address": "127.0.0.1", "port_value": running.port}}}}]}]},
            }]},
        }
        envoy = proxy.Proxy(binaries.envoy(), yaml.safe_dump(config), name="envoy", ready=False,
                            arguments=["--base-id", str(ports.free_port())])
        try:
            envoy.wait_ready()

            def status():
                try:
                    return client.fetch(bind).status
                except OSError:
                    return None

            until(lambda: status() == 200, 10, "the first answer through Envoy")
            assert "refused" not in running.admin("/nodes")[1], running.admin("/nodes")[1]
            answers, stop = [], threading.Event()

            def load():
                while not stop.is_set():
                    answers.append(status())

            thread = threading.Thread(target=load)
            thread.start()
            running.write(mesh(bind, two.port))
            two.wait_requests(1)
            time.sleep(0.3)
            stop.set()
            thread.join()
            assert set(answers) == {200}
        finally:
            envoy.kill()


def test_told_to_end_it_lets_its_streams_go(control):
    running = control(mesh(9191, 9001)).wait_ready()
    with Delta(running.address, node="web-1") as stream:
        stream.ask("clusters", ["*"])
        names(stream)
        before = time.monotonic()
        assert running.end() == 0
        assert time.monotonic() - before < 5


def addresses(stream, kind: str, name: str) -> set[int]:
    """The ports of the next response of endpoints that speaks of `name`."""
    while True:
        response = stream.next(timeout=20)
        stream.ack(response)
        for resource in response.resources:
            if response.type_url.endswith(kind) and resource.name == name:
                found = unpack(resource.resource)
                return {e.endpoint.address.socket_address.port_value for g in found.endpoints for e in g.lb_endpoints}


def test_the_mesh_out_of_consul_is_followed(control):
    with Consul() as consul:
        running = control(None, "--consul", f"127.0.0.1:{consul.http_port}").wait_ready()
        upstreams = [{"DestinationName": "api", "LocalBindPort": 9191}]
        sidecar = {"SidecarService": {"Port": 21000, "Proxy": {"Upstreams": upstreams}}}
        consul.put("/v1/agent/service/register", {"Name": "web", "ID": "web-1", "Port": 9000, "Connect": sidecar})
        consul.put("/v1/config", {"Kind": "service-defaults", "Name": "api", "Protocol": "http"})
        consul.register("api", 9001, id="api-1")
        with Delta(running.address, node="web-1") as stream:
            for kind in ("clusters", "endpoints", "listeners", "routes"):
                stream.ask(kind, ["*"])
            got = addresses(stream, "ClusterLoadAssignment", "api")
            while got != {9001}:
                got = addresses(stream, "ClusterLoadAssignment", "api")
            consul.register("api", 9002, id="api-2")
            before = time.monotonic()
            assert addresses(stream, "ClusterLoadAssignment", "api") == {9001, 9002}
            assert time.monotonic() - before < 2
            consul.deregister("api-1")
            assert addresses(stream, "ClusterLoadAssignment", "api") == {9002}
