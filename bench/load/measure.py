"""One run: starts the backend and every proxy, sends each scenario through each in turn, round after round."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterator, Optional

import proxies as px


@dataclass(frozen=True)
class Scenario:
    key: str
    title: str
    connections: int
    path: str = "/128"
    body: int = 0
    rate: int = 0  # 0: closed loop


SCENARIOS = [
    Scenario("c1", "1 connection", 1),
    Scenario("c64", "64 connections", 64),
    Scenario("c512", "512 connections", 512),
    Scenario("down64k", "64 KB answers, 64 conn.", 64, path="/65536"),
    Scenario("up64k", "64 KB requests, 64 conn.", 64, body=65536),
    Scenario("rate1000", "1,000 requests/s, 16 conn.", 16, rate=1000),
]


# A tail is easily disturbed: of many short readings the median forgets those that were.
OPEN_LOOP_READINGS = 3  # a round


def repeated(scenarios: list[Scenario]) -> list[Scenario]:
    return [s for s in scenarios for _ in range(OPEN_LOOP_READINGS if s.rate else 1)]


def steps_of(scenarios: list[Scenario], proxies: int) -> int:
    """Readings in a round."""
    return sum(proxies + bool(s.rate) for s in repeated(scenarios))


def rate_scenario(rate: int, connections: int = 32) -> Scenario:
    return Scenario(f"rate{rate}", f"{rate:,} requests/s", connections, rate=rate)


class Progress:
    """One line on a terminal, rewritten; elsewhere nothing."""

    def __init__(self, total: int, quiet: bool = False):
        self.total = total
        self.done = 0
        self.begun = time.monotonic()
        self.on = sys.stderr.isatty() and not quiet

    def step(self, what: str) -> None:
        if self.on:
            spent = time.monotonic() - self.begun
            left = spent / self.done * (self.total - self.done) if self.done else 0
            width = 24
            filled = width * self.done // max(self.total, 1)
            bar = "█" * filled + "░" * (width - filled)
            tail = f" · {left:.0f} s left" if self.done > 2 else ""
            print(f"\r\x1b[K{bar} {self.done}/{self.total} · {what}{tail}", end="", file=sys.stderr, flush=True)
        self.done += 1

    def end(self) -> None:
        if self.on:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextmanager
def holding(lock: Optional[Path]) -> Iterator[None]:
    """While others compile, numbers lie: a lock file that they take as well keeps them out for one round."""
    if lock is None:
        yield
        return
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def read_word(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return "?"


def machine() -> dict[str, object]:
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "congestion_control": read_word("/proc/sys/net/ipv4/tcp_congestion_control"),
        "host": platform.node(),
        "date": time.strftime("%Y-%m-%d"),
    }


def steal_share(before: list[int], after: list[int]) -> float:
    """Of /proc/stat's first line: what the hypervisor gave to others."""
    delta = [b - a for a, b in zip(before, after)]
    return delta[7] / sum(delta) if len(delta) > 7 and sum(delta) > 0 else 0.0


def cpu_line() -> list[int]:
    return [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]


class Bench:
    def __init__(self, programs: px.Programs, names: list[str], work: Path, cores: tuple[int, int]):
        self.programs = programs
        self.names = names
        self.work = work
        self.proxy_core, self.load_core = cores
        work.mkdir(parents=True, exist_ok=True)
        px.raise_file_limit()
        self.backend = px.start_backend(programs, self.load_core, work)

    def close(self) -> None:
        self.backend.stop()

    def start(self, name: str) -> px.Server:
        return px.start_proxy(name, self.programs, self.backend.port, self.proxy_core, self.work)

    def load(self, server: Optional[px.Server], scenario: Scenario, duration: float, warmup: float, requests: int = 0) -> dict:
        """What bench_load says, through `server`, or direct when there is none."""
        argv = [str(self.programs.found["load"]), "--connections", str(scenario.connections), "--path", scenario.path]
        argv += ["--port", str(server.port if server else self.backend.port), "--warmup", str(warmup)]
        argv += ["--requests", str(requests)] if requests else ["--duration", str(duration)]
        if scenario.body:
            argv += ["--body", str(scenario.body)]
        if scenario.rate:
            argv += ["--rate", str(scenario.rate)]
        for pid in server.pids() if server else []:
            argv += ["--watch", str(pid)]
        before = cpu_line()
        run = subprocess.run(argv, capture_output=True, text=True, preexec_fn=px.pinned(self.load_core), check=False)
        if run.returncode != 0:
            raise px.BenchError(f"bench_load failed through {server.name if server else 'nothing'}: {run.stderr.strip()}")
        said = json.loads(run.stdout)
        said["steal"] = round(steal_share(before, cpu_line()), 4)
        if server and said["requests"]:
            said["cpu_us"] = said["watch"]["cpu_ns"] / said["requests"] / 1000
        return said

    def rounds(self, scenarios: list[Scenario], rounds: int, duration: float, warmup: float, lock: Optional[Path],
               progress: Progress) -> dict:
        """results[scenario][proxy] = one reading a round, or several in open loop, which is also sent direct."""
        results: dict = {s.key: {} for s in scenarios}
        servers = {name: self.start(name) for name in self.names}
        try:
            for number in range(rounds):
                with holding(lock):
                    for scenario in repeated(scenarios):
                        turn = ["direct", *self.names] if scenario.rate else list(self.names)
                        turn = turn[number % len(turn):] + turn[: number % len(turn)]  # nobody is always first
                        for name in turn:
                            progress.step(f"round {number + 1} of {rounds} · {scenario.title} · {name}")
                            said = self.load(servers.get(name), scenario, duration, warmup)
                            results[scenario.key].setdefault(name, []).append(said)
        finally:
            for server in servers.values():
                server.stop()
        return results

    def memory(self, pairs: int, hold: float, lock: Optional[Path], progress: Progress) -> dict:
        """Of a fresh process: idle, and with `pairs` requests in flight at once (the backend holds their answers)."""
        results = {}
        delay = int(hold * 1000)
        scenario = Scenario("held", "held", pairs, path=f"/128/{delay}")
        for name in self.names:
            progress.step(f"memory · {name}")
            with holding(lock):
                server = self.start(name)
                try:
                    time.sleep(0.3)
                    idle = server.memory_kb()
                    said = self.load(server, scenario, hold * 1.6, hold * 1.6)
                    active = {key: said["watch"][key] for key in idle}
                    time.sleep(0.2)
                    after = server.memory_kb()
                finally:
                    server.stop()
            results[name] = {
                "pairs": pairs,
                "idle": idle,
                "active": active,
                "after": after,
                "errors": said["errors"],
                "pair_kb": (active["rss_kb"] - idle["rss_kb"]) / pairs,
                "pair_private_kb": (active["private_kb"] - idle["private_kb"]) / pairs,
            }
        return results

    def soak(self, name: str, requests: int, connections: int = 64) -> dict:
        """RSS after the first twentieth of `requests`, and after all of them."""
        scenario = Scenario("soak", "soak", connections)
        server = self.start(name)
        try:
            idle = server.memory_kb()
            first = max(requests // 20, 1000)
            warm = self.load(server, scenario, 0, 0.1, first)["watch"]
            said = self.load(server, scenario, 0, 0.1, max(requests - first, 1000))
            end = said["watch"]
        finally:
            server.stop()
        return {
            "requests": requests,
            "idle_kb": idle["rss_kb"],
            "warm_kb": warm["rss_kb"],
            "end_kb": end["rss_kb"],
            "growth_kb": end["rss_kb"] - warm["rss_kb"],
            "errors": said["errors"],
        }


def scenario_facts(scenarios: list[Scenario]) -> list[dict]:
    return [asdict(s) for s in scenarios]
