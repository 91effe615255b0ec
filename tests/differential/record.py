"""Prints what Envoy does with each case (or a Remora, with --remora): for reading, nothing is stored.
python -m tests.differential.record [--remora] [area or case id pattern …]"""

from __future__ import annotations

import fnmatch
import sys


from tests.differential import engine
from tests.support import binaries


def _lines(case: engine.Case, seen: dict):
    yield f"## {case.id}   sends {case.send!r}"[:400]
    for r in seen["responses"]:
        if "none" in r:
            yield f"  <- no answer: {r['none']} {r['informational'] or ''}"
            continue
        headers = "; ".join(f"{n}: {v}" for n, v in r["headers"] if n not in ("date", "server"))
        more = "".join(f" {k}={r[k]!r}" for k in ("trailers", "informational") if r[k])
        yield f"  <- {r['version']} {r['status']} {'' if r['complete'] else 'CUT '}[{headers}] {r['body'][:200]!r}{more}"[
            :600
        ]
    yield f"  -- {seen['end']}" + (f" extra {seen['extra'][:300]!r}" if "extra" in seen else "")
    for r in seen["upstream"]:
        headers = "; ".join(f"{n}: {v}" for n, v in r["headers"])
        more = f" trailers={r['trailers']!r}" if r["trailers"] else ""
        yield f"  -> {r['to']}: {r['line']} {'' if r['complete'] else 'CUT '}[{headers}] {r['body'][:200]!r}{more}"[
            :600
        ]


def main() -> None:
    arguments = sys.argv[1:]
    remora = "--remora" in arguments
    patterns = [a for a in arguments if not a.startswith("--")] or ["*"]
    for name, area in engine.areas().items():
        cases = [c for c in area.CASES if any(name == p or fnmatch.fnmatch(c.id, p) for p in patterns)]
        if not cases:
            continue
        fleet = engine.Fleet("remora" if remora else "envoy", binaries.remora() if remora else binaries.envoy(), area)
        try:
            for case in cases:
                print("\n".join(_lines(case, fleet.run(case))))
        finally:
            fleet.close(clean=False)


if __name__ == "__main__":
    main()
