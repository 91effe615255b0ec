"""One running proxy, Remora or Envoy, on a bootstrap file: started, waited for, watched, and always ended."""

from __future__ import annotations

import atexit
import ctypes
import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import yaml

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_running: set["Proxy"] = set()


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@atexit.register
def _stop_all() -> None:
    for proxy in list(_running):
        proxy.kill()


class ProxyFailed(AssertionError):
    pass


class Proxy:
    """`config` is the bootstrap as a dict (or its text); the admin's address is taken from it. Without one, `arguments`
    say where the configuration comes from (--mesh, --control), and `admin_port` where the admin is."""

    def __init__(
        self,
        binary: str,
        config: dict | str | None,
        *,
        name: str = "proxy",
        concurrency: int = 1,
        arguments: list[str] | None = None,
        environment: dict[str, str] | None = None,
        preexec=None,
        ready: bool = True,
        timeout: float = 20.0,
        admin_port: int | None = None,
    ):
        self.name = name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"remora-test-{name}-"))
        self.config_path = self.folder / "bootstrap.yaml"
        self.admin_port = admin_port
        if config is not None:
            text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
            self.config_path.write_text(text)
            self.config = yaml.safe_load(text)
            admin = (self.config.get("admin") or {}).get("address", {}).get("socket_address")
            self.admin_port = admin["port_value"] if admin else None
        self.stderr_path = self.folder / "stderr"
        self.stdout_path = self.folder / "stdout"
        command = [
            binary,
            *(["-c", str(self.config_path)] if config is not None else []),
            "--concurrency",
            str(concurrency),
            "--disable-hot-restart",
            "--log-level",
            "warn",
            *(arguments or []),
        ]
        self.command = command

        def before_exec() -> None:
            _die_with_parent()
            if preexec is not None:
                preexec()

        with open(self.stderr_path, "wb") as err, open(self.stdout_path, "wb") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                preexec_fn=before_exec,
            )
        _running.add(self)
        if ready:
            self.wait_ready(timeout)

    @property
    def pid(self) -> int:
        return self.process.pid

    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    def stdout(self) -> str:
        return self.stdout_path.read_text(errors="replace")

    def wait_ready(self, timeout: float = 20.0) -> None:
        deadline = time.monotonic() + timeout
        while True:
            if self.process.poll() is not None:
                raise ProxyFailed(f"{self.name} ended with {self.process.returncode} at start:\n{self.stderr()}")
            try:
                if self.admin_port is None:
                    return
                if self.admin("/ready", timeout=1).status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > deadline:
                error = self.stderr()
                self.kill()
                raise ProxyFailed(f"{self.name} was not ready within {timeout} s:\n{error}")
            time.sleep(0.01)

    class AdminAnswer:
        def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes):
            self.status, self.headers, self.body = status, headers, body

        @property
        def text(self) -> str:
            return self.body.decode()

        def json(self):
            return json.loads(self.body)

        def header(self, name: str) -> str | None:
            return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def admin(self, path: str, method: str = "GET", timeout: float = 5.0) -> "Proxy.AdminAnswer":
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=timeout)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return Proxy.AdminAnswer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def rss_kb(self) -> int:
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise ProxyFailed("no VmRSS")

    def open_fds(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float) -> int:
        """The exit status; fails when the process still runs after `timeout`."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProxyFailed(f"{self.name} still runs after {timeout} s") from None
        _running.discard(self)
        return status

    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        _running.discard(self)

    def stop(self) -> None:
        """Ends it at once; fails when it had died before, or when a sanitizer complained."""
        status = self.process.poll()
        if status is None:
            # A sanitizer reports at the end: ask for it, but don't wait for a drain.
            if self._sanitized() and self.admin_port is not None:
                try:
                    self.admin("/quitquitquit", "POST", timeout=2)
                    self.process.wait(10)
                except (OSError, http.client.HTTPException, subprocess.TimeoutExpired):
                    pass
            self.kill()
        _running.discard(self)
        error = self.stderr()
        for sign in ("ERROR: AddressSanitizer", "WARNING: ThreadSanitizer", "ERROR: LeakSanitizer", "runtime error:"):
            if sign in error:
                raise ProxyFailed(f"{self.name}: {sign}\n{error[-6000:]}")
        if status is not None and status != 0:
            raise ProxyFailed(f"{self.name} had ended with {status}:\n{error[-4000:]}")

    def _sanitized(self) -> bool:
        try:
            maps = pathlib.Path(f"/proc/{self.pid}/maps").read_text()
        except OSError:
            return False
        return "libasan" in maps or "libtsan" in maps or "libubsan" in maps

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()
