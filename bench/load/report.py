"""The page that scripts/bench writes: one file, nothing loaded from elsewhere. No I/O but the reading of report.css beside it."""

from __future__ import annotations

import html
import math
from pathlib import Path

import stats
import svg
import tables
import verdict

CSS = Path(__file__).resolve().parent / "report.css"
MEANING = {
    "relay": "a bare relay: four system calls a request and no HTTP, what the kernel alone costs",
    "direct": "no proxy at all",
}


def series_of(results: dict, value, with_direct: bool = False) -> list[svg.Series]:
    """One series a proxy, ours last so that it lies on top. `value(proxy)` lists its values."""
    names = (["direct"] if with_direct else []) + results["proxies"]
    return [svg.Series(tables.NAMES[n], n, value(n)) for n in names]


def legend(keys: list[str]) -> str:
    items = "".join(f'<li><i style="background:var(--{k})"></i>{tables.NAMES[k]}</li>' for k in keys)
    return f'<ul class="legend">{items}</ul>'


def figure(picture: str, title: str, note: str = "") -> str:
    small = f"<p>{html.escape(note)}</p>" if note else ""
    return f"<figure><figcaption>{html.escape(title)}</figcaption>{picture}{small}</figure>"


def rates(results: dict) -> list[dict]:
    return [facts for facts in results["scenario_facts"] if facts["rate"]]


def closed(results: dict) -> list[dict]:
    return [facts for facts in results["scenario_facts"] if not facts["rate"]]


def short_rate(rate: int) -> str:
    return f"{rate / 1000:g}k/s" if rate >= 1000 else f"{rate}/s"


def latency_by_rate(results: dict) -> str:
    """Three small plots of one kind: p50, p99, p99.9 over the rate."""
    facts = rates(results)
    if not facts:
        return ""
    words = [short_rate(f["rate"]) for f in facts]
    figures = []
    for p in ("p50", "p99", "p99.9"):
        series = series_of(results, lambda n, p=p: [positive(verdict.added(results, f["key"], n, p)) for f in facts])
        values = [v for s in series for v in s.values if v]
        wide = bool(values) and max(values) > 12 * min(values)
        picture = svg.lines(f"added {p} by rate", [f["rate"] for f in facts], words, series, "µs", log=wide, scale=math.log)
        figures.append(figure(picture, f"{p} added" + (", log scale" if wide else "")))
    return section("Latency that a proxy adds", "Requests leave at fixed times whatever the answers do, and each is timed from the moment it should "
                   "have left. The same load without a proxy is subtracted; where nothing is left above its noise, no point is drawn.", legend(results["proxies"]), figures, "three")


def positive(value):
    """A log axis has no place for what is lost in the noise of direct: such a point is left out."""
    return value if value is not None and value >= 1 else None


def latency_curves(results: dict) -> str:
    """Whole distributions at the lowest and the highest rate, on an axis of nines."""
    facts = rates(results)
    chosen = facts if len(facts) < 2 else [facts[0], facts[-1]]
    figures = []
    for f in chosen:
        by_proxy = results["scenarios"][f["key"]]
        first = next((r[0]["latency_us"]["curve"] for r in by_proxy.values() if r), [])
        points = [percent for percent, _ in first if percent < 100]
        if not points:
            continue

        def curve(name: str) -> list:
            rounds = [dict(map(tuple, r["latency_us"]["curve"])) for r in by_proxy.get(name, [])]
            return [stats.median(r.get(percent) for r in rounds) for percent in points]

        shown = {0.0: "min", 50.0: "50", 90.0: "90", 99.0: "99", 99.9: "99.9", 99.99: "99.99 %"}
        labels = [shown.get(float(percent), "") for percent in points]
        picture = svg.lines(f"latency by percentile at {f['rate']} requests/s", points, labels, series_of(results, curve, True),
                            "µs", 640, 300, log=True, scale=lambda x: -math.log10(1 - x / 100 + 1e-6))
        figures.append(figure(picture, f"All requests at {f['rate']:,} a second, log scale"))
    return section("Where the tail begins", "From the fastest request to the slowest: how many see which latency, direct and through each proxy.",
                   legend(["direct", *results["proxies"]]), figures, "two")


def cpu_section(results: dict) -> str:
    facts = closed(results)
    if not facts:
        return ""
    busy = series_of(results, lambda n: [verdict.cpu(results, f["key"], n) for f in facts])
    picture = svg.bars("CPU a request", [f["title"] for f in facts], busy, "µs", 640, 300)
    figures = [figure(picture, "CPU a request, saturated", "One connection is dearer: the process sleeps and wakes for every message.")]
    flow = series_of(results, lambda n: [(stats.median(verdict.readings(results, f["key"], n, "rps")) or 0) / 1000 for f in facts])
    figures.append(figure(svg.bars("throughput", [f["title"] for f in facts], flow, "k/s", 640, 300), "Requests a second on one core, thousands"))
    return section("CPU", "The kernel's own account of the proxy's threads, over exactly the requests that were counted.",
                   legend(results["proxies"]), figures, "two")


def memory_section(results: dict) -> str:
    memory = results.get("memory")
    if not memory:
        return ""
    pairs = next(iter(memory.values()))["pairs"]

    def value(of):
        return series_of(results, lambda n: [of(memory[n]) if n in memory else None])

    idle = svg.bars("idle memory", ["resident, just started"], value(lambda m: m["idle"]["rss_kb"] / 1024), "MB", 640, 260)
    pair = svg.bars("memory a pair", [f"with {pairs:,} requests in flight"], value(lambda m: m["pair_kb"]), "KB", 640, 260)
    figures = [figure(idle, "Memory, idle"), figure(pair, "Memory for each pair of connections at work")]
    return section("Memory", "Resident set of all the proxy's processes.", legend(results["proxies"]), figures, "two")


def section(title: str, words: str, key: str, figures: list[str], columns: str) -> str:
    if not figures:
        return ""
    return f'<section><h2>{html.escape(title)}</h2><p>{html.escape(words)}</p>{key}<div class="{columns}">{"".join(figures)}</div></section>'


def tiles(results: dict) -> str:
    """Four numbers for whoever reads no further: ours, or of each peer when Remora did not run."""
    facts = rates(results)
    usual = next((f for f in facts if f["rate"] == 1000), facts[0] if facts else None)
    ours = "remora" if "remora" in results["proxies"] else None
    if ours is None:
        return ""
    memory = results.get("memory", {})
    asked = []
    if usual:
        for p in ("p50", "p99"):
            asked.append((f"added {p} at {usual['rate']:,}/s", "µs", 0, lambda n, p=p: verdict.added(results, usual["key"], n, p)))
    asked.append(("CPU a request, 64 connections", "µs", 1, lambda n: verdict.cpu(results, "c64", n)))
    asked.append(("memory, idle", "MB", 1, lambda n: memory[n]["idle"]["rss_kb"] / 1024 if n in memory else None))
    made = []
    for title, unit, digits, value in asked:
        peers = [n for n in ("haproxy", "envoy") if n in results["proxies"]]
        beside = " · ".join(f"{tables.NAMES[n]} {stats.show(value(n), digits)}" for n in peers)
        made.append(f'<div class="tile"><b>{stats.show(value(ours), digits)} <small>{unit}</small></b>'
                    f"<span>{html.escape(title)}</span><em>{html.escape(beside)}</em></div>")
    return f'<div class="tiles">{"".join(made)}</div>'


def table(header: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def page(results: dict) -> str:
    numbers = "".join(table(header, rows) for title, header, rows in tables.all_tables(results) if title != "Wanted")
    remarks = "".join(f"<li>{html.escape(r)}</li>" for r in tables.remarks(results))
    meaning = "".join(f"<li>{tables.NAMES[k]}: {words}</li>" for k, words in MEANING.items())
    body = [
        "<header><h1>What a sidecar costs</h1>",
        f"<p>{html.escape(tables.machine_line(results))}</p></header>",
        tiles(results),
        latency_by_rate(results),
        cpu_section(results),
        memory_section(results),
        latency_curves(results),
        f"<section><h2>All numbers</h2>{numbers}</section>",
        f"<section><h2>How to read this</h2><ul>{meaning}{remarks}<li>One worker, pinned to a core of its own; load and backend share "
        "another. Absolute numbers belong to this machine; ratios travel better.</li></ul></section>",
    ]
    return ('<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>What a sidecar costs</title><style>{CSS.read_text()}</style></head><body><main>{''.join(body)}</main></body></html>\n")
