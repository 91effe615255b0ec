"""1,000 delta streams: what they cost the control plane, and what a change costs that concerns one, ten or all of them."""

from __future__ import annotations

import json
import subprocess
import threading
import time

from common import World, Verdict, cpu_seconds, free_port, percentile, px, rss_kb, status_of, until, write

PEOPLE = 10  # proxies that share an api


def mesh_of(proxies: int, marks: dict[str, int]) -> str:
    """Service s<i> calls api-<i/10> and shared, s0 also solo. `marks`: the port of an instance of these."""
    port = lambda name: marks.get(name, 80)
    services, entries = [], []
    for i in range(proxies):
        called = [f"api-{i // PEOPLE}", "shared", *(["solo"] if i == 0 else [])]
        upstreams = [{"destination_name": name, "local_bind_port": 9000 + n} for n, name in enumerate(called)]
        services.append({"name": f"s{i}", "address": f"10.1.{i // 250}.{i % 250 + 1}", "port": 80,
                         "connect": {"sidecar_service": {"port": 21000, "proxy": {"upstreams": upstreams}}}})
    apis = [f"api-{i}" for i in range((proxies + PEOPLE - 1) // PEOPLE)]
    for n, name in enumerate([*apis, "shared", "solo"]):
        for e in range(3):
            services.append({"name": name, "id": f"{name}-{e}", "address": f"10.2.{n}.{e + 1}", "port": port(name)})
    entries.append({"kind": "proxy-defaults", "name": "global", "config": {"protocol": "http"}})
    return json.dumps({"services": services, "config_entries": entries})


class Streams:
    """bench_mesh_streams, and what it heard."""

    def __init__(self, world: World, port: int, count: int, service: str = "", core: int | None = None):
        self.heard: list[tuple[float, int, str]] = []  # when, who, of which type
        arguments = [service] if service else []
        self.process = world.start(world.bin / "bench_mesh_streams", "127.0.0.1", port, count, *arguments, core=core,
                                   stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            when, who, kind, resources = line.split()
            if int(resources):
                self.heard.append((int(when) / 1e9, int(who), kind))

    def since(self, when: float, kind: str) -> dict[int, float]:
        """Who heard of that type after `when`, and how long that took."""
        return {who: at - when for at, who, of in self.heard if at >= when and of == kind}


def serve(world: World, *arguments: object, core: int | None = None):
    port, admin = free_port(), free_port()
    process = world.start(world.bin / "remora-control", "serve", "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}",
                          *arguments, core=core, log="control.log")
    until(lambda: status_of(admin, "/ready") == 200, 30, "remora-control: the start")
    return process, port, admin


def run(world: World) -> list[Verdict]:
    count = 200 if world.quick else 1000
    changes = 3 if world.quick else 10
    path = world.work / "mesh.json"
    write(path, mesh_of(count, {}))
    control, port, _ = serve(world, "--mesh", path, core=world.core)
    idle = rss_kb(control.pid)
    streams = Streams(world, port, count, core=world.load_core)
    until(lambda: len(streams.since(0, "RouteConfiguration")) == count, 60, "the first resources of all")
    time.sleep(1)
    verdicts = [
        Verdict(f"control: RSS before anybody came, {count} services", idle / 1024, "MB"),
        Verdict(f"control: RSS with {count:,} delta streams", rss_kb(control.pid) / 1024, "MB", 100),
    ]
    marks: dict[str, int] = {}
    for title, name, concerned in (("one proxy", "solo", 1), (f"{PEOPLE} proxies", "api-1", PEOPLE), ("all proxies", "shared", count)):
        costs, delays = [], []
        for _ in range(changes):
            marks[name] = marks.get(name, 80) + 1
            text = mesh_of(count, marks)
            before, begun = cpu_seconds(control.pid), time.monotonic()
            write(path, text)
            kind = "ClusterLoadAssignment"
            until(lambda: len(streams.since(begun, kind)) >= concerned, 20, f"{concerned} to hear of a change of {name}")
            time.sleep(0.3)
            heard = streams.since(begun, kind)
            if len(heard) != concerned:
                raise px.BenchError(f"a change of {name} concerns {concerned}, and {len(heard)} heard of it")
            delays.append(max(heard.values()))
            costs.append(cpu_seconds(control.pid) - before)
        verdicts.append(Verdict(f"control: a changed endpoint reaches {title}, the last of them after", max(delays) * 1000, "ms", 1000))
        verdicts.append(Verdict(f"control: its CPU for a change that concerns {title}", percentile(costs, 0.5) * 1000, "ms"))
    world.end(streams.process)
    world.end(control)
    return verdicts
