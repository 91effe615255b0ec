#!/usr/bin/env python3
"""Measures the mesh: how soon a change is followed, what control and proxies hold, what a swap costs those who are served.

    cmake --preset release && cmake --build build/release
    bench/mesh/run.py                     # some 4 minutes; needs the tests' Python: scripts/deps test
    bench/mesh/run.py --quick             # a look, not a verdict
    bench/mesh/run.py --only swap,control
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import common  # noqa: E402
import measure  # noqa: E402  (bench/load)

INSTRUMENTS = ["changes", "control", "memory", "swap"]


def parse_args() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default=",".join(INSTRUMENTS), help="by comma: " + ",".join(INSTRUMENTS))
    p.add_argument("--quick", action="store_true", help="few and small: a look, not a verdict")
    p.add_argument("--bin", type=Path, default=common.TOP / "build/release/bin", help="where the programs are")
    p.add_argument("--json", type=Path, metavar="FILE", help="write all readings")
    p.add_argument("--markdown", action="store_true", help="print the block for bench/RESULTS.md")
    args = p.parse_args()
    unknown = [name for name in args.only.split(",") if name not in INSTRUMENTS]
    if unknown:
        p.error(f"--only: there is no {', '.join(unknown)}; there are {', '.join(INSTRUMENTS)}")
    return args


def show(verdict: common.Verdict) -> list[str]:
    digits = 0 if verdict.unit in ("µs", "") else 2 if verdict.unit == "×" else 1
    limit = "" if verdict.limit is None else f"≤ {verdict.limit:g}"
    return [verdict.what, f"{verdict.measured:,.{digits}f}", verdict.unit, limit,
            "" if verdict.limit is None else "met" if verdict.met else "MISSED"]


def table(verdicts: list[common.Verdict], markdown: bool) -> str:
    rows = [["", "measured", "", "wanted", ""], *map(show, verdicts)]
    if markdown:
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([lines[0], "|---|---:|---|---:|---|", *lines[1:]])
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return "\n".join(f"{r[0]:<{widths[0]}}  {r[1]:>{widths[1]}} {r[2]:<{widths[2]}}  {r[3]:>{widths[3]}}  {r[4]}".rstrip() for r in rows)


def main() -> int:
    args = parse_args()
    verdicts: list[common.Verdict] = []
    everywhere = os.sched_getaffinity(0)
    for name in args.only.split(","):
        print(f"bench/mesh: {name} ...", file=sys.stderr, flush=True)
        with common.World(args.bin, args.quick) as world:
            os.sched_setaffinity(0, {world.load_core} if name == "changes" else everywhere)  # a load of ours
            try:
                verdicts += importlib.import_module(name).run(world)
            except common.px.BenchError as error:
                print(f"bench/mesh: {name}: {error}", file=sys.stderr)
                return 2
    if args.json:
        args.json.write_text(json.dumps([vars(v) for v in verdicts], indent=1) + "\n")
    machine = measure.machine()
    print(f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, {machine['date']}"
          f"{'; quick: a look, not a verdict' if args.quick else ''}\n")
    print(table(verdicts, args.markdown))
    return 1 if any(not v.met for v in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
