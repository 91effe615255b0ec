"""Free ports, held until this process ends. Taken below the kernel's ephemeral range, so that no outgoing connection
sits on one, and under a file lock, so that test processes running side by side never get the same."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile

_FIRST, _LAST = 11000, 31999
_held: dict[int, object] = {}
_folder = os.path.join(tempfile.gettempdir(), f"remora-test-ports-{os.getuid()}")


def free_port() -> int:
    os.makedirs(_folder, exist_ok=True)
    for _ in range(2000):
        port = random.randint(_FIRST, _LAST)
        if port in _held:
            continue
        lock = open(os.path.join(_folder, str(port)), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        try:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _held[port] = lock
        return port
    raise RuntimeError("no free port")


def release(port: int) -> None:
    lock = _held.pop(port, None)
    if lock is not None:
        lock.close()
