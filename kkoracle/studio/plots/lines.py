"""What went on over time, or over steps: lines, with what is expected dashed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from kkoracle.studio.plots.axes import (
    BOTTOM,
    COLOURS,
    DASHED,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    format_tick,
    svg_figure,
    svg_grid,
    svg_legend,
    time_ticks,
    value_ticks,
    x_axis,
    y_axis,
)

Points = Sequence[tuple[float, float]]
COLUMNS = (WIDTH - LEFT - RIGHT) // 2  # more points than that cannot be told apart


@dataclass(frozen=True, slots=True)
class Curve:
    """One line with its name; `colour` counts through the palette."""

    name: str
    points: Points
    colour: int = 0
    dashed: bool = False  # expected, not measured
    dots: bool = False  # few points that were measured one by one


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch along the bottom axis in which something is expected."""

    low: float
    high: float
    name: str


def lines(
    title: str,
    drawn: Sequence[Curve],
    *,
    times: bool = False,
    zero: bool = True,
    band: Band | None = None,
) -> str:
    """A plot; "" when there is no point to draw.

    Args:
        times: the bottom axis is seconds since the epoch.
        zero: the left axis begins at nothing, as counts do.
    """
    points = [point for line in drawn for point in line.points]
    if not points:
        return ""
    ends = [x for x, _ in points] + ([band.low, band.high] if band else [])
    x = x_axis(min(ends), max(ends))
    values = [y for _, y in points]
    y = y_axis(0.0 if zero else min(values), max(values))
    if times:
        marks = [(x.place(at), name) for at, name in time_ticks(x.low, x.high)]
    else:
        steps = value_ticks(x.low, x.high, 6, least=1.0)
        marks = [(x.place(at), format_tick(at)) for at in steps]
    parts = [svg_grid(marks, y)]
    if band:
        left, wide = x.place(band.low), x.place(band.high) - x.place(band.low)
        parts.append(
            f'<rect class="band" x="{left:.1f}" y="{TOP}" width="{max(1.0, wide):.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"/>'
        )
    for line in drawn:
        colour = COLOURS[line.colour % len(COLOURS)]
        spots = [(x.place(at), y.place(value)) for at, value in downsample(line.points)]
        path = " ".join(f"{left:.1f},{top:.1f}" for left, top in spots)
        dash = DASHED if line.dashed else ""
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="2" {dash} points="{path}"/>'
        )
        if line.dots or len(spots) == 1:
            parts += [
                f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3" fill="{colour}"/>'
                for left, top in spots
            ]
    names = [
        (line.name, COLOURS[line.colour % len(COLOURS)], line.dashed)
        for line in drawn
        if line.points
    ]
    if band:
        names.append((band.name, "#8884", False))
    return svg_figure(title, "".join(parts) + svg_legend(names))


def downsample(points: Points, columns: int = COLUMNS) -> list[tuple[float, float]]:
    """At most so many points, each the mean of its neighbours; first and last stay."""
    if len(points) <= columns:
        return list(points)
    inner, parts = points[1:-1], columns - 2
    found = [points[0]]
    for number in range(parts):
        part = inner[len(inner) * number // parts : len(inner) * (number + 1) // parts]
        found.append((fmean(at for at, _ in part), fmean(value for _, value in part)))
    return [*found, points[-1]]
