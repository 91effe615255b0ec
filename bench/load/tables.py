"""A run's readings as text for a terminal, or as Markdown for bench/RESULTS.md. No I/O."""

from __future__ import annotations

from typing import Callable

import stats
import verdict

NAMES = {"direct": "direct", "relay": "bare relay", "haproxy": "HAProxy", "nginx": "nginx", "envoy": "Envoy", "remora": "Remora"}
Table = tuple[str, list[str], list[list[str]]]  # title, header, rows


def cpu_table(results: dict) -> Table:
    """A row a scenario, a column a proxy; beside ours what it is of the others'."""
    proxies = results["proxies"]
    header = ["CPU µs a request", *[NAMES[p] for p in proxies]]
    compared = [p for p in ("relay", "haproxy", "envoy") if p in proxies and "remora" in proxies]
    header += [f"× {NAMES[p]}" for p in compared]
    rows = []
    for facts in results["scenario_facts"]:
        key = facts["key"]
        row = [facts["title"], *[stats.show(verdict.cpu(results, key, p), 2) for p in proxies]]
        rows.append(row + [stats.show(verdict.cpu_ratio(results, key, "remora", p), 2) for p in compared])
    return "CPU", header, rows


def throughput_table(results: dict) -> Table:
    proxies = results["proxies"]
    rows = []
    for facts in results["scenario_facts"]:
        if not facts["rate"]:
            rps = [stats.median(verdict.readings(results, facts["key"], p, "rps")) for p in proxies]
            rows.append([facts["title"], *[stats.show(r, 0) for r in rps]])
    return "Throughput", ["requests/s, one core", *[NAMES[p] for p in proxies]], rows


def latency_table(results: dict) -> Table:
    """Direct as it is, the proxies as what they add to it."""
    rows = []
    for facts in results["scenario_facts"]:
        if not facts["rate"]:
            continue
        for p in ("p50", "p99", "p99.9"):
            direct = stats.median(verdict.readings(results, facts["key"], "direct", f"latency_us/{p}"))
            row = [f"{facts['title']}, {p}", stats.show(direct, 0)]
            rows.append(row + [stats.show(verdict.added(results, facts["key"], x, p), 0) for x in results["proxies"]])
    return "Latency", ["µs added over direct", "direct", *[NAMES[p] for p in results["proxies"]]], rows


def memory_table(results: dict) -> Table:
    memory = results.get("memory", {})
    proxies = [p for p in results["proxies"] if p in memory]

    def row(title: str, of: Callable[[dict], float], digits: int = 1) -> list[str]:
        return [title, *[stats.show(of(memory[p]), digits) for p in proxies]]

    rows = [
        row("RSS idle, MB", lambda m: m["idle"]["rss_kb"] / 1024),
        row("of it private, MB", lambda m: m["idle"]["private_kb"] / 1024),
        row("RSS an active pair, KB", lambda m: m["pair_kb"]),
        row("of it private, KB", lambda m: m["pair_private_kb"]),
    ]
    for name, soak in results.get("soak", {}).items():
        cells = [stats.show(soak["growth_kb"], 0) if p == name else "" for p in proxies]
        rows.append([f"growth over {soak['requests']:,} requests, KB", *cells])
    return "Memory", ["memory", *[NAMES[p] for p in proxies]], rows if memory else []


def verdict_table(results: dict) -> Table:
    if "remora" not in results["proxies"]:
        return "Wanted", ["wanted of Remora"], []
    rows = [[v.what, stats.show(v.value, v.digits), f"≤ {v.limit:.{v.digits}f}", v.word()] for v in verdict.judge(results)]
    return "Wanted", ["wanted of Remora", "measured", "limit", ""], rows


def all_tables(results: dict) -> list[Table]:
    made = [cpu_table(results), throughput_table(results), latency_table(results), memory_table(results), verdict_table(results)]
    return [table for table in made if table[2]]


def remarks(results: dict) -> list[str]:
    """What a reader must know before believing the numbers."""
    said = list(results.get("notes", []))
    for key, by_proxy in results.get("scenarios", {}).items():
        for name, rounds in by_proxy.items():
            errors = sum(r["errors"] for r in rounds)
            if errors:
                said.append(f"{NAMES[name]} had {errors:,} failed requests in {key}: its numbers there are not comparable")
            if any(r.get("stuck") for r in rounds):
                said.append(f"{NAMES[name]} stopped answering in {key}")
    worst = max((r["steal"] for s in results.get("scenarios", {}).values() for rounds in s.values() for r in rounds), default=0)
    if worst > 0.02:
        said.append(f"the hypervisor took up to {worst:.0%} of the CPU away during a reading")
    c64 = results.get("scenarios", {}).get("c64", {})
    spreads = [stats.spread([r["cpu_us"] for r in rounds if "cpu_us" in r]) or 0 for rounds in c64.values()]
    if spreads:
        said.append(f"rounds disagree by up to {max(spreads):.0%} (64 connections)")
    return said


def machine_line(results: dict) -> str:
    m = results["machine"]
    versions = ", ".join(f"{NAMES[name]} {version}" for name, version in results["versions"].items() if name in results["proxies"])
    count = results["rounds"]
    rounds = f"{count} rounds of {results['duration']:g} s, medians" if count > 1 else f"1 round of {results['duration']:g} s"
    return f"{m['cpu']}, {m['cores']} cores, Linux {m['kernel']} ({m.get('congestion_control', '?')}), {m['date']}; {versions}; {rounds}"


def text(results: dict, wanted: bool = True) -> str:
    blocks = [machine_line(results)]
    blocks += [stats.text_table(header, rows) for title, header, rows in all_tables(results) if wanted or title != "Wanted"]
    blocks += ["\n".join("· " + remark for remark in remarks(results))]
    return "\n\n".join(block for block in blocks if block)


def markdown(results: dict) -> str:
    blocks = [machine_line(results) + "."]
    blocks += [f"### {title}\n{stats.markdown_table(header, rows)}" for title, header, rows in all_tables(results)]
    blocks += ["\n".join("- " + remark for remark in remarks(results))]
    return "\n\n".join(block for block in blocks if block)
