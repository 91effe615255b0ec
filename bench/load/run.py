#!/usr/bin/env python3
"""Judges Remora beside its peers: CPU a request, latency added, memory; all in one run, in turn, pinned to cores.

    cmake --preset release && cmake --build build/release --target bench_relay bench_backend bench_load remora-proxy
    bench/load/run.py            # 5 rounds, some 7 minutes
    bench/load/run.py --quick    # under a minute
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import measure as ms  # noqa: E402
import proxies as px  # noqa: E402
import tables  # noqa: E402
import verdict  # noqa: E402


def parse_args() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="2 short rounds: a look, not a verdict")
    p.add_argument("--rounds", type=int, help="rounds (5)")
    p.add_argument("--duration", type=float, help="seconds measured for each scenario, proxy and round (1.5)")
    p.add_argument("--only", help="proxies, by comma: " + ",".join(px.ORDER))
    p.add_argument("--scenarios", help="by comma: " + ",".join(s.key for s in ms.SCENARIOS))
    p.add_argument("--no-memory", action="store_true", help="leave the memory part out")
    p.add_argument("--pairs", type=int, help="requests in flight in the memory part (1000)")
    p.add_argument("--soak", type=int, default=0, metavar="N", help="N requests through Remora (or --soak-proxy), then its RSS")
    p.add_argument("--soak-proxy", default="remora")
    p.add_argument("--envoy", help="Envoy's program (or $REMORA_ENVOY, or the one that `scripts/deps test` put into the cache)")
    p.add_argument("--remora", help="remora-proxy (build/release/bin/remora-proxy)")
    p.add_argument("--bin", type=Path, default=px.TOP / "build/release/bin", help="where the load tools are")
    p.add_argument("--lock", type=Path, help="file to flock for the time of each round")
    p.add_argument("--json", type=Path, metavar="FILE", help="write all readings")
    p.add_argument("--markdown", action="store_true", help="print the block for bench/RESULTS.md instead of text tables")
    p.add_argument("--from-json", type=Path, metavar="FILE", help="measure nothing: judge the readings of an earlier --json")
    return p.parse_args()


def choose(args: argparse.Namespace, programs: px.Programs) -> tuple[list[str], list[str]]:
    """Who takes part, and a note for each who does not."""
    wanted = args.only.split(",") if args.only else px.ORDER
    unknown = [name for name in wanted if name not in px.ORDER]
    if unknown:
        raise px.BenchError(f"no such proxy: {', '.join(unknown)} (there are {', '.join(px.ORDER)})")
    names = [name for name in px.ORDER if name in wanted and programs.found[name]]
    notes = [f"{name}: not on this machine, skipped" for name in wanted if not programs.found[name]]
    return names, notes


def chosen_scenarios(text: str | None) -> list[ms.Scenario]:
    if not text:
        return ms.SCENARIOS
    by_key = {s.key: s for s in ms.SCENARIOS}
    unknown = [key for key in text.split(",") if key not in by_key]
    if unknown:
        raise px.BenchError(f"no such scenario: {', '.join(unknown)} (there are {', '.join(by_key)})")
    return [by_key[key] for key in text.split(",")]


def cores() -> tuple[int, int]:
    """(proxy's, load's)"""
    available = sorted(os.sched_getaffinity(0))
    return (available[1], available[0]) if len(available) > 1 else (available[0], available[0])


def run(args: argparse.Namespace) -> dict:
    programs = px.Programs.locate(args.bin, args.envoy, args.remora)
    missing = [tool for tool in ("backend", "load") if not programs.found[tool]]
    if missing:
        raise px.BenchError(f"bench_{missing[0]} is not in {args.bin}: build the targets bench_relay, bench_backend, bench_load")
    names, notes = choose(args, programs)
    scenarios = chosen_scenarios(args.scenarios)
    rounds = args.rounds or (2 if args.quick else 5)
    duration = args.duration or (0.4 if args.quick else 1.5)
    pairs = args.pairs or (512 if args.quick else 1000)
    results = {"machine": ms.machine(), "versions": programs.versions(), "notes": notes, "proxies": names}
    results |= {"rounds": rounds, "duration": duration, "scenario_facts": ms.scenario_facts(scenarios)}
    steps = rounds * ms.steps_of(scenarios, len(names)) + (0 if args.no_memory else len(names))
    progress = ms.Progress(steps)
    with tempfile.TemporaryDirectory(prefix="remora-bench-") as work:
        bench = ms.Bench(programs, names, Path(work), cores())
        try:
            if not args.no_memory:
                results["memory"] = bench.memory(pairs, 0.3 if args.quick else 0.6, args.lock, progress)
            results["scenarios"] = bench.rounds(scenarios, rounds, duration, 0.15 if args.quick else 0.4, args.lock, progress)
            if args.soak and programs.found[args.soak_proxy]:
                progress.step(f"soak · {args.soak:,} requests")
                results["soak"] = {args.soak_proxy: bench.soak(args.soak_proxy, args.soak)}
        finally:
            progress.end()
            bench.close()
    return results


def main() -> int:
    args = parse_args()
    try:
        results = json.loads(args.from_json.read_text()) if args.from_json else run(args)
    except px.BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    print(tables.markdown(results) if args.markdown else tables.text(results))
    verdicts = verdict.judge(results)
    return 1 if any(v.known and not v.met for v in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
