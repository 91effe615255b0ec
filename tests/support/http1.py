"""HTTP/1 as it is on the wire: a small reader that keeps every byte. It is neither lenient nor clever: what it cannot
take it reports, for both ends of the tests use it to say what a proxy really wrote."""

from __future__ import annotations

import dataclasses
import socket
import time


class Malformed(Exception):
    """The peer wrote something that is not HTTP/1."""


class Timeout(Exception):
    """Nothing (more) came within the time allowed."""


@dataclasses.dataclass
class Message:
    """One request or response. `complete` says whether its framing ended as it promised; `ended` says how it did not."""

    start_line: str = ""
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    body: bytes = b""
    body_length: int = 0  # of all of it; `body` keeps the first `body_limit` bytes only
    trailers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    raw_head: bytes = b""
    raw: bytes = b""  # head, framing and body as they came (bounded like `body`)
    framing: str = "none"  # none, length, chunked, close
    complete: bool = False
    ended: str = ""  # "", "eof", "reset", "malformed: …"

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return ", ".join(values) if values else None

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.headers if n.lower() == name.lower()]


@dataclasses.dataclass
class Response(Message):
    status: int = 0
    reason: str = ""
    version: str = ""


@dataclasses.dataclass
class Request(Message):
    method: str = ""
    target: str = ""
    version: str = ""
    connection: int = 0  # which connection of the server, from 0
    index: int = 0  # which request of that connection
    at: float = 0.0  # time.monotonic() when its head had come


def parse_headers(lines: list[bytes]) -> list[tuple[str, str]]:
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise Malformed(f"no colon in header line {line!r}")
        headers.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t")))
    return headers


class Reader:
    """Buffered reads of one socket. End of file is None or short data, a reset is ConnectionResetError."""

    def __init__(self, sock: socket.socket, body_limit: int = 1 << 20):
        self.sock = sock
        self.buffer = bytearray()
        self.eof = False
        self.total = 0
        self.body_limit = body_limit

    def fill(self, deadline: float | None) -> bool:
        """Reads once; False at the end of the stream."""
        if self.eof:
            return False
        if deadline is None:
            self.sock.settimeout(None)
        else:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout()
            self.sock.settimeout(left)
        try:
            data = self.sock.recv(262144)
        except (TimeoutError, socket.timeout):
            raise Timeout() from None
        if not data:
            self.eof = True
            return False
        self.buffer += data
        self.total += len(data)
        return True

    def line(self, deadline: float | None) -> bytes | None:
        """One line with its end; None when the stream ended before it."""
        start = 0
        while True:
            at = self.buffer.find(b"\n", start)
            if at >= 0:
                line = bytes(self.buffer[: at + 1])
                del self.buffer[: at + 1]
                return line
            start = len(self.buffer)
            if not self.fill(deadline):
                return None

    def head(self, message: Message, deadline: float | None) -> bool:
        """Start line and headers into `message`; False when the stream ended first (message.ended says whether midway)."""
        lines: list[bytes] = []
        while True:
            line = self.line(deadline)
            if line is None:
                message.raw_head += bytes(self.buffer)
                self.buffer.clear()
                if message.raw_head:
                    message.ended = "eof"
                return False
            message.raw_head += line
            if not line.endswith(b"\r\n"):
                raise Malformed(f"bare LF in {line!r}")
            line = line[:-2]
            if not line:
                break
            lines.append(line)
        if not lines:
            raise Malformed("an empty head")
        message.start_line = lines[0].decode("latin-1")
        message.headers = parse_headers(lines[1:])
        message.raw = message.raw_head
        return True

    def _take(self, message: Message, count: int, deadline: float | None, body: bool = True) -> bool:
        while count > 0:
            if not self.buffer and not self.fill(deadline):
                message.ended = "eof"
                return False
            part = bytes(self.buffer[:count])
            del self.buffer[: len(part)]
            count -= len(part)
            if body:
                message.body_length += len(part)
                if len(message.body) < self.body_limit:
                    message.body += part
            if len(message.raw) < self.body_limit:
                message.raw += part
        return True

    def body(self, message: Message, deadline: float | None, on_progress=None) -> None:
        """The body, as message.framing says."""
        if message.framing == "none":
            message.complete = True
        elif message.framing == "length":
            message.complete = self._take(message, int(message.all("content-length")[0]), deadline)
        elif message.framing == "close":
            while self.buffer or self.fill(deadline):
                self._take(message, len(self.buffer), deadline)
            message.complete = True
        elif message.framing == "chunked":
            self._chunked(message, deadline)

    def _chunked(self, message: Message, deadline: float | None) -> None:
        while True:
            line = self.line(deadline)
            if line is None:
                message.ended = "eof"
                return
            message.raw += line
            size_text = line.strip().split(b";")[0]
            try:
                size = int(size_text, 16)
            except ValueError:
                raise Malformed(f"bad chunk size {line!r}") from None
            if size == 0:
                break
            if not self._take(message, size, deadline):
                return
            end = self.line(deadline)
            if end is None:
                message.ended = "eof"
                return
            message.raw += end
            if end != b"\r\n":
                raise Malformed(f"no CRLF after a chunk: {end!r}")
        lines = []
        while True:
            line = self.line(deadline)
            if line is None:
                message.ended = "eof"
                return
            message.raw += line
            if line == b"\r\n":
                break
            lines.append(line.rstrip(b"\r\n"))
        message.trailers = parse_headers(lines)
        message.complete = True


def _framing(message: Message) -> str | None:
    codings = [c.strip().lower() for v in message.all("transfer-encoding") for c in v.split(",")]
    if codings:
        return "chunked" if codings[-1] == "chunked" else None
    lengths = message.all("content-length")
    if lengths:
        if not lengths[0].isdigit():
            raise Malformed(f"content-length {lengths[0]!r}")
        return "length"
    return None


def read_response_head(reader: Reader, method: str, deadline: float | None) -> Response | None:
    """None when the stream ended cleanly before a response."""
    response = Response()
    if not reader.head(response, deadline):
        return response if response.raw_head else None
    version, _, rest = response.start_line.partition(" ")
    status, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/") or not status.isdigit():
        raise Malformed(f"status line {response.start_line!r}")
    response.version, response.status, response.reason = version, int(status), reason
    if method == "HEAD" or response.status in (204, 304) or 100 <= response.status < 200:
        response.framing = "none"
    elif method == "CONNECT" and 200 <= response.status < 300:
        response.framing = "none"
    else:
        response.framing = _framing(response) or "close"
    return response


def read_request_head(reader: Reader, deadline: float | None) -> Request | None:
    request = Request()
    if not reader.head(request, deadline):
        return request if request.raw_head else None
    parts = request.start_line.split(" ")
    if len(parts) != 3:
        raise Malformed(f"request line {request.start_line!r}")
    request.method, request.target, request.version = parts
    request.framing = _framing(request) or "none"
    return request
