"""What the mesh's instruments share: programs, CPU and memory of a process, percentiles, a load that notes each answer."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "bench/load"), str(TOP)]

import proxies as px  # noqa: E402  (bench/load)
from tests.support.ports import free_port  # noqa: E402

__all__ = ["TOP", "World", "Verdict", "px", "free_port", "percentile", "until", "cpu_seconds", "rss_kb", "Watcher", "status_of", "write"]


@dataclass
class Verdict:
    what: str
    measured: float
    unit: str
    limit: Optional[float] = None  # at most; None: for information

    @property
    def met(self) -> bool:
        return self.limit is None or self.measured <= self.limit


class World:
    """Programs and processes of one instrument: what it started, ends with it."""

    def __init__(self, bin_dir: Path, quick: bool):
        self.bin = bin_dir
        self.quick = quick
        self.programs = px.Programs.locate(bin_dir)
        self.work = Path(tempfile.mkdtemp(prefix="remora-bench-mesh-"))
        cores = sorted(os.sched_getaffinity(0))
        self.core, self.load_core = (cores[1], cores[0]) if len(cores) > 1 else (cores[0], cores[0])
        self._processes: list[subprocess.Popen] = []

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def start(self, *argv: str, core: Optional[int] = None, log: str = "log", **more) -> subprocess.Popen:
        """Pinned to `core`, or free to run anywhere."""
        pinned = px.pinned(core) if core is not None else None
        with (self.work / log).open("a") as out:
            more = {"stdout": out, "stderr": out, "stdin": subprocess.DEVNULL, **more}
            process = subprocess.Popen([str(a) for a in argv], preexec_fn=pinned, **more)
        self._processes.append(process)
        return process

    def end(self, process: subprocess.Popen) -> None:
        process.kill()
        process.wait()
        self._processes.remove(process)

    def log_tail(self, name: str = "log") -> str:
        return (self.work / name).read_text(errors="replace")[-1500:]

    def backend(self) -> int:
        port = free_port()
        self.start(self.bin / "bench_backend", "--port", port, core=self.load_core)
        until(lambda: status_of(port, "/16") == 200, 10, "bench_backend")
        return port


def status_of(port: int, path: str) -> int:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0


def until(happened: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise px.BenchError(f"{what} did not happen in {seconds} s")
        time.sleep(0.02)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def cpu_seconds(pid: int) -> float:
    """Of all threads, from schedstat: nanoseconds, where `stat` has ticks."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def rss_kb(pid: int) -> int:
    return px.sum_lines(Path(f"/proc/{pid}/status"), ("VmRSS:",))


def write(path: Path, text: str) -> None:
    """As editors and ConfigMaps do: whole, or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    os.replace(fresh, path)


class Watcher:
    """One keep-alive connection that asks as fast as it can, and notes when an answer first differs."""

    def __init__(self, port: int):
        self._port = port
        self._stop = threading.Event()
        self.answers: list[tuple[float, float, str]] = []  # began, ended, x-version or the status
        self.failures = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                connection.request("GET", "/16")
                answer = connection.getresponse()
                answer.read()
                word = answer.headers.get("x-version", str(answer.status))
                self.failures += answer.status != 200
            except (OSError, http.client.HTTPException):
                self.failures += 1
                connection.close()
                continue
            self.answers.append((began, time.monotonic(), word))
            time.sleep(0.0005)

    def first(self, word: str, since: float, seconds: float = 20.0) -> float:
        """Seconds from `since` to the end of the first answer with that word, of those that began after it."""
        at = len(self.answers)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while at < len(self.answers):
                began, ended, got = self.answers[at]
                at += 1
                if began >= since and got == word:
                    return ended - since
            time.sleep(0.0005)
        raise px.BenchError(f"no answer {word!r} in {seconds} s")

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
