"""Small numbers: medians, paired ratios, tables. No I/O."""

from __future__ import annotations

import math
from typing import Iterable, Optional, Sequence


def median(values: Iterable[float]) -> Optional[float]:
    ordered = sorted(v for v in values if v is not None)
    if not ordered:
        return None
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def percentile(values: Sequence[float], percent: float) -> Optional[float]:
    """Nearest rank: the smallest value that `percent` of all values do not exceed."""
    if not values:
        return None
    ordered = sorted(values)
    rank = max(1, math.ceil(percent / 100 * len(ordered)))
    return ordered[min(rank, len(ordered)) - 1]


def spread(values: Sequence[float]) -> Optional[float]:
    """(max - min) / median: how far the rounds disagree."""
    middle = median(values)
    if not middle:
        return None
    return (max(values) - min(values)) / middle


def paired_ratio(above: Sequence[Optional[float]], below: Sequence[Optional[float]]) -> Optional[float]:
    """Median over rounds of above/below: the machine's mood changes between rounds, and less within one."""
    return median(a / b for a, b in zip(above, below) if a is not None and b)


def paired_difference(above: Sequence[Optional[float]], below: Sequence[Optional[float]]) -> Optional[float]:
    return median(a - b for a, b in zip(above, below) if a is not None and b is not None)


def show(value: Optional[float], digits: int = 1, unit: str = "") -> str:
    if value is None:
        return "–"
    return f"{value:,.{digits}f}{unit}"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """First column left, the others right."""
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "  ".join(cells).rstrip()

    rule = "  ".join("─" * width for width in widths)
    return "\n".join([line(table[0]), rule, *[line(row) for row in table[1:]]])


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
