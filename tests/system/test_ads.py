"""The ADS server's wire, read by clients that we did not write: grpcio with the official protos, and a real Envoy."""

from __future__ import annotations

import json
import time

import grpc
import pytest
import yaml
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.service.endpoint.v3 import eds_pb2_grpc
from google.protobuf import json_format

from tests.support import binaries, client, ports, proxy
from tests.support.grpc_tool import AdsTool, Tool
from tests.support.xds_client import Delta, StateOfTheWorld
from tests.system.conftest import until


@pytest.fixture
def server():
    with AdsTool() as tool:
        yield tool


def cluster(name, timeout=1, eds=True):
    value = {"name": name, "connect_timeout": f"{timeout}s"}
    if eds:
        value |= {"type": "EDS", "eds_cluster_config": {"eds_config": {"ads": {}, "resource_api_version": "V3"}}}
    return json_format.ParseDict(value, cluster_pb2.Cluster())


def endpoints(name, *port_numbers):
    lb = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}} for port in port_numbers
    ]
    value = {"cluster_name": name, "endpoints": [{"lb_endpoints": lb}]}
    return json_format.ParseDict(value, endpoint_pb2.ClusterLoadAssignment())


def route(name, to):
    value = {"name": name, "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        {"match": {"prefix": "/"}, "route": {"cluster": to}}]}]}
    return json_format.ParseDict(value, route_pb2.RouteConfiguration())


def listener(name, port, routes):
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "rds": {"route_config_name": routes, "config_source": {"ads": {}, "resource_api_version": "V3"}},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    value = {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }
    # Its Any fields need these messages to be known.
    from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401
    from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2  # noqa: F401

    return json_format.ParseDict(value, listener_pb2.Listener())


# ---- delta

def test_delta_wildcard_gets_all_then_only_what_changes(server):
    server.set("clusters", "a", cluster("a"))
    server.set("clusters", "b", cluster("b"))
    server.commit()
    with Delta(server.address) as stream:
        stream.ask("clusters")
        first = stream.next("clusters")
        assert sorted(Delta.versions(first)) == ["a", "b"]
        stream.ack(first)
        assert stream.silent()
        server.set("clusters", "b", cluster("b", timeout=2))
        server.commit()
        second = stream.next("clusters")
        assert list(Delta.versions(second)) == ["b"]
        assert Delta.versions(second)["b"] != Delta.versions(first)["b"]
        stream.ack(second)
        server.delete("clusters", "a")
        server.commit()
        third = stream.next("clusters")
        assert list(third.removed_resources) == ["a"] and not third.resources


def test_delta_versions_are_the_same_from_every_server_and_a_client_that_comes_back_gets_nothing(server):
    with AdsTool() as other:
        for each in (server, other):
            each.set("clusters", "a", cluster("a"))
            each.set("endpoints", "a", endpoints("a", 80))
            each.commit()
        with Delta(server.address) as stream:
            stream.ask("clusters")
            clusters = Delta.versions(stream.next("clusters"))
            stream.ask("endpoints", ["a"])
            known = Delta.versions(stream.next("endpoints"))
        with Delta(other.address) as stream:
            stream.ask("clusters", versions=clusters)
            stream.ask("endpoints", ["a"], versions=known)
            assert stream.silent()
        other.delete("clusters", "a")
        other.set("clusters", "c", cluster("c"))
        other.commit()
        with Delta(other.address) as stream:
            stream.ask("clusters", versions=clusters | {"gone": "0123456789abcdef"})
            assert list(Delta.versions(stream.next("clusters"))) == ["c"]
            assert sorted(stream.next("clusters").removed_resources) == ["a", "gone"]


def test_delta_named_subscriptions_come_and_go(server):
    server.set("endpoints", "a", endpoints("a", 80))
    server.set("endpoints", "b", endpoints("b", 80))
    server.commit()
    with Delta(server.address) as stream:
        stream.ask("endpoints", ["a", "nobody"])
        assert list(Delta.versions(stream.next("endpoints"))) == ["a"]
        assert list(stream.next("endpoints").removed_resources) == ["nobody"]  # so that it need not wait
        stream.ask("endpoints", ["b"], ["a"])
        assert list(Delta.versions(stream.next("endpoints"))) == ["b"]
        server.set("endpoints", "a", endpoints("a", 81))
        server.set("endpoints", "nobody", endpoints("nobody", 82))
        server.commit()
        assert list(Delta.versions(stream.next("endpoints"))) == ["nobody"]
        stream.ask("endpoints", ["b"])  # asked anew: answered anew
        assert list(Delta.versions(stream.next("endpoints"))) == ["b"]
        assert stream.silent()


def test_an_empty_wildcard_is_answered(server):
    with Delta(server.address) as stream:
        stream.ask("listeners")
        assert not stream.next("listeners").resources
        assert stream.silent()
    with StateOfTheWorld(server.address) as stream:
        stream.ask("listeners")
        assert not stream.next("listeners").resources
        assert stream.silent()


def everything(server, suffix, port):
    server.set("clusters", f"c{suffix}", cluster(f"c{suffix}"), f"c{suffix}")
    server.set("endpoints", f"c{suffix}", endpoints(f"c{suffix}", 80))
    server.set("listeners", f"l{suffix}", listener(f"l{suffix}", port, f"r{suffix}"))
    server.set("routes", f"r{suffix}", route(f"r{suffix}", f"c{suffix}"))


def test_delta_makes_before_it_breaks(server):
    everything(server, 1, 1001)
    server.commit()
    with Delta(server.address) as stream:
        for kind, names in (("clusters", []), ("endpoints", ["*"]), ("listeners", []), ("routes", ["*"])):
            stream.ask(kind, names)
            stream.ack(stream.next(kind))
        for kind in ("clusters", "endpoints", "listeners", "routes"):
            server.delete(kind, {"clusters": "c1", "endpoints": "c1", "listeners": "l1", "routes": "r1"}[kind])
        everything(server, 2, 1002)
        server.commit()
        got = [stream.next() for _ in range(8)]
        said = [(r.type_url.rsplit(".", 1)[1], [x.name for x in r.resources], list(r.removed_resources)) for r in got]
        assert said == [
            ("Cluster", ["c2"], []),
            ("ClusterLoadAssignment", ["c2"], []),
            ("Listener", ["l2"], []),
            ("RouteConfiguration", ["r2"], []),
            ("Listener", [], ["l1"]),
            ("RouteConfiguration", [], ["r1"]),
            ("ClusterLoadAssignment", [], ["c1"]),
            ("Cluster", [], ["c1"]),
        ]


def test_a_nack_is_kept_and_nothing_is_sent_again_until_it_changes(server):
    server.set("clusters", "a", cluster("a"))
    server.commit()
    with Delta(server.address, node="web-7") as stream:
        stream.ask("clusters")
        stream.ack(stream.next("clusters"), nack="a: no such balancer")
        assert "a: no such balancer" in server.wait_for("log node web-7 refused clusters")
        assert stream.silent()
        server.set("clusters", "a", cluster("a", timeout=3))
        server.commit()
        assert list(Delta.versions(stream.next("clusters"))) == ["a"]


def test_many_changes_are_pushed_once(server):
    with Delta(server.address) as stream:
        stream.ask("clusters")
        stream.next("clusters")
        for i in range(20):
            server.set("clusters", f"c{i}", cluster(f"c{i}"))
            server.say("commit")
        got = {}
        while len(got) < 20:
            response = stream.next("clusters")
            got |= Delta.versions(response)
        assert len(got) == 20
        assert stream.silent()


def test_a_large_set_comes_in_pieces_that_default_clients_take(server):
    for i in range(60):
        big = cluster(f"c{i}", eds=False)
        big.alt_stat_name = "x" * 150_000
        server.set("clusters", f"c{i}", big)
    server.commit()
    with Delta(server.address) as stream:
        stream.ask("clusters")
        got = {}
        while len(got) < 60:
            got |= Delta.versions(stream.next("clusters"))


# ---- state of the world

def test_state_of_the_world_sends_all_clusters_and_only_changed_endpoints(server):
    for name in ("a", "b"):
        server.set("clusters", name, cluster(name), name)
        server.set("endpoints", name, endpoints(name, 80))
    server.commit()
    with StateOfTheWorld(server.address) as stream:
        stream.ask("clusters")
        first = stream.next("clusters")
        assert stream.names(first) == ["a", "b"]
        stream.ack(first)
        stream.ask("endpoints", ["a", "b"])
        eds = stream.next("endpoints")
        assert stream.names(eds) == ["a", "b"]
        stream.ack(eds, ["a", "b"])
        assert stream.silent()
        server.set("endpoints", "b", endpoints("b", 81))
        server.commit()
        eds = stream.next("endpoints")
        assert stream.names(eds) == ["b"]
        stream.ack(eds, ["a", "b"])
        # A changed cluster comes with all others, and its endpoints come again: Envoy warms it anew.
        server.set("clusters", "a", cluster("a", timeout=9), "a")
        server.commit()
        cds = stream.next("clusters")
        assert stream.names(cds) == ["a", "b"] and cds.version_info != first.version_info
        assert stream.names(stream.next("endpoints")) == ["a"]
        assert stream.silent()


def test_state_of_the_world_keeps_a_removed_cluster_until_the_routes_have_moved(server):
    everything(server, 1, 1001)
    server.commit()
    with StateOfTheWorld(server.address) as stream:
        stream.ask("clusters")
        stream.ack(stream.next("clusters"))
        stream.ask("endpoints", ["c1"])
        stream.ack(stream.next("endpoints"), ["c1"])
        stream.ask("routes", ["r1"])
        stream.ack(stream.next("routes"), ["r1"])
        server.delete("clusters", "c1")
        server.set("clusters", "c2", cluster("c2"), "c2")
        server.set("endpoints", "c2", endpoints("c2", 81))
        server.set("routes", "r1", route("r1", "c2"))
        server.commit()
        assert stream.names(stream.next("clusters")) == ["c1", "c2"]
        assert stream.silent()  # the route waits until the new cluster can be used
        stream.ask("endpoints", ["c1", "c2"])
        assert stream.names(stream.next("endpoints")) == ["c2"]
        assert stream.names(stream.next("routes")) == ["r1"]
        assert stream.names(stream.next("clusters")) == ["c2"]


def test_a_state_of_the_world_client_that_comes_back_with_the_current_version_gets_nothing(server):
    server.set("clusters", "a", cluster("a"))
    server.commit()
    with StateOfTheWorld(server.address) as stream:
        stream.ask("clusters")
        version = stream.next("clusters").version_info
    with StateOfTheWorld(server.address) as stream:
        stream.ask("clusters", version=version)
        assert stream.silent()
        server.set("clusters", "b", cluster("b"))
        server.commit()
        assert stream.names(stream.next("clusters")) == ["a", "b"]
    with StateOfTheWorld(server.address) as stream:
        stream.ask("clusters", version="another")
        assert stream.names(stream.next("clusters")) == ["a", "b"]


def test_stale_nonces_are_ignored_and_repeated_requests_answered(server):
    server.set("endpoints", "a", endpoints("a", 80))
    server.commit()
    with StateOfTheWorld(server.address) as stream:
        stream.ask("endpoints", ["a"])
        first = stream.next("endpoints")
        stream.ack(first, ["a"])
        stream.ask("endpoints", ["a", "b"], nonce="old")
        assert stream.silent()
        stream.ack(first, ["a"])
        assert stream.names(stream.next("endpoints")) == ["a"]


# ---- services for one type, and what is refused

def test_a_service_of_one_type(server):
    server.set("endpoints", "a", endpoints("a", 80))
    server.commit()
    with Delta(server.address, method=lambda c: eds_pb2_grpc.EndpointDiscoveryServiceStub(c).DeltaEndpoints) as stream:
        stream.ask("endpoints", ["a"])
        assert list(Delta.versions(stream.next())) == ["a"]
        stream.ask("clusters")
        with pytest.raises(grpc.RpcError) as refusal:
            stream.next()
        assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "on a service for" in refusal.value.details()
    sotw = lambda c: eds_pb2_grpc.EndpointDiscoveryServiceStub(c).StreamEndpoints  # noqa: E731
    with StateOfTheWorld(server.address, method=sotw) as stream:
        stream.ask("endpoints", ["a"])
        assert stream.names(stream.next()) == ["a"]


def test_a_stream_without_a_node_is_refused(server):
    with Delta(server.address, node="") as stream:
        stream.ask("clusters")
        with pytest.raises(grpc.RpcError) as refusal:
            stream.next()
        assert refusal.value.details() == "the first request of a stream must carry node.id"


# ---- what people see

def test_pages_say_who_is_connected_and_what_was_refused(server):
    assert server.admin("/ready")[0] == 200
    server.set("clusters", "a", cluster("a"))
    server.commit()
    with Delta(server.address, node="web-7") as stream, StateOfTheWorld(server.address, node="web-8") as other:
        stream.ask("clusters")
        first = stream.next("clusters")
        stream.ack(first)
        other.ask("clusters")
        other.ack(other.next("clusters"), nack="a: I do not like it")
        server.wait_for("log node web-8 refused")
        until(lambda: "acked" in server.admin("/nodes")[1], 5, "the ACK")
        nodes = {n["node"]: n for n in json.loads(server.admin("/nodes?format=json")[1])["nodes"]}
        assert nodes["web-7"]["protocol"] == "delta" and nodes["web-7"]["service"] == "web"
        assert nodes["web-7"]["types"][0]["state"] == "acked"
        assert nodes["web-7"]["types"][0]["acked_version"] == first.system_version_info
        assert nodes["web-8"]["types"][0]["last_nack"]["reason"] == "a: I do not like it"
        text = server.admin("/nodes")[1]
        assert "web-8 (web, test) from 127.0.0.1" in text and "I do not like it" in text
        status, config = server.admin("/config?node=web-7&type=clusters")
        assert status == 200
        found = json.loads(config)["clusters"]["resources"]
        assert [r["name"] for r in found] == ["a"] and found[0]["version"] == Delta.versions(first)["a"]
        assert server.admin("/config?node=nobody")[0] == 404
        metrics = server.admin("/metrics")[1]
        for line in ("remora_control_nodes 2", "remora_control_nodes_refusing 1", "remora_control_nacks_total 1",
                     'remora_control_streams{protocol="delta"} 1'):
            assert line in metrics, metrics
    until(lambda: server.admin("/nodes")[1] == "nobody is connected\n", 5, "the nodes to go")


# ---- many of them

@pytest.mark.release_only
def test_a_thousand_proxies_cost_little_and_hear_soon(server):
    for i in range(5):
        server.set("clusters", f"c{i}", cluster(f"c{i}"), f"c{i}")
        server.set("endpoints", f"c{i}", endpoints(f"c{i}", 80, 81))
        server.set("listeners", f"l{i}", listener(f"l{i}", 1000 + i, f"r{i}"))
        server.set("routes", f"r{i}", route(f"r{i}", f"c{i}"))
    server.commit()
    with Tool("load", "127.0.0.1", str(server.port), "1000") as proxies:
        for _ in range(4):  # four types
            proxies.wait_for("all", 60)
        for port in (90, 91, 92):
            server.set("endpoints", "c3", endpoints("c3", port))
            before = time.monotonic()
            server.commit()
            proxies.wait_for("all", 10)
            assert time.monotonic() - before < 1
        assert server.rss_kb() < 100 * 1024
        assert "remora_control_nodes 1000" in server.admin("/metrics")[1]


# ---- a real Envoy

@pytest.fixture(params=["DELTA_GRPC", "GRPC"])
def envoy(request, server):
    admin = ports.free_port()
    ads = {"api_type": request.param, "transport_api_version": "V3",
           "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}]}
    http2 = {"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
             "explicit_http_config": {"http2_protocol_options": {}}}
    source = {"ads": {}, "resource_api_version": "V3"}
    config = {
        "node": {"id": "envoy-1", "cluster": "web"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "dynamic_resources": {"ads_config": ads, "cds_config": source, "lds_config": source},
        "static_resources": {"clusters": [{
            "name": "control", "type": "STATIC", "connect_timeout": "1s",
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
            "load_assignment": {"cluster_name": "control", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                "socket_address": {"address": "127.0.0.1", "port_value": server.port}}}}]}]},
        }]},
    }
    started = proxy.Proxy(binaries.envoy(), yaml.safe_dump(config), name="envoy", ready=False,
                          arguments=["--base-id", str(ports.free_port())])
    yield started
    started.kill()


def test_envoy_follows_us_under_load(server, envoy, up):
    port = ports.free_port()
    server.set("clusters", "one", cluster("one"), "one")
    server.set("endpoints", "one", endpoints("one", up.port))
    server.set("listeners", "in", listener("in", port, "r"))
    server.set("routes", "r", route("r", "one"))
    server.commit()
    envoy.wait_ready()

    def status():
        try:
            return client.fetch(port).status
        except OSError:
            return None

    until(lambda: status() == 200, 10, "Envoy to answer 200")
    # From cluster to cluster, endpoints new each time: no request may see a gap.
    names = ["one", "two", "three", "four"]
    for before, after in zip(names, names[1:], strict=False):
        server.set("clusters", after, cluster(after), after)
        server.set("endpoints", after, endpoints(after, up.port))
        server.set("routes", "r", route("r", after))
        server.delete("clusters", before)
        server.delete("endpoints", before)
        server.commit()
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            assert status() == 200
        until(lambda: after in envoy.admin("/clusters").text, 5, f"Envoy to know {after}")
        until(lambda: f"\n{before}::" not in "\n" + envoy.admin("/clusters").text, 5, f"Envoy to forget {before}")
    # A cluster that changes is warmed anew: it must get its endpoints once more.
    server.set("clusters", "four", cluster("four", timeout=7), "four")
    server.commit()
    until(lambda: "7s" in envoy.admin("/config_dump?resource=dynamic_active_clusters").text, 5, "the changed cluster")
    assert status() == 200
    rejected = [line for line in envoy.admin("/stats?filter=update_rejected").text.splitlines() if not line.endswith(": 0")]
    assert rejected == []
