"""Runs commands for the suites: each in its own process group, its output in a log, killed whole when its time is up."""

import os
import signal
import subprocess
import time
from pathlib import Path


class Shell:
    def __init__(self, top):
        self.top = Path(top)
        self.log_dir = self.top / "build" / "logs"
        self.report_dir = self.top / "build" / "reports"
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self.report_dir.mkdir(parents=True, exist_ok=True)
        self.jobs = int(os.environ.get("REMORA_JOBS") or os.cpu_count() or 2)
        self.in_ci = os.environ.get("CI", "") not in ("", "0", "false")
        self.built = {}  # build name -> None, or why it failed

    def report_path(self, name):
        """Where a report will be; an old one is removed, so that it is never taken for today's."""
        path = self.report_dir / f"{name}.xml"
        path.unlink(missing_ok=True)
        return path

    def log_path(self, name):
        return self.log_dir / f"{name}.log"

    def tail(self, name, lines=25):
        try:
            return "\n".join(self.log_path(name).read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def run(self, name, command, timeout, env=None, append=False):
        """The exit code; 124 when the time was up. Output goes to the log `name`."""
        with open(self.log_path(name), "ab" if append else "wb") as log:
            log.write(f"$ {' '.join(map(str, command))}\n".encode())
            log.flush()
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.top,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                return process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._end(process)
                log.write(f"\n*** not done after {timeout} s: killed\n".encode())
                return 124
            except BaseException:
                self._end(process)
                raise

    @staticmethod
    def _end(process):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, sign)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + 5
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
        process.wait()
