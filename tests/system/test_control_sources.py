"""Control says where its mesh comes from, how old that is, and what is wrong: /sources, and its metrics."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.consul import Consul
from tests.support.control import Control
from tests.support.load import until


@pytest.fixture
def consul():
    with Consul(persistent=True) as consul:
        yield consul


@pytest.fixture
def control(consul, tmp_path):
    control = Control(tmp_path, None, "--consul", consul.address).wait_ready()
    yield control
    control.kill()


def metric(control: Control, name: str) -> float:
    found = re.search(rf"^remora_control_consul_{name} (\S+)$", control.admin("/metrics")[1], re.MULTILINE)
    return float(found[1])


def test_an_outage_of_consul_is_told(consul, control):
    status, text = control.admin("/sources")
    assert status == 200
    assert text.startswith(f"the mesh comes from Consul at {consul.address}\n")
    assert "GET /v1/config/service-router: answered" in text and "outage" not in text
    until(lambda: metric(control, "failing") == 0, 10, "nothing to fail")
    consul.kill()
    watches = len(json.loads(control.admin("/sources?format=json")[1])["watches"])
    # The agent's own facts are asked for once a minute alone.
    until(lambda: metric(control, "failing") >= watches - 1, 20, "every watch to fail")
    text = control.admin("/sources")[1]
    assert re.search(r"\n  fails: Consul at .*; the last good answer goes on\n", text), text
    age = metric(control, "age_seconds")
    until(lambda: metric(control, "age_seconds") > age, 5, "what is known to grow old")
    consul.start()
    until(lambda: metric(control, "failing") == 0, 40, "Consul to answer again")
    said = json.loads(control.admin("/sources?format=json")[1])
    assert 0 < said["doubted_for_seconds"] <= 30
    assert all(watch["answered"] and watch["failure"] == "" for watch in said["watches"])
    assert "there was an outage of Consul: for " in control.admin("/sources")[1]


def test_a_consul_that_was_never_there_is_told(tmp_path):
    control = Control(tmp_path, None, "--consul", "127.0.0.1:1")
    try:
        until(lambda: control.status() == 503, 10, "control to be there, and to have nothing")
        text = until(lambda: (t := control.admin("/sources")[1]).count("fails:") > 3 and t, 10, "the failures")
        assert "GET /v1/config/service-router: no answer yet, for " in text
        assert "; control waits for it" in text
    finally:
        control.kill()


def test_mesh_files_are_named(tmp_path):
    control = Control(tmp_path, {"services": [{"name": "web", "port": 8080}]}).wait_ready()
    try:
        assert control.admin("/sources") == (200, f"the mesh comes from mesh files: {control.file}\n")
        assert "remora_control_consul" not in control.admin("/metrics")[1]
    finally:
        control.kill()
