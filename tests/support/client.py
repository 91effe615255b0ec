"""A client of raw bytes: sends exactly what it is told, in the pieces and at the times it is told, and says exactly
what came back and how the connection ended."""

from __future__ import annotations

import socket
import struct
import time

from . import http1


class Client:
    def __init__(self, port: int, host: str = "127.0.0.1", timeout: float = 10.0, receive_buffer: int | None = None):
        self.timeout = timeout
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = http1.Reader(self.sock)
        self.local_port = self.sock.getsockname()[1]

    def send(self, data: bytes | str, *, pieces: int | None = None, delay: float = 0.0) -> None:
        """`pieces`: bytes a write; `delay`: seconds between writes."""
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.sock.settimeout(self.timeout)
        if pieces is None:
            self.sock.sendall(data)
            return
        for at in range(0, len(data), pieces):
            self.sock.sendall(data[at : at + pieces])
            if delay:
                time.sleep(delay)

    def response(
        self, method: str = "GET", timeout: float | None = None, skip_informational: bool = False
    ) -> http1.Response | None:
        """The next response, whole or as far as it came; None when the peer closed instead."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            response = self.response_head(method, timeout)
            if response is None or response.ended:
                return response
            self.body(response, deadline=deadline)
            if not (skip_informational and 100 <= response.status < 200 and response.status != 101):
                return response

    def response_head(self, method: str = "GET", timeout: float | None = None) -> http1.Response | None:
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        try:
            return http1.read_response_head(self.reader, method, deadline)
        except ConnectionResetError:
            response = http1.Response(raw_head=bytes(self.reader.buffer))
            response.ended = "reset"
            return response

    def body(self, response: http1.Response, timeout: float | None = None, deadline: float | None = None) -> None:
        if deadline is None:
            deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        try:
            self.reader.body(response, deadline)
        except ConnectionResetError:
            response.complete = False
            response.ended = "reset"

    def request(self, data: bytes | str, method: str | None = None, timeout: float | None = None) -> http1.Response:
        """Sends, and returns the final response; fails when there is none."""
        self.send(data)
        if method is None:
            text = data if isinstance(data, str) else data.decode("latin-1")
            method = text.split(" ", 1)[0]
        response = self.response(method, timeout, skip_informational=True)
        assert response is not None, "the proxy closed instead of answering"
        return response

    def read(self, count: int, timeout: float | None = None) -> bytes:
        """Up to `count` raw bytes, fewer only at the end of the stream."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while len(self.reader.buffer) < count and self.reader.fill(deadline):
            pass
        data = bytes(self.reader.buffer[:count])
        del self.reader.buffer[:count]
        return data

    def end(self, timeout: float = 2.0) -> str:
        """How the connection stands: "closed" (FIN), "reset", or "open" when neither came in time. Bytes that come
        first are left in reader.buffer."""
        deadline = time.monotonic() + timeout
        try:
            while self.reader.fill(deadline):
                pass
        except http1.Timeout:
            return "open"
        except ConnectionResetError:
            return "reset"
        return "closed"

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def get(
    path: str = "/",
    host: str = "app.test",
    headers: str = "",
    method: str = "GET",
    version: str = "HTTP/1.1",
    body: str | None = None,
) -> str:
    """A request's text; `headers` as written, each line with its CRLF."""
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    return f"{method} {path} {version}\r\nHost: {host}\r\n{headers}{length}\r\n{body or ''}"


def fetch(port: int, data: bytes | str | None = None, timeout: float = 10.0) -> http1.Response:
    with Client(port, timeout=timeout) as client:
        return client.request(get() if data is None else data)
