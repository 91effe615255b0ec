#!/usr/bin/env python3
"""Sends traffic of many kinds through a remora-proxy that counts what it executes; scripts/profile keeps the counts.

    bench/profile/train.py BIN      BIN: the folder of remora-proxy, bench_backend and bench_load

Numbers of requests, not times, so that two trainings count nearly alike on any machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "load"))

import proxies as px  # noqa: E402

# bench_load's flags: mostly small answers, as between services; all that costs little to have is there.
TRAFFIC = [
    ["--connections", "64", "--requests", "40000"],
    ["--connections", "1", "--requests", "3000"],
    ["--connections", "16", "--requests", "15000", "--host", "orders"],
    ["--connections", "8", "--requests", "5000", "--host", "eu.orders.svc", "--header", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
    ["--connections", "8", "--requests", "5000", "--host", "orders:8080", "--header", "x-canary: 1", "--header", "cookie: a=1; b=2"],
    ["--connections", "16", "--requests", "8000", "--body", "300", "--host", "orders", "--header", "content-type: application/json"],
    ["--connections", "8", "--requests", "1500", "--path", "/65536"],
    ["--connections", "8", "--requests", "1500", "--body", "65536"],
    ["--connections", "4", "--requests", "1000", "--path", "/health"],
    ["--connections", "4", "--requests", "500", "--path", "/admin/x", "--host", "orders"],
]


def end(process: subprocess.Popen) -> int:
    """A second signal ends a drain at once; by itself, so that the counts are written."""
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    return process.wait(30)


def main() -> int:
    programs = px.Programs.locate(Path(sys.argv[1]))
    core = min(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        servers = [px.start_backend(programs, core, work) for _ in range(2)]
        try:
            port, admin = px.free_port(), px.free_port()
            values = {"PORT": port, "ADMIN": admin, "UPSTREAM": servers[0].port, "SECOND": servers[1].port}
            config = work / "bootstrap.yaml"
            config.write_text(px.fill((HERE / "bootstrap.yaml").read_text(), values))
            argv = [str(programs.found["remora"]), "-c", str(config), "--concurrency", "1", "--log-level", "error"]
            proxy = px.Server("remora-proxy", argv, port, core, work / "remora-proxy.log")
            servers.append(proxy)
            proxy.wait_ready()
            for flags in TRAFFIC:
                load = [programs.found["load"], "--port", str(port), "--warmup", "0", *flags]
                subprocess.run(load, check=True, stdout=subprocess.DEVNULL, timeout=300)
            urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=20).read()
            return end(proxy.process)
        finally:
            for server in servers:
                server.stop()


if __name__ == "__main__":
    sys.exit(main())
