"""The plots of the studio and of the report, as SVG that is readable in light and dark.

No library: a plot here is some lines, and one drawn by a library would be a hundred times as long.
This module places the marks, `templates/plots.html.j2` draws them. The studio's plots bring their
colours, those of the report take theirs from the style sheet of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from exchange.html.axes import (
    Axis,
    Points,
    downsample,
    format_tick,
    rounded_axis,
    time_ticks,
    value_ticks,
)
from exchange.html.templates import macro

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, HEIGHT = 720, 260  # of the picture's own units; it is scaled to the page
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 26, 26  # around the plot, for its labels
COLUMNS = (WIDTH - LEFT - RIGHT) // 2  # more points than that cannot be told apart
SWATCH, LETTER = 26, 7.4  # room in the legend for a colour, and for a letter of its name
LABELS = 12  # names that fit under the bars
# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")
BAND_COLOUR = "#8884"

REPORT_WIDTH = 760
ROW, LABEL, NOTE = 30, 230, 190  # height of a forest's row; width of the names and of the figures
PHONE_WIDTH, PHONE_ROW, PHONE_EDGE = 350, 46, 14  # the same above each other, on a narrow page
CURVE_POINTS = 300

_draw = partial(macro, "exchange.html", "plots.html.j2")


def _nothing() -> Markup:
    from markupsafe import Markup

    return Markup("")


@dataclass(frozen=True, slots=True)
class Curve:
    """One line; `colour` counts through the palette, a name of "" is not in the legend."""

    name: str
    points: Points
    colour: int = 0
    dashed: bool = False  # expected, not measured
    dots: bool = False  # few points that were measured one by one
    faint: bool = False  # noisy, beside a line that says the same better


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch along the bottom axis in which something is expected."""

    low: float
    high: float
    name: str


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


def lines(
    title: str,
    curves: Sequence[Curve],
    *,
    times: bool = False,
    zero: bool = True,
    band: Band | None = None,
) -> Markup:
    """What went on over time or steps; "" when there is no point to draw.

    Args:
        times: the bottom axis is seconds since the epoch.
        zero: the left axis begins at nothing, as counts do.
    """
    points = [point for curve in curves for point in curve.points]
    if not points:
        return _nothing()
    ends = [x for x, _ in points] + ([band.low, band.high] if band else [])
    x = Axis(min(ends), max(*ends, min(ends) + 1e-9), LEFT, WIDTH - RIGHT)
    values = [y for _, y in points]
    y = rounded_axis(0.0 if zero else min(values), max(values), HEIGHT - BOTTOM, TOP)
    if times:
        marks = [(x.place(at), name) for at, name in time_ticks(x.low, x.high)]
    else:
        steps = value_ticks(x.low, x.high, 6, least=1.0)
        marks = [(x.place(at), format_tick(at)) for at in steps]
    drawn = []
    for curve in curves:
        spots = [(x.place(at), y.place(up)) for at, up in downsample(curve.points, COLUMNS)]
        drawn.append((curve, COLOURS[curve.colour % len(COLOURS)], spots))
    names = [
        (curve.name, colour, curve.dashed)
        for curve, colour, _ in drawn
        if curve.points and curve.name
    ]
    if band:
        names.append((band.name, BAND_COLOUR, False))
    stretch = (x.place(band.low), x.place(band.high)) if band else None
    return _draw("lines", title, _grid(marks, y), drawn, stretch, _legend(names))


def bars(title: str, parts: Sequence[str], counts: Mapping[str, Sequence[int]]) -> Markup:
    """A standing bar for each name, made of `parts` on each other; "" with nothing to count.

    Args:
        parts: what the numbers of each bar are of, from the bottom up.
    """
    highest = max((sum(each) for each in counts.values()), default=0)
    if not highest:
        return _nothing()
    up = rounded_axis(0, highest, HEIGHT - BOTTOM, TOP)
    room = (WIDTH - LEFT - RIGHT) / len(counts)
    every = -(-len(counts) // LABELS)
    marks, drawn = [], []
    for number, (name, each) in enumerate(counts.items()):
        middle = LEFT + (number + 0.5) * room
        if number % every == 0:
            marks.append((middle, name))
        shown = ", ".join(f"{part} {count:,}" for part, count in zip(parts, each, strict=True))
        top, boxes = float(HEIGHT - BOTTOM), []
        for colour, count in zip(COLOURS, each, strict=False):
            tall = HEIGHT - BOTTOM - up.place(count)
            top -= tall
            boxes.append((middle - 0.4 * room, top, 0.8 * room, tall, colour))
        drawn.append((f"{name}: {shown}", boxes))
    names = [(part, colour, False) for part, colour in zip(parts, COLOURS, strict=False)]
    return _draw("bars", title, _grid(marks, up), drawn, _legend(names if len(names) > 1 else []))


def ranked_bars(title: str, counts: Mapping[str, int], most: int = 15) -> Markup:
    """Lying bars with their numbers, the longest first; "" with nothing to count."""
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    total = sum(counts.values())
    if not total:
        return _nothing()
    rows = [(name, count / total, f"{count:,}", count / order[0][1]) for name, count in order]
    return _draw("lying_bars", title, rows)


def share_bars(title: str, parts: Mapping[str, float]) -> Markup:
    """Lying bars for parts of a whole, in their own order."""
    return _draw("lying_bars", title, [(name, part, "", part) for name, part in parts.items()])


def forest(rows: Sequence[ForestRow], scale: float = 1.0, matters: float = 0.0) -> Markup:
    """Differences with their intervals around a line at zero, once for a wide and a narrow page.

    The style sheet shows one of `for-wide` and `for-phone`; its text says all rows.

    Args:
        scale: what a value is multiplied with on the axis: 100 for shares.
        matters: a band around zero within which a difference changes nothing.
    """
    if not rows:
        return _nothing()
    high = 1.05 * max(0.0, matters, *(row.high for row in rows))
    low = 1.05 * min(0.0, -matters, *(row.low for row in rows))
    if high == low:
        high, low = 1.0, -1.0
    told = "; ".join(f"{row.label}: {row.note}" for row in rows)
    drawn = _nothing()
    for left, right, width, row, page in (
        (LABEL, NOTE, REPORT_WIDTH, ROW, "for-wide"),
        (PHONE_EDGE, PHONE_EDGE, PHONE_WIDTH, PHONE_ROW, "for-phone"),
    ):
        axis, above = Axis(low, high, left, width - right), page == "for-phone"
        ticks = [
            (axis.place(tick), format_tick(tick * scale), tick == 0)
            for tick in value_ticks(low, high, 5)
        ]
        drawn += _draw("forest", rows, axis, ticks, matters, width, row, above, page, told)
    return drawn


def loss_curve(train: Points, valid: Points, title: str) -> Markup:
    """Losses by step: a line for training, dots for validations; "" of fewer than two points.

    Args:
        title: what it shows, for those who do not see it; where the losses go is added.
    """
    points = [*train, *valid]
    if len(points) < 2:
        return _nothing()
    losses = [loss for _, loss in points]
    x = Axis(0, max(step for step, _ in points) or 1, 48, REPORT_WIDTH - 8)
    y = Axis(min(losses), max(losses), 188, 8)
    ticks = [(y.place(tick), format_tick(tick)) for tick in value_ticks(y.low, y.high, 5)]
    line, dots = (
        [(x.place(step), y.place(loss)) for step, loss in some]
        for some in (downsample(train, CURVE_POINTS), valid)
    )
    ends = [f"{some[0][1]:.3g} → {some[-1][1]:.3g}" for some in (train, valid) if some]
    told = f"{title}: {', '.join(ends)}"
    return _draw("loss_curve", line, dots, ticks, f"{x.high:,.0f}", REPORT_WIDTH, told)


def reliability(bins: Sequence[tuple[float, float, int]], title: str, size: int = 200) -> Markup:
    """Confidence against the share of right answers; the area of a dot is its answers.

    Args:
        bins: confidence, share of right answers, count.
        title: what it shows, for those who do not see it.
    """
    most = max((count for *_, count in bins), default=1)
    dots = [
        (sure * size, (1 - right) * size, 3 + 7 * (count / most) ** 0.5)
        for sure, right, count in bins
    ]
    return _draw("reliability", dots, size, title)


def win_bar(won: int, ties: int, lost: int, width: int = 160) -> Markup:
    """Three parts of one bar."""
    total = max(1, won + ties + lost)
    at, parts = 0.0, []
    for count, tone in ((won, "better"), (ties, "same"), (lost, "worse")):
        parts.append((at, width * count / total, tone))
        at += width * count / total
    return _draw("win_bar", parts, width)


def _grid(marks: Sequence[tuple[float, str]], up: Axis) -> Markup:
    """Lines and labels of both axes; `marks` are places along the bottom with their names."""
    ticks = [(up.place(value), format_tick(value)) for value in value_ticks(up.low, up.high)]
    return _draw("grid", marks, ticks, LEFT, WIDTH - RIGHT, HEIGHT - 8)


def _legend(names: Sequence[tuple[str, str, bool]]) -> Markup:
    """Names with their colours, in a row above the plot; true for what is dashed.

    Where they do not fit the row, the longest are shortened.
    """
    room = int((WIDTH - LEFT - len(names) * SWATCH) / LETTER)
    longest = max((len(name) for name, *_ in names), default=0)
    while longest > 1 and sum(min(len(name), longest) for name, *_ in names) > room:
        longest -= 1
    placed, x = [], float(LEFT)
    for name, colour, dashed in names:
        shown = name if len(name) <= longest else f"{name[: longest - 1]}…"
        placed.append((x, shown, colour, dashed))
        x += SWATCH + LETTER * len(shown)
    return _draw("legend", placed)
