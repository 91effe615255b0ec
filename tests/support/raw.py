"""A server of raw bytes: each connection runs the handler that the test gave, in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable

Handler = Callable[[socket.socket], None]


def read_all(sock: socket.socket, timeout: float = 10.0) -> tuple[bytes, str]:
    """What comes until the peer ends, and how it ended: eof, reset or timeout."""
    sock.settimeout(timeout)
    data = bytearray()
    while True:
        try:
            part = sock.recv(1 << 16)
        except ConnectionResetError:
            return bytes(data), "reset"
        except (BrokenPipeError, OSError) as error:
            return bytes(data), "timeout" if isinstance(error, TimeoutError) else "reset"
        if not part:
            return bytes(data), "eof"
        data += part


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def echo(sock: socket.socket) -> None:
    while part := sock.recv(1 << 16):
        sock.sendall(part)
    sock.shutdown(socket.SHUT_WR)


class RawServer:
    def __init__(self, handler: Handler = echo, port: int = 0, name: bytes = b""):
        self.handler, self.name = handler, name
        self.seen: list[tuple[bytes, str]] = []  # what a handler chose to note
        self.accepted = 0
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(128)
        self.port = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def note(self, sock: socket.socket, timeout: float = 10.0) -> tuple[bytes, str]:
        entry = read_all(sock, timeout)
        self.seen.append(entry)
        return entry

    def wait_seen(self, count: int, timeout: float = 5.0) -> list[tuple[bytes, str]]:
        deadline = time.monotonic() + timeout
        while len(self.seen) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return list(self.seen)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.handler(sock)
        with contextlib.suppress(OSError):
            sock.close()
