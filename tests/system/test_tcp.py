"""TCP tunnels on real sockets: ends, big transfers, slow readers, memory, and the proxy's own end."""

from __future__ import annotations

import hashlib
import signal
import socket
import threading
import time

import pytest

from tests.support import binaries, bootstrap as b, ports, proxy, raw

from .conftest import Running, until


@pytest.fixture
def server():
    with raw.RawServer() as running:
        yield running


@pytest.fixture
def tunnel():
    started: list[proxy.Proxy] = []

    def start(*clusters: dict, to: str | dict[str, int] = "up", arguments: list[str] | None = None, **fields) -> Running:
        port = ports.free_port()
        config = b.bootstrap([b.tcp_listener(port, to, "in", **fields)], list(clusters), ports.free_port())
        process = proxy.Proxy(binaries.remora(), config, name="remora", arguments=arguments)
        started.append(process)
        return Running(process, port, {})

    yield start
    for process in started:
        if process.alive():
            process.stop()


def connect(running: Running, receive_buffer: int | None = None) -> socket.socket:
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", running.port))
    return sock


def test_half_close_both_ways(tunnel, server):
    running = tunnel(b.cluster("up", server.port))

    def handler(sock):
        data, end = server.note(sock)
        sock.sendall(data.upper())

    server.handler = handler
    with connect(running) as sock:
        sock.sendall(b"hello")
        sock.shutdown(socket.SHUT_WR)
        assert raw.read_all(sock) == (b"HELLO", "eof")
    assert server.seen == [(b"hello", "eof")]
    running.wait_metric("remora_tcp_connections_total", 1, end="closed", cluster="up", service="test")
    assert running.metric("remora_tcp_connections_active") == 0
    assert running.metric("remora_tcp_received_bytes_total", cluster="up") == 5
    assert running.metric("remora_tcp_sent_bytes_total", cluster="up") == 5


@pytest.mark.parametrize("slow", ["client", "upstream"])
def test_a_big_transfer_to_a_slow_reader_takes_no_memory(tunnel, server, slow):
    size, block = 64 << 20, bytes(range(256)) * 256
    digest = hashlib.sha256()
    for _ in range(size // len(block)):
        digest.update(block)
    running = tunnel(b.cluster("up", server.port))
    got = hashlib.sha256()
    count = [0]

    def write(sock):
        for _ in range(size // len(block)):
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)

    def read(sock):
        time.sleep(0.5)  # nothing at first: what is under way fills up
        while part := sock.recv(1 << 16):
            got.update(part)
            count[0] += len(part)
        sock.shutdown(socket.SHUT_WR)

    before = running.proxy.rss_kb()
    peak = [0]
    server.handler = read if slow == "upstream" else write
    with connect(running, 1 << 16) as sock:
        ours = threading.Thread(target=write if slow == "upstream" else read, args=(sock,))
        ours.start()
        while ours.is_alive():
            peak[0] = max(peak[0], running.proxy.rss_kb())
            time.sleep(0.05)
        if slow == "client":
            assert (count[0], got.hexdigest()) == (size, digest.hexdigest())
        else:
            until(lambda: count[0] == size, 20, "all bytes")
            assert got.hexdigest() == digest.hexdigest()
    assert peak[0] - before < 16 * 1024  # a sanitizer keeps some of what was freed


def test_resets_go_on(tunnel, server):
    running = tunnel(b.cluster("up", server.port))

    def handler(sock):
        sock.recv(1)
        raw.reset(sock)

    server.handler = handler
    with connect(running) as sock:
        sock.sendall(b"x")
        assert raw.read_all(sock) == (b"", "reset")
    server.handler = lambda sock: server.note(sock)
    sock = connect(running)
    sock.sendall(b"x")
    until(lambda: server.accepted == 2)
    time.sleep(0.1)
    raw.reset(sock)
    assert server.wait_seen(1) == [(b"x", "reset")]
    running.wait_metric("remora_tcp_connections_total", 1, end="downstream_reset")
    running.wait_metric("remora_tcp_connections_total", 1, end="upstream_reset")


def test_an_upstream_that_refuses(tunnel):
    running = tunnel(b.cluster("up", ports.free_port()), max_connect_attempts=3)
    with connect(running) as sock:
        assert raw.read_all(sock) == (b"", "eof")
    running.wait_metric("remora_tcp_connections_total", 1, end="connect_failed")
    assert running.metric("remora_tcp_connect_retries_total") == 2
    assert running.metric("remora_upstream_connect_failures_total", reason="refused") == 3


def test_weights(tunnel):
    with raw.RawServer(lambda s: s.sendall(b"a")) as a, raw.RawServer(lambda s: s.sendall(b"b")) as other:
        running = tunnel(b.cluster("a", a.port), b.cluster("b", other.port), to={"a": 9, "b": 1})
        answers = []
        for _ in range(300):
            with connect(running) as sock:
                answers.append(sock.recv(1))
                sock.shutdown(socket.SHUT_WR)
        assert 240 <= answers.count(b"a") <= 295


def test_a_drain_lets_tunnels_run_until_the_deadline(tunnel, server):
    running = tunnel(b.cluster("up", server.port), arguments=["--drain-time-s", "2"])
    with connect(running) as sock:
        sock.sendall(b"1")
        assert sock.recv(1) == b"1"
        running.proxy.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        sock.sendall(b"2")
        assert sock.recv(1) == b"2"
        began = time.monotonic()
        assert raw.read_all(sock) == (b"", "reset")
        assert time.monotonic() - began < 3
    assert running.proxy.process.wait(5) == 0


def test_a_drain_ends_when_the_last_tunnel_does(tunnel, server):
    running = tunnel(b.cluster("up", server.port), arguments=["--drain-time-s", "30", "--min-drain-time-s", "1"])
    with connect(running) as sock:
        sock.sendall(b"1")
        assert sock.recv(1) == b"1"
        running.proxy.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    assert running.proxy.process.wait(15) == 0
