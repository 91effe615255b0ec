"""A service registered at a real Consul by our registration (consul-probe): its checks, an agent that forgets, and the end."""

from __future__ import annotations

import http.server
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from tests.support import binaries, ports
from tests.support.consul import Consul
from tests.support.proxy import _die_with_parent


class App:
    """The service itself: /health answers what the test says."""

    def __init__(self):
        outer = self
        self.status = 200

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", ports.free_port()), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def world(tmp_path):
    app = App()
    file = tmp_path / "service.yaml"
    file.write_text(
        f"service: {{name: web, id: web-1, port: 21000, tags: [v1], meta: {{version: '1'}}, proxy_ttl: 2s,\n"
        f"  check: {{http: 'http://127.0.0.1:{app.port}/health', interval: 200ms, timeout: 1s}}}}\n"
    )
    with Consul() as consul:
        probe = pathlib.Path(binaries.remora()).parent / "consul-probe"
        process = subprocess.Popen(
            [probe, "register", consul.address, str(file)], stdout=subprocess.PIPE, text=True, preexec_fn=_die_with_parent
        )
        try:
            yield consul, app, process
        finally:
            process.kill()
            process.communicate()
            app.server.shutdown()


def checks(consul: Consul) -> dict[str, str]:
    entries = consul.get("/v1/health/service/web")
    return {check["CheckID"]: check["Status"] for entry in entries for check in entry["Checks"] if check["ServiceID"]}


def wait_checks(consul: Consul, wanted: dict[str, str], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while (found := checks(consul)) != wanted:
        assert time.monotonic() < deadline, f"wanted {wanted}, it is {found}"
        time.sleep(0.05)


def test_a_service_lives_and_leaves(world):
    consul, app, process = world
    wait_checks(consul, {"app:web-1": "passing", "remora:web-1": "passing"})
    entry = consul.get("/v1/health/service/web")[0]["Service"]
    assert (entry["Port"], entry["Tags"], entry["Meta"]) == (21000, ["v1"], {"version": "1"})
    app.status = 500
    wait_checks(consul, {"app:web-1": "critical", "remora:web-1": "passing"})
    app.status = 200
    wait_checks(consul, {"app:web-1": "passing", "remora:web-1": "passing"})
    time.sleep(3)  # past the TTL: it is refreshed
    assert checks(consul)["remora:web-1"] == "passing"
    process.send_signal(signal.SIGTERM)
    out = process.communicate(timeout=10)[0]
    assert out.splitlines()[-1] == "gone" and process.returncode == 0
    assert consul.get("/v1/health/service/web") == []


def test_a_proxy_that_dies_is_noticed(world):
    consul, _, process = world
    wait_checks(consul, {"app:web-1": "passing", "remora:web-1": "passing"})
    process.kill()
    wait_checks(consul, {"app:web-1": "passing", "remora:web-1": "critical"})


def test_an_agent_that_forgot_hears_of_it_again(world):
    consul, _, process = world
    wait_checks(consul, {"app:web-1": "passing", "remora:web-1": "passing"})
    consul.kill()
    consul.start()
    wait_checks(consul, {"app:web-1": "passing", "remora:web-1": "passing"}, timeout=30)
    process.send_signal(signal.SIGTERM)
    assert "registering it again" in process.communicate(timeout=10)[0]
