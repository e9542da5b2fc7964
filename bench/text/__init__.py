"""Text against the truth: by profile, by trafilatura, and by what `archive learn` proposes.

Every story of the sample newspaper in its four shapes, read by the demo's profile as the crawl
reads it; trafilatura with its default settings and with `fast` reads the same decoded pages. Then
layouts that no profile knows, one kept aside, one of today's and three made by dice, are served;
`kkoracle archive learn` asks for some sixty pages of each, and what it wrote reads all stories.

paragraph_recall   printed paragraphs found whole; the worst shape counts
extra              words beyond those printed, over those printed; the worst shape counts
stories_right      stories with exactly the printed headline, date, section, author and text
trafilatura_*, trafilatura_fast_*   the same two figures of the peer; by shape under `shapes`
learned_recall, learned_extra       the same of learned profiles; the worst layout counts
learned_kept_aside of the layout kept aside alone: recall and extra; learned_title, _date,
                   _section, _author are shares of its stories with that field right
learned_layouts    the two figures of each layout
charset_right      of seven encodings and labels; charset_wrong names the others
dates_right        of twelve dated lines with demotic months
profile_ms, trafilatura_ms, trafilatura_fast_ms   processor time a page, decoding included
"""

from __future__ import annotations

import argparse

from bench.registry import BenchSettings, Figures

SEED = 7
NOT_FOR_JUDGING = ("learned_*", "*_ms")
STORIES, QUICK = 320, 80
DICE = (1001, 1002, 1003)  # layouts that were never looked at


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--stories", type=int, help=f"default: {STORIES}, quick {QUICK}")
    parser.add_argument("--layouts", type=int, nargs="*", help="seeds of made layouts")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """The three parts in turn."""
    from bench.text import encoded, learned, shapes
    from kkoracle.demo.newspaper import build_newspaper

    newspaper = build_newspaper(SEED, args.stories or (QUICK if settings.quick else STORIES))
    settings.log(f"{len(newspaper.stories)} stories in four shapes")
    figures = shapes.measure(newspaper)
    seeds = DICE[: 1 if settings.quick else None] if args.layouts is None else args.layouts
    figures |= learned.measure(list(newspaper.stories), seeds, settings.log)
    charsets, months = encoded.charsets(), encoded.months()
    return {
        "stories": len(newspaper.stories),
        **figures,
        "charset_right": sum(charsets.values()),
        "charset_wrong": [name for name, right in charsets.items() if not right],
        "dates_right": sum(months.values()),
    }
