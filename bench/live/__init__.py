"""`kkoracle live` on the sample newspaper, printed morning after morning by a real site.

The long command reads, generates, learns and promotes by itself; a client asks `kkoracle serve
--follow` twice a second all the time. One morning brings pages that contradict what was printed
before, and noise. Then a second life of the first mornings, in which processes are killed.

mornings, promoted, kept_before   how they ended: the new model answers, or the one before
              does; each with its reason under `outcomes`
poisoned_promoted          1 where the poisoned morning's model answers
kept_*        facts of the first morning in the last model, minus when they were first taught: the
              true answer is the most probable of four, in the words in which it was taught and in
              wordings of the truth that were never taught; paired, clustered by story
new_gain_*    the last promoted morning's facts: its model minus the one before it, the same way
asked, answered            requests of the client, and those that got an answer
versions_seen              how many different models its answers came from
kills, same_end_state      of the second life: dataset, rows taught and outcomes as in the first
same_adapter               and the adapter's very bytes
cpu_s, seconds             of the first life
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.demo import working_folder
from bench.registry import BenchSettings, Figures
from exchange.inference import openblas

SEED = 7
NOT_FOR_JUDGING = ("kept*", "new_gain*", "versions_seen", "cpu_s", "seconds")
MORNINGS, POISONED = 20, 11
QUICK_MORNINGS, QUICK_POISONED = 3, 3
KILLS, KILLED_MORNINGS = 20, 4


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--mornings", type=int, help=f"default: {MORNINGS}")
    parser.add_argument("--kills", type=int, help=f"default: {KILLS}; 0: no second life")
    parser.add_argument("--dir", type=Path, help="keep everything here")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Print, live, ask, kill, and compare."""
    openblas.ensure()
    from bench.live import lives, questions
    from bench.live.newspaper import print_mornings

    count = args.mornings or (QUICK_MORNINGS if settings.quick else MORNINGS)
    poisoned = POISONED if count >= POISONED else min(QUICK_POISONED, count)
    printed = print_mornings(SEED, count, poisoned)
    kills = (2 if settings.quick else KILLS) if args.kills is None else args.kills
    with working_folder(args.dir) as folder:
        first = lives.live(folder / "first", printed, settings.log)
        figures = {**first.figures(poisoned), **questions.figures(first, settings.log)}
        if kills:
            some = printed[: min(count, 2 if settings.quick else KILLED_MORNINGS)]
            second = lives.live(folder / "second", some, settings.log, kills=kills)
            figures |= lives.compare(first, second)
    return figures
