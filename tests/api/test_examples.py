"""The example bootstraps that our loader takes (tests/unit/xds reads the same files) are real ones: Envoy takes them."""

import subprocess
from pathlib import Path

import pytest

from tests.support import binaries

SEEDS = Path(__file__).resolve().parents[1] / "fuzz" / "corpus" / "fuzz_bootstrap"


@pytest.mark.parametrize("name", ["full.yaml", "small.json", "anchors.yaml"])
def test_envoy_takes_it(name):
    command = [binaries.envoy(), "--mode", "validate", "-c", SEEDS / name, "--use-dynamic-base-id"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_envoy_refuses_the_wrong_one():
    command = [binaries.envoy(), "--mode", "validate", "-c", SEEDS / "wrong.yaml", "--use-dynamic-base-id"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0
