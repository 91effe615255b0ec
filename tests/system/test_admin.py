"""The admin interface, page by page, beside a real Envoy's on the same bootstrap file."""

from __future__ import annotations

import concurrent.futures
import json
import re
import signal
import socket
import subprocess
import time

import pytest

from tests.support import binaries, bootstrap as b, ports, proxy

from .conftest import until


@pytest.fixture
def pair(up):
    """The same configuration in both, each with ports of its own."""
    started = {}
    for name, binary in (("envoy", binaries.envoy()), ("remora", binaries.remora())):
        hosts = [b.virtual_host("all", ["*"], [b.route("/", "up")])]
        listener = b.listener(ports.free_port(), b.hcm(hosts), "main")
        config = b.bootstrap(
            [listener], [b.cluster("up", up.port, outlier_detection={}), b.cluster("other", 9)], ports.free_port()
        )
        started[name] = proxy.Proxy(binary, config, name=name, arguments=["--base-id", str(ports.free_port())])
    yield started["envoy"], started["remora"]
    for process in started.values():
        process.kill()


def _shape(value):
    """The structure of JSON without what differs between two processes: numbers, times, ports."""
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items() if key not in ("value", "port_value", "last_updated")}
    if isinstance(value, list):
        shapes = [_shape(item) for item in value]
        by_name = all(isinstance(item, dict) and ("host_statuses" in item or "cluster" in item) for item in shapes)
        return sorted(shapes, key=json.dumps) if by_name else shapes  # Envoy keeps clusters in a hash map
    return value


def _text_shape(text: str) -> list[str]:
    lines = [re.sub(r"::-?\d+$", "::N", re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", line)) for line in text.splitlines()]
    return sorted(lines, key=lambda line: line.split("::")[0])  # stable: the order within a cluster stays


def test_clusters_are_envoys(pair):
    envoy, remora = pair
    assert _text_shape(remora.admin("/clusters").text) == _text_shape(envoy.admin("/clusters").text)
    assert _shape(remora.admin("/clusters?format=json").json()) == _shape(envoy.admin("/clusters?format=json").json())
    assert _text_shape(remora.admin("/clusters?filter=ot").text) == _text_shape(envoy.admin("/clusters?filter=ot").text)


def test_listeners_are_envoys(pair):
    envoy, remora = pair
    assert _text_shape(remora.admin("/listeners").text) == _text_shape(envoy.admin("/listeners").text)
    assert _shape(remora.admin("/listeners?format=json").json()) == _shape(envoy.admin("/listeners?format=json").json())


def test_config_dump_is_envoys(pair):
    envoy, remora = pair
    for page in ("/config_dump", *(f"/config_dump?resource=static_{x}" for x in ("listeners", "clusters", "route_configs"))):
        ours = {c["@type"]: c for c in _shape(remora.admin(page).json())["configs"]}
        theirs = {c["@type"]: c for c in _shape(envoy.admin(page).json())["configs"]}
        for kind, dump in ours.items():
            if "bootstrap" in dump:  # Envoy adds its extensions to the node
                node = theirs[kind]["bootstrap"]["node"]
                theirs[kind]["bootstrap"]["node"] = {k: v for k, v in node.items() if k in ("id", "cluster")}
            assert dump == theirs[kind]
        # What we lack, Envoy has empty.
        assert all(set(dump) == {"@type"} for kind, dump in theirs.items() if kind not in ours)
    for masked in (
        "mask=bootstrap.admin",
        "mask=static_listeners",
        "resource=static_clusters&mask=cluster.name,last_updated",
        "resource=static_clusters&mask=cluster.load_assignment.endpoints",
        "resource=static_listeners&mask=listener.address.socket_address",
        "resource=dynamic_active_clusters",
        "resource=static_clusters&mask=",
    ):
        assert _shape(remora.admin(f"/config_dump?{masked}").json()) == _shape(envoy.admin(f"/config_dump?{masked}").json())
    for bad in ("mask=nope", "mask=static_clusters.cluster.name", "resource=static_clusters&mask=nope", "resource=bootstrap"):
        assert remora.admin(f"/config_dump?{bad}").status == envoy.admin(f"/config_dump?{bad}").status == 400
    assert remora.admin("/config_dump?resource=nope").status == envoy.admin("/config_dump?resource=nope").status == 404


def test_server_info_has_envoys_keys(pair):
    envoy, remora = pair
    ours, theirs = remora.admin("/server_info").json(), envoy.admin("/server_info").json()
    assert list(ours) == list(theirs)
    assert set(ours["command_line_options"]) <= set(theirs["command_line_options"])
    assert (ours["state"], ours["command_line_options"]["concurrency"]) == ("LIVE", 1)
    assert (ours["node"]["id"], ours["node"]["cluster"]) == ("test", "test")
    assert re.fullmatch(r"[0-9a-f]{40}/\d+\.\d+\.\d+/\w+/(RELEASE|DEBUG)/OpenSSL", ours["version"]), ours["version"]


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/ready"),
        ("HEAD", "/ready"),
        ("POST", "/ready"),
        ("PUT", "/ready"),
        ("GET", "/quitquitquit"),
        ("HEAD", "/quitquitquit"),
        ("GET", "/drain_listeners"),
        ("PUT", "/healthcheck/fail"),
        ("GET", "/reopen_logs"),
        ("POST", "/logging?level=nope"),
        ("POST", "/logging?admin=info"),
        ("POST", "/logging?nosuch=info"),
        ("GET", "/nosuch"),
        ("GET", "/certs"),
        ("GET", "/memory"),
        ("GET", "/help"),
        ("GET", "/"),
    ],
)
def test_statuses_and_types_are_envoys(pair, method, path):
    envoy, remora = pair
    ours, theirs = remora.admin(path, method), envoy.admin(path, method)
    assert ours.status == theirs.status
    for header in ("content-type", "cache-control", "x-content-type-options"):
        assert ours.header(header) == theirs.header(header)
    assert (len(ours.body) == 0) == (len(theirs.body) == 0)
    if ours.status == 405:
        assert ours.body == theirs.body


def test_numbers_of_clusters_move(simple, up):
    for _ in range(3):
        assert simple.fetch().status == 200
    lines = dict(line.rsplit("::", 1) for line in simple.admin("/clusters").text.splitlines())
    at = f"up::127.0.0.1:{up.port}"
    assert (lines[f"{at}::rq_total"], lines[f"{at}::rq_success"], lines[f"{at}::cx_total"]) == ("3", "3", "1")
    [status] = simple.admin("/clusters?format=json").json()["cluster_statuses"]
    assert {"name": "rq_total", "value": "3"} in status["host_statuses"][0]["stats"]


def test_health_check_fail_and_ok(simple):
    assert simple.admin("/healthcheck/fail", "POST").text == "OK\n"
    ready = simple.admin("/ready")
    assert (ready.status, ready.text) == (503, "DRAINING\n")
    assert simple.admin("/server_info").json()["state"] == "DRAINING"
    with simple.connect() as client:
        answer = client.request("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (answer.status, answer.get("connection")) == (200, "close"), "traffic goes on, but not this connection"
    assert simple.admin("/healthcheck/ok", "POST").status == 200
    assert simple.admin("/ready").text == "LIVE\n"
    assert simple.fetch("GET / HTTP/1.1\r\nhost: a\r\n\r\n").get("connection") is None


def test_log_levels_change_at_once(simple):
    assert "  main: warning\n" in simple.admin("/logging").text
    assert "  main: debug\n" in simple.admin("/logging?paths=main:debug,admin:off", "POST").text
    assert "  admin: off\n" in simple.admin("/logging").text


def test_metrics_are_at_both_paths(simple):
    ours, envoys = simple.admin("/metrics"), simple.admin("/stats/prometheus")
    assert ours.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert "remora_workers 1\n" in ours.text and "remora_build_info{" in ours.text and "remora_draining 0\n" in ours.text
    assert "remora_workers 1\n" in envoys.text


def test_pages_answer_while_many_ask(simple):
    pages = ["/clusters", "/metrics", "/config_dump", "/", "/ready", "/server_info"] * 20
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert {answer.status for answer in pool.map(simple.admin, pages)} == {200}
    assert simple.fetch().status == 200


def test_the_index_leads_to_every_page(simple):
    page = simple.admin("/").text
    for path in sorted(set(re.findall(r'href="(\w[^":]*)"', page))):
        assert simple.admin("/" + path).status == 200, path
    assert "://" not in page, "it loads nothing from elsewhere"


@pytest.mark.multi_worker
def test_workers_are_counted_together(remora, up):
    running = remora([b.route("/", "up")], [b.cluster("up", up.port)], concurrency=4)
    for _ in range(40):
        assert running.fetch().status == 200
        running.admin("/clusters")
    total = sum(int(v) for v in re.findall(r"rq_total::(\d+)", running.admin("/clusters").text))
    assert total == 40
    assert running.metric("remora_workers") == 4


def _raw(listeners: list, clusters: list, **more) -> dict:
    return {"static_resources": {"listeners": listeners, "clusters": clusters}, **more}


def test_admin_on_a_unix_socket(tmp_path):
    path = str(tmp_path / "admin.sock")
    for _ in range(2):  # the second finds the socket that the first, killed, left behind
        running = proxy.Proxy(
            binaries.remora(), json.dumps(_raw([], [], admin={"address": {"pipe": {"path": path}}})), ready=False
        )
        until(lambda: _unix_get(path, "/ready").startswith(b"HTTP/1.1 200"), 10, "the socket")
        running.kill()


def _unix_get(path: str, page: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(2)
        try:
            peer.connect(path)
            peer.sendall(f"GET {page} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return peer.recv(4096)
        except OSError:
            return b""


def test_the_admins_access_log(tmp_path):
    log = tmp_path / "admin.log"
    address = b.address(ports.free_port())
    config = json.dumps(_raw([], [], admin={"address": address, "access_log_path": str(log)}))
    with proxy.Proxy(binaries.remora(), config) as running:
        running.admin("/clusters?format=json")
        running.admin("/quitquitquit")
        lines = log.read_text().splitlines()
    assert re.match(r'\[\S+Z\] "GET /clusters\?format=json HTTP/1\.1" 200 - 0 \d+ 0 - "-" ', lines[-2])
    assert '"GET /quitquitquit HTTP/1.1" 405 - 0 38 ' in lines[-1]


def test_ports_that_the_system_chooses_are_shown(tmp_path, up):
    """Port 0, for admin and listeners, with several workers: all share the one port."""
    where = tmp_path / "admin-address"
    hosts = [b.virtual_host("all", ["*"], [b.route("/", "up")])]
    config = b.bootstrap([b.listener(0, b.hcm(hosts), "main")], [b.cluster("up", up.port)], 0)
    arguments = ["--admin-address-path", str(where)]
    with proxy.Proxy(binaries.remora(), config, ready=False, concurrency=3, arguments=arguments) as running:
        until(lambda: where.exists() and ":" in where.read_text(), 10, "the admin's address")
        running.admin_port = int(where.read_text().rsplit(":", 1)[1])
        running.wait_ready()
        listed = running.admin("/listeners").text
        port = int(listed.rsplit(":", 1)[1])
        assert port != 0 and listed.startswith("main::127.0.0.1:")
        for _ in range(12):
            with socket.create_connection(("127.0.0.1", port), 2) as peer:
                peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert peer.recv(100).startswith(b"HTTP/1.1 200")


# --- the command line, and the log -----------------------------------------------------------------------------------
def _run(*arguments: str, timeout: float = 10) -> subprocess.CompletedProcess:
    return subprocess.run([binaries.remora(), *arguments], capture_output=True, text=True, timeout=timeout)


def test_validate_prints_what_envoy_prints(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text(json.dumps(_raw([], [])))
    ours = _run("-c", str(path), "--mode", "validate")
    theirs = subprocess.run(
        [binaries.envoy(), "-c", str(path), "--mode", "validate"], capture_output=True, text=True, timeout=20
    )
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.stderr == ""


def test_version_has_envoys_form():
    ours = _run("--version").stdout
    theirs = subprocess.run([binaries.envoy(), "--version"], capture_output=True, text=True, timeout=20).stdout
    form = r"\n\S+  version: [0-9a-f]{40}/\d+\.\d+\.\d+/\w+/\w+/\w+\n\n"
    assert re.fullmatch(form, theirs), theirs
    assert re.fullmatch(form, ours), ours


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--concurency", "2"], "did you mean --concurrency?"),
        (["--mode", "vlaidate"], "unknown mode 'vlaidate'"),
        (["-l", "loud"], "invalid log level specified 'loud'"),
        (["-c", "/nowhere/bootstrap.yaml"], "cannot read /nowhere/bootstrap.yaml: No such file or directory"),
        ([], "there is no configuration"),
        (["--config-yaml", "{}", "--log-path", "/nowhere/log"], "cannot open the log file /nowhere/log"),
        (["--config-yaml", "{nodes: {}}"], "nodes"),
    ],
)
def test_what_is_wrong_at_start_is_said(arguments, words):
    run = _run(*arguments)
    assert run.returncode == 1
    assert words in run.stderr


def test_the_configuration_may_come_by_a_pipe(tmp_path):
    import os
    import threading

    fifo = str(tmp_path / "pipe")
    os.mkfifo(fifo)
    text = json.dumps(_raw([], []))
    writer = threading.Thread(target=lambda: open(fifo, "w").write(text))
    writer.start()
    run = _run("-c", fifo, "--mode", "validate")
    writer.join()
    assert (run.returncode, run.stdout) == (0, f"configuration '{fifo}' OK\n")


def test_a_listener_whose_port_is_taken_says_so():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        hosts = [b.virtual_host("all", ["*"], [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}])]
        config = b.bootstrap([b.listener(port, b.hcm(hosts))], [], ports.free_port())
        run = _run("--config-yaml", json.dumps(config), "--concurrency", "2")
    assert run.returncode == 1
    assert f"127.0.0.1:{port}" in run.stderr and "in use" in run.stderr
    assert run.stderr.count("cannot start") == 1


def test_flags_name_the_node_and_format_the_log(tmp_path):
    config = json.dumps(_raw([], [], admin={"address": b.address(ports.free_port())}))
    log = tmp_path / "log"
    arguments = ["--service-node", "n2", "--service-cluster", "c2", "--service-zone", "z2"]
    arguments += ["--log-path", str(log), "--log-format", '{"level":"%l","logger":"%n","message":"%j"}']
    with proxy.Proxy(binaries.remora(), config, arguments=arguments) as running:
        node = running.admin("/server_info").json()["node"]
        assert (node["id"], node["cluster"], node["locality"]["zone"]) == ("n2", "c2", "z2")
        log.rename(tmp_path / "log.1")
        running.signal(signal.SIGUSR1)
        until(log.exists, 5, "a new log file")
        running.signal(signal.SIGHUP)
        running.admin("/healthcheck/fail", "POST")
        until(lambda: "healthcheck" in log.read_text(), 5, "a line in it")
        for line in log.read_text().splitlines():
            assert json.loads(line)["level"] in ("warning", "info")
        assert running.alive()


# --- the life ----------------------------------------------------------------------------------------------------------
def test_a_second_signal_ends_at_once(simple):
    with simple.connect() as peer:
        peer.send("GET / HTTP/1.1\r\n")  # a request that never ends
        began = time.monotonic()
        simple.proxy.signal(signal.SIGTERM)
        until(lambda: simple.admin("/ready").status == 503, 2, "the drain")
        simple.proxy.signal(signal.SIGTERM)
        assert simple.proxy.wait(3) == 0
        assert time.monotonic() - began < 3


def test_the_minimum_drain_is_a_flag(remora, up):
    running = remora(
        [b.route("/", "up")], [b.cluster("up", up.port)], arguments=["--min-drain-time-s", "1"]
    )
    began = time.monotonic()
    running.proxy.signal(signal.SIGTERM)
    until(lambda: running.admin("/ready").status == 503, 1, "the drain")
    assert "remora_draining 1\n" in running.admin("/metrics").text
    assert running.proxy.wait(5) == 0
    assert 0.9 < time.monotonic() - began < 3


def test_a_graceful_drain_of_listeners_goes_on_serving(simple):
    assert simple.admin("/drain_listeners?graceful", "POST").status == 200
    answer = simple.fetch()
    assert (answer.status, answer.get("connection")) == (200, "close")
    assert simple.admin("/ready").status == 200
