"""A mesh on a real Consul: services with their sidecars registered at the agent, config entries, a control plane that
follows them, and Remoras beside the services. A sidecar's endpoints come in one of two ways (`WAYS`):

- found_by_proxy: the proxy is given the Consul (--consul), and watches health there by itself;
- told_by_control: it is not, and control gives it the endpoints by EDS.
"""

from __future__ import annotations

import pathlib

import yaml

from tests.support import binaries, client, ports, proxy, upstream as u
from tests.support.consul import Consul
from tests.support.control import Control
from tests.support.load import until

WAYS = ["found_by_proxy", "told_by_control"]


class Instance:
    """One instance of a service: its program (`app`), and where its sidecar listens, if it has one."""

    def __init__(self, service: str, id: str, app: u.Upstream, upstreams: list[str], meta: dict[str, str]):
        self.service, self.id, self.app, self.meta = service, id, app, meta
        self.inbound = ports.free_port()
        self.outbound = {name: ports.free_port() for name in upstreams}
        self.sidecar: proxy.Proxy | None = None

    def registration(self) -> dict:
        """A TTL check of the service that a test moves (Consul.report); the sidecar's own checks are what Consul makes by
        itself, but for the first look, which must not take ten seconds."""
        proxy_settings = {
            "Upstreams": [{"DestinationName": name, "LocalBindPort": port} for name, port in self.outbound.items()],
            "Config": {"bind_address": "127.0.0.1"},
        }
        return {
            "Name": self.service,
            "ID": self.id,
            "Address": "127.0.0.1",
            "Port": self.app.port,
            "Meta": self.meta,
            "Check": {"CheckID": f"ttl:{self.id}", "TTL": "1h", "Status": "passing"},
            "Connect": {
                "SidecarService": {
                    "Port": self.inbound,
                    "Checks": [
                        {"Name": "the sidecar listens", "TCP": f"127.0.0.1:{self.inbound}", "Interval": "1s"},
                        {"Name": "its service is well", "AliasService": self.id},
                    ],
                    "Proxy": proxy_settings,
                }
            },
        }

    def fetch(self, destination: str, request: str | bytes | None = None):
        return client.fetch(self.outbound[destination], request)


class ConsulMesh:
    def __init__(self, folder: pathlib.Path, consul: Consul, way: str, *, control_arguments: list[str] | None = None):
        self.folder, self.consul, self.way = folder, consul, way
        self.instances: dict[str, Instance] = {}
        self._control_arguments = control_arguments or []
        self._control: Control | None = None

    # ---- what Consul holds

    def entry(self, kind: str, name: str, **more) -> None:
        self.consul.put("/v1/config", {"Kind": kind, "Name": name, **more})

    def http(self, *services: str) -> None:
        for service in services:
            self.entry("service-defaults", service, Protocol="http")

    def split(self, service: str, **weights: float) -> None:
        splits = [{"Weight": weight, "ServiceSubset": subset} for subset, weight in weights.items()]
        self.entry("service-splitter", service, Splits=splits)

    def subsets_by_version(self, service: str, *versions: str, **more) -> None:
        subsets = {version: {"Filter": f"Service.Meta.version == {version}"} for version in versions}
        self.entry("service-resolver", service, Subsets=subsets, **more)

    def add(self, service: str, id: str | None = None, *, calls: tuple[str, ...] = (), body: str = "", **meta: str) -> Instance:
        """Registers an instance, with a program that answers with its id (or `body`). Its sidecar is not started."""
        instance = self.unregistered(service, id or service, calls=calls, body=body, **meta)
        self.register(instance)
        return instance

    def register(self, instance: Instance) -> None:
        self.consul.put("/v1/agent/service/register", instance.registration())
        self.consul.report(instance.id, "passing")  # which it keeps through a restart, unlike the first status

    def unregistered(self, service: str, id: str, *, calls: tuple[str, ...] = (), body: str = "", **meta: str) -> Instance:
        """One that registers itself: see `service_file`."""
        app = u.Upstream(id)
        app.default = u.answer(200, body or id)
        self.instances[id] = Instance(service, id, app, list(calls), meta)
        return self.instances[id]

    def service_file(self, instance: Instance) -> str:
        """For --register."""
        upstreams = [{"destination_name": name, "local_bind_port": port} for name, port in instance.outbound.items()]
        proxy_settings = {"upstreams": upstreams, "config": {"bind_address": "127.0.0.1"}}
        service = {
            "name": instance.service,
            "id": instance.id,
            "address": "127.0.0.1",
            "port": instance.app.port,
            "meta": instance.meta,
            "connect": {"sidecar_service": {"port": instance.inbound, "proxy": proxy_settings}},
        }
        path = self.folder / f"{instance.id}.yaml"
        path.write_text(yaml.safe_dump({"service": service}))
        return str(path)

    def passing(self, service: str) -> set[str]:
        """The ids of the services whose sidecars Consul names as passing."""
        found = self.consul.get(f"/v1/health/connect/{service}", passing="1")
        return {entry["Service"]["Proxy"]["DestinationServiceID"] for entry in found}

    def wait_passing(self, service: str, *ids: str) -> None:
        until(lambda: self.passing(service) == set(ids), 20, f"{ids} of {service} to be all that pass in Consul")

    # ---- what runs

    @property
    def control(self) -> Control:
        if self._control is None:
            arguments = ["--consul", self.consul.address, *self._control_arguments]
            self._control = Control(self.folder, None, *arguments).wait_ready()
        return self._control

    def sidecar(self, instance: Instance, *arguments: str) -> proxy.Proxy:
        """With --consul if that is the mesh's way, or if `arguments` say it."""
        admin = ports.free_port()
        said = ["--control", self.control.address, "--service", instance.service, "--service-id", instance.id]
        if self.way == "found_by_proxy" and "--consul" not in arguments:
            said += ["--consul", self.consul.address]
        instance.sidecar = proxy.Proxy(
            binaries.remora(),
            None,
            name=f"sidecar-{instance.id}",
            arguments=[*said, "--admin", f"127.0.0.1:{admin}", *arguments],
            admin_port=admin,
        )
        return instance.sidecar

    def start(self) -> "ConsulMesh":
        """Every sidecar that does not run, and waits until Consul has seen each."""
        for instance in self.instances.values():
            if instance.sidecar is None:
                self.sidecar(instance)
        for service in {instance.service for instance in self.instances.values()}:
            self.wait_passing(service, *(i.id for i in self.instances.values() if i.service == service))
        return self

    def close(self) -> None:
        failed = []
        for instance in self.instances.values():
            try:
                if instance.sidecar is not None:
                    instance.sidecar.stop()
            except proxy.ProxyFailed as error:
                failed.append(str(error))
            instance.app.close()
        if self._control is not None:
            self._control.kill()
        assert not failed, "\n".join(failed)
