"""Ring hash and Maglev: Envoy and Remora, on the same file and with the same endpoints, send each request to the same
one. So a fleet of both is one fleet, and a migration moves no session."""

from __future__ import annotations

import re
import socket

import pytest

from tests.support import binaries, bootstrap as b, ports, proxy, raw

pytestmark = pytest.mark.xdist_group("hashing")

ENDPOINTS = 9
POLICIES = {
    "header": [{"header": {"header_name": "x-user"}}],
    "rewritten": [
        {"header": {"header_name": "x-user", "regex_rewrite": {"pattern": {"regex": "^user-"}, "substitution": "u"}}}
    ],
    "path": [{"header": {"header_name": ":path"}}],
    "query": [{"query_parameter": {"name": "id"}}],
    "cookie": [{"cookie": {"name": "session"}}],
    "first": [{"header": {"header_name": "x-none"}, "terminal": True}, {"query_parameter": {"name": "id"}}],
    "both": [{"header": {"header_name": "x-user"}}, {"query_parameter": {"name": "id"}}],
    "terminal": [{"header": {"header_name": "x-user"}, "terminal": True}, {"query_parameter": {"name": "id"}}],
    "ip": [{"connection_properties": {"source_ip": True}}],
}
BALANCERS = {
    "ring": {"lb_policy": "RING_HASH"},
    "murmur": {
        "lb_policy": "RING_HASH",
        "ring_hash_lb_config": {"hash_function": "MURMUR_HASH_2", "minimum_ring_size": 5000},
    },
    "small": {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": 4, "maximum_ring_size": 7}},
    "maglev": {"lb_policy": "MAGLEV"},
    "prime": {"lb_policy": "MAGLEV", "maglev_lb_config": {"table_size": 251}},
}


def named(number: int) -> raw.Handler:
    def handle(sock: socket.socket) -> None:
        buffer = b""
        while part := sock.recv(1 << 16):
            buffer += part
            while b"\r\n\r\n" in buffer:
                _, _, buffer = buffer.partition(b"\r\n\r\n")
                body = str(number).encode()
                sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

    return handle


class World:
    def __init__(self) -> None:
        self.servers = [raw.RawServer(named(i)) for i in range(ENDPOINTS)]
        self.running: list[tuple[proxy.Proxy, int, int]] = []
        numbers = [s.port for s in self.servers]
        for kind, binary in (("envoy", binaries.envoy()), ("remora", binaries.remora())):
            port, tunnel = ports.free_port(), ports.free_port()
            clusters, routes = [], []
            for name, fields in BALANCERS.items():
                for weights in ("even", "odd"):
                    endpoints = numbers if weights == "even" else [(n, i % 4 + 1) for i, n in enumerate(numbers)]
                    clusters.append(b.cluster(f"{name}-{weights}", *endpoints, **fields))
                    for policy, value in POLICIES.items():
                        routes.append(
                            b.route(
                                {"prefix": f"/{name}-{weights}/{policy}/"},
                                {"cluster": f"{name}-{weights}", "hash_policy": value},
                            )
                        )
            made = [{"cookie": {"name": "made", "ttl": "60s", "path": "/x"}}]
            routes.append(b.route("/made/", {"cluster": "ring-even", "hash_policy": made}))
            hosts = [b.virtual_host("all", ["*"], routes)]
            listeners = [
                b.listener(port, b.hcm(hosts)),
                b.tcp_listener(tunnel, "maglev-odd", hash_policy=[{"source_ip": {}}]),
            ]
            process = proxy.Proxy(binary, b.bootstrap(listeners, clusters, ports.free_port()), name=kind)
            self.running.append((process, port, tunnel))

    def close(self) -> None:
        for process, _, _ in self.running:
            process.stop()
        for server in self.servers:
            server.close()


@pytest.fixture(scope="module")
def world():
    made = World()
    yield made
    made.close()


def ask(sock: socket.socket, path: str, headers: str = "") -> tuple[str, str]:
    sock.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\n{headers}\r\n".encode())
    data = b""
    while not re.search(rb"\r\n\r\n\d$", data):
        part = sock.recv(1 << 16)
        assert part, data
        data += part
    head, _, body = data.decode().partition("\r\n\r\n")
    return body, head


@pytest.mark.parametrize("weights", ["even", "odd"])
@pytest.mark.parametrize("balancer", BALANCERS)
@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_endpoint(world, balancer, weights, policy):
    picked = []
    for _, port, _ in world.running:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            picked.append(
                [
                    ask(
                        sock,
                        f"/{balancer}-{weights}/{policy}/{i}?id=item-{i}",
                        f"x-user: user-{i * 7}\r\ncookie: a=b; session={i}\r\n",
                    )[0]
                    for i in range(60)
                ]
            )
    assert picked[0] == picked[1]
    assert len(set(picked[0])) > 2 or policy == "ip"


def test_a_cookie_that_is_made(world):
    """Its value holds the connection's ports, so the values differ; the rest does not, and it leads back."""
    shapes = []
    for _, port, _ in world.running:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            first, head = ask(sock, "/made/")
            cookie = re.search(r"set-cookie: (made=\"([0-9a-f]+)\"; .*)", head, re.I)
            assert cookie, head
            shapes.append(cookie.group(1).replace(cookie.group(2), "<value>"))
            again, head = ask(sock, "/made/", f"cookie: made={cookie.group(2)}\r\n")
            assert again == first and "set-cookie" not in head.lower()
    assert shapes[0] == shapes[1]


def test_tunnels_by_the_clients_address(world):
    picked = []
    for _, _, tunnel in world.running:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", tunnel), timeout=5) as sock:
                picked.append(ask(sock, "/")[0])
    assert len(set(picked)) == 1
