"""What translation makes of the golden meshes (tests/unit/translate/golden) is what a real Envoy, and a Remora, take."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support import binaries

GOLDEN = Path(__file__).resolve().parents[1] / "unit" / "translate" / "golden"
FILES = sorted(GOLDEN.glob("*.bootstrap.json"))


def test_there_are_some():
    assert len(FILES) >= 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_envoy_takes_it(path):
    command = [binaries.envoy(), "--mode", "validate", "-c", path, "--use-dynamic-base-id"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_remora_takes_it(path):
    command = [binaries.remora(), "--mode", "validate", "-c", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_routes_and_clusters_belong_together(path):
    """Each cluster that a route or tunnel names is there, and each that is there is named."""
    resources = json.loads(path.read_text(encoding="utf-8"))["static_resources"]
    named = set()

    def walk(value):
        if isinstance(value, dict):
            if isinstance(value.get("cluster"), str):
                named.add(value["cluster"])
            for weighted in value.get("weighted_clusters", {}).get("clusters", []):
                named.add(weighted["name"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(resources["listeners"])
    assert named == {cluster["name"] for cluster in resources["clusters"]}
