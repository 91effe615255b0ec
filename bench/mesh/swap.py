"""10,000 endpoints and 1,000 routes are swapped in under load: what do those notice who are served meanwhile?

Resources come as files, as Envoy takes them too (path_config_source), so that both read the same bytes at the same time.
"""

from __future__ import annotations

import json
import subprocess
import time

from common import World, Verdict, free_port, percentile, px, status_of, until, write

ROUTES, ENDPOINTS = 1000, 10  # a cluster for each route
RATE = 2000
TYPE = "type.googleapis.com/envoy."


def resources(kind: str, messages: list[dict], version: int) -> str:
    of = {"cds": "config.cluster.v3.Cluster", "lds": "config.listener.v3.Listener"}[kind]
    return json.dumps({"version_info": str(version), "resources": [{"@type": TYPE + of, **m} for m in messages]})


def cluster(name: str, addresses: list[tuple[str, int]]) -> dict:
    endpoints = [{"endpoint": {"address": {"socket_address": {"address": a, "port_value": p}}}} for a, p in addresses]
    return {"name": name, "type": "STATIC", "connect_timeout": "5s",
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}}


def clusters(backend: int, many: int) -> list[dict]:
    """`many`: 0, none but the one that is used; else which addresses."""
    found = [cluster("app", [("127.0.0.1", backend)])]
    for i in range(ROUTES if many else 0):
        found.append(cluster(f"c{i}", [(f"10.{many}.{i % 250}.{i // 250 * ENDPOINTS + e + 1}", 80) for e in range(ENDPOINTS)]))
    return found


def listener(port: int, many: int) -> dict:
    routes = [{"match": {"prefix": f"/service/{i}/"}, "route": {"cluster": f"c{i}", "timeout": f"{many}s"}}
              for i in range(ROUTES if many else 0)]
    routes.append({"match": {"prefix": "/"}, "route": {"cluster": "app"}})
    extensions = TYPE + "extensions.filters."
    return {"name": "outbound", "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": {
                "@type": extensions + "network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "out",
                "rds": {"route_config_name": "r", "config_source": {"path_config_source": {"path": "@RDS@"},
                                                                     "resource_api_version": "V3"}},
                "http_filters": [{"name": "envoy.filters.http.router",
                                  "typed_config": {"@type": extensions + "http.router.v3.Router"}}]}}]}]}, routes


class Swapped:
    """A proxy that follows three files."""

    def __init__(self, world: World, name: str, backend: int, concurrency: int):
        self.world, self.name, self.backend = world, name, backend
        self.port, self.admin = free_port(), free_port()
        self.folder = world.work / f"swap-{name}-{concurrency}"
        self.folder.mkdir()
        self.version = 0
        self.texts = {many: self.texts_of(many) for many in (0, 1, 2)}  # made ahead: our own work is not to disturb
        self.put(0)
        source = lambda kind: {"path_config_source": {"path": str(self.folder / f"{kind}.json")}, "resource_api_version": "V3"}
        bootstrap = {
            "node": {"id": "bench", "cluster": "bench"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self.admin}}},
            "dynamic_resources": {"cds_config": source("cds"), "lds_config": source("lds")},
        }
        (self.folder / "bootstrap.json").write_text(json.dumps(bootstrap))
        self.process = world.start(
            world.programs.found[name], "-c", self.folder / "bootstrap.json", "--concurrency", concurrency, "--log-level", "error",
            "--disable-hot-restart", log=f"swap-{name}.log",
        )
        until(lambda: status_of(self.port, "/16") == 200, 15, f"{name}: the start")

    def texts_of(self, many: int) -> dict[str, str]:
        front, routes = listener(self.port, many)
        rds = {"version_info": str(many), "resources": [{"@type": TYPE + "config.route.v3.RouteConfiguration", "name": "r",
               "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}]}
        return {"cds": resources("cds", clusters(self.backend, many), many), "rds": json.dumps(rds),
                "lds": resources("lds", [front], 1).replace("@RDS@", str(self.folder / "rds.json"))}

    def put(self, many: int) -> None:
        """Clusters first: a route to a cluster that is not there yet is no route."""
        self.version += 1
        texts = self.texts[many]
        write(self.folder / "cds.json", texts["cds"])
        if self.version > 1:
            time.sleep(0.05)
        write(self.folder / "rds.json", texts["rds"])
        if self.version == 1:
            write(self.folder / "lds.json", texts["lds"])

    def took(self, many: int) -> bool:
        """It says so itself: the last cluster has the new addresses."""
        done = subprocess.run(["curl", "-s", f"http://127.0.0.1:{self.admin}/clusters"], capture_output=True, text=True, check=False)
        return f"c{ROUTES - 1}::10.{many}." in done.stdout


def second(world: World, swapped: Swapped, many: int) -> dict:
    """One second of load; `many`: a swap in its midst."""
    load = subprocess.Popen(
        [str(world.bin / "bench_load"), "--port", str(swapped.port), "--connections", "16", "--rate", str(RATE), "--duration", "1",
         "--warmup", "0.3", "--watch", str(swapped.process.pid)],
        stdout=subprocess.PIPE, text=True, preexec_fn=px.pinned(world.load_core),
    )
    if many:
        time.sleep(0.5)
        swapped.put(many)
    said = json.loads(load.communicate()[0])
    if many:
        until(lambda: swapped.took(many), 20, f"{swapped.name}: the swap")
    return said


def run(world: World) -> list[Verdict]:
    backend = world.backend()
    verdicts: list[Verdict] = []
    rounds = 2 if world.quick else 9
    for name in ("remora", "envoy"):
        if not world.programs.found[name]:
            continue
        for concurrency in (1, 2):
            swapped = Swapped(world, name, backend, concurrency)
            quiet, moved, errors = [], [], 0
            for i in range(rounds):
                quiet.append(second(world, swapped, 0))
                moved.append(second(world, swapped, 1 + i % 2))
                errors += moved[-1]["errors"] + moved[-1]["non_2xx"] + moved[-1]["stuck"]
            world.end(swapped.process)
            p99 = [percentile([s["latency_us"]["p99"] for s in seconds], 0.5) for seconds in (quiet, moved)]
            cpu = [percentile([s["watch"]["cpu_ns"] / 1e6 for s in seconds], 0.5) for seconds in (quiet, moved)]
            title = f"{name}, {concurrency} worker{'s' if concurrency > 1 else ''}"
            ours = name == "remora"
            verdicts += [
                Verdict(f"swap, {title}: p99 quiet", p99[0], "µs"),
                Verdict(f"swap, {title}: p99 of the second with the swap", p99[1], "µs"),
                Verdict(f"swap, {title}: × quiet", p99[1] / p99[0], "×", 2.0 if ours else None),
                Verdict(f"swap, {title}: its CPU", cpu[1] - cpu[0], "ms"),
                Verdict(f"swap, {title}: failed requests", errors, "", 0 if ours else None),
            ]
    return verdicts
