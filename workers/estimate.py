"""How long generating the pairs of an archive will take, before it begins.

The pace is measured where anything was generated, or tried by `kkoracle work --probe`; else it is
assumed, and the basis says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from exchange.store.spool import FILE, open_tasks

PROBE_FILE = "probe.json"  # what the last `work --probe` measured, in the archive's folder
# By roofline, for a 7B model in 4 bit at width 32 on a Mac mini with M4: 50,000 chunks of 430
# tokens in and 220 out take 1.27 to 1.55 days.
ASSUMED_PER_HOUR = (1_000, 1_600)
CHUNKS_A_STORY = 2.2  # assumed: 400 words a story, 1,200 characters a chunk
TASK_BYTES = 14_000  # assumed: chunk, completion and three pairs in the spool, with their indexes
ENOUGH_TO_MEASURE = 200  # stories or tasks from which is measured and not assumed


@dataclass(frozen=True, slots=True)
class GenerationEstimate:
    """What is left to generate. Pairs are the least and the most."""

    done: int
    tasks: tuple[int, int]
    per_hour: tuple[float, float]
    seconds: tuple[float, float]
    disk_bytes: int
    pairs: tuple[int, int]  # kept, those that are there included
    basis: str


def estimate_generation(
    directory: Path, counters: Mapping[str, int], stories: tuple[int, int], pace: float | None
) -> GenerationEstimate:
    """Estimate from the spool's counters.

    Args:
        counters: of the spool; {} where there is none yet.
        stories: how many may still be fetched, least and most.
        pace: tasks an hour, measured in the spool; None while nothing is known.
    """
    done, extracted = counters.get("tasks.done", 0), counters.get("stories", 0)
    measured = extracted >= ENOUGH_TO_MEASURE
    each = counters.get("chunks.live", 0) / extracted if measured else CHUNKS_A_STORY
    waiting = open_tasks(counters)
    tasks = (waiting + round(stories[0] * each), waiting + round(stories[1] * each))
    per_hour, source = _pace(directory, pace)
    known = done >= ENOUGH_TO_MEASURE
    pairs_each = counters.get("pairs.accepted", 0) / done if known else 3.0
    size = (directory / FILE).stat().st_size / done if known else TASK_BYTES
    basis = (
        f"{waiting:,} tasks are open, {each:.1f} chunks a story "
        f"({'measured' if measured else 'assumed'}); {source}; {pairs_each:.1f} pairs kept a task "
        f"({'measured' if known else 'assumed'})"
    )
    return GenerationEstimate(
        done,
        tasks,
        per_hour,
        (3600 * tasks[0] / per_hour[1], 3600 * tasks[1] / per_hour[0]),
        round(size * (done + tasks[1])),
        (round(pairs_each * (done + tasks[0])), round(pairs_each * (done + tasks[1]))),
        basis,
    )


def _pace(directory: Path, measured: float | None) -> tuple[tuple[float, float], str]:
    if measured:
        return (measured, measured), f"{measured:,.0f} tasks an hour (measured on the last ones)"
    try:
        slow, fast = orjson.loads((directory / PROBE_FILE).read_bytes())["tasks_per_h"]
        if 0 < slow <= fast:
            return (
                slow,
                fast,
            ), f"{slow:,.0f} to {fast:,.0f} tasks an hour (tried by `work --probe`)"
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never tried, or by another version
    slow, fast = ASSUMED_PER_HOUR
    return ASSUMED_PER_HOUR, (
        f"{slow:,} to {fast:,} tasks an hour (assumed: a 7B model in 4 bit on a Mac mini with M4; "
        "`kkoracle work --probe` measures it)"
    )
