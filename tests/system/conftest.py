"""What the system tests start with: an upstream, and Remoras that stop when the test ends."""

from __future__ import annotations

import collections
import threading
import time

import pytest

from tests.support import binaries, bootstrap as b, client, ports, proxy, upstream


class Running:
    """One Remora, its listener's port and a few shortcuts."""

    def __init__(self, process: proxy.Proxy, port: int, others: dict[str, int]):
        self.proxy, self.port, self.others = process, port, others

    def connect(self, **more) -> client.Client:
        return client.Client(self.port, **more)

    def fetch(self, data: str | bytes | None = None, timeout: float = 10.0):
        return client.fetch(self.port, data, timeout)

    def admin(self, path: str, method: str = "GET"):
        return self.proxy.admin(path, method)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        total = 0.0
        for line in self.admin("/metrics").text.splitlines():
            if line.startswith("#") or not line.startswith((name + "{", name + " ")):
                continue
            if all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def wait_metric(self, name: str, least: float, timeout: float = 5.0, **labels: str) -> float:
        return until(lambda: (v := self.metric(name, **labels)) >= least and (v,), timeout, f"{name} >= {least}")[0]


def until(condition, timeout: float = 5.0, what: str = "it"):
    """Polls until `condition()` is true, and returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        time.sleep(0.01)


class Load:
    """Requests by several connections, without a pause, until it is ended; what came is counted."""

    def __init__(self, port: int, connections: int = 4):
        self.seen, self.wrong = collections.Counter(), []
        self._port, self._stop = port, threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]

    def _run(self) -> None:
        try:
            self._ask()
        except Exception as error:  # noqa: BLE001: whoever waits must hear of it
            self.wrong.append(repr(error))

    def _ask(self) -> None:
        with client.Client(self._port) as connection:
            while not self._stop.is_set():
                answer = connection.request(client.get("/"))
                self.seen[answer.body] += 1
                if answer.status != 200:
                    self.wrong.append((answer.status, answer.body))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait(self, body: bytes, more: int = 50) -> None:
        least = self.seen[body] + more
        until(lambda: self.seen[body] >= least, 20, f"{more} more answers {body!r}")


@pytest.fixture
def up():
    with upstream.Upstream("up") as server:
        yield server


@pytest.fixture
def remora():
    """remora(routes, clusters, …) starts one. Routes and clusters are bootstrap dicts; `manager` adds fields to the
    connection manager, `listener` to the listener; `admin` off leaves none."""
    started: list[proxy.Proxy] = []

    def start(
        routes: list[dict],
        clusters: list[dict],
        *,
        manager: dict | None = None,
        listener: dict | None = None,
        host: dict | None = None,
        **options,
    ) -> Running:
        port = ports.free_port()
        hosts = [b.virtual_host("all", ["*"], routes, **(host or {}))]
        config = b.bootstrap(
            [b.listener(port, b.hcm(hosts, **(manager or {})), "main", **(listener or {}))], clusters, ports.free_port()
        )
        process = proxy.Proxy(binaries.remora(), config, name="remora", **options)
        started.append(process)
        return Running(process, port, {})

    failed = []
    yield start
    for process in started:
        try:
            process.stop()
        except proxy.ProxyFailed as error:
            failed.append(str(error))
    if failed:
        pytest.fail("\n".join(failed), pytrace=False)


@pytest.fixture
def simple(remora, up):
    """Everything to one upstream, defaults otherwise."""
    return remora([b.route("/", "up")], [b.cluster("up", up.port)])
