"""Endpoints found in a real Consul, as consul-probe (our source on a loop of its own) prints them: what happens to
instances, and what happens to Consul."""

from __future__ import annotations

import os
import pathlib
import subprocess
import threading
import time

import pytest

from tests.support import binaries, ports
from tests.support.consul import Consul, binary
from tests.support.proxy import _die_with_parent


class Probe:
    def __init__(self, consul: Consul | str, *options: str):
        path = pathlib.Path(binaries.remora()).parent / "consul-probe"
        address = consul if isinstance(consul, str) else consul.address
        self.process = subprocess.Popen(
            [path, "watch", address, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_die_with_parent
        )
        self.lines: list[tuple[float, str]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip()))

    def __enter__(self) -> "Probe":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        error = self.process.communicate()[1]
        assert not error, error

    def endpoints(self) -> list[str] | None:
        sets = [line for _, line in self.lines if line.startswith("endpoints")]
        return sets[-1].split()[1:] if sets else None

    def ports(self) -> list[int] | None:
        found = self.endpoints()
        return None if found is None else sorted(int(at.split("/")[0].rsplit(":", 1)[1]) for at in found)

    def wait_ports(self, *wanted: int, timeout: float = 10.0) -> float:
        """When it became so."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.ports() == sorted(wanted):
                return self.lines[-1][0]
            time.sleep(0.005)
        raise AssertionError(f"wanted {wanted}, after {timeout} s it is {self.ports()}:\n" + "\n".join(l for _, l in self.lines))

    def told(self) -> list[str]:
        return [line[5:] for _, line in self.lines if line.startswith("told")]

    def wait_told(self, words: str, timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not any(words in line for line in self.told()):
            assert time.monotonic() < deadline, f"nobody told of {words!r}: {self.told()}"
            time.sleep(0.01)


@pytest.fixture
def consul():
    with Consul() as running:
        yield running


@pytest.fixture
def lasting():
    with Consul(persistent=True) as running:
        yield running


def test_instances_come_fail_and_go(consul):
    consul.register("api", 9001, id="api-1")
    with Probe(consul, "service=api") as probe:
        probe.wait_ports(9001)
        began = time.monotonic()
        consul.register("api", 9002, id="api-2")
        assert probe.wait_ports(9001, 9002) - began < 1.0
        consul.report("api-1", "critical")
        probe.wait_ports(9002)
        consul.report("api-1", "warning")
        time.sleep(0.3)
        assert probe.ports() == [9002]  # passing only
        consul.report("api-1", "passing")
        probe.wait_ports(9001, 9002)
        consul.deregister("api-2")
        probe.wait_ports(9001)
        consul.deregister("api-1")
        probe.wait_ports()  # nothing happened to Consul: an empty answer is believed at once
        assert probe.told() == []


def test_subsets_tags_and_weights(consul):
    consul.register("api", 9001, id="api-1", Meta={"version": "1"}, Tags=["Blue"], Weights={"Passing": 7, "Warning": 1})
    consul.register("api", 9002, id="api-2", Meta={"version": "2"})
    with Probe(consul, "service=api", "filter=Service.Meta.version == 2") as v2, Probe(consul, "service=api", "tag=blue") as blue:
        v2.wait_ports(9002)
        blue.wait_ports(9001)
        assert blue.endpoints() == ["127.0.0.1:9001/0/7"]


def test_sidecars_are_the_instances(consul):
    consul.register("api", 9001)
    with Probe(consul, "service=api", "connect=1") as probe:
        probe.wait_ports(9001)
        sidecar = {"Kind": "connect-proxy", "Proxy": {"DestinationServiceName": "api", "DestinationServiceID": "api"}}
        consul.register("api-sidecar-proxy", 21000, **sidecar)
        probe.wait_ports(21000)
        consul.report("api-sidecar-proxy", "critical")
        probe.wait_ports()  # a sick sidecar is no reason to go past it
        consul.report("api-sidecar-proxy", "passing")
        probe.wait_ports(21000)
        consul.deregister("api-sidecar-proxy")
        probe.wait_ports(9001)


def test_a_killed_consul_leaves_the_last_good(lasting):
    lasting.register("api", 9001)
    with Probe(lasting, "service=api") as probe:
        probe.wait_ports(9001)
        lasting.kill()
        probe.wait_told("the last good endpoints of service api stay")
        time.sleep(1)
        assert probe.ports() == [9001]
        lasting.start()
        probe.wait_told("Consul answers again: service api", timeout=40)
        # The agent kept the service; its TTL check begins anew as critical, which is not believed for a while.
        time.sleep(3)
        assert probe.ports() == [9001]
        lasting.report("api", "passing")
        lasting.register("api", 9002, id="api-2")
        probe.wait_ports(9001, 9002)


def test_a_consul_that_forgot_everything_is_believed_after_a_while(consul):
    consul.register("api", 9001)
    with Probe(consul, "service=api", "hold_ms=4000") as probe:
        probe.wait_ports(9001)
        consul.kill()
        consul.start()  # -dev: nothing is kept, indexes begin anew. No question need have failed meanwhile
        again = time.monotonic()
        assert probe.wait_ports(timeout=40) - again > 2.5  # 4 s after the first answer, which was 0.5 s ago at most
        consul.register("api", 9003)
        probe.wait_ports(9003)


def test_a_consul_that_hangs_is_noticed(consul):
    consul.register("api", 9001)
    with Probe(consul, "service=api") as probe:
        probe.wait_ports(9001)
        consul.register("api", 9002, id="api-2")
        probe.wait_ports(9001, 9002)
        consul.freeze()
        try:
            probe.wait_told("no answer within", timeout=90)
            assert probe.ports() == [9001, 9002]
        finally:
            consul.thaw()
        consul.register("api", 9003, id="api-3")
        probe.wait_ports(9001, 9002, 9003, timeout=40)


def test_with_acls_a_token_is_needed_and_rotates(tmp_path):
    root = "11111111-1111-1111-1111-111111111111"
    acl = {"acl": {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": root, "agent": root}}}
    with Consul(config=acl, token=root) as consul:
        consul.register("api", 9001)
        consul.put("/v1/acl/policy", {"Name": "read", "Rules": 'service_prefix "" {policy="read"} node_prefix "" {policy="read"}'})
        policies = {"Policies": [{"Name": "read"}]}
        secrets = [consul.call("PUT", "/v1/acl/token", policies).json["SecretID"] for _ in range(2)]
        file = tmp_path / "token"
        file.write_text("22222222-2222-2222-2222-222222222222\n")
        with Probe(consul, "service=api", f"token_file={file}") as probe:
            probe.wait_told("403")
            assert "a token was sent" in probe.told()[0]
            file.write_text(secrets[0])
            probe.wait_ports(9001, timeout=40)
            consul.call("DELETE", "/v1/acl/token/" + consul.call("GET", "/v1/acl/token/self", token=secrets[0]).json["AccessorID"])
            file.write_text(secrets[1])
            consul.register("api", 9002, id="api-2")
            probe.wait_ports(9001, 9002, timeout=40)


def test_two_agents_when_one_dies(consul):
    with Consul() as second:
        for each in (consul, second):
            each.register("api", 9001)
        with Probe(f"{consul.address},{second.address}", "service=api") as probe:
            probe.wait_ports(9001)
            consul.kill()
            second.register("api", 9002, id="api-2")
            probe.wait_ports(9001, 9002)


def test_another_datacenter_is_the_next_priority():
    with Consul(datacenter="dc1") as one, Consul(datacenter="dc2", join_wan=one.serf_wan) as two:
        deadline = time.monotonic() + 20
        while len(one.get("/v1/catalog/datacenters")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        one.register("api", 9001)
        two.register("api", 9002)
        with Probe(one, "service=api", "service=api", "dc=dc2") as probe:
            probe.wait_ports(9001, 9002, timeout=20)
            assert probe.endpoints() == ["127.0.0.1:9001/0/1", "127.0.0.1:9002/1/1"]
            one.report("api", "critical")
            probe.wait_ports(9002)
            assert probe.endpoints() == ["127.0.0.1:9002/1/1"]


def test_prepared_queries_are_polled(consul):
    consul.register("api", 9001)
    consul.call("POST", "/v1/query", {"Name": "my-api", "Service": {"Service": "api", "OnlyPassing": True}})
    with Probe(consul, "query=my-api", "poll_ms=300") as probe:
        probe.wait_ports(9001)
        consul.register("api", 9002, id="api-2")
        probe.wait_ports(9001, 9002)


@pytest.mark.release_only  # a sanitizer keeps freed memory for a while
def test_10000_services_of_which_one_is_used_cost_what_one_costs(consul):
    """The proxy asks about what it uses, never about the mesh."""

    def rss(probe: Probe) -> int:
        pages = int(pathlib.Path(f"/proc/{probe.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024

    consul.register("api", 9001)
    with Probe(consul, "service=api") as probe:
        probe.wait_ports(9001)
        before = rss(probe)
        for at in range(300):
            operations = [
                {"Service": {"Verb": "set", "Node": "other", "Service": {"ID": f"s{at}-{n}", "Service": f"s{at}-{n}", "Port": 80}}}
                for n in range(33)
            ]
            if at == 0:
                operations.insert(0, {"Node": {"Verb": "set", "Node": {"Node": "other", "Address": "10.0.0.1"}}})
            consul.put("/v1/txn", operations)
        consul.register("api", 9002, id="api-2")
        probe.wait_ports(9001, 9002)
        assert rss(probe) - before < 1024


def test_https_with_the_right_ca_and_with_another(tmp_path):
    def consul_tls(folder: pathlib.Path, *arguments: str) -> None:
        folder.mkdir(exist_ok=True)
        subprocess.run([binary(), "tls", *arguments], cwd=folder, check=True, capture_output=True)

    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        consul_tls(folder, "ca", "create")
    consul_tls(mine, "cert", "create", "-server", "-dc", "dc1", "-additional-ipaddress", "127.0.0.1")
    https = ports.free_port()
    files = {"ca_file": "consul-agent-ca.pem", "cert_file": "dc1-server-consul-0.pem", "key_file": "dc1-server-consul-0-key.pem"}
    tls = {"defaults": {key: str(mine / file) for key, file in files.items()}}
    with Consul(config={"tls": tls}, https_port=https) as consul:
        consul.register("api", 9001)
        with Probe(f"https://127.0.0.1:{https}", "service=api", f"ca_file={mine / 'consul-agent-ca.pem'}") as probe:
            probe.wait_ports(9001)
            consul.register("api", 9002, id="api-2")
            probe.wait_ports(9001, 9002)
        with Probe(f"https://127.0.0.1:{https}", "service=api", f"ca_file={other / 'consul-agent-ca.pem'}") as probe:
            probe.wait_told("the certificate of 127.0.0.1 is not trusted")
        with Probe(f"https://localhost:{consul.http_port}", "service=api", f"ca_file={mine / 'consul-agent-ca.pem'}") as probe:
            probe.wait_told("TLS: the handshake failed: wrong version number")
