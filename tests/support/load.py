"""Steady traffic while something happens: what came back is counted, what went wrong is kept."""

from __future__ import annotations

import collections
import threading
import time

from tests.support import client


def until(condition, timeout: float = 5.0, what: str = "it"):
    """Polls until `condition()` is true, and returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        time.sleep(0.01)


class Load:
    """Requests by several connections, without a pause, until it is ended."""

    def __init__(self, port: int, connections: int = 4, request: str | bytes | None = None):
        self.seen, self.wrong = collections.Counter(), []
        self._port, self._stop = port, threading.Event()
        self._request = client.get("/") if request is None else request
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]

    def _run(self) -> None:
        try:
            self._ask()
        except Exception as error:  # noqa: BLE001: whoever waits must hear of it
            self.wrong.append(repr(error))

    def _ask(self) -> None:
        with client.Client(self._port) as connection:
            while not self._stop.is_set():
                answer = connection.request(self._request)
                self.seen[answer.body] += 1
                if answer.status != 200:
                    self.wrong.append((answer.status, answer.body))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait(self, body: bytes, more: int = 50) -> None:
        least = self.seen[body] + more
        until(lambda: self.seen[body] >= least or self.wrong, 20, f"{more} more answers {body!r}")
        assert not self.wrong, self.wrong[:3]

    def wait_any(self, more: int = 100) -> None:
        """Any answers, `more` of them: traffic goes on."""
        least = self.seen.total() + more
        until(lambda: self.seen.total() >= least or self.wrong, 20, f"{more} more answers")
        assert not self.wrong, self.wrong[:3]

    def wait_only(self, *bodies: bytes, timeout: float = 20.0) -> None:
        """Until twenty answers in a row came from these alone, each of them among those."""

        def only():
            before = self.seen.copy()
            until(lambda: self.seen.total() >= before.total() + 20 * len(bodies) or self.wrong, 20, "answers")
            return self.wrong or {body for body in self.seen if self.seen[body] > before[body]} == set(bodies)

        until(only, timeout, f"answers of {bodies} alone")
        assert not self.wrong, self.wrong[:3]
