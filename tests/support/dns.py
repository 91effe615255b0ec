"""A small DNS server on loopback: answers A and AAAA questions from a table, by UDP, and counts them."""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading
import time


class DnsServer:
    """`records`: name → addresses. A name that is absent does not exist; `silent` answers nothing, `broken` SERVFAIL;
    `delay`: seconds before each answer."""

    def __init__(self, records: dict[str, list[str]] | None = None, ttl: int = 0):
        self.records = records or {}
        self.ttl = ttl
        self.silent = False
        self.broken = False
        self.delay = 0.0
        self.asked: list[tuple[str, str]] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        self._closed = False
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._closed = True
        self._sock.close()

    def __enter__(self) -> DnsServer:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _serve(self) -> None:
        while not self._closed:
            try:
                data, peer = self._sock.recvfrom(4096)
            except OSError:
                return
            reply = self._answer(data)
            time.sleep(self.delay)
            if reply is not None:
                try:
                    self._sock.sendto(reply, peer)
                except OSError:
                    return

    def _answer(self, data: bytes) -> bytes | None:
        ident, _, questions = struct.unpack("!HHH", data[:6])
        if questions != 1:
            return None
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        at += 1
        kind = struct.unpack("!H", data[at : at + 2])[0]
        question = data[12 : at + 4]
        name = ".".join(labels).lower()
        family = {1: 4, 28: 6}.get(kind)
        self.asked.append((name, {1: "A", 28: "AAAA"}.get(kind, str(kind))))
        if self.silent:
            return None
        code, answers = 0, []
        if self.broken:
            code = 2
        elif name not in self.records:
            code = 3
        else:
            answers = [a for a in self.records[name] if ipaddress.ip_address(a).version == family]
        reply = struct.pack("!HHHHHH", ident, 0x8180 | code, 1, len(answers), 0, 0) + question
        for address in answers:
            packed = ipaddress.ip_address(address).packed
            reply += struct.pack("!HHHIH", 0xC00C, kind, 1, self.ttl, len(packed)) + packed
        return reply
