"""Plots as SVG text: lines and grouped bars, with a legend left to the page. Colors are CSS variables, so that one picture serves
light and dark. No I/O."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Callable, Optional, Sequence


@dataclass
class Series:
    name: str  # shown
    key: str  # CSS: var(--KEY)
    values: list[Optional[float]]


def nice_ticks(top: float, wanted: int = 5) -> list[float]:
    """Round steps from 0 to at least `top`."""
    if top <= 0:
        return [0, 1]
    raw = top / wanted
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw)
    count = math.ceil(top / step - 1e-9)
    return [step * i for i in range(count + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks = [m * 10.0**p for p in range(first, last + 1) for m in (1, 2, 5)]
    inside = [t for t in ticks if low * 0.999 <= t <= high * 1.001]
    if len(inside) > 7:
        inside = [t for t in inside if f"{t:e}"[0] == "1"]
    return inside


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def text(x: float, y: float, words: str, anchor: str = "middle", css: str = "tick") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{html.escape(words)}</text>'


class Frame:
    """The plot's area and its y axis."""

    def __init__(self, width: int, height: int, values: Sequence[float], unit: str, log: bool = False):
        self.width, self.height, self.unit, self.log = width, height, unit, log
        self.left, self.right, self.top, self.bottom = 52, 14, 26, 34
        top = max(values, default=1)
        if log:
            positive = [v for v in values if v > 0]
            self.low = 10 ** (math.floor(math.log10(min(positive)) * 3) / 3) if positive else 1
            self.high = max(top, self.low * 10) * 1.1
            self.ticks = log_ticks(self.low, self.high)
        else:
            self.ticks = nice_ticks(top)
            self.low, self.high = 0, self.ticks[-1]

    @property
    def inner_width(self) -> float:
        return self.width - self.left - self.right

    def y(self, value: float) -> float:
        inner = self.height - self.top - self.bottom
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = max(value, 0) / self.high
        return self.height - self.bottom - inner * share

    def grid(self) -> list[str]:
        parts = []
        for tick in self.ticks:
            y = self.y(tick)
            parts.append(f'<line x1="{self.left}" x2="{self.width - self.right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
            parts.append(text(self.left - 8, y + 4, number(tick), "end"))
        parts.append(text(self.left - 8, self.top - 12, self.unit, "end", "unit"))
        return parts

    def wrap(self, parts: list[str], label: str) -> str:
        head = f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{html.escape(label)}">'
        return head + "".join(parts) + "</svg>"


def lines(label: str, xs: Sequence[float], x_labels: Sequence[str], series: Sequence[Series], unit: str, width: int = 420,
          height: int = 270, log: bool = False, scale: Callable[[float], float] = lambda x: x, x_title: str = "") -> str:
    """A line a series; xs are placed by `scale`."""
    frame = Frame(width, height, [v for s in series for v in s.values if v is not None], unit, log)
    placed = [scale(x) for x in xs]
    low, high = min(placed), max(placed)

    def x_at(i: int) -> float:
        share = (placed[i] - low) / (high - low) if high > low else 0.5
        return frame.left + 10 + (frame.inner_width - 20) * share

    parts = frame.grid()
    parts += [text(x_at(i), height - 14, words) for i, words in enumerate(x_labels) if words]
    if x_title:
        parts.append(text(width - frame.right, height - 1, x_title, "end", "unit"))
    for s in series:
        points = [(x_at(i), frame.y(v), v) for i, v in enumerate(s.values) if v is not None]
        if not points:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
        parts.append(f'<polyline points="{path}" class="line {s.key}" style="stroke:var(--{s.key})"/>')
        for (x, y, v), words in zip(points, [w for w, v in zip(x_labels, s.values) if v is not None]):
            tip = html.escape(f"{s.name} · {words}: {number(v)} {unit}" if words else f"{s.name}: {number(v)} {unit}")
            radius = 4 if s.key == "remora" else 3
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" style="fill:var(--{s.key})"><title>{tip}</title></circle>')
    return frame.wrap(parts, label)


def bars(label: str, groups: Sequence[str], series: Sequence[Series], unit: str, width: int = 420, height: int = 270) -> str:
    """Bars side by side in each group, each with its number above."""
    frame = Frame(width, height, [v for s in series for v in s.values if v is not None], unit)
    parts = frame.grid()
    slot = frame.inner_width / max(len(groups), 1)
    thick = min(slot * 0.84 / max(len(series), 1), 46)
    for g, words in enumerate(groups):
        middle = frame.left + slot * (g + 0.5)
        parts.append(text(middle, height - 14, words))
        begin = middle - thick * len(series) / 2
        for i, s in enumerate(series):
            value = s.values[g]
            if value is None:
                continue
            y = frame.y(value)
            x = begin + i * thick
            tall = max(height - frame.bottom - y, 1)
            tip = html.escape(f"{s.name} · {words}: {number(value)} {unit}")
            parts.append(f'<rect x="{x + 1:.1f}" y="{height - frame.bottom - tall:.1f}" width="{thick - 2:.1f}" height="{tall:.1f}" '
                         f'rx="2" style="fill:var(--{s.key})"><title>{tip}</title></rect>')
            css = "bar-value ours" if s.key == "remora" else "bar-value"
            shown = f"{value:.1f}" if value < 100 else f"{value:.0f}"
            parts.append(text(x + thick / 2, y - 4, shown, "middle", css))
    return frame.wrap(parts, label)
