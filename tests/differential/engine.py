"""Sends one case through Envoy and through Remora and says where they differ.

An area (a module of areas/) has UPSTREAMS (names), LISTENERS (names), build(place) → bootstrap dict and CASES. Both
proxies run the file that build() makes: only the port numbers differ. Each proxy has scripted upstreams of its own, so
that what an upstream saw is surely what that proxy sent.

An observation is what one proxy did with one case; differences() names each place where two observations differ by a
path such as `response[0].header.server`, `end` or `upstream[1].body`, which accepted.yaml refers to."""

from __future__ import annotations

import contextlib
import dataclasses
import email.utils
import fnmatch
import importlib
import pathlib
import pkgutil
import re
import time
from collections.abc import Callable

import yaml

from tests.support import binaries, client, http1, ports, proxy, upstream
from tests.support.upstream import Behaviour

FOLDER = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Read:
    """A step: read one final response now (with what is informational before it)."""

    method: str = "GET"


@dataclasses.dataclass
class AwaitUpstream:
    """A step: wait until the upstreams saw so many requests in all."""

    requests: int = 1


HALF_CLOSE = object()
Step = str | bytes | float | int | Read | AwaitUpstream | object


@dataclasses.dataclass
class Case:
    id: str
    send: str | bytes | list[Step]
    up: list[Behaviour] | dict[str, list[Behaviour]] = dataclasses.field(default_factory=list)
    to: str = "main"  # which listener
    answers: int = 1  # final responses to wait for, after the steps
    methods: tuple[str, ...] = ()  # of the requests; GET unless the first step says otherwise
    probe: bool = True  # a second request tells whether the connection is still open
    wait: float = 5.0  # at most, for each response
    refused: tuple[str, ...] = ()  # upstreams that do not listen during the case
    ignore: tuple[str, ...] = ()  # paths that must vary (say why beside it)


@dataclasses.dataclass
class Place:
    """The ports that a bootstrap file needs."""

    listener: dict[str, int]
    upstream: dict[str, int]
    admin: int
    dead: int  # nothing ever listens here


class Fleet:
    """One proxy and its upstreams."""

    def __init__(self, kind: str, binary: str, area) -> None:
        self.kind = kind
        self.upstreams = {name: upstream.Upstream(name) for name in area.UPSTREAMS}
        self.place = Place(
            {name: ports.free_port() for name in area.LISTENERS},
            {name: u.port for name, u in self.upstreams.items()},
            ports.free_port(),
            ports.free_port(),
        )
        self.names = {port: f"<{name}>" for name, port in self.place.listener.items()}
        self.names |= {port: f"<upstream {name}>" for name, port in self.place.upstream.items()}
        self.names[self.place.dead] = "<dead>"
        self.proxy = proxy.Proxy(binary, area.build(self.place), name=kind)

    def close(self, clean: bool = True) -> None:
        if clean:
            self.proxy.stop()
        else:
            self.proxy.kill()
        for server in self.upstreams.values():
            server.close()

    def run(self, case: Case) -> dict:
        if not self.proxy.alive():
            raise proxy.ProxyFailed(f"{self.kind} has died:\n{self.proxy.stderr()[-4000:]}")
        scripts = case.up if isinstance(case.up, dict) else {next(iter(self.upstreams), ""): case.up}
        for server in self.upstreams.values():
            server.settle()
            server.forget()
        for name, behaviours in scripts.items():
            if behaviours:
                self.upstreams[name].script.extend(behaviours)
        for name in case.refused:
            self.upstreams[name].refuse()
        try:
            return self._talk(case)
        finally:
            for name in case.refused:
                self.upstreams[name].listen()

    def _talk(self, case: Case) -> dict:
        steps = case.send if isinstance(case.send, list) else [case.send]
        methods = list(case.methods) or [_method(steps)]
        seen: dict = {"responses": []}
        peer = client.Client(self.place.listener[case.to], timeout=case.wait)
        try:
            for step in steps:
                self._step(peer, step, seen)
            for _ in range(case.answers):
                method = methods[min(len(seen["responses"]), len(methods) - 1)]
                if not self._read(peer, method, seen):
                    break
            seen["end"] = self._end(peer, case, seen)
        finally:
            peer.close()
        for server in self.upstreams.values():
            server.settle()
        sent = [
            (r.at, name, r)
            for name, server in self.upstreams.items()
            for r in server.requests
            if r.target != "/__probe"
        ]
        sent.sort(key=lambda item: item[0])
        seen["upstream"] = [self._request(name, r, index) for index, (_, name, r) in enumerate(sent)]
        return seen

    def _step(self, peer: client.Client, step: Step, seen: dict) -> None:
        if isinstance(step, (str, bytes)):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                peer.send(step)
        elif isinstance(step, (int, float)):
            time.sleep(step)
        elif isinstance(step, Read):
            self._read(peer, step.method, seen)
        elif isinstance(step, AwaitUpstream):
            deadline = time.monotonic() + 3
            while sum(len(u.requests) for u in self.upstreams.values()) < step.requests and time.monotonic() < deadline:
                time.sleep(0.005)
        elif step is HALF_CLOSE:
            peer.half_close()

    def _read(self, peer: client.Client, method: str, seen: dict) -> bool:
        informational = []
        while True:
            try:
                response = peer.response(method)
            except http1.Timeout:
                seen["responses"].append({"none": "timeout", "informational": informational})
                return False
            except http1.Malformed as error:
                seen["responses"].append({"none": f"malformed: {error}", "informational": informational})
                return False
            if response is None:
                seen["responses"].append({"none": "closed", "informational": informational})
                return False
            if 100 <= response.status < 200 and response.status != 101:
                informational.append(f"{response.status} {self._text(sorted(response.headers))}")
                continue
            seen["responses"].append(
                {
                    "status": response.status,
                    "version": response.version,
                    "reason": response.reason,
                    "headers": [(n.lower(), self._value(n.lower(), v, 0)) for n, v in response.headers],
                    "body": self._text(response.body),
                    "trailers": [(n.lower(), v) for n, v in response.trailers],
                    "framing": response.framing,
                    "complete": response.complete,
                    "informational": informational,
                }
            )
            return response.complete

    def _end(self, peer: client.Client, case: Case, seen: dict) -> str:
        """How the connection stands after the responses; a probe leaves no room for timing."""
        last = seen["responses"][-1] if seen["responses"] else {}
        try:
            if case.probe and "none" not in last and last.get("complete"):
                closing = any(n == "connection" and "close" in v for n, v in last.get("headers", []))
                if not closing:
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        peer.send("GET /__probe HTTP/1.1\r\nHost: app.test\r\n\r\n")
                    try:
                        probe = peer.response_head("GET", 3)
                    except http1.Malformed:
                        return "garbage"
                    return "open" if probe is not None and probe.status else "closed"
            how = peer.end(1.5 if case.probe else 0.4)
            if peer.reader.buffer:
                seen["extra"] = self._text(bytes(peer.reader.buffer))
            # Whether unread bytes turn a close into a reset is the kernel's timing, not the proxy's.
            return "closed" if how == "reset" else how
        except http1.Timeout:
            return "stuck"

    def _request(self, name: str, r: http1.Request, index: int) -> dict:
        return {
            "to": name,
            "line": r.start_line,
            "headers": [(n.lower(), self._value(n.lower(), v, index)) for n, v in r.headers],
            "body": self._text(r.body),
            "trailers": [(n.lower(), v) for n, v in r.trailers],
            "framing": r.framing,
            "complete": r.complete,
        }

    def _value(self, name: str, value: str, index: int) -> str:
        """Takes out what no two runs can have in common, and nothing else."""
        if name == "date":
            when = email.utils.parsedate_to_datetime(value) if value.endswith("GMT") else None
            return "<now>" if when and abs(when.timestamp() - time.time()) < 30 else value
        if name == "x-envoy-upstream-service-time" and value.isdigit() and int(value) < 5000:
            return "<ms>"
        if name == "x-envoy-expected-rq-timeout-ms" and value.isdigit() and index > 0:
            # What is left of the timeout when the attempt begins.
            return f"<at most {-(-int(value) // 1000) * 1000}>"
        return self._text(value)

    def _text(self, value) -> str:
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>", text)
        return re.sub(r"\b\d{5}\b", lambda m: self.names.get(int(m.group()), m.group()), text)


def _method(steps: list[Step]) -> str:
    for step in steps:
        if isinstance(step, (str, bytes)):
            text = step.decode("latin-1") if isinstance(step, bytes) else step
            return text.lstrip("\r\n").split(" ", 1)[0]
    return "GET"


# --- comparison


def _headers(a: list, b: list, path: str) -> list[tuple[str, object, object]]:
    out = []
    for name in sorted({n for n, _ in a} | {n for n, _ in b}):
        left, right = [v for n, v in a if n == name], [v for n, v in b if n == name]
        if left != right:
            out.append((f"{path}.header.{name}", left, right))
    return out


def differences(envoy: dict, remora: dict) -> list[tuple[str, object, object]]:
    """(path, Envoy's, Remora's) for each place that differs."""
    out: list[tuple[str, object, object]] = []
    for key in ("end", "extra"):
        if envoy.get(key) != remora.get(key):
            out.append((key, envoy.get(key), remora.get(key)))
    for what, title in (("responses", "response"), ("upstream", "upstream")):
        a, b = envoy[what], remora[what]
        if len(a) != len(b):
            out.append((f"{title}.count", len(a), len(b)))
        for i, (x, y) in enumerate(zip(a, b)):
            path = f"{title}[{i}]"
            for key in sorted((x.keys() | y.keys()) - {"headers"}):
                if x.get(key) != y.get(key):
                    out.append((f"{path}.{key}", x.get(key), y.get(key)))
            out += _headers(x.get("headers", []), y.get("headers", []), path)
    return out


# --- what is accepted


@dataclasses.dataclass
class Accepted:
    everywhere: list[dict]
    cases: dict[str, dict]

    @staticmethod
    def load() -> "Accepted":
        data = yaml.safe_load((FOLDER / "accepted.yaml").read_text()) or {}
        return Accepted(data.get("everywhere") or [], data.get("cases") or {})

    def judge(self, case: Case, found: list[tuple[str, object, object]], remora: dict) -> list[str]:
        """What is wrong: differences that nobody accepted, and acceptances that nothing uses any more."""
        entry = self.cases.get(case.id)
        patterns = {p: 0 for p in (entry or {}).get("paths", [])}
        wrong = []
        for path, envoy_value, remora_value in found:
            if any(fnmatch.fnmatchcase(path, _glob(p)) for p in case.ignore):
                continue
            used = [p for p in patterns if fnmatch.fnmatchcase(path, _glob(p))]
            for p in used:
                patterns[p] += 1
            if not used and not self._everywhere(path, remora):
                wrong.append(f"{path}:\n    envoy:  {envoy_value!r}\n    remora: {remora_value!r}")
        for p, count in patterns.items():
            if count == 0:
                wrong.append(f"accepted.yaml lets {p} differ, and it no longer does: take the entry out")
        return wrong

    def _everywhere(self, path: str, remora: dict) -> bool:
        for rule in self.everywhere:
            if any(fnmatch.fnmatchcase(path, _glob(p)) for p in rule["paths"]) and _holds(
                rule.get("when"), path, remora
            ):
                return True
        return False


def _glob(pattern: str) -> str:
    """`[` of our paths is no character class; `[*]` is any index."""
    return pattern.replace("[", "[[]")


def _holds(condition: str | None, path: str, remora: dict) -> bool:
    if condition is None:
        return True
    if condition == "remora answers itself":
        match = re.match(r"response\[(\d+)\]", path)
        if not match or int(match.group(1)) >= len(remora["responses"]):
            return False
        return any(n == "x-remora-reason" for n, _ in remora["responses"][int(match.group(1))].get("headers", []))
    raise AssertionError(f"accepted.yaml: unknown condition {condition!r}")


# --- the areas


def areas() -> dict[str, object]:
    from tests.differential import areas as package

    return {
        m.name: importlib.import_module(f"tests.differential.areas.{m.name}")
        for m in pkgutil.iter_modules(package.__path__)
        if m.name != "common"
    }


class Fleets:
    """The running pairs, one for each area, started when first needed."""

    def __init__(self) -> None:
        self.pairs: dict[str, tuple[Fleet, Fleet]] = {}

    def get(self, name: str, area) -> tuple[Fleet, Fleet]:
        if name not in self.pairs:
            envoy, remora = binaries.envoy(), binaries.remora()
            self.pairs[name] = (Fleet("envoy", envoy, area), Fleet("remora", remora, area))
        return self.pairs[name]

    def close(self) -> None:
        for pair in self.pairs.values():
            for fleet in pair:
                fleet.close()


Builder = Callable[[Place], dict]
