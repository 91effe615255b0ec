"""A real Consul agent on free loopback ports: started, waited for, killed, restarted with its data, and always ended."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from tests.support import binaries, ports
from tests.support.proxy import _die_with_parent


def binary() -> str:
    path = os.environ.get("REMORA_CONSUL")
    if path is None:
        cache = os.environ.get("REMORA_CACHE") or os.path.expanduser("~/.cache/remora")
        found = sorted(pathlib.Path(cache).glob("consul-*/consul"))
        path = str(found[-1]) if found else None
    if path is None or not os.access(path, os.X_OK):
        raise binaries.MissingBinary("no Consul in the cache: scripts/consul builds one; or set REMORA_CONSUL")
    return path


class Answer:
    def __init__(self, status: int, headers, body: bytes):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Consul:
    """A server of one. `persistent`: it keeps its data in a folder, so that it can be restarted."""

    def __init__(self, *, persistent: bool = False, datacenter: str = "dc1", config: dict | None = None, join_wan: int = 0, https_port: int = -1, token: str = ""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="remora-test-consul-"))
        self.persistent, self.datacenter, self.token = persistent, datacenter, token
        self.http_port, self.server_port = ports.free_port(), ports.free_port()
        self.serf_lan, self.serf_wan = ports.free_port(), ports.free_port()
        settings = {
            "datacenter": datacenter,
            "node_name": f"node-{datacenter}",
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "advertise_addr": "127.0.0.1",
            "disable_update_check": True,
            "log_level": "warn",
            "ports": {
                "http": self.http_port,
                "server": self.server_port,
                "serf_lan": self.serf_lan,
                "serf_wan": self.serf_wan,
                "dns": -1,
                "grpc": -1,
                "grpc_tls": -1,
                "https": https_port,
            },
            # A leader within a second, also after a restart.
            "performance": {"raft_multiplier": 1},
            **({"retry_join_wan": [f"127.0.0.1:{join_wan}"]} if join_wan else {}),
            **(config or {}),
        }
        if persistent:
            settings |= {"server": True, "bootstrap_expect": 1, "data_dir": str(self.folder / "data")}
        self.config_path = self.folder / "config.json"
        self.config_path.write_text(json.dumps(settings))
        self.process: subprocess.Popen | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.http_port}"

    def start(self, wait: bool = True) -> None:
        command = [binary(), "agent", *([] if self.persistent else ["-dev"]), f"-config-file={self.config_path}"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=_die_with_parent)
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                answer = self.call("GET", "/v1/catalog/service/consul")
                if answer.status == 200 and answer.json:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError("Consul did not start:\n" + (self.folder / "log").read_text()[-3000:])

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Consul":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def call(self, method: str, path: str, body=None, token: str | None = None, **query: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        try:
            target = path + ("?" + urllib.parse.urlencode(query) if query else "")
            secret = self.token if token is None else token
            headers = {"X-Consul-Token": secret} if secret else {}
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **query: str):
        answer = self.call("GET", path, **query)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json

    def put(self, path: str, body=None, **query: str):
        answer = self.call("PUT", path, body, **query)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.body

    # ---- services

    def register(self, service: str, port: int, *, id: str | None = None, status: str = "passing", **more) -> None:
        """With a TTL check that a test moves: see `report`."""
        name = id or service
        definition = {"Name": service, "ID": name, "Port": port, "Address": "127.0.0.1", **more}
        definition.setdefault("Check", {"CheckID": f"ttl:{name}", "TTL": "1h", "Status": status})
        self.put("/v1/agent/service/register", definition)

    def report(self, id: str, status: str) -> None:
        self.put("/v1/agent/check/update/ttl:" + id, {"Status": status, "Output": f"the test says {status}"})

    def deregister(self, id: str) -> None:
        self.put("/v1/agent/service/deregister/" + id)
