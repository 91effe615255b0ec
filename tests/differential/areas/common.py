"""What the areas share."""

from __future__ import annotations

from tests.support import bootstrap as b
from tests.support.client import get

H = "Host: app.test\r\n"

# Envoy keeps a connection that it has written its last to for this long before it closes: short, for the tests' sake.
QUICK_CLOSE = {"delayed_close_timeout": "0.05s"}

PROBE = b.route({"path": "/__probe"}, direct_response={"status": 200, "body": {"inline_string": "probe\n"}})


def manager(virtual_hosts: list[dict], **fields) -> dict:
    """A connection manager whose `server` is the same for both."""
    return b.hcm(virtual_hosts, **{"server_name": "mesh", **QUICK_CLOSE, **fields})


def any_host(*routes: dict, **fields) -> list[dict]:
    return [b.virtual_host("all", ["*"], [PROBE, *routes], **fields)]


def inline(text: str) -> dict:
    return {"inline_string": text}


def direct(match: dict | str, text: str, status: int = 200, **fields) -> dict:
    return b.route(match, direct_response={"status": status, "body": inline(text)}, **fields)


def add(name: str, value: str, action: str | None = None, **more) -> dict:
    """A HeaderValueOption."""
    out: dict = {"header": {"key": name, "value": value}, **more}
    if action:
        out["append_action"] = action
    return out


__all__ = ["H", "PROBE", "QUICK_CLOSE", "add", "any_host", "b", "direct", "get", "inline", "manager"]
