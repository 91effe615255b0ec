"""Consul's filter language, ours beside Consul's own: the same filters over the same instances, asked of a real agent
(`?filter=`) and of our parser and evaluator. What one refuses the other refuses; what both take selects the same."""

from __future__ import annotations

import json
import pathlib
import random
import subprocess

import pytest

from tests.support import binaries
from tests.support.consul import Consul

WRITTEN = r"""
Service.Meta.version == 2
Service.Meta.version==2
Service.Meta.version == "2"
Service.Meta.version == `2`
Service.Meta.version != 2
Service.Meta.version = 2
Service.Meta.version ==
Service.Meta.version == 2 and Service.Meta.env == prod
Service.Meta.version == 2 or Service.Meta.env == prod
Service.Meta.env == prod or Service.Meta.env == dev and Service.Meta.version == 3
(Service.Meta.env == prod or Service.Meta.env == dev) and Service.Meta.version == 3
not Service.Meta.version == 2
not not Service.Meta.version == 2
not(Service.Meta.version == 2)
not (Service.Meta.version == 2)
not  ( Service.Meta.version == 2 )
( ( Service.Meta.version == 2 ) )
(Service.Meta.version == 2
Service.Meta.version == 2)
Service.Meta.version == 2 and
Service.Meta.version == 2 and(Service.Port == 1)
Service.Meta.version == 2and Service.Port == 1
v1 in Service.Tags
"v1" in Service.Tags
v1 not in Service.Tags
Service.Tags contains v1
Service.Tags not contains v1
Service.Tags is empty
Service.Tags is not empty
Service.Tags is emptyish
Service.Tags == v1
Service.Tags matches v1
Service.Meta is empty
Service.Meta is not empty
version in Service.Meta
Service.Meta contains "my-key"
Service.Meta not contains env
Service.Meta == x
Service.Meta["my-key"] == "a/b"
Service.Meta[ `my-key` ] == "a/b"
Service.Meta["my-key"
Service.Meta[my-key] == x
Service.Meta["my-key"].x == 1
Service.Meta.my-key == x
"a/b" in Service.Meta["my-key"]
Service.Meta.none == 1
Service.Meta.none != 1
Service.Meta.none is empty
Service.Meta.none contains a
Service.Meta.none not contains a
a in Service.Meta.none
Service.Meta.none matches a
Service.Meta.none not matches a
Service.Service == filtered
Service.Service != filtered
Service.Service is empty
tere in Service.Service
Service.Service contains filt
Service.Service matches "^f.*d$"
Service.Service matches `^f`
Service.Service not matches "x"
Service.Service matches "("
Service.Service matches "(?i)FILT"
Service.Service matches "\\w+"
Service.Service matches "(?P<a>f)"
Service.Service matches "a{2,1}"
Service.ID matches "in-[12]"
Service.Port == 9001
Service.Port != 9001
Service.Port == 0x2329
Service.Port == "0x2329"
Service.Port == "021451"
Service.Port == 9001.0
Service.Port == 9001.5
Service.Port == -9001
Service.Port == - 9001
Service.Port == abc
Service.Port > 1
Service.Port contains 9
Service.Port is empty
Service.Port == 09001
Service.Port == 9001x
Service.EnableTagOverride == false
Service.EnableTagOverride == F
Service.EnableTagOverride == 0
Service.EnableTagOverride == no
Service.EnableTagOverride != true
Service.Weights.Passing == 1
Service.Weights.Passing != 10
Service.Weights == 1
Service.Weights.Other == 1
Service.Kind == ""
Service.Kind != ""
Service.Kind == "connect-proxy"
Service.Address == "127.0.0.1"
Service.Address == 127.0.0.1
Service.Address contains "127"
Service.TaggedAddresses is empty
Service.TaggedAddresses.lan.Port == 9001
Service.TaggedAddresses["lan"].Port == 9001
Service.TaggedAddresses.lan.Port != 9001
Service.TaggedAddresses.lan.Address contains "10."
lan in Service.TaggedAddresses
Service.TaggedAddresses.none.Port != 1
Service.Connect.Native == true
Service.Connect.Native != true
Service.Proxy.DestinationServiceName == ""
Service.Proxy.LocalServicePort == 0
Service.Nothing == 1
service.Port == 1
Service == 1
Service.Service.x == 1
Node.Node matches "node"
Node.Datacenter == dc1
Node.Meta is empty
Node.TaggedAddresses.lan == "127.0.0.1"
Node.Address == "127.0.0.1"
Checks.Status == passing
Checks.Status != passing
not Checks.Status == critical
Checks.Status == warning or Checks.Status == critical
Checks is empty
Checks contains x
Checks.Name matches "Serf"
Checks.CheckID == "serfHealth"
Checks.ServiceTags contains v1
Checks.ServiceTags is empty
Checks.Output contains a
Checks.Nothing == 1
Service.Meta.version == "2
Service.Meta.version == `2
Service.Meta.text == "a\tb"
Service.Meta.text == "a\qb"
Service.Meta.text == `a\tb`
Service.Meta.text == "\u0061\x62\143"
Service.Meta.text == 'a'
Service.Meta.version == prod.dev
Service.Meta.env == Service.Meta.env
not in Service.Tags
in in Service.Tags
and in Service.Tags
Service.Meta.not == 1
v1 in "Service.Tags"
v1 in
in Service.Tags
==
(
)
not
and
Service.Meta.version == 2 or or Service.Port == 1
Service.Meta.version == 2 Service.Port == 1
Service.Meta.version  ==   2  and   Service.Meta.env   ==   prod
Service.Meta.version == 2 && Service.Port == 1
Service.Meta.version == 2 AND Service.Port == 1
Service..Meta == 1
.Service == 1
Service. Port == 1
1 == Service.Port
Service.Meta["version"] == 2
Service["Meta"]["version"] == 2
Service.Meta[""] == 2
""  in Service.Tags
Service.ID == ""
""
x
Service.Port
"""

SELECTORS = [
    "Service.Meta.version", "Service.Meta.env", 'Service.Meta["my-key"]', "Service.Meta.none", "Service.Meta", "Service.Tags",
    "Service.Port", "Service.ID", "Service.Service", "Service.EnableTagOverride", "Service.Weights.Passing", "Node.Node",
    "Node.Meta", "Checks.Status", "Checks.ServiceTags", "Checks", "Service.TaggedAddresses.lan.Port", "Service.Bad",
]  # fmt: skip
VALUES = ["1", "2", "prod", '"prod"', "v1", "`v2`", "9001", "true", "false", "passing", "warning", '""', '"a/b"', "-1", "a.b", "007"]


def generated(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)

    def condition() -> str:
        selector, value = chance.choice(SELECTORS), chance.choice(VALUES)
        return chance.choice(
            [
                f"{selector} == {value}", f"{selector} != {value}", f"{value} in {selector}", f"{value} not in {selector}",
                f"{selector} contains {value}", f"{selector} not contains {value}", f"{selector} is empty",
                f"{selector} is not empty", f"{selector} matches {value}", f"{selector} not matches {value}",
            ]
        )  # fmt: skip

    def expression(depth: int) -> str:
        kind = chance.random()
        if depth == 0 or kind < 0.4:
            return condition()
        if kind < 0.55:
            return "not " + expression(depth - 1)
        if kind < 0.7:
            return "(" + expression(depth - 1) + ")"
        return expression(depth - 1) + chance.choice([" and ", " or "]) + expression(depth - 1)

    filters = []
    for _ in range(count):
        text = expression(3)
        if chance.random() < 0.1:  # a small harm
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(["", " ", "(", ")", '"', "=", "x"]) + text[at + 1 :]
        filters.append(text)
    return filters


@pytest.fixture(scope="module")
def instances():
    with Consul() as consul:
        for at, (tags, meta, status, more) in enumerate(
            [
                (["v1", "blue"], {"version": "1", "env": "prod"}, "passing", {}),
                (["v2"], {"version": "2", "env": "prod", "my-key": "a/b", "text": "a\tb"}, "warning", {}),
                ([], {"version": "2", "env": "dev", "text": "abc"}, "critical", {"EnableTagOverride": True}),
                (["in", "not", "and", "a.b"], {}, "passing", {"Weights": {"Passing": 10, "Warning": 1}}),
                (["v1"], {"version": "3", "not": "1"}, "passing", {"TaggedAddresses": {"lan": {"Address": "10.0.0.1", "Port": 9001}}}),
                (["v2"], {"env": "prod.dev"}, "passing", {"Connect": {"Native": True}}),
            ]
        ):  # fmt: skip
            consul.register("filtered", 9000 + at, id=f"in-{at}", status=status, Tags=tags, Meta=meta, **more)
        yield consul


def ours(body: bytes, filters: list[str], folder: pathlib.Path) -> list[str]:
    path = folder / "health.json"
    path.write_bytes(body)
    probe = pathlib.Path(binaries.remora()).parent / "consul-probe"
    ran = subprocess.run([probe, "filter", path], input="\n".join(filters) + "\n", capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.parametrize("name", ["written", "generated"])
def test_a_filter_selects_what_consul_selects(instances, tmp_path, name):
    filters = [line for line in WRITTEN.splitlines() if line] if name == "written" else generated(400, seed=7)
    body = instances.call("GET", "/v1/health/service/filtered").body
    assert len(json.loads(body)) == 6
    differences, taken = [], 0
    for text, line in zip(filters, ours(body, filters, tmp_path), strict=True):
        answer = instances.call("GET", "/v1/health/service/filtered", filter=text)
        if answer.status != 200:
            theirs = "error"
        else:
            theirs = "ok " + ",".join(entry["Service"]["ID"] for entry in answer.json)
            taken += 1
        if (line if line.startswith("ok") else "error") != theirs:
            differences.append(f"{text!r}: ours: {line}; Consul: {theirs} {answer.body[:150] if theirs == 'error' else ''}")
    assert not differences, f"{len(differences)} of {len(filters)}:\n" + "\n".join(differences)
    assert taken > len(filters) / 5
