"""Names in clusters, against a DNS server of our own: resolved at the start, followed under load, kept while nobody
answers; and what the proxy says of all that."""

from __future__ import annotations

import json
import time

import pytest

from tests.support import binaries, bootstrap as b, ports, proxy, upstream as u
from tests.support.client import get
from tests.support.dns import DnsServer

from .conftest import Load, until

CARES = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
KINDS = ["STRICT_DNS", "LOGICAL_DNS"]


def dns_cluster(server: DnsServer, port: int, kind: str = "STRICT_DNS", **fields) -> dict:
    made = b.cluster("up")
    made["type"] = kind
    made["load_assignment"]["endpoints"] = [{"lb_endpoints": [{"endpoint": {"address": b.address(port, "api.test")}}]}]
    made["dns_lookup_family"] = "V4_ONLY"
    made["dns_refresh_rate"] = "0.1s"
    made["typed_dns_resolver_config"] = {
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {
            "@type": CARES,
            "resolvers": [b.address(server.port)],
            "dns_resolver_options": {"no_default_search_domain": True},
            "query_timeout_seconds": 1,
            "query_tries": 1,
        },
    }
    made.update(fields)
    return made


@pytest.fixture
def dns():
    with DnsServer({"api.test": ["127.0.0.1"]}) as server:
        yield server


@pytest.fixture
def three():
    """The same port on three addresses; bodies say which: b"1", b"2", b"3"."""
    port = ports.free_port()
    with (
        u.Upstream("1", port, host="127.0.0.1") as one,
        u.Upstream("2", port, host="127.0.0.2") as two,
        u.Upstream("3", port, host="127.0.0.3") as three,
    ):
        for server in (one, two, three):
            server.default = u.answer(200, server.name)
        yield one, two, three


def hosts(running) -> set[str]:
    lines = running.admin("/clusters").text.splitlines()
    return {line.split("::")[1].split(":")[0] for line in lines if "::cx_active::" in line}


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_is_resolved_before_anyone_is_served(remora, up, dns, kind):
    dns.delay = 0.3
    running = remora([b.route("/", "up")], [dns_cluster(dns, up.port, kind)])
    assert running.fetch().status == 200
    assert ("api.test", "A") in dns.asked
    page = running.admin("/clusters").text
    assert f"up::127.0.0.1:{up.port}::hostname::api.test" in page
    assert "up::discovery::source::dns" in page
    age = next(line for line in page.splitlines() if line.startswith("up::discovery::age_seconds::"))
    assert float(age.rsplit("::", 1)[1]) < 2
    assert running.metric("remora_dns_lookups_total", result="answered") >= 1


def test_addresses_change_under_load_and_nothing_fails(remora, three, dns):
    running = remora([b.route("/", "up")], [dns_cluster(dns, three[0].port)], concurrency=2)
    with Load(running.port) as load:
        load.wait(b"1")
        dns.records["api.test"] = ["127.0.0.1", "127.0.0.2"]
        load.wait(b"2")
        warm = len(three[0].connections)
        load.wait(b"1")
        dns.records["api.test"] = ["127.0.0.3", "127.0.0.1"]
        load.wait(b"3")
        load.wait(b"1")
        assert len(three[0].connections) == warm, "who stays keeps its connections"
        until(lambda: hosts(running) == {"127.0.0.1", "127.0.0.3"})
        for addresses in (["127.0.0.2"], ["127.0.0.3"], ["127.0.0.1"]):
            dns.records["api.test"] = addresses
            until(lambda: hosts(running) == set(addresses))
            load.wait(addresses[0][-1].encode())
        mark = load.seen[b"3"] + 8  # those under way
        load.wait(b"1")
        assert load.seen[b"3"] <= mark
    assert load.wrong == []


def test_connections_outlive_the_address_of_a_logical_name(remora, three, dns):
    running = remora([b.route("/", "up")], [dns_cluster(dns, three[0].port, "LOGICAL_DNS")])
    with running.connect() as held:
        assert held.request(get()).body == b"1"
        dns.records["api.test"] = ["127.0.0.2", "127.0.0.1"]
        until(lambda: hosts(running) == {"127.0.0.2"})
        assert held.request(get()).body == b"1", "the connection that is open"
    for server in three:
        server.default = u.answer(200, server.name, delay=0.02)
    with Load(running.port, 8) as load:
        load.wait(b"2")  # more at once than connections are open: new ones go where the name points
        dns.records["api.test"] = []
        load.wait(b"2")  # and an empty answer takes nothing away
    assert load.wrong == []


def test_a_server_that_falls_silent_takes_nothing_away(remora, up, dns):
    running = remora([b.route("/", "up")], [dns_cluster(dns, up.port)])
    with Load(running.port) as load:
        for fault in ("broken", "silent"):
            failed = running.metric("remora_dns_lookups_total", result="failed")
            setattr(dns, fault, True)
            running.wait_metric("remora_dns_lookups_total", failed + 2, result="failed", timeout=20)
            assert running.metric("remora_dns_age_seconds") > 0
            assert running.metric("remora_discovery_failing", cluster="up", source="dns") == 1
            assert "up::discovery::failing::'api.test': " in running.admin("/clusters").text
            load.wait(b"up\n")
            setattr(dns, fault, False)
            until(lambda: running.metric("remora_discovery_failing", cluster="up", source="dns") == 0, 10)
    assert load.wrong == []
    log = running.proxy.stderr()
    assert f"cluster 'up': 'api.test' cannot be resolved: " in log
    assert f"(asked: 127.0.0.1:{dns.port}); the last good addresses stay: 127.0.0.1" in log


@pytest.mark.parametrize(
    "fault, words",
    [
        ("broken", "none listens, or all failed"),  # c-ares goes on after a SERVFAIL, and then says no more
        ("silent", "no DNS server answered in time"),
        ("unknown", "there is no such name (NXDOMAIN)"),
    ],
)
def test_a_request_hears_what_dns_said(remora, up, dns, fault, words):
    if fault == "unknown":
        dns.records.clear()
    else:
        setattr(dns, fault, True)
    running = remora([b.route("/", "up")], [dns_cluster(dns, up.port)])  # the start waits for the failure, no longer
    answer = running.fetch(get("/", headers="accept: application/json\r\n"))
    assert answer.status == 503
    assert answer.get("x-remora-reason") == "dns_failed"
    body = json.loads(answer.body)
    assert "'api.test'" in body["evidence"] and words in body["evidence"] and str(dns.port) in body["evidence"]
    assert "load_assignment" in body["way_out"]
    assert words in running.proxy.stderr()
    dns.records["api.test"] = ["127.0.0.1"]
    dns.broken = dns.silent = False
    until(lambda: running.fetch().status == 200, 10)


def test_a_name_that_goes_takes_its_endpoints_along(remora, up, dns):
    running = remora([b.route("/", "up")], [dns_cluster(dns, up.port)])
    assert running.fetch().status == 200
    dns.records.clear()
    until(lambda: running.fetch().status == 503)
    assert "up::discovery::skipped::'api.test': there is no such name (NXDOMAIN)" in running.admin("/clusters").text
    assert running.metric("remora_dns_lookups_total", result="empty") >= 1


def test_the_ttl_is_respected(remora, up, dns):
    dns.ttl = 300
    running = remora([b.route("/", "up")], [dns_cluster(dns, up.port, respect_dns_ttl=True, dns_refresh_rate="0.05s")])
    assert running.fetch().status == 200
    asked = len(dns.asked)
    time.sleep(0.5)
    assert len(dns.asked) == asked


def test_health_checks_follow_the_addresses(remora, three, dns):
    for server in three:
        server.by_path["/health"] = u.answer(200, "well")
    three[1].by_path["/health"] = u.answer(500, "ill")
    dns.records["api.test"] = ["127.0.0.1", "127.0.0.2"]
    check = {
        "timeout": "0.5s",
        "interval": "0.1s",
        "no_traffic_interval": "0.1s",
        "unhealthy_threshold": 1,
        "healthy_threshold": 1,
        "http_health_check": {"path": "/health"},
    }
    cluster = dns_cluster(dns, three[0].port, health_checks=[check])
    running = remora([b.route("/", "up")], [cluster])
    assert {running.fetch().body for _ in range(10)} == {b"1"}
    dns.records["api.test"] = ["127.0.0.2", "127.0.0.3"]
    until(lambda: {running.fetch().body for _ in range(5)} == {b"3"})
    checked = lambda server: sum(request.target == "/health" for request in server.requests)  # noqa: E731
    until(lambda: checked(three[2]) >= 3)
    before = checked(three[0])
    time.sleep(0.4)
    assert checked(three[0]) == before, "who is gone is not asked"


def test_names_and_addresses_stand_side_by_side(remora, three, dns):
    cluster = dns_cluster(dns, three[0].port)
    more = {"endpoint": {"address": b.address(three[0].port, "127.0.0.3")}}
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"].append(more)
    running = remora([b.route("/", "up")], [cluster])
    assert {running.fetch().body for _ in range(6)} == {b"1", b"3"}
    assert hosts(running) == {"127.0.0.1", "127.0.0.3"}


def test_a_listener_that_cannot_be_opened_still_ends_the_start(remora, up, dns):
    with pytest.raises(proxy.ProxyFailed, match="in use"):
        config = b.bootstrap(
            [b.listener(up.port, b.hcm([b.virtual_host("all", ["*"], [b.route("/", "up")])]))],
            [dns_cluster(dns, up.port)],
            ports.free_port(),
        )
        proxy.Proxy(binaries.remora(), config, name="remora")


def test_a_cluster_of_consul_without_consul_says_so(remora):
    cluster = {
        "name": "web",
        "cluster_type": {
            "name": "remora.clusters.consul",
            "typed_config": {
                "@type": "type.googleapis.com/remora.clusters.consul.v3.ConsulCluster",
                "target": {"service": "web"},
            },
        },
    }
    running = remora([b.route("/", "web")], [cluster])
    answer = running.fetch(get("/", headers="accept: application/json\r\n"))
    assert (answer.status, answer.get("x-remora-reason")) == (503, "no_endpoint_found")
    assert "--consul names no agent" in json.loads(answer.body)["evidence"]
