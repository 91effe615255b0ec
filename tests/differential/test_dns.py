"""Names in clusters, through Envoy and through Remora on the same bootstrap file: the same endpoints, the same answers."""

from __future__ import annotations

import time

import pytest

from tests.support import binaries, bootstrap as b, client, ports, proxy, upstream as u
from tests.support.dns import DnsServer

pytestmark = pytest.mark.xdist_group("dns")

CARES = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"


def named(name: str, kind: str, host: str, port: int, dns: DnsServer | None, **fields) -> dict:
    made = b.cluster(name)
    endpoint = {"endpoint": {"address": b.address(port, host)}}
    made["load_assignment"]["endpoints"] = [{"lb_endpoints": [endpoint]}]
    made.update(type=kind, dns_lookup_family="V4_ONLY", dns_refresh_rate="0.1s", **fields)
    if dns is not None:
        made["typed_dns_resolver_config"] = {
            "name": "envoy.network.dns_resolver.cares",
            "typed_config": {
                "@type": CARES,
                "resolvers": [b.address(dns.port)],
                "query_timeout_seconds": 1,
                "query_tries": 1,
            },
        }
    return made


class World:
    def __init__(self, kind: str):
        self.dns = DnsServer({"two.test": ["127.0.0.2", "127.0.0.1"], "goes.test": ["127.0.0.1"]})
        port = ports.free_port()
        self.upstreams = [u.Upstream(str(i), port, host=f"127.0.0.{i}") for i in (1, 2)]
        for server in self.upstreams:
            server.default = u.answer(200, server.name)
        clusters = [
            named("local", "STRICT_DNS", "localhost", port, None),
            named("strict", "STRICT_DNS", "two.test", port, self.dns),
            named("logical", "LOGICAL_DNS", "two.test", port, self.dns),
            named("strict_goes", "STRICT_DNS", "goes.test", port, self.dns),
            named("logical_goes", "LOGICAL_DNS", "goes.test", port, self.dns),
            named("unknown", "STRICT_DNS", "unknown.test", port, self.dns),
        ]
        names = [cluster["name"] for cluster in clusters]
        routes = [b.route(f"/{name}", name) for name in reversed(names)]
        self.port = ports.free_port()
        listener = b.listener(self.port, b.hcm([b.virtual_host("all", ["*"], routes)]))
        binary = binaries.envoy() if kind == "envoy" else binaries.remora()
        self.proxy = proxy.Proxy(binary, b.bootstrap([listener], clusters, ports.free_port()), name=kind)

    def close(self) -> None:
        self.proxy.stop()
        self.dns.close()
        for server in self.upstreams:
            server.close()

    def answers(self, cluster: str, count: int = 8) -> set[bytes]:
        return {client.fetch(self.port, client.get(f"/{cluster}")).body for _ in range(count)}

    def hosts(self, cluster: str) -> set[str]:
        lines = self.proxy.admin("/clusters").text.splitlines()
        return {line.split("::")[1].split(":")[0] for line in lines if line.startswith(f"{cluster}::") and "::rq_total::" in line}

    def wait_hosts(self, cluster: str, *hosts: str) -> None:
        deadline = time.monotonic() + 10
        while self.hosts(cluster) != set(hosts):
            assert time.monotonic() < deadline, (self.proxy.name, cluster, self.hosts(cluster))
            time.sleep(0.02)


@pytest.fixture(params=["envoy", "remora"])
def world(request):
    made = World(request.param)
    yield made
    made.close()


def test_names(world):
    assert world.hosts("local") == {"127.0.0.1"}
    assert world.answers("local") == {b"1"}
    assert world.hosts("strict") == {"127.0.0.1", "127.0.0.2"}
    assert world.answers("strict") == {b"1", b"2"}
    assert world.hosts("logical") == {"127.0.0.2"}, "the first of the answer"
    assert world.answers("logical") == {b"2"}
    page = world.proxy.admin("/clusters").text
    assert f"strict::127.0.0.1:{world.upstreams[0].port}::hostname::two.test" in page
    assert f"logical::127.0.0.2:{world.upstreams[0].port}::hostname::two.test" in page
    assert world.hosts("unknown") == set()
    answer = client.fetch(world.port, client.get("/unknown"))
    assert (answer.status, answer.body) == (503, b"no healthy upstream")


def test_names_that_change_and_go(world):
    world.dns.records["two.test"] = ["127.0.0.1"]
    world.wait_hosts("strict", "127.0.0.1")
    world.wait_hosts("logical", "127.0.0.1")
    assert world.answers("strict") == {b"1"}
    del world.dns.records["goes.test"]
    world.wait_hosts("strict_goes")
    time.sleep(0.5)
    assert world.hosts("logical_goes") == {"127.0.0.1"}, "an empty answer is none to LOGICAL_DNS"
    assert world.answers("logical_goes") == {b"1"}
    world.dns.broken = True
    time.sleep(0.5)
    assert world.answers("strict") == {b"1"}, "a failure takes nothing away"
