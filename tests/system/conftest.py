"""What the system tests start with: an upstream, and Remoras that stop when the test ends."""

from __future__ import annotations

import pytest

from tests.support import binaries, bootstrap as b, client, ports, proxy, upstream
from tests.support.load import Load, until  # noqa: F401: tests take them from here


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
