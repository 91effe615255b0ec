"""A running `remora-control serve`."""

from __future__ import annotations

import pathlib
import subprocess

import yaml

from tests.support import admin, binaries, ports
from tests.support.load import until
from tests.support.proxy import _die_with_parent


class Control:
    """`mesh`: what a mesh file holds; None: `arguments` say where the mesh is."""

    def __init__(self, folder: pathlib.Path, mesh: dict | str | None, *arguments: str):
        self.file = folder / "mesh.yaml"
        self.port, self.admin_port = ports.free_port(), ports.free_port()
        self.address = f"127.0.0.1:{self.port}"
        if mesh is not None:
            self.write(mesh)
            arguments = ("--mesh", str(self.file), *arguments)
        self.log_path = folder / "control.log"
        self.command = [binaries.remora_control(), "serve", "--listen", self.address]
        self.command += ["--admin", f"127.0.0.1:{self.admin_port}", *arguments]
        self.start()

    def start(self) -> "Control":
        """Again, on the same ports, after a kill."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, preexec_fn=_die_with_parent)
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def write(self, mesh: dict | str) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(mesh if isinstance(mesh, str) else yaml.safe_dump(mesh))
        new.rename(self.file)

    def log(self) -> str:
        return self.log_path.read_text()

    def admin(self, path: str):
        return admin.page(self.admin_port, path)

    def status(self) -> int:
        """Of /ready; 0: nobody answers."""
        try:
            return self.admin("/ready")[0]
        except OSError:
            return 0

    def wait_ready(self) -> "Control":
        def ready():
            assert self.process.poll() is None, self.log()
            return self.status() == 200

        until(ready, 10, "control to be ready")
        return self

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(15)
