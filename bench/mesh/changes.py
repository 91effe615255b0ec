"""From a change to the first request that follows it, with 100 proxies on the control plane, all of one service.

A change of the file, of a config entry in Consul, or of Consul's catalog; one of the proxies is a real one, under load, and 99 are
light ones. Consul, control and the real proxy share a core.
"""

from __future__ import annotations

import json
import time

from common import World, Verdict, Watcher, free_port, percentile, status_of, until, write
from control import Streams, serve

from tests.support import upstream as u  # noqa: E402
from tests.support.consul import Consul  # noqa: E402

PROXIES = 100


def versioned(name: str) -> u.Upstream:
    server = u.Upstream(name)
    server.default = u.answer(200, name, headers=[("x-version", name)])
    return server


def resolver() -> dict:
    return {"kind": "service-resolver", "name": "api", "subsets": {
        "v1": {"filter": "Service.Meta.version == v1"}, "v2": {"filter": "Service.Meta.version == v2"}}}


def splitter(first: str) -> dict:
    second = "v1" if first == "v2" else "v2"
    return {"kind": "service-splitter", "name": "api", "splits": [
        {"weight": 100, "service_subset": first}, {"weight": 0, "service_subset": second}]}


def mesh(bind: int, backends: dict[str, int], first: str) -> str:
    web = {"name": "web", "port": 1, "connect": {"sidecar_service": {"port": free_port(), "proxy": {
        "upstreams": [{"destination_name": "api", "local_bind_port": bind}]}}}}
    apis = [{"name": "api", "id": f"api-{v}", "address": "127.0.0.1", "port": p, "meta": {"version": v}} for v, p in backends.items()]
    defaults = {"kind": "service-defaults", "name": "api", "protocol": "http"}
    return json.dumps({"services": [web, *apis], "config_entries": [defaults, resolver(), splitter(first)]})


def measure(title: str, port: int, words: tuple[str, str], change, rounds: int) -> list[Verdict]:
    """`change(word)` makes the mesh answer `word`; each in turn."""
    until(lambda: status_of(port, "/") == 200, 15, f"{title}: the first answer")
    watcher = Watcher(port)
    delays = []
    for i in range(rounds):
        time.sleep(0.15 + 0.013 * (i % 10))  # not in step with any timer
        word = words[(i + 1) % 2]
        begun = time.monotonic()
        change(word)
        delays.append(watcher.first(word, begun) * 1000)
    watcher.close()
    return [
        Verdict(f"{title}: to the first request that follows, p50", percentile(delays, 0.5), "ms"),
        Verdict(f"{title}: to the first request that follows, p99", percentile(delays, 0.99), "ms", 100),
        Verdict(f"{title}: failed requests", watcher.failures, "", 0),
    ]


def proxy(world: World, *arguments: object):
    return world.start(world.programs.found["remora"], "--service", "web", "--concurrency", "1", "--log-level", "warn", *arguments,
                       core=world.core, log="proxy.log")


def by_file(world: World, backends: dict[str, int], rounds: int) -> list[Verdict]:
    verdicts = []
    for title, alone in (("file, read by the proxy", True), (f"file, by control, {PROXIES} proxies", False)):
        bind, path = free_port(), world.work / f"mesh-{alone}.json"
        texts = {word: mesh(bind, backends, word) for word in backends}
        write(path, texts["v1"])
        if alone:
            running = [proxy(world, "--mesh", path)]
        else:
            control, port, _ = serve(world, "--mesh", path, core=world.core)
            streams = Streams(world, port, PROXIES - 1, "web", core=world.load_core)
            running = [proxy(world, "--control", f"127.0.0.1:{port}"), streams.process, control]
        verdicts += measure(title, bind, ("v1", "v2"), lambda word, to=path, of=texts: write(to, of[word]), rounds)
        for process in running:
            world.end(process)
    return verdicts


def by_consul(world: World, backends: dict[str, int], rounds: int) -> list[Verdict]:
    bind = free_port()
    with Consul() as consul:
        consul.register("web", 1, Connect={"SidecarService": {"Port": free_port(), "Proxy": {
            "Upstreams": [{"DestinationName": "api", "LocalBindPort": bind}]}}})
        for version, port in backends.items():
            consul.register("api", port, id=f"api-{version}", Meta={"version": version})
        for entry in ({"kind": "service-defaults", "name": "api", "protocol": "http"}, resolver(), splitter("v1")):
            consul.put("/v1/config", entry)
        control, port, _ = serve(world, "--consul", consul.address, core=world.core)
        streams = Streams(world, port, PROXIES - 1, "web", core=world.load_core)
        real = proxy(world, "--control", f"127.0.0.1:{port}", "--consul", consul.address)
        verdicts = measure(f"Consul's config entry, {PROXIES} proxies", bind, ("v1", "v2"),
                           lambda word: consul.put("/v1/config", splitter(word)), rounds)
        consul.call("DELETE", "/v1/config/service-splitter/api")
        consul.deregister("api-v2")

        def register(word: str) -> None:  # v2 comes, and goes again so that it can come
            if word == "v2":
                consul.register("api", backends["v2"], id="api-v2", Meta={"version": "v2"})
            else:
                consul.deregister("api-v2")

        verdicts += measure(f"Consul's catalog, {PROXIES} proxies", bind, ("v1", "v2"), register, rounds)
        for process in (real, streams.process, control):
            world.end(process)
    return verdicts


def run(world: World) -> list[Verdict]:
    rounds = 6 if world.quick else 100
    with versioned("v1") as one, versioned("v2") as two:
        backends = {"v1": one.port, "v2": two.port}
        return by_file(world, backends, rounds) + by_consul(world, backends, rounds)
