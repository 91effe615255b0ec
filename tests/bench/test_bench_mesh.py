"""bench/mesh measures what it says it does: a quick run of each instrument, whose facts (not its times) are checked."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("REMORA_BUILD") or TOP / "build/release") / "bin"


def measure(instrument: str) -> dict[str, dict]:
    """What it measured, by title. Times are a busy machine's: that a limit is missed (status 1) is no failure here."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        run = subprocess.run(
            [sys.executable, str(TOP / "bench/mesh/run.py"), "--quick", "--only", instrument, "--bin", str(BIN), "--json", str(out)],
            capture_output=True, text=True, timeout=240, check=False,
        )
        assert run.returncode in (0, 1), run.stdout + run.stderr
        assert "quick: a look, not a verdict" in run.stdout
        return {v["what"]: v for v in json.loads(out.read_text())}


class Mesh(unittest.TestCase):
    def test_a_change_is_followed_and_nothing_fails(self):
        found = measure("changes")
        failed = {what: v["measured"] for what, v in found.items() if what.endswith("failed requests")}
        self.assertEqual(len(failed), 4)
        self.assertEqual(set(failed.values()), {0})

    def test_control_pushes_to_those_whom_a_change_concerns(self):
        found = measure("control")  # which checks itself that nobody else heard
        self.assertGreater(found["control: RSS with 200 delta streams"]["measured"], 5)

    def test_others_cost_a_proxy_nothing(self):
        found = measure("memory")
        self.assertLess(found["memory: so they cost"]["measured"], 1.0)

    def test_a_swap_loses_nothing(self):
        found = measure("swap")
        for workers in ("1 worker", "2 workers"):
            self.assertEqual(found[f"swap, remora, {workers}: failed requests"]["measured"], 0)


if __name__ == "__main__":
    unittest.main()
