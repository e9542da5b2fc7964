"""From a raw completion to judged pairs: parse, check, mark; nothing is thrown away."""

from __future__ import annotations

from dataclasses import dataclass

from exchange.records import Pair, Task
from workers import checks
from workers.parse import parse

NO_PAIR = "no-pair"


@dataclass(frozen=True, slots=True)
class Judged:
    """The pairs of one completion; `problem` says why there is none at all."""

    pairs: tuple[Pair, ...]
    problem: str = ""

    @property
    def accepted(self) -> int:
        return sum(pair.status == "accepted" for pair in self.pairs)


def judge(task: Task, completion: str, finish_reason: str) -> Judged:
    """Parse one completion and put each pair through the chain of checks.

    Pure: the same task and text give the same pairs with the same ids, on any machine.
    """
    found = parse(completion, chopped=finish_reason != "stop")
    if not found:
        return Judged((), NO_PAIR)
    context = checks.Context.of(task)
    pairs: dict[str, Pair] = {}
    for draft in found:
        reason = checks.first_objection(draft, context)
        pair = Pair(
            id=Pair.make_id(task.id, draft.question, draft.answer),
            task_id=task.id,
            chunk_ids=task.chunk_ids,
            question=draft.question,
            answer=draft.answer,
            kind=checks.kind_of(draft),
            status="rejected" if reason else "accepted",
            reason=reason,
            rules=checks.VERSION,
        )
        pairs.setdefault(pair.id, pair)
    return Judged(tuple(pairs.values()))
