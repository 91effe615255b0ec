"""TCP tunnels through Envoy and through Remora, on the same bootstrap file: the client and the upstream see the same."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import tempfile
import time

import pytest

from tests.support import binaries, bootstrap as b, ports, proxy, raw

pytestmark = pytest.mark.xdist_group("tcp")

LOG = (
    "%PROTOCOL%|%RESPONSE_CODE%|%RESPONSE_FLAGS%|%BYTES_RECEIVED%|%BYTES_SENT%|%UPSTREAM_HOST%|%UPSTREAM_CLUSTER%|"
    "%DOWNSTREAM_LOCAL_ADDRESS%|%REQ(:METHOD)%\n"
)
LISTENERS = ("plain", "refused", "empty", "second", "idle", "short", "one", "unknown_is_none")


class Fleet:
    def __init__(self, kind: str, binary: str):
        self.upstream = raw.RawServer()
        self.dead = ports.free_port()
        self.ports = {name: ports.free_port() for name in LISTENERS}
        self.log = pathlib.Path(tempfile.mkdtemp(prefix="remora-tcp-")) / "access.log"
        self.log.touch()
        up = self.upstream.port
        log = {"access_log": [b.access_log(str(self.log), LOG)]}
        clusters = [
            b.cluster("up", up),
            b.cluster("dead", self.dead),
            b.cluster("empty"),
            b.cluster("half", self.dead, up),
            b.cluster("one", up, circuit_breakers={"thresholds": [{"max_connections": 1}]}),
        ]
        at = self.ports
        listeners = [
            b.tcp_listener(at["plain"], "up", **log),
            b.tcp_listener(at["refused"], "dead", max_connect_attempts=2, **log),
            b.tcp_listener(at["empty"], "empty", **log),
            b.tcp_listener(at["second"], "half", max_connect_attempts=2),
            b.tcp_listener(at["idle"], "up", idle_timeout="0.4s", **log),
            b.tcp_listener(at["short"], "up", max_downstream_connection_duration="0.4s", **log),
            b.tcp_listener(at["one"], "one", **log),
            b.tcp_listener(at["unknown_is_none"], {"up": 1}, **log),
        ]
        self.proxy = proxy.Proxy(binary, b.bootstrap(listeners, clusters, ports.free_port()), name=kind)

    def connect(self, listener: str = "plain") -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.ports[listener]), timeout=5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def use(self, handler: raw.Handler) -> None:
        self.upstream.seen.clear()
        self.upstream.handler = handler

    def lines(self, count: int, since: int) -> list[str]:
        """Access log lines after the first `since`, the ports named."""
        deadline = time.monotonic() + 15  # Envoy writes its files every 10 s
        while True:
            text = self.log.read_text()
            for name, port in [*self.ports.items(), ("up", self.upstream.port), ("dead", self.dead)]:
                text = text.replace(f":{port}", f":<{name}>")
            found = text.splitlines()[since:]
            if len(found) >= count or time.monotonic() > deadline:
                return sorted(found)
            time.sleep(0.05)

    def close(self) -> None:
        self.proxy.stop()
        self.upstream.close()


@pytest.fixture(scope="module")
def fleets():
    running = [Fleet("envoy", binaries.envoy()), Fleet("remora", binaries.remora())]
    yield running
    for fleet in running:
        fleet.close()


def both(fleets, play) -> None:
    envoy, remora = (play(fleet) for fleet in fleets)
    assert remora == envoy


def test_an_echo_and_a_half_close(fleets):
    def play(fleet):
        fleet.use(raw.echo)
        with fleet.connect() as sock:
            sock.sendall(b"a" * 100_000)
            sock.shutdown(socket.SHUT_WR)
            return raw.read_all(sock)

    both(fleets, play)


def test_the_upstream_speaks_first_and_ends_first(fleets):
    def play(fleet):
        def handler(sock):
            sock.sendall(b"220 hello\r\n")
            sock.shutdown(socket.SHUT_WR)
            fleet.upstream.note(sock)

        fleet.use(handler)
        with fleet.connect() as sock:
            got = raw.read_all(sock)
            sock.sendall(b"still here")
            sock.shutdown(socket.SHUT_WR)
            return got, fleet.upstream.wait_seen(1)

    both(fleets, play)


def test_a_half_closed_client_waits_for_its_answer(fleets):
    def play(fleet):
        def handler(sock):
            fleet.upstream.note(sock)
            time.sleep(0.3)
            sock.sendall(b"answer")

        fleet.use(handler)
        with fleet.connect() as sock:
            sock.sendall(b"question")
            sock.shutdown(socket.SHUT_WR)
            return raw.read_all(sock), fleet.upstream.wait_seen(1)

    both(fleets, play)


def test_a_reset_of_the_upstream(fleets):
    def play(fleet):
        def handler(sock):
            sock.recv(100)
            raw.reset(sock)

        fleet.use(handler)
        with fleet.connect() as sock:
            sock.sendall(b"x")
            return raw.read_all(sock)

    both(fleets, play)


def test_a_reset_of_the_client(fleets):
    def play(fleet):
        def handler(sock):
            fleet.upstream.note(sock)

        fleet.use(handler)
        sock = fleet.connect()
        sock.sendall(b"x")
        time.sleep(0.2)
        raw.reset(sock)
        return fleet.upstream.wait_seen(1)

    both(fleets, play)


@pytest.mark.parametrize("listener", ["refused", "empty", "second", "idle", "short"])
def test_how_it_ends(fleets, listener):
    def play(fleet):
        fleet.use(raw.echo)
        with fleet.connect(listener) as sock:
            with contextlib.suppress(OSError):
                sock.sendall(b"x")
            data, end = raw.read_all(sock, 1.5)
            # Whether what a client wrote is still unread decides between FIN and RST: a matter of microseconds.
            return data, "closed" if end in ("eof", "reset") else end

    both(fleets, play)


def test_connections_above_the_limit(fleets):
    def play(fleet):
        fleet.use(raw.echo)
        with fleet.connect("one") as first, fleet.connect("one") as second:
            first.sendall(b"1")
            got = first.recv(1)
            return got, raw.read_all(second, 1.5)[0]

    both(fleets, play)


def test_access_logs(fleets):
    def play(fleet):
        since = len(fleet.lines(1, 0))
        time.sleep(11 if fleet.proxy.name == "envoy" else 0)  # what was before is in the file now
        since = len(fleet.log.read_text().splitlines())
        fleet.use(raw.echo)
        for listener in ("plain", "refused", "empty", "idle", "short", "unknown_is_none"):
            with fleet.connect(listener) as sock:
                with contextlib.suppress(OSError):
                    sock.sendall(b"four" if listener in ("plain", "unknown_is_none") else b"")
                    if listener in ("plain", "unknown_is_none"):
                        sock.recv(4)
                        sock.shutdown(socket.SHUT_WR)
                raw.read_all(sock, 2)
        return fleet.lines(6, since)

    both(fleets, play)
