"""What was wanted of Remora, and whether a run shows it. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import stats


@dataclass(frozen=True)
class Verdict:
    what: str
    value: Optional[float]
    limit: float
    digits: int = 2

    @property
    def known(self) -> bool:
        return self.value is not None

    @property
    def met(self) -> bool:
        return self.value is not None and self.value <= self.limit

    def word(self) -> str:
        return "not measured" if not self.known else "met" if self.met else "MISSED"


def readings(results: dict, scenario: str, proxy: str, field: str) -> list:
    """One value a round; "latency_us.p50" reaches inside."""
    values = []
    for said in results.get("scenarios", {}).get(scenario, {}).get(proxy, []):
        value = said
        for part in field.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        values.append(value)
    return values


def cpu(results: dict, scenario: str, proxy: str) -> Optional[float]:
    return stats.median(readings(results, scenario, proxy, "cpu_us"))


def cpu_ratio(results: dict, scenario: str, above: str, below: str) -> Optional[float]:
    return stats.paired_ratio(readings(results, scenario, above, "cpu_us"), readings(results, scenario, below, "cpu_us"))


def added(results: dict, scenario: str, proxy: str, percentile: str) -> Optional[float]:
    """Latency over direct, µs, median of the rounds' differences."""
    field = f"latency_us/{percentile}"
    return stats.paired_difference(readings(results, scenario, proxy, field), readings(results, scenario, "direct", field))


def judge(results: dict) -> list[Verdict]:
    names = {"c1": "1 connection", "c64": "64 connections", "c512": "512 connections"}
    verdicts = []
    for key, title in names.items():
        verdicts.append(Verdict(f"CPU a request, {title}: × HAProxy", cpu_ratio(results, key, "remora", "haproxy"), 0.90))
    for key, title in names.items():
        verdicts.append(Verdict(f"CPU a request, {title}: × Envoy", cpu_ratio(results, key, "remora", "envoy"), 0.33))
    verdicts.append(Verdict("CPU a request, 64 connections: × bare relay", cpu_ratio(results, "c64", "remora", "relay"), 1.20))
    for key, title in {"down64k": "64 KB answers", "up64k": "64 KB requests"}.items():
        verdicts.append(Verdict(f"CPU a request, {title}: × HAProxy", cpu_ratio(results, key, "remora", "haproxy"), 1.00))
    for p in ("p50", "p99"):
        ours = added(results, "rate1000", "remora", p)
        theirs = added(results, "rate1000", "haproxy", p)
        if theirs is not None:
            verdicts.append(Verdict(f"added {p} at 1,000/s, µs (limit: HAProxy's)", ours, theirs, 1))
    memory = results.get("memory", {}).get("remora")
    verdicts.append(Verdict("RSS idle, MB", memory["idle"]["rss_kb"] / 1024 if memory else None, 10, 1))
    verdicts.append(Verdict("RSS an active pair, KB", memory["pair_kb"] if memory else None, 12, 1))
    soak = results.get("soak", {}).get("remora")
    if soak:
        # 64 KB of slack: one page fault of a cold path is not growth
        verdicts.append(Verdict(f"RSS growth over {soak['requests']:,} requests, KB", soak["growth_kb"], 64, 0))
    return verdicts
