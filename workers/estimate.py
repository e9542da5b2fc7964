"""How long generating the pairs of an archive will take, before it begins.

The pace is measured where anything was generated, or tried by `kkoracle work --probe`; else it is
assumed, and the basis says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from exchange.files import write_atomic
from exchange.inference.engine import EngineDescription
from exchange.inference.speech import SpeechSample
from exchange.records import Pair, Result, Task
from exchange.store.spool import FILE, open_tasks

PROBE_FILE = "probe.json"  # what the last `work --probe` measured, in the archive's folder
# By roofline, for a 7B model in 4 bit at width 32 on a Mac mini with M4: 50,000 chunks of 430
# tokens in and 220 out take 1.27 to 1.55 days.
ASSUMED_PER_HOUR = (1_000, 1_600)
CHUNKS_A_STORY = 2.2  # assumed: 400 words a story, 1,200 characters a chunk
TASK_BYTES = 14_000  # assumed: chunk, completion and three pairs in the spool, with their indexes
# Assumed: a question goes in and two come out, where a chunk goes in and three pairs come out.
WORDING_TASKS, WORDING_COST = 2, 0.25  # tasks for a pair, each in terms of a chunk's
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
    directory: Path,
    counters: Mapping[str, int],
    stories: tuple[int, int],
    pace: float | None,
    *,
    wordings: float = 0.0,
    rephrased: int = 0,
) -> GenerationEstimate:
    """Estimate from the spool's counters.

    Args:
        counters: of the spool; {} where there is none yet.
        stories: how many may still be fetched, least and most.
        pace: tasks an hour, measured in the spool; None while nothing is known.
        wordings: share of pairs that get further wordings, as in [plan].
        rephrased: tasks that asked for other words and are in the spool by now, done or open.
    """
    done, extracted = counters.get("tasks.done", 0), counters.get("stories", 0)
    measured = extracted >= ENOUGH_TO_MEASURE
    each = counters.get("chunks.live", 0) / extracted if measured else CHUNKS_A_STORY
    waiting = open_tasks(counters)
    tasks = (waiting + round(stories[0] * each), waiting + round(stories[1] * each))
    per_hour, source = _pace(directory, pace)
    known = done >= ENOUGH_TO_MEASURE
    pairs_each = counters.get("pairs.accepted", 0) / done if known else 3.0
    pairs = round(pairs_each * (done + tasks[0])), round(pairs_each * (done + tasks[1]))
    # Those of the daemon are open at last; before, they are still to be made of the pairs.
    further = [max(0, round(WORDING_TASKS * wordings * count) - rephrased) for count in pairs]
    slow, fast = per_hour
    hours = [
        (tasks[0] + WORDING_COST * further[0]) / fast,
        (tasks[1] + WORDING_COST * further[1]) / slow,
    ]
    size = (directory / FILE).stat().st_size / done if known else TASK_BYTES
    basis = (
        f"{waiting:,} tasks are open, {each:.1f} chunks a story "
        f"({'measured' if measured else 'assumed'}); {source}; {pairs_each:.1f} pairs kept a task "
        f"({'measured' if known else 'assumed'})"
    )
    if further[1]:
        added = WORDING_COST * further[0] / fast, WORDING_COST * further[1] / slow
        basis += (
            f"; {further[0]:,} to {further[1]:,} of the tasks are further wordings "
            f"([plan] wordings), {added[0]:.1f} to {added[1]:.1f} hours of it (a quarter of a "
            "chunk's task each, assumed)"
        )
    return GenerationEstimate(
        done,
        (tasks[0] + further[0], tasks[1] + further[1]),
        per_hour,
        (3600 * hours[0], 3600 * hours[1]),
        round(size * (done + tasks[1] + WORDING_COST * further[1])),
        pairs,
        basis,
    )


def _pace(directory: Path, measured: float | None) -> tuple[tuple[float, float], str]:
    if measured:
        return (measured, measured), f"{measured:,.0f} tasks an hour (measured on the last ones)"
    try:
        slow, fast = orjson.loads((directory / PROBE_FILE).read_bytes())["tasks_per_h"]
        if 0 < slow <= fast:
            tried = f"{slow:,.0f} to {fast:,.0f} tasks an hour (tried by `work --probe`)"
            return (slow, fast), tried
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never tried, or by another version
    slow, fast = ASSUMED_PER_HOUR
    return ASSUMED_PER_HOUR, (
        f"{slow:,} to {fast:,} tasks an hour (assumed: a 7B model in 4 bit on a Mac mini with M4; "
        "`kkoracle work --probe` measures it)"
    )


@dataclass(frozen=True, slots=True)
class ProbedTask:
    """One task and what came of it."""

    task: Task
    result: Result
    seconds: float  # from its first step in the batch to its last

    @property
    def accepted(self) -> int:
        return sum(pair.status == "accepted" for pair in self.result.pairs)

    @property
    def has_form(self) -> bool:
        """Pairs could be read out of the reply, whatever they are worth."""
        return bool(self.result.pairs)

    @property
    def tokens_out(self) -> int:
        return self.result.completion.tokens_out if self.result.completion else 0


@dataclass(slots=True)
class GenerationProbe:
    """What was measured; whole, or as far as it came."""

    asked: int  # tasks to try
    open: int  # tasks that wait in the archive, these among them
    description: EngineDescription
    tried: list[ProbedTask] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False
    speech: SpeechSample | None = None

    @property
    def with_form(self) -> int:
        """Replies in the form that was asked for."""
        return sum(one.has_form for one in self.tried)

    @property
    def pairs(self) -> int:
        """Pairs that could be read out of all replies."""
        return sum(len(one.result.pairs) for one in self.tried)

    @property
    def accepted(self) -> list[Pair]:
        """The pairs that passed the checks."""
        return [
            pair for one in self.tried for pair in one.result.pairs if pair.status == "accepted"
        ]

    @property
    def verdicts(self) -> dict[str, int]:
        """How the checks judged the pairs: "accepted", then reasons of rejection, commonest first;
        also why a task gave no pair at all."""
        counts = Counter(
            pair.reason or pair.status for one in self.tried for pair in one.result.pairs
        )
        counts.update(one.result.failed for one in self.tried if one.result.failed)
        return dict(sorted(counts.items(), key=lambda one: (one[0] != "accepted", -one[1], one[0])))

    @property
    def tokens_per_s(self) -> float:
        """Tokens generated a second, all requests together."""
        return sum(one.tokens_out for one in self.tried) / max(self.seconds, 1e-9)

    @property
    def tasks_per_h(self) -> tuple[float, float]:
        """Tasks an hour, least and most.

        Least: as measured, although a sample this small lets the batch run empty at its end.
        Most: every row as fast as here, and the batch full all the time.
        """
        measured = len(self.tried) / max(self.seconds, 1e-9)
        rows = sum(one.seconds for one in self.tried) / max(self.seconds, 1e-9)
        most = max(1.0, self.description.width / rows) if rows else 1.0
        return 3600 * measured, 3600 * measured * most

    @property
    def pairs_per_task(self) -> float:
        return sum(one.accepted for one in self.tried) / max(1, len(self.tried))

    @property
    def hours_left(self) -> tuple[float, float]:
        """Hours of generation for all open tasks, least and most; 0 when none was finished."""
        slow, fast = self.tasks_per_h
        return (self.open / fast, self.open / slow) if slow else (0.0, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Everything, for `--json`."""
        slow, fast = self.tasks_per_h
        return {
            "model": self.description.model,
            "engine": self.description.engine,
            "quantisation": self.description.quantisation,
            "width": self.description.width,
            "tasks": len(self.tried),
            "open_tasks": self.open,
            "seconds": round(self.seconds, 2),
            "stopped": self.stopped,
            "speech": self.speech and asdict(self.speech),
            "with_form": self.with_form,
            "verdicts": self.verdicts,
            "tokens_per_s": round(self.tokens_per_s, 1),
            "tasks_per_h": [round(slow, 1), round(fast, 1)],
            "pairs_per_h": [
                round(slow * self.pairs_per_task, 1),
                round(fast * self.pairs_per_task, 1),
            ],
            "hours_left": [round(hours, 4) for hours in self.hours_left],
            "tried": [
                {
                    "task": one.task.id,
                    "kind": one.task.kind,
                    "header": one.task.header,
                    "text": one.task.text,
                    "failed": one.result.failed,
                    "completion": one.result.completion and one.result.completion.to_dict(),
                    "pairs": [pair.to_dict() for pair in one.result.pairs],
                }
                for one in self.tried
            ],
        }


def save_figures(directory: Path, found: GenerationProbe) -> None:
    """Leave the figures for `kkoracle estimate`; spool and Redis stay as they are."""
    if found.stopped or not found.seconds:
        return
    figures = found.to_dict()
    del figures["tried"]
    write_atomic(directory / PROBE_FILE, orjson.dumps(figures))
