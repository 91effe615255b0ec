"""Bodies of any size go through in bounded memory, whoever is slow."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest

from tests.support import bootstrap as b, upstream as u
from tests.support.client import get

from .conftest import until

MEGABYTE = 1 << 20
BIG = 200 * MEGABYTE
_BLOCK = bytes(range(256)) * 4096  # 1 MB


def _send_big(x: u.Exchange, size: int) -> None:
    x.read_body()
    x.send(f"HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n")
    for _ in range(size // MEGABYTE):
        x.send(_BLOCK)


def _digest(size: int) -> str:
    digest = hashlib.sha256()
    for _ in range(size // MEGABYTE):
        digest.update(_BLOCK)
    return digest.hexdigest()


def test_a_download_arrives_whole(simple, up):
    size = 32 * MEGABYTE
    up.script.append(lambda x: _send_big(x, size))
    with simple.connect(timeout=30) as peer:
        peer.send(get("/big"))
        head = peer.response_head()
        assert head.status == 200
        digest = hashlib.sha256()
        left = size
        while left:
            part = peer.read(min(left, MEGABYTE))
            assert part, "closed early"
            digest.update(part)
            left -= len(part)
    assert digest.hexdigest() == _digest(size)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_upload_arrives_whole(remora, chunked):
    digest = hashlib.sha256()

    def take(x: u.Exchange) -> None:
        size = 0
        if x.request.framing == "length":
            left = int(x.request.get("content-length"))
            while left:
                if not x.reader.buffer:
                    assert x.reader.fill(time.monotonic() + 20)
                part = bytes(x.reader.buffer[:left])
                del x.reader.buffer[: len(part)]
                digest.update(part)
                left -= len(part)
                size += len(part)
            x.body_read = x.request.complete = True
        else:
            x.read_body()
            digest.update(x.request.body)
            size = x.request.body_length
        x.send(f"HTTP/1.1 200 OK\r\ncontent-length: {len(str(size))}\r\n\r\n{size}")

    size = 8 * MEGABYTE
    with u.Upstream("up", body_limit=2 * size) as up:
        up.default = take
        running = remora([b.route("/", "up")], [b.cluster("up", up.port)])
        with running.connect(timeout=30) as peer:
            if chunked:
                peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in range(size // MEGABYTE):
                    peer.send(f"{MEGABYTE:x}\r\n".encode() + _BLOCK + b"\r\n")
                peer.send("0\r\n\r\n")
            else:
                peer.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
                for _ in range(size // MEGABYTE):
                    peer.send(_BLOCK)
            response = peer.response("POST")
        assert (response.status, response.body) == (200, str(size).encode())
    assert digest.hexdigest() == _digest(size)


@pytest.mark.release_only
def test_a_slow_reader_pauses_its_upstream(simple, up):
    """200 MB to a client that does not read: the upstream is held up, and memory stays where it was."""
    sent = {"bytes": 0, "done": False}

    def flood(x: u.Exchange) -> None:
        x.read_body()
        x.send(f"HTTP/1.1 200 OK\r\ncontent-length: {BIG}\r\n\r\n")
        for _ in range(BIG // MEGABYTE):
            x.send(_BLOCK)
            sent["bytes"] += MEGABYTE
        sent["done"] = True

    simple.fetch()
    before = simple.proxy.rss_kb()
    up.script.append(flood)
    with simple.connect(receive_buffer=65536, timeout=60) as peer:
        peer.send(get("/big"))
        head = peer.response_head()
        assert head.status == 200
        _wait_until_still(lambda: sent["bytes"])
        assert not sent["done"], "the whole body was taken off the upstream's hands"
        held = simple.proxy.rss_kb() - before
        assert held < 16 * 1024, f"{held} KB held for a client that does not read"
        left = BIG
        peak = 0
        while left:
            part = peer.read(min(left, 4 * MEGABYTE))
            assert part, "closed early"
            left -= len(part)
            peak = max(peak, simple.proxy.rss_kb() - before)
        assert peak < 16 * 1024
    until(lambda: sent["done"])


@pytest.mark.release_only
def test_a_slow_upstream_pauses_its_client(remora):
    """200 MB to an upstream that does not read yet."""
    go_on = threading.Event()
    got = {"bytes": 0}

    def later(x: u.Exchange) -> None:
        go_on.wait(30)
        left = BIG - len(x.reader.buffer)
        x.reader.buffer.clear()
        while left:
            assert x.reader.fill(time.monotonic() + 20)
            left -= len(x.reader.buffer)
            x.reader.buffer.clear()
        got["bytes"] = BIG
        x.body_read = x.request.complete = True
        x.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    with u.Upstream("slow", receive_buffer=65536) as up:
        up.script.append(later)
        running = remora([b.route("/", {"cluster": "up", "timeout": "0s"})], [b.cluster("up", up.port)])
        before = running.proxy.rss_kb()
        with running.connect(timeout=60) as peer:
            sent = {"bytes": 0}

            def push() -> None:
                peer.send(f"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {BIG}\r\n\r\n")
                for _ in range(BIG // MEGABYTE):
                    peer.send(_BLOCK)
                    sent["bytes"] += MEGABYTE

            pusher = threading.Thread(target=push)
            pusher.start()
            _wait_until_still(lambda: sent["bytes"])
            assert sent["bytes"] < BIG, "the whole body was taken off the client's hands"
            held = running.proxy.rss_kb() - before
            assert held < 16 * 1024, f"{held} KB held for an upstream that does not read"
            go_on.set()
            pusher.join(60)
            assert peer.response("PUT").status == 200
        assert got["bytes"] == BIG


def _wait_until_still(value, quiet: float = 0.3) -> None:
    """Waits until `value()` has not changed for a while, and is not zero."""
    deadline = time.monotonic() + 20
    last, since = value(), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.02)
        now = value()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > quiet:
            return
    raise AssertionError("it never came to rest")


def test_a_client_that_leaves_ends_the_upstream_request(simple, up):
    up.script.append(u.hang())
    peer = simple.connect()
    peer.send(get("/"))
    up.wait_requests(1)
    peer.reset()  # a mere FIN may be a client that only has no more to say
    assert up.wait_ended(0) in ("eof", "reset")


def test_a_client_that_leaves_mid_body_never_completes_upstream(simple, up):
    peer = simple.connect()
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
    up.wait_requests(1)
    peer.close()
    assert up.wait_ended(0) in ("eof", "reset")
    assert not up.requests[0].complete


def test_a_client_may_close_its_side_and_still_be_answered(simple, up):
    """Half-close after a whole request: the answer still comes."""
    up.script.append(u.answer(200, "late\n", delay=0.2))
    with simple.connect() as peer:
        peer.send(get("/"))
        peer.half_close()
        response = peer.response()
        assert response is not None and (response.status, response.body) == (200, b"late\n")
        assert peer.end() == "closed"


def test_a_half_closed_client_mid_body_is_not_forwarded_as_complete(simple, up):
    with simple.connect() as peer:
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        up.wait_requests(1)
        peer.half_close()
        assert peer.end() in ("closed", "reset")
    up.wait_ended(0)
    assert not up.requests[0].complete


@pytest.mark.parametrize("pieces", [1, 3, 7])
def test_any_fragmentation_gives_the_same(simple, up, pieces):
    text = (
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Some: value\r\n\r\n"
        "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n"
    )
    with simple.connect() as peer:
        peer.send(text, pieces=pieces, delay=0.001)
        assert peer.response("POST").status == 200
        assert up.requests[0].body == b"hello world"
        assert up.requests[0].get("x-some") == "value"


def test_answers_in_any_fragmentation(simple, up):
    text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: b\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"

    def drip(x: u.Exchange) -> None:
        x.read_body()
        for character in text:
            x.send(character)
            time.sleep(0.001)

    up.script.append(drip)
    response = simple.fetch()
    assert (response.status, response.body, response.get("x-a")) == (200, b"hello!", "b")


def test_websocket_tunnel_both_ways_and_half_close(remora, up):
    """A tunnel carries bytes both ways; when one side ends, the other may still speak."""

    def tunnel(x: u.Exchange) -> None:
        x.body_read = x.request.complete = True
        x.send("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nhi")
        data = x.wait_eof(5)
        x.send(b"after end: " + data)
        x.close()

    up.script.append(tunnel)
    running = remora(
        [b.route("/", "up")], [b.cluster("up", up.port)], manager={"upgrade_configs": [{"upgrade_type": "websocket"}]}
    )
    with running.connect() as peer:
        peer.send(get("/ws", headers="Connection: Upgrade\r\nUpgrade: websocket\r\n"))
        assert peer.response_head().status == 101
        assert peer.read(2) == b"hi"
        peer.send("client data")
        peer.half_close()
        assert peer.read(22) == b"after end: client data"
        assert peer.end() == "closed"


@pytest.mark.release_only
def test_a_tunnel_carries_much_in_bounded_memory(remora, up):
    up.script.append(u.upgrade_echo())
    running = remora(
        [b.route("/", "up")], [b.cluster("up", up.port)], manager={"upgrade_configs": [{"upgrade_type": "websocket"}]}
    )
    with running.connect(timeout=30) as peer:
        peer.send(get("/ws", headers="Connection: Upgrade\r\nUpgrade: websocket\r\n"))
        assert peer.response_head().status == 101
        before = running.proxy.rss_kb()
        pusher = threading.Thread(target=lambda: [peer.sock.sendall(_BLOCK) for _ in range(20)])
        pusher.start()
        digest = hashlib.sha256()
        left = 20 * MEGABYTE
        while left:
            part = peer.read(min(left, MEGABYTE))
            assert part
            digest.update(part)
            left -= len(part)
        pusher.join(10)
        assert digest.hexdigest() == _digest(20 * MEGABYTE)
        assert running.proxy.rss_kb() - before < 16 * 1024
