"""What was counted: bars that stand, one a year, or lie, one a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from kkoracle.studio.markup import text
from kkoracle.studio.plots.axes import (
    BOTTOM,
    COLOURS,
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    svg_figure,
    svg_grid,
    svg_legend,
    y_axis,
)

LABELS = 12  # names that fit under the bars


def bars(title: str, parts: Sequence[str], counts: Mapping[str, Sequence[int]]) -> str:
    """A bar for each name, made of `parts` on each other; "" when there is nothing to count.

    Args:
        parts: what the numbers of each bar are of, from the bottom up.
    """
    highest = max((sum(each) for each in counts.values()), default=0)
    if not highest:
        return ""
    up = y_axis(0, highest)
    room = (WIDTH - LEFT - RIGHT) / len(counts)
    every = -(-len(counts) // LABELS)
    marks, drawn = [], []
    for number, (name, each) in enumerate(counts.items()):
        middle = LEFT + (number + 0.5) * room
        if number % every == 0:
            marks.append((middle, name))
        said = ", ".join(f"{part} {count:,}" for part, count in zip(parts, each, strict=True))
        top = float(HEIGHT - BOTTOM)
        drawn.append(f"<g><title>{escape(name)}: {escape(said)}</title>")
        for colour, count in zip(COLOURS, each, strict=False):
            tall = HEIGHT - BOTTOM - up.place(count)
            top -= tall
            drawn.append(
                f'<rect x="{middle - 0.4 * room:.1f}" y="{top:.1f}" width="{0.8 * room:.1f}" '
                f'height="{tall:.1f}" fill="{colour}"/>'
            )
        drawn.append("</g>")
    names = [(part, colour, False) for part, colour in zip(parts, COLOURS, strict=False)]
    told = svg_legend(names) if len(names) > 1 else ""
    return svg_figure(title, svg_grid(marks, up) + "".join(drawn) + told)


def ranked_bars(title: str, counts: Mapping[str, int], most: int = 15) -> str:
    """Lying bars with their numbers, the longest first; "" when there is nothing to count."""
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    total = sum(counts.values())
    if not total:
        return ""
    return _horizontal_bars(
        title, [(name, count / total, f"{count:,}", count / order[0][1]) for name, count in order]
    )


def share_bars(title: str, parts: Mapping[str, float]) -> str:
    """Lying bars for parts of a whole, in their own order."""
    return _horizontal_bars(title, [(name, share, "", share) for name, share in parts.items()])


def _horizontal_bars(title: str, rows: Sequence[tuple[str, float, str, float]]) -> str:
    """Name, share, what stands before it, and length (0 to 1) of each bar."""
    lines = "".join(
        f'<tr><th>{text(name)}</th><td class="n">{said}</td><td class="n">{share:.1%}</td>'
        f'<td class="bar"><div style="width:{100 * long:.1f}%"></div></td></tr>'
        for name, share, said, long in rows
    )
    return (
        f'<figure class="plot"><figcaption>{text(title)}</figcaption>'
        f'<table class="ranked">{lines}</table></figure>'
    )
