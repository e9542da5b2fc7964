"""The mornings as a page: what was read, learned and refused, day by day, with intervals."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.files import write_atomic
from exchange.html import plots
from exchange.html.templates import environment
from kkoracle.live.record import MorningRecord, read_mornings
from trainer.promote.versions import promoted

if TYPE_CHECKING:
    from markupsafe import Markup

FILE = "live.html"  # in the archive's folder
CHECKS = {
    "learned": "new facts",
    "kept": "old facts",
    "general": "general",
    "grounded": "keeps to the text",
    "refusals": "says it does not know",
}


@dataclass(frozen=True, slots=True)
class MorningLine:
    """One morning as people read it."""

    number: int
    day: str
    outcome: str
    reason: str
    read: str
    taught: str
    figures: tuple[tuple[str, str, str], ...]  # name, text, tone


def morning_lines(mornings: Sequence[MorningRecord]) -> list[MorningLine]:
    """The newest first."""
    lines, stories, pairs = [], 0, 0
    for one in mornings:
        begun, trained = one.about("begun"), one.about("trained")
        now = int(begun.get("stories", 0)), int(begun.get("pairs", 0))
        taught = f"{trained['new']:,} new, {trained['old']:,} again" if trained else "nothing"
        if refused := int(one.about("built").get("contradicting_stories", 0)):
            taught += f"; {refused:,} stories set aside, which contradict earlier ones"
        lines.append(
            MorningLine(
                one.number,
                one.day,
                one.outcome,
                one.reason,
                f"{now[0] - stories:,} stories, {now[1] - pairs:,} pairs",
                taught,
                tuple(_figure(one.check[name], name) for name in CHECKS if name in one.check),
            )
        )
        stories, pairs = now
    return lines[::-1]


def _figure(check: Mapping[str, Any], name: str) -> tuple[str, str, str]:
    tone = "worse" if check["outcome"] in ("worse", "not learned", "too wide") else "same"
    if check["value"] is None:
        return CHECKS[name], check["outcome"], tone
    if check["gain"] is None:
        return CHECKS[name], f"{check['value']:.1%}", tone
    ends = (f"{100 * check[end]:+.1f}" for end in ("gain", "low", "high"))
    gain, low, high = ends
    return CHECKS[name], f"{check['value']:.0%} ({gain} [{low}, {high}])", tone


def morning_plots(mornings: Sequence[MorningRecord]) -> list[Markup]:
    """What was known by morning, and what was read."""

    def curve(name: str, colour: int) -> plots.Curve:
        points = [
            (float(one.number), 100 * float(one.check[name]["value"]))
            for one in mornings
            if name in one.check and one.check[name]["value"] is not None
        ]
        return plots.Curve(CHECKS[name], points, colour, dots=True)

    known = plots.lines("Known, % by morning", [curve("kept", 0), curve("learned", 1)])
    counts, before = {}, 0
    for one in mornings:
        pairs = int(one.about("begun").get("pairs", 0))
        counts[str(one.number)] = [max(0, pairs - before)]
        before = pairs
    return [known, plots.bars("New pairs by morning", ["pairs"], counts)]


def render_page(archive_dir: Path) -> str:
    """The page as one HTML document without a script, from an archive's record."""
    mornings, answering = read_mornings(archive_dir), promoted(archive_dir)
    return (
        environment("kkoracle.live")
        .get_template("live.html.j2")
        .render(
            archive=archive_dir.name,
            answering=answering.name if answering else "none yet",
            counts={
                name: sum(one.outcome == name for one in mornings)
                for name in ("promoted", "kept", "rolled back")
            },
            lines=morning_lines(mornings),
            plots=morning_plots(mornings),
            made=time.strftime("%Y-%m-%d %H:%M"),
        )
    )


def write_page(archive_dir: Path) -> Path:
    """Write `live.html` in the archive's folder, from its record."""
    path = archive_dir / FILE
    write_atomic(path, render_page(archive_dir))
    return path
