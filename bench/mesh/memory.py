"""A proxy asks Consul about the services that it uses: what do 10,000 others cost it?"""

from __future__ import annotations

import http.client
import json
import time

from changes import proxy
from common import World, Verdict, free_port, rss_kb, status_of, until
from control import serve

from tests.support.consul import Consul  # noqa: E402

USED = 5


def others(consul: Consul, count: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", consul.http_port, timeout=30)
    for i in range(count):
        node = {"Node": f"n{i % 100}", "Address": f"10.9.0.{i % 100 + 1}", "SkipNodeUpdate": i >= 100,
                "Service": {"Service": f"other-{i}", "ID": f"other-{i}", "Port": 80}}
        connection.request("PUT", "/v1/catalog/register", json.dumps(node))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"Consul would not register: {answer.status}")
    connection.close()


def measured(world: World, backend: int, more: int) -> tuple[int, int]:
    """RSS of the proxy and of control, KB."""
    binds = [free_port() for _ in range(USED)]
    with Consul() as consul:
        consul.register("web", 1, Connect={"SidecarService": {"Port": free_port(), "Proxy": {"Upstreams": [
            {"DestinationName": f"api-{i}", "LocalBindPort": bind} for i, bind in enumerate(binds)]}}})
        consul.put("/v1/config", {"kind": "proxy-defaults", "name": "global", "config": {"protocol": "http"}})
        for i in range(USED):
            consul.register(f"api-{i}", backend)
        others(consul, more)
        control, port, _ = serve(world, "--consul", consul.address)
        real = proxy(world, "--control", f"127.0.0.1:{port}", "--consul", consul.address)
        for bind in binds:
            until(lambda at=bind: status_of(at, "/16") == 200, 20, "an answer by way of the mesh")
        time.sleep(3)  # what a start needs is given back
        result = rss_kb(real.pid), rss_kb(control.pid)
        world.end(real)
        world.end(control)
    return result


def run(world: World) -> list[Verdict]:
    many = 300 if world.quick else 10_000
    backend = world.backend()
    few, control_few = measured(world, backend, 0)
    more, control_more = measured(world, backend, many)
    return [
        Verdict(f"memory: the proxy's RSS with {USED} services in Consul", few / 1024, "MB"),
        Verdict(f"memory: with {many:,} others beside", more / 1024, "MB"),
        Verdict("memory: so they cost", (more - few) / 1024, "MB", 1.0),
        Verdict(f"memory: control's RSS with {USED} services", control_few / 1024, "MB"),
        Verdict(f"memory: control's with {many:,} others beside", control_more / 1024, "MB"),
    ]
