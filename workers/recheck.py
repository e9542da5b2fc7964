"""Judge what is stored anew, with the rules of today: the raw replies are kept for this.

Reading and judging run in processes that open the spool for reading; this one gathers their
verdicts in a file of its own (`exchange.store.verdicts`). Nothing is generated, no model is loaded.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from exchange.errors import NotEnoughData
from exchange.lock import daemon_lock
from exchange.machine import map_in_processes
from exchange.records import Completion, Pair
from exchange.store.db import unpack
from exchange.store.review import Review
from exchange.store.spool import FILE, Spool
from exchange.store.tasks import archive_language, task_from_row
from exchange.store.verdicts import (
    StagedRow,
    StagedVerdicts,
    VerdictChange,
    remove_staged,
    staged_row,
)
from workers.grading import grade
from workers.verify import threshold
from workers.verify.threshold import UNVERIFIED, LabelledSignals, VerificationModel

_SCORED = """SELECT p.record FROM pairs p JOIN tasks t ON t.id=p.task_id
WHERE t.serial BETWEEN ? AND ? AND json_extract(CAST(p.record AS TEXT), '$.scores') <> '{}'"""
SPAN_TASKS = 1000  # tasks of one errand: about a second of work, so that progress is seen
Verdicts = tuple[list[str], list[StagedRow]]

_ROWS = """SELECT t.id, t.kind, t.recipe, c.record AS chunk, i.record AS input, k.record AS reply,
COALESCE(i.story_id, c.story_id, '') AS story_id
FROM tasks t JOIN completions k ON k.task_id=t.id LEFT JOIN chunks c ON c.id=t.subject
LEFT JOIN inputs i ON i.task_id=t.id WHERE t.serial BETWEEN ? AND ? ORDER BY t.serial"""


def recheck(
    directory: Path,
    archive: str,
    *,
    processes: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> StagedVerdicts:
    """Judge every stored reply; the verdicts are in the staged file, nothing is changed yet.

    Args:
        processes: how many; 0: as many as this machine has cores.
        progress: called with task numbers done and in all.

    Raises:
        UserError: nothing was crawled or generated yet.
    """
    _upgrade(directory)
    spool = Spool.read(directory)
    try:
        last = spool.db.execute("SELECT MAX(serial) FROM tasks").fetchone()[0] or 0
        if spool.db.execute("SELECT 1 FROM completions LIMIT 1").fetchone() is None:
            raise NotEnoughData("no replies are stored yet: run `kkoracle work` first")
    finally:
        spool.close()
    for left in directory.glob("recheck-*.sqlite"):  # of a run that was killed
        remove_staged(left)
    path = directory / f"recheck-{secrets.token_hex(4)}.sqlite"
    try:
        staged = StagedVerdicts.open(path)
        done = 0
        judge = partial(grade_span, directory, archive)
        firsts = range(1, last + 1, SPAN_TASKS)
        for tasks, rows in map_in_processes(judge, firsts, processes or os.cpu_count() or 1):
            staged.add(tasks, rows)
            done += SPAN_TASKS
            progress(min(done, last), last)
        staged.resolve_duplicates(*_labels(directory))
    except BaseException:
        remove_staged(path)
        raise
    return staged


def grade_span(directory: Path, archive: str, first: int) -> Verdicts:
    """The tasks with serial numbers from `first` on, and their pairs with their stories."""
    spool = Spool.read(directory)
    try:
        spoken = archive_language(spool)
        verification = VerificationModel.load(directory)
        scores = _stored_scores(spool, first)
        tasks: list[str] = []
        rows: list[StagedRow] = []
        for row in spool.db.execute(_ROWS, (first, first + SPAN_TASKS - 1)):
            task = task_from_row(row, archive, spoken)
            if task is None:
                continue
            reply = Completion.from_json(unpack(row["reply"]))
            tasks.append(task.id)
            for pair in grade(task, reply.text, reply.finish_reason).pairs:
                pair = pair.replace(scores=scores.get(pair.id, {}))
                if verification and pair.status == "accepted" and verification.rejects(pair.scores):
                    pair = pair.replace(status="rejected", reason=UNVERIFIED)
                rows.append(staged_row(pair, row["story_id"]))
        return tasks, rows
    finally:
        spool.close()


def _stored_scores(spool: Spool, first: int) -> dict[str, dict[str, float]]:
    """What was found when the pairs of a span were read back; it needs the model to find again."""
    rows = spool.db.execute(_SCORED, (first, first + SPAN_TASKS - 1))
    pairs = (Pair.from_json(row["record"]) for row in rows)
    return {pair.id: pair.scores for pair in pairs if pair.scores}


def fit_verification(directory: Path) -> VerificationModel:
    """Fit the threshold of verification on what people said of pairs, and keep it.

    Raises:
        NotEnoughData: too few labelled pairs were read back.
    """
    review = Review.read(directory)
    labels = review.labels() if review else {}
    if review:
        review.close()
    spool = Spool.read(directory)
    try:
        # An edited pair was right only after the edit: it says nothing of what was read back.
        labelled = [
            LabelledSignals(pair.scores, labels[pair.id].verdict == "accept", row["story_id"])
            for row in spool.db.execute("SELECT id, story_id, record FROM pairs")
            if row["id"] in labels and not labels[row["id"]].answer
            if (pair := Pair.from_json(row["record"])).scores
        ]
    finally:
        spool.close()
    found = threshold.fit(labelled)
    found.save(directory)
    return found


def _upgrade(directory: Path) -> None:
    """Bring a spool of an earlier version up to date; a running daemon has done so already."""
    lock = daemon_lock(directory)
    if (directory / FILE).exists() and lock.acquire():
        try:
            Spool.open(directory).close()
        finally:
            lock.release()


def _labels(directory: Path) -> tuple[set[str], set[str]]:
    """Pairs that a person has judged, and those of them that are to be kept."""
    review = Review.read(directory)
    if review is None:
        return set(), set()
    try:
        labels = review.labels()
    finally:
        review.close()
    return set(labels), {pair for pair, label in labels.items() if label.verdict == "accept"}


def print_changes(found: Sequence[VerdictChange], count: int, rules: str) -> None:
    """Pairs gained and lost by rule."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    gained, lost = (sum(getattr(change, side) for change in found) for side in ("gained", "lost"))
    console.print(f"{count:,} pairs judged by rule set {rules}: {gained:,} gained, {lost:,} lost")
    if not found:
        return
    table = Table("rule", "gained", "lost", box=None, pad_edge=False)
    for change in found:
        table.add_row(change.reason or "(new pairs)", f"{change.gained:,}", f"{change.lost:,}")
    console.print(table)
