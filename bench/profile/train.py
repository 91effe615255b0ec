#!/usr/bin/env python3
"""Sends traffic of many kinds through a remora-proxy that counts what it executes; scripts/profile keeps the counts.

    bench/profile/train.py BIN      BIN: the folder of remora-proxy, bench_backend and bench_load

Numbers of requests, not times, so that two trainings count nearly alike on any machine.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent

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


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port: int, what: str) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"bench/profile: {what} does not listen")


def end(process: subprocess.Popen) -> int:
    """A second signal ends a drain at once."""
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    return process.wait(30)


def main() -> int:
    binaries = Path(sys.argv[1])
    ports = {name: free_port() for name in ("PORT", "ADMIN", "UPSTREAM", "SECOND")}
    text = (HERE / "bootstrap.yaml").read_text()
    for name, port in ports.items():
        text = text.replace(f"@{name}@", str(port))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(text)
        config.flush()
        backends = [subprocess.Popen([binaries / "bench_backend", "--port", str(ports[name])]) for name in ("UPSTREAM", "SECOND")]
        proxy = subprocess.Popen([binaries / "remora-proxy", "-c", config.name, "--concurrency", "1", "--log-level", "error"])
        try:
            wait_for(ports["PORT"], "remora-proxy")
            for flags in TRAFFIC:
                load = [binaries / "bench_load", "--port", str(ports["PORT"]), "--warmup", "0", *flags]
                subprocess.run(load, check=True, stdout=subprocess.DEVNULL, timeout=300)
            urllib.request.urlopen(f"http://127.0.0.1:{ports['ADMIN']}/metrics", timeout=20).read()
            return end(proxy)
        finally:
            for process in (*backends, proxy):
                process.kill()


if __name__ == "__main__":
    sys.exit(main())
