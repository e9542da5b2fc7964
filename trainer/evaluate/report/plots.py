"""The few drawings of the report, as SVG that takes its colours from the page.

No library: a plot here is some lines, and one drawn by a library would be a hundred times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from trainer.evaluate.report.html import Html, join, tag

WIDTH = 760
ROW, LABEL, NOTE = 30, 230, 190  # height of a row; width of the names and of the figures
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One row of a forest plot."""

    label: str
    note: str
    mean: float
    low: float
    high: float
    tone: str  # better, worse, same, unclear: a class of the style sheet
    strong: bool = False  # belongs to the declared set


def forest(lines: Sequence[ForestRow], scale: float = 1.0, matters: float = 0.0) -> Html:
    """Differences with their intervals around a line at zero.

    Args:
        scale: what a value is multiplied with on the axis: 100 for shares.
        matters: a band around zero within which a difference changes nothing.
    """
    if not lines:
        return Html("")
    reach = max(0.0, *(line.high for line in lines)), min(0.0, *(line.low for line in lines))
    high, low = max(reach[0], matters) * 1.05, min(reach[1], -matters) * 1.05
    if high == low:
        high, low = 1.0, -1.0
    across = WIDTH - LABEL - NOTE

    def x(value: float) -> float:
        return round(LABEL + (value - low) / (high - low) * across, 1)

    bottom = ROW * len(lines) + 4
    parts = []
    if matters:
        parts.append(
            tag(
                "rect",
                x=x(-matters),
                y=0,
                width=round(x(matters) - x(-matters), 1),
                height=bottom,
                class_="band",
            )
        )
    for tick in ticks(low, high):
        parts.append(
            tag(
                "line",
                x1=x(tick),
                x2=x(tick),
                y1=0,
                y2=bottom,
                class_="zero" if tick == 0 else "grid",
            )
        )
        parts.append(
            tag(
                "text",
                _number(tick * scale),
                x=x(tick),
                y=bottom + 16,
                text_anchor="middle",
                class_="small",
            )
        )
    for number, line in enumerate(lines):
        y = ROW * number + ROW / 2 + 2
        parts += [
            tag("text", line.label, x=0, y=y + 5, class_="strong" if line.strong else None),
            tag("line", x1=x(line.low), x2=x(line.high), y1=y, y2=y, class_=f"bar {line.tone}"),
            tag("circle", cx=x(line.mean), cy=y, r=5 if line.strong else 4, class_=line.tone),
            tag("text", line.note, x=WIDTH, y=y + 5, text_anchor="end", class_="figure"),
        ]
    return _drawing(WIDTH, bottom + 22, parts)


def curve(train: Sequence[Point], valid: Sequence[Point]) -> Html:
    """Losses by step: a line for training, rings for validations."""
    points = [*train, *valid]
    if len(points) < 2:
        return Html("")
    height, left, bottom = 220, 48, 196
    last = max(step for step, _ in points) or 1
    high, low = max(loss for _, loss in points), min(loss for _, loss in points)
    span = (high - low) or 1.0

    def place(point: Point) -> tuple[float, float]:
        return (
            round(left + point[0] / last * (WIDTH - left - 8), 1),
            round(8 + (high - point[1]) / span * (bottom - 16), 1),
        )

    parts = []
    for tick in ticks(low, high):
        _, y = place((0, tick))
        parts += [
            tag("line", x1=left, x2=WIDTH, y1=y, y2=y, class_="grid"),
            tag("text", _number(tick), x=left - 8, y=y + 4, text_anchor="end", class_="small"),
        ]
    thinned = _thin(train, 300)
    if thinned:
        path = " ".join(f"{x},{y}" for x, y in map(place, thinned))
        parts.append(tag("polyline", points=path, class_="curve"))
    parts += [tag("circle", cx=place(p)[0], cy=place(p)[1], r=4, class_="ring") for p in valid]
    parts.append(
        tag("text", f"{last:,.0f}", x=WIDTH, y=bottom + 18, text_anchor="end", class_="small")
    )
    return _drawing(WIDTH, height, parts)


def reliability(bins: Sequence[tuple[float, float, int]]) -> Html:
    """How sure against how often right; the diagonal is honesty, the area of a dot its answers."""
    size = 200
    most = max((count for *_, count in bins), default=1)
    parts = [
        tag("line", x1=0, y1=size, x2=size, y2=0, class_="grid"),
        tag("rect", x=0, y=0, width=size, height=size, class_="frame"),
    ]
    parts += [
        tag(
            "circle",
            cx=round(sure * size, 1),
            cy=round((1 - right) * size, 1),
            r=round(3 + 7 * (count / most) ** 0.5, 1),
            class_="ring",
        )
        for sure, right, count in bins
    ]
    return _drawing(size, size, parts, fixed=True)


def wins(won: int, ties: int, lost: int) -> Html:
    """Three parts of one bar."""
    total = max(1, won + ties + lost)
    at, parts = 0.0, []
    for count, tone in ((won, "better"), (ties, "same"), (lost, "worse")):
        width = 160 * count / total
        parts.append(
            tag(
                "rect", x=round(at, 1), y=0, width=round(width, 1), height=10, class_=f"fill {tone}"
            )
        )
        at += width
    return _drawing(160, 10, parts, fixed=True)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers within a range; zero is one of them if it lies inside."""
    span = high - low
    if span <= 0:
        return [low]
    step = 10.0 ** floor(log10(span / about))
    step *= next((m for m in (1, 2, 5, 10) if span / (step * m) <= about), 10)
    first = floor(low / step)
    found = [round((first + n) * step, 12) for n in range(about + 3)]
    return [tick + 0.0 for tick in found if low <= tick <= high]


def _thin(points: Sequence[Point], most: int) -> list[Point]:
    """Means of neighbours, so that a long run is no megabyte."""
    size = max(1, -(-len(points) // most))
    groups = [points[at : at + size] for at in range(0, len(points), size)]
    return [(group[-1][0], sum(loss for _, loss in group) / len(group)) for group in groups]


def _number(figure: float) -> str:
    return f"{figure:.6g}".replace("-", "−")


def _drawing(width: int, height: float, parts: Sequence[Html], *, fixed: bool = False) -> Html:
    return tag(
        "svg",
        join(parts),
        viewBox=f"0 0 {width} {height:g}",
        role="img",
        width=width if fixed else None,
        height=height if fixed else None,
    )
