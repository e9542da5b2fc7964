"""From the lines of a batch to results: the same parser and checks as a worker's.

A line becomes a result only when it names a task of this archive that is open and asks for the
prompt, sampling and model of these settings. Every other line is set aside and counted by a reason
code, and its task stays open. Nothing is written here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exchange.inference import openai_replies
from exchange.inference.engine import EngineDescription, RequestOutput
from exchange.recipes.registry import PromptRegistry
from exchange.records import TASK_PATTERN, TOO_LONG, Pair, Result, Task
from exchange.store import tasks
from exchange.store.results import PairScore, encode_result
from exchange.store.spool import FILE, Spool
from exchange.text.controls import one_line
from workers.batch.lines import (
    NO_ID,
    NOT_JSON,
    READ_BACK,
    TOO_LONG_LINE,
    BatchLine,
    error_code,
    is_error,
    read_reply,
)
from workers.grading import grade
from workers.request_builder import first_seed, make_result
from workers.settings import WorkSettings
from workers.verify import scores
from workers.verify.step import ROUND_TRIP

# Why a line is set aside whose form is right.
UNKNOWN, OTHER_ARCHIVE, STALE = "unknown-task", "other-archive", "stale-task"
REPEATED, ALREADY = "repeated", "already-done"
BAD_REPLY, REPLY_TOO_LONG = "bad-reply", "reply-too-long"
CODES = frozenset(
    {NOT_JSON, TOO_LONG_LINE, NO_ID, UNKNOWN, OTHER_ARCHIVE, STALE, REPEATED, ALREADY}
) | {BAD_REPLY, REPLY_TOO_LONG}
HARMLESS = frozenset({REPEATED, ALREADY})  # what a second run, or a doubled file, is made of

LETTERS_PER_TOKEN = 64  # of a reply, at most: what is longer was not made with these settings


@dataclass(slots=True)
class BatchIntake:
    """What came of some lines, or of all."""

    lines: int = 0
    closed: int = 0  # tasks that ended with their reply
    accepted: int = 0  # pairs, before those that ask what another asks
    rejected: int = 0
    read_back: int = 0  # pairs that were given a score
    set_aside: Counter[str] = field(default_factory=Counter)  # by reason code
    models: Counter[str] = field(default_factory=Counter)  # who answered, by its own word

    @property
    def lost(self) -> int:
        """Lines that held nothing to store, and are not there twice either."""
        return sum(count for code, count in self.set_aside.items() if code not in HARMLESS)


@dataclass(slots=True)
class JudgedLines:
    """One errand's lines as they are staged, and how they were counted."""

    staged: list[bytes]
    counts: BatchIntake
    end: int


class LineJudge:
    """From lines to results; a process of its own may be given a copy."""

    def __init__(
        self, directory: Path, archive: str, work: WorkSettings, prompts: PromptRegistry
    ) -> None:
        self._directory, self._archive = directory, archive
        self._work, self._prompts = work, prompts
        self._description = EngineDescription("batch", work.served_as, "served", 0)
        self._longest = LETTERS_PER_TOKEN * work.max_tokens + 4096

    def __call__(self, lines: Sequence[BatchLine]) -> JudgedLines:
        """Judge some lines; nothing is written."""
        counts = BatchIntake(lines=len(lines))
        asked: dict[str, dict[str, Any]] = {}
        for line in lines:
            name, raw = read_reply(line.data)
            if isinstance(raw, str):
                counts.set_aside[raw] += 1
            elif name in asked and not is_error(asked[name]):
                counts.set_aside[REPEATED] += 1
            else:
                if name in asked:  # an error, and then a reply
                    counts.set_aside[REPEATED] += 1
                asked[name] = raw
        staged: list[bytes] = []
        with closing(Spool.read(self._directory)) as spool:
            known = self._open_tasks(spool, asked, counts)
            language = tasks.archive_language(spool)
            for name, raw in asked.items():
                pair = _pair_of(spool, name) if name.startswith(READ_BACK) else None
                if pair is None and name not in known:
                    continue
                reply = self._reply(raw, counts)
                if pair is not None:
                    staged += self._read_back(pair, reply, language, counts)
                elif isinstance(reply, openai_replies.ChatCompletion):
                    staged.append(self._result(known[name], reply, counts))
                elif reply == TOO_LONG:
                    task = known[name]
                    staged.append(encode_result(Result(task.id, task.archive, TOO_LONG)))
                else:
                    counts.set_aside[reply] += 1
        return JudgedLines(staged, counts, lines[-1].end)

    def _open_tasks(
        self, spool: Spool, asked: dict[str, Any], counts: BatchIntake
    ) -> dict[str, Task]:
        """Those of the named tasks that wait for a reply; the others are counted."""
        ids = tuple(name for name in asked if TASK_PATTERN.fullmatch(name))
        where = f"id IN ({','.join('?' * len(ids))})"
        states = dict(
            spool.db.execute(f"SELECT id, state FROM tasks WHERE {where}", ids).fetchall()
        )
        found = {
            task.id: task for task in tasks.load_tasks(spool, self._archive, f"t.{where}", ids)
        }
        unknown: list[str] = []
        for name in asked:
            state = states.get(name, "")
            if name.startswith(READ_BACK):
                counts.set_aside[UNKNOWN] += _pair_of(spool, name) is None
            elif not state:
                unknown.append(name)
            elif state in ("done", "failed"):
                counts.set_aside[ALREADY] += 1
            elif state == "stale" or name not in found or not self._prompts.fits(found[name]):
                counts.set_aside[STALE] += 1
            else:
                continue
            found.pop(name, None)
        elsewhere = self._of_other_archives(unknown) if unknown else 0
        counts.set_aside += {OTHER_ARCHIVE: elsewhere, UNKNOWN: len(unknown) - elsewhere}
        return found

    def _of_other_archives(self, names: Sequence[str]) -> int:
        """How many of these tasks are another archive's of this project."""
        count = 0
        where = f"id IN ({','.join('?' * len(names))})"
        for path in self._directory.parent.glob(f"*/{FILE}"):
            if path.parent != self._directory:
                with closing(Spool.read(path.parent)) as other:
                    row = other.db.execute(f"SELECT COUNT(*) FROM tasks WHERE {where}", names)
                    count += row.fetchone()[0]
        return count

    def _reply(
        self, raw: dict[str, Any], counts: BatchIntake
    ) -> openai_replies.ChatCompletion | str:
        """The completion of a line, or the reason code of what stands there instead."""
        response = raw.get("response")
        response = response if isinstance(response, dict) else {}
        body = response.get("body")
        if is_error(raw):
            return error_code(raw.get("error") or body, response.get("status_code"))
        try:
            found = openai_replies.read_completion(body)
        except openai_replies.BadReply:
            return BAD_REPLY
        if len(found.text) > self._longest:
            return REPLY_TOO_LONG
        named = body.get("model") if isinstance(body, dict) else None
        counts.models[one_line(str(named or "?"))[:80]] += 1
        return found

    def _result(
        self, task: Task, reply: openai_replies.ChatCompletion, counts: BatchIntake
    ) -> bytes:
        graded = grade(task, reply.text, reply.finish_reason)
        counts.accepted += graded.accepted
        counts.rejected += len(graded.pairs) - graded.accepted
        output = RequestOutput(
            0,
            reply.text,
            reply.finish_reason,
            reply.tokens_in,
            reply.tokens_out,
            0.0,
            only_thought=reply.only_thought,
        )
        result = make_result(
            task,
            output,
            graded,
            prompts=self._prompts,
            description=self._description,
            seed=first_seed(self._work, task),
            at=datetime.now(UTC),
        )
        return encode_result(result)

    def _read_back(
        self,
        pair: Pair,
        reply: openai_replies.ChatCompletion | str,
        language: str,
        counts: BatchIntake,
    ) -> list[bytes]:
        """The score of a second answer. The likelihoods that a contrast needs are in no batch."""
        if ROUND_TRIP in pair.scores:
            counts.set_aside[ALREADY] += 1
        elif isinstance(reply, str):
            counts.set_aside[reply] += 1
        else:
            again = scores.agreement(pair.question, pair.answer, reply.text, language)
            return [PairScore(pair.id, ROUND_TRIP, round(again, 4)).to_json()]
        return []


def _pair_of(spool: Spool, name: str) -> Pair | None:
    """The pair that a request to read it back names."""
    found = spool.db.execute(
        "SELECT record FROM pairs WHERE id=?", (name.removeprefix(READ_BACK),)
    ).fetchone()
    return Pair.from_json(found["record"]) if found else None
