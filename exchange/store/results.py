"""Results that come from outside: held against their tasks, and staged for the spool's writer.

Through Redis or in a file, whoever may write there can send anything; so a result is stored only
when it is one that a worker of ours could have made of its task. A command that has many (`kkoracle
work --batch-in`) stages them in files beside the spool, which only the holder of `daemon.lock`
writes, and asks for each as for any other change (`exchange.store.requests`).
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from exchange.errors import BadFile, BadRecord
from exchange.files import atomic_path, write_hashed
from exchange.records import (
    FAILURE_PATTERN,
    MAX_RESULT_BYTES,
    TASK_PATTERN,
    TOO_LONG,
    Completion,
    Pair,
    Record,
    Result,
    Task,
    TaskId,
)
from exchange.store import tasks
from exchange.store.spool import Spool

log = logging.getLogger(__name__)

_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
MOST_PAIRS = 1000  # of one task
LONGEST_NAME = 500  # characters of a model's, an engine's or a prompt's name
MOST_TOKENS = 10**8
LONGEST_S = 10.0**7
LARGEST_SCORE = 10.0**6


def read_results(spool: Spool, archive: str, found: Mapping[str, bytes]) -> list[Result]:
    """Those of results, by their task's id, that can be stored; the others are counted.

    A task that the spool does not know wants no result.
    """
    ids = [name for name in found if TASK_PATTERN.fullmatch(name)]
    where = f"t.id IN ({','.join('?' * len(ids))})"
    asked = list(tasks.load_tasks(spool, archive, where, tuple(ids)))
    good: list[Result] = []
    for task in asked:
        try:
            good.append(read_result(found[task.id], task))
        except BadRecord as error:
            # Dropped, not stored: the task stays open, and is asked for again.
            log.warning("a result is refused and will be made again: %s", error)
    tasks.count_refused(spool, len(asked) - len(good))
    return good


def read_result(data: bytes, task: Task) -> Result:
    """The result of a task as it stands in Redis, checked for shape, meaning and size.

    Raises:
        BadRecord: no worker of ours can have made this of the task.
    """
    if len(data) > MAX_RESULT_BYTES:
        raise BadRecord(f"Result: {len(data):,} bytes, more than the {MAX_RESULT_BYTES:,} allowed")
    result = Result.from_json(data)
    if objection := next(_objections(result, task), ""):
        raise BadRecord(f"Result: {objection}")
    return result


def _objections(result: Result, task: Task) -> Iterator[str]:
    if (result.task_id, result.archive) != (task.id, task.archive):
        yield "it is of another task or archive"
    if result.failed and not FAILURE_PATTERN.fullmatch(result.failed):
        yield "it failed for a reason that is none of ours"
    if result.failed and any(pair.status == "accepted" for pair in result.pairs):
        yield "it failed, with a pair that is accepted"
    if not result.failed and not result.pairs:
        yield "no pair, and no reason why"
    ids = [pair.id for pair in result.pairs]
    if len(ids) > MOST_PAIRS or len(set(ids)) < len(ids):
        yield "too many pairs, or one of them twice"
    if result.completion is None:
        if result.pairs:
            yield "pairs without the reply that they were read from"
    elif not _is_plausible(result.completion):
        yield "a number, a time or a name of the completion cannot be"
    for pair in result.pairs:
        yield from _pair_objections(pair, task)


def _is_plausible(completion: Completion) -> bool:
    names = (
        completion.model,
        completion.quantisation,
        completion.engine,
        completion.prompt,
        completion.prompt_sha,
    )
    try:
        made = datetime.fromisoformat(completion.generated_at)
    except ValueError:
        return False
    return (
        made.tzinfo is not None
        and all(len(name) <= LONGEST_NAME and name.isprintable() for name in names)
        and _CODE.fullmatch(completion.finish_reason) is not None
        and 0 <= completion.tokens_in <= MOST_TOKENS
        and 0 <= completion.tokens_out <= MOST_TOKENS
        and 0 <= completion.seconds <= LONGEST_S
        and completion.seed >= 0
    )


def _pair_objections(pair: Pair, task: Task) -> Iterator[str]:
    if pair.id != Pair.make_id(task.id, pair.question, pair.answer):
        yield "the id of a pair is not that of its words"
    if pair.chunk_ids != task.chunk_ids:
        yield "a pair is about other chunks than its task"
    if not pair.question.strip() or not pair.answer.strip():
        yield "a pair without question or answer"
    fits = not pair.reason if pair.status == "accepted" else _CODE.fullmatch(pair.reason)
    if not fits or pair.duplicate_of:
        yield "the verdict on a pair makes no sense"
    source = task.given.get("pair", "") if task.kind == "rephrase" else ""
    if pair.rephrase_of != source:
        yield "a pair rephrases another than it was asked to"
    if len(pair.rules) > LONGEST_NAME or not pair.rules.isprintable():
        yield "the rules of a pair have no such name"
    if any(
        not _CODE.fullmatch(name) or abs(score) > LARGEST_SCORE
        for name, score in pair.scores.items()
    ):
        yield "a score of a pair cannot be"


def encode_result(result: Result) -> bytes:
    """A result as it is sent; one that would be refused for its size has failed as too long."""
    found = result.to_json()
    if len(found) > MAX_RESULT_BYTES:
        found = Result(result.task_id, result.archive, TOO_LONG).to_json()
    return found


# Staged: a file of JSON lines, each a result or what was found as a pair was read back.

NAME = re.compile(r"batch-[0-9a-f]{8}\.jsonl")
RESULTS_PER_TRANSACTION = 2000  # a second or so; every transaction waits for the disk
_TASK = re.compile(rb'\{"task_id":"([0-9a-f]{24})"')


class PairScore(Record, frozen=True):
    """One signal of a pair that was found after the pair was stored."""

    pair_id: TaskId
    signal: str
    score: float


def stage_results(directory: Path, lines: Iterable[bytes]) -> Path:
    """Write encoded results and scores for `apply_staged`, a line each; returns the file."""
    path = directory / f"batch-{secrets.token_hex(4)}.jsonl"
    with atomic_path(path) as partial:
        write_hashed(partial, (line + b"\n" for line in lines))
    return path


def remove_staged_results(directory: Path) -> None:
    """Files of a run that was killed: what they hold is judged again."""
    for path in directory.glob("batch-*.jsonl*"):
        path.unlink(missing_ok=True)


def apply_staged_results(spool: Spool, path: Path, archive: str) -> int:
    """Store what a staged file holds; call it as the holder of `daemon.lock`.

    May be called again: a task that is closed stays as it is, and so does a score.

    Returns:
        How many tasks were closed, and pairs given a score.

    Raises:
        BadFile: there is no such file.
    """
    if not NAME.fullmatch(path.name) or not path.is_file():
        raise BadFile(f"{path.name[:40]!r} holds no results: run the same command again")
    changed = 0
    with path.open("rb") as file:
        while lines := list(islice(file, RESULTS_PER_TRANSACTION)):
            told = {match[1].decode(): line for line in lines if (match := _TASK.match(line))}
            changed += tasks.finish(spool, read_results(spool, archive, told))
            scores = [line for line in lines if line.startswith(b'{"pair_id"')]
            changed += _add_scores(spool, [PairScore.from_json(line) for line in scores])
    return changed


def _add_scores(spool: Spool, scores: Sequence[PairScore]) -> int:
    changed = 0
    with spool.transaction() as db:
        for found in scores:
            row = db.execute("SELECT record FROM pairs WHERE id=?", (found.pair_id,)).fetchone()
            pair = Pair.from_json(row["record"]) if row else None
            fits = _CODE.fullmatch(found.signal) and abs(found.score) <= LARGEST_SCORE
            if pair is None or not fits or found.signal in pair.scores:
                continue
            scored = pair.replace(scores={**pair.scores, found.signal: found.score})
            db.execute("UPDATE pairs SET record=? WHERE id=?", (scored.to_json(), pair.id))
            changed += 1
    return changed
