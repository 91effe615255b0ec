"""remora-grpc-tool, driven by a test: an ADS server that serves what the test sets, or one gRPC call."""

from __future__ import annotations

import base64
import os
import pathlib
import queue
import subprocess
import threading
import time

from tests.support import admin, binaries


def program() -> str:
    build = os.environ.get("REMORA_BUILD") or str(pathlib.Path(binaries.remora()).parent.parent)
    path = os.path.join(build, "bin", "remora-grpc-tool")
    if not os.access(path, os.X_OK):
        raise binaries.MissingBinary(f"no remora-grpc-tool at {path}: cmake --build {build} --target remora-grpc-tool")
    return path


class Tool:
    """Its lines come in by a thread, so that waiting for one has a deadline."""

    def __init__(self, *arguments: str):
        self.process = subprocess.Popen(
            [program(), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.lines: queue.Queue[str | None] = queue.Queue()
        self.seen: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def say(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_for(self, start: str, timeout: float = 10.0) -> str:
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line that begins with {start!r} in {timeout} s; seen: {self.seen}") from None
            assert line is not None, f"the tool ended before it said {start!r}; seen: {self.seen}"
            self.seen.append(line)
            if line.startswith(start):
                return line

    def end_input(self) -> None:
        self.process.stdin.close()

    def close(self) -> None:
        """Ends it, and fails when it did not end well (a sanitizer's word counts)."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert status == 0, f"remora-grpc-tool ended with {status}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.process.kill()


class AdsTool(Tool):
    def __init__(self):
        super().__init__("serve")
        self.port = int(self.wait_for("port ").split()[1])
        self.address = f"127.0.0.1:{self.port}"
        self.admin_port = int(self.wait_for("admin ").split()[1])

    def admin(self, path: str):
        """Status and text."""
        return admin.page(self.admin_port, path)

    def rss_kb(self) -> int:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def set(self, kind: str, name: str, message, endpoints: str = "") -> None:
        value = base64.b64encode(message.SerializeToString(deterministic=True)).decode()
        self.say(f"set {kind} {name} {value} {endpoints}".rstrip())

    def delete(self, kind: str, name: str) -> None:
        self.say(f"del {kind} {name}")

    def commit(self) -> None:
        self.say("commit")
        self.wait_for("committed")
