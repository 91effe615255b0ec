"""A scripted upstream: a threaded server that answers as it is told, however badly, and remembers what it saw.

A behaviour is a function of (exchange): it may read the body, send bytes, wait, close or reset, in any order. Behaviours
are taken from `script` (a queue, one for each request), else from `by_path`, else `default`; the factories below make
the usual ones."""

from __future__ import annotations

import collections
import dataclasses
import socket
import struct
import threading
import time
from collections.abc import Callable

from . import http1, ports

STATUS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class _Done(Exception):
    """The behaviour ended the connection."""


@dataclasses.dataclass
class Connection:
    """What one accepted connection saw."""

    id: int
    received: bytearray = dataclasses.field(default_factory=bytearray)  # bounded
    ended: str = "open"  # open, eof (the proxy closed), reset (the proxy reset), closed (we did), malformed: …
    opened_at: float = 0.0
    ended_at: float = 0.0
    sock: socket.socket | None = None


class _RecordingSocket:
    def __init__(self, sock: socket.socket, connection: Connection):
        self._sock, self._connection = sock, connection

    def settimeout(self, value):
        self._sock.settimeout(value)

    def recv(self, count: int) -> bytes:
        data = self._sock.recv(count)
        if len(self._connection.received) < 1 << 20:
            self._connection.received += data
        return data


class Exchange:
    """What a behaviour works with."""

    def __init__(
        self,
        server: "Upstream",
        sock: socket.socket,
        reader: http1.Reader,
        request: http1.Request,
        connection: Connection,
    ):
        self.server, self.sock, self.reader, self.request, self.connection = server, sock, reader, request, connection
        self.body_read = False

    def send(self, data: bytes | str) -> None:
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.sock.settimeout(60)
        self.sock.sendall(data)

    def read_body(self) -> None:
        if not self.body_read:
            self.body_read = True
            self.reader.body(self.request, time.monotonic() + 60)

    def wait(self, seconds: float) -> None:
        """Waits, or until the server stops."""
        self.server._stopping.wait(seconds)

    def close(self) -> None:
        self.connection.ended = "closed"
        raise _Done

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.ended = "closed"
        raise _Done

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def wait_eof(self, timeout: float = 30.0) -> bytes:
        """Reads what else comes until the proxy closes; what came is returned."""
        deadline = time.monotonic() + timeout
        data = bytearray()
        while True:
            data += self.reader.buffer
            self.reader.buffer.clear()
            try:
                if not self.reader.fill(min(deadline, time.monotonic() + 0.05)):
                    return bytes(data)
            except http1.Timeout:
                if time.monotonic() > deadline or self.server._stopping.is_set() or self.server._settling.is_set():
                    return bytes(data)


Behaviour = Callable[[Exchange], None]


class Upstream:
    """Listens on `port` (a free one when None) until closed."""

    def __init__(
        self,
        name: str = "up",
        port: int | None = None,
        *,
        host: str = "127.0.0.1",
        backlog: int = 1024,
        receive_buffer: int | None = None,
        body_limit: int = 1 << 20,
    ):
        self.name, self.host = name, host
        self.port = port or ports.free_port()
        self.body_limit = body_limit
        self.lock = threading.Condition()
        self.requests: list[http1.Request] = []
        self.connections: list[Connection] = []
        self.script: collections.deque[Behaviour] = collections.deque()
        self.on_accept: collections.deque[Callable[[socket.socket], bool]] = collections.deque()
        self.by_path: dict[str, Behaviour] = {}
        self.default: Behaviour = answer(200, f"{name}\n", [("x-upstream", name)])
        self._stopping = threading.Event()
        self._settling = threading.Event()
        self._threads: set[threading.Thread] = set()
        self._listener: socket.socket | None = None
        self._receive_buffer = receive_buffer
        self._backlog = backlog
        self.listen()

    # --- life
    def listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        listener.bind((self.host, self.port))
        listener.listen(self._backlog)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def refuse(self) -> None:
        """From now on nothing listens here: connecting is refused."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def close(self) -> None:
        self._stopping.set()
        self.refuse()
        with self.lock:
            socks = [c.sock for c in self.connections if c.sock is not None]
        for sock in socks:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in list(self._threads):
            thread.join(1)

    def __enter__(self) -> "Upstream":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # --- what tests ask
    def wait_for(self, condition: Callable[[], bool], timeout: float = 5.0, what: str = "") -> None:
        with self.lock:
            if not self.lock.wait_for(condition, timeout):
                raise AssertionError(
                    f"upstream {self.name} waited {timeout} s for {what or condition}; "
                    f"it saw {[r.start_line for r in self.requests]}"
                )

    def wait_requests(self, count: int, timeout: float = 5.0) -> None:
        self.wait_for(lambda: len(self.requests) >= count, timeout, f"{count} requests")

    def wait_ended(self, index: int, timeout: float = 5.0) -> str:
        self.wait_for(
            lambda: len(self.connections) > index and self.connections[index].ended != "open",
            timeout,
            f"connection {index} to end",
        )
        return self.connections[index].ended

    def forget(self) -> None:
        with self.lock:
            self.requests.clear()
            self.connections[:] = [c for c in self.connections if c.ended == "open"]
            self.script.clear()
            self.by_path.clear()
            self.on_accept.clear()

    def settle(self, timeout: float = 1.0) -> None:
        """Ends all connections (FIN from us where the proxy keeps one open) and waits until all threads saw it."""
        self._settling.set()
        try:
            with self.lock:
                idle = [c.sock for c in self.connections if c.ended == "open" and c.sock is not None]
            for sock in idle:
                try:
                    sock.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
            deadline = time.monotonic() + timeout
            for thread in list(self._threads):
                thread.join(max(0.0, deadline - time.monotonic()))
            with self.lock:
                late = [c.sock for c in self.connections if c.ended == "open" and c.sock is not None]
            for sock in late:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            for thread in list(self._threads):
                thread.join(1)
        finally:
            self._settling.clear()

    def paths(self) -> list[str]:
        with self.lock:
            return [r.target for r in self.requests]

    # --- the server
    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if self._stopping.is_set():
                sock.close()
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            thread.start()
            self._threads.add(thread)
            if not thread.is_alive():
                self._threads.discard(thread)

    def _serve(self, sock: socket.socket) -> None:
        with self.lock:
            connection = Connection(id=len(self.connections), opened_at=time.monotonic(), sock=sock)
            self.connections.append(connection)
            gate = self.on_accept.popleft() if self.on_accept else None
            self.lock.notify_all()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if gate is not None and not gate(sock):
                connection.ended = "closed"
                return
            reader = http1.Reader(_RecordingSocket(sock, connection), self.body_limit)  # type: ignore[arg-type]
            index = 0
            while not self._stopping.is_set():
                request = http1.read_request_head(reader, None)
                if request is None:
                    self._end(connection, "eof")
                    return
                request.connection, request.index, request.at = connection.id, index, time.monotonic()
                index += 1
                with self.lock:
                    self.requests.append(request)
                    behaviour = self._pick(request)
                    self.lock.notify_all()
                if request.ended:
                    self._end(connection, "eof")
                    return
                exchange = Exchange(self, sock, reader, request, connection)
                behaviour(exchange)
                exchange.read_body()
                with self.lock:
                    self.lock.notify_all()
                if not request.complete:
                    self._end(connection, "eof")
                    return
        except _Done:
            pass
        except (ConnectionResetError, BrokenPipeError):
            self._end(connection, "reset")
        except http1.Malformed as error:
            self._end(connection, f"malformed: {error}")
        except (http1.Timeout, OSError):
            self._end(connection, "closed")
        finally:
            with self.lock:
                connection.ended_at = time.monotonic()
                connection.sock = None
                self.lock.notify_all()
            sock.close()
            self._threads.discard(threading.current_thread())

    def _end(self, connection: Connection, how: str) -> None:
        with self.lock:
            connection.ended = how
            self.lock.notify_all()

    def _pick(self, request: http1.Request) -> Behaviour:
        if self.script:
            return self.script.popleft()
        path = request.target.split("?")[0]
        return self.by_path.get(path, self.default)


# --- the usual behaviours


def _lines(headers: list[tuple[str, str]]) -> str:
    return "".join(f"{n}: {v}\r\n" for n, v in headers)


def answer(
    status: int = 200,
    body: str | bytes = "ok\n",
    headers: list[tuple[str, str]] | None = None,
    *,
    delay: float = 0.0,
    close: bool = False,
    early: bool = False,
    version: str = "HTTP/1.1",
    length: bool = True,
    reason: str | None = None,
) -> Behaviour:
    """A normal answer. `early`: before the request's body is read; `close`: then close (without saying so)."""
    data = body.encode() if isinstance(body, str) else body

    def behave(x: Exchange) -> None:
        if not early:
            x.read_body()
        if delay:
            x.wait(delay)
        no_body = status in (204, 304) or 100 <= status < 200
        size = f"content-length: {len(data)}\r\n" if length and not no_body else ""
        head = (
            f"{version} {status} {STATUS.get(status, 'Status') if reason is None else reason}\r\n"
            f"{size}{_lines(headers or [])}\r\n"
        )
        x.send(head.encode("latin-1") + (b"" if no_body or x.request.method == "HEAD" else data))
        if close:
            x.close()

    return behave


def chunked(
    *chunks: str,
    headers: list[tuple[str, str]] | None = None,
    trailers: list[tuple[str, str]] | None = None,
    status: int = 200,
    pause: float = 0.0,
) -> Behaviour:
    def behave(x: Exchange) -> None:
        x.read_body()
        x.send(f"HTTP/1.1 {status} OK\r\ntransfer-encoding: chunked\r\n{_lines(headers or [])}\r\n")
        if x.request.method == "HEAD":
            return
        for chunk in chunks:
            if pause:
                x.wait(pause)
            x.send(f"{len(chunk.encode()):x}\r\n{chunk}\r\n")
        x.send(f"0\r\n{_lines(trailers or [])}\r\n")

    return behave


def raw(data: bytes | str, *, then: str = "keep", early: bool = False, wait: float = 0.0) -> Behaviour:
    """Exactly these bytes, then: keep, close, reset, half_close or hang (until the proxy closes)."""

    def behave(x: Exchange) -> None:
        if not early:
            x.read_body()
        x.send(data)
        if wait:
            x.wait(wait)
        _then(x, then)

    return behave


def _then(x: Exchange, then: str) -> None:
    if then == "close":
        x.close()
    elif then == "reset":
        x.reset()
    elif then == "half_close":
        x.half_close()
        x.wait_eof()
        x.connection.ended = "eof"
        raise _Done
    elif then == "hang":
        x.wait_eof()
        x.connection.ended = "eof" if x.reader.eof else "closed"
        raise _Done


def close(*, early: bool = False) -> Behaviour:
    """Closes instead of answering."""
    return raw(b"", then="close", early=early)


def reset(*, early: bool = False) -> Behaviour:
    return raw(b"", then="reset", early=early)


def hang(*, early: bool = False) -> Behaviour:
    """Never answers; ends when the proxy closes."""
    return raw(b"", then="hang", early=early)


def steps(*items: bytes | str | float | Callable[[Exchange], None], then: str = "keep") -> Behaviour:
    """Sends, waits (numbers: seconds) and calls, in order; reads no body by itself."""

    def behave(x: Exchange) -> None:
        for item in items:
            if isinstance(item, (int, float)):
                x.wait(item)
            elif isinstance(item, (bytes, str)):
                x.send(item)
            else:
                item(x)
        _then(x, then)

    return behave


def upgrade_echo(protocol: str = "websocket", headers: list[tuple[str, str]] | None = None) -> Behaviour:
    """101, then every byte back until the proxy closes its side."""

    def behave(x: Exchange) -> None:
        x.body_read = True
        x.request.complete = True
        x.send(
            f"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: {protocol}\r\n"
            f"{_lines(headers or [])}\r\n"
        )
        while True:
            if x.reader.buffer:
                data = bytes(x.reader.buffer)
                x.reader.buffer.clear()
                x.request.body += data
                x.send(data)
            if not x.reader.fill(time.monotonic() + 60):
                break
        x.connection.ended = "eof"
        raise _Done

    return behave
