"""Whatever is ambiguous gets 400 (or another refusal) and a closed connection, and nothing complete of it reaches the
upstream: neither the request itself nor one hidden behind it."""

from __future__ import annotations

import pathlib

import pytest

from tests.support import http1, upstream as u
from tests.support.client import Client, get

H = "Host: app.test\r\n"
HIDDEN = "GET /hidden HTTP/1.1\r\nHost: app.test\r\n\r\n"


def _post(headers: str, body: str = "") -> str:
    return f"POST /bad HTTP/1.1\r\n{H}{headers}\r\n{body}"


def _chunks(body: str) -> str:
    return _post("Transfer-Encoding: chunked\r\n", body)


HEADS = {
    "CL.TE": _post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"),
    "TE.CL": _post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5c\r\n" + HIDDEN),
    "CL.CL": _post("Content-Length: 5\r\nContent-Length: 0\r\n", "hello"),
    "CL=CL": _post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
    "CL list": _post("Content-Length: 5, 5\r\n", "hello"),
    "CL plus": _post("Content-Length: +5\r\n", "hello"),
    "CL minus": _post("Content-Length: -5\r\n", "hello"),
    "CL hex": _post("Content-Length: 0x5\r\n", "hello"),
    "CL inner space": _post("Content-Length: 0 5\r\n", "hello"),
    "CL huge": _post("Content-Length: 99999999999999999999\r\n"),
    "CL wraps": _post("Content-Length: 18446744073709551621\r\n", "hello"),
    "CL empty": _post("Content-Length: \r\n"),
    "CL word": _post("Content-Length: five\r\n"),
    "CL fraction": _post("Content-Length: 5.0\r\n", "hello"),
    "CL space colon": _post("Content-Length : 5\r\n", "hello"),
    "CL latin digit": _post("Content-Length: \xb25\r\n", "hello"),
    "TE unknown": _post("Transfer-Encoding: cow\r\n", "0\r\n\r\n"),
    "TE doubled": _post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
    "TE two lines": _post("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n", "0\r\n\r\n"),
    "TE hidden": _post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
    "TE space colon": _post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    "TE quoted": _post("Transfer-Encoding: 'chunked'\r\n", "0\r\n\r\n"),
    "TE vtab": _post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
    "TE nul": _post("Transfer-Encoding: chunked\0\r\n", "0\r\n\r\n"),
    "TE identity": _post("Transfer-Encoding: identity\r\n", "hello"),
    "TE chunked, identity": _post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
    "TE gzip": _post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
    "TE folded": _post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
    "TE bare LF before": _post("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    "TE bare CR before": _post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    "TE parameter": _post("Transfer-Encoding: chunked;x=y\r\n", "0\r\n\r\n"),
    "TE empty": _post("Transfer-Encoding: \r\nContent-Length: 5\r\n", "hello"),
    "TE in 1.0": f"POST /bad HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "obs-fold": get("/bad", headers="X: a\r\n b\r\n"),
    "obs-fold first": f"GET /bad HTTP/1.1\r\n X: a\r\n{H}\r\n",
    "bare LF": "GET /bad HTTP/1.1\nHost: a\n\n",
    "bare LF one": get("/bad", headers="X: a\nY: b\r\n"),
    "bare LF end": f"GET /bad HTTP/1.1\r\n{H}\n",
    "bare CR": get("/bad", headers="X: a\rb\r\n"),
    "bare CR line": f"GET /bad HTTP/1.1\r{H}\r\n",
    "CR CR LF": get("/bad", headers="X: a\r\r\n"),
    "NUL value": get("/bad", headers="X: a\0b\r\n"),
    "NUL name": get("/bad", headers="X\0Y: a\r\n"),
    "NUL path": get("/bad\0"),
    "space colon": get("/bad", headers="X : a\r\n"),
    "tab colon": get("/bad", headers="X\t: a\r\n"),
    "name space": get("/bad", headers="X Y: a\r\n"),
    "no colon": get("/bad", headers="Xyz\r\n"),
    "no name": get("/bad", headers=": a\r\n"),
    "two Hosts": get("/bad", headers="Host: other.test\r\n"),
    "two Hosts same": get("/bad", headers=H),
    "no Host": "GET /bad HTTP/1.1\r\n\r\n",
    "Host list": get("/bad", host="a.test, b.test"),
    "Host space": get("/bad", host="a b"),
    "Host path": get("/bad", host="a/b"),
    "two spaces": f"GET  /bad HTTP/1.1\r\n{H}\r\n",
    "tab": f"GET\t/bad HTTP/1.1\r\n{H}\r\n",
    "path space": f"GET /bad x HTTP/1.1\r\n{H}\r\n",
    "version 2": f"GET /bad HTTP/2.0\r\n{H}\r\n",
    "version lower": f"GET /bad http/1.1\r\n{H}\r\n",
    "no version": f"GET /bad\r\n{H}\r\n",
    "absolute bad": f"GET http:///bad HTTP/1.1\r\n{H}\r\n",
}

BODIES = {
    "size word": _chunks("zz\r\nhello\r\n0\r\n\r\n"),
    "size 0x": _chunks("0x5\r\nhello\r\n0\r\n\r\n"),
    "size minus": _chunks("-5\r\nhello\r\n0\r\n\r\n"),
    "size plus": _chunks("+5\r\nhello\r\n0\r\n\r\n"),
    "size wraps": _chunks("10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "size empty": _chunks("\r\nhello\r\n0\r\n\r\n"),
    "size space before": _chunks(" 5\r\nhello\r\n0\r\n\r\n"),
    "size underscore": _chunks("1_0\r\nhello\r\n0\r\n\r\n"),
    "data too long": _chunks("3\r\nhello\r\n0\r\n\r\n"),
    "data without CRLF": _chunks("5\r\nhello0\r\n\r\n"),
    "LF only": _chunks("5\nhello\n0\n\n"),
    "LF after data": _chunks("5\r\nhello\n0\r\n\r\n"),
    "LF in extension": _chunks("5;x\nhello\r\n0\r\n\r\n"),
    "CR in extension": _chunks("5;x\ry\r\nhello\r\n0\r\n\r\n"),
    "NUL in extension": _chunks("5;\0\r\nhello\r\n0\r\n\r\n"),
    "trailer without colon": _chunks("0\r\nnonsense\r\n\r\n"),
    "trailer space colon": _chunks("0\r\nX : y\r\n\r\n"),
    "trailer bare LF": _chunks("0\r\nX: y\n\r\n"),
    "trailer NUL": _chunks("0\r\nX: \0\r\n\r\n"),
    "last chunk bare LF": _chunks("0\n\n"),
    "later size": _chunks("5\r\nhello\r\nzz\r\n"),
}


def _assert_refused(port: int, up: u.Upstream, data: str | bytes, statuses=(400,)) -> None:
    with Client(port, timeout=5) as peer:
        try:
            peer.send((data if isinstance(data, bytes) else data.encode("latin-1")) + HIDDEN.encode())
        except OSError:
            pass
        response = peer.response()
        assert response is not None and response.status in statuses, response
        assert response.get("connection") == "close"
        assert peer.end() in ("closed", "reset")
        assert not peer.reader.buffer, "something was answered after the refusal"
    up.settle()
    assert not [r for r in up.requests if r.complete], "the upstream saw a complete request"
    up.forget()


@pytest.fixture
def shared(running):
    """The running pair, with nothing left of the case before."""
    _, up, _ = running
    up.settle()
    up.forget()
    return running


@pytest.fixture(scope="module")
def running():
    """One Remora and one upstream for the whole table: each case leaves them as it found them."""
    from tests.support import binaries, bootstrap as b, ports, proxy

    with u.Upstream("up") as up:
        port = ports.free_port()
        manager = b.hcm([b.virtual_host("all", ["*"], [b.route("/", "up")])], delayed_close_timeout="0.05s")
        config = b.bootstrap([b.listener(port, manager)], [b.cluster("up", up.port)], ports.free_port())
        with proxy.Proxy(binaries.remora(), config, name="remora") as process:
            yield port, up, process


@pytest.mark.parametrize("name", HEADS)
def test_a_bad_head_reaches_nobody(shared, name):
    port, up, _ = shared
    # Not HTTP/1.0 or 1.1 is told so.
    _assert_refused(port, up, HEADS[name], (426,) if name in ("version 2", "no version", "TE in 1.0") else (400,))
    assert not up.connections or not any(c.received for c in up.connections)


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_never_completes(shared, name):
    port, up, _ = shared
    _assert_refused(port, up, BODIES[name], (400,))


def test_a_bad_body_after_the_answer_began_closes_both(shared):
    port, up, _ = shared
    up.script.append(u.steps("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab", then="hang"))
    with Client(port, timeout=5) as peer:
        peer.send("POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        assert peer.response_head().status == 200
        try:
            peer.send("zz\r\n")
        except OSError:
            pass
        assert peer.end() in ("closed", "reset")
    up.settle()
    assert not [r for r in up.requests if r.complete]
    up.forget()


CORPUS = sorted((pathlib.Path(__file__).parent / "corpus" / "http1").glob("*.bin"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda p: p.stem)
def test_raw_inputs_do_no_harm(shared, path):
    """Raw inputs of a fuzzer: whatever comes of them, what reaches the upstream is well formed, and the proxy lives."""
    port, up, process = shared
    data = path.read_bytes()
    with Client(port, timeout=2) as peer:
        try:
            peer.send(data)
            peer.half_close()
            peer.end(0.5)
        except (OSError, http1.Timeout):
            pass
    up.settle()
    assert process.alive()
    bad = [c.ended for c in up.connections if c.ended.startswith("malformed")]
    assert not bad, bad
    for request in up.requests:
        assert len(request.all("host")) == 1
        assert len(request.all("content-length")) + len(request.all("transfer-encoding")) <= 1
    up.forget()


def test_the_corpus_is_here():
    assert 20 <= len(CORPUS) <= 100
