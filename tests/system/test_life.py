"""Start, drain, end; and what happens when the file descriptors run out."""

from __future__ import annotations

import re
import resource
import signal
import socket
import time

import pytest

from tests.support import binaries, bootstrap as b, ports, proxy, upstream as u
from tests.support.client import Client, get

from .conftest import until


def _ready(running) -> int:
    return running.admin("/ready").status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_sigterm_drains(remora, up, number):
    """/ready fails at once, new connections are still taken, answers say close, idle ones are closed, what is in
    flight finishes, and then it is gone, long before the deadline."""
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)])
    up.by_path["/slow"] = u.answer(200, "finished", delay=1.0)
    slow, idle = running.connect(), running.connect()
    assert idle.request(get("/")).status == 200
    slow.send(get("/slow"))
    up.wait_requests(2)
    began = time.monotonic()
    running.proxy.signal(number)
    until(lambda: _ready(running) == 503, 2, "/ready to fail")
    late = running.fetch(get("/late"))
    assert (late.status, late.get("connection")) == (200, "close")
    answer = slow.response()
    assert (answer.status, answer.body, answer.get("connection")) == (200, b"finished", "close")
    assert slow.end() == "closed"
    assert idle.end(8) == "closed"
    assert running.proxy.wait(12) == 0
    took = time.monotonic() - began
    assert took > 3.0, "peers must have time to notice"
    assert took < 12
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", running.port), 1).close()


def test_drain_deadline_ends_what_hangs(remora, up):
    running = remora(
        [b.route("/", {"cluster": "up", "timeout": "0s"})],
        [b.cluster("up", up.port)],
        arguments=["--drain-time-s", "2"],
    )
    up.script.append(u.hang())
    peer = running.connect()
    peer.send(get("/"))
    up.wait_requests(1)
    began = time.monotonic()
    running.proxy.signal(signal.SIGTERM)
    assert running.proxy.wait(8) == 0
    assert time.monotonic() - began > 1.5
    assert peer.end() in ("closed", "reset")


def test_quitquitquit_ends_at_once(remora, up):
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)])
    assert running.admin("/quitquitquit", "POST").status == 200
    assert running.proxy.wait(5) == 0


def test_drain_listeners(remora, up):
    """New connections are refused in the end; the process stays."""
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)])
    with running.connect() as old:
        assert old.request(get("/")).status == 200
        assert running.admin("/drain_listeners", "POST").status == 200

        def refused() -> bool:
            try:
                socket.create_connection(("127.0.0.1", running.port), 1).close()
                return False
            except OSError:
                return True

        until(refused, 8, "the listener to close")
    assert running.proxy.alive()
    assert running.admin("/server_info").status == 200


def test_a_second_process_on_the_port_says_so(remora, up):
    """SO_REUSEPORT is for our own workers; another process on the same admin port must fail loudly."""
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)])
    second = proxy.Proxy(binaries.remora(), running.proxy.config, name="second", ready=False)
    assert second.wait(5) != 0
    assert re.search(r"(?i)in use", second.stderr())


def test_versions_and_help():
    import subprocess

    version = subprocess.run([binaries.remora(), "--version"], capture_output=True, text=True, timeout=10)
    assert version.returncode == 0 and re.search(r"\d+\.\d+\.\d+", version.stdout)


def test_validate_accepts_and_refuses(tmp_path, up):
    import subprocess

    good = b.bootstrap(
        [b.listener(ports.free_port(), b.hcm([b.virtual_host("v", ["*"], [b.route("/", "up")])]))],
        [b.cluster("up", up.port)],
        ports.free_port(),
    )
    bad = b.bootstrap(
        [
            b.listener(
                ports.free_port(), b.hcm([b.virtual_host("v", ["*"], [b.route("/", "nowhere")])], stat_prefiks="typo")
            )
        ],
        [b.cluster("up", up.port, connect_timeoout="1s")],
        ports.free_port(),
    )
    import yaml

    for name, config, status in (("good", good, 0), ("bad", bad, 1)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        run = subprocess.run(
            [binaries.remora(), "-c", str(path), "--mode", "validate"], capture_output=True, text=True, timeout=10
        )
        assert (run.returncode == 0) == (status == 0), run.stderr
        if name == "bad":
            text = run.stdout + run.stderr
            assert "stat_prefiks" in text and "stat_prefix" in text, "a typo names the nearest field"
            assert "connect_timeoout" in text, "all errors are told at once"
            assert "nowhere" in text


def _few_files(soft: int):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft))


def test_out_of_file_descriptors(remora, up):
    """It refuses politely, keeps serving those that it has, and recovers."""
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)], preexec=_few_files(80))
    # Once through every path while descriptors are left: ubsan looks at an object's type through a pipe, the first time
    # that it meets it, and without one takes the object for a bad one.
    for path in ("/", "/direct"):
        running.fetch(get(path))
    up.script.append(u.close())
    running.fetch()
    steady = running.connect()
    assert steady.request(get("/")).status == 200
    crowd = []
    try:
        for _ in range(120):
            peer = Client(running.port, timeout=2)
            peer.send(get("/direct"))
            crowd.append(peer)
        assert running.proxy.alive()
        assert steady.request(get("/"), timeout=5).status in (200, 503)
        cpu = _cpu(running)
        time.sleep(0.5)
        assert _cpu(running) - cpu < 0.3, "it spins while it has no descriptors"
    finally:
        for peer in crowd:
            peer.close()
    until(lambda: _works(running), 5, "recovery")
    assert steady.request(get("/")).status == 200
    assert running.metric("remora_downstream_accept_failures_total") > 0


def _works(running) -> bool:
    try:
        return running.fetch(timeout=2).status == 200
    except Exception:  # whatever it is, it does not work yet
        return False


def _cpu(running) -> float:
    fields = open(f"/proc/{running.proxy.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_no_descriptor_leaks(simple, up):
    for _ in range(5):
        simple.fetch()
    before = simple.proxy.open_fds()
    for _ in range(50):
        simple.fetch()
        up.script.append(u.close())
        simple.fetch()
    until(lambda: simple.proxy.open_fds() <= before + 2, 3, "descriptors to come back")


@pytest.mark.parametrize("kind", ["port", "pipe"])
def test_two_do_not_share_a_listener(remora, up, tmp_path, kind):
    """SO_REUSEPORT, which the workers share their port by, would let a second process take half of the connections;
    the path of a Unix socket would simply be taken over."""
    first = remora([b.route("/", "up")], [b.cluster("up", up.port)], concurrency=3)
    listener = b.listener(first.port, b.hcm([b.virtual_host("all", ["*"], [b.route("/", "up")])]), "late")
    place = f"127.0.0.1:{first.port}"
    with socket.socket(socket.AF_UNIX) as held:
        if kind == "pipe":
            place = str(tmp_path / "listener")
            held.bind(place)
            held.listen()
            listener["address"] = {"pipe": {"path": place}}
        config = b.bootstrap([listener], [b.cluster("up", up.port)], ports.free_port())
        second = proxy.Proxy(binaries.remora(), config, name="second", concurrency=3, ready=False)
        assert second.wait(20) == 1
    assert f"listener 'late': {place} is in use: another process listens there" in second.stderr()
    assert [first.fetch().status for _ in range(8)] == [200] * 8


def test_connections_are_told_at_debug_level(remora, up):
    clusters = [b.cluster("up", up.port), b.cluster("dead", ports.free_port())]
    running = remora([b.route("/dead", "dead"), b.route("/", "up")], clusters)
    assert running.fetch().status == 200
    assert "[C" not in running.proxy.stderr()
    assert running.proxy.admin("/logging?paths=pool:debug,connection:debug", "POST").status == 200
    with running.connect() as client:
        assert client.request(get("/dead")).status == 503
    for words in ("cannot connect: Connection refused", "closed by the client, after 1 requests"):
        until(lambda words=words: words in running.proxy.stderr(), 5, words)
