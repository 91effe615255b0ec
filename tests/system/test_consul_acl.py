"""A Consul with ACLs on (default policy deny): what Consul filters out of an answer is never taken for nobody being there."""

from __future__ import annotations

import pytest

from tests.support.consul import Consul
from tests.support.consul_mesh import WAYS, ConsulMesh
from tests.support.load import Load, until

MASTER = "5f2fd5c6-0f4e-4b52-9a9a-aaaaaaaaaaaa"
ENOUGH = 'service_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }\nagent_prefix "" { policy = "read" }'
NO_API = ENOUGH + '\nservice_prefix "api" { policy = "deny" }'


class Policies:
    """A token in a file, whose one policy the test rewrites."""

    def __init__(self, consul: Consul, folder):
        self.consul = consul
        self.policy = consul.call("PUT", "/v1/acl/policy", {"Name": "remora", "Rules": ENOUGH}).json
        token = consul.call("PUT", "/v1/acl/token", {"Policies": [{"Name": "remora"}]}).json
        self.file = folder / "token"
        self.file.write_text(token["SecretID"] + "\n")

    def allow(self, rules: str) -> None:
        self.consul.put(f"/v1/acl/policy/{self.policy['ID']}", {**self.policy, "Rules": rules})


@pytest.fixture
def consul():
    acl = {
        "enabled": True,
        "default_policy": "deny",
        "tokens": {"initial_management": MASTER, "agent": MASTER},
        "token_ttl": "0s",
        "policy_ttl": "0s",
    }
    with Consul(config={"acl": acl}, token=MASTER) as running:
        yield running


@pytest.fixture(params=WAYS)
def mesh(request, tmp_path, consul):
    until(lambda: consul.call("GET", "/v1/acl/policies").status == 200, 20, "ACLs to be there")
    policies = Policies(consul, tmp_path)
    made = ConsulMesh(
        tmp_path, consul, request.param, control_arguments=["--consul-token-file", str(policies.file)]
    )
    made.policies = policies
    made.entry("proxy-defaults", "global", Config={"allow_unauthenticated": True})  # the default policy denies all calls
    made.http("web", "api")
    made.add("web", calls=("api",))
    made.add("api", "api-1")
    yield made
    made.close()


def start(mesh: ConsulMesh) -> int:
    for instance in mesh.instances.values():
        token = ["--consul-token-file", str(mesh.policies.file)] if mesh.way == "found_by_proxy" else []
        mesh.sidecar(instance, *token)
    mesh.start()
    web = mesh.instances["web"]
    until(lambda: web.fetch("api").body == b"api-1", 20, "api")
    return web.outbound["api"]


def test_a_token_that_loses_its_right_loses_no_request_and_is_told_of(mesh):
    with Load(start(mesh)) as load:
        load.wait(b"api-1")
        mesh.policies.allow(NO_API)
        mesh.consul.register("api", 9, id="noise", status="critical")  # so that Consul has something to say
        told = mesh.instances["web"].sidecar.stderr if mesh.way == "found_by_proxy" else mesh.control.log
        until(lambda: "service:read on 'api' and node:read" in told(), 80, "the permission's name")
        load.wait_any(200)
        mesh.policies.allow(ENOUGH)
        load.wait_any(100)
    assert load.wrong == []
